// SPDX-License-Identifier: Apache-2.0
// What is found out before anything starts, so that it costs one clear line and not a half-started
// system: a state directory that can be written, one supervisor at a time, room on the disk, free ports.
import { existsSync, mkdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import process from 'node:process';
import { CliError } from '../errors.ts';
import { type Layout, listPorts } from './layout.ts';

/** Five database clusters, the write-ahead logs of a first load, and something to spare. */
const FREE_SIZE_BYTES_MIN: number = 1_500 * 1024 * 1024;

/** Turns a failure of the file system into the line a person needs. */
export function toFileError(error: unknown, what: string): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error;
  switch (error.code) {
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new CliError('CLI_PERMISSION_MISSING', `no permission to write ${what}`, {
        hint: 'use a directory of your own with `--state <directory>`',
        cause: error,
      });
    case 'ENOENT':
    case 'ENOTDIR':
      return new CliError('CLI_PERMISSION_MISSING', `${what} cannot be made there`, {
        hint: 'use a directory of your own with `--state <directory>`',
        cause: error,
      });
    case 'ENOSPC':
    case 'EDQUOT':
      return new CliError('CLI_DISK_FULL', `the disk is full: cannot write ${what}`, {
        hint: 'make room, or use another disk with `--state <directory>`',
        cause: error,
      });
    default:
      return error;
  }
}

/** A process's identity: its id and when it began, so that a re-used id is not taken for it. */
function identityOf(pid: number): string | undefined {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) return undefined;
  }
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return `${pid} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''}`;
  } catch {
    return String(pid);
  }
}

/**
 * Makes a directory below whatever is there. Step by step: asked for all at once, Node tries for ever
 * where a file system says of a new entry that there is no such place, as /proc does.
 */
function makeDirectory(directory: string): void {
  if (existsSync(directory)) return;
  makeDirectory(path.dirname(directory));
  mkdirSync(directory, { mode: 0o711 });
}

/**
 * Makes the state directory and takes it for this process; gives the way to release it.
 *
 * @throws {CliError} `CLI_STATE_IN_USE`, `CLI_PERMISSION_MISSING`, `CLI_DISK_FULL`
 */
export function claimState(state: string): () => void {
  const file = path.join(state, 'supervisor.pid');
  try {
    makeDirectory(state);
    const owner = readOwner(file);
    if (owner !== undefined && identityOf(Number.parseInt(owner, 10)) === owner) {
      throw new CliError(
        'CLI_STATE_IN_USE',
        `a demo runs already over \`${state}\` (process ${owner.split(' ')[0] ?? ''})`,
        {
          hint: 'stop it with Ctrl-C, or start another with `--state <directory> --port <number>`',
        },
      );
    }
    writeFileSync(file, identityOf(process.pid) ?? String(process.pid), { mode: 0o600 });
  } catch (error) {
    throw toFileError(error, `\`${state}\``);
  }
  return () => rmSync(file, { force: true });
}

function readOwner(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

/** @throws {CliError} `CLI_DISK_FULL` when the disk has less room than a demonstration takes. */
export function assertRoom(state: string): void {
  const { bavail, bsize } = statfsSync(state);
  const freeBytes = bavail * bsize;
  if (freeBytes >= FREE_SIZE_BYTES_MIN) return;
  const toMegabytes = (bytes: number): number => Math.floor(bytes / 1024 / 1024);
  throw new CliError(
    'CLI_DISK_FULL',
    `the disk of \`${state}\` has ${toMegabytes(freeBytes)} MB free: the demo needs ${toMegabytes(FREE_SIZE_BYTES_MIN)} MB`,
    { hint: 'make room, or use another disk with `--state <directory>`' },
  );
}

/** @throws {CliError} `CLI_PORT_BUSY` naming the first port that somebody else listens on. */
export async function assertPortsFree(layout: Layout): Promise<void> {
  for (const { port, of } of listPorts(layout)) {
    const code = await tryListen(port);
    if (code === undefined) continue;
    throw new CliError('CLI_PORT_BUSY', `port ${port} for ${of} cannot be used (${code})`, {
      hint: 'end what uses it, or choose other ports with `--port <number>`',
      details: { port },
    });
  }
}

function tryListen(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'unknown'));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(undefined)));
  });
}
