// SPDX-License-Identifier: Apache-2.0
// Recovery of customer keys in files: all of them sealed under one recovery key, which is split among
// people and kept nowhere. Losing the directory loses nothing as long as enough of them come together with
// the sealed file; whoever has fewer shares, or shares without the file, has nothing.
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import type { Random } from '@bailiwick/kernel';
import {
  combineShares,
  createKey,
  KeysError,
  openEnvelope,
  sealEnvelope,
  splitKey,
  wipe,
} from '@bailiwick/keys';

const KEY_FILE = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.(?:key|disabled)$/;
const DOMAIN = 'bailiwick/kms-file-recovery/v1\0';
const MAGIC = 'bwrecovery1';
const SIZE_BYTES_MAX = 16 * 1024 * 1024;

function refuse(problem: string): never {
  throw new KeysError('KEYS_PROVIDER_MISCONFIGURED', problem);
}

/** Sealed keys and the shares that open them. */
export interface Recovery {
  /** Lines: the format, then `<file name> <envelope, base64url>` for each key. */
  readonly sealed: string;
  /** One for each person; never written together. */
  readonly shares: readonly string[];
  readonly keysCount: number;
}

/** Seals every key of a provider's directory under a key that exists in shares only. */
export function createRecovery(
  ports: { readonly random: Random },
  options: { readonly directory: string; readonly count: number; readonly threshold: number },
): Recovery {
  const { directory, count, threshold } = options;
  const names = readdirSync(directory)
    .filter((name) => KEY_FILE.test(name))
    .sort();
  if (names.length === 0) return refuse('directory holds no customer keys');
  const recoveryKey = createKey();
  const shares = splitKey(ports, recoveryKey, { count, threshold });
  const lines = names.map((name) => {
    const bytes = readFileSync(path.join(directory, name));
    const envelope = sealEnvelope(recoveryKey, bytes, Buffer.from(DOMAIN + name, 'utf8'));
    wipe(bytes);
    return `${name} ${envelope.toString('base64url')}`;
  });
  return { sealed: `${[MAGIC, ...lines].join('\n')}\n`, shares, keysCount: names.length };
}

function parseSealed(file: string): readonly (readonly [name: string, envelope: Buffer])[] {
  const text = readFileSync(file, 'utf8');
  const [magic, ...lines] = text.trimEnd().split('\n');
  if (text.length > SIZE_BYTES_MAX || magic !== MAGIC) return refuse('not a recovery file');
  return lines.map((line) => {
    const [name = '', envelope = ''] = line.split(' ');
    // SECURITY: names become files: nothing but the name of a key.
    if (!KEY_FILE.test(name)) return refuse('recovery file names something that is no key');
    return [name, Buffer.from(envelope, 'base64url')];
  });
}

/**
 * Puts the keys back into a directory that must not exist yet; gives how many.
 *
 * @throws {KeysError} `KEYS_SHARE_INVALID`, `KEYS_ENVELOPE_UNOPENED`, `KEYS_PROVIDER_MISCONFIGURED`
 */
export function restoreKeys(options: {
  readonly file: string;
  readonly shares: readonly string[];
  readonly directory: string;
}): number {
  const { file, shares, directory } = options;
  if (existsSync(directory)) return refuse('directory to restore into must not exist');
  const recoveryKey = combineShares(shares);
  // All are opened before one is written: half a directory of keys would pass for a whole one.
  const opened = parseSealed(file).map(
    ([name, envelope]) =>
      [name, openEnvelope(recoveryKey, envelope, Buffer.from(DOMAIN + name, 'utf8'))] as const,
  );
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  for (const [name, bytes] of opened) {
    const descriptor = openSync(path.join(directory, name), 'wx', 0o600);
    try {
      writeSync(descriptor, bytes);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
      wipe(bytes);
    }
  }
  return opened.length;
}

/** Writes the sealed keys and one file for each person; none of them may be there already. */
export function writeRecovery(recovery: Recovery, directory: string): readonly string[] {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const write = (name: string, text: string): string => {
    const file = path.join(directory, name);
    writeFileSync(file, text, { mode: 0o600, flag: 'wx' });
    return file;
  };
  const sealed = write('recovery.sealed', recovery.sealed);
  const shares = recovery.shares.map((share, index) => write(`share-${index + 1}`, `${share}\n`));
  return [sealed, ...shares];
}
