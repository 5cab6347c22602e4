// SPDX-License-Identifier: Apache-2.0
// Objects as files of a directory, written once. An object's term stands in front of its content and, for
// file systems that keep such a promise themselves, in its access time: on a WORM volume (NetApp SnapLock,
// Dell SmartLock) an access time in the future and a file without write permission commit it until then.
// On any other volume the term holds against this program and against accidents, not against root: say so
// to whoever asks, and use a volume that keeps it or an object store with object lock.
import { createHash, randomUUID } from 'node:crypto';
import {
  chmod,
  type FileHandle,
  link,
  mkdir,
  open,
  readdir,
  stat,
  unlink,
  utimes,
} from 'node:fs/promises';
import path from 'node:path';
import {
  BackupsError,
  type ObjectStore,
  parseObjectName,
  type StoredObject,
  type WrittenObject,
} from '@bailiwick/backups';

/** `BWOBJ1`, two zero bytes, the end of the term as i64be milliseconds. */
const MAGIC = Buffer.from('BWOBJ1\0\0', 'latin1');
const HEADER_SIZE_BYTES = 16;
/** Objects under way; a crash leaves them here, and the next opening removes them. */
const INCOMING = '.incoming';
const READ_SIZE_BYTES = 1024 * 1024;
const READ_ONLY = 0o440;

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

function unavailable(problem: string, cause: unknown): BackupsError {
  return new BackupsError('BACKUPS_STORE_UNAVAILABLE', problem, { cause });
}

function missing(name: string): BackupsError {
  return new BackupsError('BACKUPS_OBJECT_MISSING', 'there is no such object', {
    details: { object: name },
  });
}

async function syncDirectory(directory: string): Promise<void> {
  const opened = await open(directory, 'r');
  try {
    await opened.sync();
  } finally {
    await opened.close();
  }
}

/** Makes a folder below the root, each level durable before the next. */
async function makeFolder(root: string, folder: string): Promise<void> {
  const relative = path.relative(root, folder);
  let at = root;
  for (const part of relative === '' ? [] : relative.split(path.sep)) {
    const parent = at;
    at = path.join(at, part);
    try {
      await mkdir(at, { mode: 0o700 });
      await syncDirectory(parent);
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error;
    }
  }
}

function toHeader(retainUntilMs: number): Buffer {
  const header = Buffer.alloc(HEADER_SIZE_BYTES);
  header.set(MAGIC);
  header.writeBigInt64BE(BigInt(Math.trunc(retainUntilMs)), MAGIC.length);
  return header;
}

async function readHeader(file: FileHandle, name: string): Promise<number> {
  const header = Buffer.alloc(HEADER_SIZE_BYTES);
  const { bytesRead } = await file.read(header, 0, HEADER_SIZE_BYTES, 0);
  if (bytesRead === HEADER_SIZE_BYTES && header.subarray(0, MAGIC.length).equals(MAGIC)) {
    return Number(header.readBigInt64BE(MAGIC.length));
  }
  throw new BackupsError('BACKUPS_OBJECT_DAMAGED', 'the object has no header of this store', {
    details: { object: name },
  });
}

class DirectoryStore implements ObjectStore {
  readonly kind = 'directory';
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  async prepare(): Promise<void> {
    const incoming = path.join(this.#root, INCOMING);
    await makeFolder(this.#root, incoming);
    for (const name of await readdir(incoming)) {
      // Another process may be writing: only what nobody has touched for a day is left over.
      const file = path.join(incoming, name);
      const found = await stat(file).catch(() => undefined);
      if (found !== undefined && Date.now() - found.mtimeMs > 86_400_000) await unlink(file);
    }
  }

  async put(
    name: string,
    content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    { retainUntilMs }: { readonly retainUntilMs: number },
  ): Promise<WrittenObject> {
    const target = this.#toFile(name);
    const incoming = path.join(this.#root, INCOMING, randomUUID());
    try {
      const written = await writeFile(incoming, content, toHeader(retainUntilMs));
      await makeFolder(this.#root, path.dirname(target));
      // A link fails where a file is: renaming would overwrite it.
      await link(incoming, target);
      await utimes(target, new Date(retainUntilMs), new Date());
      await chmod(target, READ_ONLY);
      await syncDirectory(path.dirname(target));
      return { name, ...written };
    } catch (error) {
      if (hasCode(error, 'EEXIST')) {
        throw new BackupsError('BACKUPS_OBJECT_EXISTS', 'an object of this name is there', {
          details: { object: name },
        });
      }
      if (isOurs(error)) throw error;
      throw unavailable('the object could not be written', error);
    } finally {
      await unlink(incoming).catch(() => undefined);
    }
  }

  async *read(name: string): AsyncGenerator<Buffer> {
    const file = await this.#open(name);
    try {
      await readHeader(file, name);
      let at = HEADER_SIZE_BYTES;
      for (;;) {
        const buffer = Buffer.allocUnsafe(READ_SIZE_BYTES);
        const { bytesRead } = await file.read(buffer, 0, READ_SIZE_BYTES, at);
        if (bytesRead === 0) return;
        at += bytesRead;
        yield buffer.subarray(0, bytesRead);
      }
    } finally {
      await file.close();
    }
  }

  async list(prefix: string): Promise<readonly StoredObject[]> {
    // Only the folder that the prefix names is walked: a store holds years of objects.
    const below = prefix.includes('/') ? prefix.slice(0, prefix.lastIndexOf('/')) : '';
    const names: string[] = [];
    await this.#walk(below, names);
    const found = names.filter((name) => name.startsWith(prefix)).sort();
    return Promise.all(found.map((name) => this.#describe(name)));
  }

  async remove(name: string, { nowMs }: { readonly nowMs: number }): Promise<void> {
    const { retainUntilMs } = await this.#describe(name);
    if (retainUntilMs > nowMs) {
      throw new BackupsError('BACKUPS_OBJECT_RETAINED', 'the term of the object has not ended', {
        details: { object: name, retainUntilMs },
      });
    }
    const file = this.#toFile(name);
    try {
      await unlink(file);
      await syncDirectory(path.dirname(file));
    } catch (error) {
      throw unavailable('the object could not be removed', error);
    }
  }

  #toFile(name: string): string {
    return path.join(this.#root, ...parseObjectName(name).split('/'));
  }

  async #open(name: string): Promise<FileHandle> {
    try {
      return await open(this.#toFile(name), 'r');
    } catch (error) {
      if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) throw missing(name);
      if (isOurs(error)) throw error;
      throw unavailable('the object could not be read', error);
    }
  }

  async #describe(name: string): Promise<StoredObject> {
    const file = await this.#open(name);
    try {
      const retainUntilMs = await readHeader(file, name);
      const { size } = await file.stat();
      return { name, sizeBytes: size - HEADER_SIZE_BYTES, retainUntilMs };
    } finally {
      await file.close();
    }
  }

  async #walk(folder: string, names: string[]): Promise<void> {
    let entries: readonly { readonly name: string; isDirectory(): boolean }[];
    try {
      entries = await readdir(path.join(this.#root, folder), { withFileTypes: true });
    } catch (error) {
      if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return;
      throw unavailable('the store could not be listed', error);
    }
    for (const entry of entries) {
      if (entry.name.startsWith('.')) continue;
      const name = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) await this.#walk(name, names);
      else names.push(name);
    }
  }
}

const isOurs = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && String(error.code).startsWith('BACKUPS_');

async function writeFile(
  file: string,
  content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  header: Buffer,
): Promise<Omit<WrittenObject, 'name'>> {
  const opened = await open(file, 'wx', 0o600);
  const digest = createHash('sha256');
  let sizeBytes = 0;
  try {
    await opened.write(header);
    for await (const chunk of content) {
      digest.update(chunk);
      sizeBytes += chunk.length;
      await opened.writev([chunk]);
    }
    await opened.sync();
  } finally {
    await opened.close();
  }
  return { sizeBytes, sha256: digest.digest('hex') };
}

/**
 * Opens a directory as an object store. It must exist: a store that was made silently would hide that its
 * volume is not mounted.
 *
 * @throws {BackupsError} `BACKUPS_STORE_UNAVAILABLE`
 */
export async function openDirectoryStore(options: {
  readonly directory: string;
}): Promise<ObjectStore> {
  const { directory } = options;
  const found = await stat(directory).catch(() => undefined);
  if (found?.isDirectory() !== true) {
    throw new BackupsError(
      'BACKUPS_STORE_UNAVAILABLE',
      `the directory \`${directory}\` must exist`,
    );
  }
  const store = new DirectoryStore(path.resolve(directory));
  try {
    await store.prepare();
  } catch (error) {
    throw unavailable(`the directory \`${directory}\` cannot be written`, error);
  }
  return store;
}
