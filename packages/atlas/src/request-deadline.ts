// SPDX-License-Identifier: Apache-2.0
// How soon a person must have an answer. A month is the calendar's: to the same day of a later month, or to
// its last day where there is none. Working days leave out Saturdays and Sundays and no holidays, so that
// the day that comes out is never too late.
import { parseDate, toDate } from '@bailiwick/kernel';
import { checkDate } from './calendar.ts';
import type { DeadlineSpan, RequestDeadline } from './row.ts';
import { REQUEST_DEADLINES } from './tables/request-deadlines.ts';

const DAY_MS = 86_400_000;

/** All deadlines in the atlas. */
export function listRequestDeadlines(): readonly RequestDeadline[] {
  return REQUEST_DEADLINES;
}

/** The deadline that a regime sets for answering a person; `undefined`: the atlas knows none. */
export function findRequestDeadline(regime: string): RequestDeadline | undefined {
  return REQUEST_DEADLINES.find((row) => row.regime === regime);
}

/** The day on which a span that begins on `date` ends. @throws {AtlasError} `ATLAS_DATE_INVALID` */
export function addSpan(date: string, { count, unit }: DeadlineSpan): string {
  const startMs = parseDate(checkDate(date));
  if (unit === 'days') return toDate(startMs + count * DAY_MS);
  if (unit === 'months') return addMonths(date, count);
  let endMs = startMs;
  for (let left = count; left > 0; ) {
    endMs += DAY_MS;
    // 1970-01-01 was a Thursday: 4 when Sunday is 0.
    const weekday = (Math.floor(endMs / DAY_MS) + 4) % 7;
    if (weekday !== 0 && weekday !== 6) left -= 1;
  }
  return toDate(endMs);
}

function addMonths(date: string, count: number): string {
  const [year = 0, month = 1, day = 1] = date.split('-').map(Number);
  const months = year * 12 + (month - 1) + count;
  const place = `${Math.floor(months / 12)}-${String((months % 12) + 1).padStart(2, '0')}`;
  for (let last = day; ; last -= 1) {
    const candidate = `${place}-${String(last).padStart(2, '0')}`;
    if (isDay(candidate)) return candidate;
  }
}

function isDay(text: string): boolean {
  try {
    return toDate(parseDate(text)) === text;
  } catch {
    return false;
  }
}
