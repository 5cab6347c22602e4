// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { ATLAS_DATES, parseAtlasDate } from './index.ts';

describe('the date of the atlas', () => {
  it('is one of those it holds, oldest first', () => {
    expect(ATLAS_DATES.length).toBeGreaterThan(0);
    expect([...ATLAS_DATES].sort()).toEqual(ATLAS_DATES);
    for (const date of ATLAS_DATES) expect(parseAtlasDate(date)).toBe(date);
  });

  it.each(['2026-11-19', '2026-11-21', '1999-01-01'])(
    '%s is unknown, and not the nearest',
    (text) => {
      expect(() => parseAtlasDate(text)).toThrow(
        expect.objectContaining({ code: 'ATLAS_DATE_UNKNOWN' }),
      );
    },
  );

  it.each(['', 'latest', '2026-11-31', '2026-11-20 ', '20261120'])('%j is no date', (text) => {
    expect(() => parseAtlasDate(text)).toThrow(
      expect.objectContaining({ code: 'ATLAS_DATE_INVALID' }),
    );
  });
});
