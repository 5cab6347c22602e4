// SPDX-License-Identifier: Apache-2.0
// Goal: no route of a cell tells one tenant anything of another, or changes anything of it. Method: the
// cell's own document names the routes; for each, a whole other tenant with every role tries with its own
// credentials and the victim's ids, tokens and keys. What it gets must be what an id that never existed
// gets, and the victim must be as before.
import { randomBytes, randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { aCustomer, CUSTOMERS } from '../system/collections.ts';
import {
  type Answer,
  askToken,
  type Caller,
  type Method,
  send,
  signAssertion,
} from '../system/http.ts';
import { type SharedSystem, useSystem } from '../system/shared.ts';
import { createTenant, type OwnTenant } from '../system/tenant.ts';
import { waitUntil } from '../system/wait-until.ts';

const ORDERS = {
  ...CUSTOMERS,
  description: 'Orders',
  fields: {
    total: { fieldSet: 'contact', type: 'number', required: true },
    country: { fieldSet: 'market', type: 'text', required: true, lengthMax: 2 },
  },
};
const FLOW = {
  actor: {
    kind: 'workload',
    role: 'shop-service',
    employer: 'controller',
    assurance: 'high',
    place: 'de',
  },
  action: 'read',
  data: {
    class: 'restricted',
    categories: ['contact'],
    residency: 'eu-de',
    regimes: ['gdpr'],
    origin: 'de',
  },
  form: 'plain',
  to: { kind: 'cell', location: 'de', operator: 'de' },
  purpose: 'order-fulfilment',
};
const PENS = ['first', 'second'].map((name) => ({
  name,
  key: randomBytes(32).toString('base64'),
}));
const CALLER_ID = `victim-${randomBytes(6).toString('hex')}`;
const NAME = 'Ottilie Opferbeispiel';

/** What the victim has: ids to try with, and everything that nobody else may see. */
interface Victim {
  readonly tenant: OwnTenant;
  readonly shop: Caller;
  readonly privacy: Caller;
  readonly security: Caller;
  readonly recordId: string;
  readonly subjectId: string;
  readonly entryId: string;
  readonly keyId: string;
  readonly keyRequestId: string;
  readonly rotationId: string;
  readonly transferId: string;
  readonly erasureId: string;
  readonly requestId: string;
  readonly runId: string;
  readonly holdId: string;
  readonly orderId: string;
  readonly pageToken: string;
  readonly sealed: string;
  readonly index: string;
  readonly idempotencyKey: string;
}

let system: SharedSystem;
let victim: Victim;
let other: OwnTenant;
let actors: Readonly<Record<'shop' | 'privacy' | 'security' | 'admin' | 'analyst', Caller>>;
let routes: ReadonlySet<string>;
/** Texts that must not be in any answer to the other tenant. */
let secrets: readonly string[];

async function good(answer: Promise<Answer>): Promise<Answer> {
  const got = await answer;
  if (got.status >= 300) throw new Error(`the victim got ${got.status}: ${got.text}`);
  return got;
}

async function prepareVictim(): Promise<Victim> {
  const tenant = await createTenant(system, { residencies: ['eu-de', 'us-va'] });
  const [shop, privacy, security, admin, analyst] = await Promise.all(
    ['shop', 'privacy', 'security', 'admin', 'analyst'].map((name) => tenant.as(name, 'eu-de')),
  );
  if (!shop || !privacy || !security || !admin || !analyst) throw new Error('no accounts');
  await good(admin.call('PUT', '/v1/collections/customers', CUSTOMERS));
  await good(admin.call('PUT', '/v1/collections/orders', ORDERS));
  await good(admin.call('PUT', '/v1/collections/hidden', CUSTOMERS));
  const idempotencyKey = randomUUID();
  const draft = aCustomer(CALLER_ID, { name: NAME });
  const record = await good(
    shop.call('POST', '/v1/collections/customers/records', draft, {
      'idempotency-key': idempotencyKey,
    }),
  );
  await good(
    shop.call(
      'POST',
      '/v1/collections/customers/records',
      aCustomer(`${CALLER_ID}-2`, { name: NAME }),
    ),
  );
  const orders = Array.from({ length: 24 }, (_, index) =>
    JSON.stringify({
      id: `${CALLER_ID}-order-${index}`,
      subject: `${CALLER_ID}-${index}`,
      origin: 'de',
      fields: { total: 987.65, country: 'de' },
    }),
  ).join('\n');
  await good(
    shop.call('POST', '/v1/collections/orders/imports', orders, {
      'content-type': 'application/x-ndjson',
    }),
  );
  const page = await good(shop.call('POST', '/v1/collections/customers/searches', { pageSize: 1 }));
  const read = await good(
    shop.call('GET', `/v1/collections/customers/records/${record.body.recordId}`),
  );
  const entries = await good(privacy.call('GET', '/v1/entries?pageSize=5'));
  const keys = await good(security.call('GET', '/v1/keys'));
  const custody = path.join(system.state, 'cells/eu-de/custody', `${tenant.tenantId}.yaml`);
  writeFileSync(custody, JSON.stringify({ approvers: PENS }), { mode: 0o600 });
  const action = { kind: 'staleness', stalenessMs: 60_000 };
  const asked = await good(security.call('POST', '/v1/key-requests', { action }));
  const rotation = await good(
    security.call('POST', `/v1/keys/${keys.body.items[1].keyId}/rotations`, {}),
  );
  await waitUntil('the victim’s rotation', async () => {
    const now = await security.call('GET', `/v1/key-rotations/${rotation.body.rotationId}`);
    return now.body.state === 'done' ? true : undefined;
  });
  const sealed = await good(shop.call('POST', '/v1/seals', aSealRequest()));
  const index = await good(shop.call('POST', '/v1/blind-indexes', anIndexRequest()));
  const transfer = await good(analyst.call('POST', '/v1/transfers', aTransfer()));
  const transferId: string = transfer.body.transferId;
  await waitUntil('the victim’s transfer', async () => {
    const now = await good(analyst.call('GET', `/v1/transfers/${transferId}`));
    if (now.body.state === 'failed' || now.body.state === 'refused') throw new Error(now.text);
    return now.body.state === 'completed' ? true : undefined;
  });
  const erasure = await good(privacy.call('POST', '/v1/erasures', { subject: 'nobody-any-more' }));
  const request = await good(
    privacy.call('POST', '/v1/requests', { kind: 'access', subject: CALLER_ID }),
  );
  const hold = await good(
    privacy.call('POST', '/v1/holds', { reference: 'victim-1', subject: `${CALLER_ID}-held` }),
  );
  // On people from a country of which there are none here: it stands and is in nobody's way.
  const order = await good(
    privacy.call('POST', '/v1/orders', {
      ...{ measure: 'freeze', reference: 'victim-2', jurisdiction: 'li' },
    }),
  );
  const run = await good(privacy.call('POST', '/v1/retention-runs', { isDryRun: true }));
  await waitUntil('the victim’s run of retention', async () => {
    const now = await good(privacy.call('GET', `/v1/retention-runs/${run.body.runId}`));
    return now.body.state === 'done' ? true : undefined;
  });
  return {
    tenant,
    shop,
    privacy,
    security,
    recordId: record.body.recordId,
    subjectId: read.body.subjectId,
    entryId: entries.body.items[0].entry,
    keyId: keys.body.items[0].keyId,
    keyRequestId: asked.body.keyRequestId,
    rotationId: rotation.body.rotationId,
    transferId,
    erasureId: erasure.body.erasureId,
    requestId: request.body.requestId,
    runId: run.body.runId,
    holdId: hold.body.holdId,
    orderId: order.body.orderId,
    pageToken: page.body.nextPageToken,
    sealed: sealed.body.items[0].sealed,
    index: index.body.index,
    idempotencyKey,
  };
}

const aSealRequest = (): object => ({
  values: [
    {
      collection: 'customers',
      fieldSet: 'contact',
      record: CALLER_ID,
      subject: CALLER_ID,
      origin: 'de',
      fields: { name: NAME, email: `${CALLER_ID}@post.example` },
      indexes: [{ field: 'email' }],
    },
  ],
});

const anIndexRequest = (): object => ({
  collection: 'customers',
  field: 'email',
  value: `${CALLER_ID}@post.example`,
});

const aTransfer = (): object => ({
  kind: 'aggregate',
  selection: { collection: 'orders' },
  form: 'aggregated',
  destination: { kind: 'cell', id: 'us-va/main' },
  purpose: 'statistics',
  aggregate: { groupBy: ['country'], measures: ['total'], minimumCount: 10 },
});

/** The shape of a signature by nobody. */
const NO_APPROVAL = {
  payloadType: 'application/vnd.bailiwick.transfer-approval.v1+json',
  payload: Buffer.from('{}').toString('base64'),
  signatures: [{ keyid: 'a'.repeat(64), sig: Buffer.alloc(64).toString('base64') }],
};

beforeAll(async () => {
  system = await useSystem();
  victim = await prepareVictim();
  other = await createTenant(system, { residencies: ['eu-de', 'us-va'] });
  const [shop, privacy, security, admin, analyst] = await Promise.all(
    ['shop', 'privacy', 'security', 'admin', 'analyst'].map((name) => other.as(name, 'eu-de')),
  );
  if (!shop || !privacy || !security || !admin || !analyst) throw new Error('no accounts');
  actors = { shop, privacy, security, admin, analyst };
  await good(admin.call('PUT', '/v1/collections/customers', CUSTOMERS));
  await good(admin.call('PUT', '/v1/collections/orders', ORDERS));
  const { name, port } = system.cell('eu-de');
  const document = await send({
    ca: system.ca,
    port,
    serverName: name,
    method: 'GET',
    path: '/openapi.json',
  });
  const paths: Record<string, Record<string, unknown>> = document.body.paths;
  routes = new Set(
    Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    ),
  );
  const { tenant, recordId, subjectId, entryId, keyId, transferId, sealed, index, pageToken } =
    victim;
  const accountIds = Object.values(tenant.accounts).flatMap(({ ids }) => Object.values(ids));
  secrets = [
    ...[NAME, CALLER_ID, '987.65', tenant.tenantId, recordId, subjectId, entryId, keyId],
    ...[
      victim.holdId,
      victim.orderId,
      victim.keyRequestId,
      victim.rotationId,
      victim.requestId,
      victim.erasureId,
      victim.runId,
      transferId,
      sealed,
      index,
      pageToken,
      ...accountIds,
    ],
  ];
});

/** Everything of the victim that a request could have changed. */
async function photograph(): Promise<unknown> {
  const { shop, security, privacy } = victim;
  const all = async (collection: string): Promise<unknown> =>
    (await good(shop.call('POST', `/v1/collections/${collection}/searches`, { pageSize: 100 })))
      .body.items;
  const effects: string[] = [];
  for (let token: string | undefined = ''; token !== undefined; ) {
    const next: string = token === '' ? '' : `&pageToken=${token}`;
    const { body } = await good(privacy.call('GET', `/v1/entries?pageSize=100${next}`));
    for (const item of body.items) {
      if (!['read', 'decision', 'open'].includes(item.body.kind)) effects.push(item.entry);
    }
    token = body.nextPageToken;
  }
  return {
    customers: await all('customers'),
    orders: await all('orders'),
    collections: (await good(shop.call('GET', '/v1/collections'))).body.items,
    keys: (await good(security.call('GET', '/v1/keys'))).body.items,
    keyRequests: (await good(security.call('GET', '/v1/key-requests'))).body.items,
    keyReport: (await good(security.call('GET', '/v1/key-report'))).body,
    requests: (await good(privacy.call('GET', '/v1/requests'))).body.items,
    holds: (await good(privacy.call('GET', '/v1/holds'))).body.items,
    legalOrders: (await good(privacy.call('GET', '/v1/orders'))).body.items,
    effects,
  };
}

/** A refusal without what differs by chance: the request's id. */
const toRefusal = ({ status, body }: Answer): unknown => {
  const { instance: _instance, ...problem } = body;
  return { status, ...problem };
};

function expectNothingOf(answer: Answer): void {
  const told = [answer.text, JSON.stringify(answer.headers)].join('\n');
  expect(secrets.filter((secret) => told.includes(secret))).toEqual([]);
}

/** What the victim's id is answered with is what an id that never was is answered with. */
async function expectAsUnknown(
  ask: (id: string) => Promise<Answer>,
  {
    id,
    unknown,
    status,
  }: { readonly id: string; readonly unknown: string; readonly status: number },
): Promise<void> {
  const [found, absent] = [await ask(id), await ask(unknown)];
  expect(found.status, found.text).toBe(status);
  expect(toRefusal(found)).toEqual(toRefusal(absent));
  expectNothingOf(found);
}

/** An id of the same shape that is nobody's. */
const likeRecord = (): string => {
  const hex = randomBytes(16).toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`;
};
const likeEntry = (): string => {
  const hex = randomBytes(16).toString('hex');
  return `01a1f958-${hex.slice(8, 12)}-7${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`;
};

type Probe = () => Promise<void>;
const records = '/v1/collections/customers/records';

/** A route whose answer is about the asker alone: it is answered and tells nothing. */
const ownOnly =
  (name: keyof typeof actors, method: Method, path: string, body?: unknown): Probe =>
  async () => {
    const answer = await actors[name].call(method, path, body);
    expect(answer.status, answer.text).toBeLessThan(300);
    expectNothingOf(answer);
  };

/** The victim's own id of a person means a person of the asker's: nothing of the victim is told or changed. */
async function askAboutOwnPerson(path: string, body: object): Promise<Answer> {
  const answer = await actors.privacy.call('POST', path, { ...body, subject: CALLER_ID });
  expect(answer.status, answer.text).toBe(200);
  expect(answer.body.subjectId).not.toBe(victim.subjectId);
  expectNothingOf(answer);
  return answer;
}

async function expectRequestUnknown(method: Method, action: string, body?: object): Promise<void> {
  await expectAsUnknown((id) => actors.privacy.call(method, `/v1/requests/${id}${action}`, body), {
    id: victim.requestId,
    unknown: likeEntry(),
    status: 404,
  });
}

async function aboutOwnPerson(path: string, body: object): Promise<void> {
  await askAboutOwnPerson(path, body);
}

const PROBES: Readonly<Record<string, Probe>> = {
  'GET /v1/charter': ownOnly('shop', 'GET', '/v1/charter'),
  'POST /v1/decisions': ownOnly('shop', 'POST', '/v1/decisions', { flows: [FLOW] }),
  'POST /access/v1/evaluations': async () => {
    const { kind, ...properties } = FLOW.actor;
    const answer = await actors.shop.call('POST', '/access/v1/evaluations', {
      evaluations: [
        {
          subject: { type: kind, id: victim.subjectId, properties },
          resource: { type: 'record', id: victim.recordId, properties: FLOW.data },
          action: {
            name: FLOW.action,
            properties: { form: FLOW.form, to: FLOW.to, purpose: FLOW.purpose },
          },
        },
      ],
    });
    expectNothingOf(answer);
  },
  'POST /v1/seals': async () => {
    const answer = await actors.shop.call('POST', '/v1/seals', aSealRequest());
    expect(answer.status, answer.text).toBe(200);
    // The same caller's ids give other record ids, subjects and blind indexes here.
    const text = JSON.stringify(answer.body.items[0]);
    expect(text).not.toContain(victim.recordId);
    expect(text).not.toContain(victim.subjectId);
    expect(text).not.toContain(victim.index);
  },
  'POST /v1/openings': async () => {
    const answer = await actors.shop.call('POST', '/v1/openings', {
      values: [{ sealed: victim.sealed }],
    });
    expect(answer.status, answer.text).toBe(200);
    expect(answer.body.items).toHaveLength(1);
    expect(answer.body.items[0].problem).toMatchObject({ code: 'CELL_SEAL_FOREIGN', status: 403 });
    expectNothingOf(answer);
  },
  'POST /v1/blind-indexes': async () => {
    const answer = await actors.shop.call('POST', '/v1/blind-indexes', anIndexRequest());
    expect(answer.status, answer.text).toBe(200);
    expect(answer.body.index).not.toBe(victim.index);
    expectNothingOf(answer);
  },
  'POST /v1/entries': async () => {
    const answer = await actors.shop.call('POST', '/v1/entries', {
      entries: [{ facts: { count: 1 } }],
    });
    expectNothingOf(answer);
  },
  'GET /v1/entries': async () => {
    await ownOnly('privacy', 'GET', '/v1/entries?pageSize=100')();
    const answer = await actors.privacy.call(
      'GET',
      `/v1/entries?pageSize=100&pageToken=${victim.entryId}`,
    );
    expectNothingOf(answer);
  },
  'GET /v1/entries/{entryId}': () =>
    expectAsUnknown((id) => actors.privacy.call('GET', `/v1/entries/${id}`), {
      id: victim.entryId,
      unknown: likeEntry(),
      status: 404,
    }),
  'POST /v1/entries/searches': async () => {
    const search = '/v1/entries/searches';
    for (const query of [
      { pageSize: 200 },
      { key: victim.keyId, kinds: ['read', 'write'] },
      { subject: CALLER_ID, kinds: ['read', 'write', 'erasure', 'seal'] },
      { subjectId: victim.subjectId, kinds: ['read', 'write', 'seal'] },
      { account: Object.values(victim.tenant.accounts)[0]?.ids['eu-de'] ?? '' },
    ]) {
      const answer = await actors.privacy.call('POST', search, query);
      expect(answer.status, answer.text).toBe(200);
      // The refusals to switch the victim's key are the asker's own entries and name what was asked for.
      const items: readonly { readonly body?: { readonly kind: string } }[] = answer.body.items;
      const others = items.filter(({ body }) => !['key', 'observation'].includes(body?.kind ?? ''));
      expectNothingOf({ ...answer, text: JSON.stringify(others) });
    }
    const own = await victim.privacy.call('POST', search, { pageSize: 1 });
    expect(own.body.items).toHaveLength(1);
    const taken = await actors.privacy.call('POST', search, {
      pageSize: 1,
      pageToken: own.body.nextPageToken,
    });
    expect(taken.body.code, taken.text).toBe('RECORD_PAGE_TOKEN_INVALID');
    expectNothingOf(taken);
  },
  'GET /v1/entries/{entryId}/proof': () =>
    expectAsUnknown((id) => actors.privacy.call('GET', `/v1/entries/${id}/proof`), {
      id: victim.entryId,
      unknown: likeEntry(),
      status: 404,
    }),
  'PUT /v1/collections/{collectionId}': async () => {
    const schema = { ...CUSTOMERS, description: 'something else of the same name' };
    const answer = await actors.admin.call('PUT', '/v1/collections/orders', {
      ...ORDERS,
      description: schema.description,
    });
    expect(answer.status, answer.text).toBeLessThan(300);
    expectNothingOf(answer);
  },
  'GET /v1/collections/{collectionId}': () =>
    expectAsUnknown((id) => actors.shop.call('GET', `/v1/collections/${id}`), {
      id: 'hidden',
      unknown: 'absent',
      status: 404,
    }),
  'GET /v1/collections': async () => {
    const answer = await actors.shop.call('GET', '/v1/collections');
    expect(answer.status).toBe(200);
    expect(answer.text).not.toContain('hidden');
    expectNothingOf(answer);
  },
  'POST /v1/collections/{collectionId}/records': async () => {
    // The victim's key and body: neither its answer nor a sign that the key is known.
    const draft = aCustomer(CALLER_ID, { name: NAME });
    const answer = await actors.shop.call('POST', records, draft, {
      'idempotency-key': victim.idempotencyKey,
    });
    expect(answer.status, answer.text).toBe(201);
    expect(answer.headers['idempotency-replayed']).toBeUndefined();
    expect(answer.body.recordId).not.toBe(victim.recordId);
    await actors.shop.call('DELETE', `${records}/${answer.body.recordId}`, undefined, {
      'if-match': '"1"',
    });
  },
  'GET /v1/collections/{collectionId}/records/{recordId}': () =>
    expectAsUnknown((id) => actors.shop.call('GET', `${records}/${id}`), {
      id: victim.recordId,
      unknown: likeRecord(),
      status: 404,
    }),
  'PATCH /v1/collections/{collectionId}/records/{recordId}': () =>
    expectAsUnknown(
      (id) =>
        actors.shop.call(
          'PATCH',
          `${records}/${id}`,
          { fields: { name: 'Taken Over' } },
          { 'if-match': '"1"' },
        ),
      { id: victim.recordId, unknown: likeRecord(), status: 404 },
    ),
  'DELETE /v1/collections/{collectionId}/records/{recordId}': () =>
    expectAsUnknown(
      (id) => actors.shop.call('DELETE', `${records}/${id}`, undefined, { 'if-match': '"1"' }),
      { id: victim.recordId, unknown: likeRecord(), status: 404 },
    ),
  'POST /v1/collections/{collectionId}/searches': async () => {
    const path = '/v1/collections/customers/searches';
    const email = { email: { eq: `${CALLER_ID}@post.example` } };
    for (const query of [
      { pageSize: 100, count: true },
      { where: email, count: true },
    ]) {
      const answer = await actors.shop.call('POST', path, query);
      expect(answer.status, answer.text).toBe(200);
      expectNothingOf(answer);
    }
    const taken = await actors.shop.call('POST', path, {
      pageSize: 1,
      pageToken: victim.pageToken,
    });
    expect(taken.body.code, taken.text).toBe('RECORD_PAGE_TOKEN_INVALID');
    expectNothingOf(taken);
  },
  'POST /v1/collections/{collectionId}/counts': async () => {
    const answer = await actors.shop.call('POST', '/v1/collections/customers/counts', {
      where: { email: { eq: `${CALLER_ID}@post.example` } },
    });
    expect({ status: answer.status, count: answer.body.count }).toEqual({ status: 200, count: 0 });
    const hidden = await actors.shop.call('POST', '/v1/collections/hidden/counts', {});
    expect(hidden.status).toBe(404);
  },
  'POST /v1/collections/{collectionId}/imports': async () => {
    const line = JSON.stringify(aCustomer(CALLER_ID, { name: 'Taken Over' }));
    const type = { 'content-type': 'application/x-ndjson' };
    const path = '/v1/collections/customers/imports';
    const answer = await actors.shop.call('POST', path, line, type);
    expect(answer.status, answer.text).toBe(200);
    expect(answer.body.unchanged, 'a record of the victim would count as known').toBe(0);
    expectNothingOf(answer);
    const hidden = await actors.shop.call('POST', '/v1/collections/hidden/imports', line, type);
    expect(hidden.status).toBe(404);
  },
  'GET /v1/keys': ownOnly('security', 'GET', '/v1/keys'),
  'POST /v1/keys/{keyId}/disablements': () =>
    expectAsUnknown((id) => actors.security.call('POST', `/v1/keys/${id}/disablements`, {}), {
      id: victim.keyId,
      unknown: likeEntry(),
      status: 404,
    }),
  'POST /v1/keys/{keyId}/enablements': () =>
    expectAsUnknown((id) => actors.security.call('POST', `/v1/keys/${id}/enablements`, {}), {
      id: victim.keyId,
      unknown: likeEntry(),
      status: 404,
    }),
  'POST /v1/keys/{keyId}/rotations': () =>
    expectAsUnknown((id) => actors.security.call('POST', `/v1/keys/${id}/rotations`, {}), {
      id: victim.keyId,
      unknown: likeEntry(),
      status: 404,
    }),
  'GET /v1/key-rotations/{rotationId}': () =>
    expectAsUnknown((id) => actors.security.call('GET', `/v1/key-rotations/${id}`), {
      id: victim.rotationId,
      unknown: likeEntry(),
      status: 404,
    }),
  'GET /v1/key-report': ownOnly('security', 'GET', '/v1/key-report'),
  'POST /v1/staleness-changes': ownOnly('security', 'POST', '/v1/staleness-changes', {
    stalenessMs: 30_000,
  }),
  'GET /v1/key-requests': ownOnly('security', 'GET', '/v1/key-requests'),
  'POST /v1/key-requests': async () => {
    // The victim's approvers are nobody's here, and its keys cannot be asked about.
    for (const action of [{ kind: 'end' }, { kind: 'destroy', keyId: victim.keyId, version: 1 }]) {
      const answer = await actors.security.call('POST', '/v1/key-requests', { action });
      expect(answer.body.code, answer.text).toBe('KEYS_APPROVAL_REFUSED');
      expectNothingOf(answer);
    }
  },
  'POST /v1/key-requests/{keyRequestId}/signatures': () =>
    expectAsUnknown(
      (id) =>
        actors.security.call('POST', `/v1/key-requests/${id}/signatures`, {
          key: PENS[0]?.key,
          signature: `${'A'.repeat(86)}==`,
        }),
      { id: victim.keyRequestId, unknown: likeEntry(), status: 404 },
    ),
  'POST /v1/key-requests/{keyRequestId}/cancellations': () =>
    expectAsUnknown(
      (id) => actors.security.call('POST', `/v1/key-requests/${id}/cancellations`, {}),
      { id: victim.keyRequestId, unknown: likeEntry(), status: 404 },
    ),
  'POST /v1/erasures': async () => {
    const erase = (subject: string): Promise<Answer> =>
      actors.privacy.call('POST', '/v1/erasures', { subject });
    const [found, absent] = [await erase(`${CALLER_ID}-2`), await erase('nobody-at-all')];
    expect(found.status).toBe(absent.status);
    expect(found.body.recordsCount).toBe(absent.body.recordsCount);
    expectNothingOf(found);
  },
  'POST /v1/requests': async () => {
    const draft = { kind: 'access', subject: CALLER_ID };
    const answer = await actors.privacy.call('POST', '/v1/requests', draft);
    expect(answer.status, answer.text).toBe(201);
    expectNothingOf(answer);
    const { requestId } = answer.body;
    await good(actors.privacy.call('POST', `/v1/requests/${requestId}/verifications`, {}));
    await good(actors.privacy.call('POST', `/v1/requests/${requestId}/executions`, {}));
    const own = await actors.privacy.call('POST', `/v1/requests/${requestId}/exports`, {
      format: 'json',
    });
    // Its own person of that id: the victim's records are not among theirs.
    expect(own.status, own.text).toBe(200);
    const { recordId, subjectId, entryId } = victim;
    for (const id of [recordId, subjectId, entryId]) expect(own.text).not.toContain(id);
  },
  'GET /v1/requests': ownOnly('privacy', 'GET', '/v1/requests'),
  'GET /v1/requests/{requestId}': () => expectRequestUnknown('GET', ''),
  'POST /v1/requests/{requestId}/verifications': () =>
    expectRequestUnknown('POST', '/verifications', {}),
  'POST /v1/requests/{requestId}/extensions': () => expectRequestUnknown('POST', '/extensions', {}),
  'POST /v1/requests/{requestId}/refusals': () =>
    expectRequestUnknown('POST', '/refusals', { ground: 'excessive' }),
  'POST /v1/requests/{requestId}/executions': () => expectRequestUnknown('POST', '/executions', {}),
  'POST /v1/requests/{requestId}/rectifications': () =>
    expectRequestUnknown('POST', '/rectifications', {
      ...{ collection: 'customers', recordId: victim.recordId, fields: { name: 'Taken Over' } },
    }),
  'POST /v1/requests/{requestId}/exports': () =>
    expectRequestUnknown('POST', '/exports', { format: 'json' }),
  'GET /v1/erasures/{erasureId}': () =>
    expectAsUnknown((id) => actors.privacy.call('GET', `/v1/erasures/${id}`), {
      id: victim.erasureId,
      unknown: likeEntry(),
      status: 404,
    }),
  'POST /v1/retention-runs': async () => {
    const answer = await actors.privacy.call('POST', '/v1/retention-runs', { isDryRun: false });
    expect(answer.status, answer.text).toBe(202);
    expectNothingOf(answer);
  },
  'GET /v1/retention-runs': ownOnly('privacy', 'GET', '/v1/retention-runs'),
  'GET /v1/retention-runs/{runId}': () =>
    expectAsUnknown((id) => actors.privacy.call('GET', `/v1/retention-runs/${id}`), {
      id: victim.runId,
      unknown: likeEntry(),
      status: 404,
    }),
  'GET /v1/retention-terms': ownOnly('privacy', 'GET', '/v1/retention-terms'),
  'POST /v1/consents': () =>
    aboutOwnPerson('/v1/consents', { purpose: 'marketing', state: 'given' }),
  'POST /v1/objections': () =>
    aboutOwnPerson('/v1/objections', { purpose: 'customer-support', state: 'upheld' }),
  'POST /v1/restrictions': () =>
    aboutOwnPerson('/v1/restrictions', { state: 'restricted', ground: 'unlawful' }),
  'POST /v1/subject-events': () =>
    aboutOwnPerson('/v1/subject-events', { event: 'contract-end', at: '2026-01-31T00:00:00Z' }),
  'POST /v1/standings/searches': async () => {
    const answer = await askAboutOwnPerson('/v1/standings/searches', {});
    expect(answer.body.history.every(({ kind }: { kind: string }) => kind !== 'hold')).toBe(true);
  },
  'POST /v1/holds': async () => {
    const hold = { reference: 'theirs-1', subject: CALLER_ID };
    const answer = await actors.privacy.call('POST', '/v1/holds', hold);
    expect(answer.status, answer.text).toBe(201);
    expectNothingOf(answer);
    const { holdId } = answer.body;
    await good(actors.privacy.call('POST', `/v1/holds/${holdId}/releases`, {}));
  },
  'GET /v1/holds': ownOnly('privacy', 'GET', '/v1/holds'),
  'POST /v1/holds/{holdId}/releases': () =>
    expectAsUnknown((id) => actors.privacy.call('POST', `/v1/holds/${id}/releases`, {}), {
      id: victim.holdId,
      unknown: likeEntry(),
      status: 404,
    }),
  'POST /v1/orders': async () => {
    // The whole of another tenant's data is suspended: the victim goes on as before.
    const order = { measure: 'suspend', reference: 'theirs-2' };
    const answer = await actors.privacy.call('POST', '/v1/orders', order);
    expect(answer.status, answer.text).toBe(201);
    expectNothingOf(answer);
    const read = await victim.shop.call('GET', `${records}/${victim.recordId}`);
    expect(read.status, read.text).toBe(200);
    const { orderId } = answer.body;
    await good(actors.privacy.call('POST', `/v1/orders/${orderId}/revocations`, {}));
  },
  'GET /v1/orders': ownOnly('privacy', 'GET', '/v1/orders'),
  'POST /v1/orders/{orderId}/revocations': () =>
    expectAsUnknown((id) => actors.privacy.call('POST', `/v1/orders/${id}/revocations`, {}), {
      id: victim.orderId,
      unknown: likeEntry(),
      status: 404,
    }),
  'GET /v1/ledger/checkpoint': ownOnly('shop', 'GET', '/v1/ledger/checkpoint'),
  'GET /v1/ledger/key': ownOnly('shop', 'GET', '/v1/ledger/key'),
  'GET /v1/ledger/cosigned-checkpoint': ownOnly('shop', 'GET', '/v1/ledger/cosigned-checkpoint'),
  'GET /v1/witness/key': ownOnly('shop', 'GET', '/v1/witness/key'),
  'GET /v1/witness/{originHash}/checkpoint': async () => {
    const answer = await actors.shop.call('GET', `/v1/witness/${'0'.repeat(64)}/checkpoint`);
    expect(answer.status, answer.text).toBe(404);
    expectNothingOf(answer);
  },
  'GET /v1/ledger/tile/{*}': async () => {
    const note = await actors.shop.call('GET', '/v1/ledger/checkpoint');
    const size = Number(note.text.split('\n')[1]);
    expect(size).toBeGreaterThan(0);
    // The tile that holds the newest entry: a whole one, or the partial one at the log's end.
    const at = String(Math.floor((size - 1) / 256)).padStart(3, '0');
    const partial = size % 256 === 0 ? '' : `.p/${size % 256}`;
    for (const path of [`0/${at}${partial}`, `entries/${at}${partial}`]) {
      const answer = await actors.shop.call('GET', `/v1/ledger/tile/${path}`);
      expect(answer.status, `${path} ${answer.text}`).toBe(200);
      expectNothingOf(answer);
    }
  },
  'GET /v1/ledger/bodies': async () => {
    const answer = await actors.privacy.call('GET', '/v1/ledger/bodies?size=1000000');
    expect(answer.status, answer.text).toBe(200);
    // The refusals to switch the victim's key are the asker's own entries and name what was asked for.
    const lines = answer.text.split('\n').filter((line) => line !== '');
    const named = [victim.keyId, victim.keyRequestId];
    const others = lines.filter(
      (line) => !named.some((id) => line.includes(id)) || !line.includes('"kind\\":\\"key'),
    );
    expect(others.length).toBeGreaterThan(5);
    expectNothingOf({ ...answer, text: others.join('\n') });
  },
  'POST /v1/ledger/inclusion-proofs': async () => {
    const unknown = likeEntry();
    const answer = await actors.privacy.call('POST', '/v1/ledger/inclusion-proofs', {
      entries: [victim.entryId, unknown],
    });
    expect(answer.status, answer.text).toBe(200);
    expect(answer.body.items).toEqual([
      { entry: victim.entryId, problem: { code: 'LEDGER_ENTRY_UNKNOWN' } },
      { entry: unknown, problem: { code: 'LEDGER_ENTRY_UNKNOWN' } },
    ]);
  },
  'POST /v1/evidence-statements': async () => {
    const answer = await actors.privacy.call('POST', '/v1/evidence-statements', {});
    expect(answer.status, answer.text).toBe(200);
    expect(JSON.parse(answer.body.statement).tenant).toBe(other.tenantId);
    expectNothingOf(answer);
    const refused = await actors.shop.call('POST', '/v1/evidence-statements', {});
    expect(refused.status).toBe(403);
  },
  'POST /v1/ledger/checks': ownOnly('privacy', 'POST', '/v1/ledger/checks', {}),
  'POST /v1/transfers': async () => {
    // Its own orders are none: a figure of the victim's would show.
    const answer = await actors.analyst.call('POST', '/v1/transfers', aTransfer());
    expect(answer.status, answer.text).toBe(202);
    const { transferId } = answer.body;
    const done = await waitUntil('the other’s transfer', async () => {
      const now = await actors.analyst.call('GET', `/v1/transfers/${transferId}`);
      return ['completed', 'failed', 'refused'].includes(now.body.state) ? now : undefined;
    });
    expect(done.body.groupCount ?? 0).toBe(0);
    expectNothingOf(done);
  },
  'POST /v1/transfers/previews': async () => {
    const answer = await actors.analyst.call('POST', '/v1/transfers/previews', aTransfer());
    expect(answer.status, answer.text).toBe(200);
    expect(answer.body.counts).toMatchObject({ records: 0, people: 0 });
    expectNothingOf(answer);
  },
  'POST /v1/transfers/{transferId}/approvals': () =>
    expectAsUnknown(
      (id) => actors.admin.call('POST', `/v1/transfers/${id}/approvals`, { approval: NO_APPROVAL }),
      { id: victim.transferId, unknown: likeEntry(), status: 404 },
    ),
  'POST /v1/transfers/{transferId}/stops': () =>
    expectAsUnknown((id) => actors.admin.call('POST', `/v1/transfers/${id}/stops`, {}), {
      id: victim.transferId,
      unknown: likeEntry(),
      status: 404,
    }),
  'GET /v1/arrivals': ownOnly('privacy', 'GET', '/v1/arrivals'),
  'GET /v1/transfers': ownOnly('analyst', 'GET', '/v1/transfers'),
  'GET /v1/transfers/{transferId}': () =>
    expectAsUnknown((id) => actors.analyst.call('GET', `/v1/transfers/${id}`), {
      id: victim.transferId,
      unknown: likeEntry(),
      status: 404,
    }),
  'GET /v1/deliveries': async () => {
    const there = await other.as('analyst', 'us-va');
    const answer = await there.call('GET', '/v1/deliveries');
    expect(answer.status, answer.text).toBe(200);
    expectNothingOf(answer);
  },
  'GET /v1/deliveries/{deliveryId}': async () => {
    // The delivery has the transfer's id, and lies where it was sent.
    const own = await victim.tenant.as('analyst', 'us-va');
    const seen = await own.call('GET', `/v1/deliveries/${victim.transferId}`);
    expect(seen.status, seen.text).toBe(200);
    const there = await other.as('analyst', 'us-va');
    await expectAsUnknown((id) => there.call('GET', `/v1/deliveries/${id}`), {
      id: victim.transferId,
      unknown: likeEntry(),
      status: 404,
    });
  },
  'GET /v1/holdings': ownOnly('shop', 'GET', '/v1/holdings'),
  'GET /v1/cells': ownOnly('shop', 'GET', '/v1/cells'),
  'GET /v1/places': ownOnly('shop', 'GET', '/v1/places'),
  'GET /v1/mechanisms': ownOnly('shop', 'GET', '/v1/mechanisms'),
  'GET /v1/status': ownOnly('shop', 'GET', '/v1/status'),
  'GET /v1/session': async () => {
    const answer = await actors.shop.call('GET', '/v1/session');
    expect(answer.body.tenant, answer.text).toBe(other.tenantId);
    expectNothingOf(answer);
  },
  // A token is no session: there is nothing of anybody's to end.
  'DELETE /v1/session': async () => {
    const answer = await actors.shop.call('DELETE', '/v1/session');
    expect(answer.status, answer.text).toBe(404);
    expectNothingOf(answer);
  },
  'POST /v1/sign-ins': async () => {
    const page = { 'bailiwick-portal': '1' };
    const begin = async (tenant: string): Promise<Answer> =>
      actors.shop.call('POST', '/v1/sign-ins', { tenant }, page);
    const [found, absent] = [await begin(victim.tenant.tenantId), await begin(likeEntry())];
    expect(found.status, found.text).toBe(404);
    expect(toRefusal(found)).toEqual(toRefusal(absent));
    expectNothingOf(found);
  },
  'GET /v1/sign-in-answers': async () => {
    const answer = await actors.shop.call('GET', '/v1/sign-in-answers?code=x&state=y');
    expect(answer.status, answer.text).toBe(303);
    expectNothingOf(answer);
  },
  'GET /v1/health': ownOnly('shop', 'GET', '/v1/health'),
  'POST /v1/tokens': async () => {
    const [own, theirs] = [other.accounts['shop'], victim.tenant.accounts['shop']];
    if (own === undefined || theirs === undefined) throw new Error('no accounts');
    const cell = system.cell('eu-de');
    const ask = (client: typeof own, tenant: string): Promise<Answer> =>
      askToken(system, 'eu-de', {
        grant_type: 'client_credentials',
        tenant,
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: signAssertion(client, cell),
      });
    const forged = { ...theirs, key: own.key };
    const never = { ...own, ids: { 'eu-de': randomUUID() } };
    const answers = [
      await ask(own, victim.tenant.tenantId),
      await ask(forged, victim.tenant.tenantId),
      // An account that never was, and a tenant that never was: nobody learns which exist.
      await ask(never, victim.tenant.tenantId),
    ];
    for (const answer of answers) {
      expect(answer.status, answer.text).toBe(401);
      expect(toRefusal(answer)).toEqual(toRefusal(answers[0] ?? answer));
      expectNothingOf(answer);
    }
    const exchanged = await askToken(system, 'eu-de', {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: actors.shop.token,
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      requested_token_type: 'urn:bailiwick:token-type:residency',
      resource: 'eu-de',
      tenant: victim.tenant.tenantId,
    });
    const claims = Buffer.from(
      String(exchanged.body.access_token ?? '').split('.')[1] ?? '',
      'base64url',
    );
    expect(claims.toString()).not.toContain(victim.tenant.tenantId);
  },
};

/** Routes that answer without credentials; what they say is for everybody. */
const OPEN = new Set([
  'GET /v1/ledger/checkpoint',
  'GET /v1/ledger/key',
  'GET /v1/ledger/cosigned-checkpoint',
  'GET /v1/witness/key',
  'GET /v1/witness/{originHash}/checkpoint',
  'GET /v1/ledger/tile/{*}',
  'GET /v1/health',
  'POST /v1/tokens',
  'POST /v1/sign-ins',
  'GET /v1/sign-in-answers',
]);

const toPath = (route: string): { readonly method: Method; readonly path: string } => {
  const [method = '', path = ''] = route.split(' ');
  return {
    method: method as Method,
    path: path
      .replace('{collectionId}', 'customers')
      .replace('{recordId}', victim.recordId)
      .replace('{entryId}', victim.entryId)
      .replace('{keyId}', victim.keyId)
      .replace('{transferId}', victim.transferId)
      .replace('{deliveryId}', victim.transferId)
      .replace('{erasureId}', victim.erasureId)
      .replace('{requestId}', victim.requestId)
      .replace('{runId}', victim.runId)
      .replace('{holdId}', victim.holdId)
      .replace('{orderId}', victim.orderId),
  };
};

describe('every route of the document', () => {
  it('has its probe here, and every probe its route', () => {
    expect(routes.size).toBeGreaterThanOrEqual(40);
    expect([...routes].sort()).toEqual(Object.keys(PROBES).sort());
  });

  it.each(Object.keys(PROBES))(
    '%s tells another tenant nothing and changes nothing',
    async (route) => {
      const before = await photograph();
      await PROBES[route]?.();
      expect(await photograph()).toEqual(before);
    },
  );

  it('refuses another tenant’s residency claim, and a claim or token alone', async () => {
    let count = 0;
    for (const route of routes) {
      if (OPEN.has(route)) continue;
      const { method, path } = toPath(route);
      const body = method === 'GET' || method === 'DELETE' ? undefined : {};
      const ask = (headers: Record<string, string>): Promise<Answer> =>
        actors.shop.call(method, path, body, headers);
      const crossed = await ask({ 'bailiwick-residency': victim.shop.claim });
      expect(crossed.body.code, route).toBe('RESIDENCY_CLAIM_INVALID');
      expectNothingOf(crossed);
      expect((await ask({ authorization: '' })).status, route).toBe(401);
      expect((await ask({ 'bailiwick-residency': '' })).body.code, route).toBe(
        'RESIDENCY_CLAIM_MISSING',
      );
      count += 1;
    }
    expect(count).toBe(routes.size - OPEN.size);
  });

  it('gives the victim its own with the very same requests', async () => {
    const { shop, privacy, security, recordId, entryId } = victim;
    expect((await shop.call('GET', `${records}/${recordId}`)).body.fields.name).toBe(NAME);
    expect((await privacy.call('GET', `/v1/entries/${entryId}`)).status).toBe(200);
    expect((await security.call('GET', '/v1/keys')).text).toContain(victim.keyId);
    const opened = await shop.call('POST', '/v1/openings', { values: [{ sealed: victim.sealed }] });
    expect(opened.body.items[0].fields.name).toBe(NAME);
    const next = { pageSize: 1, pageToken: victim.pageToken };
    const page = await shop.call('POST', '/v1/collections/customers/searches', next);
    expect(page.body.items).toHaveLength(1);
  });
});
