// SPDX-License-Identifier: Apache-2.0

/** After so long a full backup begins a new chain. */
export const FULL_INTERVAL_HOURS = 24;
/** Longest chain: a restore reads all of it. */
export const CHAIN_LENGTH_MAX = 256;
/** Pause between two looks for new entries of the ledger. */
export const LEDGER_COPY_INTERVAL_MS = 1_000;
/** Entries of one piece of the ledger. */
export const SEGMENT_ENTRIES_COUNT_MAX = 20_000;
/** Bytes of bodies after which a piece ends. */
export const SEGMENT_SIZE_BYTES_MAX = 16_777_216;
/** A COPY of a large table takes longer than any request may. */
export const STATEMENT_TIMEOUT_MS = 21_600_000;
/** More transactions than this since the last backup, and which rows are new can no longer be told. */
export const TRANSACTIONS_COUNT_MAX = 1_000_000_000n;
export const MS_PER_DAY = 86_400_000;
/** Pieces of the ledger stay until a full backup holds them, and at least this long. */
export const SEGMENT_KEEP_DAYS = 3;
