// SPDX-License-Identifier: Apache-2.0
// A log's store in memory, held to the same suite as the real ones. One process, nothing durable.
import { assert } from '@bailiwick/kernel';
import {
  type BatchId,
  type BatchPlace,
  EMPTY_EDGE,
  EMPTY_ROOT,
  extendLog,
  HASH_SIZE_BYTES,
  LedgerError,
  type LogEdge,
  type LogHead,
  type LogStore,
  type NewEntry,
  type SequenceResult,
  type StoredCheckpoint,
  type TileAddress,
} from '@bailiwick/ledger';

interface Log {
  head: LogHead;
  edge: LogEdge;
  readonly tiles: Map<string, Uint8Array>;
  checkpoint: StoredCheckpoint | undefined;
}

class MemoryLogStore implements LogStore {
  readonly #logs = new Map<number, Log>();
  readonly #places = new Map<BatchId, BatchPlace>();
  #inbox: { readonly batch: BatchId; readonly commitments: Uint8Array }[] = [];
  #batches = 0;

  async append(entries: readonly NewEntry[]): Promise<BatchId> {
    assert(entries.length > 0, 'a batch has at least one entry');
    this.#batches += 1;
    const batch = String(this.#batches);
    const commitments = Buffer.concat(entries.map(({ commitment }) => commitment));
    this.#inbox.push({ batch, commitments });
    return batch;
  }

  async sequence(options: { epoch: number; entriesCountMax: number }): Promise<SequenceResult> {
    const { epoch, entriesCountMax } = options;
    const newest = Math.max(epoch, ...this.#logs.keys());
    if (newest > epoch) throw new LedgerError('LEDGER_EPOCH_CLOSED', 'a later epoch is open');
    const log = this.#openLog(epoch);
    const before = log.head.size;
    const taken: Uint8Array[] = [];
    let next = before;
    for (const { batch, commitments } of this.#inbox) {
      if (next - before >= entriesCountMax) break;
      const count = commitments.length / HASH_SIZE_BYTES;
      this.#places.set(batch, { epoch, firstIndex: next, count });
      taken.push(commitments);
      next += count;
    }
    this.#inbox = this.#inbox.slice(taken.length);
    const extension = extendLog(log.head, log.edge, Buffer.concat(taken));
    log.head = extension.head;
    log.edge = extension.edge;
    for (const { level, index, bytes } of extension.tiles)
      log.tiles.set(`${level}/${index}`, bytes);
    return { head: log.head, entriesCount: next - before };
  }

  async readHead(epoch: number): Promise<LogHead> {
    return this.#logs.get(epoch)?.head ?? { epoch, size: 0, root: EMPTY_ROOT };
  }

  async readTile(epoch: number, address: TileAddress): Promise<Uint8Array | undefined> {
    const { level, index, width } = address;
    const tile = this.#logs.get(epoch)?.tiles.get(`${level}/${index}`);
    const size = width * HASH_SIZE_BYTES;
    return tile === undefined || tile.length < size ? undefined : tile.subarray(0, size);
  }

  async saveCheckpoint(epoch: number, checkpoint: StoredCheckpoint): Promise<boolean> {
    const log = this.#logs.get(epoch);
    const isBetween =
      log !== undefined &&
      log.head.size >= checkpoint.size &&
      (log.checkpoint?.size ?? 0) <= checkpoint.size;
    if (isBetween) log.checkpoint = checkpoint;
    return isBetween;
  }

  async readCheckpoint(epoch: number): Promise<StoredCheckpoint | undefined> {
    return this.#logs.get(epoch)?.checkpoint;
  }

  async findBatch(batch: BatchId): Promise<BatchPlace | undefined> {
    return this.#places.get(batch);
  }

  #openLog(epoch: number): Log {
    const log = this.#logs.get(epoch) ?? {
      head: { epoch, size: 0, root: EMPTY_ROOT },
      edge: EMPTY_EDGE,
      tiles: new Map(),
      checkpoint: undefined,
    };
    this.#logs.set(epoch, log);
    return log;
  }
}

/** A log's store in memory. */
export function createMemoryLogStore(): LogStore {
  return new MemoryLogStore();
}
