// SPDX-License-Identifier: Apache-2.0
export {
  type Adequacy,
  type AdequacyReach,
  adequacyDecisions,
  listAdequacyDecisions,
} from './adequacy.ts';
export { AtlasError, type AtlasErrorCode } from './errors.ts';
export { isWithin, listMemberships, membersOf } from './grouping.ts';
export {
  findJurisdiction,
  getJurisdiction,
  type Jurisdiction,
  type JurisdictionKind,
  listJurisdictions,
} from './jurisdiction.ts';
export { ATLAS_DATES, parseAtlasDate } from './snapshot.ts';
export type { Dated, Sourced } from './sourced.ts';
export type { Membership } from './tables/memberships.ts';
