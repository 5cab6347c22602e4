// SPDX-License-Identifier: Apache-2.0
// Goal: what may stay stays, and what may not is told with its rule and its remedy. Method: the worked
// charters; for every one, what its own homes take in may stay where it was taken in.
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { compileCharter, parseCharter } from '@bailiwick/charter';
import { parseCellId } from '@bailiwick/kernel';
import { describe, expect, it } from 'vitest';
import { createRestJudge, type RestingData } from './at-rest.ts';

const sha256 = (text: string): string => hash('sha256', text, 'hex');
const read = (name: string): string =>
  readFileSync(path.resolve(import.meta.dirname, `../../../charters/${name}.yaml`), 'utf8');
const compile = (text: string) => compileCharter(parseCharter(text), { sha256 });
const RETAILER = read('retailer');
const atMs = Date.parse('2026-11-20T12:00:00Z');

const ORDER: RestingData = {
  class: 'restricted',
  categories: ['contact'],
  regimes: ['gdpr'],
  origin: 'de',
  residency: 'eu-de',
};

describe('data at rest', () => {
  const judge = createRestJudge(compile(RETAILER), {
    cellId: parseCellId('eu-de/main'),
    serial: 1,
    atMs,
  });

  it('may stay where its home is, under its laws', () => {
    expect(judge(ORDER)).toBeUndefined();
    expect(judge({ ...ORDER, origin: 'ch', regimes: ['ch-fadp'] })).toBeUndefined();
  });

  it.each([
    [
      'from a country with another home',
      { origin: 'uk', regimes: ['uk-gdpr'] },
      'home-elsewhere',
      { kind: 'move', to: 'uk-lon/main' },
    ],
    ['from a country that is refused', { origin: 'bh' }, 'home-refused', { kind: 'erase' }],
    ['from nowhere that is known', { origin: 'atlantis' }, 'home-refused', { kind: 'erase' }],
    [
      'under other laws',
      { regimes: ['cpra'] },
      'regimes-changed',
      { kind: 'relabel', regimes: ['gdpr'] },
    ],
    ['under no law', { regimes: [] }, 'regimes-changed', { kind: 'relabel', regimes: ['gdpr'] }],
    [
      'of a category that has no business here',
      { categories: ['health'] },
      'keeping-forbidden',
      { kind: 'erase' },
    ],
    [
      'of which one category has none',
      { categories: ['contact', 'health'] },
      'keeping-forbidden',
      { kind: 'erase' },
    ],
    [
      'of an unknown category',
      { categories: ['star-sign'] },
      'keeping-forbidden',
      { kind: 'erase' },
    ],
    [
      'with another home on its label',
      { residency: 'us-va' },
      'keeping-forbidden',
      { kind: 'erase' },
    ],
  ] as const)('may not stay %s', (_what, change, kind, remedy) => {
    expect(judge({ ...ORDER, ...change })).toMatchObject({ kind, remedy });
  });

  it('is told the rule that speaks whoever asks', () => {
    expect(judge({ ...ORDER, categories: ['health'] })?.rules).toEqual([
      'nothing-we-have-no-business-with',
    ]);
    expect(judge({ ...ORDER, residency: 'us-va' })?.rules).toEqual(['keep-nowhere-else']);
  });

  it('may not stay where contract terms forbid every purpose that could keep it', () => {
    const narrowed = createRestJudge(compile(RETAILER), {
      cellId: parseCellId('eu-de/main'),
      serial: 1,
      atMs,
      terms: { terms: 1, version: 1, purposes: ['analytics'] },
    });
    expect(narrowed(ORDER)).toMatchObject({
      kind: 'keeping-forbidden',
      rules: expect.arrayContaining(['terms.purpose']),
    });
  });

  it('may not stay in a cell that the charter does not name', () => {
    const elsewhere = createRestJudge(compile(RETAILER), {
      cellId: parseCellId('eu-de/bank'),
      serial: 1,
      atMs,
    });
    expect(elsewhere(ORDER)).toMatchObject({ kind: 'keeping-forbidden', rules: [] });
  });
});
