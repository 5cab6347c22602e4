// SPDX-License-Identifier: Apache-2.0
// The journal: segments, one after another, each with one writer. A writer that was paused, or is thought dead,
// cannot add behind a segment's end: who begins the next segment first says that the old one is closing, then
// looks how long it is, then says so for ever; a writer looks after each `fdatasync` whether somebody has
// begun to close. So a record is either within the length that was said, or its writer learns that it is not.
import type { FileHandle } from 'node:fs/promises';
import { open, readdir } from 'node:fs/promises';
import path from 'node:path';
import { LedgerError } from '@bailiwick/ledger';
import { readText, takeName } from './durable.ts';
import { isWhole, parseHeader, RECORD_HEADER_SIZE_BYTES } from './record.ts';

const FOLDER = 'segments';
/** Version 1 | the position in the journal of its first entry. */
const SEGMENT_HEADER_SIZE_BYTES = 64;
const SEGMENT_MAGIC = 'bailiwick/segment/v1\n';
const NAME = /^(\d{16})\.log$/;

/** Where something stands in the journal. */
export interface JournalPlace {
  readonly segment: number;
  readonly offset: number;
  /** Entries of the journal before it. */
  readonly ordinal: number;
}

const toName = (number: number): string => String(number).padStart(16, '0');

function invalid(problem: string): LedgerError {
  return new LedgerError('LEDGER_HEAD_INVALID', problem);
}

/** Where the first record of a segment begins. */
export const SEGMENT_START: number = SEGMENT_HEADER_SIZE_BYTES;

/** The files of the journal. */
export class Segments {
  readonly #folder: string;
  readonly #handles = new Map<number, Promise<FileHandle>>();
  readonly #sealed = new Map<number, number>();

  constructor(directory: string) {
    this.#folder = path.join(directory, FOLDER);
  }

  static folderOf(directory: string): string {
    return path.join(directory, FOLDER);
  }

  #file(number: number, end: string): string {
    return path.join(this.#folder, `${toName(number)}.${end}`);
  }

  /** Numbers of all segments, ascending. */
  async list(): Promise<readonly number[]> {
    const names = await readdir(this.#folder);
    return names
      .flatMap((name) => NAME.exec(name)?.[1] ?? [])
      .map(Number)
      .sort((a, b) => a - b);
  }

  /** For reading, and for writing by who began it. */
  open(number: number): Promise<FileHandle> {
    const found = this.#handles.get(number);
    if (found !== undefined) return found;
    const opened = open(this.#file(number, 'log'), 'r+');
    this.#handles.set(number, opened);
    return opened;
  }

  async startOf(number: number): Promise<JournalPlace> {
    const handle = await this.open(number);
    const header = Buffer.alloc(SEGMENT_HEADER_SIZE_BYTES);
    await handle.read(header, 0, header.length, 0);
    const magic = header.toString('latin1', 0, SEGMENT_MAGIC.length);
    if (magic !== SEGMENT_MAGIC) throw invalid('a segment of the journal has no header');
    return { segment: number, offset: SEGMENT_START, ordinal: Number(header.readBigUInt64LE(48)) };
  }

  /** The length that was said for ever, once it was. */
  async sealedSize(number: number): Promise<number | undefined> {
    const known = this.#sealed.get(number);
    if (known !== undefined) return known;
    const text = await readText(this.#file(number, 'sealed'));
    if (text === undefined) return undefined;
    const size = Number(text);
    if (!Number.isSafeInteger(size) || size < SEGMENT_START) throw invalid('a seal is no length');
    this.#sealed.set(number, size);
    return size;
  }

  /** True once somebody has begun to close it. */
  async isClosing(number: number): Promise<boolean> {
    return (await readText(this.#file(number, 'closing'))) !== undefined;
  }

  /** Closes a segment; says how long it is, which is the same for everybody who asks. */
  async seal(number: number): Promise<JournalPlace> {
    await takeName(this.#file(number, 'closing'), '');
    let end = await this.#findEnd(number);
    const handle = await this.open(number);
    await handle.datasync();
    // Only what was there when the closing was said counts; somebody else may have said it before us.
    await takeName(this.#file(number, 'sealed'), String(end.offset));
    const size = await this.sealedSize(number);
    if (size === undefined) throw invalid('a seal is gone');
    if (size !== end.offset) end = await this.#findEnd(number, size);
    return end;
  }

  /** Begins a segment; `false` when somebody else has. */
  async begin(number: number, ordinal: number): Promise<boolean> {
    const header = Buffer.alloc(SEGMENT_HEADER_SIZE_BYTES);
    header.write(SEGMENT_MAGIC, 'latin1');
    header.writeBigUInt64LE(BigInt(ordinal), 48);
    return takeName(this.#file(number, 'log'), header);
  }

  /** Where the whole records of a segment end: after a crash something unfinished may stand behind. */
  async #findEnd(number: number, sizeMax = Number.POSITIVE_INFINITY): Promise<JournalPlace> {
    let place = await this.startOf(number);
    while (place.offset < sizeMax) {
      const next = await this.next(place, { isVerified: false });
      if (next === undefined) break;
      place = next.end;
    }
    return place;
  }

  /**
   * The record at a place, without its bodies, and the place behind it; nothing where no whole record is.
   * `isVerified`: it is known to be whole. What lies behind a seal that this object knows is not there.
   */
  async next(
    place: JournalPlace,
    options: { readonly isVerified: boolean },
  ): Promise<{ readonly commitments: Buffer; readonly end: JournalPlace } | undefined> {
    const sealed = this.#sealed.get(place.segment);
    if (sealed !== undefined && place.offset >= sealed) return undefined;
    const handle = await this.open(place.segment);
    const head = Buffer.alloc(RECORD_HEADER_SIZE_BYTES);
    await handle.read(head, 0, head.length, place.offset);
    const header = parseHeader(head);
    if (header === undefined || header.ordinal !== place.ordinal) return undefined;
    const whole = RECORD_HEADER_SIZE_BYTES + header.sizeBytes;
    const commitmentsSize = header.entriesCount * 32;
    const size = options.isVerified ? RECORD_HEADER_SIZE_BYTES + commitmentsSize : whole;
    const bytes = Buffer.alloc(size);
    const { bytesRead } = await handle.read(bytes, 0, size, place.offset);
    if (bytesRead < size || (!options.isVerified && !isWhole(bytes))) return undefined;
    return {
      commitments: bytes.subarray(
        RECORD_HEADER_SIZE_BYTES,
        RECORD_HEADER_SIZE_BYTES + commitmentsSize,
      ),
      end: {
        segment: place.segment,
        offset: place.offset + whole,
        ordinal: place.ordinal + header.entriesCount,
      },
    };
  }

  /** What a batch's own record says of it. */
  async findRecord(
    segment: number,
    offset: number,
  ): Promise<{ readonly ordinal: number; readonly count: number } | undefined> {
    const numbers = await this.list();
    if (!numbers.includes(segment) || offset < SEGMENT_START) return undefined;
    const sealed = await this.sealedSize(segment);
    if (sealed !== undefined && offset >= sealed) return undefined;
    const handle = await this.open(segment);
    const head = Buffer.alloc(RECORD_HEADER_SIZE_BYTES);
    await handle.read(head, 0, head.length, offset);
    const header = parseHeader(head);
    return header && { ordinal: header.ordinal, count: header.entriesCount };
  }

  async close(): Promise<void> {
    const opened = [...this.#handles.values()];
    this.#handles.clear();
    for (const handle of opened) await (await handle).close();
  }
}
