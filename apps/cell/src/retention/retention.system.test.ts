// SPDX-License-Identifier: Apache-2.0
// Goal: what has served its time goes, field set by field set, and nothing else does; a dry run tells the
// same and changes nothing; a run that is taken up again does nothing twice. Method: a record cell under
// the retailer's charter; records carry the date that the law counts from.
import { randomUUID } from 'node:crypto';
import type { TenantId } from '@bailiwick/kernel';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { checkRows } from '../ledger/check-rows.ts';
import { type Asked, ask } from '../records/testing/ask.ts';
import {
  createRetailerLaw,
  openRecordCell,
  type RecordCell,
} from '../records/testing/record-cell.ts';
import { runRetention } from './run-retention.ts';

const sealed = (category: string): object => {
  const purpose = 'order-fulfilment';
  return { class: 'restricted', category, purpose, subject: 'record', protection: 'sealed' };
};
/** Under the retailer: clicks 13 months from collection, contact 3 years from the last activity. */
const VISITS = {
  lawDateField: 'day',
  fieldSets: {
    clicks: sealed('behavioural'),
    contact: sealed('contact'),
    time: {
      class: 'operational',
      category: 'technical',
      purpose: 'order-fulfilment',
      subject: 'none',
      protection: 'plain',
    },
  },
  fields: {
    path: { fieldSet: 'clicks', type: 'text' },
    email: { fieldSet: 'contact', type: 'text', index: 'email' },
    day: { fieldSet: 'time', type: 'date' },
  },
};
const ONLY_CLICKS = {
  lawDateField: 'day',
  fieldSets: {
    clicks: sealed('behavioural'),
    time: { ...VISITS.fieldSets.time, category: 'behavioural' },
  },
  fields: { path: VISITS.fields.path, day: VISITS.fields.day },
};
const OLD = '2024-01-01';
const NEW = '2026-11-01';

let cell: RecordCell;
let tenantId: TenantId;
let shop: string;
let officer: string;
beforeAll(async () => {
  cell = await openRecordCell();
});
afterAll(() => cell.close());
beforeEach(async () => {
  tenantId = await cell.createTenant();
  shop = cell.createAccount(tenantId);
  officer = cell.createAccount(tenantId, { role: 'privacy-officer', kind: 'person' });
  for (const [name, schema] of [
    ['visits', VISITS],
    ['clicks', ONLY_CLICKS],
  ] as const) {
    const put = await ask(cell, shop, 'PUT', `collections/${name}`, { body: schema });
    expect(put.status, put.text).toBeLessThan(300);
  }
});

async function put(collection: string, id: string, fields: object): Promise<void> {
  const body = { id, subject: id, origin: 'de', fields };
  const made = await ask(cell, shop, 'POST', `collections/${collection}/records`, { body });
  expect(made.status, made.text).toBe(201);
}

/** Asks for a run and does its work, as the job would. */
async function run(isDryRun: boolean, collection?: string): Promise<Asked['body']> {
  const body = { isDryRun, ...(collection === undefined ? {} : { collection }) };
  const asked = await ask(cell, officer, 'POST', 'retention-runs', { body });
  expect(asked.status, asked.text).toBe(202);
  const { runId } = asked.body;
  await runRetention(cell.erasures, { tenantId, runId });
  return (await ask(cell, officer, 'GET', `retention-runs/${runId}`)).body;
}

async function fieldsOf(collection: string): Promise<readonly object[]> {
  const found = await ask(cell, shop, 'POST', `collections/${collection}/searches`, {
    body: { pageSize: 100 },
  });
  return found.body.items.map((one: { fields: object }) => one.fields);
}

async function expectLedgerAgrees(): Promise<void> {
  const ports = { database: cell.database, ledger: cell.ledger };
  expect((await checkRows(ports, tenantId)).problems).toEqual([]);
}

describe('a run', () => {
  it('deletes records of which nothing stays, and leaves those in time', async () => {
    await put('clicks', 'old', { path: '/a', day: OLD });
    await put('clicks', 'new', { path: '/b', day: NEW });
    const done = await run(false);
    expect(done).toMatchObject({ state: 'done', isDryRun: false });
    expect(done.counts).toMatchObject({ scanned: 2, deleted: 1, reduced: 0 });
    expect(done.counts.byCategory).toEqual({ behavioural: 2 });
    expect(await fieldsOf('clicks')).toEqual([{ path: '/b', day: NEW }]);
    await expectLedgerAgrees();
  });

  it('takes field sets out of records of which something stays', async () => {
    await put('visits', 'anna', { path: '/a', email: 'anna@x.example', day: OLD });
    const done = await run(false);
    expect(done.counts).toMatchObject({ scanned: 1, deleted: 0, reduced: 1 });
    expect(await fieldsOf('visits')).toEqual([{ email: 'anna@x.example', day: OLD }]);
    const by = await ask(cell, shop, 'POST', 'collections/visits/searches', {
      body: { where: { email: { eq: 'anna@x.example' } } },
    });
    expect(by.body.items).toHaveLength(1);
    await expectLedgerAgrees();
  });

  it('tells in a dry run what would go, and changes nothing', async () => {
    await put('clicks', 'old', { path: '/a', day: OLD });
    await put('visits', 'anna', { path: '/a', email: 'anna@x.example', day: OLD });
    const dry = await run(true);
    expect(dry.counts).toMatchObject({ scanned: 2, deleted: 1, reduced: 1 });
    expect(await fieldsOf('clicks')).toHaveLength(1);
    expect(await fieldsOf('visits')).toEqual([{ path: '/a', email: 'anna@x.example', day: OLD }]);
    expect((await run(false)).counts).toEqual(dry.counts);
  });

  it('is of one collection where one is named', async () => {
    await put('clicks', 'old', { path: '/a', day: OLD });
    await put('visits', 'anna', { path: '/a', day: OLD });
    expect((await run(false, 'visits')).counts).toMatchObject({ scanned: 1 });
    expect(await fieldsOf('clicks')).toHaveLength(1);
    const body = { isDryRun: true, collection: 'absent' };
    const unknown = await ask(cell, officer, 'POST', 'retention-runs', { body });
    expect(unknown.body.code).toBe('COLLECTION_UNKNOWN');
  });

  it('leaves what is held, and what an order keeps, and says so', async () => {
    await put('clicks', 'held', { path: '/a', day: OLD });
    await put('clicks', 'ordered', { path: '/b', day: OLD });
    await put('clicks', 'free', { path: '/c', day: OLD });
    const hold = { subject: 'held', reference: 'h-1' };
    const { body: placed } = await ask(cell, officer, 'POST', 'holds', { body: hold });
    const order = { measure: 'freeze', reference: 'o-1', subject: 'ordered' };
    await ask(cell, officer, 'POST', 'orders', { body: order });
    expect((await run(false)).counts).toMatchObject({ deleted: 1, held: 1, ordered: 1 });
    expect(await fieldsOf('clicks')).toHaveLength(2);
    await ask(cell, officer, 'POST', `holds/${placed.holdId}/releases`, { body: {} });
    expect((await run(false)).counts).toMatchObject({ deleted: 1, held: 0, ordered: 1 });
  });

  it('counts from the event that the law counts from', async () => {
    await put('visits', 'anna', { email: 'anna@x.example', day: '2020-01-01' });
    // Taken in today: three years from now, whatever the day of the visit was.
    expect((await run(true)).counts).toMatchObject({ deleted: 0, reduced: 0 });
    const listed = await ask(cell, officer, 'GET', 'retention-terms');
    const contact = listed.body.items.find(
      (one: { collection: string; fieldSet: string }) =>
        one.collection === 'visits' && one.fieldSet === 'contact',
    );
    expect(contact).toMatchObject({ keepForDays: 1098, from: 'last-activity', isRequired: false });
    expect(contact.source).toContain('BGB § 195');
    const time = listed.body.items.find(
      (one: { collection: string; fieldSet: string }) =>
        one.collection === 'visits' && one.fieldSet === 'time',
    );
    expect(time.keepForDays).toBeUndefined();
  });

  it('does nothing twice when two take it up at once', async () => {
    for (let at = 0; at < 20; at += 1) await put('clicks', `old-${at}`, { path: '/a', day: OLD });
    const asked = await ask(cell, officer, 'POST', 'retention-runs', { body: { isDryRun: false } });
    const place = { tenantId, runId: asked.body.runId };
    await Promise.all([runRetention(cell.erasures, place), runRetention(cell.erasures, place)]);
    const { body } = await ask(cell, officer, 'GET', `retention-runs/${place.runId}`);
    expect(body).toMatchObject({ state: 'done', counts: { scanned: 20, deleted: 20 } });
    await expectLedgerAgrees();
  });

  it('leaves a row alone that is not what was written', async () => {
    await put('clicks', 'old', { path: '/a', day: NEW });
    await cell.testDatabase.asOwner(
      `UPDATE cell.records SET facts = replace(facts, $2, $3) WHERE tenant_id = $1`,
      [tenantId, NEW, OLD],
    );
    expect((await run(false)).counts).toMatchObject({ deleted: 0, unverified: 1 });
  });

  it('is neither asked for nor seen by who serves the shop, nor by another tenant', async () => {
    const body = { isDryRun: true };
    expect((await ask(cell, shop, 'POST', 'retention-runs', { body })).status).toBe(403);
    const { runId } = await run(true);
    expect((await ask(cell, shop, 'GET', `retention-runs/${runId}`)).status).toBe(403);
    const other = cell.createAccount(await cell.createTenant(), { role: 'privacy-officer' });
    const foreign = await ask(cell, other, 'GET', `retention-runs/${runId}`);
    expect(foreign.body.code).toBe('RETENTION_RUN_UNKNOWN');
    const unknown = await ask(cell, officer, 'GET', `retention-runs/${randomUUID()}`);
    expect(unknown.body.code).toBe('RETENTION_RUN_UNKNOWN');
  });
});

describe('a contract', () => {
  it('makes the term shorter', async () => {
    const law = createRetailerLaw();
    const terms = { terms: 1, version: 2, retentionDaysMax: { behavioural: 3 } } as const;
    const own = await openRecordCell({ law: { ...law, termsOf: () => terms } });
    try {
      const tenant = await own.createTenant();
      const service = own.createAccount(tenant);
      const privacy = own.createAccount(tenant, { role: 'privacy-officer' });
      await ask(own, service, 'PUT', 'collections/clicks', { body: ONLY_CLICKS });
      const body = { id: 'a', subject: 'a', origin: 'de', fields: { path: '/', day: NEW } };
      await ask(own, service, 'POST', 'collections/clicks/records', { body });
      const asked = await ask(own, privacy, 'POST', 'retention-runs', {
        body: { isDryRun: false },
      });
      await runRetention(own.erasures, { tenantId: tenant, runId: asked.body.runId });
      const done = await ask(own, privacy, 'GET', `retention-runs/${asked.body.runId}`);
      expect(done.body.counts).toMatchObject({ deleted: 1 });
    } finally {
      await own.close();
    }
  });
});
