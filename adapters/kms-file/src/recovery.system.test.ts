// SPDX-License-Identifier: Apache-2.0
// Goal: a lost directory of customer keys comes back with enough people and the sealed file, and with
// nothing less. Method: the real provider before the loss and after.
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseKeyId } from '@bailiwick/kernel';
import { createKey } from '@bailiwick/keys';
import { aWrapContext } from '@bailiwick/testkit/suites/customer-key-provider';
import { afterEach, beforeEach, expect, it } from 'vitest';
import {
  createKeyDirectory,
  createRecovery,
  openFileProvider,
  restoreKeys,
  writeRecovery,
} from './index.ts';

const random = { bytes: (size: number) => randomBytes(size) };
let base: string;
const at = (name: string): string => path.join(base, name);
beforeEach(() => {
  base = mkdtempSync(path.join(tmpdir(), 'bailiwick-recovery-'));
  createKeyDirectory(at('keys'));
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

it('brings every key back, and what was disabled comes back disabled', async () => {
  const provider = openFileProvider({ directory: at('keys') });
  const ids = Array.from({ length: 3 }, () => parseKeyId(randomUUID()));
  const wraps = [];
  const tenantKey = createKey();
  for (const id of ids) {
    await provider.ensureKey(id);
    wraps.push(await provider.wrap(id, tenantKey, aWrapContext(id)));
  }
  const [, , off = parseKeyId(randomUUID())] = ids;
  const bytes = readFileSync(at(`keys/${off}.key`));
  writeFileSync(at(`keys/${off}.disabled`), bytes, { mode: 0o600 });
  const recovery = createRecovery({ random }, { directory: at('keys'), count: 5, threshold: 3 });
  const [sealed = '', ...shares] = writeRecovery(recovery, at('ceremony'));
  expect(shares).toHaveLength(5);
  // What is written holds no key.
  for (const file of [sealed, ...shares]) {
    expect(readFileSync(file).includes(bytes.subarray(8))).toBe(false);
  }
  rmSync(at('keys'), { recursive: true });
  const three = [4, 0, 2].map((index) => readFileSync(shares[index] ?? '', 'utf8'));
  expect(restoreKeys({ file: sealed, shares: three, directory: at('again') })).toBe(4);
  const again = openFileProvider({ directory: at('again') });
  const [first = off] = ids;
  const opened = await again.unwrap(first, wraps[0] ?? Buffer.alloc(0), aWrapContext(first));
  expect(opened.equals(tenantKey)).toBe(true);
  expect(await again.findStatus(off)).toBe('disabled');
});

it('does not with fewer people, another ceremony’s shares, a changed file, or over what is there', async () => {
  const provider = openFileProvider({ directory: at('keys') });
  await provider.ensureKey(parseKeyId(randomUUID()));
  const options = { directory: at('keys'), count: 3, threshold: 2 };
  const recovery = createRecovery({ random }, options);
  const [sealed = ''] = writeRecovery(recovery, at('ceremony'));
  const other = createRecovery({ random }, options);
  const invalid = expect.objectContaining({ code: 'KEYS_SHARE_INVALID' });
  const restore = (shares: readonly string[], directory = at('again')): number =>
    restoreKeys({ file: sealed, shares, directory });
  expect(() => restore(recovery.shares.slice(0, 1))).toThrow(invalid);
  expect(() => restore([recovery.shares[0] ?? '', other.shares[1] ?? ''])).toThrow(invalid);
  expect(() => restore(other.shares)).toThrow(
    expect.objectContaining({ code: 'KEYS_ENVELOPE_UNOPENED' }),
  );
  expect(() => restore(recovery.shares, at('keys'))).toThrow(
    expect.objectContaining({ code: 'KEYS_PROVIDER_MISCONFIGURED' }),
  );
  const text = readFileSync(sealed, 'utf8');
  writeFileSync(sealed, text.replace(/ [A-Za-z0-9_-]{8}/, ' AAAAAAAA'));
  expect(() => restore(recovery.shares)).toThrow();
  writeFileSync(sealed, text.replace(/\n\S+ /, '\n../../evil.key '));
  expect(() => restore(recovery.shares)).toThrow(
    expect.objectContaining({ code: 'KEYS_PROVIDER_MISCONFIGURED' }),
  );
  expect(() => writeRecovery(recovery, at('ceremony'))).toThrow();
  writeFileSync(sealed, text);
  expect(restore(recovery.shares.slice(1))).toBe(1);
});
