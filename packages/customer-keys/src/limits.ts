// SPDX-License-Identifier: Apache-2.0

/** Longest time for one question to a provider, retries included, unless configured. */
export const PROVIDER_TIMEOUT_MS = 2000;
/** Questions under way at one provider; one more is refused at once and not queued. */
export const IN_FLIGHT_COUNT_MAX = 256;
/** Largest wrap that the key tables hold, in bytes. */
export const CUSTOMER_WRAP_SIZE_BYTES_MAX = 4096;
