// SPDX-License-Identifier: Apache-2.0
// Who uses a server's directory. A process that was killed can leave its server running or a stale
// `postmaster.pid` behind; the next start ends that server. A directory whose owner is alive is refused.
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { PostgresError } from './errors.ts';

const ORPHAN_STOP_TIMEOUT_MS = 30_000;

/** Distinguishes a process from a later one with the same id: its start time, where /proc tells it. */
function identityOf(pid: number): string | undefined {
  try {
    process.kill(pid, 0);
  } catch (error) {
    const isForeign = error instanceof Error && 'code' in error && error.code === 'EPERM';
    if (!isForeign) return undefined;
  }
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z') return undefined;
    return `${pid} ${fields[19]}`;
  } catch {
    return `${pid}`; // no /proc on this platform
  }
}

const ownerFile = (folder: string): string => path.join(folder, 'owner');

/**
 * Marks the directory as used by this process.
 *
 * @throws {PostgresError} `POSTGRES_DIRECTORY_IN_USE` while another process that used it is alive.
 */
export function claimDirectory(folder: string): void {
  const file = ownerFile(folder);
  if (existsSync(file)) {
    const owner = readFileSync(file, 'utf8');
    const pid = Number.parseInt(owner, 10);
    if (Number.isInteger(pid) && pid > 0 && identityOf(pid) === owner) {
      throw new PostgresError(
        'POSTGRES_DIRECTORY_IN_USE',
        `the database directory is in use by process ${pid}`,
        { details: { pid } },
      );
    }
  }
  writeFileSync(file, identityOf(process.pid) ?? String(process.pid), { mode: 0o600 });
}

export function releaseDirectory(folder: string): void {
  rmSync(ownerFile(folder), { force: true });
}

/** True when the process is a postmaster of this very cluster: pids are used again. */
function isServerOf(pid: number, cluster: string): boolean {
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return /postgres$/.test(command[0] ?? '') && command.includes(cluster);
  } catch {
    return !existsSync('/proc/self') && identityOf(pid) !== undefined;
  }
}

/** Stops the server that an earlier, killed owner left running; PostgreSQL removes stale files itself. */
export async function stopOrphan(cluster: string, log: (line: string) => void): Promise<void> {
  const file = path.join(cluster, 'postmaster.pid');
  if (!existsSync(file)) return;
  const pid = Number.parseInt(readFileSync(file, 'utf8'), 10);
  if (!Number.isInteger(pid) || pid <= 1 || !isServerOf(pid, cluster)) {
    // SECURITY: the number may belong to somebody else by now; without a server there is nothing to end.
    rmSync(file, { force: true });
    return;
  }
  log(`stopping the database server that an earlier run left behind (process ${pid})`);
  process.kill(pid, 'SIGINT');
  const deadline = performance.now() + ORPHAN_STOP_TIMEOUT_MS;
  while (identityOf(pid) !== undefined) {
    if (performance.now() > deadline) {
      throw new PostgresError(
        'POSTGRES_DIRECTORY_IN_USE',
        `an earlier database server does not end (process ${pid})`,
        { details: { pid } },
      );
    }
    await wait(20);
  }
}
