// SPDX-License-Identifier: Apache-2.0
// Goal: a test file that is wrong about its charter fails, and one that is not even a test is refused.
// Method: the retailer's own file, and single changes to it and to its charter.
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  type CompiledCharter,
  compileCharter,
  parseCharter,
  parseCharterTests,
} from '@bailiwick/charter';
import { describe, expect, it } from 'vitest';
import { type CharterTestRun, runCharterTests } from './charter-tests.ts';

const read = (name: string): string =>
  readFileSync(new URL(`../../../charters/${name}`, import.meta.url), 'utf8');

function change(text: string, [from, to]: readonly [from: string, to: string]): string {
  expect(text).toContain(from);
  return text.replace(from, to);
}

const charterText = read('retailer.yaml');
const testsText = read('retailer.test.yaml');
const compile = (text: string): CompiledCharter =>
  compileCharter(parseCharter(text), { sha256: (value) => hash('sha256', value, 'hex') });
const retailer = compile(charterText);

const runWith = (...changed: readonly (readonly [string, string])[]): CharterTestRun =>
  runCharterTests(retailer, parseCharterTests(changed.reduce(change, testsText)));

describe('tests beside a charter', () => {
  it('all pass for the retailer, and make every rule decide', () => {
    const run = runWith();
    expect(run.results.length).toBeGreaterThanOrEqual(25);
    expect(run.results.filter(({ problems }) => problems.length > 0)).toEqual([]);
    expect(run.untested).toEqual([]);
  });

  const wrong: readonly (readonly [from: string, to: string, problem: string])[] = [
    ['rules: [keep-at-home]', 'rules: []', 'expected the rules none, are `keep-at-home`'],
    ['decision: allow, rules: [keep-at-home]', 'decision: deny', 'expected deny, is allow'],
    ['rules: [keep-at-home], obligations: []', 'obligations: [{ kind: log }]', 'obligations `log`'],
    ['cause: unknown-value }', 'cause: no-rule }', 'does not know this value of `actor.role`'],
    ['{ decision: deny, cause: unknown-value }', '{ decision: deny }', 'of `actor.role`'],
    ['nearest: [{ form: aggregated }]', 'nearest: [{ form: plain }]', 'expected the change'],
    ['home: Germany, expect: { cell: eu-de', 'home: Germany, expect: { cell: us-va', 'eu-de/main'],
    [
      'home: EIRE, expect: { cell: eu-de/main, regimes: [gdpr]',
      'home: EIRE, expect: { regimes: [cpra]',
      'regimes',
    ],
    [
      'home: Bahrain, expect: { refused: true }',
      'home: Bahrain, expect: { refused: false }',
      'has none',
    ],
    ['home: Brazil', 'home: Germany', 'expected no home'],
    ['at: 2032-01-01', 'at: 2026-12-01', 'expected deny, is allow'],
    ['at: 2032-01-01', 'at: 2032-13-01', 'no such day'],
    ['data: { from: Japan,', 'data: { from: Cipangu,', 'nobody knows the label'],
    ['purpose: marketing, consent: given', 'consent: given', 'expected the rules'],
  ];
  for (const [from, to, problem] of wrong) {
    it(`fails when \`${from}\` becomes \`${to}\``, () => {
      const failed = runWith([from, to]).results.filter(({ problems }) => problems.length > 0);
      expect(failed).toHaveLength(1);
      expect(failed[0]?.problems.join('; ')).toContain(problem);
      expect(failed[0]?.line).toBeGreaterThan(10);
    });
  }

  it('fails when the law changes under it', () => {
    const changed = compile(change(charterText, ['minimumCount: 10', 'minimumCount: 5']));
    expect(runCharterTests(changed, parseCharterTests(testsText)).failedCount).toBe(1);
  });

  it('tells which rules no case makes decide', () => {
    const tests = parseCharterTests(testsText);
    const run = runCharterTests(retailer, { ...tests, cases: tests.cases.slice(0, 3) });
    expect(run.untested).toEqual(retailer.rules.map(({ id }) => id));
  });

  const refused: readonly (readonly [what: string, from: string, to: string])[] = [
    ['an unknown key', 'cases:', 'extra: 1\ncases:'],
    ['a case without expectation', ', expect: { refused: true } }', ' }'],
    [
      'a flow that expects a home',
      'expect: { decision: allow, rules: [keep-at-home]',
      'expect: { cell: eu-de/main',
    ],
    [
      'a home that expects a decision',
      'home: Brazil, expect: {',
      'home: Brazil, expect: { decision: deny,',
    ],
    [
      'a home that expects nothing',
      'home: Brazil, expect: { refused: true }',
      'home: Brazil, expect: {}',
    ],
    ['a case about both', 'home: Brazil,', 'home: Brazil, flow: { form: plain },'],
    ['an action that is none', 'action: ingest', 'action: inhale'],
    ['a cause that is none', 'cause: forbidden', 'cause: whim'],
    ['an anchor', 'tests: 1', 'tests: &a 1'],
    ['no cases', 'cases:', 'others:'],
  ];
  for (const [what, from, to] of refused) {
    it(`refuses ${what}, with its line`, () => {
      expect(() => parseCharterTests(change(testsText, [from, to]), { fileName: 'it' })).toThrow(
        expect.objectContaining({
          code: 'CHARTER_TESTS_INVALID',
          message: expect.stringMatching(/^it:\d+:\d+: /),
        }),
      );
    });
  }
});
