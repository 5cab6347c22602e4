// SPDX-License-Identifier: Apache-2.0
// A replica that is lost is replaced from those that are left, while the key service is stopped. The lost
// one is struck from the store for good: should it turn up again, it may hold what was destroyed meanwhile,
// and a store that opens with it would bring erased people back.
import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Clock } from '@bailiwick/kernel';
import { type ErasableName, wipe } from '@bailiwick/keys';
import { initialiseReplica, misconfigured, Replica, renamePeers } from './replica.ts';

/** Stands in a replacement until the survivors know of it. */
const UNFINISHED_FILE = 'replacement-unfinished';

export interface ReplaceReplicaOptions {
  /** Every replica that is left: what is in one of them only would be lost without it. */
  readonly survivors: readonly string[];
  /** A directory that exists, private and empty; or one that an interrupted replacement left. */
  readonly replacement: string;
  readonly clock: Clock;
}

async function openSurvivors({ survivors, clock }: ReplaceReplicaOptions): Promise<Replica[]> {
  const opened: Replica[] = [];
  for (const directory of survivors) opened.push(await Replica.open(directory, clock));
  const [first] = opened;
  if (first === undefined) throw misconfigured('no replica is left: the store is lost');
  const areOneStore = opened.every(({ identity }) => identity.storeId === first.identity.storeId);
  const ids = new Set(opened.map(({ replicaId }) => replicaId));
  if (!areOneStore || ids.size !== opened.length) {
    throw misconfigured('survivors are of different stores, or one is a copy of another');
  }
  return opened;
}

async function openReplacement(
  { replacement, clock }: ReplaceReplicaOptions,
  survivors: readonly Replica[],
): Promise<Replica> {
  if (!existsSync(replacement)) throw misconfigured('replacement must be a directory that exists');
  const [first] = survivors;
  const storeId = first?.identity.storeId ?? '';
  const mark = path.join(replacement, UNFINISHED_FILE);
  const found = readdirSync(replacement);
  if (found.length === 0) writeFileSync(mark, '', { mode: 0o600, flag: 'wx' });
  if (found.every((name) => name === UNFINISHED_FILE)) {
    const replicaId = randomUUID();
    const replicaIds = [...survivors.map((one) => one.replicaId), replicaId];
    await initialiseReplica(replacement, { storeId, replicaId, replicaIds });
  }
  const opened = await Replica.open(replacement, clock);
  const { identity, replicaId } = opened;
  const isSurvivor = survivors.some(
    (one) => one.replicaId === replicaId || one.place === opened.place,
  );
  const isPeer = survivors.every((one) => one.identity.replicaIds.includes(replicaId));
  const isOfThese =
    identity.storeId === storeId &&
    identity.replicaIds.length === survivors.length + 1 &&
    survivors.every((one) => identity.replicaIds.includes(one.replicaId));
  // SECURITY: one that was struck from the store is no replacement: it may hold what was destroyed since.
  if (isSurvivor || !isOfThese || !(existsSync(mark) || isPeer)) {
    throw misconfigured('replacement must be empty, or what an interrupted replacement left');
  }
  return opened;
}

/**
 * Copies what is left into a replacement and strikes the lost replica from the store; gives how many
 * objects there are. Safe to repeat. The key service must be stopped, and be configured with these
 * directories afterwards.
 *
 * @throws {KeysError} `KEYS_ERASABLE_STORE_MISCONFIGURED`, `KEYS_ERASABLE_STORE_FAILED`
 */
export async function replaceReplica(options: ReplaceReplicaOptions): Promise<number> {
  const survivors = await openSurvivors(options);
  const known = new Set(survivors.flatMap(({ identity }) => identity.replicaIds));
  const replacement = await openReplacement(options, survivors);
  if (known.size < 2) throw misconfigured('the store never had another replica');
  const names = new Map<string, ErasableName>();
  for (const survivor of survivors) {
    for (const name of await survivor.list()) names.set(`${name.tenantId}/${name.objectId}`, name);
  }
  for (const name of names.values()) {
    for (const survivor of survivors) {
      const bytes = await survivor.find(name);
      if (bytes === undefined) continue;
      // Other bytes under the same name are refused: the survivors would not agree.
      await replacement.put(name, bytes);
      wipe(bytes);
    }
  }
  for (const directory of options.survivors) {
    await renamePeers(directory, replacement.identity.replicaIds);
  }
  rmSync(path.join(options.replacement, UNFINISHED_FILE), { force: true });
  return names.size;
}
