// SPDX-License-Identifier: Apache-2.0
// How long a tenant's keys may be used after the customer key was last asked. It is counted from before
// the question was sent, and what is over must be over in every process: so the key service stops early
// enough for the slowest way, a lease that runs out.
import { type CustomerKeyRow, LEASE_MARGIN_MS, LEASE_MS } from '@bailiwick/keys';

/** Shortest staleness that can be kept by leases; anything shorter asks for every use. */
export const STALENESS_MS_MIN = 5_000;
/** How often the key service looks at what it holds. */
export const CUSTODY_TICK_MS = 250;
/** From a drop that is told to one that is effective, at worst; and the tick before it is told. */
const EFFECTIVE_MS: number = LEASE_MS + LEASE_MARGIN_MS + CUSTODY_TICK_MS + 30;

/** When keys of one successful unwrap are asked for again, and when they are given up. */
export interface FreshUntil {
  /** Monotonic; the unwrap began. */
  readonly startedAtMs: number;
  readonly refreshAtMs: number;
  /** Given up at this instant, they are out of use everywhere when the staleness ends. */
  readonly giveUpAtMs: number;
}

/** The tenant's limit in this cell: the shortest that anybody asked for. 0: ask for every use. */
export function toStalenessMs(
  row: Pick<CustomerKeyRow, 'stalenessMs' | 'termsStalenessMs'>,
  configuredMs: number,
): number {
  const wanted = Math.min(
    row.stalenessMs ?? configuredMs,
    configuredMs,
    row.termsStalenessMs ?? configuredMs,
  );
  return wanted < STALENESS_MS_MIN ? 0 : wanted;
}

/**
 * The instants of an unwrap that began at `startedAtMs`. `share`, 0 to 1, spreads tenants over the second
 * quarter of the time: who was opened together is not asked for together.
 */
export function toFreshUntil(startedAtMs: number, stalenessMs: number, share: number): FreshUntil {
  const giveUpAtMs = startedAtMs + Math.max(0, stalenessMs - EFFECTIVE_MS);
  const refreshAtMs = startedAtMs + (giveUpAtMs - startedAtMs) * (0.4 + 0.25 * share);
  return { startedAtMs, refreshAtMs, giveUpAtMs };
}
