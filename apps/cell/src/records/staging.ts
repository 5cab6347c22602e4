// SPDX-License-Identifier: Apache-2.0
// Rows in bulk: COPY cannot write into a table under row security, so rows go by binary COPY into a
// temporary table of the connection, and from there by INSERT … SELECT, which row security checks.
import type { CollectionId, TenantId } from '@bailiwick/kernel';
import { writeUuid } from '@bailiwick/kernel';
import { copyInto } from '@bailiwick/postgres';
import type { PoolClient } from 'pg';
import type { RecordRow } from './row.ts';

/** Makes the staging table of a connection; it is empty at the end of each transaction. */
export const CREATE_STAGING = `CREATE TEMPORARY TABLE IF NOT EXISTS staged_records (
  record_id uuid, subject_id uuid, facts text COLLATE "C", plain jsonb, sealed bytea,
  blind bytea[], facts_mac bytea, entry_id uuid
) ON COMMIT DELETE ROWS`;

/** Takes rows as `encodeRows` writes them. */
export const COPY_STAGING = 'COPY pg_temp.staged_records FROM STDIN (FORMAT binary)';

/**
 * Moves what is staged into the records of one tenant and collection. In the order of ids: two who write
 * the same records then wait for each other, and never both.
 */
export const INSERT_STAGED = `INSERT INTO cell.records
  (tenant_id, collection_id, record_id, version, schema_version, subject_id, facts, plain, sealed,
   blind, facts_mac, entry_id)
SELECT $1, $2, s.record_id, 1, $3, s.subject_id, s.facts, s.plain, s.sealed, s.blind, s.facts_mac,
       s.entry_id
  FROM pg_temp.staged_records s
 ORDER BY s.record_id
ON CONFLICT DO NOTHING`;

const COLUMN_COUNT = 8;
const BYTEA_OID = 17;
/** PostgreSQL, "COPY", binary format: signature, flags, length of the header's extension. */
const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1');

/** Writes rows in PostgreSQL's binary COPY format. */
export function encodeRows(rows: readonly RecordRow[]): Buffer {
  let size = SIGNATURE.length + 2;
  for (const row of rows) size += sizeOf(row);
  const bytes = Buffer.allocUnsafe(size);
  bytes.set(SIGNATURE);
  let at = SIGNATURE.length;
  for (const row of rows) at = writeRow(bytes, at, row);
  bytes.writeInt16BE(-1, at);
  return bytes.subarray(0, at + 2);
}

/** An upper bound of a row's size. */
function sizeOf({ facts, plain, sealed, blind }: RecordRow): number {
  let size = 2 + COLUMN_COUNT * 4 + 16 * 3 + 32 + 1 + 20 + sealed.length;
  size += 3 * (facts.length + plain.length);
  for (const index of blind) size += 4 + index.length;
  return size;
}

function writeId(bytes: Buffer, at: number, id: string | undefined): number {
  if (id === undefined) return bytes.writeInt32BE(-1, at);
  bytes.writeInt32BE(16, at);
  writeUuid(bytes, at + 4, id);
  return at + 20;
}

function writeBytes(bytes: Buffer, at: number, value: Buffer): number {
  bytes.writeInt32BE(value.length, at);
  bytes.set(value, at + 4);
  return at + 4 + value.length;
}

function writeText(bytes: Buffer, at: number, value: string): number {
  const size = bytes.write(value, at + 4);
  bytes.writeInt32BE(size, at);
  return at + 4 + size;
}

function writeRow(bytes: Buffer, start: number, row: RecordRow): number {
  let at = bytes.writeInt16BE(COLUMN_COUNT, start);
  at = writeId(bytes, at, row.recordId);
  at = writeId(bytes, at, row.subjectId);
  at = writeText(bytes, at, row.facts);
  // jsonb in binary: version 1, then the text.
  const plainSize = bytes.write(row.plain, at + 5);
  bytes.writeInt32BE(plainSize + 1, at);
  bytes[at + 4] = 1;
  at = writeBytes(bytes, at + 5 + plainSize, row.sealed);
  at = writeByteaArray(bytes, at, row.blind);
  at = writeBytes(bytes, at, row.factsMac);
  return writeId(bytes, at, row.entryId);
}

/** Dimensions, has-nulls flag, element type; then length and lower bound of the one dimension. */
function writeByteaArray(bytes: Buffer, start: number, values: readonly Buffer[]): number {
  let at = start + 4;
  at = bytes.writeInt32BE(values.length > 0 ? 1 : 0, at);
  at = bytes.writeInt32BE(0, at);
  at = bytes.writeInt32BE(BYTEA_OID, at);
  if (values.length > 0) {
    at = bytes.writeInt32BE(values.length, at);
    at = bytes.writeInt32BE(1, at);
    for (const value of values) at = writeBytes(bytes, at, value);
  }
  bytes.writeInt32BE(at - start - 4, start);
  return at;
}

/** Inserts rows of one tenant and collection; gives how many were not there before. */
export async function insertStaged(
  tx: PoolClient,
  options: {
    readonly tenantId: TenantId;
    readonly collectionId: CollectionId;
    readonly schemaVersion: number;
    readonly rows: readonly RecordRow[];
  },
): Promise<number> {
  const { tenantId, collectionId, schemaVersion, rows } = options;
  await tx.query(CREATE_STAGING);
  await copyInto(tx, COPY_STAGING, encodeRows(rows));
  const { rowCount } = await tx.query({
    name: 'records-insert-staged',
    text: INSERT_STAGED,
    values: [tenantId, collectionId, schemaVersion],
  });
  return rowCount ?? 0;
}
