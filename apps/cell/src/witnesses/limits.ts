// SPDX-License-Identifier: Apache-2.0
// Bounds of a cell's dealings with witnesses.

/** Longest wait for one witness: what comes later belongs to no round. */
export const ROUND_MS_MAX = 900;
/** The cadence varies by this share of the interval, so that cells do not ask all at once. */
export const JITTER_SHARE = 0.1;
/** Largest answer of a witness: a few signature lines, or a size. */
export const ANSWER_SIZE_BYTES_MAX = 16_384;
/** Largest request: a note of 64 KiB, 63 hashes, the line of the old size. */
export const BODY_SIZE_BYTES_MAX = 69_632;
/** A cosignature's time may differ from this cell's clock by no more than this. */
export const CLOCK_SKEW_SECONDS_MAX = 300;
/** Within this nothing is told again of a witness that is away. */
export const COMPLAINT_INTERVAL_MS = 60_000;
