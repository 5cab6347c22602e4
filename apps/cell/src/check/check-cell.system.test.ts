// SPDX-License-Identifier: Apache-2.0
// Goal: a check of a whole cell is silent over a cell that is in order, and names whatever is not. Method: a
// real cell with records, deletions and an erasure; the database's owner and the erasable store's plant one
// defect of each kind and put it right again.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CUSTOMERS } from '../records/testing/shop.ts';
import { newTenant, startTestCell, type TestAccount, type TestCell } from '../testing/test-cell.ts';
import { checkCell } from './check-cell.ts';
import type { CheckProblemKind, CheckReport } from './findings.ts';

const tenant = newTenant();
const TABLES = [
  'cell.records',
  'cell.transfers',
  'cell.idempotency_keys',
  'keys.subject_keys',
  'keys.shred_keys',
  'keys.erasures',
  'keys.changes',
  'ledger.entries',
  'ledger.batches',
  'ledger.tiles',
  'ledger.heads',
] as const;
let cell: TestCell;
let shop: TestAccount;
let store: string;

const check = (workMsMax = 0): Promise<CheckReport> =>
  checkCell(cell.cell.runtime.config, { workMsMax });

async function call(
  as: TestAccount,
  method: 'POST' | 'PUT' | 'PATCH' | 'DELETE',
  route: string,
  body?: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ readonly recordId: string; readonly erasureId?: string }> {
  const answer = await cell.call({ method, path: route, as, body, headers });
  expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
  return answer.body;
}

beforeAll(async () => {
  store = mkdtempSync(path.join(tmpdir(), 'bailiwick-store-'));
  cell = await startTestCell({ tenants: [tenant], backups: store });
  shop = await cell.addAccount(tenant.tenantId);
  const privacy = await cell.addAccount(tenant.tenantId, {
    role: 'privacy-officer',
    kind: 'person',
    purposes: ['legal-obligation'],
    defaultPurpose: 'legal-obligation',
  });
  await call(shop, 'PUT', '/v1/collections/customers', CUSTOMERS);
  const records = '/v1/collections/customers/records';
  for (const id of ['erika', 'hans', 'ilse', 'otto']) {
    const fields = { name: `Name of ${id}`, email: `${id}@example.test`, orders: 7 };
    const made = await call(shop, 'POST', records, { id, subject: id, origin: 'de', fields });
    if (id === 'hans') {
      const change = { fields: { orders: 8 } };
      await call(shop, 'PATCH', `${records}/${made.recordId}`, change, { 'if-match': '"1"' });
    }
    if (id === 'ilse') {
      const headers = { 'if-match': '"1"' };
      await call(shop, 'DELETE', `${records}/${made.recordId}`, undefined, headers);
    }
  }
  await call(privacy, 'POST', '/v1/erasures', { subject: 'otto' });
});
afterAll(async () => {
  await cell.stop();
  rmSync(store, { recursive: true, force: true });
});

/** Plants a defect, checks, and puts everything back. */
async function checkForged(statement: string): Promise<readonly CheckProblemKind[]> {
  const owner = cell.database.asOwner;
  // What still gets its position while tables are copied would be put back without it.
  await expect.poll(async () => (await check()).counts['inbox'], { timeout: 10_000 }).toBe(0);
  const begin = TABLES.map(
    (name) => `CREATE TABLE public.${name.replace('.', '_')} AS SELECT * FROM ${name}`,
  );
  for (const one of begin) await owner(one);
  // Foreign keys and triggers stand in the way of forging, and of putting back.
  const free = "SET session_replication_role = 'replica'";
  try {
    await owner(`${free}; ${statement}; RESET session_replication_role`);
    const { problems } = await check();
    return [...new Set(problems.map(({ problem }) => problem))];
  } finally {
    const back = TABLES.map(
      (name) =>
        `DELETE FROM ${name}; INSERT INTO ${name} OVERRIDING SYSTEM VALUE SELECT * FROM public.${name.replace('.', '_')}; ` +
        `DROP TABLE public.${name.replace('.', '_')}`,
    );
    await owner(`${free}; ${back.join('; ')}; RESET session_replication_role`);
  }
}

describe('a check of a whole cell', () => {
  it('is silent where all is in order, and says what it walked', async () => {
    const report = await check();
    expect(report.problems).toEqual([]);
    expect(report.problemsCount).toBe(0);
    expect(report.counts).toMatchObject({
      rows: 2,
      'sealed values': 2,
      'values opened': 2,
      erasures: 1,
      'erased keys': 1,
    });
    for (const what of ['entries', 'leaves', 'proofs', 'tiles', 'sealing keys', 'shred keys']) {
      expect(report.counts[what], what).toBeGreaterThan(0);
    }
    expect(report.counts['destroyed keys']).toBeGreaterThan(0);
  });

  it('is silent over a cell that goes on working', async () => {
    const records = '/v1/collections/customers/records';
    const fields = { name: 'Name', email: 'more@example.test', orders: 1 };
    let isDone = false;
    const work = (async () => {
      for (let index = 0; !isDone; index += 1) {
        const id = `busy-${index}`;
        const made = await call(shop, 'POST', records, { id, subject: id, origin: 'de', fields });
        const headers = { 'if-match': '"1"' };
        await call(shop, 'DELETE', `${records}/${made.recordId}`, undefined, headers);
      }
    })();
    try {
      for (let round = 0; round < 5; round += 1) {
        expect((await check(60_000)).problems).toEqual([]);
      }
    } finally {
      isDone = true;
      await work;
    }
  });

  const FIRST_ROW = '(SELECT record_id FROM cell.records ORDER BY record_id LIMIT 1)';
  it.each<[what: string, statement: string, expected: CheckProblemKind]>([
    [
      'a row that is gone',
      `DELETE FROM cell.records WHERE record_id = ${FIRST_ROW}`,
      'row-missing',
    ],
    [
      'a plain field that was changed',
      `UPDATE cell.records SET plain = '{"orders":9}' WHERE record_id = ${FIRST_ROW}`,
      'facts-unverified',
    ],
    [
      'a row with another version',
      'UPDATE cell.records SET version = version + 1',
      'row-unrecorded',
    ],
    [
      'a row that no entry tells of',
      `INSERT INTO cell.records SELECT tenant_id, collection_id, gen_random_uuid(), version, schema_version,
         subject_id, facts, plain, sealed, blind, facts_mac, gen_random_uuid()
         FROM cell.records WHERE record_id = ${FIRST_ROW}`,
      'row-without-entry',
    ],
    [
      'a sealed value in another row',
      `UPDATE cell.records SET sealed = (SELECT sealed FROM cell.records ORDER BY record_id DESC LIMIT 1)
        WHERE record_id = ${FIRST_ROW}`,
      'row-changed',
    ],
    [
      'a body that was changed',
      `UPDATE ledger.entries SET body = replace(body, '"write"', '"read"') WHERE kind = 'write'`,
      'entry-changed',
    ],
    [
      'an entry that is gone',
      `DELETE FROM ledger.entries WHERE kind = 'erasure'`,
      'batch-incomplete',
    ],
    [
      'an entry of no batch',
      `UPDATE ledger.entries SET batch_id = 999999 WHERE kind = 'delete'`,
      'entry-adrift',
    ],
    [
      'a tile with another hash',
      "UPDATE ledger.tiles SET hashes = sha256('x') || substr(hashes, 33) WHERE level = 0",
      'tree-broken',
    ],
    ['another root', "UPDATE ledger.heads SET root = sha256('x')", 'tree-broken'],
    [
      'a checkpoint that nobody signed',
      "UPDATE ledger.heads SET checkpoint = replace(checkpoint, 'A', 'B')",
      'tree-broken',
    ],
    ['a position that is gone', 'DELETE FROM ledger.batches WHERE first_index = 1', 'log-gap'],
    [
      'a wrap of another key',
      `UPDATE keys.subject_keys SET wrap = sha256(wrap) || substr(wrap, 33) WHERE NOT is_erased`,
      'wrap-unopened',
    ],
    ['a key that is gone', 'DELETE FROM keys.subject_keys WHERE NOT is_erased', 'key-missing'],
    [
      'a key that was erased under a row',
      'UPDATE keys.subject_keys SET is_erased = true, wrap = NULL, shred_key_id = NULL',
      'row-of-erased',
    ],
    [
      'a shred key that was to be destroyed',
      `UPDATE keys.erasures SET retired = retired || (SELECT shred_key_id FROM keys.shred_keys LIMIT 1)`,
      'shred-key-left',
    ],
    [
      'an erasure in the middle',
      "UPDATE keys.erasures SET state = 'rewrapped', accepted_at = now() - interval '1 minute'",
      'erasure-unfinished',
    ],
    [
      'a request that nobody ended',
      `UPDATE cell.idempotency_keys SET status = NULL, answer = NULL, holder = gen_random_uuid(),
         held_until = now() - interval '1 minute'`,
      'request-unfinished',
    ],
  ])('names %s', async (_what, statement, expected) => {
    expect(await checkForged(statement)).toContain(expected);
    expect((await check()).problems, 'put back').toEqual([]);
  });

  it('names a shred key that a replica has lost the other of', async () => {
    const replica = path.join(cell.directory, 'erasable');
    const files = readdirSync(replica, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name !== 'replica.json')
      .map((entry) => path.join(entry.parentPath, entry.name));
    expect(files.length).toBeGreaterThan(0);
    const kept = files.map((file) => [file, readFileSync(file)] as const);
    try {
      for (const file of files) rmSync(file);
      const { problems } = await check();
      expect(problems.map(({ problem }) => problem)).toContain('wrap-unopened');
    } finally {
      for (const [file, bytes] of kept)
        if (!existsSync(file)) writeFileSync(file, bytes, { mode: 0o600 });
    }
    expect((await check()).problems).toEqual([]);
  });
});
