// SPDX-License-Identifier: Apache-2.0
// Bounds of this folder.

/** Records written in one transaction of an import. */
export const IMPORT_BATCH_COUNT_MAX = 2_000;
/** Bytes of lines in one transaction of an import. */
export const IMPORT_BATCH_SIZE_BYTES_MAX: number = 4 * 1024 * 1024;
/** Single writes of one tenant that share a transaction. */
export const WRITE_BATCH_COUNT_MAX = 64;
/** Point reads of one tenant that share a query. */
export const READ_BATCH_COUNT_MAX = 64;
/** Single operations of one tenant that wait; more are turned away. */
export const QUEUE_COUNT_MAX = 4_096;
/** How long a page token is good. */
export const PAGE_TOKEN_VALID_FOR_MS = 3_600_000;
/** Labels (country and regimes) of one count. */
export const LABELS_COUNT_MAX = 4_096;
