// SPDX-License-Identifier: Apache-2.0
// Goal: a witness answers as c2sp.org/tlog-witness says, keeps before it answers, and tells no time that
// belies an earlier one. Method: a store in memory that can be slow, lose a race or lie; a clock that jumps.
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { aLog, aPrivateKey } from './a-log.ts';
import { verifyCheckpoint } from './checkpoint.ts';
import { createCosigner, createLogSigner } from './signer.ts';
import { toAddCheckpointText } from './witness.ts';
import {
  CLOCK_STEP_SECONDS_MAX,
  createWitness,
  TIME_SECONDS_MIN,
  type Witness,
  type WitnessAnswer,
  type WitnessedCheckpoint,
  type WitnessStore,
} from './witness-service.ts';

const START_SECONDS = TIME_SECONDS_MIN + 1_000;
const cosigner = createCosigner({ name: 'witness.example/w1', privateKey: aPrivateKey('w1') });
const old = aLog(30);
const now = aLog(50);
const fork = aLog(50, { change: 7 });
const origin = now.signer.verifierKey.name;

class MemoryStore implements WitnessStore {
  readonly kept = new Map<string, WitnessedCheckpoint>();
  /** Runs before a step is taken: somebody else may be faster. */
  before: () => void = () => undefined;

  async find(name: string): Promise<WitnessedCheckpoint | undefined> {
    return this.kept.get(name);
  }

  async advance(name: string, next: WitnessedCheckpoint): Promise<boolean> {
    this.before();
    if ((this.kept.get(name)?.version ?? 0) !== next.version - 1) return false;
    this.kept.set(name, { version: next.version, note: next.note });
    return true;
  }
}

function aWitness(): {
  witness: Witness;
  store: MemoryStore;
  time: { seconds: number };
  add(log: typeof now, oldSize: number, hashes?: readonly Uint8Array[]): Promise<WitnessAnswer>;
} {
  const store = new MemoryStore();
  const time = { seconds: START_SECONDS };
  const witness = createWitness({
    cosigner,
    store,
    logs: [now.signer.verifierKey],
    clock: { nowMs: () => time.seconds * 1000, monotonicMs: () => 0 },
  });
  return {
    witness,
    store,
    time,
    add: (log, oldSize, hashes = []) =>
      witness.addCheckpoint(
        Buffer.from(toAddCheckpointText({ oldSize, hashes, checkpoint: log.checkpoint })),
      ),
  };
}

const grown = (): Promise<Uint8Array[]> => now.prover.proveConsistency({ oldSize: 30, size: 50 });
const atOf = (note: string): number | undefined =>
  verifyCheckpoint(note, {
    log: now.signer.verifierKey,
    witnesses: [cosigner.verifierKey],
  }).signers.find(({ key }) => key === cosigner.verifierKey)?.atSeconds;

describe('a witness put together', () => {
  it('answers with a cosignature over this very checkpoint, at its time', async () => {
    const { add, witness } = aWitness();
    const answer = await add(old, 0);
    expect(answer).toMatchObject({ status: 200 });
    expect(answer.body).toMatch(/^\u2014 witness\.example\/w1 [A-Za-z0-9+/=]+\n$/);
    expect(atOf(old.checkpoint + answer.body)).toBe(START_SECONDS);
    const hash = createHash('sha256').update(origin).digest('hex');
    expect(await witness.findCheckpoint(hash)).toBe(old.checkpoint + answer.body);
    expect(await witness.findCheckpoint('0'.repeat(64))).toBeUndefined();
  });

  it('grows with the log and tells its size to who is behind or ahead', async () => {
    const { add } = aWitness();
    await add(old, 0);
    const hashes = await grown();
    expect(await add(now, 0)).toEqual({
      status: 409,
      contentType: 'text/x.tlog.size',
      body: '30\n',
    });
    expect(await add(now, 30, hashes)).toMatchObject({ status: 200 });
    expect(await add(old, 30)).toEqual({
      status: 409,
      contentType: 'text/x.tlog.size',
      body: '50\n',
    });
    expect(await add(now, 50)).toMatchObject({ status: 200 });
  });

  it('hands out a signed checkpoint that does not continue as evidence, and nothing unsigned', async () => {
    const { add, store, witness } = aWitness();
    await add(now, 0);
    const before = store.kept.get(origin);
    expect(await add(fork, 50)).toMatchObject({ status: 422, evidence: fork.checkpoint });
    const stranger = createLogSigner({ origin, privateKey: aPrivateKey('stranger') });
    const checkpoint = stranger.signCheckpoint(fork.head);
    const body = toAddCheckpointText({ oldSize: 50, hashes: [], checkpoint });
    const answer = await witness.addCheckpoint(Buffer.from(body));
    expect(answer).toMatchObject({ status: 403 });
    expect(answer.evidence).toBeUndefined();
    expect(store.kept.get(origin)).toBe(before);
  });

  it('judges again when another request was faster, and cosigns one of two forks at most', async () => {
    const { add, store } = aWitness();
    const other = aWitness();
    await other.add(fork, 0);
    let isFirst = true;
    store.before = () => {
      const kept = other.store.kept.get(origin);
      if (isFirst && kept !== undefined) store.kept.set(origin, kept);
      isFirst = false;
    };
    expect(await add(now, 0)).toMatchObject({ status: 409, body: '50\n' });
    expect(await add(now, 50)).toMatchObject({ status: 422 });
  });

  it('gives no answer when what it cosigned cannot be kept', async () => {
    const { add, store } = aWitness();
    store.before = () => {
      throw new Error('disk full');
    };
    await expect(add(old, 0)).rejects.toThrow('disk full');
  });

  it('says so when there are too many at once', async () => {
    const { add, store } = aWitness();
    let version = 0;
    store.before = () => {
      version += 1;
      const line = cosigner.cosign(`${old.checkpoint.split('\n\n')[0]}\n`, {
        atSeconds: START_SECONDS,
      });
      store.kept.set(origin, { version: version * 10, note: old.checkpoint + line });
    };
    await add(old, 0).then(({ status }) => expect([409, 503]).toContain(status));
    expect(await add(old, 30)).toMatchObject({ status: 503 });
  });

  it('stops for a log whose kept state was cut, edited, swapped or forged', async () => {
    const { add, store } = aWitness();
    await add(old, 0);
    const { note = '' } = store.kept.get(origin) ?? {};
    const foreign = aLog(30, { origin: 'us-va/main/ledger/1' });
    const foreignLine = cosigner.cosign(`${foreign.checkpoint.split('\n\n')[0]}\n`, {
      atSeconds: START_SECONDS,
    });
    const impostor = createCosigner({ name: 'witness.example/w1', privateKey: aPrivateKey('x') });
    const forged = impostor.cosign(`${old.checkpoint.split('\n\n')[0]}\n`, {
      atSeconds: START_SECONDS,
    });
    const broken = [
      '',
      note.slice(0, -20),
      note.replace('\n30\n', '\n29\n'),
      old.checkpoint,
      foreign.checkpoint + foreignLine,
      old.checkpoint + forged,
    ];
    for (const kept of broken) {
      store.kept.set(origin, { version: 1, note: kept });
      await expect(add(now, 30, await grown()), kept).rejects.toMatchObject({
        code: 'LEDGER_HEAD_INVALID',
      });
    }
  });

  it('refuses what is no request with 400', async () => {
    const { witness } = aWitness();
    for (const body of ['', 'old 0\n', 'old 0\n\nnothing', `old 00\n\n${old.checkpoint}`]) {
      expect(await witness.addCheckpoint(Buffer.from(body)), body).toMatchObject({ status: 400 });
    }
    const latin = Buffer.concat([Buffer.from('old 0\n\n'), Buffer.from([0xff, 0xfe])]);
    expect(await witness.addCheckpoint(latin)).toMatchObject({ status: 400 });
  });
});

describe('the clock of a witness', () => {
  it('never goes back in what it signs: a small step waits, a large one stops it', async () => {
    const { add, time, store } = aWitness();
    await add(old, 0);
    time.seconds -= CLOCK_STEP_SECONDS_MAX;
    const answer = await add(now, 30, await grown());
    expect(atOf(now.checkpoint + answer.body)).toBe(START_SECONDS);
    time.seconds -= 1;
    const before = store.kept.get(origin);
    expect(await add(now, 50)).toMatchObject({ status: 503 });
    expect(store.kept.get(origin)).toBe(before);
    time.seconds = START_SECONDS + 60;
    const later = await add(now, 50);
    expect(atOf(now.checkpoint + later.body)).toBe(START_SECONDS + 60);
  });

  it('cosigns nothing before it was set', async () => {
    const { add, time, store } = aWitness();
    time.seconds = TIME_SECONDS_MIN - 1;
    expect(await add(old, 0)).toMatchObject({ status: 503 });
    time.seconds = 0;
    expect(await add(old, 0)).toMatchObject({ status: 503 });
    expect(store.kept.size).toBe(0);
  });
});
