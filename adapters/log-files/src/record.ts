// SPDX-License-Identifier: Apache-2.0
// How a batch of entries stands in a segment: a header with a checksum, the commitments one after another
// (what a sequencer reads), then each entry's tenant, id, kind, salt and body.
import { crc32 } from 'node:zlib';
import { assert } from '@bailiwick/kernel';
import { BATCH_ENTRIES_COUNT_MAX, HASH_SIZE_BYTES, type NewEntry } from '@bailiwick/ledger';
import { RECORD_SIZE_BYTES_MAX } from './limits.ts';

const MAGIC = 0x314a_5742; // 'BWJ1'
/** magic 4 | checksum 4 | size of what follows 4 | entries 4 | position of the first in the journal 8 */
export const RECORD_HEADER_SIZE_BYTES = 24;
const ID_SIZE_BYTES = 16;
/** tenant 16 | entry 16 | salt 32 | length of kind 2 | length of body 4 */
const ENTRY_HEADER_SIZE_BYTES = 70;
const NIL: Buffer = Buffer.alloc(ID_SIZE_BYTES);

/** What a record's header says. */
export interface RecordHeader {
  readonly checksum: number;
  readonly sizeBytes: number;
  readonly entriesCount: number;
  /** Entries of the whole journal before this record. */
  readonly ordinal: number;
}

function toIdBytes(id: string): Buffer {
  return Buffer.from(id.replaceAll('-', ''), 'hex');
}

/** A record of this batch; its position in the journal is put in by `placeRecord`. */
export function encodeRecord(entries: readonly NewEntry[]): Buffer {
  assert(entries.length > 0 && entries.length <= BATCH_ENTRIES_COUNT_MAX, 'a batch has 1 to 4096');
  const bodies = entries.map(({ body }) => Buffer.byteLength(body));
  const kinds = entries.map(({ kind }) => Buffer.byteLength(kind));
  const each = HASH_SIZE_BYTES + ENTRY_HEADER_SIZE_BYTES;
  const size = [...bodies, ...kinds].reduce((sum, length) => sum + length, each * entries.length);
  assert(size <= RECORD_SIZE_BYTES_MAX, 'a record is bounded');
  const record = Buffer.allocUnsafe(RECORD_HEADER_SIZE_BYTES + size);
  record.writeUInt32LE(MAGIC, 0);
  record.writeUInt32LE(size, 8);
  record.writeUInt32LE(entries.length, 12);
  let at = RECORD_HEADER_SIZE_BYTES;
  for (const { commitment } of entries) {
    record.set(commitment, at);
    at += HASH_SIZE_BYTES;
  }
  for (const [number, entry] of entries.entries()) {
    const { tenantId, entryId, salt, kind, body } = entry;
    record.set(tenantId === undefined ? NIL : toIdBytes(tenantId), at);
    record.set(toIdBytes(entryId), at + ID_SIZE_BYTES);
    record.set(salt, at + 2 * ID_SIZE_BYTES);
    record.writeUInt16LE(kinds[number] ?? 0, at + 64);
    record.writeUInt32LE(bodies[number] ?? 0, at + 66);
    at += ENTRY_HEADER_SIZE_BYTES;
    at += record.write(kind, at);
    at += record.write(body, at);
  }
  assert(at === record.length, 'a record is as long as it says');
  return record;
}

/** Puts a record at its place in the journal; may be done again at another. */
export function placeRecord(record: Buffer, ordinal: number): void {
  record.writeBigUInt64LE(BigInt(ordinal), 16);
  record.writeUInt32LE(crc32(record.subarray(8)), 4);
}

/** Reads a header; nothing where none begins. What it says is to be held against the checksum. */
export function parseHeader(bytes: Buffer): RecordHeader | undefined {
  if (bytes.length < RECORD_HEADER_SIZE_BYTES || bytes.readUInt32LE(0) !== MAGIC) return undefined;
  const sizeBytes = bytes.readUInt32LE(8);
  const entriesCount = bytes.readUInt32LE(12);
  const isPossible =
    sizeBytes <= RECORD_SIZE_BYTES_MAX &&
    entriesCount > 0 &&
    entriesCount <= BATCH_ENTRIES_COUNT_MAX &&
    sizeBytes >= entriesCount * (HASH_SIZE_BYTES + ENTRY_HEADER_SIZE_BYTES);
  if (!isPossible) return undefined;
  const ordinal = Number(bytes.readBigUInt64LE(16));
  return { checksum: bytes.readUInt32LE(4), sizeBytes, entriesCount, ordinal };
}

/** True when a whole record is what its checksum says: written to its end. */
export function isWhole(record: Buffer): boolean {
  const header = parseHeader(record);
  return (
    header !== undefined &&
    record.length === RECORD_HEADER_SIZE_BYTES + header.sizeBytes &&
    crc32(record.subarray(8)) === header.checksum
  );
}
