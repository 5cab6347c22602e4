// SPDX-License-Identifier: Apache-2.0
// The ledger: entries made and durable in PostgreSQL, proofs made and checked. The store is the embedded
// server with fsync on; ours and the plain INSERT use the same server, the same bytes, one batch in flight.
import { generateKeyPairSync, hash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type CellLedger, createCellLedger } from '@bailiwick/cell/ledger';
import type { Clock, EntryId, Random } from '@bailiwick/kernel';
import { parseCellId, parseTenantId } from '@bailiwick/kernel';
import {
  createProver,
  EMPTY_EDGE,
  EMPTY_ROOT,
  type EntryBody,
  extendLog,
  type LogHead,
  type Prover,
  toLeafHash,
  verifyInclusion,
} from '@bailiwick/ledger';
import {
  type Database,
  type EmbeddedServer,
  openDatabase,
  prepareCellDatabase,
  startEmbeddedServer,
  toRoleUrl,
} from '@bailiwick/postgres';
import { openLog } from '@bailiwick/telemetry';
import {
  type BenchDocument,
  type BenchResult,
  measureRate,
  measureRounds,
  percentile,
  toBenchDocument,
} from './document.ts';
import { measureFileAppend } from './ledger-file.ts';

const BATCH_COUNT = 256;
const ROUND_ENTRIES_COUNT = 25_600;
/** Callers' halves: one is made while the other is in flight; the writer has one statement in flight. */
const LANES_COUNT = 2;
const PROOF_LOG_SIZE = 1_000_000;
const PASSWORD = 'bench-password-0123456789';

const clock: Clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };
const random: Random = { bytes: (size) => randomBytes(size) };
const tenantId = parseTenantId('0198c0de-0000-7000-8000-00000000000a');
const cellId = parseCellId('eu-de/main');

/** What the entry of one read says: actor, flow, decision; about 800 bytes. */
function aDraft(index: number): Omit<EntryBody, 'v' | 'id' | 'at' | 'cell' | 'tenant'> {
  return {
    kind: 'read',
    actor: {
      account: '0198c0de-0000-7000-8000-0000000000aa',
      kind: 'workload',
      role: 'shop-service',
      employer: 'controller',
      assurance: 'substantial',
      place: 'de',
    },
    flow: {
      action: 'read',
      at: '2026-11-20T08:00:00.000Z',
      conditions: [],
      consent: 'absent',
      data: {
        categories: ['contact', 'transactional'],
        class: 'sensitive',
        origin: 'de',
        regimes: ['gdpr'],
        residency: 'eu-de',
      },
      form: 'plain',
      purpose: 'order-fulfilment',
      to: { kind: 'reader', location: 'de', operator: 'de' },
    },
    decision: {
      charter: hash('sha256', 'charter'),
      obligations: ['mask'],
      outcome: 'allow',
      rules: ['eu-reads-at-home', 'purpose-bound'],
      serial: 7,
    },
    records: { count: 1, hash: hash('sha256', String(index)) },
  };
}

interface Place {
  readonly server: EmbeddedServer;
  readonly database: Database;
  readonly directory: string;
  close(): Promise<void>;
}

async function openPlace(): Promise<Place> {
  const directory = mkdtempSync(path.join(tmpdir(), 'bailiwick-bench-'));
  const server = await startEmbeddedServer({ directory: path.join(directory, 'postgres') });
  const passwords = { cellPassword: PASSWORD, keysPassword: PASSWORD };
  await prepareCellDatabase({ ownerUrl: server.url, ...passwords });
  const url = toRoleUrl(server.url, { role: 'bailiwick_cell', password: PASSWORD });
  const database = openDatabase({ url, poolSize: 8, applicationName: 'bailiwick-bench' });
  const owner = openDatabase({ url: server.url, poolSize: 1, applicationName: 'bailiwick-bench' });
  await owner.pool.query(
    `CREATE TABLE cell.plain (tenant_id uuid, entry_id uuid, kind text, commitment bytea, salt bytea,
       body text, PRIMARY KEY (tenant_id, entry_id));
     GRANT SELECT, INSERT ON cell.plain TO bailiwick_cell`,
  );
  await owner.close();
  return {
    server,
    database,
    directory,
    async close() {
      await database.close();
      await server.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Entries from their drafts to positions under a signed checkpoint; the clock stops when all are covered. */
async function appendOurs(ledger: CellLedger): Promise<number> {
  const startedMs = performance.now();
  const lane = async (): Promise<EntryId> => {
    let last: EntryId | undefined;
    for (let count = 0; count < ROUND_ENTRIES_COUNT / LANES_COUNT; count += BATCH_COUNT) {
      const batch = Array.from({ length: BATCH_COUNT }, (_, index) =>
        ledger.entries.record(tenantId, aDraft(count + index)),
      );
      last = (await Promise.all(batch)).at(-1)?.entryId;
    }
    if (last === undefined) throw new Error('nothing was appended');
    return last;
  };
  const lasts = await Promise.all(Array.from({ length: LANES_COUNT }, lane));
  for (const last of lasts) await ledger.entries.awaitCheckpoint(last, { timeoutMs: 30_000 });
  return (ROUND_ENTRIES_COUNT / (performance.now() - startedMs)) * 1000;
}

const PLAIN_ROW = (row: number): string =>
  `(${Array.from({ length: 6 }, (_, column) => `$${row * 6 + column + 1}`).join(',')})`;
const PLAIN_INSERT = {
  name: 'plain',
  text: `INSERT INTO cell.plain VALUES ${Array.from({ length: BATCH_COUNT }, (_, row) => PLAIN_ROW(row)).join(',')}`,
};

/** Ready-made rows of the same columns and bytes: nothing is hashed, nothing is made. */
function createPlain(ledger: CellLedger): () => unknown[][] {
  return () => {
    const batches: unknown[][] = [];
    for (let count = 0; count < ROUND_ENTRIES_COUNT; count += BATCH_COUNT) {
      const values: unknown[] = [];
      for (let index = 0; index < BATCH_COUNT; index += 1) {
        const entry = ledger.entries.prepare(tenantId, aDraft(count + index));
        values.push(tenantId, entry.entryId, entry.kind, entry.commitment, entry.salt, entry.body);
      }
      batches.push(values);
    }
    return batches;
  };
}

async function appendPlain(database: Database, batches: readonly unknown[][]): Promise<number> {
  const startedMs = performance.now();
  for (const values of batches) await database.pool.query({ ...PLAIN_INSERT, values });
  return (ROUND_ENTRIES_COUNT / (performance.now() - startedMs)) * 1000;
}

/** How long one entry takes to be durable, 32 at a time at about half of the full rate. */
async function measureDurability(ledger: CellLedger): Promise<readonly number[]> {
  const times: number[] = [];
  const endsMs = performance.now() + 2_000;
  const worker = async (): Promise<void> => {
    while (performance.now() < endsMs) {
      const startedMs = performance.now();
      await ledger.entries.record(tenantId, aDraft(times.length));
      times.push(performance.now() - startedMs);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  };
  await Promise.all(Array.from({ length: 32 }, worker));
  return times;
}

async function measureAppend(): Promise<readonly BenchResult[]> {
  const place = await openPlace();
  const { privateKey } = generateKeyPairSync('ed25519');
  const { database } = place;
  const log = openLog({ component: 'bench' });
  const ledger = createCellLedger({ cellId, epoch: 1, privateKey, database, clock, random, log });
  ledger.start();
  try {
    const makePlain = createPlain(ledger);
    const { value, baseline, ratio } = await measureRounds({
      ours: () => appendOurs(ledger),
      baseline: () => appendPlain(database, makePlain()),
    });
    const times = await measureDurability(ledger);
    const spread = { p50: percentile(times, 0.5), p99: percentile(times, 0.99) };
    const perSecond = times.length / 2;
    return [
      {
        id: 'ledger.append',
        what:
          `drafts made into entries (canonical, salted, hashed), durable in PostgreSQL with fsync in batches of ${BATCH_COUNT}, ` +
          'one statement in flight (the next is made meanwhile), row security on; sequenced, in tiles and under a signed checkpoint before the clock stops; one warm-up round',
        unit: 'entries/s',
        value,
        baseline: {
          name: 'multi-row INSERT of the same ready bytes, one in flight',
          value: baseline,
        },
        ratio,
      },
      {
        id: 'ledger.durable',
        what: 'one entry from its draft to durable, 32 callers with 2 ms between, sequencer at work; p50 and p99 in ms',
        unit: 'entries/s',
        value: perSecond,
        ...spread,
        baseline: { name: 'ledger.append', value },
        ratio: perSecond / value,
      },
    ];
  } finally {
    await ledger.stop();
    await place.close();
  }
}

interface BuiltLog {
  readonly head: LogHead;
  readonly prover: Prover;
  readonly leafHashes: readonly Uint8Array[];
}

function buildLog(size: number): BuiltLog {
  const tiles = new Map<string, Uint8Array>();
  let head: LogHead = { epoch: 1, size: 0, root: EMPTY_ROOT };
  let edge = EMPTY_EDGE;
  const leafHashes: Uint8Array[] = [];
  while (head.size < size) {
    const commitments = randomBytes(32 * Math.min(10_000, size - head.size));
    for (let at = 0; at < commitments.length; at += 32) {
      leafHashes.push(toLeafHash(commitments.subarray(at, at + 32)));
    }
    const extension = extendLog(head, edge, commitments);
    ({ head, edge } = extension);
    for (const { level, index, bytes } of extension.tiles) tiles.set(`${level}/${index}`, bytes);
  }
  const prover = createProver(async ({ level, index }) => {
    return tiles.get(`${level}/${index}`) ?? new Uint8Array(0);
  });
  return { head, prover, leafHashes };
}

const PATH_HASHES_COUNT = 20;

/** What the hashing of one path costs by itself. */
function hashPaths(count: number): void {
  const bytes = Buffer.alloc(65, 1);
  for (let done = 0; done < count * PATH_HASHES_COUNT; done += 1) hash('sha256', bytes, 'buffer');
}

async function measureProofs(): Promise<readonly BenchResult[]> {
  const { head, prover, leafHashes } = buildLog(PROOF_LOG_SIZE);
  const { size, root } = head;
  // A walk over all tiles: each proof needs another one than the last few thousand did.
  const indexAt = (step: number): number => (step * 257 * 7) % size;
  let step = 0;
  const proveFor = async (ms: number): Promise<number> => {
    const startedMs = performance.now();
    let count = 0;
    for (; performance.now() - startedMs < ms; count += 1, step += 1) {
      await prover.proveInclusion({ index: indexAt(step), size });
    }
    return (count / (performance.now() - startedMs)) * 1000;
  };
  const baseline = { name: `${PATH_HASHES_COUNT} hashes by node:crypto` };
  const prove = await measureRounds({
    ours: () => proveFor(400),
    baseline: () => measureRate(hashPaths, 200),
    rounds: 3,
  });
  const proofs = await Promise.all(
    Array.from({ length: 2_000 }, async (_, at) => {
      const index = indexAt(at);
      const hashes = await prover.proveInclusion({ index, size });
      return { leafHash: leafHashes[index] ?? EMPTY_ROOT, index, size, hashes };
    }),
  );
  const verifyMany = (count: number): void => {
    for (let at = 0; at < count; at += 1) {
      const proof = proofs[at % proofs.length];
      if (proof !== undefined) verifyInclusion(proof, root);
    }
  };
  const verify = await measureRounds({
    ours: () => measureRate(verifyMany, 200),
    baseline: () => measureRate(hashPaths, 200),
    rounds: 3,
  });
  return [
    {
      id: 'ledger.prove',
      what: `inclusion proofs from the tiles of a log of ${size} entries in memory, one at a time, each from another tile`,
      unit: 'proofs/s',
      value: prove.value,
      baseline: { ...baseline, value: prove.baseline },
      ratio: prove.ratio,
    },
    {
      id: 'ledger.verify',
      what: 'inclusion proofs of that log checked against its root',
      unit: 'proofs/s',
      value: verify.value,
      baseline: { ...baseline, value: verify.baseline },
      ratio: verify.ratio,
    },
  ];
}

export async function run(): Promise<BenchDocument> {
  const toBody = (index: number): string => JSON.stringify(aDraft(index));
  return toBenchDocument('ledger', [
    ...(await measureAppend()),
    await measureFileAppend(tenantId, toBody),
    ...(await measureProofs()),
  ]);
}
