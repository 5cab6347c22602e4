// SPDX-License-Identifier: Apache-2.0
// Goal: nothing is signed that is not durable or does not extend what was signed. The store is in memory.
import { generateKeyPairSync } from 'node:crypto';
import {
  createLogSigner,
  type LogHead,
  type LogStore,
  type StoredCheckpoint,
  verifyCheckpoint,
} from '@bailiwick/ledger';
import { openLog } from '@bailiwick/telemetry';
import { createFakeClock, createMemoryLogStore } from '@bailiwick/testkit';
import { aNewEntry, someEntries } from '@bailiwick/testkit/suites/log-store';
import { describe, expect, it } from 'vitest';
import { Sequencer } from './sequencer.ts';

const clock = createFakeClock();
const log = openLog({ component: 'test' });
const { privateKey } = generateKeyPairSync('ed25519');
const signer = createLogSigner({ origin: 'eu-de/main/ledger/1', privateKey });
const open = (store: LogStore): Sequencer => new Sequencer({ epoch: 1, store, signer, clock, log });
const signedSize = async (store: LogStore): Promise<number> => {
  const checkpoint = await store.readCheckpoint(1);
  return verifyCheckpoint(checkpoint?.note ?? '', { log: signer.verifierKey }).size;
};

/** A store whose methods can be replaced one by one. */
function over(store: LogStore, changes: Partial<LogStore>): LogStore {
  return {
    append: (entries) => store.append(entries),
    sequence: (options) => store.sequence(options),
    readHead: (epoch) => store.readHead(epoch),
    readTile: (epoch, address) => store.readTile(epoch, address),
    saveCheckpoint: (epoch, checkpoint) => store.saveCheckpoint(epoch, checkpoint),
    readCheckpoint: (epoch) => store.readCheckpoint(epoch),
    findBatch: (batch) => store.findBatch(batch),
    ...changes,
  };
}

describe('the sequencer', () => {
  it('signs each head, and goes on from what another process signed', async () => {
    const store = createMemoryLogStore();
    for (let round = 1; round <= 5; round += 1) {
      await store.append(someEntries(100));
      const sequencer = open(store);
      await sequencer.step();
      expect(await signedSize(store)).toBe(round * 100);
    }
  });

  it('signs nothing of an empty log', async () => {
    const store = createMemoryLogStore();
    expect(await open(store).step()).toBe(false);
    expect(await store.readCheckpoint(1)).toBeUndefined();
  });

  it('does not sign a shorter log, another log of the same size, or a longer one that is a fork', async () => {
    const signed = createMemoryLogStore();
    await signed.append(someEntries(50));
    const sequencer = open(signed);
    await sequencer.step();
    const checkpoint = await signed.readCheckpoint(1);
    for (const count of [20, 50, 90]) {
      const fork = createMemoryLogStore();
      await fork.append([aNewEntry('{"fork":1}'), ...someEntries(count - 1)]);
      const saved: StoredCheckpoint[] = [];
      const store = over(fork, {
        readCheckpoint: async () => checkpoint,
        saveCheckpoint: async (_epoch, one) => saved.push(one) > 0,
      });
      await expect(open(store).step()).rejects.toMatchObject({ code: 'LEDGER_HEAD_REGRESSED' });
      expect(saved).toEqual([]);
    }
  });

  it('does not believe a stored checkpoint that it did not sign', async () => {
    const store = createMemoryLogStore();
    await store.append(someEntries(5));
    const forged = over(store, { readCheckpoint: async () => ({ size: 1, note: 'a\n1\nAAAA\n' }) });
    await expect(open(forged).step()).rejects.toMatchObject({ code: 'LEDGER_HEAD_INVALID' });
  });

  it('does not replace a newer checkpoint when it wakes up with an older head', async () => {
    const store = createMemoryLogStore();
    await store.append(someEntries(10));
    let paused: LogHead | undefined;
    const slow = over(store, {
      async sequence(options) {
        const result = await store.sequence(options);
        paused = result.head;
        // While this one sleeps, another process goes on and signs.
        await store.append(someEntries(10));
        await open(store).step();
        return result;
      },
    });
    await open(slow).step();
    expect(paused?.size).toBe(10);
    expect(await signedSize(store)).toBe(20);
  });

  it('stops for good, and says so, when a later epoch is open', async () => {
    const store = createMemoryLogStore();
    await store.sequence({ epoch: 2, entriesCountMax: 1 });
    const sequencer = open(store);
    sequencer.start();
    while (sequencer.state.failure === undefined) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(sequencer.state).toEqual({
      isRunning: false,
      signedSize: 0,
      failure: 'LEDGER_EPOCH_CLOSED',
    });
    await sequencer.stop();
  });

  it('goes on after failures that pass', async () => {
    const store = createMemoryLogStore();
    let failures = 0;
    const shaky = over(store, {
      async sequence(options) {
        failures += 1;
        if (failures === 1) throw Object.assign(new Error('lost'), { code: '08006' });
        return store.sequence(options);
      },
    });
    await store.append(someEntries(3));
    const sequencer = open(shaky);
    sequencer.start();
    while (sequencer.state.signedSize < 3) {
      sequencer.hurry();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await sequencer.stop();
    expect(sequencer.state.failure).toBeUndefined();
  });
});
