// SPDX-License-Identifier: Apache-2.0
// Goal: whoever owns the database can destroy records but not change, move or swap them unseen. Method: as
// the database's superuser, edit one thing of a stored row and read it over the cell's routes; then what
// the cell's own role may do beside `withTenant`.
import { parseCellId, parseTenantId, type TenantId } from '@bailiwick/kernel';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { checkRows } from '../ledger/check-rows.ts';
import { type Caller, createCaller } from './testing/caller.ts';
import { openRecordCell, type RecordCell } from './testing/record-cell.ts';
import { CUSTOMERS } from './testing/shop.ts';

let cell: RecordCell;
let tenantId: TenantId;
let shop: Caller;
let erika: string;
let max: string;

const NDJSON = { 'content-type': 'application/x-ndjson' };

function draftOf(name: string): { readonly id: string } & Record<string, unknown> {
  return {
    id: name,
    subject: name,
    origin: 'de',
    fields: { name, email: `${name.toLowerCase()}@example.org`, iban: `DE-${name}`, orders: 3 },
  };
}

beforeAll(async () => {
  cell = await openRecordCell();
  tenantId = await cell.createTenant();
  shop = createCaller(cell, cell.createAccount(tenantId));
  await shop('PUT', 'customers', CUSTOMERS);
  await shop('PUT', 'clients', CUSTOMERS);
  erika = String((await shop('POST', 'customers/records', draftOf('Erika'))).body['recordId']);
  max = String((await shop('POST', 'customers/records', draftOf('Max'))).body['recordId']);
  await cell.testDatabase.asOwner('CREATE TABLE public.kept AS SELECT * FROM cell.records');
});

afterAll(() => cell.close());

/** Puts the rows back as they were. */
afterEach(async () => {
  await cell.testDatabase.asOwner('DELETE FROM cell.records WHERE tenant_id = $1', [tenantId]);
  await cell.testDatabase.asOwner('INSERT INTO cell.records SELECT * FROM public.kept');
});

const edit = (set: string, id = erika): Promise<unknown> =>
  cell.testDatabase.asOwner(`UPDATE cell.records SET ${set} WHERE record_id = $1`, [id]);

/** Erika's column out of Max's row. */
const ofMax = (column: string): string =>
  `(SELECT o.${column} FROM cell.records o WHERE o.record_id = '${max}')`;

describe('a row that was changed', () => {
  it.each([
    ['its subject', `subject_id = ${'NULL'}`],
    ['its country', `facts = replace(facts, '"de"', '"fr"')`],
    ['its regimes', `facts = replace(facts, 'gdpr', 'none')`],
    ['when it was collected', `facts = replace(facts, '"20', '"19')`],
    ['white space in its facts', `facts = facts || ' '`],
    ['a plain value', `plain = jsonb_set(plain, '{orders}', '999')`],
    ['a plain value more', `plain = plain || '{"isActive": true}'`],
    ['an unknown plain value', `plain = plain || '{"colour": "red"}'`],
    ['a plain value less', `plain = plain - 'orders'`],
    ['its version', 'version = 2'],
    ['its schema version', 'schema_version = 2'],
    ['its indexes taken away', `blind = '{}'`],
    ['its indexes in another order', 'blind = ARRAY[blind[2], blind[1]]'],
    ['a bit of its MAC', `facts_mac = set_byte(facts_mac, 0, get_byte(facts_mac, 0) # 1)`],
    ['a bit of its first seal', `sealed = set_byte(sealed, 20, get_byte(sealed, 20) # 1)`],
    ['its container cut short', `sealed = substring(sealed FROM 1 FOR length(sealed) - 1)`],
    ['its container emptied', `sealed = '\\x0100'`],
    ['its container of another version', `sealed = set_byte(sealed, 0, 2)`],
    ['a length in its container', `sealed = set_byte(sealed, 2, 255)`],
  ])('is not shown: %s', async (_, set) => {
    await edit(set);
    const read = await shop('GET', `customers/records/${erika}`);
    expect([read.status, read.body['code']]).toEqual([403, 'RECORD_FACTS_UNVERIFIED']);
    expect(read.text).not.toContain('Erika');
    const found = await shop('POST', 'customers/searches', {});
    expect(Array.isArray(found.body['items']) && found.body['items'].length).toBe(1);
    expect(found.text).not.toContain('Erika');
    // Nor is it a base to build on.
    const change = { fields: { orders: 1 } };
    for (const version of ['"1"', '"2"']) {
      const path = `customers/records/${erika}`;
      const changed = await shop('PATCH', path, change, { 'if-match': version });
      expect(changed.body['code']).toBe('RECORD_FACTS_UNVERIFIED');
      const deleted = await shop('DELETE', path, undefined, { 'if-match': version });
      expect(deleted.body['code']).toBe('RECORD_FACTS_UNVERIFIED');
    }
    const again = await shop('POST', 'customers/records', draftOf('Erika'));
    expect(again.body['code']).toBe('RECORD_FACTS_UNVERIFIED');
    const taken = await shop('POST', 'customers/imports', JSON.stringify(draftOf('Erika')), NDJSON);
    expect(taken.body).toMatchObject({ accepted: 0, unchanged: 0, refusedCount: 1 });
  });

  it.each([
    [
      'a bit of its ciphertext',
      `sealed = set_byte(sealed, length(sealed) - 40, get_byte(sealed, length(sealed) - 40) # 1)`,
    ],
    [
      'a bit of its last commitment',
      `sealed = set_byte(sealed, length(sealed) - 1, get_byte(sealed, length(sealed) - 1) # 1)`,
    ],
  ])('is not shown, and can only be deleted: %s', async (_, set) => {
    await edit(set);
    const path = `customers/records/${erika}`;
    const match = { 'if-match': '"1"' };
    expect((await shop('GET', path)).body['code']).toBe('RECORD_FACTS_UNVERIFIED');
    const changed = await shop('PATCH', path, { fields: { orders: 1 } }, match);
    expect(changed.body['code']).toBe('RECORD_FACTS_UNVERIFIED');
    const taken = await shop('POST', 'customers/imports', JSON.stringify(draftOf('Erika')), NDJSON);
    expect(taken.body).toMatchObject({ accepted: 0, unchanged: 0, refusedCount: 1 });
    expect((await shop('DELETE', path, undefined, match)).status).toBe(204);
  });

  it.each([
    ['another row’s ciphertext', ['sealed']],
    ['another row’s ciphertext and MAC', ['sealed', 'facts_mac']],
    [
      'all but the id of another row',
      ['sealed', 'facts_mac', 'facts', 'plain', 'blind', 'subject_id'],
    ],
    ['another row’s facts and plain values', ['facts', 'plain', 'facts_mac']],
  ])('is not shown: with %s', async (_, columns) => {
    await edit(columns.map((column) => `${column} = ${ofMax(column)}`).join(', '));
    const read = await shop('GET', `customers/records/${erika}`);
    expect([read.status, read.body['code']]).toEqual([403, 'RECORD_FACTS_UNVERIFIED']);
    expect(read.text).not.toMatch(/Erika|Max/);
  });

  it('is not shown: moved to another collection', async () => {
    await edit(`collection_id = 'clients'`);
    const read = await shop('GET', `clients/records/${erika}`);
    expect(read.body['code']).toBe('RECORD_FACTS_UNVERIFIED');
    expect((await shop('POST', 'clients/searches', {})).body['items']).toEqual([]);
  });

  it('is not shown: given to another tenant, with the same collection and keys of its own', async () => {
    const stranger = await cell.createTenant();
    const caller = createCaller(cell, cell.createAccount(stranger));
    await caller('PUT', 'customers', CUSTOMERS);
    await caller('POST', 'customers/records', draftOf('Somebody'));
    await edit(`tenant_id = '${stranger}'`);
    const read = await caller('GET', `customers/records/${erika}`);
    expect(read.body['code']).toBe('RECORD_FACTS_UNVERIFIED');
    expect(read.text).not.toContain('Erika');
    await cell.testDatabase.asOwner('DELETE FROM cell.records WHERE tenant_id = $1', [stranger]);
  });

  it('is not shown: copied to another cell with the same tenant', async () => {
    // The other cell stands over a database of its own; the row is carried there as it is.
    const other = await openRecordCell({ cellId: parseCellId('uk-lon/main') });
    try {
      await other.keys.administration.provisionTenant(tenantId);
      const caller = createCaller(other, other.createAccount(tenantId, { place: 'uk' }));
      await caller('PUT', 'customers', CUSTOMERS);
      const [row] = await cell.testDatabase.asOwner<{ row: string }>(
        'SELECT to_jsonb(r)::text AS row FROM cell.records r WHERE record_id = $1',
        [erika],
      );
      await other.testDatabase.asOwner(
        'INSERT INTO cell.records SELECT * FROM jsonb_populate_record(NULL::cell.records, $1::jsonb)',
        [row?.row],
      );
      const read = await caller('GET', `customers/records/${erika}`);
      expect(read.body['code']).toBe('RECORD_FACTS_UNVERIFIED');
    } finally {
      await other.close();
    }
  });
});

describe('an older row put back', () => {
  it('still opens, and the ledger names it', async () => {
    const path = `customers/records/${erika}`;
    const changed = await shop(
      'PATCH',
      path,
      { fields: { iban: 'DE-new' } },
      { 'if-match': '"1"' },
    );
    expect(changed.status).toBe(200);
    expect(await findProblems()).toEqual([]);
    await cell.testDatabase.asOwner('DELETE FROM cell.records WHERE record_id = $1', [erika]);
    await cell.testDatabase.asOwner(
      'INSERT INTO cell.records SELECT * FROM public.kept WHERE record_id = $1',
      [erika],
    );
    // A cipher cannot tell: it is what this cell once wrote.
    expect((await shop('GET', path)).body['version']).toBe(1);
    expect(await findProblems()).toEqual([{ record: erika, problem: 'older' }]);
  });

  it('is named as well when it was deleted, taken away or made up', async () => {
    const path = `customers/records/${max}`;
    await shop('DELETE', path, undefined, { 'if-match': '"1"' });
    await cell.testDatabase.asOwner(
      'INSERT INTO cell.records SELECT * FROM public.kept WHERE record_id = $1',
      [max],
    );
    await cell.testDatabase.asOwner('DELETE FROM cell.records WHERE record_id = $1', [erika]);
    expect(await findProblems()).toEqual([
      { record: max, problem: 'returned' },
      { record: erika, problem: 'missing' },
    ]);
  });

  async function findProblems(): Promise<readonly object[]> {
    const { problems } = await checkRows(cell, tenantId);
    return problems.map(({ problem, ...rest }) => ({
      problem,
      record: Reflect.get(rest, 'record'),
    }));
  }
});

describe('the role of the cell', () => {
  async function asCell(...statements: string[]): Promise<unknown> {
    const client = new Client({ connectionString: cell.testDatabase.url });
    await client.connect();
    try {
      let rows: unknown[] = [];
      for (const statement of statements) rows = (await client.query(statement)).rows;
      return rows;
    } catch (error) {
      return error instanceof Error && 'code' in error ? error.code : error;
    } finally {
      await client.end();
    }
  }
  const STRANGER = parseTenantId('018f0000-0000-7000-8000-000000000001');
  const asTenant = (tenant: string): string =>
    `SELECT set_config('bailiwick.tenant', '${tenant}', false)`;
  const DENIED = '42501';

  it.each([
    ['sees nothing without a tenant', [`SELECT 1 FROM cell.records`], []],
    ['sees nothing of another tenant', [asTenant(STRANGER), 'SELECT 1 FROM cell.records'], []],
    [
      'changes nothing of another tenant',
      [asTenant(STRANGER), `UPDATE cell.records SET version = 9 RETURNING 1`],
      [],
    ],
    [
      'deletes nothing of another tenant',
      [asTenant(STRANGER), 'DELETE FROM cell.records RETURNING 1'],
      [],
    ],
    ['reads no partition by its name', ['SELECT 1 FROM cell.records_0'], DENIED],
    ['writes no schema over another', ['UPDATE cell.collections SET version = 9'], DENIED],
    ['empties nothing', ['TRUNCATE cell.records'], DENIED],
    [
      'opens no door in row security',
      ['ALTER TABLE cell.records NO FORCE ROW LEVEL SECURITY'],
      DENIED,
    ],
    ['takes no other role', ['SET ROLE postgres'], DENIED],
    [
      'does not switch row security off',
      ['SET row_security = off', 'SELECT 1 FROM cell.records'],
      DENIED,
    ],
  ])('%s', async (_, statements, expected) => {
    expect(await asCell(...statements)).toEqual(expected);
  });

  it('writes no row of another tenant', async () => {
    const copy = `INSERT INTO cell.records SELECT (jsonb_populate_record(r, '{"tenant_id": "${tenantId}"}')).* FROM cell.records r`;
    const insert = `INSERT INTO cell.records (tenant_id, collection_id, record_id, version, schema_version, facts, plain, sealed, blind, facts_mac, entry_id)
      VALUES ('${tenantId}', 'customers', gen_random_uuid(), 1, 1, '{}', '{}', '', '{}', sha256(''), gen_random_uuid())`;
    expect(await asCell(asTenant(STRANGER), insert)).toBe(DENIED);
    expect(await asCell(insert)).toBe(DENIED);
    expect(await asCell(asTenant(STRANGER), copy)).toEqual([]);
  });

  it('names a tenant to the point read for one statement only', async () => {
    const read = `SELECT 1 FROM cell.read_records('${tenantId}', ARRAY['customers'], ARRAY['${erika}']::uuid[])`;
    expect(await asCell(read)).toHaveLength(1);
    expect(await asCell(read, 'SELECT 1 FROM cell.records')).toEqual([]);
  });
});

describe('what is stored', () => {
  it('holds no restricted value in any table', async () => {
    const tables = await cell.testDatabase.asOwner<{ name: string }>(
      `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
       WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`,
    );
    expect(tables.length).toBeGreaterThan(10);
    let found = 0;
    for (const { name } of tables) {
      const rows = await cell.testDatabase.asOwner<{ text: string }>(
        `SELECT t::text AS text FROM ${name} t`,
      );
      for (const { text } of rows) {
        found += 1;
        for (const value of ['Erika', 'erika', 'DE-', 'example.org']) {
          const hex = Buffer.from(value).toString('hex');
          expect(text.includes(value) || text.includes(hex), `${name} holds ${value}`).toBe(false);
        }
      }
    }
    expect(found).toBeGreaterThan(10);
  });
});
