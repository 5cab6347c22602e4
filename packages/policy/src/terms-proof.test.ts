// SPDX-License-Identifier: Apache-2.0
// Goal: terms are proved to narrow, and the proof would notice if they did not. Method: terms of every kind
// against every worked charter; the same comparison with a rule that allows put in by hand.
import { hash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import {
  type CompiledCharter,
  type ContractTerms,
  compileCharter,
  diffCharters,
  narrowCharter,
  parseCharter,
  parseTerms,
  proveTerms,
} from '@bailiwick/charter';
import { describe, expect, it } from 'vitest';
import { createEngine } from './engine.ts';

const FOLDER = path.resolve(import.meta.dirname, '../../../charters');
const NAMES = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.yaml') && !name.includes('.test.'))
  .map((name) => name.replace('.yaml', ''));
const compile = (name: string): CompiledCharter =>
  compileCharter(parseCharter(readFileSync(path.join(FOLDER, `${name}.yaml`), 'utf8')), {
    sha256: (text) => hash('sha256', text, 'hex'),
  });

const toTerms = (charter: CompiledCharter): ContractTerms =>
  parseTerms({
    terms: 1,
    version: 1,
    residencies: charter.residencies.slice(0, 1),
    purposes: charter.purposes.slice(0, 1),
    supportPlaces: [charter.cells[0]?.location ?? 'de'],
    standbyCells: [charter.cells[0]?.id ?? 'eu-de/main'],
    forbid: [{ forbid: 'nothing-out', action: 'export', because: 'b', source: 's' }],
  });

describe('contract terms', () => {
  it('has charters to look at', () => expect(NAMES.length).toBeGreaterThanOrEqual(6));

  it.each(NAMES)('only narrow the charter `%s`, and are told in words', (name) => {
    const charter = compile(name);
    const proof = proveTerms(charter, toTerms(charter));
    expect([proof.narrows, proof.widenings]).toEqual([true, []]);
    expect(proof.narrowings.length).toBeGreaterThan(0);
    for (const { after, words } of proof.narrowings) {
      expect(after.rules.some((rule) => rule.startsWith('terms.'))).toBe(true);
      expect(words.length).toBeGreaterThan(20);
    }
    // What the proof compares is what an engine with these terms decides.
    const engine = createEngine(charter, { serial: 1, terms: toTerms(charter) });
    for (const { flow, after } of proof.narrowings) {
      expect(engine.decide(flow).outcome).toBe(after.outcome);
    }
  });

  it('that would allow something are found out: the comparison sees a rule that allows', () => {
    const charter = compile('retailer');
    const narrowed = narrowCharter(charter, toTerms(charter));
    const forged = {
      ...narrowed,
      rules: narrowed.rules.map((rule) =>
        rule.id === 'terms.nothing-out' ? { ...rule, effect: 'allow' as const } : rule,
      ),
    };
    expect(diffCharters(charter, forged).widenings.length).toBeGreaterThan(0);
  });

  it('that name what the charter does not know are refused', () => {
    const charter = compile('retailer');
    for (const change of [
      { purposes: ['star-gazing'] },
      { residencies: ['xx-nowhere'] },
      { supportPlaces: ['atlantis'] },
    ]) {
      expect(() => proveTerms(charter, { terms: 1, version: 1, ...change })).toThrowError(
        expect.objectContaining({ code: 'CHARTER_TERMS_INVALID' }),
      );
    }
  });
});
