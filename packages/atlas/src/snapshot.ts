// SPDX-License-Identifier: Apache-2.0
// A charter imports the atlas by date, so that it never changes meaning silently: each published state
// of the tables has a date, and a date that is not one of them is an error and not the nearest one.

import { checkDate } from './calendar.ts';
import { AtlasError } from './errors.ts';

/** Dates of the states of the atlas that this package holds, oldest first. */
export const ATLAS_DATES: readonly string[] = ['2026-11-20'];

/**
 * Reads the date by which a charter imports the atlas.
 *
 * @throws {AtlasError} `ATLAS_DATE_INVALID` when it is no date; `ATLAS_DATE_UNKNOWN` when no state of
 * the atlas has this date.
 */
export function parseAtlasDate(text: string): string {
  checkDate(text);
  if (!ATLAS_DATES.includes(text)) {
    throw new AtlasError(
      'ATLAS_DATE_UNKNOWN',
      `the atlas has no state of \`${text}\`; known: ${ATLAS_DATES.map((date) => `\`${date}\``).join(', ')}`,
      { details: { known: ATLAS_DATES } },
    );
  }
  return text;
}
