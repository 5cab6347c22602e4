// SPDX-License-Identifier: Apache-2.0
// Runs of retention in the database. Progress moves from exactly the place before, in the transaction of
// the batch: a run that is taken up twice does nothing twice.
import type { RetentionRun } from '@bailiwick/contracts';
import type { TenantId } from '@bailiwick/kernel';
import type { Database } from '@bailiwick/postgres';
import type { PoolClient } from 'pg';
import type { EntryDraft } from '../services.ts';

export type RetentionCounts = RetentionRun['counts'];

export const NO_COUNTS: RetentionCounts = {
  scanned: 0,
  deleted: 0,
  reduced: 0,
  held: 0,
  ordered: 0,
  unverified: 0,
  byCategory: {},
};

export interface RunPlace {
  readonly tenantId: TenantId;
  readonly runId: string;
}

export interface RunRow extends RunPlace {
  readonly state: 'accepted' | 'done';
  readonly isDry: boolean;
  readonly collectionId: string | undefined;
  readonly actor: EntryDraft['actor'];
  readonly cursor: readonly [string, string];
  readonly counts: RetentionCounts;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

interface Row {
  readonly tenant_id: TenantId;
  readonly run_id: string;
  readonly state: 'accepted' | 'done';
  readonly is_dry: boolean;
  readonly collection_id: string | null;
  readonly actor: NonNullable<EntryDraft['actor']> | null;
  readonly cursor_collection: string;
  readonly cursor_record: string;
  readonly counts: Partial<RetentionCounts>;
  readonly created_at: Date;
  readonly updated_at: Date;
}

function toRun(row: Row): RunRow {
  return {
    tenantId: row.tenant_id,
    runId: row.run_id,
    state: row.state,
    isDry: row.is_dry,
    collectionId: row.collection_id ?? undefined,
    actor: row.actor ?? undefined,
    cursor: [row.cursor_collection, row.cursor_record],
    counts: { ...NO_COUNTS, ...row.counts },
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

/** Writes a run and its job, in the caller's transaction. */
export async function insertRun(
  tx: PoolClient,
  run: Pick<RunRow, 'tenantId' | 'runId' | 'isDry' | 'collectionId' | 'actor'>,
): Promise<void> {
  const { tenantId, runId, isDry, collectionId, actor } = run;
  await tx.query(
    `INSERT INTO cell.retention_runs (tenant_id, run_id, state, is_dry, collection_id, actor)
     VALUES ($1, $2, 'accepted', $3, $4, $5)`,
    [
      tenantId,
      runId,
      isDry,
      collectionId ?? null,
      actor === undefined ? null : JSON.stringify(actor),
    ],
  );
}

export function findRun(database: Database, place: RunPlace): Promise<RunRow | undefined> {
  return database.withTenant(place.tenantId, async (tx) => {
    const { rows } = await tx.query<Row>(
      'SELECT * FROM cell.retention_runs WHERE tenant_id = $1 AND run_id = $2',
      [place.tenantId, place.runId],
    );
    return rows[0] && toRun(rows[0]);
  });
}

/** Newest first. */
export function listRuns(database: Database, tenantId: TenantId): Promise<readonly RunRow[]> {
  return database.withTenant(tenantId, async (tx) => {
    const { rows } = await tx.query<Row>(
      'SELECT * FROM cell.retention_runs WHERE tenant_id = $1 ORDER BY run_id DESC LIMIT 100',
      [tenantId],
    );
    return rows.map(toRun);
  });
}

/** Moves a run on; false when somebody else has. */
export async function moveRun(
  tx: PoolClient,
  run: RunRow,
  next: Pick<RunRow, 'cursor' | 'counts' | 'state'>,
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `UPDATE cell.retention_runs
        SET cursor_collection = $3, cursor_record = $4, counts = $5, state = $6, updated_at = now()
      WHERE tenant_id = $1 AND run_id = $2 AND state = 'accepted'
        AND cursor_collection = $7 AND cursor_record = $8`,
    [
      run.tenantId,
      run.runId,
      ...next.cursor,
      JSON.stringify(next.counts),
      next.state,
      ...run.cursor,
    ],
  );
  return rowCount === 1;
}
