// SPDX-License-Identifier: Apache-2.0
// Overlays: laws of a sector and schemes of assurance that come on top of the general law.
import type { Regime } from '../row.ts';
import { READ_2026_06, RECALLED } from './evidence.ts';

type Extra = Pick<Regime, 'appliesTo'> & Partial<Pick<Regime, 'categories' | 'until'>>;

const recalled = (
  kind: 'sector' | 'assurance',
  id: string,
  jurisdiction: string,
  from: string,
  name: string,
  source: string,
  extra: Extra,
): Regime => ({
  id,
  name,
  kind,
  jurisdiction,
  instrument: name,
  from,
  source,
  ...extra,
  ...RECALLED,
});

const SECTOR: readonly Regime[] = [
  recalled(
    'sector',
    'hipaa',
    'us',
    '2003-04-14',
    'HIPAA Privacy, Security and Breach Notification Rules',
    '45 CFR parts 160, 162 and 164; Pub. L. 104-191',
    {
      appliesTo:
        'covered entities and business associates that hold protected health information; no bar on foreign storage of its own, but a business associate agreement is needed',
      categories: ['health'],
    },
  ),
  recalled(
    'sector',
    'glba',
    'us',
    '1999-11-12',
    'Gramm-Leach-Bliley Act',
    '15 U.S.C. § 6801 et seq.; 16 CFR parts 313 and 314',
    {
      appliesTo: 'financial institutions, for non-public personal information of consumers',
      categories: ['financial'],
    },
  ),
  recalled(
    'sector',
    'coppa',
    'us',
    '2000-04-21',
    'Children’s Online Privacy Protection Act',
    '15 U.S.C. § 6501 et seq.; 16 CFR part 312',
    {
      appliesTo: 'online services directed to children under 13 or with knowledge of their age',
      categories: ['children'],
    },
  ),
  recalled(
    'sector',
    'ferpa',
    'us',
    '1974-11-19',
    'Family Educational Rights and Privacy Act',
    '20 U.S.C. § 1232g; 34 CFR part 99',
    {
      appliesTo: 'education records of institutions with federal funds',
      categories: ['children', 'content'],
    },
  ),
  {
    id: 'us-bulk-data',
    name: 'Rule on access to U.S. sensitive personal data by countries of concern',
    kind: 'sector',
    jurisdiction: 'us',
    instrument: '28 CFR part 202 under Executive Order 14117',
    appliesTo:
      'U.S. persons, for bulk U.S. sensitive personal data and government-related data: no or restricted access by countries of concern (China with Hong Kong and Macao, Cuba, Iran, North Korea, Russia, Venezuela) and covered persons',
    categories: ['health', 'biometric', 'financial', 'location'],
    from: '2025-04-08',
    source: '28 CFR part 202; 90 FR 1636, 8.1.2025',
    ...READ_2026_06,
  },
  recalled(
    'sector',
    'my-health-records',
    'au',
    '2012-06-29',
    'My Health Records Act 2012',
    'My Health Records Act 2012 (Cth), s 77',
    {
      appliesTo:
        'system operator, repositories and providers of the My Health Record system: records held and processed in Australia only',
      categories: ['health'],
    },
  ),
  recalled(
    'sector',
    'dora',
    'eu',
    '2025-01-17',
    'Digital Operational Resilience Act',
    'Regulation (EU) 2022/2554, OJ L 333, 27.12.2022, p. 1',
    {
      appliesTo:
        'financial entities and their ICT providers: places of processing in the contract, register of providers',
      categories: ['financial'],
    },
  ),
  recalled(
    'sector',
    'eu-data-act',
    'eu',
    '2025-09-12',
    'Data Act',
    'Regulation (EU) 2023/2854, OJ L, 2023/2854, 22.12.2023',
    {
      appliesTo:
        'providers of data processing services: switching, and no third-country governmental access to non-personal data in conflict with Union law (art. 32)',
    },
  ),
];

const ASSURANCE: readonly Regime[] = [
  {
    id: 'pci-dss',
    name: 'Payment Card Industry Data Security Standard',
    kind: 'assurance',
    instrument: 'PCI DSS v4.0.1',
    appliesTo:
      'whoever stores, processes or transmits account data of payment cards, by contract with the card schemes; worldwide',
    categories: ['financial'],
    from: '2004-12-15',
    source: 'PCI Security Standards Council, PCI DSS v4.0.1 (June 2024)',
    ...RECALLED,
  },
  recalled(
    'assurance',
    'fedramp',
    'us',
    '2011-12-08',
    'Federal Risk and Authorization Management Program',
    'FedRAMP Authorization Act, 44 U.S.C. §§ 3607–3616; OMB M-24-15',
    {
      appliesTo: 'cloud services that hold information of federal agencies',
    },
  ),
  recalled(
    'assurance',
    'irap',
    'au',
    '2011-01-01',
    'Infosec Registered Assessors Program',
    'Australian Signals Directorate, Information Security Manual and IRAP policy',
    {
      appliesTo:
        'systems that hold Australian government information, assessed against the ISM; PROTECTED and above to be hosted in Australia by certified providers',
    },
  ),
  recalled(
    'assurance',
    'c5',
    'de',
    '2016-02-09',
    'Cloud Computing Compliance Criteria Catalogue',
    'BSI, C5:2020',
    {
      appliesTo:
        'cloud services for German federal bodies and, by § 393 SGB V, for social and health data',
      categories: ['health'],
    },
  ),
  recalled(
    'assurance',
    'hds',
    'fr',
    '2018-04-01',
    'Hébergement de données de santé',
    'Code de la santé publique, art. L1111-8; référentiel HDS v2.0 (arrêté du 26.4.2024)',
    {
      appliesTo: 'whoever hosts health data collected in care: certified, stored in the EEA',
      categories: ['health'],
    },
  ),
  recalled(
    'assurance',
    'secnumcloud',
    'fr',
    '2016-12-08',
    'SecNumCloud',
    'ANSSI, référentiel SecNumCloud v3.2',
    {
      appliesTo:
        'cloud services for sensitive data of the French state; immunity from law outside the Union',
    },
  ),
  recalled(
    'assurance',
    'ens',
    'es',
    '2022-05-05',
    'Esquema Nacional de Seguridad',
    'Real Decreto 311/2022',
    {
      appliesTo: 'systems of the Spanish public sector and their providers',
    },
  ),
  recalled(
    'assurance',
    'ismap',
    'jp',
    '2020-06-03',
    'Information system Security Management and Assessment Program',
    'ISMAP basic rules (内閣官房ほか)',
    {
      appliesTo: 'cloud services procured by the government of Japan',
    },
  ),
];

export const SECTOR_REGIMES: readonly Regime[] = [...SECTOR, ...ASSURANCE];
