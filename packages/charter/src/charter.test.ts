// SPDX-License-Identifier: Apache-2.0
// Goal: what the retailer's charter comes to (homes, labels, time, hash), what changes between two
// charters, and that folding loses nothing. Method: the real charter and single changes to its text.
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  type CompiledCharter,
  compileCharter,
  findOrigin,
  homeOf,
  suggestOrigin,
} from './compile.ts';
import { toCompiledJson } from './compiled-json.ts';
import { diffCharters, isWider } from './diff.ts';
import { parseCharter } from './parse.ts';
import { toRego } from './rego.ts';
import { CHARTER_SCHEMA, toJsonSchema } from './schema.ts';
import { createCharterDimensions, measureSpace, walkSpace } from './space.ts';
import { compileTerms, parseTerms } from './terms.ts';

const TEXT = readFileSync(new URL('../../../charters/retailer.yaml', import.meta.url), 'utf8');
const sha256 = (text: string): string => hash('sha256', text, 'hex');

function compile(...changes: readonly (readonly [from: string, to: string])[]): CompiledCharter {
  let text = TEXT;
  for (const [from, to] of changes) {
    expect(text).toContain(from);
    text = text.replaceAll(from, to);
  }
  return compileCharter(parseCharter(text), { sha256 });
}

const retailer = compile();

describe('homes of the retailer', () => {
  const homes: readonly (readonly [label: string, cell: string, regimes: readonly string[]])[] = [
    ['Germany', 'eu-de/main', ['gdpr']],
    ['EIRE', 'eu-de/main', ['gdpr']],
    ['Norway', 'eu-de/main', ['gdpr']],
    ['Iceland', 'eu-de/main', ['gdpr']],
    ['Cyprus', 'eu-de/main', ['gdpr']],
    ['Switzerland', 'eu-de/main', ['ch-fadp']],
    ['Israel', 'eu-de/main', ['il-ppl']],
    ['Japan', 'eu-de/main', ['appi']],
    ['United Kingdom', 'uk-lon/main', ['uk-gdpr']],
    ['Channel Islands', 'uk-lon/main', ['gg-dpl', 'je-dpl']],
    ['USA', 'us-va/main', ['us-state-privacy']],
    ['us-ca', 'us-va/main', ['cpra']],
    ['Australia', 'au-syd/main', ['au-privacy']],
    ['New Zealand', 'au-syd/main', ['nz-privacy']],
  ];
  for (const [label, cellId, regimes] of homes) {
    it(`puts ${label} into ${cellId}`, () => {
      expect(homeOf(retailer, findOrigin(retailer, label) ?? '')).toMatchObject({
        ok: true,
        cellId,
        regimes,
      });
    });
  }

  it('refuses Bahrain with the charter’s reason, Brazil for want of a home, and what is no country', () => {
    expect(homeOf(retailer, 'bh')).toMatchObject({
      ok: false,
      code: 'CHARTER_HOME_REFUSED',
      because: expect.stringContaining('Bahrain'),
    });
    expect(homeOf(retailer, 'br')).toMatchObject({ ok: false, code: 'CHARTER_HOME_ABSENT' });
    expect(homeOf(retailer, 'atlantis')).toMatchObject({
      ok: false,
      code: 'CHARTER_ORIGIN_UNKNOWN',
    });
    expect(findOrigin(retailer, 'Atlantis')).toBeUndefined();
    expect(findOrigin(retailer, 'Bahrain')).toBe('bh');
  });

  it('gives everybody else a home only where the charter says otherwise', () => {
    const charter = compile([
      '# Labels in our own',
      'otherwise: { cell: us-va, regimes: [us-state-privacy], because: b, source: s }\n# Labels in our own',
    ]);
    expect(homeOf(charter, 'br')).toMatchObject({ ok: true, cellId: 'us-va/main' });
    expect(homeOf(charter, 'bh')).toMatchObject({ ok: false });
  });

  it('takes data from more than twenty countries', () => {
    expect([...retailer.homes.values()].filter((home) => home.ok).length).toBeGreaterThan(40);
  });

  it('does not take a look-alike for a country, and says which it looks like', () => {
    expect(findOrigin(retailer, 'Gеrmany')).toBeUndefined();
    expect(suggestOrigin(retailer, 'Gеrmany')).toBe('de');
    expect(findOrigin(retailer, ' germany ')).toBe('de');
    expect(findOrigin(retailer, 'x'.repeat(10_000))).toBeUndefined();
  });
});

describe('what a charter comes to', () => {
  it('hashes equal documents equally and others differently', () => {
    expect(retailer.hash).toMatch(/^[0-9a-f]{64}$/);
    expect(compile(['# It is an example and no legal advice.', '# Nothing.']).hash).toBe(
      retailer.hash,
    );
    expect(compile(['minimumCount: 10', 'minimumCount: 11']).hash).not.toBe(retailer.hash);
  });

  it('folds time at the day on which the adequacy of the United Kingdom ends', () => {
    expect(retailer.instantsMs).toEqual([Date.UTC(2031, 11, 28)]);
  });

  it('reads durations and terms', () => {
    expect(retailer.freshForMs).toBe(60_000);
    expect(retailer.retention.find((item) => item.category === 'contact')?.keepForDays).toBe(
      3 * 366,
    );
  });

  it('writes JSON and Rego of every rule', () => {
    const json = JSON.stringify(toCompiledJson(retailer));
    const rego = toRego(retailer);
    for (const rule of retailer.rules) {
      expect(json).toContain(`"id":"${rule.id}"`);
      expect(rego).toContain(`contains "${rule.id}" if {`);
    }
  });

  it('has a schema for editors that is committed', () => {
    const path = new URL('../../../schemas/charter.schema.json', import.meta.url);
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual(toJsonSchema());
    expect(Object.keys(CHARTER_SCHEMA.properties ?? {})).toContain('rules');
  });
});

describe('the space of flows', () => {
  it('is walked without losing a flow', () => {
    const dimensions = createCharterDimensions(retailer);
    const start = new Int32Array(retailer.masks.wordCount).fill(-1);
    const states = walkSpace(dimensions, start, () => false);
    const { folded } = measureSpace(dimensions, []);
    expect(states.reduce((sum, state) => sum + state.count, 0)).toBe(Number(folded));
  });

  it('folds only values that no rule tells apart', () => {
    const dimensions = createCharterDimensions(retailer);
    const { words, wordCount } = retailer.masks;
    let folded = 0;
    for (const { choices } of dimensions) {
      expect(new Set(choices.map(({ mask }) => mask.join())).size).toBe(choices.length);
      for (const { mask, choices: same } of choices) {
        for (const assignment of same) {
          const own = new Int32Array(wordCount).fill(-1);
          for (const [attribute, value] of assignment) {
            for (let word = 0; word < wordCount; word += 1) {
              own[word] = (own[word] ?? 0) & (words[attribute]?.[value * wordCount + word] ?? 0);
            }
          }
          expect(own).toEqual(mask);
          folded += 1;
        }
      }
    }
    expect(folded).toBeGreaterThan(400);
  });
});

describe('what a charter asks beside its rules', () => {
  const KEY = 'custody: customer';
  const CONTACT = 'keepFor: 3y\n    from: last-activity\n    because: claims';
  const changes: readonly (readonly [what: string, from: string, to: string])[] = [
    ['keys that the cell holds', KEY, 'custody: cell'],
    ['a longer term', CONTACT, CONTACT.replace('3y', '4y')],
    ['a term that counts from later', CONTACT, CONTACT.replace('last-activity', 'contract-end')],
    ['a category without a term', '- category: behavioural', '- category: technical'],
    ['law that may be older', 'freshFor: 60s', 'freshFor: 61s'],
  ];
  for (const [what, from, to] of changes) {
    it(`takes ${what} for a widening, and the way back for none`, () => {
      const other = compile([from, to]);
      const { loosened, widenings, narrowings } = diffCharters(retailer, other);
      expect(loosened).toHaveLength(1);
      expect([...widenings, ...narrowings]).toEqual([]);
      expect(isWider(diffCharters(retailer, other))).toBe(true);
      expect(diffCharters(other, retailer).tightened).toHaveLength(1);
    });
  }

  it('takes stricter keys, shorter terms and fresher law for no widening', () => {
    const other = compile(
      [KEY, 'custody: hold-your-own\n    doubleKey: true\n    attestation: true'],
      ['keepFor: 13m', 'keepFor: 12m'],
      ['freshFor: 60s', 'freshFor: 30s'],
    );
    const difference = diffCharters(retailer, other);
    expect(difference.loosened).toEqual([]);
    expect(difference.tightened.map(({ section }) => section)).toEqual([
      'keys',
      'retention',
      'freshFor',
    ]);
    expect(isWider(difference)).toBe(false);
    expect(diffCharters(other, retailer).loosened).toHaveLength(3);
  });

  it('takes a key demand that gains one part and loses another for both', () => {
    const before = compile([KEY, 'custody: hold-your-own']);
    const after = compile([KEY, `${KEY}\n    doubleKey: true`]);
    const { loosened, tightened } = diffCharters(before, after);
    expect([loosened.length, tightened.length]).toEqual([1, 1]);
  });

  it('takes a changed home for a widening', () => {
    expect(isWider(diffCharters(retailer, compile(['  RSA: za', '  RSA: ie'])))).toBe(true);
  });
});

describe('diffCharters', () => {
  const diff = (...changes: readonly (readonly [string, string])[]) =>
    diffCharters(retailer, compile(...changes));

  it('finds nothing between a charter and itself', () => {
    expect(diffCharters(retailer, compile())).toMatchObject({
      widenings: [],
      narrowings: [],
      homesChanged: [],
    });
  });

  it('calls a smaller group a widening and a larger one a narrowing', () => {
    const smaller = diff(['minimumCount: 10', 'minimumCount: 5']);
    expect(smaller.widenings.length).toBeGreaterThan(0);
    expect(smaller.narrowings).toEqual([]);
    const larger = diff(['minimumCount: 10', 'minimumCount: 20']);
    expect(larger.widenings).toEqual([]);
    expect(larger.narrowings.length).toBeGreaterThan(0);
  });

  it('calls a mask that falls away a widening', () => {
    expect(
      diff([
        'categories: [contact, content, credential, financial, location, technical]',
        'categories: [content]',
      ]).widenings.length,
    ).toBeGreaterThan(0);
  });

  it('calls flows for a purpose that did not exist a widening', () => {
    const { widenings, narrowings } = diff([
      '  operations: { means',
      '  training: { means: learning, basis: [consent] }\n  operations: { means',
    ]);
    expect(widenings.length).toBeGreaterThan(0);
    expect(widenings.every(({ flow }) => flow.purpose === 'training')).toBe(true);
    expect(narrowings).toEqual([]);
  });

  it('calls a purpose that is gone a narrowing', () => {
    const wider = compile([
      '  operations: { means',
      '  training: { means: learning, basis: [consent] }\n  operations: { means',
    ]);
    const { widenings, narrowings } = diffCharters(wider, retailer);
    expect(widenings).toEqual([]);
    expect(narrowings.length).toBeGreaterThan(0);
  });

  it('sees a rule that forbids less, and names what becomes possible', () => {
    const { widenings } = diff([
      '    purpose: [analytics, marketing, statistics]\n    because: >-\n      customers gave',
      '    purpose: [marketing]\n    because: >-\n      customers gave',
    ]);
    expect(widenings[0]?.after.outcome).toBe('allow');
    expect(widenings.some(({ words }) => words.startsWith('allowed now, denied before'))).toBe(
      true,
    );
  });

  it('sees a cell that is run by somebody else', () => {
    const { widenings, narrowings } = diff(['operator: us, territory', 'operator: de, territory']);
    expect(widenings.length).toBeGreaterThan(0);
    expect(narrowings.length).toBeGreaterThan(0);
  });

  it('sees a suspended mechanism from its instant on', () => {
    const { widenings, narrowings } = diff([
      'means: standard contractual clauses',
      'suspendedFrom: 2026-12-01T12:00:00Z\n    means: standard contractual clauses',
    ]);
    expect(widenings).toEqual([]);
    expect(narrowings.length).toBeGreaterThan(0);
    expect(narrowings.every(({ flow }) => flow.atMs >= Date.UTC(2026, 11, 1, 12))).toBe(true);
  });

  it('sees homes and labels that lead elsewhere', () => {
    expect(diff(['EIRE: ie', 'EIRE: uk']).homesChanged).toEqual([
      { origin: 'label EIRE', before: 'ie', after: 'uk' },
    ]);
    const { homesChanged } = diff(['  nz:\n    cell: au-syd/main', '  nz:\n    cell: us-va/main']);
    expect(homesChanged.map(({ origin }) => origin)).toContain('nz');
  });
});

describe('contract terms', () => {
  it('are refused with unknown keys, wrong names and words of another kind', () => {
    for (const value of [
      undefined,
      null,
      [],
      { terms: 1 },
      { terms: 2, version: 1 },
      { terms: 1, version: 1, allow: ['x'] },
      { terms: 1, version: 1, residencies: ['EU'] },
      { terms: 1, version: 1, freshForMsMax: 1 },
      { terms: 1, version: 0 },
    ]) {
      expect(() => parseTerms(value)).toThrowError(
        expect.objectContaining({ code: 'CHARTER_TERMS_INVALID' }),
      );
    }
  });

  it('are refused when they name what the charter does not know', () => {
    const terms = parseTerms({ terms: 1, version: 1, purposes: ['world-peace'] });
    expect(() => compileTerms(retailer, terms)).toThrowError(
      expect.objectContaining({ code: 'CHARTER_TERMS_INVALID' }),
    );
  });

  it('become rules that forbid and nothing else', () => {
    const terms = parseTerms({
      terms: 1,
      version: 1,
      residencies: ['eu-de'],
      supportPlaces: ['eea'],
      purposes: ['order-fulfilment'],
      standbyCells: ['eu-de/main'],
      forbid: [{ forbid: 'no-exports', action: 'export', because: 'agreed', source: '§ 7' }],
    });
    const { rules, variants } = compileTerms(retailer, terms);
    expect(rules.map((rule) => rule.id)).toEqual([
      'terms.residency',
      'terms.place',
      'terms.support-place',
      'terms.purpose',
      'terms.standby',
      'terms.no-exports',
    ]);
    expect(rules.every((rule) => rule.effect === 'forbid')).toBe(true);
    expect(variants.length).toBeGreaterThanOrEqual(rules.length);
  });
});
