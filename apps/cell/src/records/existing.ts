// SPDX-License-Identifier: Apache-2.0
// A record as it stands, for who is about to change it or to hold something against it: verified, and
// opened whole. Nothing of it goes to a caller from here.

import type { KeyObject } from 'node:crypto';
import { type CellId, isCoded, type SubjectId, type TenantId } from '@bailiwick/kernel';
import type { CollectionStore } from '../collections/collection-store.ts';
import type { CompiledCollection } from '../collections/compiled-collection.ts';
import type { CellServices } from '../services.ts';
import type { FieldSetValues } from './draft.ts';
import { RecordError } from './errors.ts';
import type { HomeLabel } from './label.ts';
import { findOpeningKeys, openFields, type VerifiedRow, verifyRow } from './open.ts';
import { type RecordPlace, readRows } from './record-store.ts';
import type { CopyOf, ReadRow } from './row.ts';

/** A verified row and what its label is. */
export interface Existing {
  readonly verified: VerifiedRow;
  readonly collection: CompiledCollection;
  readonly label: HomeLabel;
}

/** All values of a record. */
export interface OpenedContent {
  readonly version: number;
  readonly subjectId: SubjectId | undefined;
  readonly label: HomeLabel;
  readonly collectedAt: string;
  readonly lawDate: string;
  readonly copyOf?: CopyOf;
  /** By position of the field set; keys sorted. */
  readonly values: readonly (FieldSetValues | undefined)[];
}

/** The collection in a version that knows this row's schema. */
export async function collectionFor(
  collections: CollectionStore,
  row: ReadRow,
): Promise<CompiledCollection> {
  const known = await collections.get(row.tenantId, row.collectionId);
  if (known.version >= row.schemaVersion) return known;
  collections.forget(row.tenantId, row.collectionId);
  return collections.get(row.tenantId, row.collectionId);
}

/**
 * Finds and verifies a record.
 *
 * @throws {RecordError} `RECORD_FACTS_UNVERIFIED`
 */
export async function findExisting(
  services: Pick<CellServices, 'cellId' | 'keys' | 'database'>,
  collections: CollectionStore,
  options: { readonly tenantId: TenantId; readonly place: RecordPlace },
): Promise<Existing | undefined> {
  const { tenantId, place } = options;
  const [row] = await readRows(services.database.pool, tenantId, [place]);
  if (!row) return undefined;
  const collection = await collectionFor(collections, row);
  const { factsKey } = await services.keys.secrets(tenantId);
  const [existing] = findVerified(services.cellId, { row, collection, factsKey });
  if (existing) return existing;
  throw new RecordError('RECORD_FACTS_UNVERIFIED', 'the record is not what was written');
}

/** The row with its label when it verifies, and nothing when it does not. */
export function findVerified(
  cellId: CellId,
  options: {
    readonly row: ReadRow;
    readonly collection: CompiledCollection;
    readonly factsKey: KeyObject;
  },
): readonly Existing[] {
  const { row, collection, factsKey } = options;
  const verified = verifyRow({ cellId, factsKey, collection }, row);
  if (!verified) return [];
  const { origin, regimes, residency } = verified.facts;
  return [{ verified, collection, label: { origin, regimes, residency } }];
}

/**
 * Opens all of a record.
 *
 * @throws {RecordError} `RECORD_ERASED`, `RECORD_FACTS_UNVERIFIED`
 */
export async function openContent(
  services: Pick<CellServices, 'keys'>,
  existing: Existing,
): Promise<OpenedContent> {
  const [content] = await openContents(services, [existing]);
  if (content === 'erased') {
    throw new RecordError('RECORD_ERASED', 'the person whom the record is about was erased');
  }
  if (!content) {
    throw new RecordError('RECORD_FACTS_UNVERIFIED', 'the record is not what was written');
  }
  return content;
}

/** Opens records of one tenant with their keys fetched once; in order. `undefined`: does not open. */
export async function openContents(
  services: Pick<CellServices, 'keys'>,
  list: readonly Existing[],
): Promise<readonly (OpenedContent | 'erased' | undefined)[]> {
  const [first] = list;
  if (!first) return [];
  const values = list.flatMap(({ verified }) => verified.sealed);
  const keys = await findOpeningKeys(services, first.verified.row.tenantId, values);
  return list.map((existing) => {
    const { verified, collection, label } = existing;
    const opened = toClosed(existing);
    const contents = new Array<FieldSetValues | undefined>(collection.fieldSets.length).fill(
      undefined,
    );
    for (const [at, plain] of opened.values.entries()) contents[at] = plain;
    try {
      for (const value of verified.sealed) {
        const fields = openFields(keys, value);
        if (!fields) return 'erased';
        contents[value.at] = fields;
      }
    } catch (error) {
      const isForeign =
        isCoded(error, 'RECORD_FACTS_UNVERIFIED') || isCoded(error, 'KEYS_ENVELOPE_UNOPENED');
      if (isForeign) return undefined;
      throw error;
    }
    return { ...opened, label, values: contents };
  });
}

/** What is known of a record without opening anything: its label and its plain field sets. */
export function toClosed({ verified, collection, label }: Existing): OpenedContent {
  const { row, facts } = verified;
  const values = new Array<Record<string, string | number | boolean> | undefined>(
    collection.fieldSets.length,
  ).fill(undefined);
  for (const name of Object.keys(row.plainFields).sort()) {
    const at = collection.fields.get(name)?.fieldSet.at;
    const value = row.plainFields[name];
    if (at === undefined || typeof value === 'object' || value === undefined) continue;
    const target = values[at] ?? {};
    values[at] = target;
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
      target[name] = value;
    }
  }
  return {
    version: row.version,
    subjectId: row.subjectId,
    label,
    collectedAt: facts.collectedAt,
    lawDate: facts.lawDate,
    ...(facts.copyOf === undefined ? {} : { copyOf: facts.copyOf }),
    values,
  };
}
