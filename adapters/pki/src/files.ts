// SPDX-License-Identifier: Apache-2.0
// Small files that others watch: replaced as a whole, and keys readable by their owner only.
import { randomUUID } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { PkiError } from './errors.ts';

/** Writes a file so that a reader sees the old or the new content and never a part. */
export function writeFileDurably(file: string, content: string, mode: number): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const temporary = `${file}.${randomUUID()}`;
  const descriptor = openSync(temporary, 'wx', mode);
  try {
    writeSync(descriptor, content);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(temporary, file);
}

/**
 * SECURITY: a private key that everybody on the machine can read is no identity.
 *
 * @throws {PkiError} `PKI_KEY_EXPOSED`, `PKI_IDENTITY_UNREADABLE`
 */
export function assertPrivate(file: string): void {
  let mode: number;
  try {
    mode = statSync(file).mode;
  } catch (cause) {
    throw new PkiError('PKI_IDENTITY_UNREADABLE', 'the key file cannot be read', { cause });
  }
  if ((mode & 0o007) !== 0) {
    throw new PkiError(
      'PKI_KEY_EXPOSED',
      'the key file is open to everybody: expected mode `0600`',
    );
  }
}
