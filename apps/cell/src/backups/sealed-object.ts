// SPDX-License-Identifier: Apache-2.0
// How a backup's object is sealed: frames of KC-XAES-256-GCM under the cell's backup key, each bound to the
// cell, the object's name, its place in the object and whether it is the last. So a frame that is changed,
// cut off, moved, repeated or put into another object does not open.
// Layout: `BWBK` 1 | (u32be length of the envelope | envelope)*
import { createSecretKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { BackupsError, type ObjectStore, type WrittenObject } from '@bailiwick/backups';
import type { CellId } from '@bailiwick/kernel';
import { isCoded } from '@bailiwick/kernel';
import { ENVELOPE_OVERHEAD_BYTES, openEnvelope, sealEnvelope } from '@bailiwick/keys';
import { CellError } from '../errors.ts';

const HEADER = Buffer.from([0x42, 0x57, 0x42, 0x4b, 1]);
const FRAME_SIZE_BYTES = 1024 * 1024;
const FRAME_SIZE_BYTES_MAX = FRAME_SIZE_BYTES + ENVELOPE_OVERHEAD_BYTES;
const KEY_SIZE_BYTES = 32;

/** Seals and opens the objects of one cell's backups. */
export interface BackupVault {
  /** Seals and writes. @throws {BackupsError} */
  put(
    name: string,
    content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    options: { readonly retainUntilMs: number },
  ): Promise<WrittenObject>;
  /** @throws {BackupsError} `BACKUPS_OBJECT_DAMAGED`, `BACKUPS_OBJECT_MISSING` */
  read(name: string): AsyncIterable<Buffer>;
  readAll(name: string): Promise<Buffer>;
  readonly store: ObjectStore;
  /** The same vault over another view of its store. */
  over(store: ObjectStore): BackupVault;
}

/** Reads a backup key: a file with 32 bytes in base64. @throws {CellError} `CELL_CONFIG_INVALID` */
export function readBackupKey(file: string): KeyObject {
  let bytes: Buffer;
  try {
    bytes = Buffer.from(readFileSync(file, 'utf8').trim(), 'base64');
  } catch (cause) {
    throw new CellError('CELL_CONFIG_INVALID', `\`${file}\` cannot be read`, { cause });
  }
  if (bytes.length === KEY_SIZE_BYTES) return createSecretKey(bytes);
  throw new CellError('CELL_CONFIG_INVALID', `\`${file}\` does not hold 32 bytes in base64`);
}

/** Opens the vault of a cell over a store. */
export function openVault(options: {
  readonly store: ObjectStore;
  readonly key: KeyObject;
  readonly cellId: CellId;
}): BackupVault {
  const { store, key, cellId } = options;
  const read = (name: string): AsyncIterable<Buffer> =>
    openFrames(store.read(name), { key, cellId, name });
  return {
    store,
    put: (name, content, term) => store.put(name, sealFrames(content, { key, cellId, name }), term),
    read,
    over: (view) => openVault({ ...options, store: view }),
    async readAll(name) {
      const chunks: Buffer[] = [];
      for await (const chunk of read(name)) chunks.push(chunk);
      return Buffer.concat(chunks);
    },
  };
}

interface FrameContext {
  readonly key: KeyObject;
  readonly cellId: CellId;
  readonly name: string;
}

function toFrameData({ cellId, name }: FrameContext, index: number, isLast: boolean): Buffer {
  const text = `bailiwick/backup/v1\0${cellId}\0${name}\0${index}\0${isLast ? 'last' : 'more'}`;
  return Buffer.from(text, 'utf8');
}

async function* sealFrames(
  content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  context: FrameContext,
): AsyncGenerator<Buffer> {
  yield HEADER;
  let index = 0;
  const seal = (plaintext: Uint8Array, isLast: boolean): Buffer => {
    const data = toFrameData(context, index, isLast);
    const envelope = sealEnvelope(context.key, plaintext, data);
    index += 1;
    const length = Buffer.allocUnsafe(4);
    length.writeUInt32BE(envelope.length);
    return Buffer.concat([length, envelope]);
  };
  // One frame is held back: only its successor, or the end, tells whether it is the last.
  let waiting: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of content) {
    let rest: Uint8Array = chunk;
    while (size + rest.length > FRAME_SIZE_BYTES) {
      const room = FRAME_SIZE_BYTES - size;
      waiting.push(rest.subarray(0, room));
      yield seal(Buffer.concat(waiting), false);
      rest = rest.subarray(room);
      waiting = [];
      size = 0;
    }
    if (rest.length > 0) waiting.push(rest);
    size += rest.length;
  }
  yield seal(Buffer.concat(waiting), true);
}

function damaged(name: string, problem: string): BackupsError {
  return new BackupsError('BACKUPS_OBJECT_DAMAGED', problem, { details: { object: name } });
}

async function* openFrames(
  source: AsyncIterable<Buffer>,
  context: FrameContext,
): AsyncGenerator<Buffer> {
  const bytes = createByteReader(source);
  try {
    yield* openFramesOf(bytes, context);
  } finally {
    await bytes.close();
  }
}

async function* openFramesOf(bytes: ByteReader, context: FrameContext): AsyncGenerator<Buffer> {
  const { name } = context;
  const header = await bytes.take(HEADER.length);
  if (header?.equals(HEADER) !== true) throw damaged(name, 'the object is not one of a backup');
  for (let index = 0; ; index += 1) {
    const length = await bytes.take(4);
    if (length === undefined) throw damaged(name, 'the object is cut short');
    const size = length.readUInt32BE();
    if (size > FRAME_SIZE_BYTES_MAX) throw damaged(name, 'a frame is longer than any');
    const envelope = await bytes.take(size);
    if (envelope === undefined) throw damaged(name, 'the object is cut short');
    const isLast = await bytes.isAtEnd();
    try {
      yield openEnvelope(context.key, envelope, toFrameData(context, index, isLast));
    } catch (error) {
      if (!isCoded(error, 'KEYS_ENVELOPE_UNOPENED')) throw error;
      throw damaged(name, 'a frame does not open: changed, cut, moved, or under another key');
    }
    if (isLast) return;
  }
}

interface ByteReader {
  /** Exactly so many bytes; `undefined` when there are fewer. */
  take(size: number): Promise<Buffer | undefined>;
  isAtEnd(): Promise<boolean>;
  /** Lets go of the source, read to its end or not. */
  close(): Promise<void>;
}

function createByteReader(source: AsyncIterable<Buffer>): ByteReader {
  const iterator = source[Symbol.asyncIterator]();
  let chunks: Buffer[] = [];
  let size = 0;
  const more = async (): Promise<boolean> => {
    const { done, value } = await iterator.next();
    if (done === true) return false;
    chunks.push(value);
    size += value.length;
    return true;
  };
  return {
    async take(wanted) {
      while (size < wanted) if (!(await more())) return undefined;
      const all =
        chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
      chunks = [all.subarray(wanted)];
      size -= wanted;
      return all.subarray(0, wanted);
    },
    async isAtEnd() {
      while (size === 0) if (!(await more())) return true;
      return false;
    },
    async close() {
      await iterator.return?.();
    },
  };
}
