// SPDX-License-Identifier: Apache-2.0
// Goal: over HTTP, the customer turns its key and erases a person; both are on record, with receipts that
// verify; who may not is refused. What a copied disk shows afterwards: `shredded-copy.system.test.ts`.
import type { TenantId } from '@bailiwick/kernel';
import { deriveSubjectId, verifyStatement } from '@bailiwick/keys';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openRecordCell, type RecordCell } from '../records/testing/record-cell.ts';
import { CUSTOMERS } from '../records/testing/shop.ts';

let cell: RecordCell;
let calls = 0;

beforeAll(async () => {
  cell = await openRecordCell();
});
afterAll(() => cell.close());

interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

async function call(
  token: string,
  method: 'GET' | 'POST' | 'PUT',
  url: string,
  body?: object,
): Promise<Answer> {
  calls += 1;
  const response = await cell.app.inject({
    method,
    url,
    headers: {
      host: 'localhost',
      authorization: `Bearer ${token}`,
      'idempotency-key': `erasure-${calls}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
  });
  return { status: response.statusCode, body: JSON.parse(response.body || '{}') };
}

async function setUp(): Promise<{ tenantId: TenantId; shop: string; officer: string }> {
  const tenantId = await cell.createTenant();
  const shop = cell.createAccount(tenantId, { role: 'shop-service' });
  const officer = cell.createAccount(tenantId, { role: 'security-officer', kind: 'person' });
  const put = await call(shop, 'PUT', '/v1/collections/customers', CUSTOMERS);
  expect(put.status, JSON.stringify(put.body)).toBeLessThan(300);
  for (const id of ['customer-1', 'customer-2', 'customer-3']) {
    const created = await call(shop, 'POST', '/v1/collections/customers/records', {
      id,
      subject: id,
      origin: 'de',
      fields: { name: `Name of ${id}`, email: `${id}@example.test`, orders: 1 },
    });
    expect(created.status, JSON.stringify(created.body)).toBe(201);
  }
  return { tenantId, shop, officer };
}

const search = (token: string): Promise<Answer> =>
  call(token, 'POST', '/v1/collections/customers/searches', { pageSize: 10 });

async function customerKeyOf(token: string): Promise<string> {
  const { body } = await call(token, 'GET', '/v1/keys');
  const items: unknown = body['items'];
  if (!Array.isArray(items)) throw new Error('no items');
  return String(items.find(({ kind }) => kind === 'customer-key').keyId);
}

describe('the customer key over HTTP', () => {
  it('is disabled with receipts, closes reads and writes, and is enabled again', async () => {
    const { tenantId, shop, officer } = await setUp();
    const keyId = await customerKeyOf(officer);
    expect((await search(shop)).status).toBe(200);
    const disabled = await call(officer, 'POST', `/v1/keys/${keyId}/disablements`, {});
    expect(disabled.status, JSON.stringify(disabled.body)).toBe(200);
    expect(disabled.body).toMatchObject({ keyId, kind: 'customer-key', state: 'disabled' });
    expect(disabled.body['effectiveAt']).toBeDefined();
    const receipts = disabled.body['receipts'];
    if (!Array.isArray(receipts)) throw new Error('no receipts');
    const [receipt] = receipts;
    expect(verifyStatement(receipt, [receipt.publicKey])).toMatchObject({ tenant: tenantId });
    const closed = await search(shop);
    expect([closed.status, closed.body['code']]).toEqual([423, 'KEYS_CUSTOMER_KEY_DISABLED']);
    const write = await call(shop, 'POST', '/v1/collections/customers/records', {
      id: 'c-9',
      subject: 'c-9',
      origin: 'de',
      fields: { name: 'Nobody' },
    });
    expect(write.status).toBe(423);
    const listed = await call(officer, 'GET', '/v1/keys');
    expect(JSON.stringify(listed.body)).toContain('"state":"disabled"');
    expect((await call(officer, 'POST', `/v1/keys/${keyId}/enablements`, {})).status).toBe(200);
    expect((await search(shop)).status).toBe(200);
    const entries = await cell.testDatabase.asOwner<{ body: string }>(
      `SELECT body FROM ledger.entries WHERE body LIKE '%"kind":"key"%' AND body LIKE $1`,
      [`%${keyId}%`],
    );
    expect(entries.length).toBe(4);
  });

  it.each(['shop-service', 'analyst', 'support-agent', 'privacy-officer'])(
    'is not turned by %s',
    async (role) => {
      const { tenantId, officer, shop } = await setUp();
      const keyId = await customerKeyOf(officer);
      const other = cell.createAccount(tenantId, { role });
      const refused = await call(other, 'POST', `/v1/keys/${keyId}/disablements`, {});
      expect([refused.status, refused.body['code']]).toEqual([403, 'CELL_ROLE_FORBIDDEN']);
      expect((await search(shop)).status).toBe(200);
    },
  );

  it('is not turned by another tenant, nor by a person who signed in badly', async () => {
    const [mine, theirs] = [await setUp(), await setUp()];
    const keyId = await customerKeyOf(mine.officer);
    const foreign = await call(theirs.officer, 'POST', `/v1/keys/${keyId}/disablements`, {});
    expect([foreign.status, foreign.body['code']]).toEqual([404, 'KEYS_KEY_UNKNOWN']);
    const weak = cell.createAccount(mine.tenantId, {
      role: 'security-officer',
      kind: 'person',
      assurance: 'low',
    });
    expect((await call(weak, 'POST', `/v1/keys/${keyId}/disablements`, {})).status).toBe(403);
    expect((await search(mine.shop)).status).toBe(200);
    expect((await search(theirs.shop)).status).toBe(200);
  });
});

describe('the erasure of a person over HTTP', () => {
  it('destroys keys and rows, leaves others, and is on record', async () => {
    const { tenantId, shop } = await setUp();
    const erased = await call(shop, 'POST', '/v1/erasures', { subject: 'customer-1' });
    expect(erased.status, JSON.stringify(erased.body)).toBe(200);
    expect(erased.body).toMatchObject({ state: 'done', survivorsCount: 2, recordsCount: 1 });
    const found = await search(shop);
    expect(JSON.stringify(found.body)).not.toContain('customer-1@example.test');
    expect(JSON.stringify(found.body)).toContain('customer-2@example.test');
    const again = await call(shop, 'POST', '/v1/erasures', { subject: 'customer-1' });
    expect(again.body).toMatchObject({ state: 'done', keyIds: [], recordsCount: 0 });
    const entries = await cell.testDatabase.asOwner<{ body: string }>(
      `SELECT body FROM ledger.entries WHERE tenant_id = $1
          AND (body LIKE '%"kind":"erasure"%' OR body LIKE '%"kind":"delete"%')`,
      [tenantId],
    );
    expect(entries.length).toBe(5);
    for (const { body } of entries) expect(body).not.toContain('customer-1');
  });

  it('is refused to roles that the charter does not let remove', async () => {
    const { tenantId, shop } = await setUp();
    const analyst = cell.createAccount(tenantId, { role: 'analyst' });
    const refused = await call(analyst, 'POST', '/v1/erasures', { subject: 'customer-1' });
    expect([refused.status, refused.body['code']]).toEqual([403, 'POLICY_FLOW_DENIED']);
    expect(JSON.stringify((await search(shop)).body)).toContain('customer-1@example.test');
  });

  it.each([
    [{}],
    [{ subject: '' }],
    [{ subject: 'x'.repeat(513) }],
    [{ subject: 7 }],
    [{ subject: 'a', more: 1 }],
  ])('is refused for the body %j', async (body) => {
    const { shop } = await setUp();
    expect((await call(shop, 'POST', '/v1/erasures', body)).status).toBe(400);
  });

  it('waits while the customer key is disabled, and is done once it is enabled', async () => {
    const { tenantId, shop, officer } = await setUp();
    const keyId = await customerKeyOf(officer);
    const { idKey } = await cell.keys.secrets(tenantId);
    const subjectId = deriveSubjectId(idKey, 'customer-2');
    await call(officer, 'POST', `/v1/keys/${keyId}/disablements`, {});
    expect((await call(shop, 'POST', '/v1/erasures', { subject: 'customer-2' })).status).toBe(423);
    await call(officer, 'POST', `/v1/keys/${keyId}/enablements`, {});
    const erased = await call(shop, 'POST', '/v1/erasures', { subject: 'customer-2' });
    expect(erased.body).toMatchObject({ state: 'done', subjectId });
  });
});
