// SPDX-License-Identifier: Apache-2.0
// PostgreSQL refuses to run as root. When this process is root, the server runs under an account of its
// own that owns nothing but its directory. Where the checkout or the state directory cannot be reached by
// that account (a clone under `/root` or a `mktemp -d`), binaries and data live under `/var/lib/bailiwick`
// and the state directory says where: nobody's permissions are widened.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PostgresError } from './errors.ts';

/** The account the server runs under; absent when this process is not root and simply runs it. */
export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

const ACCOUNT_NAME = 'bailiwick-postgres';
const RELOCATED_ROOT = '/var/lib/bailiwick';
/** In a relocated directory: the state directory that it stands in for. */
const BELONGS_TO = 'belongs-to';

function lookUp(name: string): Account | undefined {
  for (const line of readFileSync('/etc/passwd', 'utf8').split('\n')) {
    const [entry, , uid, gid] = line.split(':');
    if (entry === name) return { name, uid: Number(uid), gid: Number(gid) };
  }
  return undefined;
}

/**
 * The account to run the server under: `undefined` unless this process is root, else
 * `bailiwick-postgres`, created as a system account without a shell or a home when it does not exist.
 *
 * @throws {PostgresError} `POSTGRES_ACCOUNT_UNAVAILABLE`
 */
export function ensureAccount(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const existing = lookUp(ACCOUNT_NAME);
  if (existing) return existing;
  const flags = ['--system', '--user-group', '--no-create-home', '--home-dir', '/nonexistent'];
  let failure: unknown;
  try {
    execFileSync('useradd', [...flags, '--shell', '/usr/sbin/nologin', ACCOUNT_NAME], {
      stdio: 'ignore',
    });
  } catch (error) {
    failure = error; // another process may have made it meanwhile, or there is no useradd
  }
  const account = lookUp(ACCOUNT_NAME) ?? lookUp('postgres') ?? lookUp('nobody');
  if (account && account.uid !== 0) return account;
  throw new PostgresError(
    'POSTGRES_ACCOUNT_UNAVAILABLE',
    `the server does not run as root and the account \`${ACCOUNT_NAME}\` could not be made`,
    { cause: failure },
  );
}

function isPassable(target: string, account: Account): boolean {
  let at = realpathSync(target);
  for (;;) {
    const { mode, uid, gid } = statSync(at);
    const shift = uid === account.uid ? 6 : gid === account.gid ? 3 : 0;
    if (((mode >> shift) & 1) === 0) return false;
    const parent = path.dirname(at);
    if (parent === at) return true;
    at = parent;
  }
}

function nearestExisting(target: string): string {
  return existsSync(target) ? target : nearestExisting(path.dirname(target));
}

function makeRelocatedRoot(): void {
  mkdirSync(RELOCATED_ROOT, { recursive: true, mode: 0o711 });
  chmodSync(RELOCATED_ROOT, 0o711);
}

/**
 * Where the server's directory really lies. Usually `directory` itself; where the account cannot pass
 * through to it, a fresh directory under `/var/lib/bailiwick` that `directory/location` names.
 */
export function placeDirectory(directory: string, account: Account | undefined): string {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  if (!account || isPassable(nearestExisting(path.dirname(directory)), account)) return directory;
  const pointer = path.join(directory, 'location');
  if (existsSync(pointer)) {
    const target = readFileSync(pointer, 'utf8').trim();
    if (path.dirname(target) === RELOCATED_ROOT && existsSync(target)) return target;
    throw new PostgresError(
      'POSTGRES_DIRECTORY_INVALID',
      `\`${pointer}\` names a directory that does not exist`,
    );
  }
  makeRelocatedRoot();
  removeAbandoned();
  const target = path.join(RELOCATED_ROOT, `postgres-${randomBytes(8).toString('hex')}`);
  mkdirSync(target, { mode: 0o700 });
  // The pointer first: whoever removes what is abandoned meanwhile must find it named.
  writeFileSync(pointer, `${target}\n`, { mode: 0o600 });
  writeFileSync(path.join(target, BELONGS_TO), `${directory}\n`, { mode: 0o600 });
  return target;
}

/**
 * Removes relocated directories whose state directory was a temporary one and is gone. Others stay: a state
 * directory that is not there may lie on a volume that is not mounted.
 */
function removeAbandoned(): void {
  for (const name of readdirSync(RELOCATED_ROOT)) {
    const target = path.join(RELOCATED_ROOT, name);
    const note = path.join(target, BELONGS_TO);
    if (!name.startsWith('postgres-') || !existsSync(note)) continue;
    const owner = readFileSync(note, 'utf8').trim();
    const isTemporary = owner.startsWith(`${realpathSync(tmpdir())}${path.sep}`);
    const pointer = path.join(owner, 'location');
    const isNamed = existsSync(pointer) && readFileSync(pointer, 'utf8').trim() === target;
    if (isTemporary && !isNamed) rmSync(target, { recursive: true, force: true });
  }
}

/** Gives a directory and all in it to the account; symbolic links are not followed. */
export function giveTo(target: string, account: Account | undefined): void {
  if (!account) return;
  const entry = lstatSync(target);
  if (entry.isSymbolicLink()) return;
  if (entry.uid !== account.uid || entry.gid !== account.gid) {
    chownSync(target, account.uid, account.gid);
  }
  if (!entry.isDirectory()) return;
  for (const name of readdirSync(target)) giveTo(path.join(target, name), account);
}

/** A folder of the server's binaries that the account can reach: the given one, or a copy of it. */
export function placeBinaries(options: {
  readonly folder: string;
  readonly version: string;
  readonly account: Account | undefined;
}): string {
  const { folder, version, account } = options;
  if (!account || isPassable(folder, account)) return folder;
  makeRelocatedRoot();
  const target = path.join(RELOCATED_ROOT, `postgresql-${version}`);
  if (existsSync(target)) return target;
  const fresh = `${target}.${randomBytes(4).toString('hex')}`;
  cpSync(folder, fresh, { recursive: true, verbatimSymlinks: true });
  try {
    renameSync(fresh, target);
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true });
    if (!existsSync(target)) throw error;
  }
  return target;
}
