// SPDX-License-Identifier: Apache-2.0
// Goal: every charter that ships is valid, passes its own tests and keeps what it promises, fast; the one
// with a hole has exactly the hole that the docs tell of. Method: whatever lies in charters/ is read.
import { hash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import {
  type CompiledCharter,
  compileCharter,
  diffCharters,
  inspectCharter,
  isWider,
  parseCharter,
  parseCharterTests,
  proveCharter,
} from '@bailiwick/charter';
import { describe, expect, it } from 'vitest';
import { runCharterTests } from './charter-tests.ts';
import { createEngine } from './engine.ts';

const DIRECTORY = new URL('../../../charters/', import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, DIRECTORY), 'utf8');
const names = readdirSync(DIRECTORY)
  .filter((name) => name.endsWith('.yaml') && !name.endsWith('.test.yaml'))
  .map((name) => name.slice(0, -'.yaml'.length));
const whole = names.filter((name) => name !== 'broken');

function compile(text: string): CompiledCharter {
  return compileCharter(parseCharter(text), { sha256: (value) => hash('sha256', value, 'hex') });
}

it('finds the charters that ship', () => {
  expect(whole.sort()).toEqual(['ai-company', 'bank', 'imaging-apac', 'retailer', 'tutoring-br']);
});

describe.each(whole)('the charter %s', (name) => {
  const charter = compile(read(`${name}.yaml`));

  it('passes its own tests, which make every rule decide', () => {
    const tests = parseCharterTests(read(`${name}.test.yaml`));
    expect(tests.charter).toBe(charter.name);
    const { results, untested } = runCharterTests(charter, tests);
    expect(results.length).toBeGreaterThan(20);
    expect(results.filter(({ problems }) => problems.length > 0)).toEqual([]);
    expect(untested).toEqual([]);
  });

  it('keeps every property, none of which is empty', () => {
    const { properties, spaceSize } = proveCharter(charter);
    expect(properties.length).toBeGreaterThanOrEqual(2);
    expect(properties.filter(({ holds, isEmpty }) => !holds || isEmpty)).toEqual([]);
    expect(spaceSize.flows).toBeGreaterThan(spaceSize.folded);
    expect(spaceSize.folded).toBeGreaterThan(10n ** 6n);
  });

  it('has no rule that never decides and no two sentences that contradict', () => {
    const findings = inspectCharter(charter, { nowMs: Date.UTC(2026, 10, 20), withinDays: 30 });
    expect(findings.filter(({ kind }) => kind !== 'rule-idle')).toEqual([]);
  });

  it('has no property that every change would keep', () => {
    // Without its rules that forbid, a charter breaks some promise; otherwise the proof would say nothing.
    const { document } = charter;
    const open = compileCharter(
      {
        ...document,
        exceptions: [],
        rules: [
          ...document.rules.filter((rule) => rule.forbid === undefined),
          { allow: 'everything', because: 'to break it', source: 'a test' },
        ],
      },
      { sha256: () => '0' },
    );
    const proof = proveCharter(open);
    expect(proof.properties.filter(({ holds }) => holds)).toEqual([]);
    const engine = createEngine(open, { serial: 1 });
    for (const { witness } of proof.properties) {
      expect(witness && engine.decide(witness.flow).outcome).toBe('allow');
    }
    expect(isWider(diffCharters(charter, open))).toBe(true);
  });
});

describe('the charter with a hole', () => {
  const charter = compile(read('broken.yaml'));

  it('passes its tests', () => {
    expect(runCharterTests(charter, parseCharterTests(read('broken.test.yaml'))).failedCount).toBe(
      0,
    );
  });

  it('breaks one promise, with the mail platform as witness', () => {
    const { properties, holds } = proveCharter(charter);
    expect(holds).toBe(false);
    expect(properties.map((property) => [property.id, property.holds])).toEqual([
      ['no-place-outside-the-union', true],
      ['no-foreign-law-over-the-operator', false],
    ]);
    const witness = properties[1]?.witness;
    expect(witness?.flow.to).toEqual({
      kind: 'provider',
      id: 'mail-platform',
      location: 'ie',
      operator: 'us',
    });
    expect(witness?.verdict.rules).toEqual(['addresses-to-the-mail-platform']);
    expect(witness?.words).toBe(
      'export of restricted contact data (under gdpr) as plain by a mailer to a provider `mail-platform` in ie (operator us) for newsletter under no mechanism with consent given',
    );
  });
});

describe('findings', () => {
  const text = read('retailer.yaml');
  const NOW_MS = Date.UTC(2026, 10, 20);
  const find = (
    change: readonly [from: string, to: string],
    options: { readonly nowMs?: number; readonly withinDays?: number } = {},
  ): readonly (readonly [string, string, readonly string[]])[] => {
    expect(text).toContain(change[0]);
    const { nowMs = NOW_MS, withinDays = 90 } = options;
    return inspectCharter(compile(text.replace(...change)), { nowMs, withinDays })
      .filter(({ kind }) => kind !== 'rule-idle')
      .map(({ kind, subject, rules }) => [kind, subject, rules]);
  };
  const SCC = 'means: standard contractual clauses';
  const FIRST = '  - allow: keep-at-home';
  const RULE = '    because: to be found\n    source: a test\n';

  it('tell mechanisms that end within the days asked for, with the rules that rest on them', () => {
    const change = [SCC, `until: 2027-01-01\n    ${SCC}`] as const;
    const rules = ['night-support-under-clauses', 'mail-under-clauses'];
    expect(find(change)).toEqual([['mechanism-expiring', 'scc', rules]]);
    expect(find(change, { withinDays: 41 })).toEqual([]);
    expect(find(change, { withinDays: 42 })).toHaveLength(1);
    expect(find(change, { withinDays: 0, nowMs: Date.UTC(2027, 1) })).toContainEqual([
      'mechanism-expiring',
      'scc',
      rules,
    ]);
  });

  it('tell adequacy that ends', () => {
    const found = find(['retailer', 'retailer'], { nowMs: Date.UTC(2031, 11, 1) });
    expect(found.filter(([kind]) => kind === 'adequacy-expiring')).toContainEqual([
      'adequacy-expiring',
      'eu-adequate',
      expect.arrayContaining(['european-data-in-adequate-countries']),
    ]);
  });

  it('tell a rule that several others forbid together, though none alone does', () => {
    const rule = `  - allow: hopeless\n    action: [telemetry, delete]\n    given: legal-hold\n    data: { class: restricted }\n${RULE}`;
    expect(find([FIRST, rule + FIRST])).toEqual([
      ['rule-shadowed', 'hopeless', ['nothing-goes-under-a-hold', 'no-people-in-telemetry']],
    ]);
  });

  it('tell a name in a rule that another rule forbids whole', () => {
    const found = find([
      '    data: { category: [contact, transactional, behavioural, derived, none] }\n    to: { kind: reader',
      '    data: { category: [contact] }\n    to: { kind: reader',
    ]);
    expect(found).toEqual([]);
    const more = find([
      '    action: [delete, erase]\n    to: { kind: cell, id: home }',
      '    action: [delete, telemetry]\n    data: { class: restricted }\n    to: { kind: cell, id: home }',
    ]);
    expect(more).toEqual([['rule-contradicted', 'remove-at-home', ['no-people-in-telemetry']]]);
  });

  it('tell a rule about a place where its destination does not stand', () => {
    const rule = `  - allow: nowhere\n    action: export\n    to: { kind: provider, id: parcel-carrier, location: us }\n${RULE}`;
    expect(find([FIRST, rule + FIRST])).toEqual([['rule-dead', 'nowhere', []]]);
  });

  it('tell a rule and an exception whose time has passed, and a property about nothing', () => {
    const rule = `  - allow: long-ago\n    action: export\n    until: 2026-01-01\n${RULE}`;
    expect(find([FIRST, rule + FIRST])).toEqual([['rule-over', 'long-ago', []]]);
    const property =
      '  - property: nowhere\n    never: { to: { id: parcel-carrier, location: us } }\n    because: to be found\n';
    expect(
      find(['  - property: nobody-in-telemetry', `${property}  - property: nobody-in-telemetry`]),
    ).toEqual([['property-empty', 'nowhere', []]]);
  });
});
