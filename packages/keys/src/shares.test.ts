// SPDX-License-Identifier: Apache-2.0
// Goal: any m of n shares give the key back, fewer tell nothing, and what does not belong is refused.
// Method: the field against FIPS 197's examples; every subset of small sets; every bit of a share flipped.
import { createSecretKey } from 'node:crypto';
import { createSeededRandom } from '@bailiwick/testkit';
import { describe, expect, it } from 'vitest';
import { createKey } from './secret.ts';
import { combineShares, multiplyInField, SHARES_COUNT_MAX, splitKey } from './shares.ts';

const random = createSeededRandom('shares');
const invalid = expect.objectContaining({ code: 'KEYS_SHARE_INVALID' });

function subsets<T>(items: readonly T[], size: number): readonly (readonly T[])[] {
  if (size === 0) return [[]];
  return items.flatMap((item, index) =>
    subsets(items.slice(index + 1), size - 1).map((rest) => [item, ...rest]),
  );
}

describe('the field', () => {
  // FIPS 197 §4.2 and §4.2.1.
  it.each([
    [0x57, 0x83, 0xc1],
    [0x57, 0x13, 0xfe],
    [0x57, 0x02, 0xae],
    [0x57, 0x10, 0x07],
    [0x53, 0xca, 0x01],
    [0, 0xff, 0],
  ])('has %i times %i as AES has it', (a, b, product) => {
    expect(multiplyInField(a, b)).toBe(product);
    expect(multiplyInField(b, a)).toBe(product);
  });
});

describe('shares', () => {
  it.each([
    [2, 2],
    [2, 3],
    [3, 5],
    [4, 4],
    [5, 6],
  ])('any %i of %i give the key, in any order, and so do more', (threshold, count) => {
    const key = createKey();
    const shares = splitKey({ random }, key, { threshold, count });
    for (const some of subsets(shares, threshold)) {
      expect(combineShares(some).equals(key)).toBe(true);
      expect(combineShares([...some].reverse()).equals(key)).toBe(true);
    }
    expect(combineShares(shares).equals(key)).toBe(true);
  });

  it('fewer give nothing, and say how many are needed', () => {
    const shares = splitKey({ random }, createKey(), { threshold: 3, count: 5 });
    for (const few of [[], ...subsets(shares, 1), ...subsets(shares, 2)]) {
      expect(() => combineShares(few)).toThrow(invalid);
    }
  });

  it('are as likely for any other key: one share short, each key has its share that would fit', () => {
    // With threshold 2 the first share’s values are s ^ c: over all c, each byte is as likely as another.
    const counts = new Map<number, number>();
    const material = Buffer.alloc(32, 0x2a);
    for (let round = 0; round < 4_000; round += 1) {
      const key = createSecretKey(Buffer.from(material));
      const [share = ''] = splitKey({ random }, key, { threshold: 2, count: 2 });
      const values = Buffer.from(share.slice('bwshare1.'.length), 'base64url').subarray(43, 75);
      for (const byte of values) counts.set(byte, (counts.get(byte) ?? 0) + 1);
    }
    // 128,000 bytes: 500 of each expected, and a deviation of 22.
    expect(counts.size).toBe(256);
    expect(Math.min(...counts.values())).toBeGreaterThan(380);
    expect(Math.max(...counts.values())).toBeLessThan(620);
  });

  it('are refused with any bit flipped, cut short, or made longer', () => {
    const [first = '', second = ''] = splitKey({ random }, createKey(), { threshold: 2, count: 3 });
    const bytes = Buffer.from(first.slice('bwshare1.'.length), 'base64url');
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(() => combineShares([`bwshare1.${flipped.toString('base64url')}`, second])).toThrow(
        invalid,
      );
    }
    for (const wrong of [
      '',
      'bwshare1.',
      first.slice(0, -4),
      `${first}AAAA`,
      first.replace('1', '2'),
    ]) {
      expect(() => combineShares([wrong, second])).toThrow(invalid);
    }
  });

  it('are refused twice, and of two sets, also of the same key', () => {
    const key = createKey();
    const [a = '', b = ''] = splitKey({ random }, key, { threshold: 2, count: 3 });
    const [other = ''] = splitKey({ random }, key, { threshold: 2, count: 3 });
    expect(() => combineShares([a, a])).toThrow(invalid);
    expect(() => combineShares([a, other])).toThrow(invalid);
    expect(() => combineShares([a, b, other])).toThrow(invalid);
  });

  it.each([
    [1, 3],
    [0, 0],
    [4, 3],
    [2, SHARES_COUNT_MAX + 1],
    [2.5, 3],
  ])('are not made for %i of %i', (threshold, count) => {
    expect(() => splitKey({ random }, createKey(), { threshold, count })).toThrow(invalid);
  });
});
