// SPDX-License-Identifier: Apache-2.0
// Holding stored rows against what their writes put on record. A cipher cannot refuse a whole older row
// put back in its place; the ledger names it.
import { fromUuidBytes, parseRecordId, type RecordId, writeUuid } from '@bailiwick/kernel';
import type { EntryBody } from './entry.ts';
import { LedgerError } from './errors.ts';
import { HASH_SIZE_BYTES, isSameBytes } from './hash.ts';

/** A write of one record. A digest of zeros says that the record was deleted. */
export interface RowWrite {
  readonly recordId: RecordId;
  /** From 1. */
  readonly version: number;
  /** SHA-256 of the row, 32 bytes. */
  readonly digest: Uint8Array;
}

/** Digest that a deletion records. */
export const DELETED_DIGEST: Uint8Array = new Uint8Array(HASH_SIZE_BYTES);

const ITEM_SIZE_BYTES = 16 + 4 + HASH_SIZE_BYTES;

/** The text of an entry's `writes.items`. */
export function encodeWriteItems(writes: readonly RowWrite[]): string {
  const bytes = Buffer.alloc(writes.length * ITEM_SIZE_BYTES);
  for (const [index, { recordId, version, digest }] of writes.entries()) {
    const at = index * ITEM_SIZE_BYTES;
    writeUuid(bytes, at, recordId);
    bytes.writeUInt32BE(version, at + 16);
    bytes.set(digest, at + 20);
  }
  return bytes.toString('base64url');
}

/** Reads `writes.items` back. @throws {LedgerError} `LEDGER_ENTRY_INVALID` */
export function parseWriteItems(items: string): readonly RowWrite[] {
  const bytes = Buffer.from(items, 'base64url');
  if (bytes.length % ITEM_SIZE_BYTES !== 0 || bytes.toString('base64url') !== items) {
    throw new LedgerError('LEDGER_ENTRY_INVALID', 'write items are not a list of 52 bytes each');
  }
  const writes: RowWrite[] = [];
  for (let at = 0; at < bytes.length; at += ITEM_SIZE_BYTES) {
    writes.push({
      recordId: parseRecordId(fromUuidBytes(bytes.subarray(at, at + 16))),
      version: bytes.readUInt32BE(at + 16),
      digest: bytes.subarray(at + 20, at + ITEM_SIZE_BYTES),
    });
  }
  return writes;
}

/** The last write of a record, and the entry that tells of it. */
export interface LatestWrite extends RowWrite {
  readonly entryId: string;
}

/** What is wrong with a row. */
export type RowProblemKind =
  /** An older version than the last write: a whole row was put back. */
  | 'older'
  /** Not what the last write wrote. */
  | 'changed'
  /** A version that no entry tells of. */
  | 'unrecorded'
  /** Deleted by its last entry, and there. */
  | 'returned'
  /** Not there, and not deleted by any entry. */
  | 'missing';

export interface RowProblem {
  readonly recordId: RecordId;
  readonly problem: RowProblemKind;
  /** Of the row; absent when it is missing. */
  readonly version?: number;
  /** The last write on record; absent when there is none. */
  readonly latest?: LatestWrite;
}

/** Collects the last write of each record; feed it the entries in the order of the log. */
export class WriteHistory {
  readonly #latest = new Map<RecordId, LatestWrite>();

  /** Takes an entry of any kind; those without writes pass. */
  add(body: EntryBody): void {
    if (body.writes?.items === undefined) return;
    for (const write of parseWriteItems(body.writes.items)) {
      this.#latest.set(write.recordId, { ...write, entryId: body.id });
    }
  }

  latestOf(recordId: RecordId): LatestWrite | undefined {
    return this.#latest.get(recordId);
  }

  /** Holds all stored rows against the last writes; each record id comes at most once. */
  async *check(rows: AsyncIterable<RowWrite> | Iterable<RowWrite>): AsyncGenerator<RowProblem> {
    const seen = new Set<RecordId>();
    for await (const { recordId, version, digest } of rows) {
      seen.add(recordId);
      const latest = this.#latest.get(recordId);
      const problem = describeRow({ version, digest }, latest);
      if (problem !== undefined) {
        yield { recordId, problem, version, ...(latest === undefined ? {} : { latest }) };
      }
    }
    for (const [recordId, latest] of this.#latest) {
      if (seen.has(recordId) || isSameBytes(latest.digest, DELETED_DIGEST)) continue;
      yield { recordId, problem: 'missing', latest };
    }
  }
}

function describeRow(
  row: Omit<RowWrite, 'recordId'>,
  latest: LatestWrite | undefined,
): RowProblemKind | undefined {
  if (latest === undefined) return 'unrecorded';
  if (isSameBytes(latest.digest, DELETED_DIGEST)) return 'returned';
  if (row.version < latest.version) return 'older';
  if (row.version > latest.version) return 'unrecorded';
  return isSameBytes(row.digest, latest.digest) ? undefined : 'changed';
}
