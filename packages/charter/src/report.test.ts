// SPDX-License-Identifier: Apache-2.0
// Goal: registers list what the rules allow and nothing else. Method: the retailer's charter and single
// changes to its text; a row must come or go with the rule that carries it.
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { compileCharter } from './compile.ts';
import { parseCharter } from './parse.ts';
import { type CharterReport, type ReportKind, toCharterReport } from './report.ts';

const TEXT = readFileSync(new URL('../../../charters/retailer.yaml', import.meta.url), 'utf8');
const NOW_MS = Date.UTC(2026, 10, 20);

function report(
  kind: ReportKind,
  options: { readonly change?: readonly [string, string]; readonly nowMs?: number } = {},
): CharterReport {
  const { change = ['', ''], nowMs = NOW_MS } = options;
  expect(TEXT).toContain(change[0]);
  const document = parseCharter(TEXT.replace(...change));
  const charter = compileCharter(document, { sha256: (text) => hash('sha256', text, 'hex') });
  return toCharterReport(charter, kind, { nowMs });
}

/** Rows as one line each, with only these columns. */
function lines({ columns, rows }: CharterReport, ...wanted: readonly string[]): readonly string[] {
  return rows.map((row) =>
    wanted.map((column) => row[columns.indexOf(column)]?.join(' ') ?? '').join(' | '),
  );
}

describe('the register of transfers', () => {
  it('has the mail platform in Ireland, whose operator is under American law, with its clauses', () => {
    const rows = lines(
      report('transfer-register'),
      'rule',
      'regime',
      'operators under the law of',
      'instrument',
    );
    expect(rows).toContain('mail-under-clauses | gdpr | us | scc (art. 46(2)(c))');
    expect(rows.some((row) => row.startsWith('parcels-need-addresses | gdpr'))).toBe(false);
    expect(rows.some((row) => row.startsWith('parcels-need-addresses | uk-gdpr'))).toBe(true);
  });

  it('loses what rests on a mechanism on the day that it is suspended', () => {
    const change = [
      'means: standard contractual',
      'suspendedFrom: 2026-12-01\n    means: standard contractual',
    ] as const;
    const before = lines(report('transfer-register', { change }), 'mechanism', 'ends');
    const after = lines(
      report('transfer-register', { change, nowMs: Date.UTC(2026, 11, 1) }),
      'mechanism',
      'ends',
    );
    expect(before).toContain('scc | 2026-12-01');
    expect(after.filter((row) => row.startsWith('scc'))).toEqual([]);
    expect(after.some((row) => row.startsWith('bcr'))).toBe(true);
  });

  it('loses a row with the rule, and has none that a rule forbids', () => {
    const change = ['mechanism: scc\n    obligations', 'mechanism: bcr\n    obligations'] as const;
    const rows = lines(report('transfer-register', { change }), 'rule', 'mechanism');
    expect(rows.filter((row) => row === 'mail-under-clauses | scc')).toEqual([]);
    expect(rows.some((row) => row.startsWith('analysts'))).toBe(false);
  });

  it('has only pairs of home and law that there are', () => {
    const pairs = new Set(lines(report('transfer-register'), 'regime', 'from residency'));
    expect(pairs).toContain('gdpr | eu-de');
    for (const pair of pairs) expect(pair).not.toMatch(/^gdpr \| (?!eu-de$)/);
  });
});

describe('the record of processing', () => {
  it('has a row for each purpose that people’s data is used for', () => {
    const record = report('article-30-controller');
    expect(lines(record, 'purpose')).toEqual([
      'order-fulfilment',
      'customer-support',
      'analytics',
      'marketing',
      'fraud-prevention',
      'statistics',
      'legal-obligation',
      'operations',
    ]);
    expect(lines(record, 'purpose', 'legal basis')).toContain('marketing | consent');
    expect(
      lines(record, 'purpose', 'places beyond the home').find((row) =>
        row.startsWith('customer-support'),
      ),
    ).toContain('support-hubs');
    expect(record.source).toBe('GDPR Art. 30(1)');
  });

  it('leaves out categories that nobody may take in', () => {
    const text = JSON.stringify(report('article-30-controller'));
    expect(text).toContain('behavioural');
    for (const category of ['health', 'biometric', 'criminal'])
      expect(text).not.toContain(category);
  });

  it('tells a provider only where something may go to it', () => {
    const rows = lines(
      report('article-30-controller'),
      'purpose',
      'cells and providers that receive',
    );
    expect(rows.filter((row) => row.includes('parcel-carrier'))).toEqual([
      expect.stringMatching(/^order-fulfilment/),
    ]);
  });

  it('says that nobody acts for a controller where the charter has no processor', () => {
    const change = ['processor: a company', 'helper: a company'] as const;
    const other = TEXT.replace(...change)
      .replaceAll('employer: processor', 'employer: helper')
      .replaceAll('[controller, processor]', '[controller, helper]');
    const charter = compileCharter(parseCharter(other), { sha256: () => '0' });
    const record = toCharterReport(charter, 'article-30-processor', { nowMs: NOW_MS });
    expect(record.rows).toEqual([]);
    expect(record.notes.join(' ')).toContain('no employer `processor`');
    expect(report('article-30-processor').rows.length).toBeGreaterThan(3);
  });
});
