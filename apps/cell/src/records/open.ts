// SPDX-License-Identifier: Apache-2.0
// From rows to what a reader may see: verify, decide, fetch keys once, open, mask. What does not verify
// is not shown (invariant 2), and what was erased is told as erased.
import type { KeyObject } from 'node:crypto';
import type { FieldValue, RecordLabel, StoredRecord } from '@bailiwick/contracts';
import { type Action, isCoded, type Seal, type SubjectId, type TenantId } from '@bailiwick/kernel';
import { openValue, parseSealedValue, type SealedValue } from '@bailiwick/keys';
import type { CompiledCollection } from '../collections/compiled-collection.ts';
import type { CellServices, KeyHandle, KeyProblem, KeyReference } from '../services.ts';
import { RecordError } from './errors.ts';
import type { ReadRow } from './record-store.ts';
import { parseFacts, type RecordFacts, verifyRecord } from './row.ts';
import { type Asker, findSight, type Sight } from './sight.ts';

type Services = Pick<CellServices, 'cellId' | 'clock' | 'law' | 'enforcement' | 'keys'>;

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

/** A row whose facts have verified. */
export interface VerifiedRow {
  readonly row: ReadRow;
  readonly facts: RecordFacts;
  /** Sealed values by position of their field set. */
  readonly sealed: ReadonlyMap<number, SealedValue>;
}

function isSameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index]);
}

/** True when a seal says the same as the row that it lies in. */
function isSealOf(
  seal: Seal,
  options: {
    readonly cellId: string;
    readonly row: ReadRow;
    readonly facts: RecordFacts;
    readonly collection: CompiledCollection;
  },
): boolean {
  const { cellId, row, facts, collection } = options;
  const fieldSet = collection.schema.fieldSets[seal.fieldSet];
  return (
    seal.tenantId === row.tenantId &&
    seal.cellId === cellId &&
    seal.collectionId === row.collectionId &&
    seal.recordId === row.recordId &&
    seal.origin === facts.origin &&
    seal.residency === facts.residency &&
    isSameList(seal.regimes, facts.regimes) &&
    fieldSet?.protection === 'sealed' &&
    fieldSet.class === seal.class &&
    fieldSet.category === seal.category
  );
}

/** Codes that say that stored bytes are not what this cell wrote. */
const UNVERIFIED_CODES = [
  'KEYS_FACTS_UNVERIFIED',
  'KEYS_VALUE_MALFORMED',
  'KEYS_SEAL_MISMATCH',
  'KEYS_ENVELOPE_UNOPENED',
  'RECORD_FACTS_UNVERIFIED',
] as const;

function isUnverified(error: unknown): boolean {
  return UNVERIFIED_CODES.some((code) => isCoded(error, code));
}

/** Verifies a row; `undefined` when it is not what was written. */
export function verifyRow(
  options: {
    readonly cellId: string;
    readonly factsKey: KeyObject;
    readonly collection: CompiledCollection;
  },
  row: ReadRow,
): VerifiedRow | undefined {
  const { cellId, factsKey, collection } = options;
  try {
    const values = verifyRecord(factsKey, row);
    const facts = parseFacts(row.facts);
    const sealed = new Map<number, SealedValue>();
    for (const value of values) {
      const parsed = parseSealedValue(value);
      const at = collection.fieldSets.find(({ name }) => name === parsed.seal.fieldSet)?.at;
      if (at === undefined || !isSealOf(parsed.seal, { cellId, row, facts, collection })) {
        return undefined;
      }
      sealed.set(at, parsed);
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
  values: Iterable<SealedValue>,
): Promise<ReadonlyMap<string, KeyHandle | KeyProblem>> {
  const references = new Map<string, KeyReference>();
  for (const { seal } of values) {
    const reference = { keyId: seal.keyId, version: seal.keyVersion };
    references.set(referenceName(reference), reference);
  }
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
  value: SealedValue,
): Readonly<Record<string, FieldValue>> | undefined {
  const { keyId, keyVersion } = value.seal;
  const found = keys.get(referenceName({ keyId, version: keyVersion }));
  if (!found) throw new RecordError('RECORD_FACTS_UNVERIFIED', 'the key of a value is not known');
  if ('key' in found) return parseFieldsText(openValue(found.key, value).toString('utf8'));
  if (found.code === 'KEYS_KEY_ERASED') return undefined;
  throw new RecordError('RECORD_FACTS_UNVERIFIED', 'the key of a value is not one of this cell');
}

/** Reads what this cell sealed; the envelope has opened, so it is ours. */
function parseFieldsText(text: string): Readonly<Record<string, FieldValue>> {
  return JSON.parse(text) as Readonly<Record<string, FieldValue>>;
}

function toLabel(cellId: string, facts: RecordFacts, collection: CompiledCollection): RecordLabel {
  return {
    cell: cellId,
    residency: facts.residency,
    origin: facts.origin,
    regimes: facts.regimes,
    lawDate: facts.lawDate,
    classes: collection.classGroups.map((group) => group.class),
    categories: [...new Set(collection.classGroups.flatMap(({ categories }) => categories))].sort(),
  };
}

function isFieldValue(value: unknown): value is FieldValue {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

function toRecord(
  cellId: string,
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
  for (const [at, value] of sealed) {
    if (!sight.isVisible[at]) continue;
    const opened = openFields(keys, value);
    if (opened) Object.assign(fields, opened);
    else erased.push(value.seal.fieldSet);
  }
  for (const { name, fieldSet } of collection.fields.values()) {
    const isSealed = fieldSet.protection === 'sealed';
    if (!sight.isVisible[fieldSet.at]) {
      if (isSealed ? sealed.has(fieldSet.at) : row.plainFields[name] !== undefined) {
        masked.push(name);
      }
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
  const looked = requests.map(({ row, collection, asker }) => {
    const verified = verifyRow({ cellId, factsKey, collection }, row);
    if (!verified) return undefined;
    const { origin, regimes, residency } = verified.facts;
    const label = { origin, regimes, residency };
    const sight = findSight(services, { asker, action, collection, label });
    const isSeen = sight.request !== undefined && needed.every((at) => sight.isVisible[at]);
    return { verified, sight, isSeen };
  });
  const wanted: SealedValue[] = [];
  for (const one of looked) {
    if (!one?.isSeen) continue;
    for (const [at, value] of one.verified.sealed) if (one.sight.isVisible[at]) wanted.push(value);
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
