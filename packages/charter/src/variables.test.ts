// SPDX-License-Identifier: Apache-2.0
// Goal: two environments are one text and two charters, and a mistake is told where it stands. Method: the
// retailer's charter with variables in it, against the same charter written out by hand.
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { type CharterError, compileCharter, parseCharter } from './index.ts';
import { VARIABLE_INSERTIONS_COUNT_MAX } from './limits.ts';
import type { VariableValues } from './variables.ts';

const sha256 = (text: string): string => hash('sha256', text, 'hex');
const RETAILER = readFileSync(
  path.resolve(import.meta.dirname, '../../../charters/retailer.yaml'),
  'utf8',
);
/** `@{x}` in these texts is `${x}` in the charter. */
const toText = (text: string): string => text.replaceAll('@{', '${');
const DECLARED = toText(`variables:
  hubs: { means: night support, default: [in, ph] }
  people: { means: smallest group, default: 10 }
  place: { means: where we are }
`);
const change = (pairs: readonly (readonly [from: string, to: string])[]): string =>
  pairs.reduce((text, [from, to]) => {
    expect(text).toContain(from);
    return text.replace(from, () => toText(to));
  }, RETAILER);
const WITH = change([
  [
    'title: An online shop in four places',
    `title: An online shop in @{place}, $@{price}\n${DECLARED}`,
  ],
  ['members: [in, ph]', 'members: ["@{hubs}"]'],
  ['minimumCount: 10', 'minimumCount: "@{people}"'],
]);
const read = (text: string, variables: VariableValues = {}) =>
  compileCharter(parseCharter(text, { fileName: 'with.yaml', variables }), { sha256 });

const problemsOf = (text: string, variables: VariableValues = {}) => {
  try {
    parseCharter(text, { fileName: 'with.yaml', variables });
  } catch (error) {
    return (error as CharterError).problems;
  }
  throw new Error('expected problems');
};

describe('a charter with variables', () => {
  it('is the charter that has the values written out: same hash, same rules', () => {
    const byHand = change([
      ['title: An online shop in four places', 'title: An online shop in Ulm, $@{price}'],
    ]).replace('in Ulm, $${', () => 'in Ulm, ${');
    const plain = (text: string) => compileCharter(parseCharter(text), { sha256 });
    expect(() => plain(byHand)).toThrow(/no variable of this charter/);
    const escaped = byHand.replace('Ulm, ${', () => 'Ulm, $${');
    const given = read(WITH, { place: 'Ulm' });
    expect(given.hash).toBe(plain(escaped).hash);
    expect(given.document.title).toBe(toText('An online shop in Ulm, @{price}'));
    expect(Object.keys(given.document)).not.toContain('variables');
  });

  it('is another charter in another environment', () => {
    const [one, other] = [
      read(WITH, { place: 'Ulm' }),
      read(WITH, { place: 'Ulm', hubs: ['ph'], people: 12 }),
    ];
    expect(one.hash).not.toBe(other.hash);
    expect(other.document.places?.['support-hubs']?.members).toEqual(['ph']);
    const counts = other.document.rules.flatMap((rule) =>
      'obligations' in rule ? (rule.obligations ?? []).map((one) => one.minimumCount) : [],
    );
    expect(counts).toContain(12);
  });

  it.each<[string, string, VariableValues, object]>([
    [
      'a variable without a value',
      WITH,
      {},
      { code: 'CHARTER_VARIABLE_UNSET', pointer: '/variables/place' },
    ],
    [
      'a value that nobody declared, with the nearest name',
      WITH,
      { place: 'Ulm', hbus: ['in'] },
      { code: 'CHARTER_VARIABLE_UNKNOWN', suggestion: 'hubs' },
    ],
    [
      'a name that nobody declared, with the nearest one',
      WITH.replace(toText('@{hubs}'), () => toText('@{hub}')),
      { place: 'Ulm' },
      { code: 'CHARTER_VARIABLE_UNKNOWN', suggestion: 'hubs' },
    ],
    [
      'a list within a text',
      WITH.replace(toText('in @{place}'), () => toText('in @{hubs} @{place}')),
      { place: 'Ulm' },
      { code: 'CHARTER_VARIABLE_INVALID', pointer: '/title' },
    ],
    [
      'a value with a variable in it',
      WITH,
      { place: toText('@{hubs}') },
      { code: 'CHARTER_VARIABLE_INVALID', pointer: '/variables/place' },
    ],
    [
      'a number where a name must stand',
      WITH,
      { place: 'Ulm', hubs: 7 },
      { code: 'CHARTER_SHAPE_INVALID' },
    ],
    [
      'a value that is no jurisdiction',
      WITH,
      { place: 'Ulm', hubs: ['in', 'atlantis'] },
      { code: 'CHARTER_NAME_UNKNOWN' },
    ],
  ])('tells %s, where it stands', (_what, text, variables, expected) => {
    const [problem] = problemsOf(text, variables);
    expect(problem).toMatchObject({ file: 'with.yaml', ...expected });
    expect(problem?.line).toBeGreaterThan(1);
    expect(problem?.column).toBeGreaterThan(0);
  });

  it('points at the right item behind a list that became longer', () => {
    const lines = WITH.split('\n');
    const text = WITH.replace(toText('members: ["@{hubs}"]'), () =>
      toText('members: ["@{hubs}", nowhere]'),
    );
    const line = lines.findIndex((one) => one.includes('members: ["$')) + 1;
    const [problem] = problemsOf(text, { place: 'Ulm', hubs: ['in', 'ph', 'lk'] });
    expect(problem).toMatchObject({ code: 'CHARTER_NAME_UNKNOWN', line });
    const column = (text.split('\n')[line - 1] ?? '').indexOf('nowhere') + 1;
    expect(problem?.column).toBe(column);
  });

  it('is bounded: a long list in many places ends in an error and not in memory', () => {
    const long = Array.from({ length: 300 }, () => 'in');
    const uses = Array.from({ length: 200 }, () => toText('"@{hubs}"')).join(', ');
    const text = WITH.replace(toText('"@{hubs}"'), () => uses);
    const started = performance.now();
    const problems = problemsOf(text, { place: 'Ulm', hubs: long });
    expect(problems.some(({ code }) => code === 'CHARTER_VARIABLE_INVALID')).toBe(true);
    expect(performance.now() - started).toBeLessThan(2_000);
    expect(VARIABLE_INSERTIONS_COUNT_MAX).toBeLessThan(long.length * 200);
  });

  it('takes no name from the language itself', () => {
    for (const name of ['__proto__', 'constructor', 'toString']) {
      const text = WITH.replace(toText('@{hubs}'), () => toText(`@{${name}}`));
      expect(problemsOf(text, { place: 'Ulm' })[0]?.code).toBe('CHARTER_VARIABLE_UNKNOWN');
    }
  });
});
