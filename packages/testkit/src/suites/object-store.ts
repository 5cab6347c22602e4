// SPDX-License-Identifier: Apache-2.0
// Goal: every object store writes once, whole or not at all, and keeps objects for their term. Method: the
// same cases on every store.
import { createHash } from 'node:crypto';
import type { ObjectStore } from '@bailiwick/backups';
import { afterEach, describe, expect, it } from 'vitest';

/** A store under test and what can be done to it from its other side. */
export interface OpenedObjectStore {
  readonly store: ObjectStore;
  /** The same store as another process would open it. */
  again(): Promise<ObjectStore>;
  close(): Promise<void>;
}

const NOW_MS = Date.UTC(2026, 10, 20);
const TERM = { retainUntilMs: NOW_MS + 1_000 };

async function contentOf(store: ObjectStore, name: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of store.read(name)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function* failing(): AsyncGenerator<Buffer> {
  yield Buffer.from('half');
  throw new Error('the source ended');
}

/** Holds a store to the port's promises. */
export function describeObjectStore(name: string, open: () => Promise<OpenedObjectStore>): void {
  describe(`object store: ${name}`, () => {
    let opened: OpenedObjectStore | undefined;
    const openOne = async (): Promise<OpenedObjectStore> => {
      opened = await open();
      return opened;
    };
    afterEach(async () => {
      await opened?.close();
      opened = undefined;
    });

    it('gives back what it took, in pieces of any size, also to another process', async () => {
      const { store, again } = await openOne();
      const content = Buffer.alloc(3_000_000, 'abc');
      const pieces = [
        content.subarray(0, 1),
        content.subarray(1, 2_000_000),
        content.subarray(2_000_000),
      ];
      const written = await store.put('a/one', pieces, TERM);
      const sha256 = createHash('sha256').update(content).digest('hex');
      expect(written).toEqual({ name: 'a/one', sizeBytes: content.length, sha256 });
      expect((await contentOf(store, 'a/one')).equals(content)).toBe(true);
      expect((await contentOf(await again(), 'a/one')).equals(content)).toBe(true);
    });

    it('keeps an empty object', async () => {
      const { store } = await openOne();
      await store.put('empty', [], TERM);
      expect(await contentOf(store, 'empty')).toEqual(Buffer.alloc(0));
    });

    it('overwrites nothing', async () => {
      const { store } = await openOne();
      await store.put('one', [Buffer.from('first')], TERM);
      await expect(store.put('one', [Buffer.from('other')], TERM)).rejects.toMatchObject({
        code: 'BACKUPS_OBJECT_EXISTS',
      });
      expect(String(await contentOf(store, 'one'))).toBe('first');
    });

    it('lets one of two writers of a name win', async () => {
      const { store, again } = await openOne();
      const other = await again();
      const outcomes = await Promise.allSettled(
        [store, other].map((one, index) => one.put('race', [Buffer.from(String(index))], TERM)),
      );
      expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
      const winner = outcomes.findIndex(({ status }) => status === 'fulfilled');
      expect(String(await contentOf(store, 'race'))).toBe(String(winner));
    });

    it('has nothing of an object whose source failed', async () => {
      const { store } = await openOne();
      await expect(store.put('half', failing(), TERM)).rejects.toThrow();
      expect(await store.list('')).toEqual([]);
      await expect(contentOf(store, 'half')).rejects.toMatchObject({
        code: 'BACKUPS_OBJECT_MISSING',
      });
      await store.put('half', [Buffer.from('whole')], TERM);
      expect(String(await contentOf(store, 'half'))).toBe('whole');
    });

    it('lists by prefix, in the order of names', async () => {
      const { store } = await openOne();
      for (const one of ['b/2', 'b/10', 'a', 'b/1', 'bc/1']) await store.put(one, [], TERM);
      expect((await store.list('')).map((one) => one.name)).toEqual([
        'a',
        'b/1',
        'b/10',
        'b/2',
        'bc/1',
      ]);
      expect((await store.list('b/')).map((one) => one.name)).toEqual(['b/1', 'b/10', 'b/2']);
      expect((await store.list('b/1')).map((one) => one.name)).toEqual(['b/1', 'b/10']);
      expect(await store.list('c/')).toEqual([]);
    });

    it('tells size and term', async () => {
      const { store } = await openOne();
      await store.put('one', [Buffer.alloc(7)], TERM);
      expect(await store.list('one')).toEqual([{ name: 'one', sizeBytes: 7, ...TERM }]);
    });

    it('removes nothing before its term has ended', async () => {
      const { store } = await openOne();
      await store.put('one', [Buffer.from('kept')], TERM);
      await expect(store.remove('one', { nowMs: NOW_MS })).rejects.toMatchObject({
        code: 'BACKUPS_OBJECT_RETAINED',
      });
      expect(String(await contentOf(store, 'one'))).toBe('kept');
      await store.remove('one', { nowMs: TERM.retainUntilMs });
      expect(await store.list('')).toEqual([]);
    });

    it('says that an object is not there', async () => {
      const { store } = await openOne();
      const gone = { code: 'BACKUPS_OBJECT_MISSING' };
      await expect(contentOf(store, 'none')).rejects.toMatchObject(gone);
      await expect(store.remove('none', { nowMs: NOW_MS })).rejects.toMatchObject(gone);
    });

    it.each([
      '',
      '/a',
      'a/',
      '../a',
      'a/../b',
      'a//b',
      '.hidden',
      'A',
      'a b',
      'ä',
      'a\0b',
      'x'.repeat(300),
    ])('refuses the name %j', async (wrong) => {
      const { store } = await openOne();
      const refused = { code: 'BACKUPS_NAME_INVALID' };
      await expect(store.put(wrong, [], TERM)).rejects.toMatchObject(refused);
      await expect(contentOf(store, wrong)).rejects.toMatchObject(refused);
      await expect(store.remove(wrong, { nowMs: NOW_MS })).rejects.toMatchObject(refused);
    });
  });
}
