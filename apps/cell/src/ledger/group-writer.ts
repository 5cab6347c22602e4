// SPDX-License-Identifier: Apache-2.0
// Makes entries durable in groups: the next group leaves when the last returns, so one that is alone
// waits for nothing and a crowd shares one commit. An entry that the database refuses does not sink those
// beside it.

import type { Clock } from '@bailiwick/kernel';
import { type BatchId, LedgerError, type NewEntry } from '@bailiwick/ledger';
import { appendEntries } from '@bailiwick/postgres';
import type { Log } from '@bailiwick/telemetry';
import type { Pool, PoolClient } from 'pg';
import {
  GROUP_ENTRIES_COUNT_MAX,
  GROUP_MS_MAX,
  GROUP_SIZE_BYTES_MAX,
  QUEUE_ENTRIES_COUNT_MAX,
  QUEUE_SIZE_BYTES_MAX,
} from './limits.ts';

interface Waiting {
  readonly entry: NewEntry;
  readonly sinceMs: number;
  readonly resolve: (batch: BatchId) => void;
  readonly reject: (error: LedgerError) => void;
}

/** Writes one group in one transaction. */
export type AppendGroup = (entries: readonly NewEntry[]) => Promise<BatchId>;

export class GroupWriter {
  readonly #append: AppendGroup;
  readonly #clock: Clock;
  #queue: Waiting[] = [];
  #sizeBytes = 0;
  #running: Promise<void> | undefined;
  #isClosed = false;

  constructor(append: AppendGroup, clock: Clock) {
    this.#append = append;
    this.#clock = clock;
  }

  /** Resolves when the entry is durable. @throws {LedgerError} `LEDGER_QUEUE_FULL`, `LEDGER_ENTRY_NOT_DURABLE`, `LEDGER_ENTRY_INVALID` */
  add(entry: NewEntry): Promise<BatchId> {
    if (this.#isClosed) return Promise.reject(notDurable('the ledger is closing'));
    const size = entry.body.length;
    const isFull =
      this.#queue.length >= QUEUE_ENTRIES_COUNT_MAX ||
      this.#sizeBytes + size > QUEUE_SIZE_BYTES_MAX;
    if (isFull) {
      const message = 'too many entries wait to be made durable';
      return Promise.reject(new LedgerError('LEDGER_QUEUE_FULL', message));
    }
    this.#sizeBytes += size;
    const { promise, resolve, reject } = Promise.withResolvers<BatchId>();
    this.#queue.push({ entry, sinceMs: this.#clock.monotonicMs(), resolve, reject });
    this.#running ??= this.#run();
    return promise;
  }

  /** Waits for what is queued; nothing is taken any more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    // What arrives in the same turn of the event loop goes out together.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#queue.length > 0) await this.#write(this.#take());
    this.#running = undefined;
  }

  #take(): readonly Waiting[] {
    let count = 0;
    let size = 0;
    for (const { entry } of this.#queue) {
      const isFull =
        count >= GROUP_ENTRIES_COUNT_MAX || size + entry.body.length > GROUP_SIZE_BYTES_MAX;
      if (isFull && count > 0) break;
      count += 1;
      size += entry.body.length;
    }
    this.#sizeBytes -= size;
    return this.#queue.splice(0, count);
  }

  /** What waited too long is of no use to its caller any more. */
  #refuseLate(group: readonly Waiting[]): readonly Waiting[] {
    const sinceMsMin = this.#clock.monotonicMs() - GROUP_MS_MAX;
    // The queue is in the order of time: when the first is in time, all are.
    if ((group[0]?.sinceMs ?? 0) >= sinceMsMin) return group;
    return group.filter(({ sinceMs, reject }) => {
      if (sinceMs < sinceMsMin) reject(notDurable('the entry waited too long'));
      return sinceMs >= sinceMsMin;
    });
  }

  async #write(group: readonly Waiting[]): Promise<void> {
    const fresh = this.#refuseLate(group);
    if (fresh.length === 0) return;
    try {
      const batch = await this.#append(fresh.map(({ entry }) => entry));
      for (const { resolve } of fresh) resolve(batch);
    } catch (cause) {
      if (!isRefusal(cause)) {
        for (const { reject } of fresh) reject(notDurable('the entry could not be written', cause));
      } else if (fresh.length === 1) {
        fresh[0]?.reject(
          new LedgerError('LEDGER_ENTRY_INVALID', 'the database refused the entry', { cause }),
        );
      } else {
        // All or none was written: none. Halves find the bad one; the others go on.
        const middle = Math.ceil(fresh.length / 2);
        await this.#write(fresh.slice(0, middle));
        await this.#write(fresh.slice(middle));
      }
    }
  }
}

function notDurable(message: string, cause?: unknown): LedgerError {
  return new LedgerError('LEDGER_ENTRY_NOT_DURABLE', message, { cause });
}

/** True when the database looked at the rows and refused them (SQLSTATE classes 22 and 23, and 42501). */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string')
    return false;
  return /^(?:22|23)[0-9A-Z]{3}$|^42501$/.test(error.code);
}

/**
 * Appends over one connection of its own, so that a group never waits behind readers for a connection.
 * After an error that is not about the rows the connection is given up and another is taken.
 */
export class GroupConnection {
  readonly #pool: Pool;
  readonly #log: Log;
  #client: Promise<PoolClient> | undefined;

  constructor(pool: Pool, log: Log) {
    this.#pool = pool;
    this.#log = log;
  }

  readonly append: AppendGroup = async (entries) => {
    this.#client ??= this.#connect();
    const connecting = this.#client;
    try {
      const client = await connecting;
      return await appendEntries(client, entries, { as: 'group', timeoutMs: GROUP_MS_MAX });
    } catch (error) {
      if (!isRefusal(error)) {
        this.#log.warn('ledger connection lost', { error });
        await this.#drop(connecting);
      }
      throw error;
    }
  };

  async close(): Promise<void> {
    if (this.#client !== undefined) await this.#drop(this.#client);
  }

  async #connect(): Promise<PoolClient> {
    const client = await this.#pool.connect();
    // Without a listener the loss of a connection that is in nobody's hands would end the process.
    client.on('error', () => undefined);
    return client;
  }

  async #drop(connecting: Promise<PoolClient>): Promise<void> {
    if (this.#client === connecting) this.#client = undefined;
    const client = await connecting.catch(() => undefined);
    client?.release(true);
  }
}
