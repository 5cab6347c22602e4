// SPDX-License-Identifier: Apache-2.0
// What a store of a log must do. `packages/testkit` holds every implementation to the same suite.
import type { EntryId, TenantId } from '@bailiwick/kernel';
import type { EntryKind } from './entry.ts';
import type { TileAddress } from './tile.ts';
import type { LogHead } from './tree.ts';

/** An entry ready to be made durable. */
export interface NewEntry {
  readonly tenantId: TenantId | undefined;
  readonly entryId: EntryId;
  readonly kind: EntryKind;
  /** 32 bytes: the leaf's data. */
  readonly commitment: Uint8Array;
  /** 32 bytes. */
  readonly salt: Uint8Array;
  /** Canonical text. */
  readonly body: string;
}

/** Most entries that are appended at once: they get neighbouring positions. */
export const BATCH_ENTRIES_COUNT_MAX = 4096;

/** Entries that were appended together; opaque. */
export type BatchId = string;

/** Where a batch has its positions. */
export interface BatchPlace {
  readonly epoch: number;
  readonly firstIndex: number;
  readonly count: number;
}

export interface SequenceResult {
  /** After the step: durable. */
  readonly head: LogHead;
  /** Entries that got their positions in this step. */
  readonly entriesCount: number;
}

/** A signed head as it is served. */
export interface StoredCheckpoint {
  readonly size: number;
  /** The signed note. */
  readonly note: string;
}

/**
 * A log's store.
 *
 * INVARIANT: two sequencers, however slow, dead or doubled, never give one position to two entries: the
 * head moves only from the epoch and size that the same transaction read under lock.
 */
export interface LogStore {
  /** Makes entries durable, without a position, all or none. */
  append(entries: readonly NewEntry[]): Promise<BatchId>;
  /**
   * Gives positions to entries that are durable and have none, about `entriesCountMax` of them, and moves
   * the head, in one transaction. Batches stay whole; their order is nearly that of their appends.
   *
   * @throws {LedgerError} `LEDGER_EPOCH_CLOSED` when a later epoch is open; `LEDGER_HEAD_INVALID` when the
   * store's tiles do not lead to its root.
   */
  sequence(options: {
    readonly epoch: number;
    readonly entriesCountMax: number;
  }): Promise<SequenceResult>;
  /** The durable head; an epoch that nobody has sequenced is empty. */
  readHead(epoch: number): Promise<LogHead>;
  /** Hashes of a tile, or commitments of a bundle: exactly `width` of them, `undefined` when there are fewer. */
  readTile(epoch: number, address: TileAddress): Promise<Uint8Array | undefined>;
  /** Keeps a signed head; `false` when a larger one is kept or the store's own head is smaller. */
  saveCheckpoint(epoch: number, checkpoint: StoredCheckpoint): Promise<boolean>;
  readCheckpoint(epoch: number): Promise<StoredCheckpoint | undefined>;
  /** `undefined` while the batch has no positions. */
  findBatch(batch: BatchId): Promise<BatchPlace | undefined>;
}
