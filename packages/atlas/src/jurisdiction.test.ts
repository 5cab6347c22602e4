// SPDX-License-Identifier: Apache-2.0
// Goal: names lead to one place or to none. The list of codes is held against ICU, which Node brings and
// which took it from ISO independently of us.
import { describe, expect, it } from 'vitest';
import {
  findJurisdiction,
  getJurisdiction,
  listJurisdictions,
  suggestJurisdiction,
} from './index.ts';
import { namesOf, toNameForm } from './jurisdiction.ts';
import { COUNTRIES } from './tables/countries.ts';

const idOf = (text: string): string | undefined => findJurisdiction(text)?.id;

describe('the countries', () => {
  it('are the 249 of ISO 3166-1, each code once', () => {
    expect(COUNTRIES.length).toBe(249);
    expect(new Set(COUNTRIES.map(([alpha2]) => alpha2)).size).toBe(249);
    expect(new Set(COUNTRIES.map(([, alpha3]) => alpha3)).size).toBe(249);
    expect(
      COUNTRIES.filter(([a2, a3]) => !/^[A-Z]{2}$/.test(a2) || !/^[A-Z]{3}$/.test(a3)),
    ).toEqual([]);
  });

  it('are all known to ICU by code, and ours are found by ICU’s English name', () => {
    const english = new Intl.DisplayNames('en', { type: 'region', fallback: 'none' });
    // Names of ICU that are ambiguous or that we do not carry.
    const others = new Set([
      'BQ',
      'MF',
      'SX',
      'UM',
      'GS',
      'TC',
      'WF',
      'PM',
      'SJ',
      'KN',
      'LC',
      'VC',
    ]);
    const wrong = COUNTRIES.filter(([alpha2]) => {
      const name = english.of(alpha2);
      if (name === undefined) return true;
      if (others.has(alpha2) || /&|St\. |\(|-/.test(name)) return false;
      return findJurisdiction(name)?.iso !== alpha2;
    });
    expect(wrong).toEqual([]);
  });

  it('have no code that ICU knows as a country and we lack', () => {
    const english = new Intl.DisplayNames('en', { type: 'region', fallback: 'none' });
    const letters = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'];
    const ours = new Set(COUNTRIES.map(([alpha2]) => alpha2));
    // Exceptionally reserved, user-assigned, withdrawn or CLDR's own: not of ISO 3166-1's list.
    const notOfIso = new Set(
      'AC CP CQ DG EA EU EZ IC QO TA UN XA XB XK ZZ AN BU CS DD DY FQ FX HV JT MI NH NQ NT PC PU PZ RH SU TP UK VD WK YD YU ZR CT'.split(
        ' ',
      ),
    );
    const extra = letters
      .flatMap((first) => letters.map((second) => first + second))
      .filter((code) => english.of(code) !== undefined && !ours.has(code) && !notOfIso.has(code));
    expect(extra).toEqual([]);
  });

  it('are `uk` for GB and lower case for all others', () => {
    expect(getJurisdiction('uk').iso).toBe('GB');
    expect(listJurisdictions().some((row) => row.id === 'gb')).toBe(false);
    const renamed = listJurisdictions().filter(
      (row) => row.iso?.length === 2 && row.id !== row.iso.toLowerCase(),
    );
    expect(renamed.map((row) => row.id)).toEqual(['uk']);
  });
});

describe('finding a jurisdiction', () => {
  it('leads each name to one place only', () => {
    const owners = new Map<string, Set<string>>();
    for (const row of listJurisdictions()) {
      for (const name of namesOf(row)) {
        const form = toNameForm(name);
        owners.set(form, (owners.get(form) ?? new Set()).add(row.id));
      }
    }
    expect(owners.size).toBeGreaterThan(1000);
    expect([...owners].filter(([, ids]) => ids.size > 1)).toEqual([]);
  });

  it('finds every jurisdiction by every name it has', () => {
    const lost = listJurisdictions().flatMap((row) =>
      namesOf(row).filter((name) => idOf(name) !== row.id),
    );
    expect(lost).toEqual([]);
  });

  // All values of the column Country in UCI's Online Retail data set.
  it.each([
    ['Australia', 'au'],
    ['Austria', 'at'],
    ['Bahrain', 'bh'],
    ['Belgium', 'be'],
    ['Brazil', 'br'],
    ['Canada', 'ca'],
    ['Channel Islands', 'channel-islands'],
    ['Cyprus', 'cy'],
    ['Czech Republic', 'cz'],
    ['Denmark', 'dk'],
    ['EIRE', 'ie'],
    ['European Community', 'eu'],
    ['Finland', 'fi'],
    ['France', 'fr'],
    ['Germany', 'de'],
    ['Greece', 'gr'],
    ['Hong Kong', 'hk'],
    ['Iceland', 'is'],
    ['Israel', 'il'],
    ['Italy', 'it'],
    ['Japan', 'jp'],
    ['Lebanon', 'lb'],
    ['Lithuania', 'lt'],
    ['Malta', 'mt'],
    ['Netherlands', 'nl'],
    ['Norway', 'no'],
    ['Poland', 'pl'],
    ['Portugal', 'pt'],
    ['RSA', 'za'],
    ['Saudi Arabia', 'sa'],
    ['Singapore', 'sg'],
    ['Spain', 'es'],
    ['Sweden', 'se'],
    ['Switzerland', 'ch'],
    ['USA', 'us'],
    ['United Arab Emirates', 'ae'],
    ['United Kingdom', 'uk'],
  ])('reads %s of a trade file as %s', (name, id) => {
    expect(idOf(name)).toBe(id);
  });

  it.each([
    ['de', 'de'],
    ['DE', 'de'],
    ['DEU', 'de'],
    ['  Germany ', 'de'],
    ['gErMaNy', 'de'],
    ['ＤＥ', 'de'],
    ['United\u00a0Kingdom', 'uk'],
    ['united   kingdom', 'uk'],
    ['GB', 'uk'],
    ['TÜRKİYE', 'tr'],
    ['türkiye', 'tr'],
    ['co\u0302te d\u2019ivoire', 'ci'],
    ['US-CA', 'us-ca'],
    ['Québec', 'ca-qc'],
    ['European Union', 'eu'],
    ['日本', 'jp'],
  ])('folds form and case: %j is %s', (text, id) => {
    expect(idOf(text)).toBe(id);
  });

  it.each([
    ['a Cyrillic а', 'Fr\u0430nce'],
    ['a Greek Ε', '\u0395IRE'],
    ['Cyrillic letters for a code', 'U\u0405'],
    ['a zero-width space', 'Ger\u200bmany'],
    ['a soft hyphen', 'Ger\u00admany'],
    ['a turned word', '\u202eGermany'],
    ['one letter too few', 'Germny'],
    ['a place that is none', 'Unspecified'],
    ['nothing', ''],
    ['white space', ' \t\n'],
    ['an ambiguous name', 'Congo'],
    ['another', 'Korea'],
    ['a continent', 'Europe'],
    ['an object’s property', '__proto__'],
    ['another property', 'constructor'],
    ['a name in a sentence', 'Germany, Berlin'],
    ['a very long text', 'Germany'.repeat(100_000)],
  ])('does not guess at %s', (_, text) => {
    expect(findJurisdiction(text)).toBeUndefined();
  });

  it('takes an id and nothing else where an id is due', () => {
    expect(() => getJurisdiction('Germany')).toThrow(
      expect.objectContaining({ code: 'ATLAS_JURISDICTION_UNKNOWN' }),
    );
    expect(() => getJurisdiction('DE')).toThrow(
      expect.objectContaining({ code: 'ATLAS_JURISDICTION_UNKNOWN' }),
    );
  });

  it('keeps what a stranger wrote out of the error', () => {
    expect(() => getJurisdiction('erika.mustermann@example.org')).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('erika') }),
    );
  });
});

describe('suggesting a jurisdiction', () => {
  it('tells a homoglyph from a slip', () => {
    expect(suggestJurisdiction('Fr\u0430nce')[0]).toMatchObject({
      jurisdiction: { id: 'fr' },
      isLookalike: true,
    });
    expect(suggestJurisdiction('Germny')[0]).toMatchObject({
      jurisdiction: { id: 'de' },
      isLookalike: false,
    });
    expect(suggestJurisdiction('Osterreich')[0]).toMatchObject({ jurisdiction: { id: 'at' } });
  });

  it('gives at most three and the nearest first', () => {
    const found = suggestJurisdiction('Slovakai');
    expect(found.length).toBeLessThanOrEqual(3);
    expect(found[0]?.jurisdiction.id).toBe('sk');
  });

  it.each(['', 'x', 'zz', 'qqqqqqqq', 'a'.repeat(61), 'Unspecified'])(
    'says nothing about %j',
    (text) => {
      expect(suggestJurisdiction(text)).toEqual([]);
    },
  );
});
