// SPDX-License-Identifier: Apache-2.0
// Bounds of a cell's ledger.

/** Entries that wait for their group's turn; more are refused with `LEDGER_QUEUE_FULL`. */
export const QUEUE_ENTRIES_COUNT_MAX = 20_000;
/** Bytes of bodies that wait. */
export const QUEUE_SIZE_BYTES_MAX: number = 64 * 1_048_576;
/** Entries and bytes that go out in one group. */
export const GROUP_ENTRIES_COUNT_MAX = 512;
export const GROUP_SIZE_BYTES_MAX: number = 4 * 1_048_576;
/** Longest that a group may take before its entries count as not durable. */
export const GROUP_MS_MAX = 10_000;
/** Entries whose batch is remembered, so that somebody can wait for their checkpoint. */
export const RECENT_ENTRIES_COUNT_MAX = 65_536;

/** Entries that get their positions in one transaction: bounds how long hashing holds the event loop. */
export const STEP_ENTRIES_COUNT_MAX = 2_048;
/** Rest of the sequencer between steps when nobody waits for a checkpoint. */
export const STEP_INTERVAL_MS = 200;
/** While there is a backlog, a checkpoint is signed at least this often (DESIGN: each second). */
export const CHECKPOINT_INTERVAL_MS = 500;
/** How often a waiting caller looks for a checkpoint that another replica signed. */
export const COVERAGE_POLL_MS = 50;
/** Longest rest after failures. */
export const BACKOFF_MS_MAX = 5_000;

/** Items of one page and of one request for proofs. */
export const PAGE_ITEMS_COUNT_MAX = 1_000;
export const PROOF_ITEMS_COUNT_MAX = 256;

/** Positions that share a page of the index: their offsets fit two bytes, a page of them two kilobytes. */
export const INDEX_PAGE_WIDTH = 1_024;
/** What one step of the index takes up. */
export const INDEX_STEP_BATCHES_COUNT_MAX = 4_096;
export const INDEX_STEP_POSITIONS_COUNT_MAX = 8_192;
/** How often the indexer looks whether the log has grown. */
export const INDEX_INTERVAL_MS = 1_000;
/** Longest that a search spends on taking up what is new before it looks. */
export const SEARCH_CATCH_UP_MS = 50;
/** Pages of the index that are read at once, and at most for one answer. */
export const SEARCH_PAGES_COUNT = 16;
export const SEARCH_PAGES_COUNT_MAX = 256;

/** Bodies that are forgotten in one transaction, and how often what is past its term is looked for. */
export const FORGET_BATCH_COUNT_MAX = 5_000;
export const FORGET_INTERVAL_MS = 3_600_000;
