// SPDX-License-Identifier: Apache-2.0

/** Largest request: a note of 64 KiB, 63 hashes of 45 bytes, the line of the old size. */
export const BODY_SIZE_BYTES_MAX = 69_632;
/** Largest head of a request. */
export const HEAD_SIZE_BYTES_MAX = 8_192;
/** Longest time for a head, and rest of a connection between requests. */
export const HEAD_MS_MAX = 5_000;
export const KEEP_ALIVE_MS = 65_000;
/** Requests over one connection: one a second for a day. */
export const REQUESTS_PER_SOCKET_MAX = 86_400;
/** Checkpoints kept as evidence; what comes after is only logged. */
export const EVIDENCE_COUNT_MAX = 256;
/** Largest file of state that is read. */
export const STATE_SIZE_BYTES_MAX = 65_536;
