// SPDX-License-Identifier: Apache-2.0
// What a seal in a row must say. A row's place and its facts fix every byte of its seals but the key, so a
// stored seal is held against bytes that were encoded before instead of being parsed: stricter, and many
// times faster. Its key is read from where the encoding has it (`encodeSealPrefix` in the kernel).
import {
  type CellId,
  encodeSealPrefix,
  fromUuidBytes,
  type KeyId,
  parseDate,
  parseKeyId,
  type RecordId,
  type TenantId,
  writeUuid,
} from '@bailiwick/kernel';
import type { CompiledCollection } from '../collections/compiled-collection.ts';
import type { KeyReference } from '../services.ts';
import type { RecordFacts } from './row.ts';

/** Where a seal's encoding has its key's id (16 bytes) and version (4). */
const KEY_OFFSET = 17;
const KEY_END = KEY_OFFSET + 20;
const DAY_MS = 86_400_000;
const LABELS_COUNT_MAX = 4096;
/** Stands for the key in a prefix that is only compared around it. */
const ANY_KEY: KeyId = parseKeyId('00000000-0000-7000-8000-000000000000');

/** All but the record id of the seals of one label, by position of the field set. */
type Prefixes = readonly (Buffer | undefined)[];

const known = new WeakMap<CompiledCollection, Map<string, Prefixes>>();

function findPrefixes(
  place: { readonly cellId: CellId; readonly tenantId: TenantId },
  collection: CompiledCollection,
  facts: RecordFacts,
): Prefixes {
  const { origin, residency, regimes, lawDate } = facts;
  const id = `${place.tenantId} ${place.cellId} ${origin} ${residency} ${lawDate} ${regimes.join()}`;
  const labels = known.get(collection) ?? new Map<string, Prefixes>();
  const found = labels.get(id);
  if (found) return found;
  const made = collection.fieldSets.map((fieldSet) =>
    fieldSet.protection === 'plain'
      ? undefined
      : Buffer.from(
          encodeSealPrefix({
            tenantId: place.tenantId,
            cellId: place.cellId,
            residency,
            origin,
            regimes,
            class: fieldSet.class,
            category: fieldSet.category,
            purpose: fieldSet.purpose,
            collectionId: collection.id,
            fieldSet: fieldSet.name,
            keyId: ANY_KEY,
            keyVersion: 1,
            lawDate: parseDate(lawDate) / DAY_MS,
          }),
        ),
  );
  if (labels.size >= LABELS_COUNT_MAX) labels.clear();
  labels.set(id, made);
  known.set(collection, labels);
  return made;
}

const recordBytes = Buffer.alloc(16);

function isSealOf(seal: Buffer, prefix: Buffer, recordId: RecordId): boolean {
  if (seal.length !== prefix.length + 16) return false;
  writeUuid(recordBytes, 0, recordId);
  return (
    seal.compare(prefix, 0, KEY_OFFSET, 0, KEY_OFFSET) === 0 &&
    seal.compare(prefix, KEY_END, prefix.length, KEY_END, prefix.length) === 0 &&
    seal.compare(recordBytes, 0, 16, prefix.length) === 0
  );
}

/** The key that a seal names. */
export function toKeyReference(seal: Buffer): KeyReference {
  return {
    keyId: parseKeyId(fromUuidBytes(seal.subarray(KEY_OFFSET, KEY_OFFSET + 16))),
    version: seal.readUInt32BE(KEY_OFFSET + 16),
  };
}

/**
 * The position of the field set, after `from`, whose seal this must be for this row; `undefined` when it is
 * none of them.
 */
export function findFieldSet(
  seal: Buffer,
  row: {
    readonly cellId: CellId;
    readonly tenantId: TenantId;
    readonly recordId: RecordId;
    readonly collection: CompiledCollection;
    readonly facts: RecordFacts;
    readonly from: number;
  },
): number | undefined {
  const prefixes = findPrefixes(row, row.collection, row.facts);
  for (let at = row.from; at < prefixes.length; at += 1) {
    const prefix = prefixes[at];
    if (prefix && isSealOf(seal, prefix, row.recordId)) return at;
  }
  return undefined;
}
