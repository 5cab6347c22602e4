// SPDX-License-Identifier: Apache-2.0
// A PostgreSQL of the operating system's package, as an operator would give one: not ours, older than
// ours, run under an account without rights, over a directory in the system's temporary space.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { waitUntil } from './wait-until.ts';

export const DEBIAN_BINARIES = '/usr/lib/postgresql/15/bin';
/** `nobody`: the server refuses to run as root. */
const UNPRIVILEGED_ID = 65_534;

export interface OutsideServer {
  /** `postgres://` URL of its superuser. */
  readonly url: string;
  stop(): Promise<void>;
}

/** True where the package `postgresql-15` is installed. */
export const hasDebianPostgres = (): boolean => existsSync(path.join(DEBIAN_BINARIES, 'postgres'));

async function findPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  return address.port;
}

const asNobody = (): { uid?: number; gid?: number } =>
  process.getuid?.() === 0 ? { uid: UNPRIVILEGED_ID, gid: UNPRIVILEGED_ID } : {};

/** Starts the server over a fresh cluster; `stop` ends it and removes the cluster. */
export async function startDebianPostgres(): Promise<OutsideServer> {
  const folder = mkdtempSync(path.join(tmpdir(), 'bailiwick-debian-postgres-'));
  const { uid, gid } = asNobody();
  if (uid !== undefined && gid !== undefined) chownSync(folder, uid, gid);
  const password = randomBytes(18).toString('base64url');
  const passwordFile = path.join(folder, 'password');
  writeFileSync(passwordFile, password, { mode: 0o644 });
  const cluster = path.join(folder, 'cluster');
  const made = spawnSync(
    path.join(DEBIAN_BINARIES, 'initdb'),
    [
      ...['--pgdata', cluster, '--username', 'postgres', '--pwfile', passwordFile],
      ...['--auth', 'scram-sha-256', '--encoding', 'UTF8', '--locale', 'C.UTF-8'],
    ],
    { cwd: folder, encoding: 'utf8', ...asNobody() },
  );
  if (made.status !== 0) throw new Error(`initdb: ${made.stderr}`);
  const port = await findPort();
  const child: ChildProcess = spawn(
    path.join(DEBIAN_BINARIES, 'postgres'),
    [
      ...['-D', cluster, '-c', `port=${port}`, '-c', 'listen_addresses=127.0.0.1'],
      ...['-c', 'unix_socket_directories=', '-c', 'max_connections=200'],
    ],
    { cwd: folder, stdio: 'ignore', ...asNobody() },
  );
  let hasEnded = false;
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  void ended.then(() => {
    hasEnded = true;
  });
  await waitUntil('the server of the package', () => {
    if (hasEnded) throw new Error('the server ended while starting');
    const file = path.join(cluster, 'postmaster.pid');
    const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
    return lines[7]?.trim() === 'ready' ? true : undefined;
  });
  return {
    url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
    async stop() {
      child.kill('SIGINT');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
