// SPDX-License-Identifier: Apache-2.0
// Signing credentials of a key store, read anew while the proxy runs: put a second one into the file, tell
// the caller, take the first one out.
import { readFileSync, statSync } from 'node:fs';
import { ACCESS_KEY_ID, SECRET_ACCESS_KEY, type SigningCredential } from '@bailiwick/xks';
import { KeyProxyError } from './errors.ts';
import { CREDENTIALS_COUNT_MAX, CREDENTIALS_POLL_MS } from './limits.ts';

export type CredentialFinder = (accessKeyId: string) => SigningCredential | undefined;

function refuse(problem: string): never {
  throw new KeyProxyError('KEY_PROXY_CREDENTIALS_INVALID', problem);
}

/** A file of lines `accessKeyId secretAccessKey`; empty lines and lines of `#` are left out. */
export function parseCredentials(bytes: Buffer): ReadonlyMap<string, SigningCredential> {
  const found = new Map<string, SigningCredential>();
  for (let start = 0; start < bytes.length; ) {
    const end = bytes.indexOf(0x0a, start);
    const line = bytes.subarray(start, end < 0 ? bytes.length : end);
    start = end < 0 ? bytes.length : end + 1;
    if (line.length === 0 || line[0] === 0x23) continue;
    const space = line.indexOf(0x20);
    const accessKeyId = line.subarray(0, Math.max(space, 0)).toString('latin1');
    const secret = Buffer.from(line.subarray(space + 1));
    if (!ACCESS_KEY_ID.test(accessKeyId)) refuse('access key id must be 20–30 of A–Z and 2–7');
    if (!SECRET_ACCESS_KEY.test(secret.toString('latin1'))) {
      refuse('secret access key must be 43–64 characters of Base64');
    }
    if (found.has(accessKeyId)) refuse('access key id is there twice');
    found.set(accessKeyId, { accessKeyId, secretAccessKey: secret });
  }
  if (found.size === 0 || found.size > CREDENTIALS_COUNT_MAX) {
    refuse(`expected 1 to ${CREDENTIALS_COUNT_MAX} credentials`);
  }
  return found;
}

/**
 * Follows a file of credentials. A change that cannot be used is told and nobody is let in by it: what was
 * there before stays only while the file says the same.
 */
export function followCredentials(
  file: string,
  onProblem: (problem: string) => void,
): CredentialFinder {
  const read = (): {
    readonly stamp: string;
    readonly found: ReturnType<typeof parseCredentials>;
  } => {
    const { mtimeMs, size, ino, mode } = statSync(file);
    if ((mode & 0o077) !== 0) refuse('file of credentials must be 0600');
    const bytes = readFileSync(file);
    try {
      return { stamp: `${ino}:${size}:${mtimeMs}`, found: parseCredentials(bytes) };
    } finally {
      bytes.fill(0);
    }
  };
  let { stamp, found } = read();
  let lookedAtMs = performance.now();
  const look = (): void => {
    lookedAtMs = performance.now();
    try {
      const { mtimeMs, size, ino } = statSync(file);
      if (`${ino}:${size}:${mtimeMs}` === stamp) return;
      ({ stamp, found } = read());
    } catch (error) {
      // SECURITY: fail closed: whoever takes the file away takes the access away.
      found = new Map();
      stamp = '';
      onProblem(
        error instanceof KeyProxyError ? error.message : 'file of credentials cannot be read',
      );
    }
  };
  return (accessKeyId) => {
    if (performance.now() - lookedAtMs >= CREDENTIALS_POLL_MS) look();
    return found.get(accessKeyId);
  };
}
