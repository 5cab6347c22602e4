// SPDX-License-Identifier: Apache-2.0
// Restores a cell: into a new database from backups, or brings one up that was restored by other tools. All
// in one transaction of the database's owner, so that a restore that fails left nothing; the cell itself
// then asks its witnesses and serves, or does not.
import { type BackupManifest, findChain } from '@bailiwick/backups';
import type { CellConfig } from '@bailiwick/contracts';
import { type Clock, createUuidV7, type Random } from '@bailiwick/kernel';
import type { LogHead } from '@bailiwick/ledger';
import { readMigrations } from '@bailiwick/postgres';
import { Client } from 'pg';
import { applyFacts } from '../backups/facts-copy.ts';
import { listManifests } from '../backups/manifests.ts';
import type { BackupVault } from '../backups/sealed-object.ts';
import { CellError } from '../errors.ts';
import type { ForcedApproval } from './force.ts';
import { countWithheld, loadLedger } from './load-ledger.ts';
import { forceRowSecurity, liftRowSecurity, loadTables } from './load-tables.ts';
import { openEpoch } from './open-epoch.ts';
import { type ReplayOutcome, replayLedger } from './replay.ts';
import { findRestore } from './restore-store.ts';
import { applyRewraps } from './rewraps.ts';

export interface RestorePorts {
  readonly config: Pick<CellConfig, 'cell'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly vault: BackupVault;
  /** Signs in as the owner of the database. */
  readonly ownerUrl: string;
}

export interface RestoreRequest {
  /** RFC 3339 in UTC: the newest backup not after it; absent: the newest. */
  readonly at?: string;
  /**
   * The database was restored by PostgreSQL's own tools: nothing is loaded, what happened since is
   * replayed.
   */
  readonly isReplayOnly?: boolean;
  /**
   * Lets it serve without what witnesses cosigned: gives the approvals of two people for exactly this head,
   * or throws.
   */
  readonly force?: (head: LogHead) => ForcedApproval;
}

/** What a restore did. */
export interface RestoreReport extends ReplayOutcome {
  readonly restoreId: string;
  readonly backupId: string;
  readonly backupAt: string;
  readonly head: { readonly epoch: number; readonly size: number; readonly root: string };
  readonly replayedFrom: number;
  readonly withheldCount: number;
  readonly rowsCount: number;
}

/** @throws {CellError} `RESTORE_TARGET_INVALID`, `RESTORE_LIST_WITHHELD`; {BackupsError} */
export async function runRestore(
  ports: RestorePorts,
  request: RestoreRequest,
): Promise<RestoreReport> {
  const { config, vault, ownerUrl } = ports;
  const manifests = await listManifests(vault, config.cell);
  const client = new Client({ connectionString: ownerUrl, application_name: 'bailiwick-restore' });
  client.on('error', () => undefined); // a lost connection fails the next query
  await client.connect();
  try {
    await client.query('BEGIN');
    const report = await restoreIn(client, ports, { manifests, ...request });
    await client.query('COMMIT');
    await client.query('ANALYZE');
    return report;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  } finally {
    await client.end();
  }
}

type Work = RestoreRequest & { readonly manifests: readonly BackupManifest[] };

async function restoreIn(client: Client, ports: RestorePorts, work: Work): Promise<RestoreReport> {
  await assertOwner(client);
  await liftRowSecurity(client);
  const point =
    work.isReplayOnly === true
      ? await readPoint(client, work.manifests)
      : await load(client, ports, work);
  const rewraps = { sinceMs: Date.parse(point.backupAt) - REWRAP_MARGIN_MS };
  await applyRewraps({ client, vault: ports.vault }, rewraps);
  const head = await loadLedger(client, ports.vault);
  const withheldCount = await countWithheld(client, point.from, head);
  const forced = work.force?.(head);
  if (withheldCount !== 0 && forced === undefined) {
    throw new CellError(
      'RESTORE_LIST_WITHHELD',
      'entries since the backup are not there: an erasure may be among them',
      { details: { withheldCount } },
    );
  }
  await applyFacts({ client, vault: ports.vault }, point.facts);
  const outcome = await replayLedger(client, point.from);
  const restoreId = createUuidV7(ports);
  if (forced !== undefined) {
    const end = { head, restoreId, withheldCount, forced };
    await openEpoch(client, { ...ports, cellId: ports.config.cell }, end);
  }
  if (work.isReplayOnly !== true) await client.query('TRUNCATE cell.removed_records');
  await forceRowSecurity(client);
  await enter(client, { restoreId, point, head, outcome, forced });
  return {
    ...outcome,
    ...{ restoreId, backupId: point.backupId, backupAt: point.backupAt },
    head: { epoch: head.epoch, size: head.size, root: Buffer.from(head.root).toString('hex') },
    replayedFrom: point.from.index,
    withheldCount,
    rowsCount: point.rowsCount,
  };
}

/** Clocks of two processes, and erasures that were under way. */
const REWRAP_MARGIN_MS = 3_600_000;

/** The state that was loaded, and where in the ledger it stands. */
interface Point {
  readonly backupId: string;
  readonly backupAt: string;
  readonly from: { readonly epoch: number; readonly index: number };
  /** From where on what people and the law said is newer than in the database. */
  readonly facts: { readonly epoch: number; readonly index: number };
  readonly rowsCount: number;
}

async function load(client: Client, { vault }: RestorePorts, work: Work): Promise<Point> {
  const records = findChain(work.manifests, work.at === undefined ? {} : { at: work.at });
  const newest = findChain(work.manifests);
  const point = records.at(-1);
  if (point === undefined) throw new Error('assertion failed: a chain has an end');
  assertShape([point, ...newest]);
  await assertEmpty(client);
  await loadTables({ client, vault }, { records, newest });
  const rowsCount = records
    .flatMap(({ tables }) => tables)
    .reduce((sum, one) => sum + (one.table === 'cell.records' ? one.rowsCount : 0), 0);
  const { backupId, at, ledger } = point;
  const { ledger: known } = newest.at(-1) ?? point;
  return {
    ...{ backupId, backupAt: at, rowsCount },
    from: { epoch: ledger.epoch, index: ledger.size },
    facts: { epoch: known.epoch, index: known.size },
  };
}

/** Where a database that others restored stands: its own head says so, and is held against its leaves. */
async function readPoint(client: Client, manifests: readonly BackupManifest[]): Promise<Point> {
  const { rows } = await client.query<{ epoch: number; size: string }>(
    'SELECT epoch, size FROM ledger.heads ORDER BY epoch DESC LIMIT 1',
  );
  const [head] = rows;
  if (head === undefined) {
    throw new CellError('RESTORE_TARGET_INVALID', 'the database holds no ledger to go on from');
  }
  const { epoch } = head;
  const size = Number(head.size);
  // Its instant is not known: everything that was rewrapped since the oldest backup is done again.
  const [oldest] = manifests;
  return {
    backupId: 'other-tools',
    backupAt: oldest?.at ?? new Date(0).toISOString(),
    from: { epoch, index: size },
    facts: { epoch, index: size },
    rowsCount: 0,
  };
}

async function assertOwner(client: Client): Promise<void> {
  const { rows } = await client.query<{ is: boolean }>(
    `SELECT pg_has_role(current_user, nspowner, 'USAGE') AS is FROM pg_namespace WHERE nspname = 'cell'`,
  );
  if (rows[0]?.is !== true) {
    throw new CellError('RESTORE_TARGET_INVALID', 'expected a prepared database and its owner');
  }
}

/** The new database must know every table that the backups have. */
function assertShape(manifests: readonly BackupManifest[]): void {
  const known = new Map(readMigrations('cell').map(({ name, sha256 }) => [name, sha256]));
  for (const { migrations } of manifests) {
    for (const [name, sha256] of migrations) {
      if (known.get(name) === sha256) continue;
      throw new CellError(
        'RESTORE_TARGET_INVALID',
        `the backup was shaped by \`${name}\`, which this version does not have`,
      );
    }
  }
}

async function assertEmpty(client: Client): Promise<void> {
  const { rows } = await client.query<{ used: boolean }>(
    `SELECT EXISTS (SELECT FROM cell.tenants) OR EXISTS (SELECT FROM cell.records)
         OR EXISTS (SELECT FROM ledger.heads) OR EXISTS (SELECT FROM keys.customer_keys)
         OR EXISTS (SELECT FROM cell.restores) AS used`,
  );
  if (rows[0]?.used === false) return;
  throw new CellError('RESTORE_TARGET_INVALID', 'the database to restore into is not empty');
}

async function enter(
  client: Client,
  done: {
    readonly restoreId: string;
    readonly point: Point;
    readonly head: LogHead;
    readonly outcome: ReplayOutcome;
    readonly forced: ForcedApproval | undefined;
  },
): Promise<void> {
  const { restoreId, point, head, outcome, forced } = done;
  await client.query(
    `INSERT INTO cell.restores (restore_id, state, backup_id, backup_at, epoch, replay_from,
       replayed_to, root, outcome, forced, rebuild)
     VALUES ($1, 'loaded', $2, $3, $4, $5, $6, $7, $8, $9,
       ARRAY(SELECT DISTINCT tenant_id FROM cell.records WHERE blind = '{}'))`,
    [
      restoreId,
      point.backupId,
      point.backupAt,
      head.epoch,
      point.from.index,
      head.size,
      Buffer.from(head.root),
      JSON.stringify(outcome),
      forced === undefined ? null : JSON.stringify(forced),
    ],
  );
  const restore = await findRestore(client);
  if (restore?.restoreId !== restoreId) throw new Error('assertion failed: this is the newest');
}
