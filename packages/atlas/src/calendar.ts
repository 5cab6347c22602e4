// SPDX-License-Identifier: Apache-2.0
// What each row of each table carries, and how dates in rows are read. Law is not a constant: a row
// says where it comes from, until when we know it held, and whether that was confirmed.

import { isCoded, parseDate } from '@bailiwick/kernel';
import { AtlasError } from './errors.ts';
import type { Dated } from './row.ts';

/**
 * Refuses what is not a calendar date such as `2026-11-20`.
 *
 * @throws {AtlasError} `ATLAS_DATE_INVALID`
 */
export function checkDate(onDate: string): string {
  try {
    parseDate(onDate);
  } catch (cause) {
    if (!isCoded(cause, 'KERNEL_INSTANT_INVALID')) throw cause;
    throw new AtlasError('ATLAS_DATE_INVALID', 'expected a calendar date such as `2026-11-20`', {
      cause,
    });
  }
  return onDate;
}

/** True when `onDate` (already checked) lies in the row's days. ISO dates sort as text. */
export function isInForce(row: Dated, onDate: string): boolean {
  return row.from <= onDate && (row.until === undefined || onDate <= row.until);
}
