// SPDX-License-Identifier: Apache-2.0
// Bounds of the client library. Each can be narrowed by options, none can be lifted.

/** How long one call may take with all its retries, unless the caller says otherwise. */
export const DEADLINE_MS_DEFAULT = 15_000;
/** Time for one attempt: connect, send, and receive the head of the answer. */
export const ATTEMPT_MS_MAX = 30_000;
/** Attempts of one call, the first included. */
export const ATTEMPTS_COUNT_MAX = 8;
/** First pause between attempts; doubles each time, then a random share of it is taken. */
export const BACKOFF_MS_FIRST = 50;
/** Longest pause between attempts. */
export const BACKOFF_MS_MAX = 2_000;
/** Largest answer that is read into memory. */
export const ANSWER_SIZE_BYTES_MAX: number = 64 * 1024 * 1024;
/** Connections to one cell. */
export const CONNECTIONS_COUNT_MAX = 32;
/** Tokens are renewed when less than this share of their life is left. */
export const TOKEN_RENEWAL_SHARE = 0.25;
/** Life of a client assertion (RFC 7523 §3: short). */
export const ASSERTION_VALID_FOR_S = 60;
/** Longest that a directory entry is believed, whatever it says. */
export const DIRECTORY_VALID_FOR_MS_MAX = 86_400_000;
