// SPDX-License-Identifier: Apache-2.0
// Makes batches durable: what waits goes out in one write and one `fdatasync`. After a failure of either the
// segment is given up for good (what the kernel dropped it does not write again), and the next one begins
// behind what is whole.
import { type BatchId, LedgerError, type NewEntry } from '@bailiwick/ledger';
import {
  FLUSH_SIZE_BYTES_MAX,
  PREALLOCATED_SIZE_BYTES,
  QUEUE_BATCHES_COUNT_MAX,
  SEGMENT_SIZE_BYTES_MAX,
  TAKEOVERS_COUNT_MAX,
} from './limits.ts';
import { encodeRecord, placeRecord } from './record.ts';
import { type JournalPlace, SEGMENT_START, type Segments } from './segments.ts';

interface Waiting {
  readonly record: Buffer;
  readonly entriesCount: number;
  readonly resolve: (batch: BatchId) => void;
  readonly reject: (error: unknown) => void;
}

const ZEROS: Buffer = Buffer.alloc(1_048_576);

/** Id of the batch whose record begins here. */
export function toBatchId(segment: number, offset: number): BatchId {
  return `${segment}:${offset}`;
}

/** The one writer of its segment, as long as nobody takes the next. */
export class JournalWriter {
  readonly #segments: Segments;
  #end: JournalPlace | undefined;
  #allocatedSize = 0;
  #queue: Waiting[] = [];
  #running: Promise<void> | undefined;
  #isClosed = false;

  constructor(segments: Segments) {
    this.#segments = segments;
  }

  /** How far this process has made its own segment durable. */
  get durable(): JournalPlace | undefined {
    return this.#end;
  }

  /** Resolves when the batch is durable. @throws {LedgerError} `LEDGER_QUEUE_FULL`, `LEDGER_ENTRY_NOT_DURABLE` */
  append(entries: readonly NewEntry[]): Promise<BatchId> {
    if (this.#isClosed) return Promise.reject(notDurable('the store is closed'));
    if (this.#queue.length >= QUEUE_BATCHES_COUNT_MAX) {
      const message = 'too many batches wait to be made durable';
      return Promise.reject(new LedgerError('LEDGER_QUEUE_FULL', message));
    }
    const { promise, resolve, reject } = Promise.withResolvers<BatchId>();
    const record = encodeRecord(entries);
    this.#queue.push({ record, entriesCount: entries.length, resolve, reject });
    this.#running ??= this.#run();
    return promise;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0) {
      const group = this.#take();
      try {
        await this.#flush(group);
      } catch (cause) {
        this.#end = undefined;
        for (const { reject } of group)
          reject(notDurable('the journal could not be written', cause));
      }
    }
    this.#running = undefined;
  }

  #take(): readonly Waiting[] {
    let size = 0;
    const full = this.#queue.findIndex(({ record }, index) => {
      size += record.length;
      return index > 0 && size > FLUSH_SIZE_BYTES_MAX;
    });
    return this.#queue.splice(0, full < 0 ? this.#queue.length : full);
  }

  /** Writes a group; when the segment was taken from us meanwhile, what is not in it goes to the next. */
  async #flush(group: readonly Waiting[]): Promise<void> {
    let left = group;
    for (let attempt = 0; attempt < TAKEOVERS_COUNT_MAX; attempt += 1) {
      const start = await this.#begin();
      const { ids, end } = await this.#write(start, left);
      const sealed = (await this.#segments.isClosing(start.segment))
        ? await this.#segments.seal(start.segment)
        : undefined;
      if (sealed === undefined) this.#end = end;
      else this.#end = undefined;
      const kept = left.filter((_, at) => {
        const last = ids[at]?.end ?? Number.POSITIVE_INFINITY;
        return sealed === undefined || last <= sealed.offset;
      });
      for (const [at, { resolve }] of kept.entries()) resolve(ids[at]?.id ?? '');
      left = left.slice(kept.length);
      if (left.length === 0) return;
    }
    throw notDurable('other processes take the journal again and again');
  }

  async #write(
    start: JournalPlace,
    group: readonly Waiting[],
  ): Promise<{
    readonly ids: readonly { readonly id: BatchId; readonly end: number }[];
    readonly end: JournalPlace;
  }> {
    const { segment } = start;
    let { offset, ordinal } = start;
    const ids = group.map(({ record, entriesCount }) => {
      placeRecord(record, ordinal);
      const id = toBatchId(segment, offset);
      offset += record.length;
      ordinal += entriesCount;
      return { id, end: offset };
    });
    const handle = await this.#segments.open(segment);
    await this.#allocate(segment, offset);
    const records = group.map(({ record }) => record);
    const bytes = records.length === 1 ? records[0] : Buffer.concat(records);
    if (bytes === undefined) throw notDurable('nothing was to be written');
    for (let written = 0; written < bytes.length; ) {
      const { bytesWritten } = await handle.write(
        bytes,
        written,
        bytes.length - written,
        start.offset + written,
      );
      written += bytesWritten;
    }
    await handle.datasync();
    return { ids, end: { segment, offset, ordinal } };
  }

  /** Zeros ahead of the records, on the disk, so that a record changes no length. */
  async #allocate(segment: number, sizeMin: number): Promise<void> {
    if (this.#allocatedSize >= sizeMin) return;
    const handle = await this.#segments.open(segment);
    const target = Math.ceil(sizeMin / PREALLOCATED_SIZE_BYTES) * PREALLOCATED_SIZE_BYTES;
    let at = Math.max(this.#allocatedSize, SEGMENT_START);
    while (at < target) {
      const size = Math.min(ZEROS.length, target - at);
      const { bytesWritten } = await handle.write(ZEROS, 0, size, at);
      at += bytesWritten;
    }
    await handle.sync();
    this.#allocatedSize = target;
  }

  /** Where the next record goes: behind our own, or in a segment that we take. */
  async #begin(): Promise<JournalPlace> {
    const own = this.#end;
    if (own !== undefined && own.offset < SEGMENT_SIZE_BYTES_MAX) return own;
    this.#end = undefined;
    for (let attempt = 0; attempt < TAKEOVERS_COUNT_MAX; attempt += 1) {
      const last = (await this.#segments.list()).at(-1);
      const end = last === undefined ? undefined : await this.#segments.seal(last);
      const segment = (last ?? 0) + 1;
      const ordinal = end?.ordinal ?? 0;
      if (!(await this.#segments.begin(segment, ordinal))) continue;
      this.#allocatedSize = 0;
      return { segment, offset: SEGMENT_START, ordinal };
    }
    throw notDurable('other processes take the journal again and again');
  }
}

function notDurable(message: string, cause?: unknown): LedgerError {
  return new LedgerError('LEDGER_ENTRY_NOT_DURABLE', message, { cause });
}
