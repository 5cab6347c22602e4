// SPDX-License-Identifier: Apache-2.0
// Goal: a seal has one encoding and one meaning (invariant 2). Method: random seals, each field changed,
// each byte flipped, each truncation.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  DATA_CLASSES,
  encodeSeal,
  encodeSealPrefix,
  isCoded,
  parseCellId,
  parseCollectionId,
  parseKeyId,
  parseRecordId,
  parseResidency,
  parseSeal,
  parseTenantId,
  SEAL_SIZE_BYTES_MAX,
  type Seal,
  toUuid,
} from './index.ts';

const uuid = fc
  .uint8Array({ minLength: 16, maxLength: 16 })
  .chain((bytes) => fc.constantFrom<7 | 8>(7, 8).map((version) => toUuid(bytes, version)));
const name = fc.stringMatching(/^[a-z][a-z0-9]{0,12}(-[a-z0-9]{1,8}){0,2}$/);
const residency = fc.stringMatching(/^[a-z]{2}-[a-z0-9]{2,8}$/);

const seal: fc.Arbitrary<Seal> = fc.record({
  tenantId: uuid.map(parseTenantId),
  cellId: fc.tuple(residency, name).map(([place, cell]) => parseCellId(`${place}/${cell}`)),
  residency: residency.map(parseResidency),
  origin: name,
  regimes: fc.uniqueArray(name, { minLength: 1, maxLength: 4 }).map((list) => list.sort()),
  class: fc.constantFrom(...DATA_CLASSES),
  category: name,
  purpose: name,
  collectionId: name.map(parseCollectionId),
  fieldSet: name,
  keyId: uuid.map(parseKeyId),
  keyVersion: fc.integer({ min: 1, max: 0xffff_ffff }),
  lawDate: fc.integer({ min: -0x7fff_ffff, max: 0x7fff_ffff }),
  recordId: uuid.map(parseRecordId),
});

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('seal encoding', () => {
  it('reads back what it wrote', () => {
    fc.assert(
      fc.property(seal, (value) => {
        expect(parseSeal(encodeSeal(value))).toEqual(value);
      }),
    );
  });

  it('gives different bytes to different seals', () => {
    fc.assert(
      fc.property(seal, seal, (one, other) => {
        const same = JSON.stringify(one) === JSON.stringify(other);
        expect(hex(encodeSeal(one)) === hex(encodeSeal(other))).toBe(same);
      }),
    );
  });

  it('stays under its largest size', () => {
    fc.assert(
      fc.property(seal, (value) => {
        expect(encodeSeal(value).length).toBeLessThan(SEAL_SIZE_BYTES_MAX);
      }),
    );
  });

  it('refuses each truncation and each trailing byte', () => {
    fc.assert(
      fc.property(seal, fc.nat(), (value, at) => {
        const bytes = encodeSeal(value);
        for (const wrong of [
          bytes.subarray(0, at % bytes.length),
          Buffer.concat([bytes, Buffer.of(at & 0xff)]),
        ]) {
          expect(codeOf(() => parseSeal(wrong))).toBe('refused');
        }
      }),
    );
  });

  it('gives another seal or a refusal for each flipped bit, never the same seal', () => {
    fc.assert(
      fc.property(seal, fc.nat(), fc.nat({ max: 7 }), (value, at, bit) => {
        const bytes = encodeSeal(value);
        const index = at % bytes.length;
        bytes[index] = (bytes[index] ?? 0) ^ (1 << bit);
        let read: Seal | undefined;
        try {
          read = parseSeal(bytes);
        } catch (error) {
          expect(isCoded(error, 'KERNEL_SEAL_INVALID') || isCoded(error, 'KERNEL_ID_INVALID')).toBe(
            true,
          );
        }
        expect(read).not.toEqual(value);
      }),
    );
  });

  it('never throws anything but a coded error on garbage', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(codeOf(() => parseSeal(bytes))).toBe('refused');
      }),
    );
  });
});

function codeOf(work: () => unknown): string {
  try {
    work();
    return 'accepted';
  } catch (error) {
    const coded = isCoded(error, 'KERNEL_SEAL_INVALID') || isCoded(error, 'KERNEL_ID_INVALID');
    return coded ? 'refused' : `uncoded ${String(error)}`;
  }
}

describe('seal bounds', () => {
  const [valid] = fc.sample(seal, { numRuns: 1, seed: 7 });
  if (!valid) throw new Error('no sample');
  it.each([
    ['no regime', { regimes: [] }],
    ['five regimes', { regimes: ['a', 'b', 'c', 'd', 'e'] }],
    ['regimes out of order', { regimes: ['b', 'a'] }],
    ['a regime twice', { regimes: ['a', 'a'] }],
    ['key version 0', { keyVersion: 0 }],
    ['key version beyond 32 bits', { keyVersion: 2 ** 32 }],
    ['a fraction as key version', { keyVersion: 1.5 }],
    ['an empty category', { category: '' }],
    ['a category of 128 bytes', { category: 'x'.repeat(128) }],
    ['a law date beyond 32 bits', { lawDate: 2 ** 31 }],
  ])('refuses %s', (_, change) => {
    expect(codeOf(() => encodeSealPrefix({ ...valid, ...change }))).toBe('refused');
  });
});
