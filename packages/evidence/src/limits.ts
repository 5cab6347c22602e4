// SPDX-License-Identifier: Apache-2.0
// Bounds of this package.

/** Largest pack in bytes: an archive without the extensions for more, read into memory whole. */
export const PACK_SIZE_BYTES_MAX: number = 2_000_000_000;
/** Most files of one pack. */
export const PACK_FILES_COUNT_MAX = 60_000;
/** Longest name of a file in a pack. */
export const PACK_NAME_LENGTH_MAX = 255;
/** Problems that a report names. */
export const PROBLEMS_COUNT_MAX = 50;
/** Receipts of one pack. */
export const RECEIPTS_COUNT_MAX = 20_000;
