// SPDX-License-Identifier: Apache-2.0
// Ways out of China, India, Japan, Singapore, Korea, Israel and further regimes of Asia.
import type { TransferInstrument } from '../row.ts';
import { READ_2026_06, RECALLED } from './evidence.ts';
import { toInstruments } from './instrument-rows.ts';

export const ASIAN_INSTRUMENTS: readonly TransferInstrument[] = [
  ...toInstruments(
    {
      regime: 'pipl',
      source: 'Personal Information Protection Law (CN)',
      from: '2021-11-01',
      evidence: READ_2026_06,
    },
    [
      [
        'cn-security-assessment',
        'approval',
        'art. 38(1), 40; CAC Measures of 7.7.2022',
        'Security assessment by the CAC',
        'operators of critical infrastructure; or above the thresholds of the Provisions of 22.3.2024 (over 1 million people, or 10 000 with sensitive data, in a year); or important data',
        '2022-09-01',
      ],
      [
        'cn-standard-contract',
        'notification',
        'art. 38(3); CAC Measures of 22.2.2023',
        'Standard contract of the CAC, filed',
        'below the thresholds of the assessment; impact assessment; filed with the provincial CAC; separate consent where consent is the basis',
        '2023-06-01',
      ],
      [
        'cn-certification',
        'safeguard',
        'art. 38(2); CAC and SAMR Measures of 14.10.2025',
        'Certification by a specialised body',
        'not for critical infrastructure or important data; 100 000 to 1 million people, or under 10 000 with sensitive data',
        '2026-01-01',
      ],
    ],
  ),
  ...toInstruments(
    {
      regime: 'pipl',
      source: 'CAC Provisions on promoting and regulating cross-border data flows of 22.3.2024',
      from: '2024-03-22',
      evidence: READ_2026_06,
    },
    [
      [
        'cn-exempt',
        'derogation',
        'art. 3–6',
        'Exempt transfers',
        'such as necessary for a contract with the person, cross-border personnel management, emergencies, under 100 000 people a year without sensitive data, or outside a free-trade zone’s negative list',
      ],
    ],
  ),
  ...toInstruments(
    {
      regime: 'dpdp',
      source: 'DPDP Act 2023 and Rules 2025',
      from: '2027-05-14',
      evidence: READ_2026_06,
    },
    [
      [
        'in-negative-list',
        'open',
        's. 16; Rules 2025',
        'Free but for restricted places',
        'the place is not on the government’s list, and its requirements on access by foreign states are met; significant fiduciaries keep specified data in India',
      ],
    ],
  ),
  ...toInstruments(
    { regime: 'in-spdi', source: 'SPDI Rules 2011', from: '2011-04-11', evidence: RECALLED },
    [
      [
        'in-spdi-same-level',
        'safeguard',
        'rule 7',
        'Same level of protection',
        'the recipient keeps the same level, and a contract with the person needs it or they consented',
      ],
    ],
  ),
  ...toInstruments(
    {
      regime: 'appi',
      source: 'Act No. 57 of 2003 (JP)',
      from: '2022-04-01',
      evidence: READ_2026_06,
    },
    [
      [
        'jp-designated-country',
        'adequacy',
        'art. 28(1)',
        'Designated country',
        'designated by the PPC as equivalent (EEA and United Kingdom)',
      ],
      [
        'jp-equivalent-system',
        'safeguard',
        'art. 28(1), (3); rules art. 16',
        'Recipient with an equivalent system',
        'contract, group rules or CBPR certification; continuous measures and information on request',
      ],
      [
        'jp-consent',
        'derogation',
        'art. 28(1), (2)',
        'Consent',
        'told the country, its system and the recipient’s measures',
      ],
    ],
  ),
  ...toInstruments(
    {
      regime: 'sg-pdpa',
      source: 'PDPA 2012, s. 26, and Personal Data Protection Regulations 2021',
      from: '2021-02-01',
      evidence: READ_2026_06,
    },
    [
      [
        'sg-law',
        'safeguard',
        'reg. 11(1)(a)',
        'Law of the recipient’s place',
        'comparable protection ascertained',
      ],
      [
        'sg-contract',
        'safeguard',
        'reg. 11(1)(b), (2)',
        'Contract',
        'comparable protection, countries named',
      ],
      [
        'sg-bcr',
        'safeguard',
        'reg. 11(1)(c), (3)',
        'Binding corporate rules',
        'related recipients; countries, rights and duties named',
      ],
      [
        'sg-cbpr',
        'safeguard',
        'reg. 12',
        'CBPR or PRP certification',
        'APEC or Global CBPR; PRP for intermediaries',
      ],
      [
        'sg-consent',
        'derogation',
        'reg. 10(2)(a), (3)',
        'Consent',
        'a written summary of the protection; not a condition of service',
      ],
      [
        'sg-necessary',
        'derogation',
        'reg. 10(2)(b)–(e)',
        'Deemed consent, vital interests, transit or public data',
        'as the regulation says',
      ],
    ],
  ),
  ...toInstruments(
    {
      regime: 'kr-pipa',
      source: 'Personal Information Protection Act (KR)',
      from: '2023-09-15',
      evidence: READ_2026_06,
    },
    [
      [
        'kr-equivalence',
        'adequacy',
        'art. 28-8(1) no. 5',
        'Recognition of equivalence',
        'recognised by the PIPC (EU and EEA since 16.9.2025)',
      ],
      [
        'kr-consent',
        'derogation',
        'art. 28-8(1) no. 1',
        'Separate consent',
        'told items, country, recipient, purpose and how to refuse',
      ],
    ],
  ),
  ...toInstruments(
    {
      regime: 'kr-pipa',
      source: 'Personal Information Protection Act (KR)',
      from: '2023-09-15',
      evidence: RECALLED,
    },
    [
      ['kr-treaty', 'safeguard', 'art. 28-8(1) no. 2', 'Law or treaty', 'a special provision'],
      [
        'kr-contract-outsourcing',
        'derogation',
        'art. 28-8(1) no. 3',
        'Outsourcing or storage for a contract',
        'stated in the privacy policy or told',
      ],
      [
        'kr-certification',
        'safeguard',
        'art. 28-8(1) no. 4',
        'Certification',
        'recognised by the PIPC, with measures',
      ],
    ],
  ),
  ...toInstruments(
    {
      regime: 'il-ppl',
      source: 'Privacy Protection (Transfer of Data to Databases Abroad) Regulations, 5761-2001',
      from: '2001-06-17',
      evidence: RECALLED,
    },
    [
      [
        'il-adequacy',
        'adequacy',
        'reg. 1, 2(8)',
        'Place with no less protection',
        'party to Convention 108, or a place that receives data from EU states under like terms',
      ],
      [
        'il-contract',
        'safeguard',
        'reg. 2(4), 3',
        'Undertaking of the recipient',
        'to keep the conditions of Israeli law, in writing',
      ],
      ['il-consent', 'derogation', 'reg. 2(1)', 'Consent', 'of the person'],
    ],
  ),
  ...toInstruments(
    { regime: 'th-pdpa', source: 'PDPA B.E. 2562', from: '2022-06-01', evidence: RECALLED },
    [
      ['th-adequacy', 'adequacy', 's. 28', 'Adequate destination', 'by criteria of the Committee'],
      ['th-bcr', 'approval', 's. 29', 'Binding corporate rules', 'certified by the office'],
      [
        'th-clauses',
        'safeguard',
        's. 29; PDPC notification of 2023',
        'Contractual clauses (also ASEAN or EU ones)',
        'enforceable rights',
        '2024-03-24',
      ],
      ['th-consent', 'derogation', 's. 28(2)', 'Consent', 'told of inadequate standards'],
    ],
  ),
  ...toInstruments(
    {
      regime: 'vn-pdpl',
      source: 'Law No. 91/2025/QH15; Decree 356/2025/ND-CP',
      from: '2026-01-01',
      evidence: READ_2026_06,
    },
    [
      [
        'vn-impact-dossier',
        'notification',
        'chapter on cross-border transfer',
        'Impact assessment dossier',
        'dossier sent to the Ministry of Public Security; exemptions such as employees’ data in cloud storage',
      ],
    ],
  ),
  ...toInstruments(
    { regime: 'tr-kvkk', source: 'Law No. 6698', from: '2024-06-01', evidence: RECALLED },
    [
      [
        'tr-adequacy',
        'adequacy',
        'art. 9(1)',
        'Adequacy decision of the Board',
        'a decision (none known)',
      ],
      [
        'tr-scc',
        'notification',
        'art. 9(4)(c)',
        'Standard contract',
        'notified to the authority within five business days',
      ],
      ['tr-bcr', 'approval', 'art. 9(4)(b)', 'Binding corporate rules', 'approved by the Board'],
      [
        'tr-undertaking',
        'approval',
        'art. 9(4)(d)',
        'Written undertaking',
        'permitted by the Board',
      ],
      [
        'tr-occasional',
        'derogation',
        'art. 9(6)',
        'Occasional transfer',
        'consent, contract, claims and the like; occasional',
      ],
    ],
  ),
  ...toInstruments(
    {
      regime: 'sa-pdpl',
      source: 'PDPL and Regulation on transfer outside the Kingdom',
      from: '2023-09-14',
      evidence: RECALLED,
    },
    [
      [
        'sa-adequacy',
        'adequacy',
        'art. 29',
        'Adequate place',
        'determined by the authority (none known)',
      ],
      [
        'sa-scc',
        'safeguard',
        'art. 29; transfer regulation',
        'Standard contractual clauses of SDAIA',
        'clauses and, where needed, a risk assessment',
      ],
      [
        'sa-bcr',
        'safeguard',
        'art. 29; transfer regulation',
        'Binding common rules',
        'rules as SDAIA requires',
      ],
    ],
  ),
  ...toInstruments(
    {
      regime: 'difc-dpl',
      source: 'DIFC Law No. 5 of 2020',
      from: '2020-07-01',
      evidence: RECALLED,
    },
    [
      [
        'difc-adequacy',
        'adequacy',
        'art. 26',
        'Adequate jurisdiction',
        'listed by the Commissioner',
      ],
      [
        'difc-scc',
        'safeguard',
        'art. 27',
        'Standard clauses of the Commissioner',
        'clauses and due diligence',
      ],
    ],
  ),
  ...toInstruments(
    {
      regime: 'adgm-dpr',
      source: 'ADGM Data Protection Regulations 2021',
      from: '2021-02-14',
      evidence: RECALLED,
    },
    [
      ['adgm-adequacy', 'adequacy', 's. 41', 'Adequate jurisdiction', 'listed by the Commissioner'],
      ['adgm-scc', 'safeguard', 's. 42', 'Standard clauses of the Commissioner', 'clauses'],
    ],
  ),
  ...toInstruments(
    {
      regime: 'ru-152-fz',
      source: 'Federal Law No. 152-FZ',
      from: '2023-03-01',
      evidence: RECALLED,
    },
    [
      [
        'ru-notification',
        'notification',
        'art. 12',
        'Notification of Roskomnadzor',
        'notified beforehand; may be forbidden or limited; first recording stays in Russia (art. 18(5))',
      ],
    ],
  ),
];
