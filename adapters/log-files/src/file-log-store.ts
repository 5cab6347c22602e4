// SPDX-License-Identifier: Apache-2.0
// The ledger's store in files of one machine.
//
// INVARIANT: a position follows from the journal alone: it is the number of entries that stand before the entry,
// less those before its epoch began. A sequencer decides nothing but how far to go, so two of them, paused or
// doubled, give the same entry the same position, and tiles and heads can be made again from the journal.
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import {
  type BatchId,
  type BatchPlace,
  EMPTY_EDGE,
  EMPTY_ROOT,
  extendLog,
  HASH_SIZE_BYTES,
  isSameBytes,
  LedgerError,
  type LogEdge,
  type LogHead,
  type LogStore,
  type NewEntry,
  type SequenceResult,
  type StoredCheckpoint,
  TILE_WIDTH,
  type TileAddress,
} from '@bailiwick/ledger';
import { readText, replaceFile, takeName } from './durable.ts';
import { JournalWriter } from './journal-writer.ts';
import { type JournalPlace, Segments } from './segments.ts';
import { Tiles } from './tiles.ts';

const MARK_FILE = 'bailiwick-log';
const MARK = 'bailiwick/log-files/v1\n';
const HEAD_NAME = /^(\d+)\.([0-9a-f]{16}|durable)$/;
const FOLDERS = ['segments', 'epochs', 'heads', 'checkpoints', 'tiles'] as const;

/** Makes an empty store; an existing one stays as it is. Never called by the process that serves. */
export function prepareLogDirectory(directory: string): void {
  if (existsSync(path.join(directory, MARK_FILE))) return;
  for (const folder of FOLDERS) {
    mkdirSync(path.join(directory, folder), { recursive: true, mode: 0o700 });
  }
  writeFileSync(path.join(directory, MARK_FILE), MARK, { mode: 0o600, flush: true });
}

/** A log's store that must be closed. */
export interface FileLogStore extends LogStore {
  /** Sees what waits durable, then lets go of the files. */
  close(): Promise<void>;
}

/** Opens a store that `prepareLogDirectory` made. @throws {LedgerError} `LEDGER_STORE_MISSING` */
export function openFileLogStore(directory: string): FileLogStore {
  const mark = path.join(directory, MARK_FILE);
  if (!existsSync(mark) || readFileSync(mark, 'utf8') !== MARK) {
    throw new LedgerError('LEDGER_STORE_MISSING', `\`${directory}\` holds no log`);
  }
  return new Store(directory);
}

/** An epoch as its opening says it: where in the journal it begins, and where the one before it ended. */
interface Epoch {
  readonly number: number;
  readonly start: number;
  readonly closed: LogHead | undefined;
}

class Store implements FileLogStore {
  readonly #directory: string;
  readonly #segments: Segments;
  readonly #writer: JournalWriter;
  readonly #name = randomBytes(8).toString('hex');
  readonly #tiles = new Map<number, Tiles>();
  /** How far this process has read the journal, and the edge there. */
  #read:
    | { readonly place: JournalPlace; readonly head: LogHead; readonly edge: LogEdge }
    | undefined;
  /** One step at a time in a process. */
  #step: Promise<unknown> = Promise.resolve();

  constructor(directory: string) {
    this.#directory = directory;
    this.#segments = new Segments(directory);
    this.#writer = new JournalWriter(this.#segments);
  }

  append(entries: readonly NewEntry[]): Promise<BatchId> {
    return this.#writer.append(entries);
  }

  sequence(options: { epoch: number; entriesCountMax: number }): Promise<SequenceResult> {
    const step = this.#step.then(() => this.#sequence(options));
    this.#step = step.catch(() => undefined);
    return step;
  }

  async #sequence({
    epoch: number,
    entriesCountMax,
  }: {
    readonly epoch: number;
    readonly entriesCountMax: number;
  }): Promise<SequenceResult> {
    const epoch = await this.#openEpoch(number);
    const head = await this.readHead(number);
    const start = await this.#catchUp(epoch, head);
    const taken = await this.#take(start.place, entriesCountMax);
    if (taken.entriesCount === 0) return { head, entriesCount: 0 };
    const extension = extendLog(head, start.edge, taken.commitments);
    await this.#tilesOf(number).write(extension.tiles);
    await this.#saveHead(extension.head, { name: this.#name, isDurable: false });
    // SECURITY: whoever opens a later epoch says so before looking how far this one went: either our head was
    // seen, or we see that the epoch is closing.
    await this.#assertOpen(extension.head);
    this.#read = { place: taken.end, head: extension.head, edge: extension.edge };
    return { head: extension.head, entriesCount: taken.entriesCount };
  }

  /** The edge of a head and its place in the journal: as this process left them, or read again. */
  async #catchUp(
    epoch: Epoch,
    head: LogHead,
  ): Promise<{ readonly place: JournalPlace; readonly edge: LogEdge }> {
    const known = this.#read;
    const ordinal = epoch.start + head.size;
    const isSame =
      known?.head.epoch === head.epoch &&
      known.head.size === head.size &&
      isSameBytes(known.head.root, head.root);
    if (known !== undefined && isSame) return known;
    const edge = head.size === 0 ? EMPTY_EDGE : await this.#readEdge(epoch, head);
    return { edge, place: await this.#findPlace(ordinal) };
  }

  /** The edge out of the tiles; what a loss of power left unwritten there is written again. */
  async #readEdge(epoch: Epoch, head: LogHead): Promise<LogEdge> {
    try {
      return await this.#tilesOf(head.epoch).readEdge(head);
    } catch (error) {
      if (!(error instanceof LedgerError)) throw error;
      return this.#rebuild(epoch, head);
    }
  }

  /** Makes an epoch's tiles again from the journal. @throws {LedgerError} `LEDGER_HEAD_INVALID` */
  async #rebuild(epoch: Epoch, wanted: LogHead): Promise<LogEdge> {
    let place = await this.#findPlace(epoch.start);
    let head: LogHead = { epoch: epoch.number, size: 0, root: EMPTY_ROOT };
    let edge: LogEdge = EMPTY_EDGE;
    while (head.size < wanted.size) {
      const taken = await this.#take(place, TILE_WIDTH);
      if (taken.entriesCount === 0) break;
      const extension = extendLog(head, edge, taken.commitments);
      await this.#tilesOf(epoch.number).write(extension.tiles);
      ({ head, edge } = extension);
      place = taken.end;
    }
    if (head.size === wanted.size && isSameBytes(head.root, wanted.root)) return edge;
    throw new LedgerError(
      'LEDGER_HEAD_INVALID',
      'the journal does not lead to the root of the head',
    );
  }

  /** Whole batches from a place on, about as many entries as told: durable, and in the journal for good. */
  async #take(
    from: JournalPlace,
    entriesCountMax: number,
  ): Promise<{
    readonly commitments: Buffer;
    readonly entriesCount: number;
    readonly end: JournalPlace;
  }> {
    const parts: Buffer[] = [];
    let place = from;
    let end = from;
    let count = 0;
    while (count < entriesCountMax) {
      const found = await this.#readSegment(place, entriesCountMax - count);
      parts.push(...found.parts);
      count += found.end.ordinal - place.ordinal;
      end = found.end;
      if (count >= entriesCountMax) break;
      const sealed = await this.#segments.sealedSize(end.segment);
      const isLast = sealed === undefined || end.offset < sealed;
      const next = (await this.#segments.list()).find((number) => number > end.segment);
      if (isLast || next === undefined) break;
      place = await this.#segments.startOf(next);
      end = place;
    }
    return { commitments: Buffer.concat(parts), entriesCount: count, end };
  }

  async #readSegment(
    from: JournalPlace,
    countMax: number,
  ): Promise<{ readonly parts: readonly Buffer[]; readonly end: JournalPlace }> {
    const { segment } = from;
    if (segment === 0) return { parts: [], end: from };
    await this.#segments.sealedSize(segment);
    const own = this.#writer.durable;
    const ownEnd = own?.segment === segment ? own.offset : 0;
    let place = from;
    const read: { readonly bytes: Buffer; readonly end: JournalPlace }[] = [];
    while (place.ordinal - from.ordinal < countMax) {
      const isVerified = place.offset < ownEnd;
      const found = await this.#segments.next(place, { isVerified });
      if (found === undefined) break;
      read.push({ bytes: found.commitments, end: found.end });
      place = found.end;
    }
    if (place.offset > ownEnd && read.length > 0) await this.#settle(segment, read);
    const end = read.at(-1)?.end ?? from;
    return { parts: read.map(({ bytes }) => bytes), end };
  }

  /**
   * What another process wrote is made durable before it counts. SECURITY: who closes a segment says so before
   * looking how long it is: either what was read is within that length, or the closing is seen here.
   */
  async #settle(
    segment: number,
    read: { readonly bytes: Buffer; readonly end: JournalPlace }[],
  ): Promise<void> {
    await (await this.#segments.open(segment)).datasync();
    if (!(await this.#segments.isClosing(segment))) return;
    const { offset } = await this.#segments.seal(segment);
    while ((read.at(-1)?.end.offset ?? 0) > offset) read.pop();
  }

  /** Where in the journal this many entries are behind. Heads lie between batches. */
  async #findPlace(ordinal: number): Promise<JournalPlace> {
    let place: JournalPlace = { segment: 0, offset: 0, ordinal: 0 };
    for (const number of await this.#segments.list()) {
      const start = await this.#segments.startOf(number);
      if (start.ordinal > ordinal) break;
      place = start;
    }
    if (place.segment === 0) return place;
    await this.#segments.sealedSize(place.segment);
    while (place.ordinal < ordinal) {
      const found = await this.#segments.next(place, { isVerified: false });
      if (found === undefined) break;
      place = found.end;
    }
    if (place.ordinal === ordinal) return place;
    throw new LedgerError('LEDGER_HEAD_INVALID', 'the journal is shorter than its head');
  }

  async readHead(epoch: number): Promise<LogHead> {
    const epochs = await this.#readEpochs();
    const closed = epochs.find(({ number }) => number > epoch)?.closed;
    if (closed?.epoch === epoch) return closed;
    let head: LogHead = { epoch, size: 0, root: EMPTY_ROOT };
    for (const name of await readdir(path.join(this.#directory, 'heads'))) {
      if (Number(HEAD_NAME.exec(name)?.[1]) !== epoch) continue;
      const found = parseHead(epoch, await readText(path.join(this.#directory, 'heads', name)));
      if (found !== undefined && found.size > head.size) head = found;
    }
    return head;
  }

  #saveHead(
    head: LogHead,
    options: { readonly name: string; readonly isDurable: boolean },
  ): Promise<void> {
    const file = path.join(this.#directory, 'heads', `${head.epoch}.${options.name}`);
    return replaceFile(file, toHeadText(head), { isDurable: options.isDurable });
  }

  #tilesOf(epoch: number): Tiles {
    const found = this.#tiles.get(epoch) ?? new Tiles(this.#directory, epoch);
    this.#tiles.set(epoch, found);
    return found;
  }

  async readTile(epoch: number, address: TileAddress): Promise<Uint8Array | undefined> {
    const { size } = await this.readHead(epoch);
    const level = address.level === 'entries' ? 0 : address.level;
    const end = address.index * TILE_WIDTH + address.width;
    if (end > Math.floor(size / TILE_WIDTH ** level)) return undefined;
    return this.#tilesOf(epoch).read(address);
  }

  async saveCheckpoint(epoch: number, checkpoint: StoredCheckpoint): Promise<boolean> {
    const head = await this.readHead(epoch);
    const kept = await this.readCheckpoint(epoch);
    if (checkpoint.size > head.size || checkpoint.size < (kept?.size ?? 0)) return false;
    // What is signed is on the disk with everything under it.
    await this.#tilesOf(epoch).sync();
    await this.#saveHead(head, { name: 'durable', isDurable: true });
    const file = path.join(this.#directory, 'checkpoints', String(epoch));
    await replaceFile(file, `${checkpoint.size}\n${checkpoint.note}`, { isDurable: true });
    return true;
  }

  async readCheckpoint(epoch: number): Promise<StoredCheckpoint | undefined> {
    const text = await readText(path.join(this.#directory, 'checkpoints', String(epoch)));
    if (text === undefined) return undefined;
    const end = text.indexOf('\n');
    return { size: Number(text.slice(0, end)), note: text.slice(end + 1) };
  }

  async findBatch(batch: BatchId): Promise<BatchPlace | undefined> {
    const [segment, offset] = batch.split(':').map(Number);
    if (!Number.isSafeInteger(segment) || !Number.isSafeInteger(offset)) return undefined;
    const found = await this.#segments.findRecord(segment ?? 0, offset ?? 0);
    if (found === undefined) return undefined;
    const epochs = await this.#readEpochs();
    const epoch = epochs.findLast(({ start }) => start <= found.ordinal);
    if (epoch === undefined) return undefined;
    const firstIndex = found.ordinal - epoch.start;
    const { size } = await this.readHead(epoch.number);
    if (firstIndex + found.count > size) return undefined;
    return { epoch: epoch.number, firstIndex, count: found.count };
  }

  async #readEpochs(): Promise<readonly Epoch[]> {
    const epochs: Epoch[] = [{ number: 1, start: 0, closed: undefined }];
    const folder = path.join(this.#directory, 'epochs');
    const numbers = (await readdir(folder)).filter((name) => /^\d+$/.test(name)).map(Number);
    for (const number of numbers.sort((a, b) => a - b)) {
      const text = await readText(path.join(folder, String(number)));
      const [start = '', before = '', ...rest] = (text ?? '').split('\n');
      const closed = parseHead(Number(before), rest.join('\n'));
      if (closed === undefined)
        throw new LedgerError('LEDGER_HEAD_INVALID', 'an epoch has no start');
      epochs.push({ number, start: Number(start), closed });
    }
    return epochs;
  }

  /** The epoch, opened when it is the next one. @throws {LedgerError} `LEDGER_EPOCH_CLOSED` */
  async #openEpoch(number: number): Promise<Epoch> {
    const epochs = await this.#readEpochs();
    const newest = epochs.at(-1) ?? { number: 1, start: 0, closed: undefined };
    if (newest.number > number) throw toClosed(number, newest.number);
    if (newest.number === number) return newest;
    const file = path.join(this.#directory, 'epochs', String(number));
    await takeName(`${file}.opening`, '');
    const closed = await this.readHead(newest.number);
    const start = newest.start + closed.size;
    await takeName(file, `${start}\n${newest.number}\n${toHeadText(closed)}`);
    const opened = (await this.#readEpochs()).find((epoch) => epoch.number === number);
    if (opened !== undefined) return opened;
    throw new LedgerError('LEDGER_HEAD_INVALID', 'an epoch that was just opened is gone');
  }

  /** @throws {LedgerError} `LEDGER_EPOCH_CLOSED` when a later epoch begins before this head */
  async #assertOpen(head: LogHead): Promise<void> {
    const names = await readdir(path.join(this.#directory, 'epochs'));
    const opening = names
      .map((name) => Number(name.replace('.opening', '')))
      .filter((number) => number > head.epoch);
    if (opening.length === 0) return;
    const newest = Math.max(...opening);
    await this.#openEpoch(newest);
    if ((await this.readHead(head.epoch)).size < head.size) throw toClosed(head.epoch, newest);
  }

  async close(): Promise<void> {
    await this.#writer.close();
    await this.#step;
    await this.#segments.close();
    for (const tiles of this.#tiles.values()) await tiles.close();
  }
}

function toClosed(epoch: number, newest: number): LedgerError {
  return new LedgerError('LEDGER_EPOCH_CLOSED', `epoch ${newest} of the log is open`, {
    details: { epoch, newest },
  });
}

function toHeadText({ size, root }: LogHead): string {
  return `${size}\n${Buffer.from(root).toString('hex')}\n`;
}

/** A head as it was saved; nothing for one that a crash cut short. */
function parseHead(epoch: number, text: string | undefined): LogHead | undefined {
  const match = /^(\d{1,16})\n([0-9a-f]{64})\n$/.exec(text ?? '');
  if (match === null) return undefined;
  const root = Buffer.from(match[2] ?? '', 'hex');
  if (root.length !== HASH_SIZE_BYTES) return undefined;
  return { epoch, size: Number(match[1]), root };
}
