// SPDX-License-Identifier: Apache-2.0
// Comprehensive consumer privacy acts of the states of the United States, with the day they take effect.
import type { Regime } from '../row.ts';
import { READ_2026_06, RECALLED } from './evidence.ts';

type Row = readonly [state: string, from: string, name: string, source: string];

const ACTS: readonly Row[] = [
  ['va', '2023-01-01', 'Virginia Consumer Data Protection Act', 'Va. Code § 59.1-575 et seq.'],
  ['co', '2023-07-01', 'Colorado Privacy Act', 'C.R.S. § 6-1-1301 et seq.'],
  ['ct', '2023-07-01', 'Connecticut Data Privacy Act', 'Conn. Gen. Stat. § 42-515 et seq.'],
  ['ut', '2023-12-31', 'Utah Consumer Privacy Act', 'Utah Code § 13-61-101 et seq.'],
  ['tx', '2024-07-01', 'Texas Data Privacy and Security Act', 'Tex. Bus. & Com. Code ch. 541'],
  ['or', '2024-07-01', 'Oregon Consumer Privacy Act', 'ORS 646A.570 et seq.'],
  ['fl', '2024-07-01', 'Florida Digital Bill of Rights', 'Fla. Stat. § 501.701 et seq.'],
  ['mt', '2024-10-01', 'Montana Consumer Data Privacy Act', 'Mont. Code § 30-14-2801 et seq.'],
  ['de', '2025-01-01', 'Delaware Personal Data Privacy Act', '6 Del. C. ch. 12D'],
  ['ia', '2025-01-01', 'Iowa Consumer Data Protection Act', 'Iowa Code ch. 715D'],
  ['ne', '2025-01-01', 'Nebraska Data Privacy Act', 'Neb. Rev. Stat. § 87-1101 et seq.'],
  ['nh', '2025-01-01', 'New Hampshire Privacy Act', 'N.H. RSA ch. 507-H'],
  ['nj', '2025-01-15', 'New Jersey Data Privacy Act', 'N.J.S.A. 56:8-166.4 et seq.'],
  ['tn', '2025-07-01', 'Tennessee Information Protection Act', 'Tenn. Code § 47-18-3301 et seq.'],
  ['mn', '2025-07-31', 'Minnesota Consumer Data Privacy Act', 'Minn. Stat. ch. 325M'],
  ['md', '2025-10-01', 'Maryland Online Data Privacy Act', 'Md. Code, Com. Law § 14-4701 et seq.'],
  ['in', '2026-01-01', 'Indiana Consumer Data Protection Act', 'Ind. Code art. 24-15 (SB 5, 2023)'],
  [
    'ky',
    '2026-01-01',
    'Kentucky Consumer Data Protection Act',
    'KRS 367.3611 et seq. (HB 15, 2024)',
  ],
  [
    'ri',
    '2026-01-01',
    'Rhode Island Data Transparency and Privacy Protection Act',
    'R.I. Gen. Laws ch. 6-48.1',
  ],
  ['ok', '2027-01-01', 'Oklahoma consumer data privacy act', 'Okla. SB 546, signed 20.3.2026'],
  ['la', '2027-01-01', 'Louisiana Data Privacy Act', 'La. SB 386, Act 502, signed 29.5.2026'],
  ['al', '2027-05-01', 'Alabama Personal Data Protection Act', 'Ala. HB 351, signed 4.2026'],
  [
    'vt',
    '2028-01-01',
    'Vermont Data Privacy and Online Surveillance Act',
    'Vermont act signed 16.6.2026',
  ],
];

const APPLIES =
  'businesses above the act’s thresholds that process personal data of residents of the state acting as consumers';

/** States with an act above, for the table of subdivisions. */
export const STATES_WITH_AN_ACT: readonly string[] = ['ca', ...ACTS.map(([state]) => state)];

export const US_STATE_REGIMES: readonly Regime[] = [
  {
    id: 'ccpa',
    name: 'California Consumer Privacy Act of 2018',
    kind: 'general',
    jurisdiction: 'us-ca',
    instrument: 'CCPA, before the CPRA’s amendments',
    appliesTo: 'businesses above the thresholds that collect personal information of Californians',
    from: '2020-01-01',
    until: '2022-12-31',
    source: 'Cal. Civ. Code § 1798.100 et seq. (Stats. 2018, ch. 55)',
    ...READ_2026_06,
  },
  {
    id: 'cpra',
    name: 'California Consumer Privacy Act as amended by the California Privacy Rights Act',
    kind: 'general',
    jurisdiction: 'us-ca',
    instrument: 'CCPA as amended by Proposition 24 (2020)',
    appliesTo:
      'businesses above the thresholds that collect personal information of Californians, employees and business contacts included',
    from: '2023-01-01',
    source: 'Cal. Civ. Code § 1798.100 et seq.; Proposition 24 of 3.11.2020; 11 CCR § 7000 et seq.',
    ...READ_2026_06,
  },
  ...ACTS.map(
    ([state, from, name, source]): Regime => ({
      id: `us-${state}-privacy`,
      name,
      kind: 'general',
      jurisdiction: `us-${state}`,
      instrument: name,
      appliesTo: APPLIES,
      from,
      source,
      ...READ_2026_06,
    }),
  ),
  {
    id: 'us-wa-health',
    name: 'My Health My Data Act',
    kind: 'sector',
    jurisdiction: 'us-wa',
    instrument: 'My Health My Data Act (Washington)',
    appliesTo: 'regulated entities that hold consumer health data of people in Washington',
    categories: ['health', 'biometric', 'location'],
    from: '2024-03-31',
    source: 'RCW ch. 19.373',
    ...RECALLED,
  },
  {
    id: 'us-il-bipa',
    name: 'Biometric Information Privacy Act',
    kind: 'sector',
    jurisdiction: 'us-il',
    instrument: 'Biometric Information Privacy Act (Illinois)',
    appliesTo: 'private entities in possession of biometric identifiers or information',
    categories: ['biometric'],
    from: '2008-10-03',
    source: '740 ILCS 14',
    ...RECALLED,
  },
];
