// SPDX-License-Identifier: Apache-2.0
// Goal: an instant outside of the cosigned times around it is found, and none within them. Method: a table of
// edges, and random logs held against the plain rule written out.
import { INSTANT_TOLERANCE_SECONDS } from '@bailiwick/ledger';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createInstantCheck } from './check-entries.ts';

const T0 = 1_795_000_000;
const at = (seconds: number): string => new Date((T0 + seconds) * 1000).toISOString();
const times = [
  { size: 10, atSeconds: T0 },
  { size: 20, atSeconds: T0 + 1_000 },
];
const edge = INSTANT_TOLERANCE_SECONDS;

describe('an entry’s instant', () => {
  it.each([
    [9, 0, true],
    [9, -100_000, true],
    [9, edge, true],
    [9, edge + 1, false],
    [10, -edge, true],
    [10, -edge - 1, false],
    [19, 1_000 + edge, true],
    [19, 1_000 + edge + 1, false],
    [20, 1_000 - edge, true],
    [20, 1_000 - edge - 1, false],
    [20, 900_000, true],
  ])('at position %i and second %i is plausible: %s', (index, seconds, isPlausible) => {
    expect(createInstantCheck(times)({ index, at: at(seconds) })).toBe(isPlausible);
  });

  it('is anything where nobody cosigned', () => {
    expect(createInstantCheck([])({ index: 3, at: at(0) })).toBe(true);
  });

  it('is judged as the rule says, whatever was cosigned in whatever order', () => {
    const cosigned = fc.record({
      size: fc.nat(50),
      atSeconds: fc.integer({ min: T0, max: T0 + 900 }),
    });
    fc.assert(
      fc.property(
        fc.array(cosigned, { maxLength: 8 }),
        fc.array(fc.tuple(fc.nat(60), fc.integer({ min: -200, max: 1_200 })), { maxLength: 30 }),
        (all, entries) => {
          const check = createInstantCheck(all);
          for (const [index, seconds] of entries.sort(([a], [b]) => a - b)) {
            const second = T0 + seconds;
            const isWithin = all.every(({ size, atSeconds }) =>
              index < size ? second <= atSeconds + edge : second >= atSeconds - edge,
            );
            expect(check({ index, at: at(seconds) })).toBe(isWithin);
          }
        },
      ),
    );
  });
});
