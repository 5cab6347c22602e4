// SPDX-License-Identifier: Apache-2.0
// Remembers what a token said once it was verified, so that the next request with it costs a hash. The
// token itself is not kept. Bounded; the least recently used goes first.
import { hash } from 'node:crypto';
import type { Clock } from '@bailiwick/kernel';
import { VERIFIED_COUNT_MAX } from './limits.ts';

/** Verified values by the hash of their token, each until it runs out. */
export interface VerifiedCache<Value> {
  find(token: string): Value | undefined;
  remember(token: string, value: Value, expiresAtMs: number): void;
  /** Forgets everything: an account was closed, a key was withdrawn. */
  clear(): void;
  readonly count: number;
}

export function createVerifiedCache<Value>(
  clock: Clock,
  options: { readonly countMax?: number } = {},
): VerifiedCache<Value> {
  const { countMax = VERIFIED_COUNT_MAX } = options;
  const known = new Map<string, { readonly value: Value; readonly expiresAtMs: number }>();
  const keyOf = (token: string): string => hash('sha256', token, 'base64');
  return {
    find(token) {
      const key = keyOf(token);
      const found = known.get(key);
      if (found === undefined) return undefined;
      known.delete(key);
      // SECURITY: time is looked at on each use; a remembered token lives no longer than it said.
      if (clock.nowMs() >= found.expiresAtMs) return undefined;
      known.set(key, found);
      return found.value;
    },
    remember(token, value, expiresAtMs) {
      if (clock.nowMs() >= expiresAtMs) return;
      known.set(keyOf(token), { value, expiresAtMs });
      if (known.size <= countMax) return;
      const [oldest] = known.keys();
      if (oldest !== undefined) known.delete(oldest);
    },
    clear: () => known.clear(),
    get count() {
      return known.size;
    },
  };
}
