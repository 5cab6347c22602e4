// SPDX-License-Identifier: Apache-2.0
// Decisions of like effect under other laws: Japan's designations, Brazil's, Korea's and others.
import type { Adequacy } from '../adequacy.ts';

export const OTHER_ADEQUACY: readonly Adequacy[] = [
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
    asOf: '2026-02-09',
    confirmed: false,
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
    source: 'PPC Notice No. 1 of 23.1.2019, as amended for the withdrawal of the United Kingdom',
    asOf: '2026-02-09',
    confirmed: false,
  },
  {
    id: 'br-eu',
    by: 'br',
    to: 'eu',
    instrument: 'Resolution CD/ANPD 32 of 26.1.2026 under LGPD art. 33 I',
    reach: 'full',
    scope:
      'transfers from Brazil to the European Union; whether the EEA EFTA states are included: read the resolution',
    from: '2026-01-27',
    source: 'Resolução CD/ANPD nº 32, de 26 de janeiro de 2026',
    asOf: '2026-02-09',
    confirmed: true,
  },
];
