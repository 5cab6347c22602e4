// SPDX-License-Identifier: Apache-2.0
// The envelope: KC-XAES-256-GCM with a random 24-byte nonce. Layout:
// nonce 24 | ciphertext | tag 16 | commitment 32. The commitment binds the key: an envelope opens under
// one key only. It does not commit to the plaintext or the authenticated data; the ledger's entry does.
import type { KeyObject } from 'node:crypto';
import { createCipheriv, createDecipheriv, timingSafeEqual } from 'node:crypto';
import { assert } from '@bailiwick/kernel';
import { KeysError } from './errors.ts';
import { PLAINTEXT_SIZE_BYTES_MAX } from './limits.ts';
import type { SealingKeys } from './xaes.ts';
import { COMMITMENT_SIZE_BYTES, derivationOf, NONCE_SIZE_BYTES } from './xaes.ts';

const TAG_SIZE_BYTES = 16;
const COMMITTED = NONCE_SIZE_BYTES / 2;
/** What an envelope adds to its plaintext, in bytes. */
export const ENVELOPE_OVERHEAD_BYTES: number =
  NONCE_SIZE_BYTES + TAG_SIZE_BYTES + COMMITMENT_SIZE_BYTES;

/** What an envelope is made of. */
export interface Sealing {
  /** A secret key of 32 bytes. */
  readonly key: KeyObject;
  readonly plaintext: Uint8Array;
  readonly authenticatedData: Uint8Array;
}

/** The four parts of an envelope, in order. */
function sealParts(derived: SealingKeys, sealing: Sealing): [Buffer, Buffer, Buffer, Buffer] {
  const { plaintext } = sealing;
  assert(plaintext.length <= PLAINTEXT_SIZE_BYTES_MAX, 'a plaintext has at most 64 MiB');
  // On Node 24 a Buffer as key costs createCipheriv 9 µs; a KeyObject made for it 0.5 and 1.1.
  const cipher = createCipheriv('aes-256-gcm', derived.subkey, derived.nonce.subarray(COMMITTED));
  cipher.setAAD(sealing.authenticatedData);
  const ciphertext = cipher.update(plaintext);
  cipher.final();
  assert(ciphertext.length === plaintext.length, 'GCM gives as many bytes as it takes');
  return [derived.nonce, ciphertext, cipher.getAuthTag(), derived.commitment];
}

/** Seals with `prefix` in front of the envelope: one copy for callers that put something before it. */
export function sealEnvelopeBehind(prefix: readonly Uint8Array[], sealing: Sealing): Buffer {
  return Buffer.concat([...prefix, ...sealParts(derivationOf(sealing.key).take(), sealing)]);
}

/**
 * Seals `plaintext` under a 32-byte secret `key`, bound to `authenticatedData`.
 *
 * The nonce is random, so the number of messages under one key has no practical limit (2^80 at a
 * collision risk of 2^-32).
 *
 * @see c2sp.org/XAES-256-GCM; eprint 2025/758 for the commitment
 */
export function sealEnvelope(
  key: KeyObject,
  plaintext: Uint8Array,
  authenticatedData: Uint8Array,
): Buffer {
  const sealing = { key, plaintext, authenticatedData };
  return Buffer.concat(sealParts(derivationOf(key).take(), sealing));
}

/** For vectors only: seals with a given nonce. A nonce used twice under one key breaks GCM. */
export function sealWithNonce(nonce: Uint8Array, sealing: Sealing): Buffer {
  assert(nonce.length === NONCE_SIZE_BYTES, 'a nonce has 24 bytes');
  const derived = derivationOf(sealing.key).derive(toBuffer(nonce));
  return Buffer.concat(sealParts({ ...derived, nonce: Buffer.from(nonce) }, sealing));
}

function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function refuse(cause?: unknown): never {
  throw new KeysError(
    'KEYS_ENVELOPE_UNOPENED',
    'envelope does not open under this key and these authenticated data',
    cause === undefined ? {} : { cause },
  );
}

/**
 * Opens an envelope. SECURITY: all of `envelope` is attacker-controlled; the commitment is compared in
 * constant time before anything is decrypted, and one code stands for every way to fail.
 *
 * @throws {KeysError} `KEYS_ENVELOPE_UNOPENED`
 */
export function openEnvelope(
  key: KeyObject,
  envelope: Uint8Array,
  authenticatedData: Uint8Array,
): Buffer {
  if (envelope.length < ENVELOPE_OVERHEAD_BYTES) refuse();
  if (envelope.length > PLAINTEXT_SIZE_BYTES_MAX + ENVELOPE_OVERHEAD_BYTES) refuse();
  const commitmentOffset = envelope.length - COMMITMENT_SIZE_BYTES;
  const tagOffset = commitmentOffset - TAG_SIZE_BYTES;
  const bytes = toBuffer(envelope);
  const derived = derivationOf(key).derive(bytes);
  if (!timingSafeEqual(derived.commitment, bytes.subarray(commitmentOffset))) refuse();
  const nonce = bytes.subarray(COMMITTED, NONCE_SIZE_BYTES);
  const decipher = createDecipheriv('aes-256-gcm', derived.subkey, nonce);
  decipher.setAAD(authenticatedData);
  decipher.setAuthTag(bytes.subarray(tagOffset, commitmentOffset));
  const plaintext = decipher.update(bytes.subarray(NONCE_SIZE_BYTES, tagOffset));
  try {
    decipher.final();
  } catch (cause) {
    // SECURITY: GCM decrypts before it knows; what did not verify is wiped and never returned.
    plaintext.fill(0);
    refuse(cause);
  }
  return plaintext;
}
