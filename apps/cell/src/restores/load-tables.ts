// SPDX-License-Identifier: Apache-2.0
// Fills an empty database from a chain of backups. Everything happens in the caller's one transaction.
import {
  type BackedUpTable,
  type BackupManifest,
  BackupsError,
  hasObject,
} from '@bailiwick/backups';
import { copyIn } from '@bailiwick/postgres';
import type { ClientBase } from 'pg';
import type { BackupVault } from '../backups/sealed-object.ts';
import { listTargets, type TargetTable, toColumnList } from './owner-tables.ts';

export interface LoadPorts {
  /** Signs in as the owner of the database. */
  readonly client: ClientBase;
  readonly vault: BackupVault;
}

/** Which backups give what: records of the point asked for, wraps and everything that must not be old of the newest. */
export interface LoadPlan {
  readonly records: readonly BackupManifest[];
  readonly newest: readonly BackupManifest[];
}

/** Gone records, as an incremental backup tells them. */
const REMOVED = 'cell.removed_records';
/**
 * Only records are of the instant asked for. Keys, ledger, and what a person or the law decided are never older
 * than they can be: a restore to Monday must not bring back Monday's consents, holds or accounts.
 */
const OF_THE_POINT = 'cell.records';

/** Loads all tables. */
export async function loadTables(ports: LoadPorts, plan: LoadPlan): Promise<void> {
  const { client } = ports;
  for (const target of await listTargets(client)) {
    await loadTable(ports, target, target.name === OF_THE_POINT ? plan.records : plan.newest);
  }
  await removeGone(ports, plan.records);
  await setSequences(client, plan.newest);
}

/** Lets the owner write; only within the transaction that `forceRowSecurity` ends. */
export async function liftRowSecurity(client: ClientBase): Promise<void> {
  for (const { name, isForced } of await listTargets(client)) {
    if (isForced) await client.query(`ALTER TABLE ${name} NO FORCE ROW LEVEL SECURITY`);
  }
}

/** Puts the guard back. */
export async function forceRowSecurity(client: ClientBase): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT n.nspname || '.' || c.relname AS name FROM pg_class c
       JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname IN ('cell', 'keys', 'ledger') AND c.relkind IN ('r', 'p')
        AND c.relrowsecurity AND NOT c.relforcerowsecurity`,
  );
  for (const { name } of rows) await client.query(`ALTER TABLE ${name} FORCE ROW LEVEL SECURITY`);
}

function findTable(manifest: BackupManifest, name: string): BackedUpTable | undefined {
  return manifest.tables.find(({ table }) => table === name);
}

async function loadTable(
  ports: LoadPorts,
  target: TargetTable,
  chain: readonly BackupManifest[],
): Promise<void> {
  if (target.name === REMOVED || target.name === 'cell.restores') return;
  const [full, ...later] = chain;
  if (full === undefined) throw new Error('assertion failed: a chain has a beginning');
  const last = findTable(chain.at(-1) ?? full, target.name);
  if (target.name === 'ledger.inbox' || last?.scope === 'all') {
    // Taken whole each time: the last one is the whole of it.
    if (last !== undefined) await copyTable(ports, target.name, last);
    return;
  }
  const first = findTable(full, target.name);
  if (first === undefined) return;
  const changes = later.flatMap((manifest) => findTable(manifest, target.name) ?? []);
  if (target.needs.length === 0) {
    await copyTable(ports, target.name, first);
    for (const change of changes) await mergeTable(ports, target, change);
    return;
  }
  await loadThroughStaging(ports, target, [first, ...changes]);
}

async function copyTable(
  { client, vault }: LoadPorts,
  into: string,
  backedUp: BackedUpTable,
): Promise<void> {
  if (!hasObject(backedUp)) return;
  const { table, columns, object, rowsCount } = backedUp;
  const statement = `COPY ${into} (${toColumnList(columns)}) FROM STDIN (FORMAT binary)`;
  const count = await copyIn(client, statement, vault.read(object));
  if (count === rowsCount) return;
  throw new BackupsError(
    'BACKUPS_OBJECT_DAMAGED',
    'another number of rows than the manifest says',
    {
      details: { table, expected: rowsCount, found: count },
    },
  );
}

async function stage(ports: LoadPorts, name: string, change: BackedUpTable): Promise<string> {
  const staging = `pg_temp.restored_${name.replace('.', '_')}`;
  await ports.client.query(`DROP TABLE IF EXISTS ${staging}`);
  await ports.client.query(
    `CREATE TEMPORARY TABLE ${staging.slice('pg_temp.'.length)} AS
       SELECT ${toColumnList(change.columns)} FROM ${name} LIMIT 0`,
  );
  await copyTable(ports, staging, change);
  return staging;
}

function toMerge({ key }: TargetTable, columns: readonly string[]): string {
  const others = columns.filter((name) => !key.includes(name));
  const set = others.map((name) => `"${name}" = excluded."${name}"`).join(', ');
  const action = set === '' ? 'NOTHING' : `UPDATE SET ${set}`;
  return `ON CONFLICT (${toColumnList(key)}) DO ${action}`;
}

/** Rows written since take the place of those that are there. */
async function mergeTable(
  ports: LoadPorts,
  target: TargetTable,
  change: BackedUpTable,
): Promise<void> {
  if (change.rowsCount === 0) return;
  const staging = await stage(ports, target.name, change);
  const list = toColumnList(change.columns);
  await ports.client.query(
    `INSERT INTO ${target.name} (${list}) SELECT ${list} FROM ${staging}
     ${toMerge(target, change.columns)}`,
  );
}

/** The chain becomes one state first: an older row may refer to what is no longer there. */
async function loadThroughStaging(
  ports: LoadPorts,
  target: TargetTable,
  parts: readonly BackedUpTable[],
): Promise<void> {
  const { client } = ports;
  const columns = parts.at(-1)?.columns ?? [];
  const list = toColumnList(columns);
  const whole = `restored_whole_${target.name.replace('.', '_')}`;
  await client.query(
    `CREATE TEMPORARY TABLE ${whole} ON COMMIT DROP AS SELECT ${list} FROM ${target.name} LIMIT 0`,
  );
  await client.query(`ALTER TABLE ${whole} ADD PRIMARY KEY (${toColumnList(target.key)})`);
  for (const part of parts) {
    const staging = await stage(ports, target.name, part);
    await client.query(
      `INSERT INTO ${whole} (${list}) SELECT ${list} FROM ${staging}
       ${toMerge(target, columns)}`,
    );
  }
  await client.query(`INSERT INTO ${target.name} (${list}) SELECT ${list} FROM ${whole}`);
  await client.query(`DROP TABLE ${whole}`);
}

/** Records that were there in the full backup and were gone later; the last word of the chain counts. */
async function removeGone(ports: LoadPorts, chain: readonly BackupManifest[]): Promise<void> {
  for (const [index, manifest] of chain.entries()) {
    const gone = findTable(manifest, REMOVED);
    if (gone === undefined || gone.rowsCount === 0) continue;
    const staging = await stage(ports, REMOVED, gone);
    const later = chain.slice(index + 1).flatMap((one) => findTable(one, 'cell.records') ?? []);
    // Written again by a later link of the chain: then it is there.
    for (const change of later) {
      const again = await stage(ports, 'cell.records', change);
      await ports.client.query(
        `DELETE FROM ${staging} g USING ${again} r
          WHERE (g.tenant_id, g.collection_id, g.record_id)
              = (r.tenant_id, r.collection_id, r.record_id)`,
      );
    }
    await ports.client.query(
      `DELETE FROM cell.records r USING ${staging} g
        WHERE (r.tenant_id, r.collection_id, r.record_id)
            = (g.tenant_id, g.collection_id, g.record_id)`,
    );
  }
}

/** Numbers go on behind the last one that was given, with room for those given since. */
async function setSequences(client: ClientBase, chain: readonly BackupManifest[]): Promise<void> {
  const SKIP = 1_000_000n;
  for (const [name, last] of chain.at(-1)?.sequences ?? []) {
    if (!/^[a-z_]+\.[a-z_0-9]+$/.test(name)) continue;
    await client.query('SELECT setval($1::regclass, $2)', [name, String(BigInt(last) + SKIP)]);
  }
}
