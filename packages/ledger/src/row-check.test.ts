// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import type { EntryBody } from './entry.ts';
import { sha256 } from './hash.ts';
import {
  DELETED_DIGEST,
  encodeWriteItems,
  parseWriteItems,
  type RowWrite,
  WriteHistory,
} from './row-check.ts';

const recordId = (n: number): RowWrite['recordId'] =>
  `0198c0de-0000-8000-8000-00000000000${n}` as RowWrite['recordId'];
const write = (n: number, version: number, text?: string): RowWrite => ({
  recordId: recordId(n),
  version,
  digest: text === undefined ? DELETED_DIGEST : sha256(Buffer.from(text)),
});
const anEntryOf = (...writes: readonly RowWrite[]): EntryBody => ({
  v: 1,
  id: '0198c0de-0000-7000-8000-000000000001' as EntryBody['id'],
  at: '2026-11-20T08:00:00.000Z',
  cell: 'eu-de/main' as EntryBody['cell'],
  kind: 'write',
  writes: { count: writes.length, hash: 'ab'.repeat(32), items: encodeWriteItems(writes) },
});

describe('rows against the ledger', () => {
  const history = new WriteHistory();
  history.add(anEntryOf(write(1, 1, 'a'), write(2, 1, 'b'), write(3, 1, 'c')));
  history.add(anEntryOf(write(1, 2, 'a2'), write(3, 2)));
  history.add({ ...anEntryOf(), kind: 'read' });
  const check = async (...rows: readonly RowWrite[]): Promise<unknown> => {
    const problems: unknown[] = [];
    for await (const { recordId, problem } of history.check(rows)) {
      problems.push([recordId.at(-1), problem]);
    }
    return problems;
  };

  it('finds nothing where all is as it was written', async () => {
    expect(await check(write(1, 2, 'a2'), write(2, 1, 'b'))).toEqual([]);
  });

  it.each([
    ['a whole older row put back', write(1, 1, 'a'), 'older'],
    ['an older row that never was', write(1, 1, 'zz'), 'older'],
    ['a changed row', write(1, 2, 'zz'), 'changed'],
    ['an older row under the newest version', write(1, 2, 'a'), 'changed'],
    ['a version that nobody wrote', write(1, 3, 'a3'), 'unrecorded'],
  ])('names %s', async (_what, row, problem) => {
    expect(await check(row, write(2, 1, 'b'))).toEqual([['1', problem]]);
  });

  it('names a row that nobody wrote, one that was deleted, and one that is gone', async () => {
    const rows = [write(1, 2, 'a2'), write(3, 1, 'c'), write(4, 1, 'd')];
    expect(await check(...rows)).toEqual([
      ['3', 'returned'],
      ['4', 'unrecorded'],
      ['2', 'missing'],
    ]);
  });

  it('reads items back, and refuses what is none', () => {
    const writes = [write(1, 1, 'a'), write(2, 4_294_967_295)];
    expect(encodeWriteItems(parseWriteItems(encodeWriteItems(writes)))).toBe(
      encodeWriteItems(writes),
    );
    for (const items of [
      'AAAA',
      `${encodeWriteItems(writes)}A`,
      '!',
      encodeWriteItems(writes).slice(1),
    ]) {
      expect(() => parseWriteItems(items)).toThrow(
        expect.objectContaining({ code: 'LEDGER_ENTRY_INVALID' }),
      );
    }
  });
});
