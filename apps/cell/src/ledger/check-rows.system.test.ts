// SPDX-License-Identifier: Apache-2.0
// Goal: who can write into the database but not into the log is found out: a whole older row put back, a
// row taken away or invented, a body changed. Method: a real record store; the database's owner forges.
import type { LedgerCheckAnswer } from '@bailiwick/contracts';
import type { TenantId } from '@bailiwick/kernel';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Caller, createCaller } from '../records/testing/caller.ts';
import { openRecordCell, type RecordCell } from '../records/testing/record-cell.ts';
import { CUSTOMERS } from '../records/testing/shop.ts';
import { checkRows } from './check-rows.ts';

const draftOf = (id: string): object => ({
  id,
  subject: id,
  origin: 'Germany',
  fields: { name: 'Erika Mustermann', email: `${id}@example.org`, orders: 1 },
});

describe('the ledger check', () => {
  let cell: RecordCell;
  let tenantId: TenantId;
  let shop: Caller;
  const recordIds: string[] = [];

  beforeAll(async () => {
    cell = await openRecordCell();
    tenantId = await cell.createTenant();
    shop = createCaller(cell, cell.createAccount(tenantId));
    await shop('PUT', 'customers', CUSTOMERS);
    for (let index = 0; index < 6; index += 1) {
      const made = await shop('POST', 'customers/records', draftOf(`person-${index}`));
      expect(made.status, made.text).toBe(201);
      recordIds.push(String(made.body['recordId']));
    }
    await cell.testDatabase.asOwner('CREATE TABLE public.kept AS SELECT * FROM cell.records');
    for (const recordId of recordIds.slice(0, 3)) {
      const change = { fields: { orders: 2 } };
      const path = `customers/records/${recordId}`;
      expect((await shop('PATCH', path, change, { 'if-match': '"1"' })).status).toBe(200);
    }
    const last = `customers/records/${recordIds[5]}`;
    expect((await shop('DELETE', last, undefined, { 'if-match': '"1"' })).status).toBeLessThan(300);
  });
  afterAll(() => cell.close());

  const check = (): Promise<LedgerCheckAnswer> => checkRows(cell, tenantId);
  /** Forges, checks, and puts everything back. */
  const checkForged = async (...statements: readonly string[]): Promise<LedgerCheckAnswer> => {
    const owner = cell.testDatabase.asOwner;
    await owner('CREATE TABLE public.rows_before AS SELECT * FROM cell.records');
    await owner('CREATE TABLE public.entries_before AS SELECT * FROM ledger.entries');
    try {
      for (const statement of statements) await owner(statement);
      return await check();
    } finally {
      await owner('DELETE FROM cell.records');
      await owner('INSERT INTO cell.records SELECT * FROM public.rows_before');
      await owner('DELETE FROM ledger.entries');
      await owner('INSERT INTO ledger.entries SELECT * FROM public.entries_before');
      await owner('DROP TABLE public.rows_before, public.entries_before');
    }
  };
  const putBack = (recordId: string | undefined): readonly string[] => [
    `DELETE FROM cell.records WHERE record_id = '${recordId}'`,
    `INSERT INTO cell.records SELECT * FROM public.kept WHERE record_id = '${recordId}'`,
  ];

  it('finds nothing wrong where nothing is', async () => {
    expect(await check()).toEqual({
      rowsCount: 5,
      entriesCount: 11, // the collection, six records, three changes, one deletion
      problemsCount: 0,
      problems: [],
    });
  });

  it('names a whole older row put back, which opens and reads as if nothing were', async () => {
    const [recordId] = recordIds;
    const { problems } = await checkForged(...putBack(recordId));
    expect(problems).toMatchObject([
      { problem: 'older', record: recordId, version: 1, entryVersion: 2 },
    ]);
  });

  it('names a deleted row put back, and one that was taken away', async () => {
    const { problems } = await checkForged(
      ...putBack(recordIds[5]),
      `DELETE FROM cell.records WHERE record_id = '${recordIds[4]}'`,
    );
    expect(problems).toMatchObject([
      { problem: 'returned', record: recordIds[5] },
      { problem: 'missing', record: recordIds[4] },
    ]);
  });

  it('names a row in which one value was changed', async () => {
    const { problems } = await checkForged(
      `UPDATE cell.records SET sealed = set_byte(sealed, length(sealed) - 1,
         1 + get_byte(sealed, length(sealed) - 1) % 255) WHERE record_id = '${recordIds[3]}'`,
    );
    expect(problems).toMatchObject([{ problem: 'changed', record: recordIds[3] }]);
  });

  it('names an entry whose body was changed to fit, and the row that it hid', async () => {
    // Until the entries have positions there is no leaf to hold them against.
    const [newest] = await cell.testDatabase.asOwner<{ entry_id: string }>(
      `SELECT entry_id FROM ledger.entries WHERE kind = 'write' ORDER BY entry_id DESC LIMIT 1`,
    );
    const entryId = newest?.entry_id ?? '';
    await cell.ledger.entries.awaitCheckpoint(entryId as never, { timeoutMs: 10_000 });
    const { problems } = await checkForged(
      ...putBack(recordIds[2]),
      `UPDATE ledger.entries SET body = replace(body, '"kind":"write"', '"kind":"writf"')
        WHERE entry_id = '${entryId}'`,
    );
    expect(problems).toContainEqual({ problem: 'entry-changed', entry: entryId });
  });

  it('names entries that are dated outside of the cosigned times around them', async () => {
    const head = await cell.ledger.store.readHead(1);
    const nowSeconds = Math.floor(Date.now() / 1000);
    const clean = await checkRows(cell, tenantId, [{ size: head.size, atSeconds: nowSeconds }]);
    expect(clean.problems).toEqual([]);
    // A witness saw the whole log an hour ago: none of it can have been made since.
    const seen = [{ size: head.size, atSeconds: nowSeconds - 3_600 }];
    const { problems, problemsCount } = await checkRows(cell, tenantId, seen);
    expect(problemsCount).toBeGreaterThanOrEqual(11);
    expect(new Set(problems.map(({ problem }) => problem))).toEqual(
      new Set(['instant-implausible']),
    );
    // A witness saw nothing of it in an hour from now: all of it claims to be older than it is.
    const unseen = [{ size: 0, atSeconds: nowSeconds + 3_600 }];
    expect((await checkRows(cell, tenantId, unseen)).problemsCount).toBe(problemsCount);
  });

  it('names a changed entry of any kind', async () => {
    expect((await shop('GET', `customers/records/${recordIds[0]}`)).status).toBe(200);
    await vi.waitFor(
      async () => expect((await cell.ledger.store.readHead(1)).size).toBeGreaterThan(11),
      { timeout: 10_000, interval: 20 },
    );
    const [read] = await cell.testDatabase.asOwner<{ entry_id: string }>(
      `SELECT entry_id FROM ledger.entries WHERE kind NOT IN ('write', 'delete') AND tenant_id = '${tenantId}' LIMIT 1`,
    );
    expect(read?.entry_id).toBeDefined();
    const { problems } = await checkForged(
      `UPDATE ledger.entries SET salt = sha256('x') WHERE entry_id = '${read?.entry_id}'`,
    );
    expect(problems).toEqual([{ problem: 'entry-changed', entry: read?.entry_id }]);
  });

  it('does not show one tenant the rows of another', async () => {
    const other = await cell.createTenant();
    expect(await checkRows(cell, other)).toMatchObject({ rowsCount: 0, problems: [] });
  });
});
