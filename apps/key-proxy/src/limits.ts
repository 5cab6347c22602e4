// SPDX-License-Identifier: Apache-2.0

/** The token's share of the 250 ms that AWS KMS gives a proxy. */
export const TOKEN_TIMEOUT_MS = 220;
/** A token process that answers nothing for this long is killed. */
export const TOKEN_HANG_MS = 1000;
/** How long a health check's answer is given again; the specification allows a minute. */
export const HEALTH_VALID_FOR_MS = 5000;
/** How long credentials are used before their file is looked at again. */
export const CREDENTIALS_POLL_MS = 1000;
/** Credentials of one store: two are enough to change them without a pause. */
export const CREDENTIALS_COUNT_MAX = 8;
export const CONNECTIONS_COUNT_MAX = 512;
export const REQUESTS_IN_FLIGHT_COUNT_MAX = 512;
/** From the first byte of a request to its last. */
export const REQUEST_TIMEOUT_MS = 5000;
/** AWS's default quota of a key store. */
export const REQUESTS_PER_SECOND_DEFAULT = 10_000;
/** Longest text taken over from a request into the log. ARNs may have 2,048 characters. */
export const LOGGED_LENGTH_MAX = 2048;
export const CONFIG_SIZE_BYTES_MAX = 262_144;
