// SPDX-License-Identifier: Apache-2.0
// Goal: whoever meets a code finds what it means and what to do (STYLE §4). Method: every code in a room's
// union, problem table or source is held against the reference, and every row of that against the sources.
import { describe, expect, it } from 'vitest';
import { type Explained, ROOM_WORDS, readCodes, readReference, readUnions } from './error-codes.ts';

const codes = readCodes();
const unions = readUnions();
const reference = readReference();
const CELL_PAGE = 'docs/reference/errors.md';

describe('the reader itself', () => {
  it('sees rooms, codes and rows', () => {
    expect(unions.size).toBeGreaterThanOrEqual(12);
    expect(codes.size).toBeGreaterThan(220);
    expect(reference.length).toBeGreaterThan(220);
    const words = new Set([...codes.keys()].map((code) => code.split('_')[0] ?? ''));
    expect([...words].sort()).toEqual([...ROOM_WORDS].sort());
  });

  it('knows the first word of every code that a room declares', () => {
    for (const [file, declared] of unions) expect(declared.length, file).toBeGreaterThan(0);
  });
});

describe('the reference of errors', () => {
  it('explains every code that a source can say', () => {
    const explained = new Set(reference.map(({ code }) => code));
    const missing = [...codes].filter(([code]) => !explained.has(code));
    expect(missing.map(([code, files]) => `${code} (${files[0]})`)).toEqual([]);
  });

  it('explains no code that no source can say', () => {
    const stale = reference.filter(({ code }) => !codes.has(code));
    expect(stale.map(({ code, page }) => `${code} (${page})`)).toEqual([]);
  });

  it('explains each code once', () => {
    const seen = new Set<string>();
    const twice = reference.filter(({ code }) => seen.size === seen.add(code).size);
    expect(twice.map(({ code }) => code)).toEqual([]);
  });

  it('says of each what it is and what to do, in a sentence and without a full stop', () => {
    const bare = reference.filter(
      ({ meaning, remedy }: Explained) =>
        meaning.length < 10 || remedy.length < 8 || /\.$/.test(meaning) || /\.$/.test(remedy),
    );
    expect(bare.map(({ code }) => code)).toEqual([]);
  });

  it('leaves a cell’s answers to the page that is written from their table', () => {
    const answers = reference.filter(({ page }) => page === CELL_PAGE);
    expect(answers.length).toBeGreaterThan(60);
    expect(answers.filter(({ code }) => code.startsWith('CLI_'))).toEqual([]);
  });
});

describe('the codes', () => {
  it('that a room declares are said somewhere', () => {
    const silent = [...unions].flatMap(([file, declared]) =>
      declared
        .filter((code) => (codes.get(code) ?? []).every((one) => one === file))
        .map((code) => `${code} (${file})`),
    );
    expect(silent).toEqual([]);
  });

  it('are spelled like codes: room, noun, problem', () => {
    const odd = [...codes.keys()].filter((code) => !/^[A-Z]+(_[A-Z0-9]+){1,4}$/.test(code));
    expect(odd).toEqual([]);
  });
});
