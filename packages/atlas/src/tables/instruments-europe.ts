// SPDX-License-Identifier: Apache-2.0
// Ways out of the EU/EEA, the United Kingdom, Switzerland and the islands.
import type { TransferInstrument } from '../row.ts';
import { READ_2026_06, RECALLED } from './evidence.ts';
import { toInstruments } from './instrument-rows.ts';

const RIGHTS =
  'enforceable rights and effective remedies for people, and an assessment of the recipient’s law';

const GDPR: readonly TransferInstrument[] = [
  ...toInstruments(
    {
      regime: 'gdpr',
      source: 'Regulation (EU) 2016/679',
      from: '2018-05-25',
      evidence: READ_2026_06,
    },
    [
      [
        'adequacy',
        'adequacy',
        'art. 45',
        'Adequacy decision',
        'a decision of the Commission in force that covers the recipient',
      ],
      [
        'public-body-instrument',
        'safeguard',
        'art. 46(2)(a)',
        'Binding instrument between public authorities',
        RIGHTS,
      ],
      [
        'bcr',
        'safeguard',
        'art. 46(2)(b), 47',
        'Binding corporate rules',
        `rules approved by the competent authority; ${RIGHTS}`,
      ],
      [
        'code-of-conduct',
        'safeguard',
        'art. 46(2)(e), 40',
        'Approved code of conduct',
        `code with general validity and binding commitments of the recipient; ${RIGHTS}`,
      ],
      [
        'certification',
        'safeguard',
        'art. 46(2)(f), 42',
        'Approved certification',
        `certification and binding commitments of the recipient; ${RIGHTS}`,
      ],
      [
        'ad-hoc-clauses',
        'approval',
        'art. 46(3)(a)',
        'Contractual clauses authorised by the authority',
        `authorisation beforehand; ${RIGHTS}`,
      ],
      [
        'administrative-arrangement',
        'approval',
        'art. 46(3)(b)',
        'Administrative arrangement between public bodies',
        `authorisation beforehand; ${RIGHTS}`,
      ],
      [
        'explicit-consent',
        'derogation',
        'art. 49(1)(a)',
        'Explicit consent',
        'explicit consent after being informed of the risks; not for public authorities',
      ],
      [
        'contract-with-subject',
        'derogation',
        'art. 49(1)(b)',
        'Contract with the person',
        'necessary for a contract with the person or steps at their request; occasional (recital 111)',
      ],
      [
        'contract-in-interest',
        'derogation',
        'art. 49(1)(c)',
        'Contract in the interest of the person',
        'necessary for a contract with another in the person’s interest; occasional (recital 111)',
      ],
      [
        'public-interest',
        'derogation',
        'art. 49(1)(d)',
        'Important reasons of public interest',
        'a public interest recognised in Union or Member State law',
      ],
      [
        'legal-claims',
        'derogation',
        'art. 49(1)(e)',
        'Legal claims',
        'necessary to establish, exercise or defend claims; occasional (recital 111)',
      ],
      [
        'vital-interests',
        'derogation',
        'art. 49(1)(f)',
        'Vital interests',
        'the person cannot give consent',
      ],
      [
        'public-register',
        'derogation',
        'art. 49(1)(g)',
        'Public register',
        'the conditions for consulting the register are met; not the whole of it',
      ],
      [
        'compelling-interests',
        'derogation',
        'art. 49(1), second subparagraph',
        'Compelling legitimate interests',
        'not repetitive, few people, assessment and safeguards; authority and people are told',
      ],
    ],
  ),
  {
    id: 'scc',
    regime: 'gdpr',
    name: 'Standard contractual clauses of the Commission',
    kind: 'safeguard',
    article: 'art. 46(2)(c)',
    requires: `the clauses of Implementing Decision (EU) 2021/914 unchanged, the module that fits, a transfer impact assessment (clause 14); ${RIGHTS}; not where the importer is itself subject to the GDPR (recital 7)`,
    variants: [
      'module-1-controller-to-controller',
      'module-2-controller-to-processor',
      'module-3-processor-to-processor',
      'module-4-processor-to-controller',
    ],
    from: '2021-06-27',
    source: 'Commission Implementing Decision (EU) 2021/914, OJ L 199, 7.6.2021, p. 31',
    ...READ_2026_06,
  },
  {
    id: 'scc-2010',
    regime: 'gdpr',
    name: 'Standard contractual clauses of 2001, 2004 and 2010',
    kind: 'safeguard',
    article: 'art. 46(2)(c), 46(5)',
    requires: 'contracts concluded before 27.9.2021; no longer valid after the last day',
    from: '2018-05-25',
    until: '2022-12-27',
    source: 'Decisions 2001/497/EC, 2004/915/EC and 2010/87/EU; repealed by (EU) 2021/914, art. 4',
    ...READ_2026_06,
  },
];

const UK: readonly TransferInstrument[] = [
  ...toInstruments(
    {
      regime: 'uk-gdpr',
      source: 'UK GDPR, chapter V as amended by Data (Use and Access) Act 2025, sch. 7',
      from: '2021-01-01',
      evidence: READ_2026_06,
    },
    [
      [
        'uk-adequacy',
        'adequacy',
        'art. 45A (before 5.2.2026: art. 45; DPA 2018 sch. 21 para. 4–5)',
        'Transfers approved by regulations',
        'regulations, or schedule 21, that cover the recipient',
      ],
      [
        'uk-bcr',
        'safeguard',
        'art. 46, 47',
        'UK binding corporate rules',
        'rules approved by the Commissioner; data protection test',
      ],
    ],
  ),
  ...toInstruments(
    {
      regime: 'uk-gdpr',
      source: 'Data Protection Act 2018, s. 119A; documents laid before Parliament 2.2.2022',
      from: '2022-03-21',
      evidence: READ_2026_06,
    },
    [
      [
        'uk-idta',
        'safeguard',
        'art. 46(2)(d); DPA 2018 s. 119A',
        'International Data Transfer Agreement',
        'the agreement and a transfer risk assessment (data protection test)',
      ],
      [
        'uk-addendum',
        'safeguard',
        'art. 46(2)(d); DPA 2018 s. 119A',
        'UK Addendum to the EU standard contractual clauses',
        'the EU clauses with the addendum and a transfer risk assessment (data protection test)',
      ],
    ],
  ),
  ...toInstruments(
    { regime: 'uk-gdpr', source: 'UK GDPR', from: '2021-01-01', evidence: RECALLED },
    [
      [
        'uk-public-body-instrument',
        'safeguard',
        'art. 46(2)(a)',
        'Binding instrument between public authorities',
        'a legally binding and enforceable instrument',
      ],
      [
        'uk-code-of-conduct',
        'safeguard',
        'art. 46(2)(e)',
        'Approved code of conduct',
        'code and binding commitments',
      ],
      [
        'uk-certification',
        'safeguard',
        'art. 46(2)(f)',
        'Approved certification',
        'certification and binding commitments',
      ],
      [
        'uk-explicit-consent',
        'derogation',
        'art. 49(1)(a)',
        'Explicit consent',
        'explicit consent after being informed of the risks',
      ],
      [
        'uk-contract-with-subject',
        'derogation',
        'art. 49(1)(b)',
        'Contract with the person',
        'necessary; occasional',
      ],
      [
        'uk-contract-in-interest',
        'derogation',
        'art. 49(1)(c)',
        'Contract in the interest of the person',
        'necessary; occasional',
      ],
      [
        'uk-public-interest',
        'derogation',
        'art. 49(1)(d)',
        'Important reasons of public interest',
        'recognised in domestic law',
      ],
      ['uk-legal-claims', 'derogation', 'art. 49(1)(e)', 'Legal claims', 'necessary; occasional'],
      [
        'uk-vital-interests',
        'derogation',
        'art. 49(1)(f)',
        'Vital interests',
        'the person cannot give consent',
      ],
      [
        'uk-public-register',
        'derogation',
        'art. 49(1)(g)',
        'Public register',
        'the conditions for consulting the register are met',
      ],
      [
        'uk-compelling-interests',
        'derogation',
        'art. 49(1), second subparagraph',
        'Compelling legitimate interests',
        'not repetitive, few people, assessment and safeguards',
      ],
    ],
  ),
];

const SWISS: readonly TransferInstrument[] = [
  ...toInstruments(
    {
      regime: 'ch-fadp',
      source: 'Federal Act on Data Protection, SR 235.1',
      from: '2023-09-01',
      evidence: READ_2026_06,
    },
    [
      [
        'ch-adequacy',
        'adequacy',
        'art. 16(1); DPO annex 1',
        'Adequacy by decision of the Federal Council',
        'the state is listed in annex 1 and its condition is met',
      ],
      [
        'ch-treaty',
        'safeguard',
        'art. 16(2)(a)',
        'Treaty under international law',
        'the treaty guarantees suitable protection',
      ],
      [
        'ch-clauses',
        'notification',
        'art. 16(2)(b)',
        'Data protection clauses in a contract',
        'the Commissioner was told beforehand',
      ],
      [
        'ch-specific-guarantees',
        'notification',
        'art. 16(2)(c)',
        'Specific guarantees of a federal body',
        'the Commissioner was told beforehand',
      ],
      [
        'ch-scc',
        'safeguard',
        'art. 16(2)(d)',
        'Standard data protection clauses',
        'clauses approved, issued or recognised by the Commissioner (the EU clauses with the Swiss changes of 27.8.2021)',
      ],
      [
        'ch-bcr',
        'approval',
        'art. 16(2)(e)',
        'Binding corporate rules',
        'approved by the Commissioner or an authority of an adequate state',
      ],
    ],
  ),
  ...toInstruments(
    {
      regime: 'ch-fadp',
      source: 'Federal Act on Data Protection, SR 235.1',
      from: '2023-09-01',
      evidence: RECALLED,
    },
    [
      [
        'ch-explicit-consent',
        'derogation',
        'art. 17(1)(a)',
        'Explicit consent',
        'explicit consent to the disclosure',
      ],
      [
        'ch-contract',
        'derogation',
        'art. 17(1)(b)',
        'Contract',
        'directly connected with a contract with the person or in their interest',
      ],
      [
        'ch-public-interest',
        'derogation',
        'art. 17(1)(c)',
        'Overriding public interest or legal claims',
        'necessary for it',
      ],
      [
        'ch-vital-interests',
        'derogation',
        'art. 17(1)(d)',
        'Life or physical integrity',
        'consent cannot be had in reasonable time',
      ],
      [
        'ch-made-public',
        'derogation',
        'art. 17(1)(e)',
        'Data made public by the person',
        'no express objection',
      ],
      [
        'ch-public-register',
        'derogation',
        'art. 17(1)(f)',
        'Statutory register',
        'the conditions for consulting it are met',
      ],
    ],
  ),
];

/** The islands' laws follow the GDPR's chapter V; ids carry the island's code. */
const ISLANDS: readonly TransferInstrument[] = (
  [
    ['gg', 'gg-dpl', 'Data Protection (Bailiwick of Guernsey) Law, 2017, part X', '2018-05-25'],
    ['je', 'je-dpl', 'Data Protection (Jersey) Law 2018, part 8', '2018-05-25'],
    [
      'im',
      'im-gdpr',
      'Data Protection (Application of GDPR) Order 2018, applied GDPR chapter V',
      '2018-08-01',
    ],
    ['gi', 'gi-gdpr', 'Gibraltar GDPR, chapter V', '2021-01-01'],
  ] as const
).flatMap(([code, regime, source, from]) =>
  toInstruments({ regime, source, from, evidence: RECALLED }, [
    [
      `${code}-adequacy`,
      'adequacy',
      'authorised or adequate jurisdiction',
      'Authorised or adequate jurisdiction',
      'the place is the EU, the United Kingdom or found adequate under the law',
    ],
    [
      `${code}-scc`,
      'safeguard',
      'appropriate safeguards',
      'Standard clauses',
      'clauses approved under the law and an assessment of the recipient’s law',
    ],
    [
      `${code}-bcr`,
      'safeguard',
      'appropriate safeguards',
      'Binding corporate rules',
      'approved by the authority',
    ],
    [
      `${code}-explicit-consent`,
      'derogation',
      'exceptions',
      'Explicit consent',
      'explicit consent after being informed of the risks',
    ],
  ]),
);

export const EUROPEAN_INSTRUMENTS: readonly TransferInstrument[] = [
  ...GDPR,
  ...UK,
  ...SWISS,
  ...ISLANDS,
];
