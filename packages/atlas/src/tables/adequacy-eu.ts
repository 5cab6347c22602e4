// SPDX-License-Identifier: Apache-2.0
// Decisions of the European Commission under Directive 95/46/EC art. 25(6) and GDPR art. 45. `from` is
// the day of adoption (they take effect on notification to the Member States), `until` the last day
// in force. The law-enforcement decisions (Directive (EU) 2016/680) are not in here.
import type { Adequacy } from '../row.ts';
import { READ_2026_02, RECALLED } from './evidence.ts';

const report2024 =
  'confirmed by the Commission’s report COM(2024) 7 of 15.1.2024 on the first review';
const all = { by: 'eu', reach: 'full', ...READ_2026_02 } as const;
const partial = { by: 'eu', reach: 'partial', ...READ_2026_02 } as const;

const DIRECTIVE_DECISIONS: readonly Adequacy[] = [
  {
    ...all,
    id: 'eu-hu-2000',
    to: 'hu',
    instrument: 'Commission Decision 2000/519/EC',
    scope: 'all transfers; moot once Hungary joined the Union',
    from: '2000-07-26',
    until: '2004-04-30',
    source: 'OJ L 215, 25.8.2000, p. 4',
    ...RECALLED,
  },
  {
    ...all,
    id: 'eu-ch',
    to: 'ch',
    instrument: 'Commission Decision 2000/518/EC',
    scope: 'all transfers',
    from: '2000-07-26',
    source: `OJ L 215, 25.8.2000, p. 1; ${report2024}`,
  },
  {
    ...partial,
    id: 'eu-us-safe-harbour',
    to: 'us',
    instrument: 'Commission Decision 2000/520/EC (Safe Harbour)',
    scope: 'organisations that adhered to the Safe Harbour principles',
    conditions: 'recipient on the Safe Harbour list',
    from: '2000-07-26',
    until: '2015-10-05',
    source: 'OJ L 215, 25.8.2000, p. 7; invalid: CJEU C-362/14 Schrems, 6.10.2015',
  },
  {
    ...partial,
    id: 'eu-ca',
    to: 'ca',
    instrument: 'Commission Decision 2002/2/EC',
    scope: 'recipients subject to PIPEDA (commercial organisations)',
    conditions:
      'recipient subject to the Personal Information Protection and Electronic Documents Act',
    from: '2001-12-20',
    source: `OJ L 2, 4.1.2002, p. 13; ${report2024}`,
  },
  {
    ...all,
    id: 'eu-ar',
    to: 'ar',
    instrument: 'Commission Decision 2003/490/EC',
    scope: 'all transfers',
    from: '2003-06-30',
    source: `OJ L 168, 5.7.2003, p. 19; ${report2024}`,
  },
  {
    ...all,
    id: 'eu-gg',
    to: 'gg',
    instrument: 'Commission Decision 2003/821/EC',
    scope: 'all transfers',
    from: '2003-11-21',
    source: `OJ L 308, 25.11.2003, p. 27; ${report2024}`,
  },
  {
    ...all,
    id: 'eu-im',
    to: 'im',
    instrument: 'Commission Decision 2004/411/EC',
    scope: 'all transfers',
    from: '2004-04-28',
    source: `OJ L 151, 30.4.2004, p. 48; ${report2024}`,
  },
  {
    ...all,
    id: 'eu-je',
    to: 'je',
    instrument: 'Commission Decision 2008/393/EC',
    scope: 'all transfers',
    from: '2008-05-08',
    source: `OJ L 138, 28.5.2008, p. 21; ${report2024}`,
  },
  {
    ...all,
    id: 'eu-fo',
    to: 'fo',
    instrument: 'Commission Decision 2010/146/EU',
    scope: 'recipients subject to the Faeroese Act on processing of personal data',
    from: '2010-03-05',
    source: `OJ L 58, 9.3.2010, p. 17; ${report2024}`,
  },
  {
    ...all,
    id: 'eu-ad',
    to: 'ad',
    instrument: 'Commission Decision 2010/625/EU',
    scope: 'all transfers',
    from: '2010-10-19',
    source: `OJ L 277, 21.10.2010, p. 27; ${report2024}`,
  },
  {
    ...partial,
    id: 'eu-il',
    to: 'il',
    instrument: 'Commission Decision 2011/61/EU',
    scope:
      'automated international transfers, or otherwise transferred and further processed by automated means in Israel; the State of Israel as defined by international law',
    conditions: 'automated processing',
    from: '2011-01-31',
    source: `OJ L 27, 1.2.2011, p. 39; ${report2024}`,
  },
  {
    ...all,
    id: 'eu-uy',
    to: 'uy',
    instrument: 'Commission Implementing Decision 2012/484/EU',
    scope: 'all transfers',
    from: '2012-08-21',
    source: `OJ L 227, 23.8.2012, p. 11; ${report2024}`,
  },
  {
    ...all,
    id: 'eu-nz',
    to: 'nz',
    instrument: 'Commission Implementing Decision 2013/65/EU',
    scope: 'all transfers',
    from: '2012-12-19',
    source: `OJ L 28, 30.1.2013, p. 12; ${report2024}`,
  },
  {
    ...partial,
    id: 'eu-us-privacy-shield',
    to: 'us',
    instrument: 'Commission Implementing Decision (EU) 2016/1250 (Privacy Shield)',
    scope: 'organisations self-certified under the EU-U.S. Privacy Shield',
    conditions: 'recipient on the Privacy Shield List',
    from: '2016-07-12',
    until: '2020-07-15',
    source: 'OJ L 207, 1.8.2016, p. 1; invalid: CJEU C-311/18 Schrems II, 16.7.2020',
  },
];

const GDPR_DECISIONS: readonly Adequacy[] = [
  {
    ...partial,
    id: 'eu-jp',
    to: 'jp',
    instrument: 'Commission Implementing Decision (EU) 2019/419',
    scope:
      'business operators handling personal information subject to the APPI, as complemented by the Supplementary Rules; broadcasters, press, writers, religious and political bodies left out where they act as such',
    conditions: 'recipient subject to the APPI and the Supplementary Rules',
    from: '2019-01-23',
    source: 'OJ L 76, 19.3.2019, p. 1; first review: COM(2023) 275, 3.4.2023',
  },
  {
    ...all,
    id: 'eu-uk-transition',
    to: 'uk',
    instrument: 'Withdrawal Agreement, art. 126 and 127 (transition period)',
    scope: 'Union law, the GDPR included, applied to and in the United Kingdom',
    from: '2020-02-01',
    until: '2020-12-31',
    source: 'OJ L 29, 31.1.2020, p. 7',
  },
  {
    ...all,
    id: 'eu-uk-bridge',
    to: 'uk',
    instrument: 'EU-UK Trade and Cooperation Agreement, art. 782 (interim provision)',
    scope: 'transmission to the United Kingdom not considered a transfer to a third country',
    from: '2021-01-01',
    until: '2021-06-27',
    source: 'OJ L 149, 30.4.2021, p. 10, art. 782',
  },
  {
    ...partial,
    id: 'eu-uk-2021',
    to: 'uk',
    instrument: 'Commission Implementing Decision (EU) 2021/1772',
    scope: 'all transfers but those for purposes of UK immigration control',
    conditions: 'not for UK immigration control (DPA 2018, sch. 2 para. 4(1))',
    from: '2021-06-28',
    until: '2025-06-27',
    source: 'OJ L 360, 11.10.2021, p. 1, art. 12',
  },
  {
    ...partial,
    id: 'eu-uk-2021-extended',
    to: 'uk',
    instrument:
      'Commission Implementing Decision (EU) 2021/1772 as extended by (EU) 2025/1226 of 24.6.2025',
    scope: 'all transfers but those for purposes of UK immigration control',
    conditions: 'not for UK immigration control (DPA 2018, sch. 2 para. 4(1))',
    from: '2025-06-28',
    until: '2025-12-18',
    source: 'Implementing Decision (EU) 2025/1226, OJ L, 2025/1226, 26.6.2025',
  },
  {
    ...all,
    id: 'eu-uk-2025',
    to: 'uk',
    instrument:
      'Commission Implementing Decision (EU) 2021/1772 as renewed by the Implementing Decision of 19.12.2025',
    scope: 'all transfers under the GDPR, those for immigration control now included',
    from: '2025-12-19',
    until: '2031-12-27',
    source:
      'European Commission, decision of 19.12.2025 renewing Implementing Decision (EU) 2021/1772 (number in the OJ not confirmed)',
  },
  {
    ...partial,
    id: 'eu-kr',
    to: 'kr',
    instrument: 'Commission Implementing Decision (EU) 2022/254',
    scope:
      'recipients subject to PIPA as complemented by PIPC Notification 2021-5; not religious missions, candidates of parties, nor credit information under the Credit Information Act',
    conditions: 'recipient subject to PIPA; not personal credit information overseen by the FSC',
    from: '2021-12-17',
    source: 'OJ L 44, 24.2.2022, p. 1',
  },
  {
    ...partial,
    id: 'eu-us-dpf',
    to: 'us',
    instrument: 'Commission Implementing Decision (EU) 2023/1795 (EU-U.S. Data Privacy Framework)',
    scope:
      'organisations on the Data Privacy Framework List; HR data only where the certification covers it',
    conditions: 'recipient on the Data Privacy Framework List of the U.S. Department of Commerce',
    from: '2023-07-10',
    source:
      'OJ L 231, 20.9.2023, p. 118; upheld: General Court T-553/23 Latombe, 3.9.2025 (appealed to the CJEU)',
  },
  {
    ...all,
    id: 'eu-br',
    to: 'br',
    instrument: 'Commission Implementing Decision (EU) 2026/179',
    scope:
      'transfers to recipients subject to the LGPD; not processing for public security, defence, or criminal investigation, which the LGPD leaves out',
    from: '2026-01-26',
    reviewBy: '2030-01-26',
    source: 'OJ L, 2026/179, 28.1.2026',
  },
];

export const EU_ADEQUACY: readonly Adequacy[] = [...DIRECTIVE_DECISIONS, ...GDPR_DECISIONS];
