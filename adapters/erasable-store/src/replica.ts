// SPDX-License-Identifier: Apache-2.0
// One replica of the erasable store: a directory with an identity of its own. Each step that must survive
// a power cut is synced before the next begins.
import { createPrivateKey, generateKeyPairSync, type KeyObject, randomFillSync } from 'node:crypto';
import {
  type FileHandle,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  stat,
  unlink,
} from 'node:fs/promises';
import path from 'node:path';
import { type Clock, parseKeyId, parseTenantId, toInstant } from '@bailiwick/kernel';
import {
  type ErasableName,
  type ErasableReplica,
  KeysError,
  type SignedStatement,
  signStatement,
  toStatementKey,
} from '@bailiwick/keys';

/** Largest object, in bytes: wraps are 104. */
const OBJECT_SIZE_BYTES_MAX = 4096;
const IDENTITY_FILE = 'replica.json';

export interface ReplicaIdentity {
  readonly storeId: string;
  readonly replicaId: string;
  /** All replicas of the store; a replica opened without its peers is refused. */
  readonly replicaIds: readonly string[];
}

export const hasCode = (error: unknown, code: string): boolean =>
  error instanceof Error && 'code' in error && error.code === code;

export function misconfigured(problem: string, cause?: unknown): KeysError {
  return new KeysError(
    'KEYS_ERASABLE_STORE_MISCONFIGURED',
    problem,
    cause === undefined ? {} : { cause },
  );
}

async function withFile<T>(
  file: string,
  flags: string,
  work: (opened: FileHandle) => Promise<T>,
): Promise<T> {
  const opened = await open(file, flags, 0o600);
  try {
    return await work(opened);
  } finally {
    await opened.close();
  }
}

async function syncDirectory(directory: string): Promise<void> {
  await withFile(directory, 'r', (opened) => opened.sync());
}

async function writeDurably(file: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${file}.new`;
  await withFile(temporary, 'w', async (opened) => {
    await opened.writeFile(bytes);
    await opened.sync();
  });
  await rename(temporary, file);
  await syncDirectory(path.dirname(file));
}

function parseIdentity(text: string): ReplicaIdentity & { readonly privateKey: KeyObject } {
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null) throw new Error('not an object');
  const { storeId, replicaId, replicaIds, privateKey } = value as Record<string, unknown>;
  const isText = (item: unknown): item is string => typeof item === 'string';
  if (!isText(storeId) || !isText(replicaId) || !isText(privateKey)) throw new Error('cut short');
  if (!Array.isArray(replicaIds) || !replicaIds.every(isText)) throw new Error('cut short');
  const key = createPrivateKey({
    key: Buffer.from(privateKey, 'base64'),
    format: 'der',
    type: 'pkcs8',
  });
  return { storeId, replicaId, replicaIds, privateKey: key };
}

/** Gives a directory the identity of a replica. The directory must exist and have none yet. */
export async function initialiseReplica(
  directory: string,
  identity: ReplicaIdentity,
): Promise<void> {
  const file = path.join(directory, IDENTITY_FILE);
  const { privateKey } = generateKeyPairSync('ed25519');
  const der = privateKey.export({ format: 'der', type: 'pkcs8' });
  const text = JSON.stringify({ ...identity, privateKey: der.toString('base64') });
  try {
    await withFile(file, 'wx', async (opened) => {
      await opened.writeFile(text);
      await opened.sync();
    });
    await syncDirectory(directory);
  } catch (cause) {
    throw misconfigured('replica directory must exist and hold no replica yet', cause);
  }
}

/** Tells a replica who its peers are from now on; its own identity and key stay. */
export async function renamePeers(directory: string, replicaIds: readonly string[]): Promise<void> {
  const file = path.join(directory, IDENTITY_FILE);
  const value: unknown = JSON.parse(await readFile(file, 'utf8'));
  if (typeof value !== 'object' || value === null) throw misconfigured('replica has no identity');
  await writeDurably(file, Buffer.from(JSON.stringify({ ...value, replicaIds })));
}

/** An open replica. */
export class Replica implements ErasableReplica {
  readonly identity: ReplicaIdentity;
  readonly replicaId: string;
  readonly publicKey: string;
  /** Device and inode: tells whether two names are one directory. */
  readonly place: string;
  readonly #directory: string;
  readonly #privateKey: KeyObject;
  readonly #clock: Clock;

  private constructor(
    directory: string,
    opened: ReturnType<typeof parseIdentity>,
    more: { readonly place: string; readonly clock: Clock },
  ) {
    const { storeId, replicaId, replicaIds } = opened;
    this.identity = { storeId, replicaId, replicaIds };
    this.replicaId = replicaId;
    this.publicKey = toStatementKey(opened.privateKey);
    this.place = more.place;
    this.#directory = directory;
    this.#privateKey = opened.privateKey;
    this.#clock = more.clock;
  }

  /** @throws {KeysError} `KEYS_ERASABLE_STORE_MISCONFIGURED` unless the directory is a replica. */
  static async open(directory: string, clock: Clock): Promise<Replica> {
    try {
      const { dev, ino, mode } = await stat(directory);
      if ((mode & 0o077) !== 0) throw misconfigured('replica directory must be private (0700)');
      const text = await readFile(path.join(directory, IDENTITY_FILE), 'utf8');
      return new Replica(directory, parseIdentity(text), { place: `${dev}:${ino}`, clock });
    } catch (cause) {
      if (cause instanceof KeysError) throw cause;
      throw misconfigured('replica directory is absent or holds no replica', cause);
    }
  }

  #fileOf({ tenantId, objectId }: ErasableName): string {
    return path.join(this.#directory, parseTenantId(tenantId), parseKeyId(objectId));
  }

  async find(name: ErasableName): Promise<Buffer | undefined> {
    try {
      return await withFile(this.#fileOf(name), 'r', async (opened) => {
        const { size } = await opened.stat();
        if (size < 1 || size > OBJECT_SIZE_BYTES_MAX) {
          throw new KeysError('KEYS_ERASABLE_STORE_FAILED', 'object has an impossible size');
        }
        return opened.readFile();
      });
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  /** Every object that is here; what a crash left beside one is not. */
  async list(): Promise<readonly ErasableName[]> {
    const names: ErasableName[] = [];
    for (const tenant of await readdir(this.#directory, { withFileTypes: true })) {
      if (!tenant.isDirectory()) continue;
      for (const object of await readdir(path.join(this.#directory, tenant.name))) {
        if (object.endsWith('.new')) continue;
        names.push({ tenantId: parseTenantId(tenant.name), objectId: parseKeyId(object) });
      }
    }
    return names;
  }

  async put(name: ErasableName, bytes: Uint8Array): Promise<void> {
    if (bytes.length < 1 || bytes.length > OBJECT_SIZE_BYTES_MAX) {
      throw new KeysError('KEYS_ERASABLE_STORE_FAILED', 'object has an impossible size');
    }
    const there = await this.find(name);
    if (there?.equals(bytes) === true) return;
    if (there !== undefined) {
      throw new KeysError('KEYS_ERASABLE_STORE_FAILED', 'another object lies under this name');
    }
    const file = this.#fileOf(name);
    const isNew = (await mkdir(path.dirname(file), { recursive: true, mode: 0o700 })) !== undefined;
    if (isNew) await syncDirectory(this.#directory);
    await writeDurably(file, bytes);
  }

  /** Overwrites, syncs, unlinks, syncs the directory, and signs that it did. Safe to repeat. */
  async destroy(name: ErasableName): Promise<SignedStatement> {
    const file = this.#fileOf(name);
    // What a crash left beside the object is destroyed with it.
    await this.#destroyFile(`${file}.new`);
    const wasThere = await this.#destroyFile(file);
    return signStatement(this.#privateKey, {
      kind: 'object-destroyed',
      at: toInstant(this.#clock.nowMs()),
      store: this.identity.storeId,
      replica: this.replicaId,
      tenant: name.tenantId,
      object: name.objectId,
      wasThere,
    });
  }

  async #destroyFile(file: string): Promise<boolean> {
    try {
      await withFile(file, 'r+', async (opened) => {
        const { size } = await opened.stat();
        await opened.write(randomFillSync(Buffer.alloc(size)), 0, size, 0);
        await opened.sync();
      });
      await unlink(file);
      await syncDirectory(path.dirname(file));
      return true;
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return false;
      throw error;
    }
  }
}
