// SPDX-License-Identifier: Apache-2.0
// Key material is a Buffer for as short as possible and a KeyObject otherwise. Never a string.
import type { KeyObject } from 'node:crypto';
import { createSecretKey, randomFillSync } from 'node:crypto';
import { assert } from '@bailiwick/kernel';
import { KEY_SIZE_BYTES } from './limits.ts';

/** Overwrites key material that is no longer needed. */
export function wipe(...secrets: readonly (Uint8Array | undefined)[]): void {
  for (const secret of secrets) secret?.fill(0);
}

/** Makes a key of 32 bytes and wipes the bytes it was made of. */
export function takeKey(material: Uint8Array): KeyObject {
  assert(material.length === KEY_SIZE_BYTES, 'a key has 32 bytes');
  const key = createSecretKey(material);
  wipe(material);
  return key;
}

/** Lends a key's bytes to `work` and wipes them afterwards. `work` is synchronous and keeps no copy. */
export function withMaterial<T>(key: KeyObject, work: (material: Buffer) => T): T {
  const material = key.export();
  try {
    return work(material);
  } finally {
    wipe(material);
  }
}

/** A new random key of 32 bytes. */
export function createKey(): KeyObject {
  return takeKey(randomFillSync(Buffer.alloc(KEY_SIZE_BYTES)));
}
