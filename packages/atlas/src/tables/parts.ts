// SPDX-License-Identifier: Apache-2.0
// Territories with an ISO code of their own that keep the data-protection law of a country as part of
// it. A constitutional link alone is not enough: Hong Kong, the Faroes, Greenland, New Caledonia,
// Aruba or Bermuda have law of their own, so data there is not "within" the parent.
import type { Dated, Sourced } from '../row.ts';
import { RECALLED } from './evidence.ts';

export interface TerritoryRow extends Sourced {
  readonly id: string;
  /** The country whose law it keeps; absent for a territory with law of its own. */
  readonly partOf?: string;
}

const FRANCE = {
  source: 'TFEU art. 349 and 355(1) (outermost regions); Constitution of France, art. 73',
  ...RECALLED,
} as const;
const UNITED_STATES = {
  source: 'U.S. insular areas: 48 U.S.C.; federal law applies as each act provides',
  ...RECALLED,
} as const;
const AUSTRALIA = {
  source: 'Privacy Act 1988 (Cth), s 5A: the Act extends to every external Territory',
  ...RECALLED,
} as const;
const OWN_LAW = {
  source:
    'ISO 3166-1 territory; kept apart from its parent state: law of its own, or not confirmed',
  ...RECALLED,
} as const;

const toRows = (ids: string, sourced: Sourced, partOf?: string): readonly TerritoryRow[] =>
  ids.split(' ').map((id) => ({ id, ...(partOf === undefined ? {} : { partOf }), ...sourced }));

export const TERRITORIES: readonly TerritoryRow[] = [
  ...toRows('gf gp mf mq re yt', FRANCE, 'fr'),
  ...toRows('as gu mp pr um vi', UNITED_STATES, 'us'),
  ...toRows('cc cx hm nf', AUSTRALIA, 'au'),
  {
    id: 'ax',
    partOf: 'fi',
    source:
      'Act of Accession 1994, Protocol 2 on the Åland Islands, OJ C 241, 29.8.1994; TFEU art. 355(4)',
    ...RECALLED,
  },
  ...toRows(
    'ai aq aw bl bm bq bv ck cw eh fk fo gg gi gl gs hk im io je ky mo ms nc nu pf pm pn sh sj sx tc tf tk vg wf',
    OWN_LAW,
  ),
];

/** A time in which a territory stood outside a grouping although its country was in it. */
export interface Exclusion extends Dated, Sourced {
  readonly grouping: string;
  readonly member: string;
}

const MAYOTTE = {
  member: 'yt',
  from: '1958-01-01',
  until: '2013-12-31',
  source:
    'European Council Decision 2012/419/EU, OJ L 204, 31.7.2012: outermost region from 1.1.2014',
  ...RECALLED,
} as const;

export const EXCLUSIONS: readonly Exclusion[] = [
  { grouping: 'eu', ...MAYOTTE },
  { grouping: 'eea', ...MAYOTTE },
];
