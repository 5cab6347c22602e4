// SPDX-License-Identifier: Apache-2.0
// The process's own clock and randomness.
import { randomBytes } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import type { Clock, Random } from '@bailiwick/kernel';

/** Time as the operating system tells it. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};

/** Bytes from the operating system's generator, drawn ahead in one piece: most callers want 10 to 32. */
export function createSystemRandom(): Random {
  const POOL_SIZE_BYTES = 4096;
  let pool = randomBytes(POOL_SIZE_BYTES);
  let used = 0;
  return {
    bytes(size) {
      if (size > POOL_SIZE_BYTES / 4) return randomBytes(size);
      if (used + size > pool.length) {
        pool = randomBytes(POOL_SIZE_BYTES);
        used = 0;
      }
      const bytes = Uint8Array.from(pool.subarray(used, used + size));
      pool.fill(0, used, used + size);
      used += size;
      return bytes;
    },
  };
}
