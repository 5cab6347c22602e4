// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { adequacyDecisions, listAdequacyDecisions } from './index.ts';

const TODAY = '2026-11-20';
const ids = (by: string, to: string, onDate = TODAY): readonly string[] =>
  adequacyDecisions({ by, to, onDate }).map((row) => row.id);

describe('the EU and the United Kingdom', () => {
  it.each([
    ['2020-01-31', []],
    ['2020-02-01', ['eu-uk-transition']],
    ['2020-12-31', ['eu-uk-transition']],
    ['2021-01-01', ['eu-uk-bridge']],
    ['2021-06-28', ['eu-uk-2021']],
    ['2025-06-27', ['eu-uk-2021']],
    ['2025-06-28', ['eu-uk-2021-extended']],
    ['2025-12-18', ['eu-uk-2021-extended']],
    ['2025-12-19', ['eu-uk-2025']],
    [TODAY, ['eu-uk-2025']],
    ['2031-12-27', ['eu-uk-2025']],
    ['2031-12-28', []],
  ])('on %s rest on %j', (onDate, expected) => {
    expect(ids('eu', 'uk', onDate)).toEqual(expected);
  });

  it('in the other direction rest on schedule 21', () => {
    expect(ids('uk', 'de')).toEqual(['uk-eea']);
    expect(ids('uk', 'eu')).toEqual(['uk-eea']);
    expect(ids('uk', 'is')).toEqual(['uk-eea']);
    expect(ids('uk', 'de', '2020-12-31')).toEqual([]);
  });
});

describe('the EU and the United States', () => {
  it.each([
    ['2000-07-25', []],
    ['2000-07-26', ['eu-us-safe-harbour']],
    ['2015-10-05', ['eu-us-safe-harbour']],
    ['2015-10-06', []],
    ['2016-07-12', ['eu-us-privacy-shield']],
    ['2020-07-15', ['eu-us-privacy-shield']],
    ['2020-07-16', []],
    ['2023-07-09', []],
    ['2023-07-10', ['eu-us-dpf']],
    [TODAY, ['eu-us-dpf']],
  ])('on %s have %j', (onDate, expected) => {
    expect(ids('eu', 'us', onDate)).toEqual(expected);
  });

  it('are never wholly adequate: each decision names its condition', () => {
    const rows = listAdequacyDecisions().filter((row) => row.to === 'us');
    expect(rows.length).toBe(5);
    expect(rows.every((row) => row.reach === 'partial' && row.conditions !== undefined)).toBe(true);
  });

  it('reach a state of the United States through the decision on the whole', () => {
    expect(ids('eu', 'us-va')).toEqual(['eu-us-dpf']);
  });
});

describe('who decides for whom', () => {
  it('a Member State by the Union’s decisions, an EEA EFTA state by them since the GDPR', () => {
    expect(ids('de', 'jp')).toEqual(['eu-jp']);
    expect(ids('no', 'jp')).toEqual(['eu-jp']);
    expect(ids('eea', 'jp')).toEqual(['eu-jp']);
    expect(ids('no', 'nz', '2018-07-19')).toEqual([]);
    expect(ids('no', 'nz', '2018-07-20')).toEqual(['eu-nz']);
  });

  it('the United Kingdom by the Union’s only while it was a member', () => {
    expect(ids('uk', 'us', '2019-06-01')).toEqual(['eu-us-privacy-shield']);
    expect(ids('uk', 'us', '2023-10-11')).toEqual([]);
    expect(ids('uk', 'us', '2023-10-12')).toEqual(['uk-us-data-bridge']);
  });

  it('Switzerland by its own list, which has no Japan and no Korea', () => {
    expect(ids('ch', 'de')).toEqual(['ch-de']);
    expect(ids('ch', 'uk')).toEqual(['ch-uk']);
    expect(ids('ch', 'jp')).toEqual([]);
    expect(ids('ch', 'kr')).toEqual([]);
    expect(ids('ch', 'us', '2024-09-14')).toEqual([]);
    expect(ids('ch', 'us', '2024-09-15')).toEqual(['ch-us-dpf']);
    expect(ids('ch', 'eea').length).toBe(30);
  });

  it('Japan, Korea and Brazil by theirs', () => {
    expect(ids('jp', 'fr')).toEqual(['jp-eea']);
    expect(ids('jp', 'uk')).toEqual(['jp-uk']);
    expect(ids('kr', 'no')).toEqual(['kr-eea']);
    expect(ids('br', 'pt')).toEqual(['br-eu']);
    expect(ids('br', 'no')).toEqual([]);
    expect(ids('eu', 'br')).toEqual(['eu-br']);
    expect(ids('eu', 'br', '2026-01-25')).toEqual([]);
  });
});

describe('to whom', () => {
  it('the Channel Islands by the decisions on each, all or nothing', () => {
    expect(ids('eu', 'channel-islands')).toEqual(['eu-gg', 'eu-je']);
    expect(ids('eu', 'channel-islands', '2008-05-07')).toEqual([]);
    expect(ids('ch', 'channel-islands')).toEqual(['ch-gg', 'ch-je']);
  });

  it('nobody decides about places inside its own space', () => {
    expect(ids('eu', 'de')).toEqual([]);
    expect(ids('eu', 'eea')).toEqual([]);
  });

  it.each(['cn', 'in', 'au', 'sg', 'bh', 'za', 'ru', 'hk', 'gi', 'gl', 'pr', 'mx'])(
    'the EU has found nothing full about %s',
    (to) => {
      const rows = adequacyDecisions({ by: 'eu', to, onDate: TODAY });
      expect(rows.filter((row) => row.reach === 'full')).toEqual([]);
    },
  );

  it('the sixteen places that the Commission has found adequate are all here', () => {
    const places = listAdequacyDecisions()
      .filter((row) => row.by === 'eu' && row.from <= TODAY && (row.until ?? TODAY) >= TODAY)
      .map((row) => row.to)
      .sort();
    expect(places).toEqual('ad ar br ca ch fo gg il im je jp kr nz uk us uy'.split(' '));
  });

  it.each([
    [{ by: 'xx', to: 'us', onDate: TODAY }, 'ATLAS_JURISDICTION_UNKNOWN'],
    [{ by: 'eu', to: 'xx', onDate: TODAY }, 'ATLAS_JURISDICTION_UNKNOWN'],
    [{ by: 'eu', to: 'United States', onDate: TODAY }, 'ATLAS_JURISDICTION_UNKNOWN'],
    [{ by: 'eu', to: 'us', onDate: '2023-7-10' }, 'ATLAS_DATE_INVALID'],
  ])('refuses %j', (query, code) => {
    expect(() => adequacyDecisions(query)).toThrow(expect.objectContaining({ code }));
  });
});
