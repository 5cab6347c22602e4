// SPDX-License-Identifier: Apache-2.0
// Time and randomness come in as arguments: a domain package never reads them itself.

/** Reads time. Wall-clock time is for records; durations are measured on the monotonic clock. */
export interface Clock {
  /** Wall-clock time, milliseconds since 1970-01-01T00:00:00Z. */
  nowMs(): number;
  /** Monotonic time in milliseconds with a fraction; only differences mean something. */
  monotonicMs(): number;
}

/** Gives unpredictable bytes. */
export interface Random {
  /** Fills `size` fresh bytes from a cryptographic source. */
  bytes(size: number): Uint8Array;
}
