// SPDX-License-Identifier: Apache-2.0
// Customer keys in files, for first steps. Its limits, said aloud: the key lies in plain on the operator's
// disk, so the operator can read it; whoever copies the directory has the keys; "the customer holds the
// key" is not true with it. What is real: the same port, states and context binding as an HSM's.
//
// `<keyId>.key` (0600) is the key; renaming it to `<keyId>.disabled` disables it, deleting it destroys it.
import type { KeyObject } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { isCoded, type KeyId, parseKeyId } from '@bailiwick/kernel';
import {
  type CustomerKeyProvider,
  type CustomerKeyStatus,
  createKey,
  KEY_SIZE_BYTES,
  KeysError,
  takeKey,
  unwrapKey,
  wipe,
  withMaterial,
  wrapKey,
} from '@bailiwick/keys';

const MAGIC = Buffer.from('BWKEY\x00\x01\x00', 'latin1');

function misconfigured(problem: string, cause?: unknown): KeysError {
  return new KeysError(
    'KEYS_PROVIDER_MISCONFIGURED',
    problem,
    cause === undefined ? {} : { cause },
  );
}

const hasCode = (error: unknown, code: string): boolean =>
  error instanceof Error && 'code' in error && error.code === code;

/** Makes the directory for customer keys (0700). Only for setting up: `openFileProvider` makes nothing. */
export function createKeyDirectory(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  chmodSync(directory, 0o700);
}

/** SECURITY: a key that others may read is nobody's key. */
function assertPrivate(file: string): void {
  const { mode, uid } = statSync(file);
  const own = process.getuid?.();
  if ((mode & 0o077) !== 0 || (own !== undefined && uid !== own)) {
    throw misconfigured('customer keys must be readable by their owner only (0700, 0600)');
  }
}

function syncDirectory(directory: string): void {
  const descriptor = openSync(directory, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function readKey(file: string): KeyObject {
  assertPrivate(file);
  const size = MAGIC.length + KEY_SIZE_BYTES;
  const bytes = Buffer.alloc(size + 1);
  const descriptor = openSync(file, 'r');
  try {
    const read = readSync(descriptor, bytes, 0, size + 1, 0);
    if (read !== size || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) {
      throw misconfigured('file of a customer key is not one');
    }
    return takeKey(Buffer.from(bytes.subarray(MAGIC.length, size)));
  } finally {
    wipe(bytes);
    closeSync(descriptor);
  }
}

/** Writes beside, then renames: there is never half a key under the name. */
function writeKey(file: string, key: KeyObject): void {
  const temporary = `${file}.new`;
  const descriptor = openSync(temporary, 'w', 0o600);
  try {
    withMaterial(key, (material) => {
      const bytes = Buffer.concat([MAGIC, material]);
      writeSync(descriptor, bytes);
      wipe(bytes);
    });
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(temporary, file);
  syncDirectory(path.dirname(file));
}

/** Overwrites and removes; what a disk or a snapshot keeps of it is beyond a file's reach. */
function destroyFile(file: string): void {
  if (!existsSync(file)) return;
  const descriptor = openSync(file, 'r+');
  try {
    writeSync(descriptor, Buffer.alloc(MAGIC.length + KEY_SIZE_BYTES), 0, undefined, 0);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  unlinkSync(file);
}

/**
 * Opens the provider over a directory that must exist, private to this account.
 *
 * @throws {KeysError} `KEYS_PROVIDER_MISCONFIGURED`
 */
export function openFileProvider(options: { readonly directory: string }): CustomerKeyProvider {
  const { directory } = options;
  if (!existsSync(directory) || !statSync(directory).isDirectory()) {
    throw misconfigured('directory of customer keys must exist');
  }
  assertPrivate(directory);
  const fileOf = (keyId: KeyId, suffix: 'key' | 'disabled'): string =>
    path.join(directory, `${parseKeyId(keyId)}.${suffix}`);
  const findStatus = (keyId: KeyId): CustomerKeyStatus => {
    // Disabled first: a key that has both names is disabled.
    if (existsSync(fileOf(keyId, 'disabled'))) return 'disabled';
    return existsSync(fileOf(keyId, 'key')) ? 'enabled' : 'absent';
  };
  // The key is read for each use and never kept: what is renamed away is gone at the next use.
  const openKey = (keyId: KeyId): KeyObject => {
    const status = findStatus(keyId);
    if (status === 'disabled') {
      throw new KeysError('KEYS_CUSTOMER_KEY_DISABLED', 'customer key is disabled at its provider');
    }
    if (status === 'absent') {
      throw new KeysError('KEYS_CUSTOMER_KEY_UNKNOWN', 'provider has no such customer key');
    }
    try {
      return readKey(fileOf(keyId, 'key'));
    } catch (cause) {
      if (isCoded(cause, 'KEYS_PROVIDER_MISCONFIGURED')) throw cause;
      if (hasCode(cause, 'ENOENT')) {
        throw new KeysError('KEYS_CUSTOMER_KEY_UNKNOWN', 'provider has no such customer key');
      }
      throw misconfigured('customer key cannot be read', cause);
    }
  };
  return {
    kind: 'file',
    async ensureKey(keyId) {
      if (findStatus(keyId) === 'absent') writeKey(fileOf(keyId, 'key'), createKey());
    },
    findStatus: async (keyId) => findStatus(keyId),
    wrap: async (keyId, key, context) => wrapKey(openKey(keyId), key, context),
    unwrap: async (keyId, wrap, context) => unwrapKey(openKey(keyId), wrap, context),
    async destroyKey(keyId) {
      for (const suffix of ['key', 'disabled'] as const) destroyFile(fileOf(keyId, suffix));
      syncDirectory(directory);
    },
  };
}
