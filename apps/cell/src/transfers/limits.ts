// SPDX-License-Identifier: Apache-2.0
// Bounds of this folder.
import { CHUNK_RECORDS_COUNT_MAX } from '@bailiwick/contracts';

/** Records of a chunk: one decision for each label, one entry, one transaction at the destination. */
export const CHUNK_COUNT: number = CHUNK_RECORDS_COUNT_MAX;
/** Characters of a chunk's records; the destination takes bodies up to 4 MiB. */
export const CHUNK_LENGTH_MAX = 1_000_000;
/** How long a transfer waits for a signed checkpoint over its entry. */
export const CHECKPOINT_MS_MAX = 10_000;
/** Transfers of one list. */
export const LIST_COUNT_MAX = 100;
