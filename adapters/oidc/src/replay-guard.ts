// SPDX-License-Identifier: Apache-2.0
// Each client assertion is good once. In memory for one process; a cell with several replicas gives an
// implementation over its database.
import type { Clock } from '@bailiwick/kernel';
import { OidcError } from './errors.ts';
import { REPLAY_COUNT_MAX } from './limits.ts';

/** Knows which assertions were seen. */
export interface ReplayGuard {
  /**
   * True the first time a key is claimed, false ever after until it has run out.
   *
   * @throws {OidcError} `OIDC_REPLAY_GUARD_FULL`: what cannot be remembered is not accepted.
   */
  claim(key: string, expiresAtMs: number): boolean | Promise<boolean>;
}

export function createReplayGuard(
  clock: Clock,
  options: { readonly countMax?: number } = {},
): ReplayGuard {
  const { countMax = REPLAY_COUNT_MAX } = options;
  const seen = new Map<string, number>();
  const sweep = (nowMs: number): void => {
    for (const [key, expiresAtMs] of seen) if (expiresAtMs <= nowMs) seen.delete(key);
  };
  return {
    claim(key, expiresAtMs) {
      const nowMs = clock.nowMs();
      const until = seen.get(key);
      if (until !== undefined && until > nowMs) return false;
      if (seen.size >= countMax) sweep(nowMs);
      if (seen.size >= countMax) {
        throw new OidcError('OIDC_REPLAY_GUARD_FULL', 'too many assertions at once');
      }
      seen.set(key, expiresAtMs);
      return true;
    },
  };
}
