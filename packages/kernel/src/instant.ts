// SPDX-License-Identifier: Apache-2.0
// Instants travel as RFC 3339 in UTC with milliseconds; inside they are milliseconds since 1970.
import { KernelError } from './errors.ts';

const RFC_3339_UTC = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,3}))?Z$/;
const DATE = /^(\d{4})-(\d{2})-(\d{2})$/;
const DAY_MS = 86_400_000;

/** Days since 1970-01-01 of a proleptic Gregorian date (Howard Hinnant, "chrono-compatible dates"). */
function toDays(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra =
    yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

function fromDays(days: number): readonly [year: number, month: number, day: number] {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthShifted = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * monthShifted + 2) / 5) + 1;
  const month = monthShifted < 10 ? monthShifted + 3 : monthShifted - 9;
  return [yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day];
}

const two = (value: number): string => String(value).padStart(2, '0');

/** Milliseconds since 1970 as `2026-11-20T08:00:00.000Z`. */
export function toInstant(ms: number): string {
  const days = Math.floor(ms / DAY_MS);
  const rest = ms - days * DAY_MS;
  const [year, month, day] = fromDays(days);
  const seconds = Math.floor(rest / 1000);
  const time = `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}T${time}.${String(Math.floor(rest % 1000)).padStart(3, '0')}Z`;
}

/** Milliseconds since 1970 as the date `2026-11-20` (UTC). */
export function toDate(ms: number): string {
  return toInstant(ms).slice(0, 10);
}

/**
 * Reads an RFC 3339 instant in UTC (`Z`; other offsets are refused) into milliseconds since 1970.
 *
 * @throws {KernelError} `KERNEL_INSTANT_INVALID`
 */
export function parseInstant(text: string): number {
  const match = RFC_3339_UTC.exec(text);
  if (!match)
    throw new KernelError('KERNEL_INSTANT_INVALID', 'expected an RFC 3339 instant in UTC');
  const [, , , , hour, minute, second, fraction = '0'] = match;
  const days = parseDateDays(text.slice(0, 10));
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) {
    throw new KernelError('KERNEL_INSTANT_INVALID', 'time of day is out of range');
  }
  const ms = Number(fraction.padEnd(3, '0'));
  return days * DAY_MS + (Number(hour) * 3600 + Number(minute) * 60 + Number(second)) * 1000 + ms;
}

/** Reads `2026-11-20` into milliseconds since 1970 at its first instant in UTC. @throws {KernelError} */
export function parseDate(text: string): number {
  return parseDateDays(text) * DAY_MS;
}

function parseDateDays(text: string): number {
  const match = DATE.exec(text);
  if (!match)
    throw new KernelError('KERNEL_INSTANT_INVALID', 'expected a date such as `2026-11-20`');
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])];
  const days = toDays(year, month, day);
  const [backYear, backMonth, backDay] = fromDays(days);
  if (backYear !== year || backMonth !== month || backDay !== day) {
    throw new KernelError('KERNEL_INSTANT_INVALID', 'no such day in the calendar');
  }
  return days;
}
