// SPDX-License-Identifier: Apache-2.0
// Which place lies within which, on a day. Groupings are dated: the United Kingdom was in the EU until
// 31 January 2020, and a question without a day has no answer.

import { checkDate, isInForce } from './calendar.ts';
import { AtlasError } from './errors.ts';
import { getJurisdiction } from './jurisdiction.ts';
import { PART_OF_DEPTH_MAX } from './limits.ts';
import type { Membership } from './row.ts';
import { MEMBERSHIPS } from './tables/memberships.ts';
import { EXCLUSIONS } from './tables/parts.ts';

const membershipsOf = new Map<string, Membership[]>();
const membershipsIn = new Map<string, Membership[]>();
for (const row of MEMBERSHIPS) {
  membershipsOf.set(row.grouping, [...(membershipsOf.get(row.grouping) ?? []), row]);
  membershipsIn.set(row.member, [...(membershipsIn.get(row.member) ?? []), row]);
}

/**
 * Countries and territories that belonged to a grouping on a day, by their own row of membership, in
 * the order of ids. Parts of a member (`gp` of `fr`) are not listed; `isWithin` knows them.
 *
 * @throws {AtlasError} `ATLAS_GROUPING_UNKNOWN` | `ATLAS_DATE_INVALID`
 */
export function membersOf(grouping: string, onDate: string): readonly string[] {
  checkDate(onDate);
  const rows = membershipsOf.get(grouping);
  if (rows === undefined) {
    throw new AtlasError('ATLAS_GROUPING_UNKNOWN', 'no grouping with this id in the atlas');
  }
  return rows
    .filter((row) => isInForce(row, onDate))
    .map((row) => row.member)
    .sort();
}

/** Rows of membership of a country or territory in any grouping, of all times. */
export function listMemberships(member: string): readonly Membership[] {
  return membershipsIn.get(member) ?? [];
}

function isPlaceWithin(inner: string, outer: string, onDate: string, depth: number): boolean {
  if (inner === outer) return true;
  if (depth === 0) return false;
  const isExcluded = EXCLUSIONS.some(
    (row) => row.member === inner && row.grouping === outer && isInForce(row, onDate),
  );
  if (isExcluded) return false;
  const rows = membershipsIn.get(inner) ?? [];
  if (rows.some((row) => row.grouping === outer && isInForce(row, onDate))) return true;
  return getJurisdiction(inner).partOf.some((whole) =>
    isPlaceWithin(whole, outer, onDate, depth - 1),
  );
}

/** `isWithin` for a day that was checked already: the one that loops over rows call. */
export function isInside(inner: string, outer: string, onDate: string): boolean {
  const { kind } = getJurisdiction(inner);
  if (inner === outer) return true;
  if (kind !== 'grouping') return isPlaceWithin(inner, outer, onDate, PART_OF_DEPTH_MAX);
  const members = membershipsOf.get(inner) ?? [];
  const present = members.filter((row) => isInForce(row, onDate));
  return (
    present.length > 0 &&
    present.every((row) => isPlaceWithin(row.member, outer, onDate, PART_OF_DEPTH_MAX))
  );
}

/**
 * True when `inner` lay within `outer` on this day: the same place, a part of it, or a member of the
 * grouping. A grouping lies within another when each of its members does (`eu` in `eea`).
 *
 * @throws {AtlasError} `ATLAS_JURISDICTION_UNKNOWN` | `ATLAS_DATE_INVALID`
 */
export function isWithin(inner: string, outer: string, onDate: string): boolean {
  checkDate(onDate);
  getJurisdiction(outer);
  return isInside(inner, outer, onDate);
}
