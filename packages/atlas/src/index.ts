// SPDX-License-Identifier: Apache-2.0
export { adequacyDecisions, listAdequacyDecisions } from './adequacy.ts';
export { findCloudRegion, listCloudRegions } from './cloud-region.ts';
export { AtlasError, type AtlasErrorCode } from './errors.ts';
export { isWithin, listMemberships, membersOf } from './grouping.ts';
export { findJurisdiction, getJurisdiction, listJurisdictions } from './jurisdiction.ts';
export { listLocalisationRules, localisationRulesOf } from './localisation.ts';
export { findRegime, getRegime, listRegimes, regimesOf } from './regime.ts';
export { addSpan, findRequestDeadline, listRequestDeadlines } from './request-deadline.ts';
export type {
  Adequacy,
  AdequacyReach,
  CloudRegion,
  Dated,
  DeadlineSpan,
  Jurisdiction,
  JurisdictionKind,
  LocalisationKind,
  LocalisationRule,
  Membership,
  Regime,
  RegimeKind,
  RequestDeadline,
  Sourced,
  TransferInstrument,
  TransferInstrumentKind,
} from './row.ts';
export { ATLAS_DATES, parseAtlasDate } from './snapshot.ts';
export { type JurisdictionSuggestion, suggestJurisdiction } from './suggestion.ts';
export {
  findTransferInstrument,
  listTransferInstruments,
  transferInstruments,
} from './transfer-instrument.ts';
