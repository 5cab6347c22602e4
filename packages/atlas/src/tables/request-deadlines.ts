// SPDX-License-Identifier: Apache-2.0
// How soon a person who uses a right must have an answer, by regime. Where a law says only "promptly" or
// "within a reasonable time", the row has the regulator's own figure, and says so in `note`.
import type { RequestDeadline } from '../row.ts';

export const REQUEST_DEADLINES: readonly RequestDeadline[] = [
  {
    regime: 'gdpr',
    answerWithin: { count: 1, unit: 'months' },
    extensionBy: { count: 2, unit: 'months' },
    article: 'art. 12(3)',
    source:
      'Regulation (EU) 2016/679, art. 12(3); Data Protection Commission (Ireland), FAQ on access requests',
    asOf: '2026-11-20',
    confirmed: true,
  },
  {
    regime: 'uk-gdpr',
    answerWithin: { count: 1, unit: 'months' },
    extensionBy: { count: 2, unit: 'months' },
    article: 'art. 12(3) and 12A',
    source: 'UK GDPR, art. 12(3); privacy notice of the City of Lincoln Council',
    asOf: '2026-11-20',
    confirmed: true,
  },
  {
    regime: 'cpra',
    answerWithin: { count: 45, unit: 'days' },
    extensionBy: { count: 45, unit: 'days' },
    article: '§ 1798.130(a)(2)(A)',
    source: 'Cal. Civ. Code § 1798.130(a)(2)(A); 11 CCR § 7021(b)',
    asOf: '2026-11-20',
    confirmed: true,
  },
  {
    regime: 'lgpd',
    answerWithin: { count: 15, unit: 'days' },
    article: 'art. 19, II',
    note: 'the complete statement; a simplified one at once',
    source: 'Lei nº 13.709/2018, art. 19, II',
    asOf: '2026-11-20',
    confirmed: true,
  },
  {
    regime: 'ch-fadp',
    answerWithin: { count: 30, unit: 'days' },
    article: 'FADP art. 25(7); DPO art. 18',
    source: 'Federal Act on Data Protection, art. 25(7); Data Protection Ordinance, art. 18',
    asOf: '2025-12-31',
    confirmed: false,
  },
  {
    regime: 'us-state-privacy',
    answerWithin: { count: 45, unit: 'days' },
    extensionBy: { count: 45, unit: 'days' },
    article: '§ 59.1-577(B)(1) in Virginia',
    source: 'Va. Code § 59.1-577(B)(1)',
    asOf: '2025-12-31',
    confirmed: false,
  },
  {
    regime: 'au-privacy',
    answerWithin: { count: 30, unit: 'days' },
    article: 'APP 12.4',
    note: 'the law asks for a reasonable period; the figure is the guidelines’',
    source: 'Privacy Act 1988 (Cth), APP 12.4; OAIC, APP guidelines, chapter 12',
    asOf: '2025-12-31',
    confirmed: false,
  },
  {
    regime: 'nz-privacy',
    answerWithin: { count: 20, unit: 'working-days' },
    article: 's. 44',
    source: 'Privacy Act 2020 (NZ), s. 44',
    asOf: '2025-12-31',
    confirmed: false,
  },
];
