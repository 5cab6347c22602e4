// SPDX-License-Identifier: Apache-2.0
// Goal: a store that lost a replica is whole again with another one, and the lost one never counts again.
// Method: real directories; the loss, the replacement, its interruption, and the lost one's return.
import { randomBytes, randomUUID } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseKeyId, parseTenantId } from '@bailiwick/kernel';
import type { ErasableName } from '@bailiwick/keys';
import { createFakeClock } from '@bailiwick/testkit';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createErasableStore, openErasableStore, replaceReplica } from './index.ts';

const clock = createFakeClock();
const wrong = expect.objectContaining({ code: 'KEYS_ERASABLE_STORE_MISCONFIGURED' });
let base: string;
let objects: { readonly name: ErasableName; readonly bytes: Buffer }[];

const at = (name: string): string => path.join(base, name);
const make = (name: string): string => {
  mkdirSync(at(name), { mode: 0o700 });
  return at(name);
};
const open = (...names: string[]) => openErasableStore({ replicas: names.map(at), clock });
const replace = (survivors: readonly string[], replacement: string) =>
  replaceReplica({ survivors: survivors.map(at), replacement: at(replacement), clock });

beforeEach(async () => {
  base = mkdtempSync(path.join(tmpdir(), 'bailiwick-replace-'));
  await createErasableStore({ replicas: [make('a'), make('b')] });
  const store = await open('a', 'b');
  const [first, second] = [parseTenantId(randomUUID()), parseTenantId(randomUUID())];
  objects = [first, first, second].map((tenantId) => ({
    name: { tenantId, objectId: parseKeyId(randomUUID()) },
    bytes: randomBytes(104),
  }));
  for (const { name, bytes } of objects) await store.put(name, bytes);
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

async function expectWhole(...names: string[]): Promise<void> {
  const store = await open(...names);
  for (const { name, bytes } of objects) expect(await store.find(name)).toEqual(bytes);
}

it('is whole again, with each object in the replacement, and destroys in both', async () => {
  renameSync(at('b'), at('b.lost'));
  make('c');
  await expect(open('a', 'c')).rejects.toEqual(wrong);
  expect(await replace(['a'], 'c')).toBe(3);
  await expectWhole('a', 'c');
  const store = await open('a', 'c');
  const [{ name } = { name: undefined }] = objects;
  if (name === undefined) throw new Error('no object');
  expect(await store.destroy(name)).toHaveLength(2);
  expect(await store.find(name)).toBeUndefined();
  // The one that was lost still holds it: it is nobody’s replica any more.
  renameSync(at('b.lost'), at('b'));
  await expect(open('a', 'b')).rejects.toEqual(wrong);
  await expect(open('b', 'c')).rejects.toEqual(wrong);
  await expect(open('a', 'b', 'c')).rejects.toEqual(wrong);
  await expect(replace(['a'], 'b')).rejects.toEqual(wrong);
  await expect(replace(['b'], 'c')).rejects.toEqual(wrong);
});

it('goes on where it was interrupted, before the survivors were told and after', async () => {
  rmSync(at('b'), { recursive: true });
  cpSync(at('a'), at('a.before'), { recursive: true });
  make('c');
  await replace(['a'], 'c');
  // As if it had stopped before the survivor was told: the survivor as it was, the replacement half filled.
  rmSync(at('a'), { recursive: true });
  renameSync(at('a.before'), at('a'));
  chmodSync(at('a'), 0o700);
  writeFileSync(path.join(at('c'), 'replacement-unfinished'), '');
  const [{ name } = { name: undefined }] = objects;
  if (name === undefined) throw new Error('no object');
  rmSync(path.join(at('c'), name.tenantId, name.objectId));
  await expect(open('a', 'c')).rejects.toEqual(wrong);
  expect(await replace(['a'], 'c')).toBe(3);
  await expectWhole('a', 'c');
  expect(await replace(['a'], 'c').catch(() => 'refused')).toBe(3);
  await expectWhole('a', 'c');
});

it('is refused into what is there already, from nothing, from strangers, and over another object', async () => {
  rmSync(at('b'), { recursive: true });
  writeFileSync(path.join(make('full'), 'something'), '');
  await expect(replace(['a'], 'full')).rejects.toEqual(wrong);
  await expect(replace(['a'], 'a')).rejects.toEqual(wrong);
  await expect(replace(['a'], 'nowhere')).rejects.toEqual(wrong);
  await expect(replace([], 'full')).rejects.toEqual(wrong);
  await createErasableStore({ replicas: [make('x'), make('y')] });
  make('empty');
  await expect(replace(['a', 'x'], 'empty')).rejects.toEqual(wrong);
  await expect(replace(['a'], 'x')).rejects.toEqual(wrong);
});
