// SPDX-License-Identifier: Apache-2.0
// Time that only moves when a test says so.
import type { Clock } from '@bailiwick/kernel';

export interface FakeClock extends Clock {
  /** Moves both clocks on. */
  advance(ms: number): void;
  /** Sets the wall clock alone, as an operator or NTP would: monotonic time does not follow. */
  stepWallClock(ms: number): void;
}

/** A clock that stands at `startMs` (default 2026-01-01T00:00:00Z) until it is told to move. */
export function createFakeClock(startMs: number = Date.UTC(2026, 0, 1)): FakeClock {
  let wallMs = startMs;
  let monotonicMs = 0;
  return {
    nowMs: () => wallMs,
    monotonicMs: () => monotonicMs,
    advance(ms) {
      wallMs += ms;
      monotonicMs += ms;
    },
    stepWallClock(ms) {
      wallMs += ms;
    },
  };
}
