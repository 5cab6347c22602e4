// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import {
  findRegime,
  findTransferInstrument,
  getRegime,
  localisationRulesOf,
  regimesOf,
  transferInstruments,
} from './index.ts';

const TODAY = '2026-11-20';
const general = (place: string, onDate = TODAY): readonly string[] =>
  regimesOf(place, onDate)
    .filter((regime) => regime.kind === 'general')
    .map((regime) => regime.id);

describe('regimes', () => {
  it.each([
    'gdpr',
    'uk-gdpr',
    'ch-fadp',
    'cpra',
    'lgpd',
    'dpdp',
    'pipl',
    'au-privacy',
    'appi',
    'sg-pdpa',
    'hipaa',
    'pci-dss',
    'fedramp',
    'irap',
    'il-ppl',
    'us-state-privacy',
  ])('of the scope are here: %s', (id) => {
    expect(findRegime(id)?.id).toBe(id);
  });

  it.each([
    ['de', ['gdpr']],
    ['no', ['gdpr']],
    ['gp', ['gdpr']],
    ['eu', ['gdpr']],
    ['uk', ['uk-gdpr']],
    ['ch', ['ch-fadp']],
    ['jp', ['appi']],
    ['au', ['au-privacy']],
    ['nf', ['au-privacy']],
    ['channel-islands', ['gg-dpl', 'je-dpl']],
    ['us-ca', ['us-ftc-act', 'us-state-privacy', 'cpra']],
    ['us-va', ['us-ftc-act', 'us-state-privacy', 'us-va-privacy']],
    ['ca-qc', ['ca-pipeda', 'quebec-private-sector']],
    ['hk', ['hk-pdpo']],
    ['cn', ['pipl']],
    ['kp', []],
  ])('general law in %s: %j', (place, expected) => {
    expect(general(place)).toEqual(expected);
  });

  it.each([
    ['no', '2018-07-19', []],
    ['no', '2018-07-20', ['gdpr']],
    ['uk', '2018-05-24', []],
    ['uk', '2020-06-01', ['gdpr']],
    ['uk', '2020-12-31', ['gdpr']],
    ['uk', '2021-01-01', ['uk-gdpr']],
    ['ch', '2023-08-31', ['ch-fadp-1992']],
    ['ch', '2023-09-01', ['ch-fadp']],
    ['us-ca', '2022-12-31', ['us-ftc-act', 'us-state-privacy', 'ccpa']],
    ['us-ok', '2026-12-31', ['us-ftc-act', 'us-state-privacy']],
    ['us-ok', '2027-01-01', ['us-ftc-act', 'us-state-privacy', 'us-ok-privacy']],
    ['cl', '2026-11-30', ['cl-19628']],
    ['cl', '2026-12-01', ['cl-21719']],
  ])('general law in %s on %s: %j', (place, onDate, expected) => {
    expect(general(place, onDate)).toEqual(expected);
  });

  it('of a sector name the categories they are about', () => {
    const silent = ['hipaa', 'glba', 'coppa', 'ferpa', 'us-bulk-data', 'pci-dss'].filter(
      (id) => getRegime(id).categories === undefined,
    );
    expect(silent).toEqual([]);
  });

  it.each([
    [() => getRegime('gdrp'), 'ATLAS_REGIME_UNKNOWN'],
    [() => regimesOf('xx', TODAY), 'ATLAS_JURISDICTION_UNKNOWN'],
    [() => regimesOf('de', 'now'), 'ATLAS_DATE_INVALID'],
    [() => transferInstruments('gdrp', TODAY), 'ATLAS_REGIME_UNKNOWN'],
    [() => transferInstruments('gdpr', '2026'), 'ATLAS_DATE_INVALID'],
    [() => localisationRulesOf('xx', TODAY), 'ATLAS_JURISDICTION_UNKNOWN'],
    [() => localisationRulesOf('cn', '-'), 'ATLAS_DATE_INVALID'],
  ])('refuse what is unknown (%#)', (ask, code) => {
    expect(ask).toThrow(expect.objectContaining({ code }));
  });
});

describe('transfer instruments', () => {
  const of = (regime: string, onDate = TODAY): readonly string[] =>
    transferInstruments(regime, onDate).map((row) => row.id);

  it('of the GDPR are those of chapter V, the derogations of article 49 one by one', () => {
    const rows = transferInstruments('gdpr', TODAY);
    expect(rows.filter((row) => row.kind === 'derogation').length).toBe(8);
    expect(of('gdpr')).toEqual(expect.arrayContaining(['adequacy', 'scc', 'bcr', 'certification']));
    expect(findTransferInstrument('scc')?.variants?.length).toBe(4);
  });

  it('have dates: the old clauses ended, the new ones began', () => {
    expect(of('gdpr', '2021-06-26')).not.toContain('scc');
    expect(of('gdpr', '2021-06-27')).toContain('scc');
    expect(of('gdpr', '2022-12-27')).toContain('scc-2010');
    expect(of('gdpr', '2022-12-28')).not.toContain('scc-2010');
    expect(of('uk-gdpr', '2022-03-20')).not.toContain('uk-idta');
    expect(of('uk-gdpr', '2022-03-21')).toEqual(expect.arrayContaining(['uk-idta', 'uk-addendum']));
  });

  it('of China are three routes and the exempt transfers', () => {
    expect(of('pipl')).toEqual([
      'cn-security-assessment',
      'cn-standard-contract',
      'cn-certification',
      'cn-exempt',
    ]);
    expect(of('pipl', '2025-12-31')).not.toContain('cn-certification');
  });

  it('of India become a negative list when the core of the act commences', () => {
    expect(of('dpdp', '2027-05-13')).toEqual([]);
    expect(of('dpdp', '2027-05-14')).toEqual(['in-negative-list']);
  });

  it.each([
    ['lgpd', 'br-scc'],
    ['appi', 'jp-designated-country'],
    ['kr-pipa', 'kr-equivalence'],
    ['sg-pdpa', 'sg-bcr'],
    ['au-privacy', 'au-reasonable-steps'],
    ['ch-fadp', 'ch-scc'],
    ['gg-dpl', 'gg-scc'],
    ['je-dpl', 'je-scc'],
    ['il-ppl', 'il-contract'],
  ])('of %s include %s', (regime, id) => {
    expect(of(regime)).toContain(id);
  });

  it('are none where a regime has no rule on transfers', () => {
    expect(of('cpra')).toEqual([]);
    expect(of('hipaa')).toEqual([]);
  });

  it('are none before the regime was there, and none by an unknown id', () => {
    expect(of('gdpr', '2018-05-24')).toEqual([]);
    expect(findTransferInstrument('SCC')).toBeUndefined();
  });
});

describe('localisation', () => {
  it('keeps bulk data of Americans from countries of concern since April 2025', () => {
    const rule = localisationRulesOf('us-va', TODAY).find((row) => row.kind === 'export-ban');
    expect(rule?.notTo).toEqual(['cn', 'hk', 'mo', 'cu', 'ir', 'kp', 'ru', 've']);
    expect(localisationRulesOf('us', '2025-04-07')).toEqual([]);
  });

  it('is known for China, Russia and the health records of Australia', () => {
    expect(localisationRulesOf('cn', TODAY).map((row) => row.id)).toContain('cn-pipl-40');
    expect(localisationRulesOf('ru', TODAY).map((row) => row.kind)).toEqual(['onshore-copy']);
    expect(localisationRulesOf('au', TODAY).map((row) => row.categories)).toEqual([['health']]);
    expect(localisationRulesOf('ie', TODAY)).toEqual([]);
  });
});
