// SPDX-License-Identifier: Apache-2.0
// From rows to what a reader may see: verify, decide, fetch keys once, open, mask. What does not verify
// is not shown (invariant 2), and what was erased is told as erased.
import type { KeyObject } from 'node:crypto';
import type { FieldValue, RecordLabel, StoredRecord } from '@bailiwick/contracts';
import {
  type Action,
  type CellId,
  isCoded,
  type SubjectId,
  type TenantId,
  toAuthenticatedData,
} from '@bailiwick/kernel';

import { openEnvelope } from '@bailiwick/keys';
import type { CompiledCollection } from '../collections/compiled-collection.ts';
import type { CellServices, KeyHandle, KeyProblem, KeyReference } from '../services.ts';
import { RecordError } from './errors.ts';
import { findFieldSet, toKeyReference } from './expected-seal.ts';
import {
  parseFacts,
  type ReadRow,
  type RecordFacts,
  sealBytesOf,
  VALUE_HEADER_SIZE_BYTES,
  verifyRecord,
} from './row.ts';
import { type Asker, findPerson, findSight, type Sight } from './sight.ts';

type Services = Pick<
  CellServices,
  'cellId' | 'clock' | 'law' | 'enforcement' | 'keys' | 'standings' | 'orders'
>;

/** What became of a row. */
export type Opened =
  | {
      readonly kind: 'seen';
      readonly record: StoredRecord;
      readonly sight: Sight;
      readonly subjectId: SubjectId | undefined;
    }
  /** Nothing of it is visible to this asker. */
  | { readonly kind: 'hidden'; readonly sight: Sight }
  /** Facts, seals or ciphertext are not what was written. */
  | { readonly kind: 'unverified' };

/** A sealed value of a row, at the position of its field set. */
export interface SealedSet {
  readonly at: number;
  readonly key: KeyReference;
  readonly seal: Buffer;
  readonly envelope: Buffer;
}

/** A row whose facts have verified. */
export interface VerifiedRow {
  readonly row: ReadRow;
  readonly facts: RecordFacts;
  readonly sealed: readonly SealedSet[];
}

/** Codes that say that stored bytes are not what this cell wrote. */
const UNVERIFIED_CODES = [
  'KEYS_FACTS_UNVERIFIED',
  'KEYS_ENVELOPE_UNOPENED',
  'RECORD_FACTS_UNVERIFIED',
] as const;

function isUnverified(error: unknown): boolean {
  return UNVERIFIED_CODES.some((code) => isCoded(error, code));
}

/** Verifies a row; `undefined` when it is not what was written. */
export function verifyRow(
  options: {
    readonly cellId: CellId;
    readonly factsKey: KeyObject;
    readonly collection: CompiledCollection;
  },
  row: ReadRow,
): VerifiedRow | undefined {
  const { cellId, factsKey, collection } = options;
  try {
    const values = verifyRecord(factsKey, row);
    const facts = parseFacts(row.facts);
    const sealed: SealedSet[] = [];
    let from = 0;
    for (const value of values) {
      const seal = sealBytesOf(value);
      const { tenantId, recordId } = row;
      const at = findFieldSet(seal, { cellId, tenantId, recordId, collection, facts, from });
      if (at === undefined) return undefined;
      const envelope = value.subarray(VALUE_HEADER_SIZE_BYTES + seal.length);
      sealed.push({ at, key: toKeyReference(seal), seal, envelope });
      from = at + 1;
    }
    return { row, facts, sealed };
  } catch (error) {
    if (isUnverified(error)) return undefined;
    throw error;
  }
}

const referenceName = ({ keyId, version }: KeyReference): string => `${keyId} ${version}`;

/** The keys of sealed values, asked for once. */
export async function findOpeningKeys(
  services: Pick<CellServices, 'keys'>,
  tenantId: TenantId,
  values: Iterable<SealedSet>,
): Promise<ReadonlyMap<string, KeyHandle | KeyProblem>> {
  const references = new Map<string, KeyReference>();
  for (const { key } of values) references.set(referenceName(key), key);
  const keys = new Map<string, KeyHandle | KeyProblem>();
  if (references.size === 0) return keys;
  const found = await services.keys.openingKeys(tenantId, [...references.values()]);
  for (const [index, name] of [...references.keys()].entries()) {
    const key = found[index];
    if (key) keys.set(name, key);
  }
  return keys;
}

/**
 * The fields of a sealed value; `undefined` when its key was erased.
 *
 * @throws {KeysError} for a key that cannot be had, or a value that does not open.
 */
export function openFields(
  keys: ReadonlyMap<string, KeyHandle | KeyProblem>,
  value: SealedSet,
): Readonly<Record<string, FieldValue>> | undefined {
  const found = keys.get(referenceName(value.key));
  if (!found) throw new RecordError('RECORD_FACTS_UNVERIFIED', 'the key of a value is not known');
  if ('key' in found) {
    const plaintext = openEnvelope(found.key, value.envelope, toAuthenticatedData(value.seal));
    return parseFieldsText(plaintext.toString('utf8'));
  }
  if (found.code === 'KEYS_KEY_ERASED') return undefined;
  throw new RecordError('RECORD_FACTS_UNVERIFIED', 'the key of a value is not one of this cell');
}

/** Reads what this cell sealed; the envelope has opened, so it is ours. */
function parseFieldsText(text: string): Readonly<Record<string, FieldValue>> {
  return JSON.parse(text) as Readonly<Record<string, FieldValue>>;
}

function toLabel(cellId: CellId, facts: RecordFacts, collection: CompiledCollection): RecordLabel {
  return {
    cell: cellId,
    residency: facts.residency,
    origin: facts.origin,
    regimes: facts.regimes,
    lawDate: facts.lawDate,
    ...(facts.copyOf === undefined ? {} : { copyOf: facts.copyOf }),
    classes: collection.classes,
    categories: collection.categories,
  };
}

function isFieldValue(value: unknown): value is FieldValue {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

function toRecord(
  cellId: CellId,
  verified: VerifiedRow,
  options: {
    readonly collection: CompiledCollection;
    readonly sight: Sight;
    readonly keys: ReadonlyMap<string, KeyHandle | KeyProblem>;
  },
): StoredRecord {
  const { collection, sight, keys } = options;
  const { row, facts, sealed } = verified;
  const fields: Record<string, FieldValue> = {};
  const masked: string[] = [];
  const erased: string[] = [];
  for (const value of sealed) {
    if (!sight.isVisible[value.at]) continue;
    const opened = openFields(keys, value);
    if (opened) Object.assign(fields, opened);
    else erased.push(collection.fieldSets[value.at]?.name ?? '');
  }
  for (const { name, fieldSet } of collection.fields.values()) {
    const isSealed = fieldSet.protection === 'sealed';
    if (!sight.isVisible[fieldSet.at]) {
      const isThere = isSealed
        ? sealed.some(({ at }) => at === fieldSet.at)
        : row.plainFields[name] !== undefined;
      if (isThere) masked.push(name);
      continue;
    }
    const value = row.plainFields[name];
    if (!isSealed && isFieldValue(value)) fields[name] = value;
  }
  return {
    recordId: row.recordId,
    ...(row.subjectId === undefined ? {} : { subjectId: row.subjectId }),
    version: row.version,
    label: toLabel(cellId, facts, collection),
    fields,
    ...(masked.length > 0 ? { masked } : {}),
    ...(erased.length > 0 ? { erased } : {}),
  };
}

/** One row to open, for whom. */
export interface OpenRequest {
  readonly row: ReadRow;
  readonly collection: CompiledCollection;
  readonly asker: Asker;
}

/** Opens rows of one tenant, in order. */
export async function openRows(
  services: Services,
  options: {
    readonly tenantId: TenantId;
    readonly action: Action;
    readonly requests: readonly OpenRequest[];
    /** Positions of field sets that must be visible, or the row is hidden: those that were asked by. */
    readonly needed?: readonly number[];
  },
): Promise<readonly Opened[]> {
  const { tenantId, action, requests, needed = [] } = options;
  const { cellId } = services;
  const { factsKey } = await services.keys.secrets(tenantId);
  const people = requests.map(({ row }) => row.subjectId);
  const preparing = services.standings.prepare(tenantId, people);
  if (preparing) await preparing;
  const looked = requests.map(({ row, collection, asker }) => {
    const verified = verifyRow({ cellId, factsKey, collection }, row);
    if (!verified) return undefined;
    // The facts have verified, and the person's id with them.
    const person = findPerson(services, asker, { collection, subjectId: row.subjectId });
    const { origin, regimes, residency } = verified.facts;
    const label = { origin, regimes, residency };
    const sight = findSight(services, { asker, action, collection, label, person });
    const isSeen = sight.request !== undefined && needed.every((at) => sight.isVisible[at]);
    return { verified, sight, isSeen };
  });
  const wanted: SealedSet[] = [];
  for (const one of looked) {
    if (!one?.isSeen) continue;
    for (const value of one.verified.sealed) if (one.sight.isVisible[value.at]) wanted.push(value);
  }
  const keys = await findOpeningKeys(services, tenantId, wanted);
  return looked.map((one, index): Opened => {
    const collection = requests[index]?.collection;
    if (!one || !collection) return { kind: 'unverified' };
    const { verified, sight, isSeen } = one;
    if (!isSeen) return { kind: 'hidden', sight };
    try {
      const record = toRecord(cellId, verified, { collection, sight, keys });
      return { kind: 'seen', record, sight, subjectId: verified.row.subjectId };
    } catch (error) {
      if (isUnverified(error)) return { kind: 'unverified' };
      throw error;
    }
  });
}
