// SPDX-License-Identifier: Apache-2.0
// Brings a database to the shape that this version expects: files in the order of their names, each in a
// transaction of its own, each recorded with its hash. A file that changed after it was applied stops
// everything: a database of unknown shape must not serve.
import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Client } from 'pg';
import { PostgresError } from './errors.ts';
import { grantBackups } from './grant-backups.ts';
import { BACKUP_ROLE, CELL_ROLE, CONTROL_ROLE, ensureRole, KEYS_ROLE } from './role.ts';

const MIGRATIONS_FOLDER = path.resolve(import.meta.dirname, '../migrations');
const FILE_NAME = /^\d{3}-[a-z0-9-]+\.sql$/;
/** One number for all who prepare a database: only one does so at a time. */
const ADVISORY_LOCK = 0x6261_696c;
const VERSION_MIN = 150_000;
const VERSION_MAX = 190_000;

export interface Migration {
  readonly name: string;
  readonly sql: string;
  readonly sha256: string;
}

/** The migrations of a database kind, in order. */
export function readMigrations(kind: 'cell' | 'control'): readonly Migration[] {
  const folder = path.join(MIGRATIONS_FOLDER, kind);
  return readdirSync(folder)
    .filter((name) => FILE_NAME.test(name))
    .sort()
    .map((name) => {
      const sql = readFileSync(path.join(folder, name), 'utf8');
      return { name, sql, sha256: createHash('sha256').update(sql).digest('hex') };
    });
}

async function connect(url: string): Promise<Client> {
  if (!URL.canParse(url) || !/^postgres(ql)?:$/.test(new URL(url).protocol)) {
    throw new PostgresError('POSTGRES_URL_INVALID', 'expected a postgres:// url');
  }
  const client = new Client({ connectionString: url, application_name: 'bailiwick-prepare' });
  client.on('error', () => undefined); // a lost connection fails the next query
  try {
    await client.connect();
  } catch (error) {
    throw new PostgresError('POSTGRES_UNREACHABLE', 'the database server could not be reached', {
      cause: error,
    });
  }
  return client;
}

async function checkVersion(client: Client): Promise<void> {
  const { rows } = await client.query<{ version: number }>(
    `SELECT current_setting('server_version_num')::int AS version`,
  );
  const version = rows[0]?.version ?? 0;
  if (version >= VERSION_MIN && version < VERSION_MAX) return;
  throw new PostgresError(
    'POSTGRES_VERSION_UNSUPPORTED',
    `the server is PostgreSQL ${Math.floor(version / 10_000)}: expected 15 to 18`,
  );
}

async function applyOne(client: Client, migration: Migration): Promise<void> {
  const { name, sql, sha256 } = migration;
  try {
    await client.query('BEGIN');
    await client.query(sql);
    await client.query('INSERT INTO bailiwick.migrations (name, sha256) VALUES ($1, $2)', [
      name,
      sha256,
    ]);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK');
    throw new PostgresError('POSTGRES_MIGRATION_FAILED', `the migration \`${name}\` failed`, {
      cause: error,
    });
  }
}

async function migrate(client: Client, migrations: readonly Migration[]): Promise<void> {
  await client.query('CREATE SCHEMA IF NOT EXISTS bailiwick');
  await client.query(
    `CREATE TABLE IF NOT EXISTS bailiwick.migrations (
       name text PRIMARY KEY,
       sha256 text NOT NULL,
       applied_at timestamptz NOT NULL DEFAULT now()
     )`,
  );
  const { rows } = await client.query<{ name: string; sha256: string }>(
    'SELECT name, sha256 FROM bailiwick.migrations',
  );
  const applied = new Map(rows.map((row) => [row.name, row.sha256]));
  for (const migration of migrations) {
    const hash = applied.get(migration.name);
    applied.delete(migration.name);
    if (hash === migration.sha256) continue;
    if (hash !== undefined) {
      throw new PostgresError(
        'POSTGRES_MIGRATION_CHANGED',
        `the migration \`${migration.name}\` is not what was applied to this database`,
      );
    }
    await applyOne(client, migration);
  }
  const [unknown] = applied.keys();
  if (unknown !== undefined) {
    throw new PostgresError(
      'POSTGRES_MIGRATION_CHANGED',
      `the database has the migration \`${unknown}\`, which this version does not know`,
    );
  }
}

async function prepare(options: {
  readonly url: string;
  readonly kind: 'cell' | 'control';
  readonly roles: readonly { readonly role: string; readonly password: string }[];
}): Promise<void> {
  const client = await connect(options.url);
  try {
    await checkVersion(client);
    await client.query('SELECT pg_advisory_lock($1)', [ADVISORY_LOCK]);
    for (const role of options.roles) await ensureRole(client, role);
    const { rows } = await client.query<{ name: string }>('SELECT current_database() AS name');
    const database = client.escapeIdentifier(rows[0]?.name ?? '');
    await client.query(`REVOKE ALL ON DATABASE ${database} FROM PUBLIC`);
    for (const { role } of options.roles) {
      await client.query(`GRANT CONNECT, TEMPORARY ON DATABASE ${database} TO ${role}`);
    }
    await migrate(client, readMigrations(options.kind));
    if (options.kind === 'cell') await grantBackups(client);
  } finally {
    await client.end();
  }
}

/**
 * Makes a cell's roles and brings its database to this version's shape. `ownerUrl` signs in as the owner
 * of the database, who may create roles. Safe to call at each start and from several processes.
 *
 * @throws {PostgresError}
 */
export async function prepareCellDatabase(options: {
  readonly ownerUrl: string;
  readonly cellPassword: string;
  readonly keysPassword: string;
  /** Absent: nobody can sign in to take backups. */
  readonly backupPassword?: string;
}): Promise<void> {
  const { backupPassword = randomBytes(32).toString('base64url') } = options;
  await prepare({
    url: options.ownerUrl,
    kind: 'cell',
    roles: [
      { role: CELL_ROLE, password: options.cellPassword },
      { role: KEYS_ROLE, password: options.keysPassword },
      { role: BACKUP_ROLE, password: backupPassword },
    ],
  });
}

/** As `prepareCellDatabase`, for the control plane's database. @throws {PostgresError} */
export async function prepareControlDatabase(options: {
  readonly ownerUrl: string;
  readonly controlPassword: string;
}): Promise<void> {
  await prepare({
    url: options.ownerUrl,
    kind: 'control',
    roles: [{ role: CONTROL_ROLE, password: options.controlPassword }],
  });
}

/** The same server and database, signed in as another role. */
export function toRoleUrl(
  ownerUrl: string,
  options: { readonly role: string; readonly password: string },
): string {
  const url = new URL(ownerUrl);
  url.username = options.role;
  url.password = encodeURIComponent(options.password);
  return url.href;
}
