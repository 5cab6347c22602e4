// SPDX-License-Identifier: Apache-2.0
// Makes entries: id, instant, salt, commitment; and sees them durable, alone in a group or inside the
// transaction of their effect (invariant 3).
import type { CellId, Clock, EntryId, Random, TenantId } from '@bailiwick/kernel';
import { createUuidV7, parseEntryId, toInstant } from '@bailiwick/kernel';
import {
  BATCH_ENTRIES_COUNT_MAX,
  type BatchId,
  commitEntry,
  LedgerError,
  SALT_SIZE_BYTES,
  toCanonicalBody,
  toLeafHash,
} from '@bailiwick/ledger';
import { appendEntries } from '@bailiwick/postgres';
import type { PoolClient } from 'pg';
import type { EntryDraft, EntryReceipt, EntryWriter, PreparedEntry } from '../services.ts';
import type { GroupWriter } from './group-writer.ts';
import { RECENT_ENTRIES_COUNT_MAX } from './limits.ts';

/** Random bytes in blocks: one call to the system for many entries. */
function createBlockRandom(random: Random): Random {
  const blockSize = 4096;
  let block = random.bytes(blockSize);
  let used = 0;
  return {
    bytes(size) {
      if (used + size > blockSize) {
        block = random.bytes(blockSize);
        used = 0;
      }
      used += size;
      return block.subarray(used - size, used);
    },
  };
}

export interface EntryWriterOptions {
  readonly cellId: CellId;
  readonly clock: Clock;
  readonly random: Random;
  readonly group: GroupWriter;
  /** Resolves once a signed checkpoint covers the batch. */
  readonly awaitCovered: (batch: BatchId, options: { readonly timeoutMs: number }) => Promise<void>;
  /** The batch of a tenant's entry as it is stored; `undefined` when there is no such entry. */
  readonly findBatch: (tenantId: TenantId, entryId: EntryId) => Promise<BatchId | undefined>;
}

export class CellEntryWriter implements EntryWriter {
  readonly #options: EntryWriterOptions;
  readonly #random: Random;
  /** The newest batches of this process, newest last. */
  readonly #recent: { readonly batch: BatchId; readonly entryIds: EntryId[] }[] = [];
  #recentCount = 0;

  constructor(options: EntryWriterOptions) {
    this.#options = options;
    this.#random = createBlockRandom(options.random);
  }

  prepare(tenantId: TenantId | undefined, draft: EntryDraft): PreparedEntry {
    const { cellId, clock } = this.#options;
    const entryId = parseEntryId(createUuidV7({ clock, random: this.#random }));
    const at = toInstant(clock.nowMs());
    const tenant = tenantId === undefined ? {} : { tenant: tenantId };
    const body = toCanonicalBody({ ...draft, v: 1, id: entryId, at, cell: cellId, ...tenant });
    const salt = Buffer.from(this.#random.bytes(SALT_SIZE_BYTES));
    const commitment = commitEntry(salt, body);
    const leafHash = toLeafHash(commitment).toString('hex');
    return { entryId, leafHash, tenantId, kind: draft.kind, commitment, salt, body };
  }

  async record(tenantId: TenantId | undefined, draft: EntryDraft): Promise<EntryReceipt> {
    const prepared = this.prepare(tenantId, draft);
    const { entryId, leafHash } = prepared;
    this.#remember(entryId, await this.#options.group.add(prepared));
    return { entryId, leafHash };
  }

  async insertPrepared(tx: PoolClient, entries: readonly PreparedEntry[]): Promise<void> {
    for (let start = 0; start < entries.length; start += BATCH_ENTRIES_COUNT_MAX) {
      const part = entries.slice(start, start + BATCH_ENTRIES_COUNT_MAX);
      const batch = await appendEntries(tx, part, { as: 'tenant' });
      for (const { entryId } of part) this.#remember(entryId, batch);
    }
  }

  async awaitCheckpoint(
    entryId: EntryId,
    { timeoutMs, tenantId }: { readonly timeoutMs: number; readonly tenantId?: TenantId },
  ): Promise<void> {
    const recent = this.#recent.findLast(({ entryIds }) => entryIds.includes(entryId))?.batch;
    // Who takes up what a process that died began finds its entries in the database only.
    const batch = recent ?? (tenantId && (await this.#options.findBatch(tenantId, entryId)));
    if (batch === undefined) {
      throw new LedgerError('LEDGER_ENTRY_UNKNOWN', 'there is no such entry');
    }
    await this.#options.awaitCovered(batch, { timeoutMs });
  }

  #remember(entryId: EntryId, batch: BatchId): void {
    const last = this.#recent.at(-1);
    if (last?.batch === batch) last.entryIds.push(entryId);
    else this.#recent.push({ batch, entryIds: [entryId] });
    this.#recentCount += 1;
    const [oldest] = this.#recent;
    if (oldest === undefined || this.#recentCount <= RECENT_ENTRIES_COUNT_MAX) return;
    this.#recentCount -= oldest.entryIds.length;
    this.#recent.shift();
  }
}
