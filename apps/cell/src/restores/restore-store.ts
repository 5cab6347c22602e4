// SPDX-License-Identifier: Apache-2.0
// What a database says of the restore that it came from.
import type { Database } from '@bailiwick/postgres';
import type { ClientBase, Pool } from 'pg';

export type RestoreState = 'loading' | 'replaying' | 'loaded' | 'served';

/** A restore as it stands in the restored database. */
export interface Restore {
  readonly restoreId: string;
  readonly state: RestoreState;
  readonly backupId: string;
  readonly backupAt: string;
  readonly epoch: number;
  readonly replayFrom: number;
  readonly replayedTo: number;
  readonly outcome: Readonly<Record<string, number>>;
  readonly isForced: boolean;
  /** Tenants whose index values are still to be rebuilt. */
  readonly rebuild: readonly string[];
}

interface Row {
  readonly restore_id: string;
  readonly state: RestoreState;
  readonly backup_id: string;
  readonly backup_at: Date;
  readonly epoch: number;
  readonly replay_from: string;
  readonly replayed_to: string;
  readonly outcome: Readonly<Record<string, number>>;
  readonly forced: unknown;
  readonly rebuild: readonly string[];
}

/** The newest restore of a database, if it came from one. */
export async function findRestore(
  runner: Pick<ClientBase | Pool, 'query'>,
): Promise<Restore | undefined> {
  const { rows } = await runner.query<Row>(
    'SELECT * FROM cell.restores ORDER BY started_at DESC, restore_id DESC LIMIT 1',
  );
  const [row] = rows;
  if (row === undefined) return undefined;
  return {
    restoreId: row.restore_id,
    state: row.state,
    backupId: row.backup_id,
    backupAt: row.backup_at.toISOString(),
    epoch: row.epoch,
    replayFrom: Number(row.replay_from),
    replayedTo: Number(row.replayed_to),
    outcome: row.outcome,
    isForced: row.forced !== null,
    rebuild: row.rebuild,
  };
}

/** From now on the cell serves over it. */
export async function markServed({ pool }: Database, restoreId: string): Promise<void> {
  await pool.query(
    `UPDATE cell.restores SET state = 'served', served_at = now() WHERE restore_id = $1`,
    [restoreId],
  );
}

/** A tenant's index values are there again. */
export async function markRebuilt(
  { pool }: Database,
  done: { readonly restoreId: string; readonly tenantId: string },
): Promise<void> {
  await pool.query(
    'UPDATE cell.restores SET rebuild = array_remove(rebuild, $2::uuid) WHERE restore_id = $1',
    [done.restoreId, done.tenantId],
  );
}
