// SPDX-License-Identifier: Apache-2.0
// Goal: every store of a log gives each durable entry one position, never two, whatever its sequencers do.
// Method: the same cases on every store; trees are recomputed from the leaves by the slow definition of
// RFC 6962 and compared.

import type { TenantId } from '@bailiwick/kernel';
import { createUuidV7, parseEntryId, parseTenantId } from '@bailiwick/kernel';
import {
  commitEntry,
  createProver,
  EMPTY_ROOT,
  type LogStore,
  listTiles,
  type NewEntry,
  toLeafHash,
  toNodeHash,
  verifyConsistency,
  verifyInclusion,
} from '@bailiwick/ledger';
import { afterEach, describe, expect, it } from 'vitest';
import { createFakeClock } from '../fake-clock.ts';
import { createSeededRandom } from '../seeded-random.ts';

/** A store and what belongs to it. `again` opens the same store as another process would. */
export interface OpenedLogStore {
  readonly store: LogStore;
  again(): LogStore;
  close(): Promise<void>;
}

const SEED = 300;
const ports = { clock: createFakeClock(), random: createSeededRandom(SEED) };
export const A_TENANT: TenantId = parseTenantId('0198c0de-0000-7000-8000-000000000001');

/** An entry of this body, ready to be appended. */
export function aNewEntry(body: string, tenantId: TenantId | undefined = A_TENANT): NewEntry {
  const salt = ports.random.bytes(32);
  const entryId = parseEntryId(createUuidV7(ports));
  return { tenantId, entryId, kind: 'write', salt, body, commitment: commitEntry(salt, body) };
}

/** That many entries. */
export function someEntries(count: number): readonly NewEntry[] {
  return Array.from({ length: count }, (_, index) => aNewEntry(`{"v":1,"n":${index}}`));
}

/** RFC 6962 §2.1, word by word. */
export function toSlowRoot(leaves: readonly Uint8Array[]): Uint8Array {
  const [only] = leaves;
  if (only === undefined) return EMPTY_ROOT;
  if (leaves.length === 1) return only;
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return toNodeHash(toSlowRoot(leaves.slice(0, split)), toSlowRoot(leaves.slice(split)));
}

async function readLeaves(store: LogStore, epoch: number, size: number): Promise<Uint8Array[]> {
  const leaves: Uint8Array[] = [];
  for (const address of listTiles(size)) {
    if (address.level !== 'entries') continue;
    const bytes = (await store.readTile(epoch, address)) ?? new Uint8Array(0);
    for (let at = 0; at < bytes.length; at += 32) leaves.push(bytes.slice(at, at + 32));
  }
  return leaves;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const step = { epoch: 1, entriesCountMax: 10_000 };

/** Holds a store to the port's promises. */
export function describeLogStore(name: string, open: () => Promise<OpenedLogStore>): void {
  describe(`log store: ${name}`, () => {
    let opened: OpenedLogStore | undefined;
    const openOne = async (): Promise<OpenedLogStore> => {
      opened = await open();
      return opened;
    };
    afterEach(async () => {
      await opened?.close();
      opened = undefined;
    });

    it('is empty at first and says so', async () => {
      const { store } = await openOne();
      const head = await store.readHead(1);
      expect([head.size, hex(head.root)]).toEqual([0, hex(EMPTY_ROOT)]);
      expect((await store.sequence(step)).entriesCount).toBe(0);
      expect(await store.readCheckpoint(1)).toBeUndefined();
      expect(await store.readTile(1, { level: 0, index: 0, width: 1 })).toBeUndefined();
      expect(await store.findBatch('1')).toBeUndefined();
    });

    it('gives each entry one position and reaches the root of RFC 6962', async () => {
      const { store } = await openOne();
      const all: NewEntry[] = [];
      for (const count of [1, 2, 3, 250, 1, 255, 256, 257, 600]) {
        const entries = someEntries(count);
        const batch = await store.append(entries);
        const { head, entriesCount } = await store.sequence(step);
        expect(entriesCount).toBe(count);
        expect(await store.findBatch(batch)).toEqual({ epoch: 1, firstIndex: all.length, count });
        all.push(...entries);
        expect(head.size).toBe(all.length);
        const leaves = all.map(({ commitment }) => toLeafHash(commitment));
        expect(hex(head.root)).toBe(hex(toSlowRoot(leaves)));
      }
      const leaves = await readLeaves(store, 1, all.length);
      expect(leaves.map(hex)).toEqual(all.map(({ commitment }) => hex(commitment)));
    });

    it('serves every tile of its size, and the beginning of a tile that has grown', async () => {
      const { store } = await openOne();
      await store.append(someEntries(700));
      await store.sequence(step);
      for (const address of listTiles(700)) {
        const bytes = await store.readTile(1, address);
        expect(bytes?.length, JSON.stringify(address)).toBe(address.width * 32);
      }
      const whole = await store.readTile(1, { level: 0, index: 2, width: 188 });
      const part = await store.readTile(1, { level: 0, index: 2, width: 100 });
      expect(hex(part ?? EMPTY_ROOT)).toBe(hex(whole?.subarray(0, 3200) ?? new Uint8Array(0)));
      for (const absent of [
        { level: 0, index: 2, width: 189 },
        { level: 0, index: 3, width: 1 },
        { level: 1, index: 0, width: 3 },
        { level: 2, index: 0, width: 1 },
        { level: 'entries', index: 2, width: 189 },
      ] as const) {
        expect(await store.readTile(1, absent), JSON.stringify(absent)).toBeUndefined();
      }
    });

    it('lets proofs of inclusion and consistency be made from its tiles', async () => {
      const { store } = await openOne();
      const entries = someEntries(530);
      await store.append(entries.slice(0, 300));
      const old = (await store.sequence(step)).head;
      await store.append(entries.slice(300));
      const { head } = await store.sequence(step);
      const prover = createProver(async (address) => {
        return (await store.readTile(1, address)) ?? new Uint8Array(0);
      });
      for (const index of [0, 1, 255, 256, 299, 300, 511, 512, 529]) {
        const hashes = await prover.proveInclusion({ index, size: head.size });
        const leafHash = toLeafHash(entries[index]?.commitment ?? EMPTY_ROOT);
        verifyInclusion({ leafHash, index, size: head.size, hashes }, head.root);
      }
      const sizes = { oldSize: old.size, size: head.size };
      const hashes = await prover.proveConsistency(sizes);
      verifyConsistency({ ...sizes, oldRoot: old.root, root: head.root, hashes });
    });

    it('takes about as much as it is told and leaves the rest', async () => {
      const { store } = await openOne();
      for (let count = 0; count < 5; count += 1) await store.append(someEntries(10));
      const sizes: number[] = [];
      for (;;) {
        const { head, entriesCount } = await store.sequence({ epoch: 1, entriesCountMax: 20 });
        if (entriesCount === 0) break;
        sizes.push(head.size);
      }
      expect(sizes).toEqual([20, 40, 50]);
    });

    it('keeps the larger of two checkpoints and none that is ahead of its head', async () => {
      const { store } = await openOne();
      await store.append(someEntries(10));
      await store.sequence(step);
      expect(await store.saveCheckpoint(1, { size: 11, note: 'ahead' })).toBe(false);
      expect(await store.readCheckpoint(1)).toBeUndefined();
      expect(await store.saveCheckpoint(1, { size: 10, note: 'ten' })).toBe(true);
      expect(await store.saveCheckpoint(1, { size: 9, note: 'nine' })).toBe(false);
      expect(await store.readCheckpoint(1)).toEqual({ size: 10, note: 'ten' });
      expect(await store.saveCheckpoint(2, { size: 1, note: 'other' })).toBe(false);
    });

    it('refuses to go on in an epoch once a later one is open', async () => {
      const { store, again } = await openOne();
      await store.append(someEntries(3));
      await store.sequence(step);
      await store.append(someEntries(3));
      const { head } = await again().sequence({ ...step, epoch: 2 });
      expect([head.epoch, head.size]).toEqual([2, 3]);
      await store.append(someEntries(1));
      await expect(store.sequence(step)).rejects.toMatchObject({ code: 'LEDGER_EPOCH_CLOSED' });
      expect((await store.readHead(1)).size).toBe(3);
      expect((await store.sequence({ ...step, epoch: 2 })).head.size).toBe(4);
    });

    it('gives no position twice while many append and several sequence', async () => {
      const { store, again } = await openOne();
      const stores = [store, again(), again()];
      const batches: { readonly batch: string; readonly entries: readonly NewEntry[] }[] = [];
      const append = async (writer: LogStore): Promise<void> => {
        for (let round = 0; round < 12; round += 1) {
          const entries = someEntries(1 + ((round * 37) % 90));
          batches.push({ entries, batch: await writer.append(entries) });
        }
      };
      let isAppending = true;
      const sequence = async (sequencer: LogStore): Promise<void> => {
        for (;;) {
          const wasAppending = isAppending;
          const { entriesCount } = await sequencer.sequence({ epoch: 1, entriesCountMax: 100 });
          if (!wasAppending && entriesCount === 0) return;
          await new Promise((resolve) => setImmediate(resolve));
        }
      };
      const sequencing = stores.map(sequence);
      await Promise.all(stores.map(append));
      isAppending = false;
      await Promise.all(sequencing);
      const { size, root } = await store.readHead(1);
      expect(size).toBe(batches.reduce((sum, { entries }) => sum + entries.length, 0));
      const leaves = await readLeaves(store, 1, size);
      expect(hex(toSlowRoot(leaves.map(toLeafHash)))).toBe(hex(root));
      const taken = new Set<number>();
      for (const { batch, entries } of batches) {
        const place = await store.findBatch(batch);
        for (const [offset, { commitment }] of entries.entries()) {
          const index = (place?.firstIndex ?? Number.NaN) + offset;
          expect(hex(leaves[index] ?? EMPTY_ROOT)).toBe(hex(commitment));
          taken.add(index);
        }
      }
      expect(taken.size).toBe(size);
    });
  });
}
