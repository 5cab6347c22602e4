// SPDX-License-Identifier: Apache-2.0
// Adequacy under UK law (DPA 2018 sch. 21 and regulations) and Swiss law (DPO, annex 1).
import type { Adequacy } from '../row.ts';
import { READ_2026_02, READ_2026_06, RECALLED } from './evidence.ts';

const SCHEDULE_21 = 'Data Protection Act 2018, sch. 21 para. 4 and 5 (transitional provisions)';
/** Read in a publication of October 2023 on the schedule and both regulations. */
const READ_2023_10 = { asOf: '2023-10-12', confirmed: true } as const;
const uk = { by: 'uk', reach: 'full', ...READ_2023_10 } as const;

function toSchedule21(to: string, partial?: { scope: string; conditions: string }): Adequacy {
  return {
    ...uk,
    id: `uk-${to}`,
    to,
    instrument: SCHEDULE_21,
    scope: 'all transfers',
    ...(partial === undefined ? {} : { reach: 'partial', ...partial }),
    from: '2021-01-01',
    source: SCHEDULE_21,
    ...(to === 'eea' ? READ_2026_02 : {}),
    // The list that was read left the Faroes out; the schedule is recalled to have them.
    ...(to === 'fo' ? RECALLED : {}),
  };
}

export const UK_ADEQUACY: readonly Adequacy[] = [
  ...['eea', 'gi', 'ad', 'ar', 'ch', 'fo', 'gg', 'im', 'je', 'nz', 'uy'].map((to) =>
    toSchedule21(to),
  ),
  toSchedule21('ca', {
    scope: 'recipients subject to PIPEDA (commercial organisations)',
    conditions:
      'recipient subject to the Personal Information Protection and Electronic Documents Act',
  }),
  toSchedule21('il', { scope: 'automated processing', conditions: 'automated processing' }),
  toSchedule21('jp', {
    scope: 'private-sector business operators subject to the APPI',
    conditions: 'recipient subject to the APPI and the Supplementary Rules',
  }),
  {
    ...uk,
    id: 'uk-kr',
    to: 'kr',
    instrument: 'Data Protection (Adequacy) (Republic of Korea) Regulations 2022',
    scope: 'persons in the Republic of Korea who are subject to PIPA',
    from: '2022-12-19',
    source: 'SI 2022/1213',
  },
  {
    ...uk,
    id: 'uk-us-data-bridge',
    to: 'us',
    reach: 'partial',
    instrument: 'Data Protection (Adequacy) (United States of America) Regulations 2023',
    scope: 'organisations on the DPF List that take part in the UK Extension',
    conditions:
      'recipient on the Data Privacy Framework List with the UK Extension; sensitive data marked as such',
    from: '2023-10-12',
    source: 'SI 2023/1028',
    ...READ_2026_02,
  },
];

const DPO = 'Data Protection Ordinance (DPO), SR 235.11, annex 1';
const ch = { by: 'ch', reach: 'full', ...READ_2026_06 } as const;
const CH_STATES =
  'ad ar at be bg cy cz de dk ee es fi fo fr gg gi gr hr hu ie il im is it je li lt lu lv mc mt nl no nz pl pt ro se si sk uk uy';

export const CH_ADEQUACY: readonly Adequacy[] = [
  ...CH_STATES.split(' ').map(
    (to): Adequacy => ({
      ...ch,
      id: `ch-${to}`,
      to,
      instrument: DPO,
      scope: 'all transfers by private persons and federal bodies as annex 1 marks',
      from: '2023-09-01',
      source: `${DPO}; Federal Office of Justice, list of states`,
      // The end of the list was not seen, apart from the members of the EEA and the United Kingdom.
      ...(['mc', 'nz', 'uy'].includes(to) ? RECALLED : {}),
    }),
  ),
  {
    ...ch,
    id: 'ch-ca',
    to: 'ca',
    reach: 'partial',
    instrument: DPO,
    scope: 'recipients subject to PIPEDA or to substantially similar provincial law',
    conditions: 'PIPEDA, or a province’s substantially similar act, applies to the recipient',
    from: '2023-09-01',
    source: `${DPO}; Federal Office of Justice, list of states`,
  },
  {
    ...ch,
    id: 'ch-us-dpf',
    to: 'us',
    reach: 'partial',
    instrument: `${DPO} (Swiss-U.S. Data Privacy Framework)`,
    scope: 'organisations certified under the Swiss-U.S. Data Privacy Framework',
    conditions: 'recipient on the Data Privacy Framework List with the Swiss-U.S. framework',
    from: '2024-09-15',
    source: `${DPO}, amended 14.8.2024, in force 15.9.2024`,
  },
];
