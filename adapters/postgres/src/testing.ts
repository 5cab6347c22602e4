// SPDX-License-Identifier: Apache-2.0
// Real databases for tests: one embedded server per test process, one fresh database per call, cloned from
// a prepared template. `BAILIWICK_TEST_POSTGRES_URL` (a superuser's) runs the same tests on another server.
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Client } from 'pg';
import { type Database, openDatabase } from './database.ts';
import { type EmbeddedServer, startEmbeddedServer } from './embedded-server.ts';
import { prepareCellDatabase, prepareControlDatabase, toRoleUrl } from './migrate.ts';
import { BACKUP_ROLE, CELL_ROLE, CONTROL_ROLE, KEYS_ROLE } from './role.ts';

/** Passwords of the roles in test databases; the server listens on loopback and is gone after the test. */
const TEST_PASSWORD = 'test-password-0123456789';

type Kind = 'cell' | 'control' | 'empty';

/** A database of one test file. */
export interface TestDatabase {
  /** Superuser: sees every row; for putting things back and forging. */
  readonly ownerUrl: string;
  /** `bailiwick_cell` (or `bailiwick_control`): bound by row security. */
  readonly url: string;
  readonly keysUrl: string;
  /** `bailiwick_backup`: reads everything, writes nothing. */
  readonly backupUrl: string;
  /** Opens a pool as the cell (or control) role; closed by `close`. */
  open(poolSize?: number): Database;
  /** Runs one statement as the superuser, outside row security. */
  asOwner<Row extends Record<string, unknown> = Record<string, unknown>>(
    sql: string,
    values?: readonly unknown[],
  ): Promise<Row[]>;
  /** Drops the database; the server ends with the last one of the process. */
  close(): Promise<void>;
}

interface Shared {
  readonly url: string;
  stop(): Promise<void>;
  readonly templates: Map<Kind, Promise<string>>;
}

let shared: Promise<Shared> | undefined;
let users = 0;

async function startShared(): Promise<Shared> {
  const outside = process.env['BAILIWICK_TEST_POSTGRES_URL'];
  if (outside) return { url: outside, stop: async () => undefined, templates: new Map() };
  const directory = mkdtempSync(path.join(tmpdir(), 'bailiwick-postgres-'));
  chmodSync(directory, 0o711); // the server's account passes through
  let server: EmbeddedServer;
  try {
    server = await startEmbeddedServer({ directory: path.join(directory, 'server') });
  } catch (error) {
    rmSync(directory, { recursive: true, force: true });
    throw error;
  }
  return {
    url: server.url,
    templates: new Map(),
    async stop() {
      await server.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function run(url: string, ...statements: readonly string[]): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}

function withName(url: string, name: string): string {
  const target = new URL(url);
  target.pathname = `/${name}`;
  return target.href;
}

async function makeTemplate(url: string, kind: Kind): Promise<string> {
  const name = `bw_template_${kind}_${randomBytes(6).toString('hex')}`;
  await run(url, `CREATE DATABASE ${name}`);
  const ownerUrl = withName(url, name);
  if (kind === 'cell') {
    const passwords = { cellPassword: TEST_PASSWORD, keysPassword: TEST_PASSWORD };
    await prepareCellDatabase({ ownerUrl, ...passwords, backupPassword: TEST_PASSWORD });
  } else if (kind === 'control') {
    await prepareControlDatabase({ ownerUrl, controlPassword: TEST_PASSWORD });
  }
  return name;
}

function ensureTemplate(server: Shared, kind: Kind): Promise<string> {
  const existing = server.templates.get(kind);
  if (existing) return existing;
  const made = makeTemplate(server.url, kind);
  server.templates.set(kind, made);
  return made;
}

async function leave(server: Shared): Promise<void> {
  users -= 1;
  if (users > 0) return;
  shared = undefined;
  for (const template of server.templates.values()) {
    await run(server.url, `DROP DATABASE IF EXISTS ${await template}`);
  }
  await server.stop();
}

/**
 * A fresh database: `cell` (default) and `control` have their roles and migrations, `empty` has nothing.
 * Call in `beforeAll`, `close()` in `afterAll`.
 */
export async function withTestDatabase(options: { kind?: Kind } = {}): Promise<TestDatabase> {
  const kind = options.kind ?? 'cell';
  users += 1;
  shared ??= startShared();
  const server = await shared;
  const name = `bw_test_${randomBytes(6).toString('hex')}`;
  await run(server.url, `CREATE DATABASE ${name} TEMPLATE ${await ensureTemplate(server, kind)}`);
  const ownerUrl = withName(server.url, name);
  const roles = kind === 'control' ? [CONTROL_ROLE] : [CELL_ROLE, KEYS_ROLE, BACKUP_ROLE];
  if (kind !== 'empty') {
    await run(
      server.url,
      `REVOKE ALL ON DATABASE ${name} FROM PUBLIC`,
      `GRANT CONNECT, TEMPORARY ON DATABASE ${name} TO ${roles.join(', ')}`,
    );
  }
  const url = toRoleUrl(ownerUrl, { role: roles[0] ?? CELL_ROLE, password: TEST_PASSWORD });
  const opened: Database[] = [];
  return {
    ownerUrl,
    url,
    keysUrl: toRoleUrl(ownerUrl, { role: KEYS_ROLE, password: TEST_PASSWORD }),
    backupUrl: toRoleUrl(ownerUrl, { role: BACKUP_ROLE, password: TEST_PASSWORD }),
    open(poolSize = 4) {
      const database = openDatabase({ url, poolSize, applicationName: 'bailiwick-test' });
      opened.push(database);
      return database;
    },
    async asOwner<Row extends Record<string, unknown>>(sql: string, values?: readonly unknown[]) {
      const client = new Client({ connectionString: ownerUrl });
      await client.connect();
      try {
        return (await client.query<Row>(sql, values ? [...values] : undefined)).rows;
      } finally {
        await client.end();
      }
    },
    async close() {
      for (const database of opened) {
        if (!database.pool.ended) await database.close();
      }
      await run(server.url, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
      await leave(server);
    },
  };
}
