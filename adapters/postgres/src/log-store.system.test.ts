// SPDX-License-Identifier: Apache-2.0
// Goal: the ledger in PostgreSQL keeps the port's promises, and nobody can fork it or read another
// tenant's bodies: not a second sequencer, not one that was paused, not one that lost its database's past.

import { parseTenantId } from '@bailiwick/kernel';
import { commitEntry, type LogStore, type NewEntry } from '@bailiwick/ledger';
import {
  A_TENANT,
  aNewEntry,
  describeLogStore,
  someEntries,
} from '@bailiwick/testkit/suites/log-store';
import { Client, Pool } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Database } from './database.ts';
import { appendEntries, createPostgresLogStore } from './log-store.ts';
import { type TestDatabase, withTestDatabase } from './testing.ts';

// One server for the whole file: it ends with its last database.
let anchor: TestDatabase;
beforeAll(async () => {
  anchor = await withTestDatabase();
});
afterAll(() => anchor.close());

describeLogStore('postgresql', async () => {
  const database = await withTestDatabase();
  const open = (): LogStore => createPostgresLogStore(database.open().pool);
  return { store: open(), again: open, close: () => database.close() };
});

const B_TENANT = parseTenantId('0198c0de-0000-7000-8000-000000000002');
const step = { epoch: 1, entriesCountMax: 10_000 };

describe('the ledger in PostgreSQL', () => {
  let test: TestDatabase;
  let database: Database;
  let store: LogStore;
  beforeAll(async () => {
    test = await withTestDatabase();
    database = test.open(8);
    store = createPostgresLogStore(database.pool);
  });
  afterAll(() => test.close());

  const sizeNow = async (): Promise<number> => (await store.readHead(1)).size;

  it('takes an entry with its transaction, and nothing of one that was rolled back', async () => {
    const [kept, lost] = [aNewEntry('{"a":1}'), aNewEntry('{"a":2}')];
    await database.withTenant(A_TENANT, async (tx) => {
      await appendEntries(tx, [kept], { as: 'tenant' });
    });
    const failing = database.withTenant(A_TENANT, async (tx) => {
      await appendEntries(tx, [lost], { as: 'tenant' });
      throw new Error('the effect failed');
    });
    await expect(failing).rejects.toThrow('the effect failed');
    const before = await sizeNow();
    expect((await store.sequence(step)).entriesCount).toBe(1);
    expect(await sizeNow()).toBe(before + 1);
    const rows = await test.asOwner(
      'SELECT entry_id FROM ledger.entries WHERE entry_id = ANY ($1)',
      [[kept.entryId, lost.entryId]],
    );
    expect(rows).toEqual([{ entry_id: kept.entryId }]);
  });

  it('takes what commits late, after batches with higher numbers', async () => {
    const before = await sizeNow();
    const late = await database.pool.connect();
    await late.query(`BEGIN; SET LOCAL bailiwick.tenant = '${A_TENANT}'`);
    const lateBatch = await appendEntries(late, someEntries(2), { as: 'tenant' });
    const earlyBatch = await store.append(someEntries(3));
    expect(BigInt(earlyBatch)).toBeGreaterThan(BigInt(lateBatch));
    expect((await store.sequence(step)).entriesCount).toBe(3);
    expect(await store.findBatch(lateBatch)).toBeUndefined();
    await late.query('COMMIT');
    late.release();
    expect((await store.sequence(step)).entriesCount).toBe(2);
    expect(await store.findBatch(lateBatch)).toMatchObject({ firstIndex: before + 3, count: 2 });
  });

  it('shows a tenant its own bodies, nobody else anything, and the cell its own when it says so', async () => {
    const entries: readonly NewEntry[] = [
      aNewEntry('{"of":"a"}', A_TENANT),
      aNewEntry('{"of":"b"}', B_TENANT),
      { ...aNewEntry('{"of":"cell"}'), tenantId: undefined },
    ];
    await store.append(entries);
    const ids = entries.map(({ entryId }) => entryId);
    const read = 'SELECT body FROM ledger.entries WHERE entry_id = ANY ($1) ORDER BY body';
    const seenBy = (tenant: typeof A_TENANT): Promise<unknown> =>
      database.withTenant(tenant, async (tx) => (await tx.query(read, [ids])).rows);
    expect(await seenBy(A_TENANT)).toEqual([{ body: '{"of":"a"}' }]);
    expect(await seenBy(B_TENANT)).toEqual([{ body: '{"of":"b"}' }]);
    expect((await database.pool.query(read, [ids])).rows).toEqual([]);
    const asCell = await database.withTransaction(async (tx) => {
      await tx.query(`SET LOCAL bailiwick.scope = 'cell'`);
      return (await tx.query(read, [ids])).rows;
    });
    expect(asCell).toEqual([{ body: '{"of":"cell"}' }]);
    const asWriter = await database.withTransaction(async (tx) => {
      await tx.query(`SET LOCAL bailiwick.scope = 'ledger'`);
      return (await tx.query(read, [ids])).rows;
    });
    expect(asWriter).toEqual([]);
  });

  it('refuses an entry for another tenant inside a tenant transaction, and any change or removal', async () => {
    const foreign = aNewEntry('{"of":"b"}', B_TENANT);
    const writing = database.withTenant(A_TENANT, async (tx) => {
      await appendEntries(tx, [foreign], { as: 'tenant' });
    });
    await expect(writing).rejects.toMatchObject({ code: '42501' });
    const outside = appendEntries(database.pool, [foreign], { as: 'tenant' });
    await expect(outside).rejects.toMatchObject({ code: '42501' });
    for (const statement of [
      `UPDATE ledger.entries SET body = '{}'`,
      'DELETE FROM ledger.entries',
      'DELETE FROM ledger.tiles',
      'UPDATE ledger.batches SET first_index = 0',
      'DELETE FROM ledger.batches',
      'DELETE FROM ledger.heads',
      'TRUNCATE ledger.inbox',
    ]) {
      const changing = database.withTenant(A_TENANT, (tx) => tx.query(statement));
      await expect(changing, statement).rejects.toMatchObject({ code: '42501' });
    }
  });

  it('leaves the scope that may write for many tenants with the statement that had it', async () => {
    const client = await database.pool.connect();
    await appendEntries(client, [aNewEntry('{}', B_TENANT)], { as: 'group' });
    const { rows } = await client.query(`SELECT current_setting('bailiwick.scope', true) AS scope`);
    client.release();
    expect(rows[0]).toEqual({ scope: '' });
  });

  it('keeps any text of a body to the byte, and what its commitment says', async () => {
    const body = `{"t":"ö漢🙂 \\u0000 \\" ' \\\\ {},"}`;
    const entry = aNewEntry(body);
    await store.append([aNewEntry('{"n":0}'), entry, aNewEntry('{"n":2}')]);
    const rows = await test.asOwner<{ body: string; salt: Buffer }>(
      'SELECT body, salt FROM ledger.entries WHERE entry_id = $1',
      [entry.entryId],
    );
    expect(rows[0]?.body).toBe(body);
    const again = commitEntry(rows[0]?.salt ?? Buffer.alloc(32), rows[0]?.body ?? '');
    expect(again.equals(entry.commitment)).toBe(true);
  });

  it('does not let a second sequencer in while one holds the head', async () => {
    await store.append(someEntries(2));
    const holder = await database.pool.connect();
    await holder.query('BEGIN');
    await holder.query('SELECT FROM ledger.heads WHERE epoch = 1 FOR UPDATE');
    await expect(store.sequence(step)).rejects.toMatchObject({ code: '55P03' });
    await holder.query('ROLLBACK');
    holder.release();
    expect((await store.sequence(step)).entriesCount).toBeGreaterThanOrEqual(2);
  });

  it('does not let a sequencer that was paused and cut off write what it had in hand', async () => {
    await store.sequence(step);
    const batch = await store.append(someEntries(4));
    // A pool whose connection stops right before the writing statement, as a paused process would.
    const pool = new Pool({ connectionString: test.url, max: 1 });
    pool.on('error', () => undefined);
    const reached = Promise.withResolvers<void>();
    const wake = Promise.withResolvers<void>();
    const client = await pool.connect();
    client.on('error', () => undefined);
    const query = client.query.bind(client);
    const paused = new Proxy(client, {
      get(target, property) {
        if (property === 'release') return () => undefined;
        if (property !== 'query') return Reflect.get(target, property);
        return async (...values: Parameters<typeof query>) => {
          if (JSON.stringify(values[0]).includes('ledger-write')) {
            reached.resolve();
            await wake.promise;
          }
          return query(...values);
        };
      },
    });
    const slow = createPostgresLogStore({
      query: pool.query.bind(pool),
      connect: async () => paused,
    } as unknown as Pool);
    // The idle pool.query of the first look needs a connection of its own.
    pool.options.max = 2;
    const waking = slow.sequence(step);
    await reached.promise;
    const [{ pid } = { pid: 0 }] = await test.asOwner<{ pid: number }>(
      `SELECT pid FROM pg_stat_activity
        WHERE state = 'idle in transaction' AND datname = current_database()`,
    );
    expect(pid).toBeGreaterThan(0);
    await test.asOwner('SELECT pg_terminate_backend($1)', [pid]);
    const { head } = await store.sequence(step);
    const place = await store.findBatch(batch);
    wake.resolve();
    await expect(waking).rejects.toThrow();
    expect(await store.readHead(1)).toEqual(head);
    expect(await store.findBatch(batch)).toEqual(place);
    client.release(true);
    await pool.end();
  });

  it('does not go on from a head or a tile that somebody changed', async () => {
    await store.sequence(step);
    const other = createPostgresLogStore(database.pool);
    const forge = async (statement: string, back: string): Promise<void> => {
      await store.append(someEntries(1));
      await test.asOwner(statement);
      await expect(other.sequence(step), statement).rejects.toMatchObject({
        code: expect.stringMatching(/^LEDGER_HEAD_(INVALID|MOVED)$/),
      });
      await expect(store.sequence(step), statement).rejects.toMatchObject({
        code: expect.stringMatching(/^LEDGER_HEAD_(INVALID|MOVED)$/),
      });
      await test.asOwner(back);
    };
    await test.asOwner('CREATE TABLE public.tiles AS SELECT * FROM ledger.tiles');
    await test.asOwner('CREATE TABLE public.heads AS SELECT * FROM ledger.heads');
    const tilesBack = `TRUNCATE ledger.tiles; INSERT INTO ledger.tiles SELECT * FROM public.tiles`;
    const headsBack = `TRUNCATE ledger.heads; INSERT INTO ledger.heads SELECT * FROM public.heads`;
    await forge(
      `UPDATE ledger.tiles SET hashes = set_byte(hashes, 5, 1 + get_byte(hashes, 5) % 255) WHERE level = 0`,
      tilesBack,
    );
    await forge(`UPDATE ledger.tiles SET hashes = substring(hashes FOR 32)`, tilesBack);
    await forge(
      `UPDATE ledger.heads SET size = size - 1, checkpoint_size = NULL, checkpoint = NULL`,
      headsBack,
    );
    await forge(`UPDATE ledger.heads SET size = size + 1`, headsBack);
    await forge(
      `UPDATE ledger.heads SET root = set_byte(root, 0, 1 + get_byte(root, 0) % 255)`,
      headsBack,
    );
    expect((await store.sequence(step)).entriesCount).toBeGreaterThan(0);
  });

  it('does not write the same entry twice', async () => {
    const entry = aNewEntry('{}');
    await store.append([entry]);
    await expect(store.append([entry])).rejects.toMatchObject({ code: '23505' });
  });

  it('lets nobody but the cell in', async () => {
    const client = new Client({ connectionString: test.keysUrl });
    await client.connect();
    for (const table of ['entries', 'inbox', 'batches', 'heads', 'tiles']) {
      await expect(client.query(`SELECT FROM ledger.${table}`)).rejects.toMatchObject({
        code: '42501',
      });
    }
    await client.end();
  });
});
