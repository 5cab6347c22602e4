// SPDX-License-Identifier: Apache-2.0
// Decisions of like effect under other laws: Japan's designations, Korea's, Brazil's, and lists of
// adequate countries in South America. Lists that were not confirmed say so.
import type { Adequacy } from '../row.ts';
import { READ_2026_02, READ_2026_06, RECALLED } from './evidence.ts';

type Listing = Omit<Adequacy, 'id' | 'to' | 'reach'>;

const toListed = (listing: Listing, ids: string): readonly Adequacy[] =>
  ids
    .split(' ')
    .map((to): Adequacy => ({ ...listing, id: `${listing.by}-${to}`, to, reach: 'full' }));

const ARGENTINA: Listing = {
  by: 'ar',
  instrument: 'Disposición DNPDP 60-E/2016, art. 3, as extended by Resolución AAIP 34/2019',
  scope: 'transfers under Ley 25.326, art. 12',
  from: '2016-11-18',
  source: 'Disposición 60-E/2016 (B.O. 18.11.2016); Resolución AAIP 34/2019',
  ...RECALLED,
};

const URUGUAY: Listing = {
  by: 'uy',
  instrument: 'Resolución URCDP 23/021',
  scope: 'transfers under Ley 18.331, art. 23',
  from: '2021-06-08',
  source: 'Resolución URCDP N° 23/021 de 8.6.2021',
  ...RECALLED,
};

const EAST_ASIA: readonly Adequacy[] = [
  {
    id: 'jp-eea',
    by: 'jp',
    to: 'eea',
    instrument:
      'Personal Information Protection Commission, Notice 1 of 2019 under APPI art. 28 (then 24)',
    reach: 'full',
    scope: 'transfers by business operators to the EU and the EEA states',
    from: '2019-01-23',
    source: 'PPC Notice No. 1 of 23.1.2019 (平成31年個人情報保護委員会告示第1号)',
    ...READ_2026_06,
  },
  {
    id: 'jp-uk',
    by: 'jp',
    to: 'uk',
    instrument:
      'Personal Information Protection Commission, Notice 1 of 2019 as amended under APPI art. 28 (then 24)',
    reach: 'full',
    scope: 'transfers by business operators to the United Kingdom',
    from: '2020-02-01',
    source:
      'PPC Notice No. 1 of 23.1.2019, as amended for the withdrawal of the United Kingdom; PPC announcement of 28.1.2020',
    asOf: '2020-12-31',
    confirmed: true,
  },
  {
    id: 'kr-eea',
    by: 'kr',
    to: 'eea',
    instrument: 'PIPC recognition of equivalence of the EU under PIPA art. 28-8(1) no. 5',
    reach: 'partial',
    scope: 'transfers to the 27 Member States and the three EEA EFTA states under the GDPR',
    conditions: 'not resident registration numbers nor personal credit information',
    from: '2025-09-16',
    source: 'Personal Information Protection Commission (Korea), announcement of 16.9.2025',
    ...READ_2026_02,
  },
];

export const OTHER_ADEQUACY: readonly Adequacy[] = [
  ...EAST_ASIA,
  {
    id: 'br-eu',
    by: 'br',
    to: 'eu',
    instrument: 'Resolução CD/ANPD nº 32, de 26.1.2026, under LGPD art. 33 I',
    reach: 'full',
    scope:
      'transfers from Brazil to the European Union; for the EEA EFTA states: read the resolution',
    from: '2026-01-27',
    source: 'Resolução CD/ANPD nº 32, de 26 de janeiro de 2026',
    ...READ_2026_02,
  },
  ...toListed(ARGENTINA, 'eea uk ch gg je im fo ad nz uy'),
  {
    ...ARGENTINA,
    id: 'ar-ca',
    to: 'ca',
    reach: 'partial',
    conditions: 'private sector only',
  },
  {
    ...ARGENTINA,
    id: 'ar-il',
    to: 'il',
    reach: 'partial',
    conditions: 'automated processing',
  },
  ...toListed(URUGUAY, 'eea uk ch gg je im fo ad nz ar'),
  {
    ...URUGUAY,
    id: 'uy-ca',
    to: 'ca',
    reach: 'partial',
    conditions: 'organisations subject to PIPEDA',
  },
  { ...URUGUAY, id: 'uy-il', to: 'il', reach: 'partial', conditions: 'automated processing' },
];
