// SPDX-License-Identifier: Apache-2.0
// Goal: an entry that was reported durable is in the signed log, in the order of its batch, and a bad one
// harms nobody (invariant 3). Method: a real PostgreSQL, the real sequencer.
import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import type { Clock, Random, TenantId } from '@bailiwick/kernel';
import { parseCellId, parseTenantId } from '@bailiwick/kernel';
import {
  commitEntry,
  encodeWriteItems,
  parseEntryBody,
  type RowWrite,
  toLeafHash,
  toServedTile,
  verifyCheckpoint,
  verifyExport,
  verifyInclusion,
  writeExport,
} from '@bailiwick/ledger';
import type { Database } from '@bailiwick/postgres';
import { type TestDatabase, withTestDatabase } from '@bailiwick/postgres/testing';
import { openLog } from '@bailiwick/telemetry';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { EntryDraft } from '../services.ts';
import { type CellLedger, createCellLedger } from './cell-ledger.ts';
import { findEntries, listEntries, readWriteHistory, streamBodies } from './entry-store.ts';

const clock: Clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };
const random: Random = { bytes: (size) => randomBytes(size) };
const log = openLog({ component: 'test' });
const cellId = parseCellId('eu-de/main');
const { privateKey } = generateKeyPairSync('ed25519');
const A_TENANT = parseTenantId('0198c0de-0000-7000-8000-00000000000a');
const B_TENANT = parseTenantId('0198c0de-0000-7000-8000-00000000000b');

const aRead = (count = 1): EntryDraft => ({
  kind: 'read',
  records: { count, hash: createHash('sha256').update(String(count)).digest('hex') },
});

describe('a cell ledger', () => {
  let test: TestDatabase;
  let database: Database;
  const opened: CellLedger[] = [];
  beforeAll(async () => {
    test = await withTestDatabase();
    database = test.open(12);
  });
  afterEach(async () => {
    for (const ledger of opened.splice(0)) await ledger.stop();
  });
  afterAll(() => test.close());

  const open = (epoch = 1): CellLedger => {
    const ledger = createCellLedger({ cellId, epoch, privateKey, database, clock, random, log });
    opened.push(ledger);
    return ledger;
  };
  const proofOf = async (ledger: CellLedger, tenant: TenantId, entryId: string): Promise<void> => {
    const stored = await ledger.store.readCheckpoint(ledger.epoch);
    const { size, root } = verifyCheckpoint(stored?.note ?? '', { log: ledger.verifierKey });
    const [entry] = await database.withTenant(tenant, (tx) =>
      findEntries(tx, { epoch: ledger.epoch, entryIds: [entryId as never] }),
    );
    const { salt = Buffer.alloc(32), body = '', index = -1 } = entry ?? {};
    expect(parseEntryBody(body).id).toBe(entryId);
    const leafHash = toLeafHash(commitEntry(salt, body));
    const hashes = await ledger.prover.proveInclusion({ index, size });
    verifyInclusion({ leafHash, index, size, hashes }, root);
  };

  it('records a crowd of many tenants, each entry durable, provable and under a checkpoint', async () => {
    const ledger = open();
    ledger.start();
    const receipts = await Promise.all(
      Array.from({ length: 300 }, (_, index) =>
        ledger.entries.record(index % 3 === 0 ? A_TENANT : B_TENANT, aRead(index)),
      ),
    );
    expect(new Set(receipts.map(({ entryId }) => entryId)).size).toBe(300);
    const last = receipts.at(-1);
    const first = receipts.at(0);
    if (first === undefined || last === undefined) throw new Error('no receipts');
    await ledger.entries.awaitCheckpoint(last.entryId, { timeoutMs: 5_000 });
    await ledger.entries.awaitCheckpoint(first.entryId, { timeoutMs: 5_000 });
    await proofOf(ledger, A_TENANT, first.entryId);
    await proofOf(ledger, B_TENANT, last.entryId);
    await expect(proofOf(ledger, B_TENANT, first.entryId)).rejects.toThrow();
  });

  it('signs each durable head within a second', async () => {
    const ledger = open();
    ledger.start();
    const { entryId } = await ledger.entries.record(A_TENANT, aRead());
    const startedMs = performance.now();
    let size = 0;
    do {
      size = (await ledger.store.readCheckpoint(1))?.size ?? 0;
      await new Promise((resolve) => setImmediate(resolve));
    } while (size < (await ledger.store.readHead(1)).size || !(await hasPlace(entryId)));
    expect(performance.now() - startedMs).toBeLessThan(1_000);
  });

  const hasPlace = async (entryId: string): Promise<boolean> => {
    const [entry] = await database.withTenant(A_TENANT, (tx) =>
      findEntries(tx, { epoch: 1, entryIds: [entryId as never] }),
    );
    return entry?.index !== undefined;
  };

  it('writes an entry with its effect or not at all', async () => {
    const ledger = open();
    ledger.start();
    const kept = ledger.entries.prepare(A_TENANT, { ...aRead(), kind: 'write' });
    const lost = ledger.entries.prepare(A_TENANT, { ...aRead(), kind: 'write' });
    await database.withTenant(A_TENANT, (tx) => ledger.entries.insertPrepared(tx, [kept]));
    await expect(
      database.withTenant(A_TENANT, async (tx) => {
        await ledger.entries.insertPrepared(tx, [lost]);
        throw new Error('effect failed');
      }),
    ).rejects.toThrow('effect failed');
    await ledger.entries.awaitCheckpoint(kept.entryId, { timeoutMs: 5_000 });
    await proofOf(ledger, A_TENANT, kept.entryId);
    await expect(
      ledger.entries.awaitCheckpoint(lost.entryId, { timeoutMs: 100 }),
    ).rejects.toMatchObject({ code: 'LEDGER_CHECKPOINT_LATE' });
    await expect(
      ledger.entries.awaitCheckpoint(A_TENANT as never, { timeoutMs: 100 }),
    ).rejects.toMatchObject({ code: 'LEDGER_ENTRY_UNKNOWN' });
  });

  it('does not let a bad entry sink those beside it', async () => {
    const ledger = open();
    ledger.start();
    await test.asOwner(
      `ALTER TABLE ledger.entries ADD CONSTRAINT no_bad CHECK (position('bad-one' IN body) = 0)`,
    );
    try {
      const results = await Promise.allSettled(
        Array.from({ length: 40 }, (_, index) =>
          ledger.entries.record(A_TENANT, {
            ...aRead(index),
            facts: { name: index === 7 || index === 31 ? 'bad-one' : 'good' },
          }),
        ),
      );
      const bad = results.flatMap((result, index) => (result.status === 'rejected' ? [index] : []));
      expect(bad).toEqual([7, 31]);
      expect(results[7]).toMatchObject({ reason: { code: 'LEDGER_ENTRY_INVALID' } });
    } finally {
      await test.asOwner('ALTER TABLE ledger.entries DROP CONSTRAINT no_bad');
    }
  });

  it('refuses, and goes on with a new connection, when its connection is lost', async () => {
    const ledger = open();
    ledger.start();
    await ledger.entries.record(A_TENANT, aRead());
    await test.asOwner(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE usename = 'bailiwick_cell' AND datname = current_database()`,
    );
    const outcomes: string[] = [];
    while (outcomes.at(-1) !== 'durable' && outcomes.length < 50) {
      const outcome = await ledger.entries.record(A_TENANT, aRead()).then(
        () => 'durable',
        (error: Error & { code?: string }) => error.code ?? 'unknown',
      );
      outcomes.push(outcome);
    }
    expect(outcomes.at(-1)).toBe('durable');
    expect(new Set(outcomes.slice(0, -1))).toEqual(new Set(['LEDGER_ENTRY_NOT_DURABLE']));
  });

  it('lets several replicas write and sequence one log without a fork', async () => {
    const replicas = [open(), open(), open()];
    for (const replica of replicas) replica.start();
    const receipts = await Promise.all(
      Array.from({ length: 120 }, (_, index) => {
        const replica = replicas[index % 3] ?? open();
        return replica.entries
          .record(A_TENANT, aRead(index))
          .then((receipt) => ({ replica, receipt }));
      }),
    );
    for (const { replica, receipt } of receipts) {
      await replica.entries.awaitCheckpoint(receipt.entryId, { timeoutMs: 10_000 });
    }
    for (const { receipt } of receipts.slice(0, 5)) {
      await proofOf(replicas[0] ?? open(), A_TENANT, receipt.entryId);
    }
  });

  it('makes an export that verifies, and one changed byte of it does not', async () => {
    const ledger = open();
    ledger.start();
    const { entryId } = await ledger.entries.record(A_TENANT, aRead());
    await ledger.entries.awaitCheckpoint(entryId, { timeoutMs: 5_000 });
    const checkpoint = await ledger.store.readCheckpoint(1);
    if (checkpoint === undefined) throw new Error('no checkpoint');
    const files = new Map<string, Buffer>();
    const parts = writeExport({
      checkpoint: checkpoint.note,
      tenant: A_TENANT,
      readTile: async (address) => {
        const tile = await ledger.store.readTile(1, address);
        return tile && toServedTile(address, tile);
      },
      bodies: streamBodies(database, { tenantId: A_TENANT, epoch: 1, size: checkpoint.size }),
    });
    for await (const { path, bytes } of parts) {
      files.set(path, Buffer.concat([files.get(path) ?? Buffer.alloc(0), bytes]));
    }
    const reader = {
      read: async (path: string) => files.get(path),
      list: async () => [...files.keys()],
    };
    const report = await verifyExport(reader, { originKey: ledger.verifierKey });
    expect(report.size).toBe(checkpoint.size);
    expect(report.bodiesCount).toBeGreaterThan(100);
    const bodies = files.get('bodies.jsonl') ?? Buffer.alloc(0);
    bodies[500] = (bodies[500] ?? 0) ^ 1;
    await expect(verifyExport(reader, { originKey: ledger.verifierKey })).rejects.toMatchObject({
      code: 'LEDGER_EXPORT_INVALID',
    });
  });

  it('names a whole older row put back, from the write entries', async () => {
    const ledger = open();
    ledger.start();
    const recordId = '0198c0de-0000-8000-8000-000000000001' as RowWrite['recordId'];
    const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
    const write = async (version: number, text: string): Promise<void> => {
      const items = encodeWriteItems([{ recordId, version, digest: digest(text) }]);
      const hash = digest(items).toString('hex');
      const draft: EntryDraft = { kind: 'write', writes: { count: 1, hash, items } };
      await ledger.entries.record(B_TENANT, draft);
    };
    await write(1, 'first');
    await write(2, 'second');
    const { history } = await database.withTenant(B_TENANT, (tx) => readWriteHistory(tx, ledger));
    const check = async (...rows: readonly RowWrite[]): Promise<unknown> => {
      const problems: string[] = [];
      for await (const { problem } of history.check(rows)) problems.push(problem);
      return problems;
    };
    const row = (version: number, text: string): RowWrite => ({
      recordId,
      version,
      digest: digest(text),
    });
    expect(await check(row(2, 'second'))).toEqual([]);
    expect(await check(row(1, 'first'))).toEqual(['older']);
    expect(await check(row(2, 'other'))).toEqual(['changed']);
    expect(await check()).toEqual(['missing']);
    const other = await database.withTenant(A_TENANT, (tx) => readWriteHistory(tx, ledger));
    expect(other.history.latestOf(recordId)).toBeUndefined();
  });

  it('lists the newest entries first, page by page', async () => {
    const page = (before: string | undefined): Promise<readonly string[]> =>
      database.withTenant(A_TENANT, async (tx) => {
        const entries = await listEntries(tx, { epoch: 1, before: before as never, limit: 10 });
        return entries.map(({ entryId }) => entryId);
      });
    const first = await page(undefined);
    const second = await page(first.at(-1));
    const both = [...first, ...second];
    expect(both.length).toBe(20);
    expect([...both].sort().reverse()).toEqual(both);
  });

  it('does not sign a head that does not extend what it signed', async () => {
    const ledger = open();
    ledger.start();
    const { entryId } = await ledger.entries.record(A_TENANT, aRead());
    await ledger.entries.awaitCheckpoint(entryId, { timeoutMs: 5_000 });
    // The database is set back to its beginning while the cell runs.
    await test.asOwner('TRUNCATE ledger.tiles, ledger.heads, ledger.batches');
    await ledger.entries.record(A_TENANT, aRead());
    const deadlineMs = performance.now() + 5_000;
    while (ledger.state.failure === undefined && performance.now() < deadlineMs) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(ledger.state).toMatchObject({ failure: 'LEDGER_HEAD_REGRESSED', isRunning: false });
    expect(await ledger.store.readCheckpoint(1)).toBeUndefined();
  });
});
