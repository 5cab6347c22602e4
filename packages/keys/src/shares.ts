// SPDX-License-Identifier: Apache-2.0
// A key in n shares of which any m give it back and fewer tell nothing: Shamir's scheme (CACM 22/11, 1979)
// over GF(2^8) with the polynomial of AES (FIPS 197 §4.2). Each byte of the key is the constant term of a
// random polynomial of degree m-1; share x holds its values at x. The scheme alone cannot tell a wrong
// share, so a share carries the set's commitment to the key: what does not fit is refused, by name.
import { createHash, type KeyObject, timingSafeEqual } from 'node:crypto';
import type { Random } from '@bailiwick/kernel';
import { KeysError } from './errors.ts';
import { KEY_SIZE_BYTES } from './limits.ts';
import { takeKey, wipe, withMaterial } from './secret.ts';

/** Most shares of a set, and the fewest that may give the key back. */
export const SHARES_COUNT_MAX = 16;
export const SHARES_THRESHOLD_MIN = 2;

const PREFIX = 'bwshare1.';
const SET_ID_SIZE_BYTES = 8;
const COMMITMENT_SIZE_BYTES = 32;
const CHECK_SIZE_BYTES = 4;
const HEAD_SIZE_BYTES = SET_ID_SIZE_BYTES + 3;
const SHARE_SIZE_BYTES =
  HEAD_SIZE_BYTES + COMMITMENT_SIZE_BYTES + KEY_SIZE_BYTES + CHECK_SIZE_BYTES;
const COMMITMENT_DOMAIN = 'bailiwick/share-set/v1\0';
const CHECK_DOMAIN = 'bailiwick/share/v1\0';

/** Multiplication in GF(2^8) modulo x^8+x^4+x^3+x+1, without branches or tables that depend on secrets. */
export function multiplyInField(a: number, b: number): number {
  let [product, left] = [0, a];
  for (let bit = 0; bit < 8; bit += 1) {
    product ^= -((b >> bit) & 1) & left;
    left = ((left << 1) ^ (-((left >> 7) & 1) & 0x11b)) & 0xff;
  }
  return product & 0xff;
}

/** The inverse of a public number other than 0: a^254. */
function invert(a: number): number {
  let power = a;
  for (let count = 0; count < 6; count += 1) {
    power = multiplyInField(multiplyInField(power, power), a);
  }
  return multiplyInField(power, power);
}

interface Share {
  readonly setId: Buffer;
  readonly threshold: number;
  readonly count: number;
  /** 1 to `count`. */
  readonly index: number;
  readonly commitment: Buffer;
  readonly values: Buffer;
}

function commit(setId: Uint8Array, material: Uint8Array): Buffer {
  return createHash('sha256').update(COMMITMENT_DOMAIN).update(setId).update(material).digest();
}

const toCheck = (bytes: Uint8Array): Buffer =>
  createHash('sha256').update(CHECK_DOMAIN).update(bytes).digest().subarray(0, CHECK_SIZE_BYTES);

function encodeShare(share: Share): string {
  const { setId, threshold, count, index, commitment, values } = share;
  const body = Buffer.concat([setId, Buffer.from([threshold, count, index]), commitment, values]);
  const text = PREFIX + Buffer.concat([body, toCheck(body)]).toString('base64url');
  wipe(body);
  return text;
}

function refuse(problem: string): never {
  throw new KeysError('KEYS_SHARE_INVALID', problem);
}

function parseShare(text: string): Share {
  const trimmed = text.trim();
  if (!trimmed.startsWith(PREFIX)) return refuse('not a share');
  const bytes = Buffer.from(trimmed.slice(PREFIX.length), 'base64url');
  if (bytes.length !== SHARE_SIZE_BYTES) return refuse('share is too short or too long');
  const body = bytes.subarray(0, SHARE_SIZE_BYTES - CHECK_SIZE_BYTES);
  if (!timingSafeEqual(toCheck(body), bytes.subarray(body.length))) {
    return refuse('share has a mistake in it: its check does not fit');
  }
  const [threshold = 0, count = 0, index = 0] = body.subarray(SET_ID_SIZE_BYTES, HEAD_SIZE_BYTES);
  const isPossible =
    threshold >= SHARES_THRESHOLD_MIN &&
    threshold <= count &&
    count <= SHARES_COUNT_MAX &&
    index >= 1 &&
    index <= count;
  if (!isPossible) return refuse('share is of no possible set');
  return {
    setId: body.subarray(0, SET_ID_SIZE_BYTES),
    ...{ threshold, count, index },
    commitment: body.subarray(HEAD_SIZE_BYTES, HEAD_SIZE_BYTES + COMMITMENT_SIZE_BYTES),
    values: body.subarray(HEAD_SIZE_BYTES + COMMITMENT_SIZE_BYTES),
  };
}

/** The polynomial's value at x (Horner); its coefficients from the constant term up. */
function evaluate(coefficients: readonly Uint8Array[], at: number, byte: number): number {
  return coefficients.reduceRight<number>(
    (sum, coefficient) => multiplyInField(sum, at) ^ (coefficient[byte] ?? 0),
    0,
  );
}

/** Splits a key; each text of the answer is for one person. @throws {KeysError} `KEYS_SHARE_INVALID` */
export function splitKey(
  { random }: { readonly random: Random },
  key: KeyObject,
  options: { readonly count: number; readonly threshold: number },
): readonly string[] {
  const { count, threshold } = options;
  const isPossible =
    Number.isInteger(count) &&
    Number.isInteger(threshold) &&
    threshold >= SHARES_THRESHOLD_MIN &&
    threshold <= count &&
    count <= SHARES_COUNT_MAX;
  if (!isPossible)
    return refuse(`expected 2 to ${SHARES_COUNT_MAX} shares, of which at least 2 are needed`);
  const setId = Buffer.from(random.bytes(SET_ID_SIZE_BYTES));
  return withMaterial(key, (material) => {
    const others = Array.from({ length: threshold - 1 }, () => random.bytes(KEY_SIZE_BYTES));
    const coefficients = [material, ...others];
    const commitment = commit(setId, material);
    const shares = Array.from({ length: count }, (_, position) => {
      const index = position + 1;
      const values = Buffer.alloc(KEY_SIZE_BYTES);
      for (let byte = 0; byte < KEY_SIZE_BYTES; byte += 1) {
        values[byte] = evaluate(coefficients, index, byte);
      }
      const text = encodeShare({ setId, threshold, count, index, commitment, values });
      wipe(values);
      return text;
    });
    wipe(...others);
    return shares;
  });
}

/** Lagrange's weight of one share at 0, over the indexes of all. */
function weigh(index: number, indexes: readonly number[]): number {
  return indexes.reduce((weight, other) => {
    if (other === index) return weight;
    return multiplyInField(weight, multiplyInField(other, invert(other ^ index)));
  }, 1);
}

/**
 * The key of enough shares of one set.
 *
 * @throws {KeysError} `KEYS_SHARE_INVALID`: too few, mixed sets, the same one twice, or a share that does
 *   not fit the set's commitment
 */
export function combineShares(texts: readonly string[]): KeyObject {
  const shares = texts.map(parseShare);
  const [first] = shares;
  if (first === undefined) return refuse('no shares');
  const isOneSet = shares.every(
    ({ setId, threshold, count, commitment }) =>
      setId.equals(first.setId) &&
      commitment.equals(first.commitment) &&
      threshold === first.threshold &&
      count === first.count,
  );
  if (!isOneSet) return refuse('shares are of different sets');
  const indexes = shares.map(({ index }) => index);
  if (new Set(indexes).size !== indexes.length) return refuse('a share is there twice');
  if (shares.length < first.threshold) {
    return refuse(`${first.threshold} shares are needed, ${shares.length} are there`);
  }
  const material = Buffer.alloc(KEY_SIZE_BYTES);
  for (const { index, values } of shares) {
    const weight = weigh(index, indexes);
    for (let byte = 0; byte < KEY_SIZE_BYTES; byte += 1) {
      material[byte] = (material[byte] ?? 0) ^ multiplyInField(values[byte] ?? 0, weight);
    }
  }
  const isIt = timingSafeEqual(commit(first.setId, material), first.commitment);
  if (!isIt) {
    wipe(material);
    return refuse('shares do not give the key that was split');
  }
  return takeKey(material);
}
