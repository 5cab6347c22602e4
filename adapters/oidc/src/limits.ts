// SPDX-License-Identifier: Apache-2.0

/** Longest token in characters; longer ones are refused unread. */
export const TOKEN_LENGTH_MAX = 8192;
/** Longest life of an access token of a cell. */
export const ACCESS_TOKEN_VALID_FOR_MS_MAX = 900_000;
/** Longest life of a residency claim. */
export const RESIDENCY_CLAIM_VALID_FOR_MS_MAX = 900_000;
/** Longest life of a client's assertion (RFC 7523 leaves it open): short, because each is used once. */
export const ASSERTION_VALID_FOR_MS_MAX = 300_000;
/** Most assertions remembered at once. */
export const REPLAY_COUNT_MAX = 100_000;
/** Most verified tokens remembered at once. */
export const VERIFIED_COUNT_MAX = 10_000;
/** Largest answer of an issuer that is read. */
export const ISSUER_ANSWER_SIZE_BYTES_MAX = 262_144;
/** Longest wait for an issuer. */
export const ISSUER_TIMEOUT_MS = 5000;
/** How long discovery and key sets are used before they are asked for again. */
export const ISSUER_CACHE_MS = 600_000;
/** Shortest time between two questions to an issuer, whatever callers send. */
export const ISSUER_COOLDOWN_MS = 30_000;
/** Most keys of an issuer. */
export const ISSUER_KEYS_COUNT_MAX = 64;
