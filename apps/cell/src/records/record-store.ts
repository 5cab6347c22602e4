// SPDX-License-Identifier: Apache-2.0
// Rows in and out of PostgreSQL, always under row security. What comes back is the database's word:
// `verifyRecord` turns it into ours.
import {
  type CollectionId,
  parseCollectionId,
  parseEntryId,
  parseRecordId,
  parseSubjectId,
  type RecordId,
  type TenantId,
} from '@bailiwick/kernel';
import type { Database } from '@bailiwick/postgres';
import type { Pool, PoolClient } from 'pg';
import { PACKED_ROWS, parsePackedRows } from './packed-rows.ts';
import { type ReadRow, type RecordRow, toSortedFlatJson } from './row.ts';

/** Columns of a row, for every query that reads one. */
export const RECORD_COLUMNS =
  'r.collection_id, r.record_id, r.version, r.schema_version, r.subject_id, r.facts, r.plain, r.sealed, r.blind, r.facts_mac, r.entry_id';

/** A row as `pg` gives it. */
export interface StoredRow {
  readonly collection_id: string;
  readonly record_id: string;
  readonly version: number;
  readonly schema_version: number;
  readonly subject_id: string | null;
  readonly facts: string;
  readonly plain: Readonly<Record<string, unknown>>;
  readonly sealed: Buffer;
  readonly blind: readonly Buffer[];
  readonly facts_mac: Buffer;
  readonly entry_id: string;
}

/** Reads a row; the tenant is the transaction's. */
export function parseStoredRow(tenantId: TenantId, row: StoredRow): ReadRow {
  return {
    tenantId,
    collectionId: parseCollectionId(row.collection_id),
    recordId: parseRecordId(row.record_id),
    version: row.version,
    schemaVersion: row.schema_version,
    subjectId: row.subject_id === null ? undefined : parseSubjectId(row.subject_id),
    facts: row.facts,
    plain: toSortedFlatJson(row.plain),
    plainFields: row.plain,
    sealed: row.sealed,
    blind: row.blind,
    factsMac: row.facts_mac,
    entryId: parseEntryId(row.entry_id),
  };
}

const WRITE_COLUMNS = [
  'tenant_id',
  'collection_id',
  'record_id',
  'version',
  'schema_version',
  'subject_id',
  'facts',
  'plain',
  'sealed',
  'blind',
  'facts_mac',
  'entry_id',
] as const;

function toParameters(row: RecordRow): readonly unknown[] {
  return [
    row.tenantId,
    row.collectionId,
    row.recordId,
    row.version,
    row.schemaVersion,
    row.subjectId ?? null,
    row.facts,
    row.plain,
    row.sealed,
    row.blind,
    row.factsMac,
    row.entryId,
  ];
}

function toInsertText(count: number): string {
  const width = WRITE_COLUMNS.length;
  const tuples = Array.from({ length: count }, (_, row) => {
    const places = WRITE_COLUMNS.map((_column, column) => `$${row * width + column + 1}`);
    return `(${places.join(',')})`;
  });
  return `INSERT INTO cell.records (${WRITE_COLUMNS.join(',')}) VALUES ${tuples.join(',')}
          ON CONFLICT DO NOTHING RETURNING record_id`;
}

const byRecordId = (a: RecordRow, b: RecordRow): number => (a.recordId < b.recordId ? -1 : 1);

const insertTexts: string[] = [];

/**
 * Inserts rows with distinct ids; gives the ids of those that were not there. Rows go in the order of
 * their ids, so that two batches with some of the same ids never wait for each other in a circle.
 */
export async function insertRows(
  tx: PoolClient,
  rows: readonly RecordRow[],
): Promise<ReadonlySet<string>> {
  const count = rows.length;
  insertTexts[count] ??= toInsertText(count);
  const { rows: inserted } = await tx.query<{ record_id: string }>({
    name: `records-insert-${count}`,
    text: insertTexts[count],
    values: [...rows].sort(byRecordId).flatMap(toParameters),
  });
  return new Set(inserted.map((row) => row.record_id));
}

/** Replaces a row if it still has the version before; false when it has not. */
export async function updateRow(tx: PoolClient, row: RecordRow): Promise<boolean> {
  const { rowCount } = await tx.query({
    name: 'records-update',
    text: `UPDATE cell.records
           SET version = $4, schema_version = $5, subject_id = $6, facts = $7, plain = $8,
               sealed = $9, blind = $10, facts_mac = $11, entry_id = $12
           WHERE tenant_id = $1 AND collection_id = $2 AND record_id = $3 AND version = $4 - 1`,
    values: [...toParameters(row)],
  });
  return rowCount === 1;
}

/** Deletes a row if it still has this version; false when it has not. */
export async function deleteRow(
  tx: PoolClient,
  row: Pick<RecordRow, 'tenantId' | 'collectionId' | 'recordId' | 'version'>,
): Promise<boolean> {
  const { rowCount } = await tx.query({
    name: 'records-delete',
    text: `DELETE FROM cell.records
           WHERE tenant_id = $1 AND collection_id = $2 AND record_id = $3 AND version = $4`,
    values: [row.tenantId, row.collectionId, row.recordId, row.version],
  });
  return rowCount === 1;
}

/** One record of one tenant. */
export interface RecordPlace {
  readonly collectionId: CollectionId;
  readonly recordId: RecordId;
}

/** Reads records of one tenant in one round trip; those that are not there are left out. */
export async function readRows(
  pool: Pool,
  tenantId: TenantId,
  places: readonly RecordPlace[],
): Promise<readonly ReadRow[]> {
  const { rows } = await pool.query<{ rows: Buffer | null }>({
    name: 'records-read',
    text: `SELECT ${PACKED_ROWS} AS rows FROM cell.read_records($1, $2, $3) r`,
    values: [
      tenantId,
      places.map(({ collectionId }) => collectionId),
      places.map(({ recordId }) => recordId),
    ],
  });
  return parsePackedRows(tenantId, rows[0]?.rows ?? null);
}

/** Which rows an entry wrote, for `ledger check`: all rows of a tenant, page by page, by primary key. */
export async function* listRows(
  database: Database,
  tenantId: TenantId,
  pageSize = 500,
): AsyncGenerator<ReadRow> {
  let after: readonly [string, string] = ['', '00000000-0000-0000-0000-000000000000'];
  for (;;) {
    const { rows } = await database.withTenant(tenantId, (tx) =>
      tx.query<StoredRow>(
        `SELECT ${RECORD_COLUMNS} FROM cell.records r
         WHERE r.tenant_id = $1 AND (r.collection_id, r.record_id) > ($2, $3)
         ORDER BY r.collection_id, r.record_id LIMIT $4`,
        [tenantId, after[0], after[1], pageSize],
      ),
    );
    for (const row of rows) yield parseStoredRow(tenantId, row);
    const last = rows.at(-1);
    if (!last || rows.length < pageSize) return;
    after = [last.collection_id, last.record_id];
  }
}
