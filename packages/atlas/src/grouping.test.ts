// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { isWithin, listJurisdictions, listMemberships, membersOf } from './index.ts';

const TODAY = '2026-11-20';

describe('membership has dates', () => {
  it.each([
    ['2019-01-01', true],
    ['2020-01-31', true],
    ['2020-02-01', false],
    ['2026-11-20', false],
    ['1972-12-31', false],
    ['1973-01-01', true],
  ])('the United Kingdom in the EU on %s: %s', (onDate, expected) => {
    expect(isWithin('uk', 'eu', onDate)).toBe(expected);
    expect(membersOf('eu', onDate).includes('uk')).toBe(expected);
  });

  it.each([
    ['1957-12-31', 0],
    ['1958-01-01', 6],
    ['1973-01-01', 9 + 1],
    ['1981-01-01', 10 + 1],
    ['1986-01-01', 12 + 1],
    ['1995-01-01', 15 + 1],
    ['2004-05-01', 25 + 1],
    ['2007-01-01', 27 + 1],
    ['2013-07-01', 28 + 1],
    ['2020-02-01', 27],
    [TODAY, 27],
  ])('the EU on %s has %i rows (Gibraltar has its own)', (onDate, count) => {
    expect(membersOf('eu', onDate).length).toBe(count);
  });

  it('the EEA is the EU with Iceland, Liechtenstein and Norway, without Switzerland', () => {
    const eea = membersOf('eea', TODAY);
    expect(eea.length).toBe(30);
    expect(eea).toEqual([...membersOf('eu', TODAY), 'is', 'li', 'no'].sort());
    expect(isWithin('ch', 'eea', TODAY)).toBe(false);
    expect(membersOf('efta', TODAY)).toEqual(['ch', 'is', 'li', 'no']);
  });

  it('states 46 members of the Council of Europe, Russia and eight others in Convention 108', () => {
    const parties = membersOf('convention-108', TODAY);
    expect(parties.length).toBe(55);
    for (const id of ['ar', 'cv', 'ma', 'mu', 'mx', 'ru', 'sn', 'tn', 'uy']) {
      expect(parties).toContain(id);
    }
    expect(parties).not.toContain('us');
    expect(isWithin('ar', 'convention-108', '2019-05-31')).toBe(false);
  });

  it('lists a place’s memberships of all times', () => {
    expect(listMemberships('se').map((row) => [row.grouping, row.from, row.until])).toContainEqual([
      'efta',
      '1960-05-03',
      '1994-12-31',
    ]);
    expect(listMemberships('xx')).toEqual([]);
  });
});

describe('within', () => {
  it.each([
    ['de', 'de', true],
    ['de', 'eu', true],
    ['us-ca', 'us', true],
    ['gg', 'channel-islands', true],
    ['je', 'crown-dependencies', true],
    ['gp', 'eu', true],
    ['ax', 'eea', true],
    ['yt', 'eu', true],
    ['eu', 'eea', true],
    ['channel-islands', 'crown-dependencies', true],
    ['eea', 'eu', false],
    ['us', 'us-ca', false],
    ['eu', 'de', false],
    ['im', 'channel-islands', false],
    ['gg', 'uk', false],
    ['gi', 'uk', false],
    ['gi', 'eu', false],
    ['hk', 'cn', false],
    ['gl', 'dk', false],
    ['fo', 'eu', false],
    ['nc', 'fr', false],
    ['bl', 'eu', false],
    ['aw', 'nl', false],
    ['sj', 'eea', false],
    ['bm', 'uk', false],
    ['no', 'eu', false],
    ['de', 'fr', false],
  ])('%s within %s today: %s', (inner, outer, expected) => {
    expect(isWithin(inner, outer, TODAY)).toBe(expected);
  });

  it('knows that Mayotte came into the Union in 2014 though France was there', () => {
    expect(isWithin('yt', 'eu', '2013-12-31')).toBe(false);
    expect(isWithin('yt', 'fr', '2013-12-31')).toBe(true);
    expect(isWithin('yt', 'eea', '2014-01-01')).toBe(true);
  });

  it('knows that the EU was not within the EEA while Croatia waited', () => {
    expect(isWithin('eu', 'eea', '2013-12-31')).toBe(false);
    expect(isWithin('eu', 'eea', '2014-04-12')).toBe(true);
  });

  it('does not put an empty grouping within anything', () => {
    expect(isWithin('eea', 'eu', '1950-01-01')).toBe(false);
  });

  it('is true of each place and itself, and never runs in a circle', () => {
    for (const { id } of listJurisdictions()) expect(isWithin(id, id, TODAY)).toBe(true);
    for (const { id } of listJurisdictions()) isWithin(id, 'global-cbpr', TODAY);
  });

  it.each([
    ['xx', 'eu', TODAY, 'ATLAS_JURISDICTION_UNKNOWN'],
    ['de', 'xx', TODAY, 'ATLAS_JURISDICTION_UNKNOWN'],
    ['xx', 'xx', TODAY, 'ATLAS_JURISDICTION_UNKNOWN'],
    ['Germany', 'eu', TODAY, 'ATLAS_JURISDICTION_UNKNOWN'],
    ['de', 'eu', 'today', 'ATLAS_DATE_INVALID'],
    ['de', 'eu', '2026-02-30', 'ATLAS_DATE_INVALID'],
    ['de', 'eu', '2026-11-20T00:00:00Z', 'ATLAS_DATE_INVALID'],
    ['de', 'de', '', 'ATLAS_DATE_INVALID'],
  ])('refuses %s within %s on %j', (inner, outer, onDate, code) => {
    expect(() => isWithin(inner, outer, onDate)).toThrow(expect.objectContaining({ code }));
  });

  it.each([
    ['de', TODAY, 'ATLAS_GROUPING_UNKNOWN'],
    ['xx', TODAY, 'ATLAS_GROUPING_UNKNOWN'],
    ['eu', '20.11.2026', 'ATLAS_DATE_INVALID'],
  ])('refuses the members of %s on %j', (grouping, onDate, code) => {
    expect(() => membersOf(grouping, onDate)).toThrow(expect.objectContaining({ code }));
  });
});
