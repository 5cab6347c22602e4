// SPDX-License-Identifier: Apache-2.0
// Ways out of Australia, New Zealand, South Africa, Kenya and Nigeria.
import type { TransferInstrument } from '../row.ts';
import { READ_2026_06, RECALLED } from './evidence.ts';
import { toInstruments } from './instrument-rows.ts';

export const PACIFIC_AFRICAN_INSTRUMENTS: readonly TransferInstrument[] = [
  ...toInstruments(
    {
      regime: 'au-privacy',
      source: 'Privacy Act 1988 (Cth), APP 8',
      from: '2014-03-12',
      evidence: READ_2026_06,
    },
    [
      [
        'au-reasonable-steps',
        'safeguard',
        'APP 8.1, s 16C',
        'Reasonable steps (usually a contract)',
        'the discloser stays accountable for the recipient',
      ],
      [
        'au-similar-law',
        'safeguard',
        'APP 8.2(a)',
        'Substantially similar law or scheme',
        'reasonable belief, and a way for people to enforce it',
      ],
      [
        'au-consent',
        'derogation',
        'APP 8.2(b)',
        'Informed consent',
        'told expressly that APP 8.1 will not apply',
      ],
      [
        'au-required-by-law',
        'derogation',
        'APP 8.2(c)',
        'Required or authorised by Australian law',
        'a law or order',
      ],
    ],
  ),
  ...toInstruments(
    {
      regime: 'au-privacy',
      source: 'Privacy Act 1988 (Cth), APP 8',
      from: '2014-03-12',
      evidence: RECALLED,
    },
    [
      [
        'au-permitted-situation',
        'derogation',
        'APP 8.2(d)',
        'Permitted general situation',
        's 16A, items 1, 2, 3, 5, 6 or 7',
      ],
    ],
  ),
  ...toInstruments(
    {
      regime: 'au-privacy',
      source: 'Privacy and Other Legislation Amendment Act 2024 (Cth), APP 8',
      from: '2024-12-11',
      evidence: READ_2026_06,
    },
    [
      [
        'au-prescribed-country',
        'adequacy',
        'APP 8.2(aa), 8.3',
        'Prescribed country or binding scheme',
        'regulations that name the place (none known on 31.12.2024)',
      ],
    ],
  ),
  ...toInstruments(
    {
      regime: 'nz-privacy',
      source: 'Privacy Act 2020 (NZ)',
      from: '2020-12-01',
      evidence: RECALLED,
    },
    [
      [
        'nz-comparable',
        'safeguard',
        'IPP 12(1)(b)–(e)',
        'Comparable safeguards or agreement',
        'subject to the Act or comparable law, or a contract',
      ],
      [
        'nz-prescribed',
        'adequacy',
        'IPP 12(1)(d), s. 214',
        'Prescribed country or scheme',
        'regulations (none known)',
      ],
      [
        'nz-authorised',
        'derogation',
        'IPP 12(1)(a)',
        'Authorisation of the person',
        'told that comparable safeguards may be missing',
      ],
    ],
  ),
  ...toInstruments(
    { regime: 'za-popia', source: 'Act 4 of 2013', from: '2021-07-01', evidence: RECALLED },
    [
      [
        'za-adequate',
        'safeguard',
        's. 72(1)(a)',
        'Law, binding rules or agreement',
        'adequate protection, onward transfers included',
      ],
      ['za-consent', 'derogation', 's. 72(1)(b)', 'Consent', 'of the person'],
      [
        'za-contract',
        'derogation',
        's. 72(1)(c), (d)',
        'Contract with or for the person',
        'necessary for it',
      ],
      [
        'za-prior-authorisation',
        'approval',
        's. 57(1)(d)',
        'Prior authorisation',
        'special information or children’s, to a place without adequate protection',
      ],
    ],
  ),
  ...toInstruments(
    { regime: 'ke-dpa', source: 'Act No. 24 of 2019', from: '2019-11-25', evidence: RECALLED },
    [
      [
        'ke-safeguards',
        'safeguard',
        's. 48(a), (b)',
        'Proof of safeguards',
        'given to the Commissioner',
      ],
      ['ke-consent', 'derogation', 's. 49', 'Consent', 'needed for sensitive data'],
    ],
  ),
  ...toInstruments(
    {
      regime: 'ng-ndpa',
      source: 'Nigeria Data Protection Act 2023',
      from: '2023-06-12',
      evidence: RECALLED,
    },
    [
      [
        'ng-adequate',
        'adequacy',
        's. 41–42',
        'Adequate protection',
        'law, rules, clauses, code or certification found adequate',
      ],
      ['ng-other-bases', 'derogation', 's. 43', 'Consent, contract and the like', 'as s. 43 says'],
    ],
  ),
];
