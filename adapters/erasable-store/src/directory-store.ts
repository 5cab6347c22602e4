// SPDX-License-Identifier: Apache-2.0
// The erasable store over directories. Put them on volumes without snapshots, backups or copy-on-write,
// on different disks: losing all replicas loses the data, and a copy somebody took of one defeats
// erasure (receipts say so). Overwriting in place helps against a look at the disk only where the file
// system and the medium overwrite in place; on flash it does not, so encrypt the volume.
import { randomUUID } from 'node:crypto';
import type { Clock } from '@bailiwick/kernel';
import { type ErasableStore, KeysError, wipe } from '@bailiwick/keys';
import { initialiseReplica, misconfigured, Replica } from './replica.ts';

const REPLICAS_COUNT_MIN = 2;

/**
 * Gives directories, which must exist, the identities of one new store's replicas. Only for setting up:
 * a store that has held keys and is made anew has lost them.
 *
 * @throws {KeysError} `KEYS_ERASABLE_STORE_MISCONFIGURED`
 */
export async function createErasableStore(options: {
  readonly replicas: readonly string[];
}): Promise<void> {
  const { replicas } = options;
  if (replicas.length < REPLICAS_COUNT_MIN || new Set(replicas).size !== replicas.length) {
    throw misconfigured(
      'an erasable store needs at least two replicas, each a directory of its own',
    );
  }
  const storeId = randomUUID();
  const replicaIds = replicas.map(() => randomUUID());
  for (const [index, directory] of replicas.entries()) {
    await initialiseReplica(directory, { storeId, replicaId: replicaIds[index] ?? '', replicaIds });
  }
}

function assertComplete(replicas: readonly Replica[]): void {
  const [first] = replicas;
  if (first === undefined || replicas.length < REPLICAS_COUNT_MIN) {
    throw misconfigured('an erasable store needs at least two replicas');
  }
  if (new Set(replicas.map(({ place }) => place)).size !== replicas.length) {
    throw misconfigured('two replicas are one directory');
  }
  const ids = replicas.map(({ replicaId }) => replicaId);
  if (new Set(ids).size !== ids.length) throw misconfigured('one replica is a copy of another');
  const expected = [...first.identity.replicaIds].sort().join();
  if (replicas.some(({ identity }) => identity.storeId !== first.identity.storeId)) {
    throw misconfigured('replicas are of different stores');
  }
  if ([...ids].sort().join() !== expected) throw misconfigured('a replica of the store is missing');
}

function failed(problem: string, cause: unknown): KeysError {
  return new KeysError('KEYS_ERASABLE_STORE_FAILED', problem, { cause });
}

/**
 * Opens a store made by `createErasableStore`. All of its replicas must be there.
 *
 * @throws {KeysError} `KEYS_ERASABLE_STORE_MISCONFIGURED`
 */
export async function openErasableStore(options: {
  readonly replicas: readonly string[];
  readonly clock: Clock;
}): Promise<ErasableStore> {
  const replicas: Replica[] = [];
  for (const directory of options.replicas) {
    replicas.push(await Replica.open(directory, options.clock));
  }
  assertComplete(replicas);
  const inAll = async <T>(
    work: (replica: Replica) => Promise<T>,
    problem: string,
  ): Promise<T[]> => {
    const outcomes = await Promise.allSettled(replicas.map(work));
    const rejected = outcomes.find((outcome) => outcome.status === 'rejected');
    if (rejected !== undefined) throw failed(problem, rejected.reason);
    return outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  };
  return {
    replicas: replicas.map(({ replicaId, publicKey }) => ({ replicaId, publicKey })),
    isExtractable: true,
    async put(name, bytes) {
      await inAll((replica) => replica.put(name, bytes), 'a replica did not take the object');
    },
    async find(name) {
      const outcomes = await Promise.allSettled(replicas.map((replica) => replica.find(name)));
      const found = outcomes.flatMap((outcome) =>
        outcome.status === 'fulfilled' && outcome.value !== undefined ? [outcome.value] : [],
      );
      const [first, ...others] = found;
      if (first === undefined) {
        const rejected = outcomes.find((outcome) => outcome.status === 'rejected');
        if (rejected !== undefined) throw failed('no replica could be read', rejected.reason);
        return undefined;
      }
      if (others.some((other) => !other.equals(first))) {
        wipe(...found);
        throw new KeysError('KEYS_ERASABLE_STORE_FAILED', 'replicas hold different objects');
      }
      return first;
    },
    destroy: (name) =>
      inAll((replica) => replica.destroy(name), 'a replica did not destroy the object'),
  };
}
