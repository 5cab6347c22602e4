// SPDX-License-Identifier: Apache-2.0
// Ways out of Brazil, Canada, Quebec, Argentina, Uruguay and Colombia.
import type { TransferInstrument } from '../row.ts';
import { READ_2026_06, RECALLED } from './evidence.ts';
import { toInstruments } from './instrument-rows.ts';

export const AMERICAN_INSTRUMENTS: readonly TransferInstrument[] = [
  ...toInstruments(
    { regime: 'lgpd', source: 'Lei nº 13.709/2018', from: '2020-09-18', evidence: READ_2026_06 },
    [
      [
        'br-adequacy',
        'adequacy',
        'art. 33 I, 34',
        'Adequacy decision of the ANPD',
        'a decision of the ANPD that covers the destination',
      ],
      [
        'br-scc',
        'safeguard',
        'art. 33 II b; Resolução CD/ANPD 19/2024, annex II',
        'Standard contractual clauses of the ANPD',
        'the clauses whole and unchanged; published information on the transfer',
        '2024-08-23',
      ],
      [
        'br-specific-clauses',
        'approval',
        'art. 33 II a; Resolução CD/ANPD 19/2024',
        'Specific contractual clauses',
        'approved by the ANPD beforehand',
        '2024-08-23',
      ],
      [
        'br-global-rules',
        'approval',
        'art. 33 II c; Resolução CD/ANPD 19/2024',
        'Global corporate rules',
        'approved by the ANPD; one group',
        '2024-08-23',
      ],
    ],
  ),
  ...toInstruments(
    { regime: 'lgpd', source: 'Lei nº 13.709/2018', from: '2020-09-18', evidence: RECALLED },
    [
      [
        'br-certification',
        'safeguard',
        'art. 33 II d',
        'Seals, certificates and codes of conduct',
        'issued under rules of the ANPD (none known)',
      ],
      [
        'br-legal-cooperation',
        'derogation',
        'art. 33 III',
        'International legal cooperation',
        'between public bodies of intelligence and investigation',
      ],
      [
        'br-vital-interests',
        'derogation',
        'art. 33 IV',
        'Life or physical safety',
        'of the person or another',
      ],
      ['br-authorised', 'approval', 'art. 33 V', 'Authorisation of the ANPD', 'authorisation'],
      [
        'br-commitment',
        'derogation',
        'art. 33 VI',
        'Commitment in international cooperation',
        'an international agreement',
      ],
      [
        'br-public-policy',
        'derogation',
        'art. 33 VII',
        'Public policy or public service',
        'made public',
      ],
      [
        'br-consent',
        'derogation',
        'art. 33 VIII',
        'Specific and highlighted consent',
        'told beforehand of the international nature, apart from other purposes',
      ],
      [
        'br-legal-duty-contract-claims',
        'derogation',
        'art. 33 IX with 7 II, V, VI',
        'Legal duty, contract or exercise of rights',
        'necessary for it',
      ],
    ],
  ),
  ...toInstruments(
    { regime: 'ca-pipeda', source: 'S.C. 2000, c. 5', from: '2001-01-01', evidence: RECALLED },
    [
      [
        'ca-accountability',
        'safeguard',
        'sch. 1, cl. 4.1.3',
        'Accountability by contract',
        'comparable protection by contractual or other means, and openness about foreign processing',
      ],
    ],
  ),
  ...toInstruments(
    {
      regime: 'quebec-private-sector',
      source: 'CQLR c. P-39.1',
      from: '2023-09-22',
      evidence: RECALLED,
    },
    [
      [
        'quebec-assessment',
        'safeguard',
        's. 17',
        'Privacy impact assessment',
        'assessment that protection is adequate, and a written agreement that takes it into account',
      ],
    ],
  ),
  ...toInstruments(
    { regime: 'ar-pdpa', source: 'Ley 25.326', from: '2000-11-02', evidence: RECALLED },
    [
      [
        'ar-adequacy',
        'adequacy',
        'art. 12; Disp. 60-E/2016',
        'Adequate country',
        'listed by the authority',
      ],
      [
        'ar-clauses',
        'safeguard',
        'Disp. 60-E/2016; Res. AAIP 198/2023',
        'Model clauses',
        'the authority’s clauses, or others with its approval',
      ],
      ['ar-consent', 'derogation', 'art. 12; Decreto 1558/2001', 'Consent', 'express consent'],
    ],
  ),
  ...toInstruments(
    { regime: 'uy-pdpa', source: 'Ley 18.331', from: '2008-08-11', evidence: RECALLED },
    [
      [
        'uy-adequacy',
        'adequacy',
        'art. 23; Res. URCDP 23/021',
        'Adequate country',
        'listed by the authority',
      ],
      [
        'uy-clauses',
        'safeguard',
        'art. 23; Res. URCDP 41/021',
        'Contractual clauses',
        'clauses as the authority advises',
      ],
      ['uy-consent', 'derogation', 'art. 23', 'Consent', 'unambiguous consent'],
    ],
  ),
  ...toInstruments(
    { regime: 'co-1581', source: 'Ley 1581 de 2012', from: '2012-10-17', evidence: RECALLED },
    [
      [
        'co-adequacy',
        'adequacy',
        'art. 26; Circular SIC 005 de 2017',
        'Adequate country',
        'listed by the SIC',
      ],
      [
        'co-conformity',
        'approval',
        'art. 26, par. 1',
        'Declaration of conformity',
        'declaration of the SIC',
      ],
      ['co-consent', 'derogation', 'art. 26 a', 'Consent', 'express and unambiguous'],
    ],
  ),
];
