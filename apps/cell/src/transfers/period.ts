// SPDX-License-Identifier: Apache-2.0
// Periods of figures: calendar months, quarters and years, which have ended. Fixed and of one grain they do
// not overlap, so that no two figures differ by a few days, or by one late record.
import { CellError } from '../errors.ts';

export type Grain = 'month' | 'quarter' | 'year';

/** `2026-01`, `2026-q1`, `2026`: the schema has let nothing else through. */
export interface Period {
  readonly text: string;
  readonly grain: Grain;
  /** First day, and the first day after it: `2026-01-01`. */
  readonly from: string;
  readonly until: string;
}

const toDay = (year: number, month: number): string =>
  `${String(year + Math.floor(month / 12)).padStart(4, '0')}-${String((month % 12) + 1).padStart(2, '0')}-01`;

/** Reads a period. */
export function toPeriod(text: string): Period {
  const year = Number(text.slice(0, 4));
  if (text.length === 4) {
    return { text, grain: 'year', from: toDay(year, 0), until: toDay(year, 12) };
  }
  if (text[5] === 'q') {
    const month = (Number(text[6]) - 1) * 3;
    return { text, grain: 'quarter', from: toDay(year, month), until: toDay(year, month + 3) };
  }
  const month = Number(text.slice(5)) - 1;
  return { text, grain: 'month', from: toDay(year, month), until: toDay(year, month + 1) };
}

/** @throws {CellError} `TRANSFER_INVALID` for a period that still goes on */
export function assertEnded({ until }: Period, today: string): void {
  if (until <= today) return;
  const detail = 'the period has not ended: a figure of it would change';
  throw new CellError('TRANSFER_INVALID', detail, {
    places: [{ pointer: '/aggregate/period', detail }],
  });
}

/** True when a law date lies in the period. */
export const isWithin = ({ from, until }: Period, lawDate: string): boolean =>
  lawDate >= from && lawDate < until;
