// SPDX-License-Identifier: Apache-2.0

/** Longest life of a session, whatever is done in it. */
export const SESSION_VALID_FOR_MS = 3_600_000;
/** A session that nobody used for so long has ended. */
export const SESSION_IDLE_MS_MAX = 900_000;
/** How often the use of a session is noted. */
export const SESSION_SEEN_EVERY_MS = 30_000;
/** Most sessions of one account; a new one ends the oldest. */
export const SESSIONS_PER_ACCOUNT_COUNT_MAX = 8;
/** Most sessions of one tenant; a new one ends the oldest. */
export const SESSIONS_PER_TENANT_COUNT_MAX = 1_000;
/** How long a person may take at the identity provider. */
export const SIGN_IN_VALID_FOR_MS = 300_000;
/** Longest cookie header read. */
export const COOKIES_LENGTH_MAX = 8_192;
