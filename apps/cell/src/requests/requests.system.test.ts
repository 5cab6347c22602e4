// SPDX-License-Identifier: Apache-2.0
// Goal: what a person asks for has a clock from the first moment, goes through its states in order, is done
// once however often its work is taken up, and never told as done when it is not. Method: a record cell
// over HTTP; a crash is an error thrown before a step, a failure is the customer's key switched off.
import { randomUUID } from 'node:crypto';
import type { TenantId } from '@bailiwick/kernel';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Asked, ask } from '../records/testing/ask.ts';
import { openRecordCell, type RecordCell } from '../records/testing/record-cell.ts';
import { extendClock, startClock } from './clock.ts';
import { runRequest } from './run-request.ts';

const contact = {
  class: 'restricted',
  category: 'contact',
  purpose: 'order-fulfilment',
  subject: 'record',
  protection: 'sealed',
};
const buyer = { ...contact, category: 'transactional' };
const CUSTOMERS = {
  fieldSets: { contact },
  fields: {
    name: { fieldSet: 'contact', type: 'text' },
    email: { fieldSet: 'contact', type: 'text', index: 'email' },
  },
};
const ORDERS = {
  fieldSets: { buyer },
  fields: { invoice: { fieldSet: 'buyer', type: 'text' } },
};

let cell: RecordCell;
let tenantId: TenantId;
let shop: string;
let officer: string;
let recordId: string;
beforeAll(async () => {
  cell = await openRecordCell();
});
afterAll(() => cell.close());
beforeEach(async () => {
  tenantId = await cell.createTenant();
  const purposes = ['order-fulfilment', 'customer-support', 'marketing', 'legal-obligation'];
  shop = cell.createAccount(tenantId, { purposes });
  officer = cell.createAccount(tenantId, {
    ...{ role: 'privacy-officer', kind: 'person', purposes, defaultPurpose: 'legal-obligation' },
  });
  await ask(cell, shop, 'PUT', 'collections/customers', { body: CUSTOMERS });
  await ask(cell, shop, 'PUT', 'collections/orders', { body: ORDERS });
  const customer = await put('customers', 'anna', { name: 'Anna <b>', email: 'anna@x.example' });
  recordId = customer.body.recordId;
  await put('orders', 'o-1', { invoice: 'R-1' });
  await put('customers', 'bert', { name: 'Bert', email: 'bert@x.example' }, 'bert');
});

function put(collection: string, id: string, fields: object, subject = 'anna'): Promise<Asked> {
  const body = { id, subject, origin: 'de', fields };
  return ask(cell, shop, 'POST', `collections/${collection}/records`, { body });
}

const post = (url: string, body: object = {}): Promise<Asked> =>
  ask(cell, officer, 'POST', url, { body });

async function received(body: object): Promise<string> {
  const made = await post('requests', { subject: 'anna', ...body });
  expect(made.status, made.text).toBe(201);
  return made.body.requestId;
}

async function verified(body: object): Promise<string> {
  const requestId = await received(body);
  expect((await post(`requests/${requestId}/verifications`)).body.state).toBe('verified');
  return requestId;
}

const get = (requestId: string): Promise<Asked> =>
  ask(cell, officer, 'GET', `requests/${requestId}`);

async function stepsOnRecord(requestId: string): Promise<readonly string[]> {
  const rows = await cell.testDatabase.asOwner<{ body: string }>(
    `SELECT body FROM ledger.entries WHERE tenant_id = $1 AND body LIKE '%"kind":"request"%'
       AND body LIKE $2 ORDER BY entry_id`,
    [tenantId, `%${requestId}%`],
  );
  return rows.map(({ body }) => JSON.parse(body).facts.step);
}

describe('the clock', () => {
  it('is each law’s own, and the earliest counts', () => {
    const clock = startClock(['gdpr', 'cpra', 'lgpd'], '2026-01-31');
    expect(clock.deadlines.map(({ regime, dueOn }) => [regime, dueOn])).toEqual([
      ['cpra', '2026-03-17'],
      ['gdpr', '2026-02-28'],
      ['lgpd', '2026-02-15'],
    ]);
    expect(clock.dueOn).toBe('2026-02-15');
    expect(clock.deadlines.every(({ source }) => source !== undefined)).toBe(true);
  });

  it('is put off once, where a law lets it, and only there', () => {
    const clock = extendClock(startClock(['gdpr', 'lgpd'], '2026-01-31'));
    expect(clock?.dueOn).toBe('2026-02-15');
    expect(clock?.deadlines.map(({ extendedTo }) => extendedTo)).toEqual(['2026-04-28', undefined]);
    expect(clock && extendClock(clock)).toBeUndefined();
    expect(extendClock(startClock(['lgpd'], '2026-01-31'))).toBeUndefined();
  });

  it('assumes thirty days for a law without one, and says so', () => {
    const [deadline] = startClock(['appi'], '2026-01-01').deadlines;
    expect(deadline).toEqual({ regime: 'appi', dueOn: '2026-01-31', isConfirmed: false });
  });
});

describe('a request', () => {
  it('has its deadline from the first moment, with the law that sets it', async () => {
    const { body } = await get(await received({ kind: 'access' }));
    expect(body).toMatchObject({ state: 'received', kind: 'access', isOverdue: false });
    expect(body.deadlines).toMatchObject([{ regime: 'gdpr', article: 'art. 12(3)' }]);
    const listed = await ask(cell, officer, 'GET', 'requests');
    expect(listed.body.items).toHaveLength(1);
  });

  it('is carried out only once it is verified, and goes through its states in order', async () => {
    const requestId = await received({ kind: 'access' });
    const early = await post(`requests/${requestId}/executions`);
    expect(early.body.code).toBe('REQUEST_STATE_WRONG');
    await post(`requests/${requestId}/verifications`);
    const again = await post(`requests/${requestId}/verifications`);
    expect(again.body.code).toBe('REQUEST_STATE_WRONG');
    expect((await post(`requests/${requestId}/executions`)).body.state).toBe('completed');
    const late = await post(`requests/${requestId}/refusals`, { ground: 'excessive' });
    expect(late.body.code).toBe('REQUEST_STATE_WRONG');
    expect(await stepsOnRecord(requestId)).toEqual([
      ...['received', 'verified', 'running', 'completed'],
    ]);
  });

  it('is put off with the day told, and refused with a ground', async () => {
    const requestId = await received({ kind: 'access' });
    const before = (await get(requestId)).body.dueOn;
    const extended = await post(`requests/${requestId}/extensions`);
    expect(extended.body.dueOn > before).toBe(true);
    expect((await post(`requests/${requestId}/extensions`)).status).toBe(409);
    const refused = await post(`requests/${requestId}/refusals`, {
      ...{ ground: 'identity-unverified', reference: 'call-17' },
    });
    expect(refused.body).toMatchObject({ state: 'refused', refusal: { reference: 'call-17' } });
    expect((await post(`requests/${requestId}/executions`)).status).toBe(409);
  });

  it.each([
    [{ kind: 'objection' }, '/purpose'],
    [{ kind: 'access', purpose: 'marketing' }, '/purpose'],
    [{ kind: 'objection', purpose: 'selling' }, '/purpose'],
    [{ kind: 'restriction' }, '/ground'],
    [{ kind: 'access', ground: 'unlawful' }, '/ground'],
  ])('is refused as %j', async (body, pointer) => {
    const made = await post('requests', { subject: 'anna', ...body });
    expect([made.status, made.body.errors?.[0]?.pointer]).toEqual([400, pointer]);
  });

  it('is nobody’s but an officer’s of the tenant', async () => {
    const requestId = await received({ kind: 'access' });
    const asShop = await ask(cell, shop, 'POST', `requests/${requestId}/verifications`, {
      body: {},
    });
    expect(asShop.status).toBe(403);
    const other = cell.createAccount(await cell.createTenant(), { role: 'privacy-officer' });
    for (const [method, url] of [
      ['GET', `requests/${requestId}`],
      ['POST', `requests/${requestId}/verifications`],
      ['POST', `requests/${requestId}/executions`],
    ] as const) {
      const body = method === 'POST' ? { body: {} } : {};
      const answer = await ask(cell, other, method, url, body);
      expect(answer.body.code, url).toBe('REQUEST_UNKNOWN');
    }
    expect((await get(randomUUID())).body.code).toBe('REQUEST_UNKNOWN');
  });
});

describe('access', () => {
  it('gives everything across collections, for machines and for people', async () => {
    const consent = { subject: 'anna', purpose: 'marketing', state: 'given' };
    await ask(cell, shop, 'POST', 'consents', { body: consent });
    const requestId = await verified({ kind: 'access' });
    const done = await post(`requests/${requestId}/executions`);
    expect(done.body.steps).toMatchObject([{ step: 'collect', facts: { records: 2 } }]);
    const { body } = await post(`requests/${requestId}/exports`, { format: 'json' });
    const told = body.records.map((one: { fields: object }) => one.fields);
    expect(told).toContainEqual({ name: 'Anna <b>', email: 'anna@x.example' });
    expect(told).toContainEqual({ invoice: 'R-1' });
    expect(JSON.stringify(body)).not.toContain('bert');
    expect(body.standing.consents.marketing.state).toBe('given');
    const order = body.records.find((one: { collection: string }) => one.collection === 'orders');
    expect(order.fieldSets[0]).toMatchObject({ category: 'transactional', isHeld: false });
    expect(order.fieldSets[0].keptUntil).toMatch(/^203[67]-/);
    const readable = await post(`requests/${requestId}/exports`, { format: 'markdown' });
    expect(readable.text).toContain('anna@x.example');
    expect(readable.text).toContain('Anna \\<b\\>');
    expect(readable.text).toContain('consent to marketing: given');
  });

  it('is not exported before it is completed, nor for another kind', async () => {
    const requestId = await verified({ kind: 'access' });
    const early = await post(`requests/${requestId}/exports`, { format: 'json' });
    expect(early.body.code).toBe('REQUEST_STATE_WRONG');
    const other = await verified({ kind: 'erasure' });
    await post(`requests/${other}/executions`);
    expect((await post(`requests/${other}/exports`, { format: 'json' })).status).toBe(409);
  });
});

describe('rectification, restriction and objection', () => {
  it('put a record of the person right, and no other’s', async () => {
    const requestId = await verified({ kind: 'rectification' });
    const change = { collection: 'customers', recordId, fields: { name: 'Anna Neu' } };
    const wrong = await ask(cell, shop, 'POST', 'collections/customers/searches', {
      body: { where: { email: { eq: 'bert@x.example' } } },
    });
    const theirs = { ...change, recordId: wrong.body.items[0].recordId };
    const refused = await post(`requests/${requestId}/rectifications`, theirs);
    expect(refused.body.code).toBe('CELL_NOT_FOUND');
    const done = await post(`requests/${requestId}/rectifications`, change);
    expect(done.body.steps, done.text).toMatchObject([{ facts: { record: recordId, version: 2 } }]);
    expect((await post(`requests/${requestId}/executions`)).body.state).toBe('completed');
    const rows = await cell.testDatabase.asOwner<{ row: string }>(
      'SELECT to_jsonb(r)::text AS row FROM cell.rights_requests r WHERE tenant_id = $1',
      [tenantId],
    );
    expect(JSON.stringify(rows)).not.toContain('Anna Neu');
  });

  it('restrict and object as standing facts', async () => {
    const read = (): Promise<Asked> =>
      ask(cell, shop, 'GET', `collections/customers/records/${recordId}`);
    const objection = await verified({ kind: 'objection', purpose: 'customer-support' });
    await post(`requests/${objection}/executions`);
    const support = { 'bailiwick-purpose': 'customer-support' };
    const denied = await ask(cell, shop, 'GET', `collections/customers/records/${recordId}`, {
      headers: support,
    });
    expect(denied.status).toBe(403);
    expect((await read()).status).toBe(200);
    const restriction = await verified({ kind: 'restriction', ground: 'claims' });
    const done = await post(`requests/${restriction}/executions`);
    expect(done.body).toMatchObject({ state: 'completed', steps: [{ step: 'restrict' }] });
    expect((await read()).status).toBe(403);
  });
});

describe('erasure', () => {
  it('ends with a receipt that says what was kept', async () => {
    const requestId = await verified({ kind: 'erasure' });
    const done = await post(`requests/${requestId}/executions`);
    expect(done.body, done.text).toMatchObject({
      ...{ state: 'completed', erasureId: requestId },
      steps: [{ step: 'erase', state: 'done', facts: { deleted: 1, kept: 1 } }],
    });
    const erasure = await ask(cell, officer, 'GET', `erasures/${requestId}`);
    expect(erasure.body).toMatchObject({ state: 'done', keptRecordsCount: 1 });
  });

  it('that fails in part says so, and is made good when it is tried again', async () => {
    const requestId = await verified({ kind: 'erasure' });
    const security = cell.createAccount(tenantId, { role: 'security-officer' });
    const keys = await ask(cell, security, 'GET', 'keys');
    const key = keys.body.items.find((one: { kind: string }) => one.kind === 'customer-key');
    await ask(cell, security, 'POST', `keys/${key.keyId}/disablements`, { body: {} });
    const partial = await post(`requests/${requestId}/executions`);
    expect(partial.body, partial.text).toMatchObject({
      state: 'partial',
      steps: [{ step: 'erase', state: 'failed', code: 'KEYS_CUSTOMER_KEY_DISABLED', attempts: 1 }],
    });
    await ask(cell, security, 'POST', `keys/${key.keyId}/enablements`, { body: {} });
    // As the queue does.
    const done = await runRequest(cell.erasures, { tenantId, requestId });
    expect(done).toMatchObject({ state: 'completed' });
    expect(done?.progress.steps).toMatchObject([{ state: 'done', attempts: 2 }]);
    expect(await stepsOnRecord(requestId)).toEqual([
      ...['received', 'verified', 'running', 'partial', 'completed'],
    ]);
  });
});

describe('a crash', () => {
  it.each([
    [{ kind: 'access' }, 'collect'],
    [{ kind: 'restriction', ground: 'claims' }, 'restrict'],
    [{ kind: 'objection', purpose: 'marketing' }, 'object'],
    [{ kind: 'erasure' }, 'erase'],
  ] as const)('before and within the work of %j is made good by the queue', async (body, step) => {
    for (const phase of ['before', 'within'] as const) {
      const subject = `person-${phase}`;
      await put('customers', subject, { name: subject, email: `${subject}@x.example` }, subject);
      const requestId = await verified({ ...body, subject });
      await cell.testDatabase.asOwner(
        `UPDATE cell.rights_requests SET state = 'running' WHERE request_id = $1`,
        [requestId],
      );
      const place = { tenantId, requestId };
      const crash = (): void => {
        throw new Error('crashed');
      };
      const crashing =
        phase === 'before'
          ? { ...cell.erasures, onRequestStep: crash }
          : {
              ...cell.erasures,
              onErasureStep: (at: string): void => {
                if (at === 'shredded') crash();
              },
            };
      if (phase === 'before' || body.kind === 'erasure') {
        await expect(runRequest(crashing, place)).rejects.toThrow('crashed');
      }
      const done = await runRequest(cell.erasures, place);
      expect(done, phase).toMatchObject({ state: 'completed' });
      expect(done?.progress.steps).toMatchObject([{ step, state: 'done' }]);
      // Taken up once more, as a queue that lost its note would: nothing happens.
      expect((await runRequest(cell.erasures, place))?.updatedAt).toEqual(done?.updatedAt);
      const ends = (await stepsOnRecord(requestId)).filter((one) => one === 'completed');
      expect(ends).toHaveLength(1);
    }
  });
});
