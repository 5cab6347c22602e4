// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { createBatcher } from './batcher.ts';

describe('the batcher', () => {
  it('gathers while a batch is under way, and keeps lanes apart', async () => {
    const batches: string[] = [];
    const batcher = createBatcher<number, number>({
      batchCountMax: 3,
      run: async (lane, items) => {
        batches.push(`${lane}:${items.join(',')}`);
        return items.map((item) => item * 2);
      },
    });
    const results = await Promise.all([
      ...[1, 2, 3, 4, 5].map((item) => batcher.submit('a', item)),
      batcher.submit('b', 9),
    ]);
    expect(results).toEqual([2, 4, 6, 8, 10, 18]);
    expect(batches.filter((batch) => batch.startsWith('a'))).toEqual(['a:1,2,3', 'a:4,5']);
    expect(batches.filter((batch) => batch.startsWith('b'))).toEqual(['b:9']);
  });
  it('does not let a bad item sink its batch', async () => {
    const batcher = createBatcher<number, number>({
      batchCountMax: 10,
      run: async (_, items) => {
        if (items.includes(3)) throw new Error('three');
        return items.map((item) => (item === 2 ? new Error('two') : item));
      },
    });
    const settled = await Promise.allSettled([1, 2, 3, 4].map((item) => batcher.submit('a', item)));
    expect(
      settled.map((one) => (one.status === 'fulfilled' ? one.value : one.reason.message)),
    ).toEqual([1, 'two', 'three', 4]);
  });
  it('keeps two items with one key out of one batch, in order', async () => {
    const batches: string[] = [];
    const batcher = createBatcher<string, string>({
      batchCountMax: 10,
      keyOf: (item) => item.slice(0, 1),
      run: async (_, items) => {
        batches.push(items.join(','));
        return items;
      },
    });
    await Promise.all(['a1', 'b1', 'a2', 'a3'].map((item) => batcher.submit('x', item)));
    expect(batches).toEqual(['a1,b1', 'a2', 'a3']);
  });
  it('turns away what would wait behind too many', async () => {
    let finish: (() => void) | undefined;
    const gate = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const batcher = createBatcher<number, number>({
      batchCountMax: 1,
      run: async (_, items) => {
        await gate;
        return items;
      },
    });
    const waiting = Array.from({ length: 5000 }, (_, item) => batcher.submit('a', item));
    const refused = waiting.at(-1)?.catch((error) => error.code);
    expect(await refused).toBe('CELL_OVERLOADED');
    finish?.();
    await Promise.allSettled(waiting);
  });
});
