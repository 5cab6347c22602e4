// SPDX-License-Identifier: Apache-2.0
// Goal: what the overview counts is what lies there, of one tenant and of no other; what it says of law and
// cells is what the bundle says. Method: a whole cell, records of a collection with two sealed field sets, and
// the rows themselves as the reference.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newTenant, startTestCell, type TestAccount, type TestCell } from '../testing/test-cell.ts';

const tenant = newTenant();
const other = newTenant();
const SCHEMA = {
  description: 'People with an order',
  fieldSets: {
    contact: {
      class: 'restricted',
      category: 'contact',
      purpose: 'order-fulfilment',
      subject: 'record',
      protection: 'sealed',
    },
    purchase: {
      class: 'restricted',
      category: 'transactional',
      purpose: 'order-fulfilment',
      subject: 'record',
      protection: 'sealed',
    },
  },
  fields: {
    name: { fieldSet: 'contact', type: 'text', required: true },
    note: { fieldSet: 'purchase', type: 'text', required: true },
  },
};
let test: TestCell;
let shop: TestAccount;
let admin: TestAccount;
let stranger: TestAccount;

beforeAll(async () => {
  test = await startTestCell({ tenants: [tenant, other] });
  shop = await test.addAccount(tenant.tenantId);
  admin = await test.addAccount(tenant.tenantId, { role: 'tenant-admin' });
  stranger = await test.addAccount(other.tenantId);
  const made = await test.call({
    method: 'PUT',
    path: '/v1/collections/people',
    body: SCHEMA,
    as: admin,
  });
  expect(made.status, JSON.stringify(made.body)).toBeLessThan(300);
  for (const [id, origin, note] of [
    ['one', 'de', 'x'.repeat(500)],
    ['two', 'fr', 'short'],
    ['three', 'fr', 'short'],
  ]) {
    const body = { id, subject: id, origin, fields: { name: `Person ${id}`, note } };
    const answer = await test.call({
      method: 'POST',
      path: '/v1/collections/people/records',
      body,
      as: shop,
      headers: { 'idempotency-key': `record-${id}` },
    });
    expect(answer.status, JSON.stringify(answer.body)).toBe(201);
  }
});
afterAll(() => test?.stop());

describe('holdings', () => {
  it('are what the rows are: records, people, bytes by field set, origins', async () => {
    const { status, body } = await test.call({ path: '/v1/holdings', as: shop });
    expect(status, JSON.stringify(body)).toBe(200);
    const rows = await test.database.asOwner<{ size: number }>(
      'SELECT octet_length(sealed) AS size FROM cell.records',
    );
    const stored = rows.reduce((sum, { size }) => sum + size, 0);
    const [people] = body.collections;
    const sizes = people.fieldSets.map((set: { sizeBytes: number }) => set.sizeBytes);
    expect(body.recordsCount).toBe(3);
    expect(people).toMatchObject({ collection: 'people', recordsCount: 3, subjectsCount: 3 });
    // Each container has two bytes, and four before each of its two values.
    expect(sizes[0] + sizes[1]).toBe(stored - 3 * 10);
    expect(sizes[1]).toBeGreaterThan(sizes[0] + 400);
    expect(body.origins).toEqual([
      { origin: 'fr', recordsCount: 2 },
      { origin: 'de', recordsCount: 1 },
    ]);
    expect(JSON.stringify(body)).not.toContain('Person');
  });

  it('of another tenant are none', async () => {
    const { body } = await test.call({ path: '/v1/holdings', as: stranger });
    expect(body).toMatchObject({ recordsCount: 0, sizeBytes: 0, collections: [], origins: [] });
  });

  it('need a credential', async () => {
    for (const path of [
      '/v1/holdings',
      '/v1/cells',
      '/v1/places',
      '/v1/mechanisms',
      '/v1/status',
    ]) {
      expect((await test.call({ path })).status, path).toBe(401);
    }
  });
});

describe('places, cells, grounds and status', () => {
  it('say where data of a place lives and why, and who is refused', async () => {
    const { body } = await test.call({ path: '/v1/places', as: shop });
    const find = (origin: string) =>
      body.items.find((one: { origin: string }) => one.origin === origin);
    expect(find('fr')).toMatchObject({ name: 'France', cell: 'eu-de/main', regimes: ['gdpr'] });
    expect(find('fr').because).toContain('European Economic Area');
    expect(find('bh').cell).toBeUndefined();
    expect(find('bh').because).toContain('Bahrain');
  });

  it('name the cells, this one and the homes of the tenant that asks', async () => {
    const { body } = await test.call({ path: '/v1/cells', as: shop });
    const own = body.items.filter((one: { isThis: boolean }) => one.isThis);
    expect(own).toHaveLength(1);
    expect(own[0]).toMatchObject({ cell: 'eu-de/main', isHome: true });
    expect(body.items.find((one: { cell: string }) => one.cell === 'us-va/main').isHome).toBe(
      false,
    );
  });

  it('say how each ground stands, and how the cell does', async () => {
    const grounds = await test.call({ path: '/v1/mechanisms', as: shop });
    expect(grounds.body.items.map(({ id }: { id: string }) => id)).toContain('scc');
    const { body } = await test.call({ path: '/v1/status', as: shop });
    expect(body).toMatchObject({
      cell: 'eu-de/main',
      charter: { name: 'retailer', isFresh: true },
    });
    expect(body.ledger.key).toContain('eu-de/main/ledger/1+');
    expect(body.charter.hash).toBe(test.cell.runtime.law.current().hash);
    expect(body.transfers).toEqual({});
  });
});
