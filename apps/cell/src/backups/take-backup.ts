// SPDX-License-Identifier: Apache-2.0
// Takes one backup: all tables as one snapshot of the database shows them, each by COPY into an object of its
// own, sealed on the way; then the manifest, without which the objects are nothing; then all of it is read
// back. Nothing that is sealed is opened, and no key lies in any of it but as a wrap.
import {
  type BackedUpTable,
  type BackupKind,
  type BackupManifest,
  BackupsError,
  NO_OBJECT,
  newestOf,
  toManifestName,
} from '@bailiwick/backups';
import {
  type CellId,
  type Clock,
  createUuidV7,
  type Random,
  type TenantId,
  toInstant,
} from '@bailiwick/kernel';
import { copyOut, type Database } from '@bailiwick/postgres';
import type { ClientBase } from 'pg';
import { CHAIN_LENGTH_MAX, MS_PER_DAY, TRANSACTIONS_COUNT_MAX } from './limits.ts';
import { listManifests } from './manifests.ts';
import type { BackupVault } from './sealed-object.ts';
import { listTables, type TablePlan, toChangesFilter, toSelect } from './tables.ts';
import { verifyBackup } from './verify-backup.ts';

export interface BackupPorts {
  readonly cellId: CellId;
  readonly clock: Clock;
  readonly random: Random;
  /** Signs in as `bailiwick_backup`. */
  readonly database: Database;
  readonly vault: BackupVault;
}

export interface BackupRequest {
  /** What is wanted; where nothing can be continued, it becomes a full one. */
  readonly kind: BackupKind;
  readonly keepDays: number;
  /** Tenants whose data the charter does not let into this store. */
  readonly exceptTenants: readonly TenantId[];
  readonly configuration: unknown;
}

/** Where each stream's objects lie; the pieces of the ledger's continuous copy lie under `ledger/`. */
const OBJECT_PREFIXES = { records: 'records', wraps: 'wraps', ledger: 'log' } as const;

interface Snapshot {
  readonly name: string;
  readonly ledger: BackupManifest['ledger'];
  readonly migrations: BackupManifest['migrations'];
  readonly sequences: BackupManifest['sequences'];
  readonly tables: readonly TablePlan[];
  /** When this database was restored, if it was. */
  readonly restoredAt: string | undefined;
}

/** Takes and verifies a backup. @throws {BackupsError} */
export async function takeBackup(
  ports: BackupPorts,
  request: BackupRequest,
): Promise<BackupManifest> {
  const { cellId, clock, database, vault } = ports;
  const manifests = await listManifests(vault, cellId);
  const backupId = createUuidV7(ports);
  const atMs = clock.nowMs();
  const retainUntilMs = atMs + request.keepDays * MS_PER_DAY;
  const client = await database.pool.connect();
  let isBroken = true;
  let manifest: BackupManifest;
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    const snapshot = await readSnapshot(client);
    const parent = request.kind === 'full' ? undefined : findParent(manifests, snapshot);
    const tables = await copyTables(
      { client, vault },
      { backupId, retainUntilMs, snapshot, parent, exceptTenants: request.exceptTenants },
    );
    await client.query('COMMIT');
    isBroken = false;
    manifest = {
      v: 1,
      cell: cellId,
      backupId,
      kind: parent === undefined ? 'full' : 'incremental',
      ...(parent === undefined ? {} : { parent: parent.backupId }),
      at: toInstant(atMs),
      finishedAt: toInstant(clock.nowMs()),
      retainUntil: toInstant(retainUntilMs),
      snapshot: snapshot.name,
      ledger: snapshot.ledger,
      migrations: snapshot.migrations,
      sequences: snapshot.sequences,
      tables,
      configuration: request.configuration,
    };
  } finally {
    client.release(isBroken);
  }
  await vault.put(toManifestName(backupId), [Buffer.from(JSON.stringify(manifest))], {
    retainUntilMs,
  });
  await verifyBackup(vault, manifest);
  await forgetRemoved(database, snapshotOf(manifest));
  return manifest;
}

const snapshotOf = ({ snapshot }: BackupManifest): string => snapshot;

async function readSnapshot(client: ClientBase): Promise<Snapshot> {
  const { rows } = await client.query<{ name: string; epoch: number | null; size: string | null }>(
    `SELECT pg_current_snapshot()::text AS name, h.epoch, h.size
       FROM (SELECT 1) one LEFT JOIN LATERAL
            (SELECT epoch, size FROM ledger.heads ORDER BY epoch DESC LIMIT 1) h ON true`,
  );
  const [row] = rows;
  if (row === undefined) throw new Error('assertion failed: a snapshot has a name');
  const migrations = await client.query<{ name: string; sha256: string }>(
    'SELECT name, sha256 FROM bailiwick.migrations ORDER BY name',
  );
  const sequences = await client.query<{ name: string; value: string | null }>(
    `SELECT schemaname || '.' || sequencename AS name, last_value AS value FROM pg_sequences
      WHERE schemaname IN ('cell', 'keys', 'ledger') ORDER BY 1`,
  );
  return {
    name: row.name,
    ledger: { epoch: row.epoch ?? 1, size: Number(row.size ?? 0) },
    migrations: migrations.rows.map(({ name, sha256 }) => [name, sha256] as const),
    sequences: sequences.rows.map(({ name, value }) => [name, value ?? '0'] as const),
    tables: await listTables(client),
    restoredAt: await readRestoredAt(client),
  };
}

async function readRestoredAt(client: ClientBase): Promise<string | undefined> {
  const { rows } = await client.query<{ at: Date | null }>(
    'SELECT max(started_at) AS at FROM cell.restores',
  );
  return rows[0]?.at?.toISOString();
}

/** The backup to continue; none when a new chain must begin. */
function findParent(
  manifests: readonly BackupManifest[],
  snapshot: Snapshot,
): BackupManifest | undefined {
  const newest = newestOf(manifests);
  if (newest === undefined) return undefined;
  // What was written since a backup of another database cannot be told.
  if (snapshot.restoredAt !== undefined && snapshot.restoredAt > newest.at) return undefined;
  const isSameShape = JSON.stringify(newest.migrations) === JSON.stringify(snapshot.migrations);
  const toOldest = (name: string): bigint => BigInt(name.split(':')[0] ?? '0');
  const passed = toOldest(snapshot.name) - toOldest(newest.snapshot);
  // A database that was replaced counts its transactions from elsewhere.
  if (!isSameShape || passed < 0n || passed > TRANSACTIONS_COUNT_MAX) return undefined;
  if (newest.ledger.epoch !== snapshot.ledger.epoch) return undefined;
  if (newest.ledger.size > snapshot.ledger.size) return undefined;
  const full = manifests.findLastIndex(({ kind }) => kind === 'full');
  return manifests.length - full > CHAIN_LENGTH_MAX ? undefined : newest;
}

/** What is copied and by which query. */
interface CopyPlan {
  readonly table: string;
  readonly columns: readonly string[];
  readonly scope: BackedUpTable['scope'];
  readonly stream: TablePlan['stream'];
  readonly select: string;
}

interface CopyOptions {
  readonly backupId: string;
  readonly retainUntilMs: number;
  readonly snapshot: Snapshot;
  readonly parent: BackupManifest | undefined;
  readonly exceptTenants: readonly TenantId[];
}

function toPlans({ snapshot, parent, exceptTenants }: CopyOptions): readonly CopyPlan[] {
  const plans: CopyPlan[] = [];
  for (const plan of snapshot.tables) {
    const since = parent !== undefined && plan.isByChanges ? parent.snapshot : undefined;
    const isOfLedger = plan.stream === 'ledger' && parent !== undefined;
    // Between two full backups the ledger's own copy has its entries; here are those without a position.
    if (isOfLedger && !['ledger.inbox', 'ledger.entries'].includes(plan.table)) continue;
    const all = toSelect(plan, { exceptTenants, ...(since === undefined ? {} : { since }) });
    const isWaiting = isOfLedger && plan.table === 'ledger.entries';
    plans.push({
      table: plan.table,
      columns: plan.columns,
      stream: plan.stream,
      scope: since === undefined && !isWaiting ? 'all' : 'changes',
      select: isWaiting
        ? `${all}${all.includes(' WHERE ') ? ' AND' : ' WHERE'} batch_id IN (SELECT batch_id FROM ledger.inbox)`
        : all,
    });
  }
  if (parent !== undefined) plans.push(toRemovedPlan(parent.snapshot));
  return plans;
}

/** Records that are gone since the backup before and did not come back. */
function toRemovedPlan(since: string): CopyPlan {
  return {
    table: 'cell.removed_records',
    columns: ['tenant_id', 'collection_id', 'record_id'],
    stream: 'records',
    scope: 'changes',
    select: `SELECT DISTINCT g.tenant_id, g.collection_id, g.record_id
       FROM (SELECT * FROM cell.removed_records WHERE ${toChangesFilter(since)}) g
      WHERE NOT EXISTS (SELECT FROM cell.records r WHERE r.tenant_id = g.tenant_id
        AND r.collection_id = g.collection_id AND r.record_id = g.record_id)`,
  };
}

async function copyTables(
  { client, vault }: { readonly client: ClientBase; readonly vault: BackupVault },
  options: CopyOptions,
): Promise<readonly BackedUpTable[]> {
  const { backupId, retainUntilMs } = options;
  const tables: BackedUpTable[] = [];
  for (const { table, columns, scope, stream, select } of toPlans(options)) {
    // Most tables of a small cell are empty: an object for nothing costs as many syncs as one for something.
    if (scope === 'all' && (await isEmpty(client, select))) {
      tables.push({ table, columns, scope, rowsCount: 0, ...NO_OBJECT });
      continue;
    }
    const source = copyOut(client, `COPY (${select}) TO STDOUT (FORMAT binary)`);
    const object = `${OBJECT_PREFIXES[stream]}/${backupId}/${table}`;
    const { sizeBytes, sha256 } = await vault.put(object, source, { retainUntilMs });
    tables.push({ table, columns, scope, rowsCount: source.rowsCount, object, sizeBytes, sha256 });
  }
  return tables;
}

async function isEmpty(client: ClientBase, select: string): Promise<boolean> {
  const { rows } = await client.query<{ some: boolean }>(`SELECT EXISTS (${select}) AS some`);
  return rows[0]?.some === false;
}

/** What this backup has told of, no later one needs to. */
async function forgetRemoved({ pool }: Database, snapshot: string): Promise<void> {
  await pool.query(`DELETE FROM cell.removed_records WHERE NOT ${toChangesFilter(snapshot)}`);
}

/** @throws {BackupsError} `BACKUPS_POINT_MISSING` */
export function requireManifest(
  manifests: readonly BackupManifest[],
  backupId: string,
): BackupManifest {
  const found = manifests.find((one) => one.backupId === backupId);
  if (found !== undefined) return found;
  throw new BackupsError('BACKUPS_POINT_MISSING', 'there is no such backup');
}
