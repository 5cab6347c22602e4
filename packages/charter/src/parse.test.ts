// SPDX-License-Identifier: Apache-2.0
// Goal: whatever is wrong in a charter is told with its line, column, pointer and what would be right.
// Method: one small valid charter, and a table of single changes to it.
import { describe, expect, it } from 'vitest';
import { CharterError, type CharterProblem } from './errors.ts';
import { parseCharter } from './parse.ts';

const SMALL = `charter: 1
name: small
atlas: 2026-11-20
cells:
  eu-de/main: { location: de, operator: de, territory: eea }
  uk-lon/main: { location: uk, operator: uk }
homes:
  eea: { cell: eu-de/main, regimes: [gdpr], because: b, source: s }
  uk: { cell: uk-lon, regimes: [uk-gdpr], because: b, source: s }
places:
  adequate: { adequacyBy: eu }
categories: { contact: names }
purposes:
  orders: { means: orders, basis: [contract] }
roles:
  shop: { means: the shop }
employers: { controller: us }
mechanisms:
  scc: { means: clauses, under: { gdpr: scc } }
conditions: { hold: kept }
rules:
  - allow: read
    action: [read, search]
    to: { kind: reader, location: home }
    because: b
    source: s
  - forbid: abroad
    data: { regime: gdpr, class: restricted }
    to: { location: { not: [eea, adequate] } }
    mechanism: none
    because: b
    source: s
`;

function problemsOf(text: string): readonly CharterProblem[] {
  try {
    parseCharter(text, { fileName: 'small.yaml' });
  } catch (error) {
    if (error instanceof CharterError) return error.problems;
    throw error;
  }
  return [];
}

/** A change, and what must be said about it. */
type Case = readonly [
  name: string,
  change: readonly [from: string, to: string],
  expected: Partial<CharterProblem>,
];

const CASES: readonly Case[] = [
  [
    'an unknown cell',
    ['cell: uk-lon,', 'cell: uk-ldn,'],
    { code: 'CHARTER_NAME_UNKNOWN', line: 9, pointer: '/homes/uk/cell', suggestion: 'uk-lon' },
  ],
  [
    'an unknown country of a cell',
    ['location: de,', 'location: germany,'],
    {
      code: 'CHARTER_NAME_UNKNOWN',
      line: 5,
      column: 17,
      pointer: '/cells/eu-de~1main/location',
      suggestion: 'de',
    },
  ],
  [
    'a grouping as the country of a cell',
    ['location: de,', 'location: eea,'],
    { code: 'CHARTER_NAME_UNKNOWN', pointer: '/cells/eu-de~1main/location' },
  ],
  [
    'an unknown territory',
    ['territory: eea', 'territory: eeea'],
    { code: 'CHARTER_NAME_UNKNOWN', suggestion: 'eea' },
  ],
  [
    'an unknown home',
    ['\n  uk: { cell', '\n  xx: { cell'],
    { code: 'CHARTER_NAME_UNKNOWN', pointer: '/homes/xx' },
  ],
  [
    'an unknown regime',
    ['[gdpr]', '[gpdr]'],
    { code: 'CHARTER_NAME_UNKNOWN', pointer: '/homes/eea/regimes/0', suggestion: 'gdpr' },
  ],
  [
    'an action with a letter too many',
    ['[read, search]', '[read, serach]'],
    {
      code: 'CHARTER_NAME_UNKNOWN',
      line: 23,
      column: 20,
      pointer: '/rules/0/action/1',
      suggestion: 'search',
    },
  ],
  [
    'an unknown place in a rule',
    ['[eea, adequate]', '[eea, adequat]'],
    {
      code: 'CHARTER_NAME_UNKNOWN',
      line: 29,
      pointer: '/rules/1/to/location/not/1',
      suggestion: 'adequate',
    },
  ],
  [
    'an unknown purpose',
    ['    action: [read', '    purpose: order\n    action: [read'],
    { code: 'CHARTER_NAME_UNKNOWN', line: 23, suggestion: 'orders' },
  ],
  [
    'an unknown role',
    ['    action: [read', '    actor: { role: shops }\n    action: [read'],
    { code: 'CHARTER_NAME_UNKNOWN', suggestion: 'shop' },
  ],
  [
    'an unknown category',
    ['regime: gdpr, class', 'category: contcat, class'],
    { code: 'CHARTER_NAME_UNKNOWN', suggestion: 'contact' },
  ],
  [
    'an unknown condition',
    ['    action: [read', '    given: holt\n    action: [read'],
    { code: 'CHARTER_NAME_UNKNOWN', suggestion: 'hold' },
  ],
  [
    'an unknown mechanism',
    ['mechanism: none', 'mechanism: sccs'],
    { code: 'CHARTER_NAME_UNKNOWN', suggestion: 'scc' },
  ],
  [
    'an unknown key of a rule',
    ['    action: [read', '    actoin: [read'],
    {
      code: 'CHARTER_KEY_UNKNOWN',
      line: 23,
      column: 5,
      pointer: '/rules/0/actoin',
      suggestion: 'action',
    },
  ],
  ['an unknown section', ['roles:', 'rolles:'], { code: 'CHARTER_SHAPE_INVALID', pointer: '' }],
  [
    'a missing reason',
    ['    because: b\n    source: s\n  - forbid', '    source: s\n  - forbid'],
    { code: 'CHARTER_SHAPE_INVALID', pointer: '/rules/0' },
  ],
  [
    'a list where a text belongs',
    ['name: small', 'name: [small]'],
    { code: 'CHARTER_SHAPE_INVALID', line: 2, pointer: '/name' },
  ],
  [
    'a name in upper case',
    ['contact: names', 'Contact: names'],
    { code: 'CHARTER_NAME_INVALID', pointer: '/categories/Contact' },
  ],
  [
    'another version of the language',
    ['charter: 1', 'charter: 2'],
    { code: 'CHARTER_SHAPE_INVALID', line: 1, pointer: '/charter' },
  ],
  [
    'an unknown date of the atlas',
    ['atlas: 2026-11-20', 'atlas: 2019-01-01'],
    { code: 'CHARTER_ATLAS_DATE_UNKNOWN', line: 3, suggestion: '2026-11-20' },
  ],
  [
    'no date of the atlas',
    ['atlas: 2026-11-20\n', ''],
    { code: 'CHARTER_SHAPE_INVALID', pointer: '' },
  ],
  [
    'an id used twice',
    ['forbid: abroad', 'forbid: read'],
    { code: 'CHARTER_RULE_DUPLICATE', pointer: '/rules/1/forbid', line: 27 },
  ],
  [
    'a rule that allows and forbids',
    ['  - allow: read', '  - allow: read\n    forbid: red'],
    { code: 'CHARTER_SHAPE_INVALID', pointer: '/rules/0' },
  ],
  [
    'a rule that can never apply',
    ['    action: [read', '    mechanism: scc\n    data: { regime: uk-gdpr }\n    action: [read'],
    { code: 'CHARTER_RULE_EMPTY', pointer: '/rules/0' },
  ],
  [
    'the same rule twice',
    [
      '  - forbid: abroad',
      '  - allow: again\n    action: [read, search]\n    to: { kind: reader, location: home }\n    because: b\n    source: s\n  - forbid: abroad',
    ],
    { code: 'CHARTER_RULE_OVERLAPPING', pointer: '/rules/1' },
  ],
  [
    'a rule that another forbids altogether',
    [
      '  - forbid: abroad',
      '  - forbid: reading\n    action: [read, search, count]\n    because: b\n    source: s\n  - forbid: abroad',
    ],
    { code: 'CHARTER_RULE_DEAD', pointer: '/rules/0' },
  ],
  [
    'an instrument of another regime',
    ['{ gdpr: scc }', '{ gdpr: ch-scc }'],
    {
      code: 'CHARTER_MECHANISM_UNRECOGNISED',
      pointer: '/mechanisms/scc/under/gdpr',
    },
  ],
  [
    'a mechanism that has ended',
    ['under: { gdpr: scc } }', 'under: { gdpr: scc }, until: 2020-07-16 }'],
    { code: 'CHARTER_MECHANISM_EXPIRED', pointer: '/mechanisms/scc/until' },
  ],
  [
    'adequacy that nobody has given',
    ['{ adequacyBy: eu }', '{ adequacyBy: eu, only: [in] }'],
    { code: 'CHARTER_ADEQUACY_ABSENT', pointer: '/places/adequate/only/0' },
  ],
  [
    'adequacy that has ended',
    ['{ adequacyBy: eu }', '{ adequacyBy: eu, only: [hu] }'],
    { code: 'CHARTER_ADEQUACY_EXPIRED', pointer: '/places/adequate/only/0' },
  ],
  [
    'a home on adequacy that is not there',
    ['cell: uk-lon,', 'cell: uk-lon, adequacyBy: au,'],
    { code: 'CHARTER_ADEQUACY_ABSENT', pointer: '/homes/uk/adequacyBy' },
  ],
  [
    'a home that is refused too',
    ['places:', 'refused:\n  uk: { because: b, source: s }\nplaces:'],
    { code: 'CHARTER_HOME_CONTRADICTED', pointer: '/refused/uk' },
  ],
  [
    'two groups that share a country',
    [
      '\n  uk: { cell',
      '\n  nordic: { cell: uk-lon, regimes: [uk-gdpr], because: b, source: s }\n  uk: { cell',
    ],
    { code: 'CHARTER_NAME_UNKNOWN', pointer: '/homes/nordic' },
  ],
  [
    'a place with the name of a country',
    ['  adequate: {', '  fr: { members: [de] }\n  adequate: {'],
    { code: 'CHARTER_NAME_LOOKALIKE', pointer: '/places/fr' },
  ],
  [
    'an aggregate of any size',
    ['    action: [read', '    form: aggregated\n    action: [read'],
    { code: 'CHARTER_OBLIGATION_INVALID', pointer: '/rules/0' },
  ],
  [
    'a mask that hides nothing',
    [
      '    because: b\n    source: s\n  - forbid',
      '    obligations: [{ kind: mask }]\n    because: b\n    source: s\n  - forbid',
    ],
    { code: 'CHARTER_OBLIGATION_INVALID', pointer: '/rules/0/obligations/0' },
  ],
  [
    'an obligation of a rule that forbids',
    ['    mechanism: none', '    obligations: [{ kind: log }]\n    mechanism: none'],
    { code: 'CHARTER_OBLIGATION_INVALID', pointer: '/rules/1/obligations' },
  ],
  [
    'an end before the start',
    ['    action: [read', '    from: 2027-02-01\n    until: 2027-01-01\n    action: [read'],
    { code: 'CHARTER_PERIOD_INVALID', pointer: '/rules/0/until' },
  ],
  [
    'a day that is none',
    ['    action: [read', '    until: 2027-02-30\n    action: [read'],
    { code: 'CHARTER_PERIOD_INVALID', pointer: '/rules/0/until' },
  ],
  [
    'a key twice',
    ['categories: { contact: names }', 'categories: { contact: names, contact: more }'],
    { code: 'CHARTER_KEY_DUPLICATE', line: 12, pointer: '/categories/contact' },
  ],
  [
    'a name with a Cyrillic letter',
    ['{ contact: names }', '{ contact: names, соntact: more }'],
    { code: 'CHARTER_NAME_LOOKALIKE', line: 12 },
  ],
  [
    'an action with a Cyrillic letter',
    ['[read, search]', '[rеad, search]'],
    { code: 'CHARTER_NAME_LOOKALIKE', suggestion: 'read' },
  ],
  [
    'an anchor',
    ['[read, search]', '&these [read, search]'],
    { code: 'CHARTER_ALIAS_REFUSED', line: 23 },
  ],
  [
    'a tag of its own',
    ['name: small', 'name: !!js/function small'],
    { code: 'CHARTER_YAML_INVALID', line: 2 },
  ],
  ['text that is no YAML', ['name: small', 'name: "small'], { code: 'CHARTER_YAML_INVALID' }],
  [
    'an include without files',
    ['charter: 1', 'charter: 1\ninclude: [more.yaml]'],
    { code: 'CHARTER_INCLUDE_INVALID', pointer: '/include/0' },
  ],
];

describe('parseCharter', () => {
  it('reads a small charter', () => {
    expect(problemsOf(SMALL)).toEqual([]);
    expect(parseCharter(SMALL).rules).toHaveLength(2);
  });

  for (const [name, [from, to], expected] of CASES) {
    it(`points at ${name}`, () => {
      expect(SMALL).toContain(from);
      const problems = problemsOf(SMALL.replace(from, to));
      expect(problems).toContainEqual(expect.objectContaining(expected));
      for (const problem of problems) {
        expect(problem).toMatchObject({ file: 'small.yaml' });
        expect(problem.line).toBeGreaterThan(0);
        expect(problem.column).toBeGreaterThan(0);
        expect(problem.message).toMatch(/^[^A-Z\n]*(?:`[^`]*`[^\n]*)*$/);
      }
    });
  }

  it('reports two groups that cover one country differently', () => {
    const text = SMALL.replace(
      'places:',
      'places:\n  one: { members: [us, ca] }\n  two: { members: [ca, mx] }',
    ).replace(
      '\n  uk: { cell',
      '\n  one: { cell: eu-de, regimes: [gdpr], because: b, source: s }\n  two: { cell: uk-lon, regimes: [gdpr], because: b, source: s }\n  uk: { cell',
    );
    expect(problemsOf(text)).toContainEqual(
      expect.objectContaining({ code: 'CHARTER_HOME_AMBIGUOUS' }),
    );
  });

  it('tells every mistake at once and keeps the list bounded', () => {
    const many = Array.from(
      { length: 300 },
      (_, index) => `  - allow: rule-${index}\n    action: reed\n    because: b\n    source: s\n`,
    );
    expect(problemsOf(SMALL + many.join(''))).toHaveLength(100);
  });

  it('refuses files that include files, themselves among them', () => {
    const main = SMALL.replace('charter: 1', 'charter: 1\ninclude: [more.yaml]');
    for (const more of ['include: [more.yaml]', 'include: [small.yaml]\nrules: []']) {
      expect(() => parseCharter(main, { include: () => more })).toThrowError(
        expect.objectContaining({
          problems: [
            expect.objectContaining({ code: 'CHARTER_INCLUDE_INVALID', pointer: '/include/0' }),
          ],
        }),
      );
    }
  });

  it('adds the sections of included files and points into them', () => {
    const main = SMALL.replace('charter: 1', 'charter: 1\ninclude: [more.yaml]');
    const more = 'rules:\n  - allow: more\n    action: count\n    because: b\n    source: s\n';
    expect(parseCharter(main, { include: () => more }).rules).toHaveLength(3);
    try {
      parseCharter(main, { fileName: 'small.yaml', include: () => more.replace('count', 'cuont') });
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(CharterError);
      if (error instanceof CharterError) {
        expect(error.problems).toEqual([
          expect.objectContaining({
            file: 'more.yaml',
            line: 3,
            pointer: '/rules/2/action',
            suggestion: 'count',
          }),
        ]);
      }
    }
  });
});

describe('hostile texts', () => {
  const bounded = (name: string, text: string, code: string): void => {
    it(`refuses ${name} at once`, () => {
      const started = performance.now();
      expect(problemsOf(text)).toContainEqual(expect.objectContaining({ code }));
      // Wide enough for a machine that does other things too; what is refused here would take minutes if it were not bounded.
      expect(performance.now() - started).toBeLessThan(20_000);
    }, 30_000);
  };
  bounded('ten megabytes', `name: ${'x'.repeat(10_000_000)}`, 'CHARTER_TEXT_TOO_LARGE');
  bounded(
    'a bomb of aliases',
    `a: &a [${'x,'.repeat(9)}x]\n${'bcdefghi'
      .split('')
      .map((key, index) => `${key}: &${key} [${`*${'abcdefgh'[index]},`.repeat(9)}]`)
      .join('\n')}\n`,
    'CHARTER_ALIAS_REFUSED',
  );
  bounded('deep lists', '['.repeat(500_000), 'CHARTER_YAML_INVALID');
  bounded('deep maps', '{a: '.repeat(100_000), 'CHARTER_YAML_INVALID');
  bounded(
    'deep blocks',
    Array.from({ length: 900 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n'),
    'CHARTER_YAML_INVALID',
  );
  bounded('a sequence of dashes', '- '.repeat(100_000), 'CHARTER_YAML_INVALID');
  bounded('a ladder of blocks', '? '.repeat(300_000), 'CHARTER_YAML_INVALID');
  bounded(
    'many keys',
    Array.from({ length: 50_000 }, (_, index) => `k${index}: 1`).join('\n'),
    'CHARTER_KEY_UNKNOWN',
  );
  bounded('a second document', `${SMALL}---\nrules: []\n`, 'CHARTER_YAML_INVALID');
  bounded('nothing', '', 'CHARTER_SHAPE_INVALID');
  bounded('a number', '42', 'CHARTER_SHAPE_INVALID');
  bounded('a prototype', '__proto__: { charter: 1 }', 'CHARTER_KEY_UNKNOWN');
  bounded('bytes of nowhere', '\0\u0001\ufffe', 'CHARTER_SHAPE_INVALID');
});
