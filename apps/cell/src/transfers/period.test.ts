// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { assertEnded, isWithin, toPeriod } from './period.ts';

describe('periods', () => {
  it.each([
    ['2026', 'year', '2026-01-01', '2027-01-01'],
    ['2026-q1', 'quarter', '2026-01-01', '2026-04-01'],
    ['2026-q4', 'quarter', '2026-10-01', '2027-01-01'],
    ['2026-02', 'month', '2026-02-01', '2026-03-01'],
    ['2026-12', 'month', '2026-12-01', '2027-01-01'],
  ])('%s is a %s from %s until %s', (text, grain, from, until) => {
    expect(toPeriod(text)).toEqual({ text, grain, from, until });
  });

  it('have the first day and not the one after the last', () => {
    const period = toPeriod('2026-02');
    const days = ['2026-01-31', '2026-02-01', '2026-02-28', '2026-03-01'];
    expect(days.map((day) => isWithin(period, day))).toEqual([false, true, true, false]);
  });

  it('of one grain never overlap', () => {
    const months = Array.from({ length: 24 }, (_, at) =>
      toPeriod(`${2025 + Math.floor(at / 12)}-${String((at % 12) + 1).padStart(2, '0')}`),
    );
    for (const [at, month] of months.entries()) {
      if (at > 0) expect(month.from).toBe(months[at - 1]?.until);
    }
  });

  it('are told only once they have ended', () => {
    expect(() => assertEnded(toPeriod('2026-11'), '2026-11-30')).toThrow(
      expect.objectContaining({ code: 'TRANSFER_INVALID' }),
    );
    expect(() => assertEnded(toPeriod('2026-11'), '2026-12-01')).not.toThrow();
  });
});
