// SPDX-License-Identifier: Apache-2.0
// The chunks of a transfer in the database: entered before they are sent, counted once they were taken.
import type { SubjectId, TenantId } from '@bailiwick/kernel';
import type { Database } from '@bailiwick/postgres';
import type { PoolClient } from 'pg';
import type { PreparedEntry } from '../services.ts';
import type { SinkReceipt } from './sink.ts';
import type { TransferRow } from './transfer-store.ts';

type Place = Pick<TransferRow, 'tenantId' | 'transferId'>;

/** A chunk as it was entered. */
export interface EnteredChunk {
  readonly chunk: number;
  readonly contentHash: string;
  readonly entry: PreparedEntry;
  readonly recordCount: number;
  readonly withheldCount: number;
  readonly leftOutCount: number;
  readonly subjectIds: readonly SubjectId[];
}

/** A part of an export. */
export interface ExportPart {
  readonly name: string;
  readonly records: number;
  readonly sizeBytes: number;
  readonly sha256: string;
}

/** Writes what is about to be sent; false when the transfer does not run any more. */
export async function enterChunk(
  tx: PoolClient,
  { tenantId, transferId }: Place,
  entered: EnteredChunk,
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `SELECT 1 FROM cell.transfers WHERE transfer_id = $1 AND state = 'running'
        AND chunk_count = $2 - 1 FOR UPDATE`,
    [transferId, entered.chunk],
  );
  if (rowCount !== 1) return false;
  await tx.query(
    `INSERT INTO cell.transfer_chunks (tenant_id, transfer_id, chunk, content_hash, entry_id,
       record_count, withheld_count, left_out_count) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
    [
      tenantId,
      transferId,
      entered.chunk,
      entered.contentHash,
      entered.entry.entryId,
      entered.recordCount,
      entered.withheldCount,
      entered.leftOutCount,
    ],
  );
  await tx.query(
    `INSERT INTO cell.transfer_people (tenant_id, subject_id, transfer_id)
     SELECT $1, s, $2 FROM unnest($3::uuid[]) s ON CONFLICT DO NOTHING`,
    [tenantId, transferId, [...new Set(entered.subjectIds)]],
  );
  return true;
}

/** Counts a chunk that was taken; false when the transfer does not run any more, or it was counted. */
export async function countChunk(
  tx: PoolClient,
  { transferId }: Place,
  taken: { readonly chunk: number; readonly receipt: SinkReceipt; readonly digest: string },
): Promise<boolean> {
  const { chunk, receipt, digest } = taken;
  const { part } = receipt;
  const { rowCount } = await tx.query(
    `UPDATE cell.transfers t SET chunk_count = $2, through = $4, digest = $5,
            record_count = t.record_count + $6,
            withheld_count = t.withheld_count + c.withheld_count,
            left_out_count = t.left_out_count + c.left_out_count + $7, updated_at = now()
       FROM cell.transfer_chunks c
      WHERE t.transfer_id = $1 AND t.chunk_count = $2 - 1 AND t.state IN ('running', 'stopped')
        AND c.tenant_id = t.tenant_id AND c.transfer_id = $1 AND c.chunk = $2
        AND c.content_hash = $3`,
    [
      transferId,
      chunk,
      receipt.contentHash,
      receipt.through,
      digest,
      receipt.recordCount,
      receipt.refusedCount,
    ],
  );
  if (rowCount !== 1) return false;
  await tx.query(
    `UPDATE cell.transfer_chunks SET part = $4, size_bytes = $5, part_hash = $6
      WHERE transfer_id = $1 AND chunk = $2 AND content_hash = $3`,
    [
      transferId,
      chunk,
      receipt.contentHash,
      part?.name ?? 'taken',
      part?.sizeBytes ?? null,
      part?.sha256 ?? null,
    ],
  );
  return true;
}

/** True when this content was entered here for this chunk: nothing else may have been taken. */
export function isEntered(
  database: Database,
  { tenantId, transferId }: Place,
  { chunk, contentHash }: { readonly chunk: number; readonly contentHash: string },
): Promise<boolean> {
  return database.withTenant(tenantId, async (tx) => {
    const { rowCount } = await tx.query(
      'SELECT 1 FROM cell.transfer_chunks WHERE transfer_id = $1 AND chunk = $2 AND content_hash = $3',
      [transferId, chunk, contentHash],
    );
    return rowCount === 1;
  });
}

/** The parts that were written, in order. */
export function listParts(
  database: Database,
  { tenantId, transferId }: Place,
): Promise<readonly ExportPart[]> {
  return database.withTenant(tenantId, async (tx) => {
    const { rows } = await tx.query<{
      readonly part: string;
      readonly record_count: number;
      readonly size_bytes: string;
      readonly part_hash: string;
    }>(
      `SELECT part, record_count, size_bytes, part_hash FROM cell.transfer_chunks
        WHERE transfer_id = $1 AND part_hash IS NOT NULL ORDER BY chunk`,
      [transferId],
    );
    return rows.map((row) => ({
      name: row.part,
      records: row.record_count,
      sizeBytes: Number(row.size_bytes),
      sha256: row.part_hash,
    }));
  });
}

/** Transfers in which this person's data left: for what they may ask, and for an erasure. */
export function listTransfersOf(
  database: Database,
  { tenantId, subjectId }: { readonly tenantId: TenantId; readonly subjectId: SubjectId },
): Promise<readonly string[]> {
  return database.withTenant(tenantId, async (tx) => {
    const { rows } = await tx.query<{ readonly transfer_id: string }>(
      `SELECT transfer_id FROM cell.transfer_people WHERE tenant_id = $1 AND subject_id = $2
        ORDER BY transfer_id`,
      [tenantId, subjectId],
    );
    return rows.map((row) => row.transfer_id);
  });
}
