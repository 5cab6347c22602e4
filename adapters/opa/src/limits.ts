// SPDX-License-Identifier: Apache-2.0

/** Longest answer that is read. */
export const ANSWER_SIZE_BYTES_MAX = 65_536;
/** Longest that a decision waits for OPA. */
export const TIMEOUT_MS_MAX = 1_000;
/** How long everything is denied without asking after OPA was late or away. */
export const REST_MS = 1_000;
/** Most answers remembered. */
export const ANSWERS_COUNT_MAX = 4_096;
