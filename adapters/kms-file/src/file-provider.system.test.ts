// SPDX-License-Identifier: Apache-2.0
// Goal: the file provider keeps the port's promises, and refuses to work where others could read its keys.
import { chmodSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type KeyId, parseKeyId } from '@bailiwick/kernel';
import { createKey } from '@bailiwick/keys';
import {
  aWrapContext,
  describeCustomerKeyProvider,
} from '@bailiwick/testkit/suites/customer-key-provider';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createKeyDirectory, openFileProvider } from './index.ts';

const remote = 'files answer at once: there is nobody to wait for';
let directory: string;

beforeEach(() => {
  directory = path.join(mkdtempSync(path.join(tmpdir(), 'bailiwick-kms-file-')), 'keys');
  createKeyDirectory(directory);
});
afterEach(() => rmSync(path.dirname(directory), { recursive: true, force: true }));

const fileOf = (keyId: KeyId, suffix = 'key'): string => path.join(directory, `${keyId}.${suffix}`);

describeCustomerKeyProvider('file', {
  // The suite opens once for all of its tests, so its keys have a directory of their own.
  open: async () => {
    const own = path.join(mkdtempSync(path.join(tmpdir(), 'bailiwick-kms-file-')), 'keys');
    createKeyDirectory(own);
    const provider = openFileProvider({ directory: own });
    const file = (keyId: KeyId, suffix = 'key'): string => path.join(own, `${keyId}.${suffix}`);
    return {
      provider,
      timeoutMs: 1000,
      close: async () => rmSync(path.dirname(own), { recursive: true, force: true }),
      faults: {
        disable: async (keyId) => renameSync(file(keyId), file(keyId, 'disabled')),
        enable: async (keyId) => renameSync(file(keyId, 'disabled'), file(keyId)),
        destroy: async (keyId) => rmSync(file(keyId)),
        swap: async (keyId) => {
          rmSync(file(keyId));
          await provider.ensureKey(keyId);
        },
      },
    };
  },
  without: {
    rotate: 'a file holds one version; rotation is a new customer key and wraps made anew',
    slow: remote,
    hang: remote,
    throttle: remote,
    takeAway: remote,
    lie: 'the wrap is opened in this process and commits to its key',
    babble: remote,
  },
});

describe('the files of customer keys', () => {
  const keyId = parseKeyId('0198c0de-0000-7000-8000-0000000000aa');
  const misconfigured = { code: 'KEYS_PROVIDER_MISCONFIGURED' };

  it('are readable by their owner only', async () => {
    await openFileProvider({ directory }).ensureKey(keyId);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    expect(statSync(fileOf(keyId)).mode & 0o777).toBe(0o600);
  });

  it('are refused when the directory is absent or others may look into it', () => {
    const open = (folder: string) => () => openFileProvider({ directory: folder });
    expect(open(path.join(directory, 'absent'))).toThrow(expect.objectContaining(misconfigured));
    chmodSync(directory, 0o755);
    expect(open(directory)).toThrow(expect.objectContaining(misconfigured));
  });

  it.each([
    ['cut short', (bytes: Buffer) => bytes.subarray(0, -1)],
    ['too long', (bytes: Buffer) => Buffer.concat([bytes, Buffer.from([0])])],
    ['of another kind', (bytes: Buffer) => Buffer.from(bytes).fill(0, 0, 8)],
    ['empty', () => Buffer.alloc(0)],
  ])('are refused when %s', async (_, change) => {
    const provider = openFileProvider({ directory });
    await provider.ensureKey(keyId);
    const { readFileSync } = await import('node:fs');
    writeFileSync(fileOf(keyId), change(readFileSync(fileOf(keyId))), { mode: 0o600 });
    const wrap = provider.wrap(keyId, createKey(), aWrapContext(keyId));
    await expect(wrap).rejects.toMatchObject(misconfigured);
  });

  it('are refused when others may read one', async () => {
    const provider = openFileProvider({ directory });
    await provider.ensureKey(keyId);
    chmodSync(fileOf(keyId), 0o640);
    const wrap = provider.wrap(keyId, createKey(), aWrapContext(keyId));
    await expect(wrap).rejects.toMatchObject(misconfigured);
  });
});
