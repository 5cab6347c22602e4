// SPDX-License-Identifier: Apache-2.0
// Subdivisions with a data-protection law of their own, and two free zones which have one though ISO
// 3166-2 has no code for them. Georgia the state is not here: it has no such act, and its name is a
// country's.
import type { SubdivisionRow } from '../row.ts';
import { READ_2026_06, RECALLED } from './evidence.ts';
import { STATES_WITH_AN_ACT } from './regimes-us-states.ts';

/** ISO 3166-2:US codes and names of the states this atlas knows. */
const STATES: Readonly<Record<string, string>> = {
  al: 'Alabama',
  ca: 'California',
  co: 'Colorado',
  ct: 'Connecticut',
  de: 'Delaware',
  fl: 'Florida',
  ia: 'Iowa',
  il: 'Illinois',
  in: 'Indiana',
  ky: 'Kentucky',
  la: 'Louisiana',
  md: 'Maryland',
  mn: 'Minnesota',
  mt: 'Montana',
  ne: 'Nebraska',
  nh: 'New Hampshire',
  nj: 'New Jersey',
  ok: 'Oklahoma',
  or: 'Oregon',
  ri: 'Rhode Island',
  tn: 'Tennessee',
  tx: 'Texas',
  ut: 'Utah',
  va: 'Virginia',
  vt: 'Vermont',
  wa: 'Washington (state)',
};

const PROVINCES: readonly (readonly [code: string, name: string, alias: string])[] = [
  ['QC', 'Quebec', 'Québec'],
  ['BC', 'British Columbia', 'Colombie-Britannique'],
  ['AB', 'Alberta', 'Province of Alberta'],
];

export const SUBDIVISIONS: readonly SubdivisionRow[] = [
  ...Object.entries(STATES).map(([code, name]): SubdivisionRow => {
    const hasAct = STATES_WITH_AN_ACT.includes(code);
    return {
      id: `us-${code}`,
      iso: `US-${code.toUpperCase()}`,
      name,
      partOf: ['us'],
      aliases: [`State of ${name.replace(' (state)', '')}`],
      source: hasAct
        ? 'ISO 3166-2:US; comprehensive privacy act, see its regime'
        : 'ISO 3166-2:US; sectoral privacy act, see its regime',
      ...(hasAct ? READ_2026_06 : RECALLED),
    };
  }),
  ...PROVINCES.map(
    ([code, name, alias]): SubdivisionRow => ({
      id: `ca-${code.toLowerCase()}`,
      iso: `CA-${code}`,
      name,
      partOf: ['ca'],
      aliases: [alias],
      source:
        'ISO 3166-2:CA; Organizations in the Province Exemption Orders under PIPEDA s. 26(2)(b)',
      ...READ_2026_06,
    }),
  ),
  {
    id: 'ae-difc',
    name: 'Dubai International Financial Centre',
    partOf: ['ae'],
    aliases: ['DIFC'],
    source: 'DIFC Law No. 5 of 2020',
    ...RECALLED,
  },
  {
    id: 'ae-adgm',
    name: 'Abu Dhabi Global Market',
    partOf: ['ae'],
    aliases: ['ADGM'],
    source: 'ADGM Data Protection Regulations 2021',
    ...RECALLED,
  },
];
