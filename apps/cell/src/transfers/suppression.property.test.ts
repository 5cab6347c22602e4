// SPDX-License-Identifier: Apache-2.0
// Goal: whoever knows every total cannot compute a small group. Method: random tables; each line of the
// result is examined from the reader's side.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Group, selectPublished } from './suppression.ts';

const K = 10;
const tables = fc
  .dictionary(
    fc
      .tuple(fc.constantFrom('de', 'fr', 'nl', 'it'), fc.constantFrom('01', '02', '03', '04'))
      .map((values) => values.join(' ')),
    fc.integer({ min: 1, max: 60 }),
    { minKeys: 1 },
  )
  .map((table): readonly Group[] =>
    Object.entries(table).map(([key, contributors]) => ({ values: key.split(' '), contributors })),
  );

const sum = (groups: readonly Group[]): number =>
  groups.reduce((total, { contributors }) => total + contributors, 0);

describe('suppression', () => {
  it('never publishes a group below the threshold', () => {
    fc.assert(
      fc.property(tables, (groups) => {
        for (const { contributors } of selectPublished(groups, { minimumCount: K })) {
          expect(contributors).toBeGreaterThanOrEqual(K);
        }
      }),
    );
  });

  it('leaves on no line a single group, or fewer people than the threshold, to subtraction', () => {
    fc.assert(
      fc.property(tables, fc.constantFrom(0, 1), (groups, dimension) => {
        const published = new Set(selectPublished(groups, { minimumCount: K }));
        const lines = [groups, ...Map.groupBy(groups, ({ values }) => values[dimension]).values()];
        for (const line of lines) {
          const hidden = line.filter((group) => !published.has(group));
          if (hidden.length === 0 || hidden.length === line.length) continue;
          expect(hidden.length).toBeGreaterThanOrEqual(2);
          expect(sum(hidden)).toBeGreaterThanOrEqual(K);
        }
      }),
    );
  });

  it('publishes everything when every group is large', () => {
    const groups = ['de', 'fr', 'nl'].map((country) => ({ values: [country], contributors: 12 }));
    expect(selectPublished(groups, { minimumCount: K })).toEqual(groups);
  });

  it.each([
    ['the next smallest with a single small one', [3, 11, 40], [40]],
    ['nothing more where two small ones are many together', [6, 7, 40], [40]],
    ['a third where two small ones are few together', [3, 4, 11, 40], [40]],
    ['both where nothing would remain beside', [3, 40], []],
    ['nothing of a table of small ones', [3, 4], []],
  ])('suppresses %s', (_what, counts, expected) => {
    const groups = counts.map((contributors, index) => ({ values: [`c${index}`], contributors }));
    const published = selectPublished(groups, { minimumCount: K });
    expect(published.map(({ contributors }) => contributors)).toEqual(expected);
  });

  it('gives nothing for nothing', () => {
    expect(selectPublished([], { minimumCount: K })).toEqual([]);
  });
});
