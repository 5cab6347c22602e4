// SPDX-License-Identifier: Apache-2.0
// Per-nonce keys and key commitments of KC-XAES-256-GCM: c2sp.org/XAES-256-GCM for the derivation,
// eprint 2025/758 for the commitment. All of it is AES-256 on single blocks, so one long-lived ECB
// context per key does it in two calls. Internal to this package.
import type { Cipher, KeyObject } from 'node:crypto';
import { createCipheriv, createSecretKey, randomFillSync } from 'node:crypto';
import { assert } from '@bailiwick/kernel';
import { DERIVATION_CACHE_COUNT_MAX, KEY_SIZE_BYTES, NONCE_POOL_COUNT } from './limits.ts';

/** Size of a nonce, in bytes: half of it picks the key, half of it is GCM's. */
export const NONCE_SIZE_BYTES = 24;
/** Size of a key commitment, in bytes. */
export const COMMITMENT_SIZE_BYTES = 32;
const BLOCK_SIZE_BYTES = 16;
/** Second call: M1 and M2, which give the nonce's key, and the commitment's two blocks. */
const SECOND_SIZE_BYTES = 4 * BLOCK_SIZE_BYTES;
const SUBKEY_SIZE_BYTES = 2 * BLOCK_SIZE_BYTES;
/** Most nonces derived ahead for one key. */
const AHEAD_COUNT_MAX = 16;

/** What one nonce gives under one key. */
export interface NonceKeys {
  /** The AES-256-GCM key of this nonce. */
  readonly subkey: KeyObject;
  readonly commitment: Buffer;
}

/** As above, with a fresh random nonce of 24 bytes. */
export interface SealingKeys extends NonceKeys {
  readonly nonce: Buffer;
}

// Everything is XORed as 32-bit words, four times faster than by bytes; the constants are bytes read as
// words, so the machine's byte order does not matter.
interface Scratch {
  readonly bytes: Buffer;
  readonly words: Int32Array;
}

function toScratch(bytes: Buffer): Scratch {
  return { bytes, words: new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4) };
}

const createScratch = (size: number): Scratch => toScratch(Buffer.from(new ArrayBuffer(size)));
const toWord = (hex: string): number => {
  const scratch = createScratch(4);
  scratch.bytes.write(hex, 'hex');
  return word(scratch.words, 0);
};

/** "XCMT", the commitment's domain. */
const COMMITMENT_LABEL = toWord('58434d54');
/** Counter u16be, label "X", zero: SP 800-108 in counter mode. */
const KDF_HEADER = [toWord('00015800'), toWord('00025800')] as const;
/** The commitment's two counters. */
const COMMITMENT_COUNTER = [toWord('00010001'), toWord('00010002')] as const;

// One thread, no await in between: shared by all keys.
const nonceScratch = createScratch(NONCE_SIZE_BYTES);
const firstScratch = createScratch(BLOCK_SIZE_BYTES);
const secondScratch = createScratch(SECOND_SIZE_BYTES);
const x1Scratch = createScratch(BLOCK_SIZE_BYTES);
firstScratch.words[0] = COMMITMENT_LABEL;

function word(words: Int32Array, index: number): number {
  return words[index] ?? 0;
}

/** The block cipher of one key with its CMAC subkey K1, ready for many nonces. */
export class Derivation {
  readonly #cipher: Cipher;
  /** K1 of NIST SP 800-38B §6.1. */
  readonly #mask: Int32Array = createScratch(BLOCK_SIZE_BYTES).words;
  #isMasked = false;
  /** Derived ahead for seals to come, for a key that seals again and again. */
  readonly #ready: SealingKeys[] = [];
  #batchCount = 1;

  constructor(key: KeyObject) {
    assert(key.symmetricKeySize === KEY_SIZE_BYTES, 'a key has 32 bytes');
    this.#cipher = createCipheriv('aes-256-ecb', key, null);
    this.#cipher.setAutoPadding(false);
  }

  /** Encrypts first blocks; the first time with the zero block before them, which gives K1. */
  #toX1(first: Buffer): Buffer {
    if (this.#isMasked) return this.#cipher.update(first);
    const blocks = this.#cipher.update(Buffer.concat([Buffer.alloc(BLOCK_SIZE_BYTES), first]));
    this.#mask.set(double(blocks));
    this.#isMasked = true;
    return blocks.subarray(BLOCK_SIZE_BYTES);
  }

  /** Derives what belongs to the 24 bytes at the start of `nonce`. */
  derive(nonce: Buffer): NonceKeys {
    toFirst(nonce, 0);
    this.#toSecond(this.#toX1(firstScratch.bytes), 0);
    const derived = this.#cipher.update(secondScratch.bytes);
    const subkey = createSecretKey(derived.subarray(0, SUBKEY_SIZE_BYTES));
    derived.fill(0, 0, SUBKEY_SIZE_BYTES);
    return { subkey, commitment: derived.subarray(SUBKEY_SIZE_BYTES) };
  }

  /** A fresh nonce and what belongs to it; never given out twice. */
  take(): SealingKeys {
    const ready = this.#ready.pop();
    if (ready !== undefined) return ready;
    if (this.#batchCount === 1) {
      this.#batchCount = 4;
      const nonce = takeNonces(1);
      const { subkey, commitment } = this.derive(nonce);
      return { nonce, subkey, commitment };
    }
    this.#deriveAhead(this.#batchCount);
    this.#batchCount = AHEAD_COUNT_MAX;
    const taken = this.#ready.pop();
    assert(taken !== undefined, 'a batch has at least one nonce');
    return taken;
  }

  #deriveAhead(count: number): void {
    const nonces = takeNonces(count);
    const first = Buffer.allocUnsafe(count * BLOCK_SIZE_BYTES);
    const second = Buffer.allocUnsafe(count * SECOND_SIZE_BYTES);
    for (let index = 0; index < count; index += 1) {
      toFirst(nonces, index * NONCE_SIZE_BYTES);
      first.set(firstScratch.bytes, index * BLOCK_SIZE_BYTES);
    }
    const x1 = this.#toX1(first);
    for (let index = 0; index < count; index += 1) {
      toFirst(nonces, index * NONCE_SIZE_BYTES);
      this.#toSecond(x1, index * BLOCK_SIZE_BYTES);
      second.set(secondScratch.bytes, index * SECOND_SIZE_BYTES);
    }
    const derived = this.#cipher.update(second);
    for (let index = 0; index < count; index += 1) {
      const at = index * SECOND_SIZE_BYTES;
      const commitmentAt = at + SUBKEY_SIZE_BYTES;
      this.#ready.push({
        nonce: nonces.subarray(index * NONCE_SIZE_BYTES, (index + 1) * NONCE_SIZE_BYTES),
        subkey: createSecretKey(derived.subarray(at, commitmentAt)),
        commitment: derived.subarray(commitmentAt, at + SECOND_SIZE_BYTES),
      });
      derived.fill(0, at, commitmentAt);
    }
  }

  /**
   * M1 ⊕ K1 and M2 ⊕ K1; then W_i = X1 ⊕ (N₂ ‖ 00 01 00 0i) ⊕ K1, which is CMAC of two blocks of which
   * the first is shared. The nonce is in its scratch.
   */
  #toSecond(x1Blocks: Buffer, offset: number): void {
    x1Blocks.copy(x1Scratch.bytes, 0, offset, offset + BLOCK_SIZE_BYTES);
    const { words: out } = secondScratch;
    const { words: x1 } = x1Scratch;
    const { words: nonce } = nonceScratch;
    const mask = this.#mask;
    out[0] = KDF_HEADER[0] ^ word(mask, 0);
    out[4] = KDF_HEADER[1] ^ word(mask, 0);
    for (let index = 0; index < 3; index += 1) {
      const masked = word(nonce, index) ^ word(mask, index + 1);
      out[index + 1] = masked;
      out[index + 5] = masked;
      const chained = word(x1, index) ^ word(mask, index) ^ word(nonce, index + 3);
      out[index + 8] = chained;
      out[index + 12] = chained;
    }
    const last = word(x1, 3) ^ word(mask, 3);
    out[11] = last ^ COMMITMENT_COUNTER[0];
    out[15] = last ^ COMMITMENT_COUNTER[1];
  }
}

/** "XCMT" ‖ N₁ into its scratch, and the nonce into its own. */
function toFirst(nonce: Buffer, offset: number): void {
  nonce.copy(nonceScratch.bytes, 0, offset, offset + NONCE_SIZE_BYTES);
  const { words } = nonceScratch;
  for (let index = 0; index < 3; index += 1) firstScratch.words[index + 1] = word(words, index);
}

/** Multiplies by x in GF(2^128) (NIST SP 800-38B §6.1), without a branch on the secret. */
function double(block: Uint8Array): Int32Array {
  const doubled = createScratch(BLOCK_SIZE_BYTES);
  let carry = 0;
  for (let index = BLOCK_SIZE_BYTES - 1; index >= 0; index -= 1) {
    const value = block[index] ?? 0;
    doubled.bytes[index] = ((value << 1) | carry) & 0xff;
    carry = value >> 7;
  }
  doubled.bytes[15] = (doubled.bytes[15] ?? 0) ^ (0x87 & -carry);
  return doubled.words;
}

const pool = Buffer.alloc(NONCE_SIZE_BYTES * NONCE_POOL_COUNT);
let poolOffset = pool.length;

/** Fresh random nonces in a Buffer of their own; what is taken is never in the pool again. */
function takeNonces(count: number): Buffer {
  const size = count * NONCE_SIZE_BYTES;
  if (poolOffset + size > pool.length) {
    randomFillSync(pool);
    poolOffset = 0;
  }
  const nonces = Buffer.from(pool.subarray(poolOffset, poolOffset + size));
  poolOffset += size;
  return nonces;
}

// Two generations: bounded without a list to keep in order. What was not used while the young one
// filled up is let go.
let young = new Map<KeyObject, Derivation>();
let old = new Map<KeyObject, Derivation>();

/** The derivation of a key, kept ready for the keys used last. */
export function derivationOf(key: KeyObject): Derivation {
  const ready = young.get(key);
  if (ready !== undefined) return ready;
  const derivation = old.get(key) ?? new Derivation(key);
  if (young.size >= DERIVATION_CACHE_COUNT_MAX) {
    old = young;
    young = new Map();
  }
  young.set(key, derivation);
  return derivation;
}

/**
 * Lets go of every key state kept ready. Whoever drops a key calls this as well: what is kept here
 * would keep the key in memory.
 */
export function forgetDerivations(): void {
  young = new Map();
  old = new Map();
}
