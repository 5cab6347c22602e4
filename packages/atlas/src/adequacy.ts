// SPDX-License-Identifier: Apache-2.0
// Decisions by which one law finds another place's protection adequate, in force on a day.

import { checkDate, isInForce } from './calendar.ts';
import { isInside, membersOf } from './grouping.ts';
import { getJurisdiction } from './jurisdiction.ts';
import type { Adequacy } from './row.ts';
import { EU_ADEQUACY } from './tables/adequacy-eu.ts';
import { OTHER_ADEQUACY } from './tables/adequacy-other.ts';
import { CH_ADEQUACY, UK_ADEQUACY } from './tables/adequacy-uk-ch.ts';

const all: readonly Adequacy[] = [
  ...EU_ADEQUACY,
  ...UK_ADEQUACY,
  ...CH_ADEQUACY,
  ...OTHER_ADEQUACY,
];

/** All decisions of the atlas, past and present. */
export function listAdequacyDecisions(): readonly Adequacy[] {
  return all;
}

/** First day on which EEA EFTA states apply Commission decisions under the GDPR with the EU. */
const EEA_GDPR_FROM = '2018-07-20';

function isDecider(row: Adequacy, by: string, onDate: string): boolean {
  if (isInside(by, row.by, onDate)) return true;
  // EEA Joint Committee Decision 154/2018, adaptation (e) to art. 45 GDPR: absent a decision to the
  // contrary, Iceland, Liechtenstein and Norway apply the Commission's decisions at the same time.
  return row.by === 'eu' && onDate >= EEA_GDPR_FROM && isInside(by, 'eea', onDate);
}

function decisionsFor(by: string, to: string, onDate: string): readonly Adequacy[] {
  const direct = all.filter(
    (row) => isInForce(row, onDate) && isInside(to, row.to, onDate) && isDecider(row, by, onDate),
  );
  if (direct.length > 0 || getJurisdiction(to).kind !== 'grouping') return direct;
  // No decision names the grouping: it is covered only if each of its members is.
  const ofMembers = membersOf(to, onDate).map((member) => decisionsFor(by, member, onDate));
  return ofMembers.every((rows) => rows.length > 0) ? [...new Set(ofMembers.flat())] : [];
}

/**
 * Decisions in force on a day for transfers from `by` to `to`; empty when there is none. Both may be
 * countries: `de` is served by the EU's decisions, and `fr` is meant by a decision about the EEA. For a
 * grouping such as `channel-islands` the answer is its members' decisions, or none if one lacks any.
 *
 * Check `reach` and `conditions`: a partial decision covers only the recipients it names.
 *
 * @throws {AtlasError} `ATLAS_JURISDICTION_UNKNOWN` | `ATLAS_DATE_INVALID`
 */
export function adequacyDecisions(query: {
  readonly by: string;
  readonly to: string;
  readonly onDate: string;
}): readonly Adequacy[] {
  const { by, to, onDate } = query;
  checkDate(onDate);
  getJurisdiction(by);
  return decisionsFor(by, to, onDate);
}
