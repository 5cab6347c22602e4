// SPDX-License-Identifier: Apache-2.0
// Goal: of all that speaks of data the nearest term counts, a contract shortens it, and a duty is not
// shortened.
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { type CompiledCharter, compileCharter } from './compile.ts';
import { parseCharter } from './parse.ts';
import { findRetention, type RetainedData } from './retention.ts';
import type { ContractTerms } from './terms.ts';

const FILE = path.resolve(import.meta.dirname, '../../../charters/retailer.yaml');
const TEXT = readFileSync(FILE, 'utf8');

function compile(clauses: string): CompiledCharter {
  const start = TEXT.indexOf('\nretention:');
  const end = TEXT.indexOf('\nkeys:', start);
  const text = `${TEXT.slice(0, start)}\nretention:\n${clauses}\n${TEXT.slice(end)}`;
  return compileCharter(parseCharter(text), { sha256: (one) => hash('sha256', one, 'hex') });
}

const clause = (words: string): string => `  - { ${words}, because: why, source: a law }`;
const DATA: RetainedData = { class: 'restricted', category: 'contact', origin: 'de' };
const termsOf = (days: number): ContractTerms => ({
  terms: 1,
  version: 3,
  retentionDaysMax: { contact: days },
});

describe('the term of data', () => {
  const general = clause('category: contact, keepFor: 3y, from: last-activity');
  const german = clause('category: contact, jurisdiction: de, keepFor: 5y, from: collection');
  const european = clause('category: contact, jurisdiction: eea, keepFor: 30d, from: collection');
  const secret = clause('category: contact, class: sensitive, keepFor: 10d, from: collection');
  const duty = clause('category: contact, keepFor: 6y, from: collection, required: true');

  it.each([
    ['nobody has set', [clause('category: health, keepFor: 1d, from: collection')], undefined],
    ['the general clause sets', [general], 1098],
    ['the jurisdiction’s clause sets before the general one', [general, german], 1830],
    ['the shorter of two near clauses sets', [german, european], 30],
    ['another class’s clause does not set', [general, secret], 1098],
  ] as const)('is what %s', (_, clauses, days) => {
    const found = findRetention(compile(clauses.join('\n')), undefined, DATA);
    expect(found?.keepForDays).toBe(days);
  });

  it('is the class’s for data of that class, wherever it is from', () => {
    const charter = compile([general, secret].join('\n'));
    const data = { ...DATA, class: 'sensitive', origin: 'jp' } as const;
    expect(findRetention(charter, undefined, data)?.keepForDays).toBe(10);
  });

  it('is not another jurisdiction’s', () => {
    const charter = compile([general, german].join('\n'));
    expect(findRetention(charter, undefined, { ...DATA, origin: 'fr' })?.keepForDays).toBe(1098);
  });

  it('is shorter by contract, and never longer', () => {
    const charter = compile(general);
    const shorter = findRetention(charter, termsOf(30), DATA);
    expect(shorter).toMatchObject({ keepForDays: 30, setBy: 'contract', from: 'last-activity' });
    expect(shorter?.source).toContain('version 3');
    expect(findRetention(charter, termsOf(9999), DATA)).toMatchObject({
      ...{ keepForDays: 1098, setBy: 'charter' },
    });
  });

  it('is a contract’s where the charter has none, from collection', () => {
    const charter = compile(clause('category: health, keepFor: 1d, from: collection'));
    expect(findRetention(charter, termsOf(7), DATA)).toMatchObject({
      ...{ keepForDays: 7, from: 'collection', setBy: 'contract' },
    });
  });

  it('is not shortened by contract where a law asks that it be kept', () => {
    expect(findRetention(compile(duty), termsOf(30), DATA)).toMatchObject({
      ...{ keepForDays: 2196, isRequired: true, setBy: 'charter' },
    });
  });
});

describe('a clause', () => {
  it.each([
    [clause('category: contacts, keepFor: 1d, from: collection'), '/retention/0/category'],
    [
      clause('category: contact, jurisdiction: germania, keepFor: 1d, from: collection'),
      '/retention/0/jurisdiction',
    ],
    [
      clause('category: contact, class: secret, keepFor: 1d, from: collection'),
      '/retention/0/class',
    ],
  ])('that names nothing is an error: %s', (words, pointer) => {
    let problems: readonly { readonly pointer: string }[] = [];
    try {
      compile(words);
    } catch (error) {
      problems = (error as { problems: typeof problems }).problems;
    }
    expect(problems.map((one) => one.pointer)).toContain(pointer);
  });
});
