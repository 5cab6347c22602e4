// SPDX-License-Identifier: Apache-2.0
// Invariant 9 behind our back. Goal: a database that PostgreSQL itself brings back from a copy of its files and
// WAL, taken before an erasure, does not serve; after the replay the erased person is nowhere and everybody
// else can be read, though their wraps were written anew since. Method: a real server, its directory copied
// while it runs, a second server that recovers from the copy's WAL, real cells over both.
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  BACKUP_ROLE,
  CELL_ROLE,
  type Database,
  type EmbeddedServer,
  KEYS_ROLE,
  openDatabase,
  prepareCellDatabase,
  startEmbeddedServer,
  toRoleUrl,
} from '@bailiwick/postgres';
import type { TestDatabase } from '@bailiwick/postgres/testing';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createSystemRandom, systemClock } from '../ports.ts';
import { CUSTOMERS } from '../records/testing/shop.ts';
import { newTenant, startTestCell, type TestAccount, type TestCell } from '../testing/test-cell.ts';
import { restoreCell } from './restore-cell.ts';
import { newLedgerKey } from './testing.ts';

const password = 'test-password-0123456789';
const tenant = newTenant();
const ledgerKey = newLedgerKey();

let directory: string;
let store: string;
let live: EmbeddedServer;
let copy: EmbeddedServer;
let cell: TestCell;
let setBack: TestCell | undefined;
let shop: TestAccount;
let erikas: { readonly record_id: string; readonly subject_id: string; readonly sealed: Buffer };

/** A server's database as tests know theirs. */
function databaseOf(server: EmbeddedServer): TestDatabase {
  const asRole = (role: string): string => toRoleUrl(server.url, { role, password });
  const pools: Database[] = [];
  return {
    ownerUrl: server.url,
    url: asRole(CELL_ROLE),
    keysUrl: asRole(KEYS_ROLE),
    backupUrl: asRole(BACKUP_ROLE),
    open(poolSize = 4) {
      const database = openDatabase({ url: asRole(CELL_ROLE), poolSize, applicationName: 'test' });
      pools.push(database);
      return database;
    },
    async asOwner<Row extends Record<string, unknown>>(sql: string, values?: readonly unknown[]) {
      const client = new Client({ connectionString: server.url });
      await client.connect();
      try {
        return (await client.query<Row>(sql, values ? [...values] : undefined)).rows;
      } finally {
        await client.end();
      }
    },
    async close() {
      for (const database of pools) await database.close();
    },
  };
}

const at = (...parts: string[]): string => path.join(directory, ...parts);

async function create(id: string): Promise<void> {
  const { status, body } = await cell.call({
    method: 'POST',
    path: '/v1/collections/customers/records',
    body: {
      id,
      subject: id,
      origin: 'de',
      fields: { name: `Name of ${id}`, email: `${id}@example.test` },
    },
    as: shop,
  });
  expect(status, JSON.stringify(body)).toBe(201);
}

async function settled(): Promise<number> {
  return vi.waitFor(async () => {
    expect(await cell.database.asOwner('SELECT FROM ledger.inbox')).toEqual([]);
    return (await cell.cell.ledger.store.readHead(1)).size;
  }, 10_000);
}

const startOver = (database: TestDatabase): Promise<TestCell> =>
  startTestCell({
    ...{ tenants: [tenant], database, ledgerKey, backups: store, sameTrustAs: cell },
    backupKey: readFileSync(path.join(cell.directory, 'backup.key'), 'utf8'),
    keysDirectory: cell.directory,
  });

beforeAll(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'bailiwick-set-back-'));
  chmodSync(directory, 0o711); // the server's account passes through
  store = at('store');
  mkdirSync(store, { mode: 0o700 });
  live = await startEmbeddedServer({ directory: at('live') });
  await prepareCellDatabase({
    ownerUrl: live.url,
    ...{ cellPassword: password, keysPassword: password, backupPassword: password },
  });
  cell = await startTestCell({
    ...{ tenants: [tenant], backups: store, ledgerKey, database: databaseOf(live) },
  });
  shop = await cell.addAccount(tenant.tenantId);
  const put = await cell.call({
    method: 'PUT',
    path: '/v1/collections/customers',
    body: CUSTOMERS,
    as: shop,
  });
  expect(put.status, JSON.stringify(put.body)).toBeLessThan(300);
  for (const id of ['erika', 'max', 'anna']) await create(id);
  await settled();
  const [row] = await cell.database.asOwner<typeof erikas>(
    `SELECT r.record_id, r.subject_id, r.sealed FROM cell.records r
       JOIN keys.subject_keys k USING (tenant_id, subject_id) ORDER BY k.created_at LIMIT 1`,
  );
  if (row === undefined) throw new Error('no record');
  erikas = row;
  // While it runs: data files and WAL as they are. Without the pid file, which names the live server.
  cpSync(at('live'), at('copy'), {
    recursive: true,
    filter: (source) => !/postmaster\.(pid|opts)$|\.(lock|claim)$|\/owner/.test(source),
  });
  const erased = await cell.call({
    method: 'POST',
    path: '/v1/erasures',
    body: { subject: 'erika' },
    as: shop,
  });
  expect(erased.body, JSON.stringify(erased.body)).toMatchObject({
    state: 'done',
    survivorsCount: 2,
  });
  await cell.cell.backups?.ledgerCopy.reach(await settled());
  copy = await startEmbeddedServer({ directory: at('copy') });
});
afterAll(async () => {
  await setBack?.stop();
  await cell.stop();
  await copy?.stop();
  await live.stop();
  rmSync(directory, { recursive: true, force: true });
});

const search = (one: TestCell, id: string): ReturnType<TestCell['call']> =>
  one.call({
    method: 'POST',
    path: '/v1/collections/customers/searches',
    body: { where: { email: { eq: `${id}@example.test` } } },
    as: { ...shop },
  });

describe('a database that was set back by PostgreSQL’s own means', () => {
  it('has the person in it again: the attack is a real one', async () => {
    const rows = await databaseOf(copy).asOwner(
      'SELECT sealed FROM cell.records WHERE record_id = $1',
      [erikas.record_id],
    );
    expect(rows).toEqual([{ sealed: erikas.sealed }]);
  });

  it('does not serve, and its ledger does not grow into another one', async () => {
    const started = await startOver(databaseOf(copy));
    try {
      started.cell.gate.start();
      expect(() => started.cell.gate.assertServing()).toThrowError(
        expect.objectContaining({ code: 'RESTORE_NOT_REPLAYED' }),
      );
      const { status, body } = await search(started, 'max');
      expect([status, body.code]).toEqual([503, 'RESTORE_NOT_REPLAYED']);
      const before = await started.cell.ledger.store.readHead(1);
      expect(started.cell.ledger.state.isRunning).toBe(false);
      expect(before.size).toBeLessThan((await cell.cell.ledger.store.readHead(1)).size);
    } finally {
      await started.stop();
    }
  });

  it('is brought up by a replay: the person is nowhere, everybody else is read', async () => {
    const database = databaseOf(copy);
    const report = await restoreCell({
      ...{ config: cell.cell.runtime.config, clock: systemClock, random: createSystemRandom() },
      ...{ ownerUrl: database.ownerUrl, isReplayOnly: true },
    });
    expect(report).toMatchObject({ erasuresCount: 1, recordsRemovedCount: 1, withheldCount: 0 });
    expect(
      await database.asOwner('SELECT FROM cell.records WHERE record_id = $1', [erikas.record_id]),
    ).toEqual([]);
    expect(
      await database.asOwner('SELECT wrap FROM keys.subject_keys WHERE subject_id = $1', [
        erikas.subject_id,
      ]),
    ).toEqual([{ wrap: null }]);
    // This cell has no witnesses: two people must let it serve, which `restores.system.test.ts` tests.
    await database.asOwner(`UPDATE cell.restores SET forced = '[]'`);
    setBack = await startOver(databaseOf(copy));
    setBack.cell.gate.start();
    await setBack.cell.gate.opened;
    for (const id of ['max', 'anna']) {
      const { status, body } = await search(setBack, id);
      expect(status, JSON.stringify(body)).toBe(200);
      expect(body.items[0]?.fields, JSON.stringify(body)).toMatchObject({ name: `Name of ${id}` });
    }
    expect((await search(setBack, 'erika')).body.items).toEqual([]);
  });
});
