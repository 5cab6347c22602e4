// SPDX-License-Identifier: Apache-2.0
// Copies the ledger out of the database as it grows, entries and all: from it a restore learns who was erased
// since the backup, and witnesses say whether it is complete. A checkpoint goes to witnesses only after what
// it covers was copied: then no disaster leaves them ahead of the copy.
import { findSegment, toSegmentName } from '@bailiwick/backups';
import { type Clock, isCoded } from '@bailiwick/kernel';
import { HASH_SIZE_BYTES, TILE_WIDTH } from '@bailiwick/ledger';
import type { Database } from '@bailiwick/postgres';
import type { Log } from '@bailiwick/telemetry';
import { copyFacts } from './facts-copy.ts';
import {
  LEDGER_COPY_INTERVAL_MS,
  MS_PER_DAY,
  SEGMENT_ENTRIES_COUNT_MAX,
  SEGMENT_KEEP_DAYS,
} from './limits.ts';
import type { BackupVault } from './sealed-object.ts';
import { listBatches, readBatches, toSegmentContent } from './segment.ts';

export interface LedgerCopyPorts {
  readonly clock: Clock;
  /** Signs in as `bailiwick_backup`. */
  readonly database: Database;
  readonly vault: BackupVault;
  readonly log: Log;
}

/** The running copy. */
export interface LedgerCopy {
  /** Entries from the first on that lie in the store. */
  readonly size: number;
  /** Copies until everything up to `size` is there; what is there already costs nothing. */
  reach(size: number): Promise<void>;
  start(): void;
  stop(): Promise<void>;
}

/** Entries of an epoch that lie in a store, without a gap. */
export async function findCopiedSize(vault: BackupVault, epoch: number): Promise<number> {
  const objects = await vault.store.list(`ledger/${epoch}/`);
  return objects.reduce((size, { name }) => Math.max(size, findSegment(name)?.end ?? 0), 0);
}

/** Makes the copy of one epoch; nothing runs before `start` or `reach`. */
export function createLedgerCopy(
  ports: LedgerCopyPorts,
  { epoch }: { readonly epoch: number },
): LedgerCopy {
  return new Copy(ports, epoch);
}

class Copy implements LedgerCopy {
  readonly #ports: LedgerCopyPorts;
  readonly #epoch: number;
  #size: number | undefined;
  #working: Promise<void> = Promise.resolve();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isStopped = false;

  constructor(ports: LedgerCopyPorts, epoch: number) {
    this.#ports = ports;
    this.#epoch = epoch;
  }

  get size(): number {
    return this.#size ?? 0;
  }

  start(): void {
    this.#timer ??= setTimeout(() => this.#tick(), 0);
  }

  #tick(): void {
    this.#run(Number.MAX_SAFE_INTEGER)
      .catch((error: unknown) => this.#ports.log.warn('ledger was not copied', { error }))
      .finally(() => {
        if (!this.#isStopped) {
          this.#timer = setTimeout(() => this.#tick(), LEDGER_COPY_INTERVAL_MS);
        }
      });
  }

  async reach(size: number): Promise<void> {
    if (this.size < size) await this.#run(size);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#working.catch(() => undefined);
  }

  /** One run at a time; who asks meanwhile gets a run of its own behind it. */
  #run(size: number): Promise<void> {
    const work = this.#working
      .catch(() => undefined)
      .then(async () => {
        while (this.size < size && (await this.#copyOne()));
      });
    this.#working = work;
    return work;
  }

  /** Copies one piece; false when there is nothing more. */
  async #copyOne(): Promise<boolean> {
    const { clock, database, vault } = this.#ports;
    const epoch = this.#epoch;
    this.#size ??= await findCopiedSize(vault, epoch);
    const first = this.#size;
    const range = { epoch, index: first, entriesCountMax: SEGMENT_ENTRIES_COUNT_MAX };
    const batches = await listBatches(database.pool, range);
    const last = batches.at(-1);
    if (last === undefined) return false;
    const end = last.first + last.count;
    const tiles = await this.#readTiles(first, end);
    const lines = await readBatches(database.pool, {
      epoch,
      batches,
      readCommitments: async (index, count) => {
        const start = (index - toTileStart(first)) * HASH_SIZE_BYTES;
        return tiles.subarray(start, start + count * HASH_SIZE_BYTES);
      },
    });
    const retainUntilMs = clock.nowMs() + SEGMENT_KEEP_DAYS * MS_PER_DAY;
    // Before the piece itself: once it is there, nobody comes back to what it tells of.
    const { pool } = database;
    await copyFacts({ pool, vault }, lines, { epoch, end, retainUntilMs });
    try {
      const name = toSegmentName({ epoch, first, end });
      await vault.put(name, toSegmentContent(lines), { retainUntilMs });
      this.#size = end;
    } catch (error) {
      // Another replica of the cell was first: what lies there is where to go on.
      if (!isCoded(error, 'BACKUPS_OBJECT_EXISTS')) throw error;
      this.#size = await findCopiedSize(vault, epoch);
    }
    return true;
  }

  /** Commitments from the beginning of the first tile on. */
  async #readTiles(first: number, end: number): Promise<Buffer> {
    const { rows } = await this.#ports.database.pool.query<{ hashes: Buffer }>(
      `SELECT hashes FROM ledger.tiles WHERE epoch = $1 AND level = -1 AND index BETWEEN $2 AND $3
        ORDER BY index`,
      [this.#epoch, Math.floor(first / TILE_WIDTH), Math.floor((end - 1) / TILE_WIDTH)],
    );
    return Buffer.concat(rows.map(({ hashes }) => hashes));
  }
}

const toTileStart = (index: number): number => index - (index % TILE_WIDTH);
