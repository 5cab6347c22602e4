// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { findRegime } from './regime.ts';
import { addSpan, findRequestDeadline, listRequestDeadlines } from './request-deadline.ts';

describe('the deadlines of the atlas', () => {
  it('are of regimes that the atlas knows, one each, with their source', () => {
    const rows = listRequestDeadlines();
    expect(rows.length).toBeGreaterThanOrEqual(8);
    expect(new Set(rows.map(({ regime }) => regime)).size).toBe(rows.length);
    for (const { regime, source, article, asOf } of rows) {
      expect(findRegime(regime), regime).toBeDefined();
      expect(source.length, regime).toBeGreaterThan(8);
      expect(article, regime).not.toBe('');
      expect(asOf <= '2026-11-20', regime).toBe(true);
    }
  });

  it('are unknown for a regime without one', () => {
    expect(findRequestDeadline('pci-dss')).toBeUndefined();
  });
});

describe('a span', () => {
  it.each([
    ['2026-01-31', { count: 1, unit: 'months' }, '2026-02-28'],
    ['2028-01-31', { count: 1, unit: 'months' }, '2028-02-29'],
    ['2026-11-30', { count: 3, unit: 'months' }, '2027-02-28'],
    ['2026-12-15', { count: 1, unit: 'months' }, '2027-01-15'],
    ['2026-11-20', { count: 45, unit: 'days' }, '2027-01-04'],
    // A Friday: the next working day is the Monday.
    ['2026-11-20', { count: 1, unit: 'working-days' }, '2026-11-23'],
    ['2026-11-20', { count: 20, unit: 'working-days' }, '2026-12-18'],
  ] as const)('from %s of %j ends on %s', (from, span, end) => {
    expect(addSpan(from, span)).toBe(end);
  });

  it('is refused from a day that is none', () => {
    expect(() => addSpan('2026-02-30', { count: 1, unit: 'days' })).toThrow();
  });
});
