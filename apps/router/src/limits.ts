// SPDX-License-Identifier: Apache-2.0

/** Largest ClientHello that is read, over all its records. */
export const HELLO_SIZE_BYTES_MAX = 16_384;
/** Most records that a ClientHello may be cut into. */
export const HELLO_RECORDS_COUNT_MAX = 64;
/** Longest wait for a connection to a cell, for each of its addresses. */
export const CONNECT_MS_MAX = 3000;
/** How long a caller whose request was not read has to read the refusal, before the hard end. */
export const LINGER_MS = 500;
/** Largest request head of discovery. */
export const HEAD_SIZE_BYTES_MAX = 16_384;
/** Most discoveries over one connection. */
export const REQUESTS_PER_CONNECTION_MAX = 100;
/** Longest time for a request head, and for a connection without one. */
export const HEAD_MS_MAX = 5000;
/** Longest wait of one pull for news. */
export const PULL_WAIT_MS = 15_000;
/** Longest pause after failed pulls. */
export const PULL_PAUSE_MS_MAX = 5000;
/** Largest directory that is read. */
export const DIRECTORY_SIZE_BYTES_MAX: number = 32 * 1024 * 1024;
