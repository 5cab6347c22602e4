// SPDX-License-Identifier: Apache-2.0
export { type CellLedger, type CellLedgerOptions, createCellLedger } from './cell-ledger.ts';
export { readWriteHistory, type StoredEntry, streamBodies } from './entry-store.ts';
export type { EntryWriterOptions } from './entry-writer.ts';
export { registerLedgerRoutes } from './routes.ts';
export type { SequencerState } from './sequencer.ts';
