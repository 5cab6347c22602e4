// SPDX-License-Identifier: Apache-2.0
// The ways in which a regime lets personal data leave, as the regime itself names them.

import { checkDate, isInForce } from './calendar.ts';
import { getRegime } from './regime.ts';
import type { TransferInstrument } from './row.ts';
import { AMERICAN_INSTRUMENTS } from './tables/instruments-americas.ts';
import { ASIAN_INSTRUMENTS } from './tables/instruments-asia.ts';
import { EUROPEAN_INSTRUMENTS } from './tables/instruments-europe.ts';
import { PACIFIC_AFRICAN_INSTRUMENTS } from './tables/instruments-pacific-africa.ts';

const all: readonly TransferInstrument[] = [
  ...EUROPEAN_INSTRUMENTS,
  ...AMERICAN_INSTRUMENTS,
  ...ASIAN_INSTRUMENTS,
  ...PACIFIC_AFRICAN_INSTRUMENTS,
];
const byId = new Map(all.map((instrument) => [instrument.id, instrument]));

/** All transfer instruments of the atlas. */
export function listTransferInstruments(): readonly TransferInstrument[] {
  return all;
}

/** The instrument with this id, if the atlas has it. */
export function findTransferInstrument(id: string): TransferInstrument | undefined {
  return byId.get(id);
}

/**
 * The transfer instruments which a regime recognised on a day; empty where it has no rule on transfers.
 *
 * @throws {AtlasError} `ATLAS_REGIME_UNKNOWN` | `ATLAS_DATE_INVALID`
 */
export function transferInstruments(regime: string, onDate: string): readonly TransferInstrument[] {
  checkDate(onDate);
  getRegime(regime);
  return all.filter((row) => row.regime === regime && isInForce(row, onDate));
}
