// SPDX-License-Identifier: Apache-2.0
// Rules that keep data in a place: stored onshore, leaving only with approval, or kept from certain
// places. Localisation is not residency: it is the law's demand and not the contract's.

import { checkDate, isInForce } from './calendar.ts';
import { isInside } from './grouping.ts';
import { getJurisdiction } from './jurisdiction.ts';
import type { LocalisationRule } from './row.ts';
import { LOCALISATION_RULES } from './tables/localisation-rules.ts';

/** All rules of localisation in the atlas. */
export function listLocalisationRules(): readonly LocalisationRule[] {
  return LOCALISATION_RULES;
}

/**
 * Rules of localisation that held in a place on a day, those of what it lies within included.
 *
 * @throws {AtlasError} `ATLAS_JURISDICTION_UNKNOWN` | `ATLAS_DATE_INVALID`
 */
export function localisationRulesOf(
  jurisdiction: string,
  onDate: string,
): readonly LocalisationRule[] {
  checkDate(onDate);
  getJurisdiction(jurisdiction);
  return LOCALISATION_RULES.filter(
    (rule) => isInForce(rule, onDate) && isInside(jurisdiction, rule.jurisdiction, onDate),
  );
}
