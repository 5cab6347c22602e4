// SPDX-License-Identifier: Apache-2.0
// A process that appends and sequences until it is killed; it tells each batch once it is durable.
import { randomBytes } from 'node:crypto';
import process from 'node:process';
import { createUuidV7, parseEntryId } from '@bailiwick/kernel';
import { commitEntry, type NewEntry } from '@bailiwick/ledger';
import { openFileLogStore } from '../file-log-store.ts';

const ports = {
  clock: { nowMs: () => Date.now(), monotonicMs: () => performance.now() },
  random: { bytes: (size: number) => randomBytes(size) },
};

function anEntry(): NewEntry {
  const salt = randomBytes(32);
  const body = `{"n":"${salt.toString('hex')}"}`;
  const entryId = parseEntryId(createUuidV7(ports));
  return {
    tenantId: undefined,
    entryId,
    kind: 'write',
    salt,
    body,
    commitment: commitEntry(salt, body),
  };
}

const store = openFileLogStore(process.argv[2] ?? '');
const lane = async (size: number): Promise<never> => {
  for (;;) {
    const id = await store.append(Array.from({ length: size }, anEntry));
    process.stdout.write(`${JSON.stringify({ id, count: size })}\n`);
  }
};
const sequence = async (): Promise<never> => {
  for (;;) {
    const { head } = await store.sequence({ epoch: 1, entriesCountMax: 1_000 });
    await store.saveCheckpoint(1, { size: head.size, note: 'note' });
    await new Promise((resolve) => setImmediate(resolve));
  }
};
await Promise.race([lane(1), lane(7), lane(40), sequence()]);
