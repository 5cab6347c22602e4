// SPDX-License-Identifier: Apache-2.0
// Groupings and who belonged to them from when until when (both days included). Territories with a
// place of their own in EU law (Åland, Mayotte, Gibraltar) have rows of their own.
import type { GroupingRow, Membership, MembershipWave, Sourced } from '../row.ts';
import { CONVENTION_108_READ, CONVENTION_108_RECALLED } from './convention-108.ts';
import { RECALLED, READ_2026_02 as read } from './evidence.ts';

export const GROUPINGS: readonly GroupingRow[] = [
  {
    id: 'eu',
    name: 'European Union',
    aliases: ['European Union', 'European Community', 'EU27'],
    source: 'Treaty on European Union, art. 52; TFEU art. 355 (territorial scope)',
    ...read,
  },
  {
    id: 'eea',
    name: 'European Economic Area',
    aliases: ['European Economic Area'],
    source:
      'Agreement on the European Economic Area, OJ L 1, 3.1.1994, p. 3; GDPR incorporated by EEA Joint Committee Decision 154/2018',
    ...read,
  },
  {
    id: 'efta',
    name: 'European Free Trade Association',
    aliases: ['European Free Trade Association'],
    source: 'Convention establishing the European Free Trade Association (Stockholm, 4.1.1960)',
    ...read,
  },
  {
    id: 'channel-islands',
    name: 'Channel Islands',
    aliases: ['The Channel Islands'],
    source:
      'Interpretation Act 1978 (UK), sch. 1, “British Islands”; bailiwicks of Jersey and Guernsey',
    ...read,
  },
  {
    id: 'crown-dependencies',
    name: 'Crown Dependencies',
    aliases: ['Crown Dependencies'],
    source:
      'Fact sheet on the UK’s relationship with the Crown Dependencies, UK Ministry of Justice',
    ...read,
  },
  {
    id: 'asean',
    name: 'Association of Southeast Asian Nations',
    aliases: ['Association of South East Asian Nations'],
    source: 'ASEAN Charter; ASEAN Model Contractual Clauses (2021)',
    ...RECALLED,
  },
  {
    id: 'global-cbpr',
    name: 'Global CBPR Forum members',
    aliases: ['Global Cross-Border Privacy Rules Forum'],
    source: 'Global CBPR Forum, terms of reference; globalcbpr.org',
    ...RECALLED,
  },
  {
    id: 'convention-108',
    name: 'Parties to Convention 108',
    aliases: ['Convention 108', 'ETS 108'],
    source: 'Council of Europe, ETS 108, chart of signatures and ratifications',
    asOf: '2023-06-30',
    confirmed: true,
  },
];

function toMemberships(
  grouping: string,
  waves: readonly MembershipWave[],
  known: Omit<Sourced, 'source'>,
): readonly Membership[] {
  return waves.flatMap(([from, source, members, until]) =>
    members.split(' ').map((member) => ({
      grouping,
      member,
      from,
      ...(until === undefined ? {} : { until }),
      source,
      ...known,
    })),
  );
}

const EU_WAVES: readonly MembershipWave[] = [
  ['1958-01-01', 'Treaty of Rome (EEC), in force 1.1.1958', 'be de fr it lu nl'],
  ['1973-01-01', 'Treaty of Accession 1972, OJ L 73, 27.3.1972', 'dk ie'],
  [
    '1973-01-01',
    'Treaty of Accession 1972, OJ L 73, 27.3.1972; left under TEU art. 50 and Withdrawal Agreement, OJ L 29, 31.1.2020',
    'uk gi',
    '2020-01-31',
  ],
  ['1981-01-01', 'Treaty of Accession 1979, OJ L 291, 19.11.1979', 'gr'],
  ['1986-01-01', 'Treaty of Accession 1985, OJ L 302, 15.11.1985', 'es pt'],
  [
    '1995-01-01',
    'Treaty of Accession 1994, OJ C 241, 29.8.1994 (Protocol 2 for Åland)',
    'at fi se',
  ],
  ['2004-05-01', 'Treaty of Accession 2003, OJ L 236, 23.9.2003', 'cy cz ee hu lt lv mt pl si sk'],
  ['2007-01-01', 'Treaty of Accession 2005, OJ L 157, 21.6.2005', 'bg ro'],
  ['2013-07-01', 'Treaty of Accession 2011, OJ L 112, 24.4.2012', 'hr'],
];

const EEA_WAVES: readonly MembershipWave[] = [
  [
    '1994-01-01',
    'Agreement on the European Economic Area, OJ L 1, 3.1.1994',
    'at be de dk es fi fr gr ie is it lu nl no pt se',
  ],
  [
    '1994-01-01',
    'Agreement on the European Economic Area, OJ L 1, 3.1.1994; left with the EU, Withdrawal Agreement, OJ L 29, 31.1.2020',
    'uk gi',
    '2020-01-31',
  ],
  [
    '2014-04-12',
    'EEA Enlargement Agreement 2014, OJ L 170, 11.6.2014 (provisionally applied)',
    'hr',
  ],
];

/** Members of the EEA that is confirmed, on first days that are not. */
const EEA_WAVES_RECALLED: readonly MembershipWave[] = [
  ['1995-05-01', 'Decision of the EEA Council 1/95, OJ L 86, 20.4.1995', 'li'],
  [
    '2004-05-01',
    'EEA Enlargement Agreement 2003, OJ L 130, 29.4.2004 (provisionally applied)',
    'cy cz ee hu lt lv mt pl si sk',
  ],
  [
    '2007-08-01',
    'EEA Enlargement Agreement 2007, OJ L 221, 25.8.2007 (provisionally applied)',
    'bg ro',
  ],
];

const EFTA = 'EFTA Convention (Stockholm 1960), accessions and withdrawals';
const EFTA_WAVES: readonly MembershipWave[] = [
  ['1960-05-03', EFTA, 'ch no'],
  ['1960-05-03', EFTA, 'dk uk', '1972-12-31'],
  ['1960-05-03', EFTA, 'pt', '1985-12-31'],
  ['1960-05-03', EFTA, 'at se', '1994-12-31'],
  ['1970-03-01', EFTA, 'is'],
  ['1986-01-01', EFTA, 'fi', '1994-12-31'],
  ['1991-09-01', EFTA, 'li'],
];

const ASEAN = 'ASEAN Declaration (Bangkok, 8.8.1967) and instruments of accession';
const ASEAN_WAVES: readonly MembershipWave[] = [
  ['1967-08-08', ASEAN, 'id my ph sg th'],
  ['1984-01-07', ASEAN, 'bn'],
  ['1995-07-28', ASEAN, 'vn'],
  ['1997-07-23', ASEAN, 'la mm'],
  ['1999-04-30', ASEAN, 'kh'],
  ['2025-10-26', ASEAN, 'tl'],
];

const CBPR = 'Global Cross-Border Privacy Rules Declaration, 21.4.2022; Global CBPR Forum, members';
const CBPR_WAVES: readonly MembershipWave[] = [
  ['2022-04-21', CBPR, 'ca jp kr ph sg tw us'],
  ['2022-08-17', CBPR, 'au'],
  ['2023-01-01', CBPR, 'mx'],
];

const ISLANDS = 'Interpretation Act 1978 (UK), sch. 1, “British Islands”, in force 1.1.1979';

export const MEMBERSHIPS: readonly Membership[] = [
  ...toMemberships('eu', EU_WAVES, read),
  ...toMemberships('eea', EEA_WAVES, read),
  ...toMemberships('eea', EEA_WAVES_RECALLED, RECALLED),
  ...toMemberships('efta', EFTA_WAVES, read),
  ...toMemberships('asean', ASEAN_WAVES, RECALLED),
  ...toMemberships('global-cbpr', CBPR_WAVES, RECALLED),
  ...toMemberships('convention-108', CONVENTION_108_READ, { asOf: '2023-06-30', confirmed: true }),
  ...toMemberships('convention-108', CONVENTION_108_RECALLED, RECALLED),
  ...toMemberships('channel-islands', [['1979-01-01', ISLANDS, 'gg je']], read),
  ...toMemberships('crown-dependencies', [['1979-01-01', ISLANDS, 'gg im je']], read),
];
