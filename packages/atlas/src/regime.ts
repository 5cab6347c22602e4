// SPDX-License-Identifier: Apache-2.0
// The laws (and a few standards with the force of contract) that a datum can carry, by place and day.

import { checkDate, isInForce } from './calendar.ts';
import { AtlasError } from './errors.ts';
import { isInside, membersOf } from './grouping.ts';
import { getJurisdiction } from './jurisdiction.ts';
import type { Regime } from './row.ts';
import { REGIMES } from './tables/regimes.ts';
import { SECTOR_REGIMES } from './tables/regimes-sector.ts';
import { US_STATE_REGIMES } from './tables/regimes-us-states.ts';

const all: readonly Regime[] = [...REGIMES, ...US_STATE_REGIMES, ...SECTOR_REGIMES];
const byId = new Map(all.map((regime) => [regime.id, regime]));

/** All regimes of the atlas, past, present and announced. */
export function listRegimes(): readonly Regime[] {
  return all;
}

/** The regime with this id, if the atlas has it. */
export function findRegime(id: string): Regime | undefined {
  return byId.get(id);
}

/**
 * The regime with this id.
 *
 * @throws {AtlasError} `ATLAS_REGIME_UNKNOWN`
 */
export function getRegime(id: string): Regime {
  const regime = byId.get(id);
  if (regime === undefined) {
    throw new AtlasError('ATLAS_REGIME_UNKNOWN', 'no regime with this id in the atlas');
  }
  return regime;
}

function holdsIn(regime: Regime, place: string, onDate: string): boolean {
  const own =
    regime.jurisdiction !== undefined &&
    isInForce(regime, onDate) &&
    isInside(place, regime.jurisdiction, onDate);
  if (own) return true;
  return (regime.elsewhere ?? []).some(
    (row) => isInForce(row, onDate) && isInside(place, row.jurisdiction, onDate),
  );
}

/**
 * Regimes that held in a place on a day: its own and those of what it lies within (`us-ca` carries the
 * federal ones too). For a grouping without law of its own (`channel-islands`): those of its members.
 * Whether one reaches a given datum depends on who processes it: see `appliesTo`.
 *
 * @throws {AtlasError} `ATLAS_JURISDICTION_UNKNOWN` | `ATLAS_DATE_INVALID`
 */
export function regimesOf(jurisdiction: string, onDate: string): readonly Regime[] {
  checkDate(onDate);
  const { kind } = getJurisdiction(jurisdiction);
  const direct = all.filter((regime) => holdsIn(regime, jurisdiction, onDate));
  if (direct.length > 0 || kind !== 'grouping') return direct;
  const ofMembers = membersOf(jurisdiction, onDate).flatMap((id) => regimesOf(id, onDate));
  return [...new Set(ofMembers)];
}
