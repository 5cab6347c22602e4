// SPDX-License-Identifier: Apache-2.0
// Repeatable randomness for tests and simulations. Never for keys that protect anything.
import { createCipheriv, createHash } from 'node:crypto';
import type { Random } from '@bailiwick/kernel';

/** AES-256-CTR of zeros under SHA-256(seed): the same seed gives the same bytes on every machine. */
export function createSeededRandom(seed: number | string): Random {
  const key = createHash('sha256').update(`bailiwick/testkit/${seed}`).digest();
  const stream = createCipheriv('aes-256-ctr', key, Buffer.alloc(16));
  return { bytes: (size) => new Uint8Array(stream.update(Buffer.alloc(size))) };
}
