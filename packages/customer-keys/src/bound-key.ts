// SPDX-License-Identifier: Apache-2.0
// What is handed to a provider to encrypt: the tenant key and a binding of that key to its context.
//
// Providers differ: some authenticate a context (AES-GCM with additional data, AWS encryption context),
// some do not (RSA-OAEP, AES key wrap), some do not commit to their key, and any of them may lie. So the
// context is bound inside as well: 32 bytes of key and SHA-256(domain ‖ SHA-256(context) ‖ key). SHA-256 is
// collision resistant, so the pair commits to key and context: whatever a provider answers, a wrap opens to
// the one key that was wrapped, in its own context, or not. The digest of 256 random bits tells nothing.
import type { KeyObject } from 'node:crypto';
import { createHash, timingSafeEqual } from 'node:crypto';
import { KEY_SIZE_BYTES, KeysError, takeKey, wipe, withMaterial } from '@bailiwick/keys';

/** Size of a bound key in bytes: the key and its binding. */
export const BOUND_KEY_SIZE_BYTES: number = 2 * KEY_SIZE_BYTES;
const DOMAIN = Buffer.from('bailiwick/bound-key/v1\0', 'utf8');

/** SHA-256 over parts of fixed length: domain, digest of the context, key. */
function bind(material: Uint8Array, encodedContext: Uint8Array): Buffer {
  const about = createHash('sha256').update(encodedContext).digest();
  return createHash('sha256').update(DOMAIN).update(about).update(material).digest();
}

/** The bytes that a provider encrypts, for a context as `encodeWrapContext` writes it. The caller wipes them. */
export function toBoundKey(key: KeyObject, encodedContext: Uint8Array): Buffer {
  return withMaterial(key, (material) => {
    const binding = bind(material, encodedContext);
    // SECURITY: written in place: `Buffer.concat` might take a slice of the shared pool.
    const bytes = Buffer.alloc(BOUND_KEY_SIZE_BYTES);
    bytes.set(material, 0);
    bytes.set(binding, KEY_SIZE_BYTES);
    wipe(binding);
    return bytes;
  });
}

/**
 * The key of what a provider decrypted; wipes `bytes`, which are untrusted.
 *
 * @throws {KeysError} `KEYS_KEY_UNREADABLE` when they are not a key bound to this context.
 */
export function takeBoundKey(bytes: Uint8Array, encodedContext: Uint8Array): KeyObject {
  try {
    if (bytes.length !== BOUND_KEY_SIZE_BYTES) {
      throw new KeysError('KEYS_KEY_UNREADABLE', 'provider gave something that is not a key');
    }
    const material = bytes.subarray(0, KEY_SIZE_BYTES);
    const binding = bind(material, encodedContext);
    const isBound = timingSafeEqual(binding, bytes.subarray(KEY_SIZE_BYTES));
    wipe(binding);
    if (!isBound) {
      throw new KeysError('KEYS_KEY_UNREADABLE', 'provider gave a key that is not of this context');
    }
    return takeKey(Buffer.from(material));
  } finally {
    wipe(bytes);
  }
}
