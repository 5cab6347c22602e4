// SPDX-License-Identifier: Apache-2.0
// Goal: a body past its term is gone with its salt, from the entry and from what it is found by, and everything
// that was proven before is still proven; what rows are held against stays; nobody forgets more than that.
// Method: a real log, its index, an export before and after.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import type { Clock, Random } from '@bailiwick/kernel';
import { parseCellId, parseTenantId } from '@bailiwick/kernel';
import { toServedTile, verifyExport, writeExport } from '@bailiwick/ledger';
import type { Database } from '@bailiwick/postgres';
import { type TestDatabase, withTestDatabase } from '@bailiwick/postgres/testing';
import { openLog } from '@bailiwick/telemetry';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CellLedger, createCellLedger } from './cell-ledger.ts';
import { stepEntryIndex } from './entry-index.ts';
import type { Wanted } from './entry-marks.ts';
import { streamBodies } from './entry-store.ts';
import { createBodyForgetter, forgetBodies } from './forget-bodies.ts';
import { proveEntryFile } from './prove-entry-file.ts';
import { searchEntries } from './search-entries.ts';

const DAY_MS = 86_400_000;
let nowMs = Date.now() - 10 * DAY_MS;
const clock: Clock = { nowMs: () => nowMs, monotonicMs: () => performance.now() };
const random: Random = { bytes: (size) => randomBytes(size) };
const log = openLog({ component: 'test' });
const A_TENANT = parseTenantId('0198c0de-0000-7000-8000-00000000000a');
const B_TENANT = parseTenantId('0198c0de-0000-7000-8000-00000000000b');
const KINDS = ['read', 'write', 'decision', 'key', 'erasure', 'refusal'] as const;

describe('bodies past their term', () => {
  let test: TestDatabase;
  let database: Database;
  let ledger: CellLedger;
  const old: string[] = [];

  beforeAll(async () => {
    test = await withTestDatabase();
    database = test.open(6);
    ledger = createCellLedger({
      cellId: parseCellId('eu-de/main'),
      epoch: 1,
      privateKey: generateKeyPairSync('ed25519').privateKey,
      ...{ database, clock, random, log },
    });
    ledger.start();
    const record = async (tenant: typeof A_TENANT, count: number): Promise<readonly string[]> => {
      const made = await Promise.all(
        Array.from({ length: count }, (_, at) =>
          ledger.entries.record(tenant, {
            kind: KINDS[at % KINDS.length] ?? 'read',
            facts: { collection: 'customers', at },
          }),
        ),
      );
      return made.map(({ entryId }) => entryId);
    };
    old.push(...(await record(A_TENANT, 1_200)));
    await record(B_TENANT, 60);
    nowMs = Date.now();
    const [last = ''] = (await record(A_TENANT, 300)).slice(-1);
    await ledger.entries.awaitCheckpoint(last as never, { timeoutMs: 10_000 });
    for (const tenantId of [A_TENANT, B_TENANT])
      await stepEntryIndex(database, { tenantId, epoch: 1 });
  });
  afterAll(async () => {
    await ledger.stop();
    await test.close();
  });

  const countBodies = async (where: string): Promise<number> => {
    const [row] = await test.asOwner<{ count: number }>(
      `SELECT count(*)::int AS count FROM ledger.entries WHERE body IS NOT NULL AND salt IS NOT NULL AND ${where}`,
    );
    return row?.count ?? -1;
  };
  const ofTenant = (tenant: string): string => `tenant_id = '${tenant}'`;
  const exportOf = async (): Promise<number> => {
    const checkpoint = await ledger.store.readCheckpoint(1);
    if (checkpoint === undefined) throw new Error('no checkpoint');
    const files = new Map<string, Buffer>();
    for await (const { path, bytes } of writeExport({
      checkpoint: checkpoint.note,
      tenant: A_TENANT,
      readTile: async (address) => {
        const tile = await ledger.store.readTile(1, address);
        return tile && toServedTile(address, tile);
      },
      bodies: streamBodies(database, { tenantId: A_TENANT, epoch: 1, size: checkpoint.size }),
    })) {
      files.set(path, Buffer.concat([files.get(path) ?? Buffer.alloc(0), bytes]));
    }
    const reader = {
      read: async (name: string) => files.get(name),
      list: async () => [...files.keys()],
    };
    const report = await verifyExport(reader, { originKey: ledger.verifierKey });
    return report.bodiesCount;
  };
  const find = async (groups: readonly (readonly Wanted[])[]): Promise<number> => {
    let count = 0;
    let cursor: Awaited<ReturnType<typeof searchEntries>>['next'];
    const base = { fromMs: undefined, toMs: undefined, isNewestFirst: true };
    const query = { ...base, pageSize: 200, withProofs: false, groups };
    do {
      const found = await searchEntries(
        { database, ledger, clock },
        { tenantId: A_TENANT, query, cursor },
      );
      count += found.page.items.length;
      cursor = found.next;
    } while (cursor !== undefined);
    return count;
  };

  it('cannot be changed into others, nor forgotten for another tenant', async () => {
    const statements = [
      `UPDATE ledger.entries SET body = '{}' WHERE ${ofTenant(A_TENANT)}`,
      `UPDATE ledger.entries SET body = NULL WHERE ${ofTenant(A_TENANT)}`,
      `UPDATE ledger.entries SET kind = 'read' WHERE ${ofTenant(A_TENANT)}`,
      `DELETE FROM ledger.entries WHERE ${ofTenant(A_TENANT)}`,
    ];
    for (const statement of statements) {
      await expect(database.withTenant(A_TENANT, (tx) => tx.query(statement))).rejects.toThrow();
    }
    const { rowCount } = await database.withTenant(B_TENANT, (tx) =>
      tx.query(`UPDATE ledger.entries SET body = NULL, salt = NULL WHERE ${ofTenant(A_TENANT)}`),
    );
    expect(rowCount).toBe(0);
    expect(await countBodies(ofTenant(A_TENANT))).toBe(1_500);
  });

  it('go with their salts and with what they are found by; the rest stays and all of it verifies', async () => {
    expect(await exportOf()).toBe(1_500);
    expect(await find([[['kind', 'read']]])).toBe(250);
    const beforeMs = Date.now() - 5 * DAY_MS;
    expect(await forgetBodies(database, { tenantId: A_TENANT, beforeMs })).toBe(600);
    expect(await forgetBodies(database, { tenantId: A_TENANT, beforeMs })).toBe(0);
    expect(await countBodies(ofTenant(A_TENANT))).toBe(900);
    expect(await countBodies(`${ofTenant(A_TENANT)} AND kind = 'write'`)).toBe(250);
    expect(await countBodies(`${ofTenant(A_TENANT)} AND kind = 'read'`)).toBe(50);
    expect(await countBodies(ofTenant(B_TENANT))).toBe(60);
    expect(await exportOf()).toBe(900);
    expect(await find([[['kind', 'read']]])).toBe(50);
    expect(await find([[['kind', 'key']]])).toBe(250);
    expect(await find([[['collection', 'customers']]])).toBe(900);
    // That there was an entry is still there, by its position and with its proof.
    expect(await find([])).toBe(1_500);
    const entryId = (old[0] ?? '') as never;
    const file = await proveEntryFile(
      { database, ledger },
      { tenantId: A_TENANT, entryId, cosigned: undefined },
    );
    expect(file).toContain('tlog-proof');
  });

  it('are forgotten for each tenant by the cell itself, which says so on record', async () => {
    const forgetter = createBodyForgetter({
      ...{ database, entries: ledger.entries, clock, log },
      listTenants: () => [A_TENANT, B_TENANT],
      keepDays: 5,
    });
    await forgetter.pass();
    expect(await countBodies(ofTenant(B_TENANT))).toBe(30 + 1);
    const [told] = await test.asOwner<{ body: string }>(
      `SELECT body FROM ledger.entries WHERE ${ofTenant(B_TENANT)} AND kind = 'observation'`,
    );
    expect(JSON.parse(told?.body ?? '{}').facts).toEqual({
      observed: 'bodies-forgotten',
      count: 30,
      keepDays: 5,
    });
    await forgetter.pass();
    expect(await countBodies(ofTenant(B_TENANT))).toBe(31);
  });
});
