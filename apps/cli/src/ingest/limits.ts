// SPDX-License-Identifier: Apache-2.0
// Bounds of an ingest: whatever the size of the file, this much of it is in memory.

/** Records in one request to a cell. */
export const CHUNK_RECORDS_COUNT_MAX = 2_000;
/** Bytes in one request; a cell's own limit is larger. */
export const CHUNK_SIZE_BYTES_MAX: number = 768 * 1024;
/** Requests under way to one cell at a time. */
export const IN_FLIGHT_COUNT_MAX = 3;
/** Refused lines that are kept to be told one by one; beyond, they are counted. */
export const REFUSED_TOLD_COUNT_MAX = 10_000;
