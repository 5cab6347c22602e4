// SPDX-License-Identifier: Apache-2.0
// A real PostgreSQL 18 as a child process, for a laptop, a demonstration and tests: loopback only, no
// sockets in the file system, scram passwords, fsync on, and a log that never holds a statement, a
// parameter or a row. It ends with its parent, also when the parent is killed.
// Not here: replication, backups, tuning for a server: production gives a postgres:// url.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { type Account, ensureAccount, giveTo, placeBinaries, placeDirectory } from './account.ts';
import { EMBEDDED_MAJOR_VERSION, findBinaries } from './binaries.ts';
import { PostgresError } from './errors.ts';
import { claimDirectory, releaseDirectory, stopOrphan } from './orphan.ts';

const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 30_000;
const POLL_MS = 10;

/** A running server. */
export interface EmbeddedServer {
  /** `postgres://` URL of its superuser, password included: never log it. */
  readonly url: string;
  readonly port: number;
  /** Of the postmaster. */
  readonly pid: number;
  /** Resolves when the server has ended, for whatever reason. */
  readonly ended: Promise<void>;
  /** Fast shutdown: connections are cut, a checkpoint is written. Safe to call twice. */
  stop(): Promise<void>;
}

export interface EmbeddedServerOptions {
  /** Made when absent; holds the database, its log and the superuser's password. */
  readonly directory: string;
  /** Absent or 0: a free one. */
  readonly port?: number;
  /** Told what happens, in short lines without values. */
  readonly log?: (line: string) => void;
  /** More server settings, by name; for tests and benchmarks. */
  readonly settings?: Readonly<Record<string, string>>;
}

// SECURITY: from `log_statement` to `log_min_messages`, these keep values out of the log (invariant 7).
// A message of level ERROR can quote a value, so errors are not logged at all; they reach the client.
const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  password_encryption: 'scram-sha-256',
  logging_collector: 'off',
  log_destination: 'stderr',
  log_statement: 'none',
  log_min_duration_statement: '-1',
  log_min_error_statement: 'panic',
  log_parameter_max_length: '0',
  log_parameter_max_length_on_error: '0',
  log_error_verbosity: 'terse',
  log_min_messages: 'log',
  log_autovacuum_min_duration: '-1',
  shared_buffers: '64MB',
  max_connections: '100',
  max_wal_size: '512MB',
  max_worker_processes: '4',
  max_logical_replication_workers: '0',
  max_parallel_workers_per_gather: '0',
  io_method: 'sync',
  huge_pages: 'off',
  jit: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
};

interface Place {
  readonly folder: string;
  readonly cluster: string;
  readonly logFile: string;
  readonly passwordFile: string;
  readonly account: Account | undefined;
  readonly binaries: string;
}

function findPlace(directory: string): Place {
  const account = ensureAccount();
  const folder = placeDirectory(path.resolve(directory), account);
  const { folder: installed, version } = findBinaries();
  return {
    folder,
    cluster: path.join(folder, 'cluster'),
    logFile: path.join(folder, 'server.log'),
    passwordFile: path.join(folder, 'superuser-password'),
    account,
    binaries: placeBinaries({ folder: installed, version, account }),
  };
}

function toCoded(text: string, otherwise: string): PostgresError {
  if (/No space left on device/.test(text)) {
    return new PostgresError('POSTGRES_DISK_FULL', 'the disk of the database directory is full');
  }
  if (/Address already in use/.test(text)) {
    return new PostgresError('POSTGRES_PORT_BUSY', 'the port of the database is in use');
  }
  if (/Permission denied/.test(text)) {
    return new PostgresError(
      'POSTGRES_DIRECTORY_FORBIDDEN',
      'the server may not use its directory: permission denied',
    );
  }
  return new PostgresError('POSTGRES_START_FAILED', otherwise);
}

function toFileError(error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error;
  if (error.code === 'ENOSPC') return toCoded('No space left on device', '');
  if (error.code === 'EACCES' || error.code === 'EPERM' || error.code === 'EROFS') {
    return toCoded('Permission denied', '');
  }
  return error;
}

const accountOf = (account: Account | undefined): { uid?: number; gid?: number } =>
  account ? { uid: account.uid, gid: account.gid } : {};

async function initialise(place: Place): Promise<void> {
  const versionFile = path.join(place.cluster, 'PG_VERSION');
  if (existsSync(versionFile)) {
    const found = readFileSync(versionFile, 'utf8').trim();
    if (found === EMBEDDED_MAJOR_VERSION) return;
    throw new PostgresError(
      'POSTGRES_VERSION_UNSUPPORTED',
      `the directory was made by PostgreSQL ${/^\d+$/.test(found) ? found : 'of an unknown version'}: expected ${EMBEDDED_MAJOR_VERSION}`,
    );
  }
  if (existsSync(place.cluster)) {
    throw new PostgresError(
      'POSTGRES_DIRECTORY_INVALID',
      'the directory holds something that is not a whole database cluster: remove it or restore it',
    );
  }
  const password = randomBytes(24).toString('base64url');
  writeFileSync(place.passwordFile, password, { mode: 0o600 });
  giveTo(place.folder, place.account);
  // initdb fills a directory beside the real one, so that a crash in the middle leaves none half made.
  const fresh = `${place.cluster}.${randomBytes(4).toString('hex')}`;
  const child = spawn(
    path.join(place.binaries, 'bin', 'initdb'),
    [
      ...['--pgdata', fresh, '--username', 'postgres', '--pwfile', place.passwordFile],
      ...['--auth', 'scram-sha-256', '--encoding', 'UTF8', '--locale', 'C', '--no-instructions'],
    ],
    {
      cwd: place.folder,
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {},
      ...accountOf(place.account),
    },
  );
  let output = '';
  child.stderr.on('data', (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-8192);
  });
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once('error', (error) => reject(toFileError(error)));
    child.once('close', resolve);
  });
  if (status !== 0) throw toCoded(output, 'initdb could not make the database directory');
  renameSync(fresh, place.cluster);
}

/** A port of loopback that nothing listens on now. */
export async function findFreePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  return address.port;
}

function launch(place: Place, port: number, extra: Readonly<Record<string, string>>): ChildProcess {
  const settings = { ...SETTINGS, ...extra, port: String(port) };
  const log = openSync(place.logFile, 'a', 0o600);
  try {
    return spawn(
      path.join(place.binaries, 'bin', 'postgres'),
      [
        ...['-D', place.cluster],
        ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
      ],
      {
        cwd: place.folder,
        env: {},
        stdio: ['ignore', log, log],
        // A group of its own: an interrupt at the terminal reaches us alone, and we stop it in order.
        detached: true,
        ...accountOf(place.account),
      },
    );
  } finally {
    closeSync(log);
  }
}

/** Ends the server when this process is gone, however it went: the pipe to the watcher closes. */
function watchParent(pid: number): ChildProcess {
  const watcher = spawn('/bin/sh', ['-c', 'read -r _; kill -INT "$1"', 'sh', String(pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    env: {},
  });
  watcher.on('error', () => undefined); // no shell: the next start stops the orphan instead
  watcher.unref();
  return watcher;
}

async function awaitReady(place: Place, child: ChildProcess, logFrom: number): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  let failure: unknown;
  child.once('error', (error) => {
    failure = error;
  });
  const pidFile = path.join(place.cluster, 'postmaster.pid');
  while (performance.now() < deadline) {
    if (failure !== undefined) throw toFileError(failure);
    if (child.exitCode !== null || child.signalCode !== null) {
      const said = readFileSync(place.logFile).subarray(logFrom).toString();
      throw toCoded(said, `the database server ended while starting: see \`${place.logFile}\``);
    }
    // Line 1 is the pid, line 8 the state (PostgreSQL, miscadmin.h "LOCK_FILE_LINE_PM_STATUS").
    const lines = existsSync(pidFile) ? readFileSync(pidFile, 'utf8').split('\n') : [];
    if (lines[0] === String(child.pid) && lines[7]?.trim() === 'ready') return;
    await wait(POLL_MS);
  }
  child.kill('SIGQUIT');
  throw new PostgresError('POSTGRES_START_FAILED', 'the database server was not ready in time');
}

async function stopServer(child: ChildProcess, ended: Promise<void>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGINT');
  const controller = new AbortController();
  const timer = wait(STOP_TIMEOUT_MS, 'late', { signal: controller.signal }).catch(() => 'done');
  const first = await Promise.race([ended.then(() => 'ended'), timer]);
  controller.abort();
  if (first === 'late') child.kill('SIGQUIT');
  await ended;
}

/**
 * Starts PostgreSQL 18 over a directory, which is made when absent. As root, the server runs under the
 * account `bailiwick-postgres`, which is made when absent. A server that an earlier, killed process left
 * behind in this directory is stopped first.
 *
 * @throws {PostgresError} `POSTGRES_PORT_BUSY`, `POSTGRES_DISK_FULL`, `POSTGRES_DIRECTORY_IN_USE`,
 * `POSTGRES_DIRECTORY_FORBIDDEN`, `POSTGRES_DIRECTORY_INVALID`, `POSTGRES_VERSION_UNSUPPORTED`,
 * `POSTGRES_START_FAILED`
 */
export async function startEmbeddedServer(options: EmbeddedServerOptions): Promise<EmbeddedServer> {
  const log = options.log ?? (() => undefined);
  const place = await attempt(() => findPlace(options.directory));
  await attempt(() => claimDirectory(place.folder));
  try {
    await attempt(() => stopOrphan(place.cluster, log));
    await attempt(() => initialise(place));
    giveTo(place.folder, place.account);
    chmodSync(place.passwordFile, 0o600);
    return await attempt(() => run(place, options));
  } catch (error) {
    releaseDirectory(place.folder);
    throw error;
  }
}

async function attempt<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toFileError(error);
  }
}

async function run(place: Place, options: EmbeddedServerOptions): Promise<EmbeddedServer> {
  const port = options.port || (await findFreePort());
  const logFrom = existsSync(place.logFile) ? statSync(place.logFile).size : 0;
  const child = launch(place, port, options.settings ?? {});
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  await awaitReady(place, child, logFrom);
  const pid = child.pid ?? 0;
  const watcher = watchParent(pid);
  void ended.then(() => {
    watcher.kill('SIGKILL');
    releaseDirectory(place.folder);
  });
  const password = readFileSync(place.passwordFile, 'utf8').trim();
  options.log?.(`database server ready on port ${port}`);
  return {
    url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
    port,
    pid,
    ended,
    stop: () => stopServer(child, ended),
  };
}
