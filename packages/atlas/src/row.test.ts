// SPDX-License-Identifier: Apache-2.0
// Goal: no row of any table stands without a citation, an honest date and a word on whether it was
// confirmed; and rows refer only to what exists. Method: one checker over all rows, and the checker
// itself is shown bad rows.
import { parseDate } from '@bailiwick/kernel';
import { describe, expect, it } from 'vitest';
import {
  ATLAS_DATES,
  findJurisdiction,
  findRegime,
  listAdequacyDecisions,
  listCloudRegions,
  listJurisdictions,
  listLocalisationRules,
  listMemberships,
  listRegimes,
  listTransferInstruments,
  type Sourced,
} from './index.ts';
import { GROUPINGS, MEMBERSHIPS } from './tables/memberships.ts';
import { EXCLUSIONS, TERRITORIES } from './tables/parts.ts';
import { SUBDIVISIONS } from './tables/subdivisions.ts';

const newest = ATLAS_DATES.at(-1) ?? '';

function isDate(value: unknown): value is string {
  try {
    return typeof value === 'string' && Number.isFinite(parseDate(value));
  } catch {
    return false;
  }
}

/** What is wrong with a row; empty when nothing is. */
function findProblems(row: Readonly<Partial<Record<string, unknown>>>): readonly string[] {
  const { source, asOf, confirmed, from, until } = row;
  const problems: string[] = [];
  if (typeof source !== 'string' || source.trim().length < 8) problems.push('source');
  if (!isDate(asOf) || asOf > newest) problems.push('asOf');
  if (typeof confirmed !== 'boolean') problems.push('confirmed');
  if (from !== undefined && !isDate(from)) problems.push('from');
  if (until !== undefined && (!isDate(until) || !isDate(from) || until < from)) {
    problems.push('until');
  }
  return problems;
}

const tables: Readonly<Record<string, readonly Sourced[]>> = {
  jurisdictions: listJurisdictions(),
  subdivisions: SUBDIVISIONS,
  groupings: GROUPINGS,
  memberships: MEMBERSHIPS,
  territories: TERRITORIES,
  exclusions: EXCLUSIONS,
  adequacy: listAdequacyDecisions(),
  regimes: listRegimes(),
  transferInstruments: listTransferInstruments(),
  localisation: listLocalisationRules(),
  cloudRegions: listCloudRegions(),
};

describe('every row of the atlas', () => {
  it('is seen by these tests', () => {
    const counts = Object.entries(tables).map(([name, rows]) => [name, rows.length]);
    const least = {
      jurisdictions: 280,
      subdivisions: 30,
      groupings: 8,
      memberships: 150,
      territories: 40,
      exclusions: 2,
      adequacy: 90,
      regimes: 95,
      transferInstruments: 130,
      localisation: 20,
      cloudRegions: 190,
    };
    for (const [name, bound] of Object.entries(least)) {
      expect(Object.fromEntries(counts)[name], name).toBeGreaterThanOrEqual(bound);
    }
  });

  it.each(Object.entries(tables))('in %s has a source, a date and a confirmation', (_, rows) => {
    const wrong = rows
      .map((row) => ({ row, problems: findProblems({ ...row }) }))
      .filter(({ problems }) => problems.length > 0);
    expect(wrong).toEqual([]);
  });

  const good = { source: 'OJ L 119, p. 1', asOf: '2026-02-09', confirmed: true };
  it.each([
    ['no source', { ...good, source: undefined }, 'source'],
    ['an empty source', { ...good, source: '        ' }, 'source'],
    ['a source of a few letters', { ...good, source: 'OJ' }, 'source'],
    ['no date', { ...good, asOf: undefined }, 'asOf'],
    ['a date that is none', { ...good, asOf: '2026-02-30' }, 'asOf'],
    ['a date after the atlas', { ...good, asOf: '2999-01-01' }, 'asOf'],
    ['no confirmation', { ...good, confirmed: undefined }, 'confirmed'],
    ['a confirmation in words', { ...good, confirmed: 'yes' }, 'confirmed'],
    ['a first day that is none', { ...good, from: 'soon' }, 'from'],
    ['a last day before the first', { ...good, from: '2020-01-02', until: '2020-01-01' }, 'until'],
    ['a last day without a first', { ...good, until: '2020-01-01' }, 'until'],
  ])('is refused with %s', (_, row, problem) => {
    expect(findProblems(row)).toEqual([problem]);
  });

  it('is not refused when it is whole', () => {
    expect(findProblems({ ...good, from: '2020-01-01', until: '2020-01-01' })).toEqual([]);
  });

  it('says so where it is unconfirmed, and does not claim a recent date then', () => {
    const recalled = Object.values(tables)
      .flat()
      .filter((row) => !row.confirmed);
    expect(recalled.length).toBeGreaterThan(100);
    expect(recalled.filter((row) => row.asOf > '2025-12-31')).toEqual([]);
  });
});

describe('rows refer only to what exists', () => {
  const isKnown = (id: string): boolean => findJurisdiction(id)?.id === id;

  it('in memberships, parts and exclusions', () => {
    const used = [
      ...MEMBERSHIPS.flatMap((row) => [row.grouping, row.member]),
      ...EXCLUSIONS.flatMap((row) => [row.grouping, row.member]),
      ...TERRITORIES.flatMap((row) => [row.id, ...(row.partOf === undefined ? [] : [row.partOf])]),
      ...listJurisdictions().flatMap((row) => row.partOf),
    ];
    expect(used.filter((id) => !isKnown(id))).toEqual([]);
  });

  it('in adequacy decisions, regimes and localisation', () => {
    const used = [
      ...listAdequacyDecisions().flatMap((row) => [row.by, row.to]),
      ...listRegimes().flatMap((row) => [
        ...(row.jurisdiction === undefined ? [] : [row.jurisdiction]),
        ...(row.elsewhere ?? []).map((place) => place.jurisdiction),
      ]),
      ...listLocalisationRules().flatMap((row) => [
        row.jurisdiction,
        ...(row.notTo ?? []),
        ...(row.within === undefined ? [] : [row.within]),
      ]),
    ];
    expect(used.filter((id) => !isKnown(id))).toEqual([]);
  });

  it('in cloud regions', () => {
    const used = listCloudRegions().flatMap((row) => [
      row.jurisdiction,
      row.operatorJurisdiction,
      ...row.reachableFrom,
    ]);
    expect(used.filter((id) => !isKnown(id))).toEqual([]);
  });

  it('in transfer instruments, which name a regime and start no earlier than it', () => {
    const wrong = listTransferInstruments().filter((row) => {
      const regime = findRegime(row.regime);
      return regime === undefined || row.from < regime.from;
    });
    expect(wrong).toEqual([]);
  });

  it('and no id is given twice', () => {
    const ids = {
      jurisdictions: listJurisdictions().map((row) => row.id),
      adequacy: listAdequacyDecisions().map((row) => row.id),
      regimes: listRegimes().map((row) => row.id),
      instruments: listTransferInstruments().map((row) => row.id),
      localisation: listLocalisationRules().map((row) => row.id),
      clouds: listCloudRegions().map((row) => `${row.provider}/${row.region}`),
    };
    for (const [name, list] of Object.entries(ids)) {
      expect(
        list.filter((id, index) => list.indexOf(id) !== index),
        name,
      ).toEqual([]);
    }
  });

  it('and regimes, instruments and jurisdictions are named in kebab-case', () => {
    const ids = [
      ...listJurisdictions().map((row) => row.id),
      ...listRegimes().map((row) => row.id),
      ...listTransferInstruments().map((row) => row.id),
    ];
    expect(ids.filter((id) => !/^[a-z0-9]+(?:-[a-z0-9]+)*$/.test(id))).toEqual([]);
  });

  it('and a partial decision says on what condition it covers a recipient', () => {
    const silent = listAdequacyDecisions().filter(
      (row) => row.reach === 'partial' && row.conditions === undefined,
    );
    expect(silent).toEqual([]);
  });

  it('and memberships of one place in one grouping do not overlap', () => {
    const wrong = listJurisdictions().flatMap((place) => {
      const rows = listMemberships(place.id);
      return rows.filter((row, index) =>
        rows.some(
          (other, at) =>
            at > index &&
            other.grouping === row.grouping &&
            other.from <= (row.until ?? '9999-12-31') &&
            row.from <= (other.until ?? '9999-12-31'),
        ),
      );
    });
    expect(wrong).toEqual([]);
  });
});
