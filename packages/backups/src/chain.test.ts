// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { findChain, listExpired, newestOf } from './chain.ts';

interface Link {
  readonly backupId: string;
  readonly kind: 'full' | 'incremental';
  readonly parent?: string;
  readonly at: string;
  readonly retainUntil: string;
}

const day = (number: number): string => `2026-01-${String(number).padStart(2, '0')}T00:00:00.000Z`;
const full = (backupId: string, number: number): Link => ({
  ...{ backupId, kind: 'full' as const, at: day(number), retainUntil: day(number + 10) },
});
const next = (backupId: string, parent: string, number: number): Link => ({
  ...{
    backupId,
    parent,
    kind: 'incremental' as const,
    at: day(number),
    retainUntil: day(number + 10),
  },
});
const ids = (links: readonly Link[]): readonly string[] => links.map(({ backupId }) => backupId);

const a1 = full('a1', 1);
const a2 = next('a2', 'a1', 2);
const a3 = next('a3', 'a2', 3);
const b1 = full('b1', 4);
const b2 = next('b2', 'b1', 5);
const all = [b2, a3, a1, b1, a2];

describe('the chain of backups to a state', () => {
  it('is the newest, from its full backup on', () => {
    expect(ids(findChain(all))).toEqual(['b1', 'b2']);
  });

  it.each([
    [day(1), ['a1']],
    [day(2), ['a1', 'a2']],
    ['2026-01-03T12:00:00.000Z', ['a1', 'a2', 'a3']],
    [day(4), ['b1']],
    [day(20), ['b1', 'b2']],
  ])('at %s is %j', (at, expected) => {
    expect(ids(findChain(all, { at }))).toEqual(expected);
  });

  it.each([
    ['before the first', all, day(0)],
    ['of no backups', [], day(9)],
    ['whose full backup is gone', [a2, a3], day(3)],
    ['whose middle is gone', [a1, a3], day(3)],
    ['that turns in a circle', [next('x', 'y', 1), next('y', 'x', 2)], day(3)],
  ])('is refused for a time %s', (_what, links, at) => {
    expect(() => findChain(links, { at })).toThrowError(
      expect.objectContaining({ code: 'BACKUPS_POINT_MISSING' }),
    );
  });
});

describe('what the store may forget', () => {
  it('is nothing within its term', () => {
    expect(listExpired(all, { now: day(5) })).toEqual([]);
  });

  it('keeps what a backup within its term is built on', () => {
    expect(ids(listExpired(all, { now: day(12) }))).toEqual([]);
    expect(ids(listExpired(all, { now: day(13) })).toSorted()).toEqual(['a1', 'a2', 'a3']);
  });

  it('never is the newest chain', () => {
    expect(ids(listExpired(all, { now: day(31) })).toSorted()).toEqual(['a1', 'a2', 'a3']);
    expect(newestOf(all)?.backupId).toBe('b2');
  });
});
