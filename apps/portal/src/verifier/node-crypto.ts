// SPDX-License-Identifier: Apache-2.0
// What the verifier's own files use of `node:crypto`, for browsers: SHA-256 and Ed25519 verification,
// synchronous, by audited code (noble). The build puts this file in the place of `node:crypto`; the
// verifier above it is the same source that runs on a command line.
import { ed25519 } from '@noble/curves/ed25519.js';
import { sha256 } from '@noble/hashes/sha2.js';

/** A public key, as the verifier holds it. */
export interface KeyObject {
  readonly raw: Uint8Array;
}

const PUBLIC_KEY_SIZE_BYTES = 32;
/** RFC 8410: SubjectPublicKeyInfo of an Ed25519 key is this prefix and the 32 bytes. */
const SPKI_PREFIX = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

function toBytes(value: Uint8Array | string): Uint8Array {
  return typeof value === 'string' ? new TextEncoder().encode(value) : value;
}

/** SHA-256 and nothing else, as Node's one-shot `hash` gives it. */
export function hash(
  algorithm: string,
  value: Uint8Array | string,
  encoding: 'binary' | 'hex' | 'buffer' | 'base64url' = 'hex',
): string | Uint8Array {
  if (algorithm !== 'sha256') throw new TypeError('the verifier hashes with sha256 only');
  const digest = Buffer.from(sha256(toBytes(value)));
  return encoding === 'buffer'
    ? digest
    : digest.toString(encoding === 'binary' ? 'latin1' : encoding);
}

/** An Ed25519 key out of its SubjectPublicKeyInfo; anything else is refused. */
export function createPublicKey({ key }: { readonly key: Uint8Array }): KeyObject {
  const isOurs =
    key.length === SPKI_PREFIX.length + PUBLIC_KEY_SIZE_BYTES &&
    SPKI_PREFIX.every((byte, at) => key[at] === byte);
  if (!isOurs) throw new TypeError('not an ed25519 public key');
  return { raw: Uint8Array.from(key.subarray(SPKI_PREFIX.length)) };
}

/** RFC 8032 verification, strict: no small-order keys, no second form of a signature. */
export function verify(
  _algorithm: null,
  message: Uint8Array,
  key: KeyObject,
  signature: Uint8Array,
): boolean {
  try {
    const [sig, text] = [Uint8Array.from(signature), Uint8Array.from(message)];
    return ed25519.verify(sig, text, key.raw, { zip215: false });
  } catch {
    // Malformed points and lengths: not a signature.
    return false;
  }
}
