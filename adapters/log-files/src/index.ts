// SPDX-License-Identifier: Apache-2.0

export { type FileLogStore, openFileLogStore, prepareLogDirectory } from './file-log-store.ts';
export {
  FLUSH_SIZE_BYTES_MAX,
  PREALLOCATED_SIZE_BYTES,
  QUEUE_BATCHES_COUNT_MAX,
  SEGMENT_SIZE_BYTES_MAX,
} from './limits.ts';
