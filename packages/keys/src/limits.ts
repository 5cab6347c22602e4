// SPDX-License-Identifier: Apache-2.0
// Bounds of this room.

/** Size of every symmetric key, in bytes. */
export const KEY_SIZE_BYTES = 32;
/** Most subjects that one shred key covers (DESIGN, "Envelope and keys"). */
export const SUBJECTS_PER_SHRED_KEY_MAX = 1024;
/** Largest value that one envelope takes: far under GCM's 2^36 - 32 (NIST SP 800-38D §5.2.1.1). */
export const PLAINTEXT_SIZE_BYTES_MAX: number = 64 * 1024 * 1024;
/** Longest id that a caller may choose, in UTF-16 code units. */
export const CALLER_ID_LENGTH_MAX = 512;
/** Longest value that a blind index takes, in UTF-16 code units. */
export const INDEXED_VALUE_LENGTH_MAX = 4096;
/**
 * How long a lease lasts, from before its renewal was sent. With the margin it leaves more than 100 ms of
 * the 1.1 s that are promised (invariant 8) to a busy key service.
 */
export const LEASE_MS = 950;
/**
 * Added by the key service to the lease before it states that a silent process has lost it: far more than
 * two monotonic clocks of one machine can differ in a second.
 */
export const LEASE_MARGIN_MS = 20;
/** How often a process renews. */
export const RENEWAL_INTERVAL_MS = 250;
/** Nonces drawn from the operating system at once. */
export const NONCE_POOL_COUNT = 512;
/** Keys whose block-cipher state is kept ready: at least as many as an import has people at a time. */
export const DERIVATION_CACHE_COUNT_MAX = 2048;
