// SPDX-License-Identifier: Apache-2.0
// Copies that other cells send, in the database: what was announced, and how far it has come.
import type { TenantId } from '@bailiwick/kernel';
import type { Database } from '@bailiwick/postgres';
import type { PoolClient } from 'pg';

export interface ArrivalPlace {
  readonly tenantId: TenantId;
  readonly transferId: string;
}

export interface ArrivalRow extends ArrivalPlace {
  readonly from: string;
  readonly state: 'open' | 'completed' | 'ended';
  /** The signed manifest as it came. */
  readonly manifest: string;
  readonly manifestHash: string;
  readonly chunkCount: number;
  readonly recordCount: number;
  readonly digest: string;
  readonly entryId: string;
  readonly leafHash: string;
  readonly endEntryId: string | undefined;
  readonly endLeafHash: string | undefined;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export interface ArrivalChunkRow {
  readonly chunk: number;
  readonly contentHash: string;
  readonly through: string;
  readonly recordCount: number;
  readonly refusedCount: number;
  readonly entryId: string;
  readonly leafHash: string;
}

interface Row {
  readonly tenant_id: TenantId;
  readonly transfer_id: string;
  readonly from_cell: string;
  readonly state: ArrivalRow['state'];
  readonly manifest: string;
  readonly manifest_hash: string;
  readonly chunk_count: number;
  readonly record_count: string;
  readonly digest: string;
  readonly entry_id: string;
  readonly leaf_hash: string;
  readonly end_entry_id: string | null;
  readonly end_leaf_hash: string | null;
  readonly created_at: Date;
  readonly updated_at: Date;
}

const toArrival = (row: Row): ArrivalRow => ({
  tenantId: row.tenant_id,
  transferId: row.transfer_id,
  from: row.from_cell,
  state: row.state,
  manifest: row.manifest,
  manifestHash: row.manifest_hash,
  chunkCount: row.chunk_count,
  recordCount: Number(row.record_count),
  digest: row.digest,
  entryId: row.entry_id,
  leafHash: row.leaf_hash,
  endEntryId: row.end_entry_id ?? undefined,
  endLeafHash: row.end_leaf_hash ?? undefined,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
});

export function findArrival(
  database: Database,
  { tenantId, transferId }: ArrivalPlace,
): Promise<ArrivalRow | undefined> {
  return database.withTenant(tenantId, async (tx) => {
    const { rows } = await tx.query<Row>('SELECT * FROM cell.arrivals WHERE transfer_id = $1', [
      transferId,
    ]);
    return rows[0] && toArrival(rows[0]);
  });
}

/** The row, held until the caller's transaction ends: chunks of one transfer come one after the other. */
export async function lockArrival(
  tx: PoolClient,
  { transferId }: Pick<ArrivalPlace, 'transferId'>,
): Promise<ArrivalRow | undefined> {
  const { rows } = await tx.query<Row>(
    'SELECT * FROM cell.arrivals WHERE transfer_id = $1 FOR UPDATE',
    [transferId],
  );
  return rows[0] && toArrival(rows[0]);
}

/** Newest first. */
export function listArrivals(
  database: Database,
  tenantId: TenantId,
  { count }: { readonly count: number },
): Promise<readonly ArrivalRow[]> {
  return database.withTenant(tenantId, async (tx) => {
    const { rows } = await tx.query<Row>(
      'SELECT * FROM cell.arrivals ORDER BY created_at DESC, transfer_id LIMIT $1',
      [count],
    );
    return rows.map(toArrival);
  });
}

/** False when the id is there already. */
export async function insertArrival(
  tx: PoolClient,
  row: Pick<
    ArrivalRow,
    | 'tenantId'
    | 'transferId'
    | 'from'
    | 'manifest'
    | 'manifestHash'
    | 'digest'
    | 'entryId'
    | 'leafHash'
  >,
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `INSERT INTO cell.arrivals (tenant_id, transfer_id, from_cell, state, manifest, manifest_hash,
       digest, entry_id, leaf_hash) VALUES ($1, $2, $3, 'open', $4, $5, $6, $7, $8)
     ON CONFLICT DO NOTHING`,
    [
      row.tenantId,
      row.transferId,
      row.from,
      row.manifest,
      row.manifestHash,
      row.digest,
      row.entryId,
      row.leafHash,
    ],
  );
  return rowCount === 1;
}

/** A chunk that was taken before. */
export async function findArrivalChunk(
  tx: PoolClient,
  { transferId, chunk }: Pick<ArrivalPlace, 'transferId'> & { readonly chunk: number },
): Promise<ArrivalChunkRow | undefined> {
  const { rows } = await tx.query<{
    readonly content_hash: string;
    readonly through: string;
    readonly record_count: number;
    readonly refused_count: number;
    readonly entry_id: string;
    readonly leaf_hash: string;
  }>('SELECT * FROM cell.arrival_chunks WHERE transfer_id = $1 AND chunk = $2', [
    transferId,
    chunk,
  ]);
  const [row] = rows;
  return (
    row && {
      chunk,
      contentHash: row.content_hash,
      through: row.through,
      recordCount: row.record_count,
      refusedCount: row.refused_count,
      entryId: row.entry_id,
      leafHash: row.leaf_hash,
    }
  );
}

/** Counts a chunk; the caller's transaction holds the arrival. */
export async function insertArrivalChunk(
  tx: PoolClient,
  { tenantId, transferId }: ArrivalPlace,
  row: ArrivalChunkRow & { readonly digest: string },
): Promise<void> {
  await tx.query(
    `INSERT INTO cell.arrival_chunks (tenant_id, transfer_id, chunk, content_hash, through,
       record_count, refused_count, entry_id, leaf_hash)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    [
      tenantId,
      transferId,
      row.chunk,
      row.contentHash,
      row.through,
      row.recordCount,
      row.refusedCount,
      row.entryId,
      row.leafHash,
    ],
  );
  await tx.query(
    `UPDATE cell.arrivals SET chunk_count = $2, record_count = record_count + $3, digest = $4,
            updated_at = now() WHERE transfer_id = $1`,
    [transferId, row.chunk, row.recordCount, row.digest],
  );
}

/** Nothing more comes of it. */
export async function endArrival(
  tx: PoolClient,
  { transferId }: Pick<ArrivalPlace, 'transferId'>,
  end: {
    readonly state: 'completed' | 'ended';
    readonly entryId: string;
    readonly leafHash: string;
  },
): Promise<void> {
  await tx.query(
    `UPDATE cell.arrivals SET state = $2, end_entry_id = $3, end_leaf_hash = $4, updated_at = now()
      WHERE transfer_id = $1`,
    [transferId, end.state, end.entryId, end.leafHash],
  );
}
