// SPDX-License-Identifier: Apache-2.0
// Ids, instants and canonical JSON: what is accepted, and much more of what is not.
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  createUuidV7,
  isCoded,
  isName,
  type Json,
  parseCellId,
  parseCollectionId,
  parseDate,
  parseInstant,
  parseResidency,
  parseTenantId,
  toCanonicalJson,
  toDate,
  toInstant,
  toResidency,
} from './index.ts';

const refusal = (code: string, work: () => unknown): void => {
  let caught: unknown;
  try {
    work();
  } catch (error) {
    caught = error;
  }
  expect(isCoded(caught, code)).toBe(true);
};

describe('ids', () => {
  it('reads a cell without its name as main', () => {
    expect(parseCellId('eu-de')).toBe('eu-de/main');
    expect(parseCellId('eu-de/bank1')).toBe('eu-de/bank1');
    expect(toResidency(parseCellId('eu-de/bank1'))).toBe('eu-de');
  });

  it.each([
    '',
    'eu',
    'EU-DE',
    'eu-de/',
    'eu-de/Main',
    'eu-de/a/b',
    'eu_de',
    'eu-de/main ',
    '../etc',
    'еu-de',
  ])('refuses the cell id `%s`', (text) => refusal('KERNEL_ID_INVALID', () => parseCellId(text)));

  it.each(['', 'de', 'eu-', '-de', 'eu-DE', 'eu-de-x', 'eu-de\n'])(
    'refuses the residency `%s`',
    (text) => refusal('KERNEL_ID_INVALID', () => parseResidency(text)),
  );

  it.each([
    '',
    '00000000-0000-0000-0000-000000000000',
    '0193a8a0-0000-7000-8000-00000000000',
    '0193A8A0-0000-7000-8000-000000000000',
    '0193a8a0-0000-7000-c000-000000000000',
    'user@example.com',
  ])('refuses the tenant id `%s`', (text) =>
    refusal('KERNEL_ID_INVALID', () => parseTenantId(text)),
  );

  it.each(['', 'A', 'a--b', '-a', 'a-', 'a_b', 'a'.repeat(64), 'ａ'])(
    'refuses the name `%s`',
    (text) => {
      expect(isName(text)).toBe(false);
      refusal('KERNEL_ID_INVALID', () => parseCollectionId(text));
    },
  );

  it('orders version 7 ids by time and never repeats them', () => {
    let nowMs = Date.UTC(2026, 10, 20);
    const ports = {
      clock: { nowMs: () => nowMs, monotonicMs: () => 0 },
      random: { bytes: (size: number) => crypto.getRandomValues(new Uint8Array(size)) },
    };
    const ids = Array.from({ length: 1000 }, () => {
      nowMs += 1;
      return createUuidV7(ports);
    });
    expect([...ids].sort()).toEqual(ids);
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) expect(parseTenantId(id)).toBe(id);
  });
});

describe('instants', () => {
  it('agrees with the platform on every instant of 0001 to 9999', () => {
    const range = {
      min: Date.UTC(1, 0, 1) + 62_135_596_800_000 - 62_135_596_800_000,
      max: Date.UTC(9999, 11, 31),
    };
    fc.assert(
      fc.property(fc.integer(range), (ms) => {
        expect(toInstant(ms)).toBe(new Date(ms).toISOString());
        expect(parseInstant(toInstant(ms))).toBe(ms);
        expect(parseDate(toDate(ms))).toBe(Math.floor(ms / 86_400_000) * 86_400_000);
      }),
    );
  });

  it.each([
    '',
    '2026-11-20',
    '2026-11-20T08:00:00',
    '2026-11-20T08:00:00+01:00',
    '2026-11-20t08:00:00Z',
    '2026-11-20T24:00:00Z',
    '2026-11-20T23:59:60Z',
    '2026-02-29T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-00-10T00:00:00Z',
    '2026-11-20T08:00:00.1234Z',
    '2026-11-20T08:00:00Z\n',
  ])('refuses the instant `%s`', (text) =>
    refusal('KERNEL_INSTANT_INVALID', () => parseInstant(text)),
  );

  it.each(['', '2026-2-01', '2026-02-30', '2025-02-29', '2026-04-31', '20260101'])(
    'refuses the date `%s`',
    (text) => refusal('KERNEL_INSTANT_INVALID', () => parseDate(text)),
  );
});

describe('canonical json', () => {
  it('sorts keys, drops undefined and writes numbers as RFC 8785 does', () => {
    expect(toCanonicalJson({ b: [1, { z: null, a: true }], a: 'ü\n', c: undefined, n: 1e21 })).toBe(
      '{"a":"ü\\n","b":[1,{"a":true,"z":null}],"n":1e+21}',
    );
    // RFC 8785 §3.2.3: property names sort by UTF-16 code units.
    const names = {
      '\u20ac': 'Euro',
      '\r': 'CR',
      '\ufb33': 'Dalet',
      '1': 'One',
      '\ud83d\ude00': 'Smile',
      '\u0080': 'Ctl',
      ö: 'o',
    };
    expect(Object.values(JSON.parse(toCanonicalJson(names)) as object)).toEqual([
      'One',
      'CR',
      'Ctl',
      'o',
      'Euro',
      'Smile',
      'Dalet',
    ]);
  });

  it('gives one text per value, whatever the order of its keys', () => {
    const digest = (value: Json): string =>
      createHash('sha256').update(toCanonicalJson(value)).digest('hex');
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.string({ unit: 'grapheme' }),
          fc.double({ noNaN: true, noDefaultInfinity: true }),
        ),
        (value) => {
          const reversed = Object.fromEntries(Object.entries(value).reverse());
          expect(digest(value)).toBe(digest(reversed));
          expect(JSON.parse(toCanonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
        },
      ),
    );
  });

  it.each([
    ['not a number', Number.NaN],
    ['infinity', Number.POSITIVE_INFINITY],
    ['a lone surrogate', '\ud800'],
    ['a lone surrogate as key', { '\udc00': 1 }],
    ['nesting beyond the limit', Array.from({ length: 40 }).reduce<Json>((inner) => [inner], 1)],
  ])('refuses %s', (_, value) =>
    refusal('KERNEL_JSON_INVALID', () => toCanonicalJson(value as Json)),
  );
});
