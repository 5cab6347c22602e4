// SPDX-License-Identifier: Apache-2.0
// Goal: the embedded server starts again after whatever happened to it, refuses what it cannot serve with
// one clear code, leaves no process behind and no value in its log.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { isCoded } from '@bailiwick/kernel';
import { Client } from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type EmbeddedServer, findFreePort, startEmbeddedServer } from './embedded-server.ts';

let root: string;
let directory: string;
const running: EmbeddedServer[] = [];

beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'bailiwick-embedded-'));
  chmodSync(root, 0o711);
  directory = path.join(root, 'server');
});

afterEach(async () => {
  for (const server of running.splice(0)) await server.stop();
  rmSync(root, { recursive: true, force: true });
});

async function start(port?: number): Promise<EmbeddedServer> {
  const server = await startEmbeddedServer({ directory, ...(port === undefined ? {} : { port }) });
  running.push(server);
  return server;
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'started';
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error);
  }
}

async function query(url: string, sql: string, values?: unknown[]): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql, values)).rows;
  } finally {
    await client.end();
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
}

/** Another process that starts a server in the directory and then waits for its end. */
async function startElsewhere(): Promise<{
  pid: number;
  serverPid: number;
  kill(): Promise<void>;
}> {
  const script = `
    import { startEmbeddedServer } from ${JSON.stringify(path.join(import.meta.dirname, 'embedded-server.ts'))};
    const server = await startEmbeddedServer({ directory: process.argv[1] });
    process.stdout.write(server.pid + '\\n');
    setInterval(() => undefined, 1000);
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [chunk] = await once(child.stdout, 'data');
  return {
    pid: child.pid ?? 0,
    serverPid: Number(String(chunk)),
    async kill() {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
  };
}

describe('the embedded server', () => {
  it('is PostgreSQL 18, durable, on loopback alone, with passwords, and never as root', async () => {
    const server = await start();
    const rows = await query(
      server.url,
      `SELECT name, setting FROM pg_settings WHERE name IN ('server_version_num', 'fsync',
       'synchronous_commit', 'full_page_writes', 'listen_addresses', 'unix_socket_directories',
       'password_encryption', 'log_statement', 'log_parameter_max_length_on_error', 'data_checksums')`,
    );
    const settings = Object.fromEntries(rows.map((row) => Object.values(Object(row))));
    expect(settings).toMatchObject({
      fsync: 'on',
      synchronous_commit: 'on',
      full_page_writes: 'on',
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      password_encryption: 'scram-sha-256',
      log_statement: 'none',
      log_parameter_max_length_on_error: '0',
      data_checksums: 'on',
    });
    expect(String(settings['server_version_num'])).toMatch(/^18/);
    const wrong = new URL(server.url);
    wrong.password = 'wrong';
    expect(await codeOf(query(wrong.href, 'SELECT 1'))).toBe('28P01');
    if (process.getuid?.() === 0) expect(statSync(`/proc/${server.pid}`).uid).not.toBe(0);
    expect(statSync(path.join(directory, 'superuser-password')).mode & 0o077).toBe(0);
  });

  it('keeps its data over a stop, and can be stopped twice', async () => {
    const first = await start();
    await query(first.url, 'CREATE TABLE kept AS SELECT 7 AS seven');
    await first.stop();
    await first.stop();
    expect(isAlive(first.pid)).toBe(false);
    const second = await start();
    expect(await query(second.url, 'SELECT seven FROM kept')).toEqual([{ seven: 7 }]);
  });

  it('writes no statement, parameter or row into its log, whatever fails', async () => {
    const server = await start();
    await query(
      server.url,
      'CREATE TABLE people (email text PRIMARY KEY, age int CHECK (age > 0))',
    );
    const insert = 'INSERT INTO people VALUES ($1, $2)';
    await query(server.url, insert, ['secret@example.org', 1]);
    const failing: [string, unknown[]][] = [
      [insert, ['secret@example.org', 1]],
      [insert, ['other-secret@example.org', -1]],
      ['SELECT $1::int', ['secret-text']],
      [`SELECT 'secret-literal'::int`, []],
      ['SELECT * FROM secret_table', []],
      [
        `DO $$ BEGIN RAISE WARNING 'secret-warning'; RAISE EXCEPTION 'secret-exception'; END $$`,
        [],
      ],
    ];
    for (const [sql, values] of failing)
      expect(await codeOf(query(server.url, sql, values))).not.toBe('started');
    await server.stop();
    const log = readFileSync(path.join(directory, 'server.log'), 'utf8');
    expect(log).toContain('database system is ready');
    expect(log).not.toContain('secret');
    expect(log).not.toMatch(/STATEMENT|DETAIL|CONTEXT/);
  });

  it('ends with its parent, also when that is killed, and starts again over the same directory', async () => {
    const elsewhere = await startElsewhere();
    expect(await codeOf(start())).toBe('POSTGRES_DIRECTORY_IN_USE');
    expect(isAlive(elsewhere.serverPid)).toBe(true);
    await elsewhere.kill();
    await expect.poll(() => isAlive(elsewhere.serverPid), { timeout: 10_000 }).toBe(false);
    expect(existsSync(path.join(directory, 'owner'))).toBe(true);
    const server = await start();
    expect(await query(server.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('recovers after the server itself was killed, and clears a stale pid file', async () => {
    const first = await start();
    await query(first.url, 'CREATE TABLE kept AS SELECT 7 AS seven');
    process.kill(first.pid, 'SIGKILL');
    await first.ended;
    const pidFile = path.join(directory, 'cluster', 'postmaster.pid');
    expect(existsSync(pidFile)).toBe(true);
    // The number belongs to somebody else by now: to this very process, which must survive.
    writeFileSync(pidFile, readFileSync(pidFile, 'utf8').replace(/^\d+/, String(process.pid)));
    const second = await start();
    expect(await query(second.url, 'SELECT seven FROM kept')).toEqual([{ seven: 7 }]);
  });

  it('refuses a busy port, and starts when it is free', async () => {
    const port = await findFreePort();
    const blocker = createServer().listen(port, '127.0.0.1');
    await once(blocker, 'listening');
    expect(await codeOf(start(port))).toBe('POSTGRES_PORT_BUSY');
    blocker.close();
    await once(blocker, 'close');
    expect((await start(port)).port).toBe(port);
  });

  it('refuses a directory of another major version and one that holds something else', async () => {
    mkdirSync(path.join(directory, 'cluster'), { recursive: true });
    expect(await codeOf(start())).toBe('POSTGRES_DIRECTORY_INVALID');
    writeFileSync(path.join(directory, 'cluster', 'PG_VERSION'), '16\n');
    expect(await codeOf(start())).toBe('POSTGRES_VERSION_UNSUPPORTED');
  });

  it('does not leave half a cluster when it cannot be made', async () => {
    mkdirSync(directory);
    writeFileSync(path.join(directory, 'superuser-password'), '');
    const blocked = path.join(root, 'file');
    writeFileSync(blocked, '');
    const failure = startEmbeddedServer({ directory: path.join(blocked, 'below') });
    expect(await codeOf(failure)).not.toBe('started');
    const server = await start();
    expect(readdirSync(directory).filter((name) => name.startsWith('cluster'))).toEqual([
      'cluster',
    ]);
    expect(isCoded(undefined, 'X')).toBe(false);
    expect(server.port).toBeGreaterThan(0);
  });

  it.runIf(process.getuid?.() === 0)(
    'puts data where its account can reach it when the state directory is private to root',
    async () => {
      chmodSync(root, 0o700);
      const first = await start();
      const location = readFileSync(path.join(directory, 'location'), 'utf8').trim();
      try {
        await query(first.url, 'CREATE TABLE kept AS SELECT 7 AS seven');
        await first.stop();
        expect(statSync(root).mode & 0o777).toBe(0o700);
        const second = await start();
        expect(await query(second.url, 'SELECT seven FROM kept')).toEqual([{ seven: 7 }]);
        await second.stop();
      } finally {
        rmSync(location, { recursive: true, force: true });
      }
      expect(await codeOf(start())).toBe('POSTGRES_DIRECTORY_INVALID');
    },
  );

  it.runIf(process.getuid?.() === 0)(
    'removes what stood in for a temporary state directory once that is gone',
    async () => {
      chmodSync(root, 0o700);
      await (await start()).stop();
      const abandoned = readFileSync(path.join(directory, 'location'), 'utf8').trim();
      rmSync(directory, { recursive: true });
      await (await start()).stop();
      const location = readFileSync(path.join(directory, 'location'), 'utf8').trim();
      expect([existsSync(abandoned), existsSync(location)]).toEqual([false, true]);
      rmSync(location, { recursive: true, force: true });
    },
  );
});
