// SPDX-License-Identifier: Apache-2.0
// Bounds of this store.

/** A segment that is as long as this is closed and the next one begun. */
export const SEGMENT_SIZE_BYTES_MAX: number = 256 * 1_048_576;
/** Zeros that are written ahead: a record then changes bytes and no file's size. */
export const PREALLOCATED_SIZE_BYTES: number = 8 * 1_048_576;
/** Bytes of records that one write and one `fdatasync` make durable. */
export const FLUSH_SIZE_BYTES_MAX: number = 8 * 1_048_576;
/** Records that wait to be made durable; more are refused. */
export const QUEUE_BATCHES_COUNT_MAX = 4_096;
/** How often a writer may lose its segment to another before it gives up. */
export const TAKEOVERS_COUNT_MAX = 256;
/** Longest record: 4,096 entries with bodies of up to a megabyte are refused before they get there. */
export const RECORD_SIZE_BYTES_MAX: number = 64 * 1_048_576;
