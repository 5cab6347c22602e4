// SPDX-License-Identifier: Apache-2.0
// Goal: no two figures that leave can be subtracted to learn of few people, and nobody moves a figure by
// more than a bound. Method: one whole cell; what it would send to the control plane is caught.
import { DELIVERY_PAYLOAD_TYPE, parseDelivery } from '@bailiwick/contracts';
import { type DsseEnvelope, verifyDsse } from '@bailiwick/keys';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  newTenant,
  RETAILER_CHARTER,
  startTestCell,
  type TestAccount,
  type TestCell,
} from '../testing/test-cell.ts';
import { runTransfer } from './run-transfer.ts';

const tenant = newTenant();
const ORDERS = {
  fieldSets: {
    purchase: {
      class: 'restricted',
      category: 'transactional',
      purpose: 'order-fulfilment',
      subject: 'record',
      protection: 'sealed',
    },
    market: {
      class: 'operational',
      category: 'technical',
      purpose: 'operations',
      subject: 'none',
      protection: 'plain',
    },
  },
  fields: {
    total: { fieldSet: 'purchase', type: 'number', required: true },
    day: { fieldSet: 'market', type: 'date', required: true },
  },
  lawDateField: 'day',
};
const REQUEST = {
  kind: 'aggregate',
  form: 'aggregated',
  destination: { kind: 'control' },
  purpose: 'statistics',
};
const JANUARY = {
  groupBy: ['country'],
  measures: [{ measure: 'total', field: 'total', min: 0, max: 100 }],
  minimumCount: 10,
  contributionMax: 1,
  period: '2026-01',
};

let eu: TestCell;
let shop: TestAccount;
let analyst: TestAccount;

beforeAll(async () => {
  eu = await startTestCell({ tenants: [tenant] });
  const { tenantId } = tenant;
  shop = await eu.addAccount(tenantId);
  const purposes = ['statistics'];
  analyst = await eu.addAccount(tenantId, {
    ...{ role: 'analyst', purposes, defaultPurpose: 'statistics' },
  });
  const admin = await eu.addAccount(tenantId, { role: 'tenant-admin' });
  for (const name of ['orders', 'invoices', 'returns']) {
    const put = { path: `/v1/collections/${name}`, as: admin, body: ORDERS };
    expect((await eu.call({ method: 'PUT', ...put })).status).toBeLessThan(300);
    await load(
      name,
      Array.from({ length: 12 }, (_, at) => order(`${at}`, { total: 10 + at })),
    );
  }
  // One person with many orders, one of them huge, and a month that is another one.
  await load('orders', [
    ...Array.from({ length: 5 }, (_, at) => order(`many-${at}`, { total: 50, subject: '0' })),
    order('huge', { total: 1_000_000, subject: 'rich' }),
    order('later', { total: 10, day: '2026-02-01' }),
  ]);
});
afterAll(() => eu?.stop());

const order = (id: string, change: { total: number; subject?: string; day?: string }): object => ({
  id,
  subject: `p-${change.subject ?? id}`,
  origin: 'de',
  fields: { total: change.total, day: change.day ?? '2026-01-15' },
});

async function load(collection: string, lines: readonly object[]): Promise<void> {
  const loaded = await eu.call({
    method: 'POST',
    path: `/v1/collections/${collection}/imports`,
    as: shop,
    headers: { 'content-type': 'application/x-ndjson' },
    body: lines.map((line) => JSON.stringify(line)).join('\n'),
  });
  expect(loaded.body).toMatchObject({ accepted: lines.length, refused: [] });
}

const ask = (collection: string, aggregate: object) =>
  eu.call({
    method: 'POST',
    path: '/v1/transfers',
    as: analyst,
    body: { ...REQUEST, selection: { collection }, aggregate },
  });

/** Runs a transfer to its end; what left, and how it ended. */
async function release(collection: string, aggregate: object) {
  const { status, body } = await ask(collection, aggregate);
  expect(status, JSON.stringify(body)).toBe(202);
  let caught: DsseEnvelope | undefined;
  const courier = {
    async deliver(_destination: unknown, statement: DsseEnvelope) {
      caught = statement;
      return undefined;
    },
    send: () => Promise.reject(new Error('nothing goes record by record')),
    close: async () => undefined,
  };
  const { runtime } = eu.cell;
  const { transferId } = body;
  await runTransfer({ runtime, courier }, { tenantId: tenant.tenantId, transferId });
  const state = (await eu.call({ path: `/v1/transfers/${transferId}`, as: analyst })).body;
  if (caught === undefined) return { state, delivery: undefined };
  const keys = [{ keyId: 'eu', publicKey: runtime.secrets.verificationKey }];
  const { payload } = verifyDsse(caught, { payloadType: DELIVERY_PAYLOAD_TYPE, keys });
  return { state, delivery: parseDelivery(payload) };
}

describe('a figure of a period', () => {
  it('counts so many records of one person, each cut to its bounds, and only the period', async () => {
    const { delivery } = await release('orders', JANUARY);
    expect(delivery).toMatchObject({ period: '2026-01', contributionMax: 1 });
    // Twelve people and the rich one, once each: 10..21 but for the first, who counts once with 10 or 50.
    expect(delivery?.groups).toHaveLength(1);
    expect(delivery?.groups[0]?.count).toBe(13);
    const sum = delivery?.groups[0]?.sums[0] ?? 0;
    const others = Array.from({ length: 11 }, (_, at) => 11 + at).reduce((a, b) => a + b, 0);
    expect([others + 10 + 100, others + 50 + 100]).toContain(sum);
  });

  it('leaves the very same a second time, though a record came late', async () => {
    const first = await release('invoices', JANUARY);
    await load('invoices', [order('late', { total: 99 })]);
    const again = await release('invoices', JANUARY);
    expect(again.state.state).toBe('completed');
    expect(again.delivery?.groups).toEqual(first.delivery?.groups);
  });

  it.each([
    ['another bound', { ...JANUARY, contributionMax: 2 }],
    ['another smallest group', { ...JANUARY, minimumCount: 11 }],
    ['a longer period', { ...JANUARY, period: '2026-q1' }],
    ['all time', { ...JANUARY, period: undefined }],
  ])('does not leave beside one with %s', async (_what, aggregate) => {
    await release('returns', JANUARY);
    const { state, delivery } = await release('returns', aggregate);
    expect(delivery).toBeUndefined();
    expect(state).toMatchObject({
      state: 'refused',
      problem: { code: 'TRANSFER_FIGURES_RELEASED' },
    });
  });

  it.each(['2026-13', '2026-q5', '26', 'soon'])('is not one of `%s`', async (period) => {
    expect((await ask('orders', { ...JANUARY, period })).status).toBe(400);
  });

  it('is none while the period goes on', async () => {
    const { status, body } = await ask('orders', { ...JANUARY, period: '2999' });
    expect([status, body.code]).toEqual([400, 'TRANSFER_INVALID']);
  });
});

describe('a histogram', () => {
  const HISTOGRAM = {
    groupBy: [{ dimension: 'bucket', field: 'total', edges: [10, 1000] }],
    measures: [],
    minimumCount: 10,
    contributionMax: 1,
    period: '2026-02',
  };

  it('tells classes and their edges, without those of few people', async () => {
    await load(
      'orders',
      Array.from({ length: 22 }, (_, at) =>
        order(`feb-${at}`, { total: at < 11 ? 5 : 500, day: '2026-02-03' }),
      ),
    );
    const { delivery } = await release('orders', HISTOGRAM);
    expect(delivery?.edges).toEqual([10, 1000]);
    // `later` is in the middle class with eleven others; nobody is above.
    expect(delivery?.groups).toEqual([
      { values: ['b0'], count: 11, sums: [] },
      { values: ['b1'], count: 12, sums: [] },
    ]);
  });

  it.each([
    ['no edges', { dimension: 'bucket', field: 'total' }],
    ['falling edges', { dimension: 'bucket', field: 'total', edges: [2, 1] }],
    ['a field that is no number', { dimension: 'bucket', field: 'day', edges: [1] }],
    ['another dimension', { dimension: 'month', field: 'day', edges: [1] }],
  ])('is refused with %s', async (_what, dimension) => {
    const { status, body } = await ask('orders', { ...HISTOGRAM, groupBy: [dimension] });
    expect([status, body.code]).toEqual([400, 'TRANSFER_INVALID']);
  });
});

// Last: the law is another one from here on.
describe('a charter', () => {
  it('can ask for periods and bounds by name', async () => {
    const charterText = RETAILER_CHARTER.replace(
      'conditions:\n',
      'conditions:\n  fixed-period: the figure is of one calendar period\n  bounded-contribution: nobody moves the figure by much\n',
    ).replace(
      '  - allow: figures-to-the-control-plane\n',
      '  - allow: figures-to-the-control-plane\n    given: [fixed-period, bounded-contribution]\n',
    );
    await eu.deliver({ charterText });
    eu.refresh();
    const refused = await ask('orders', { ...JANUARY, period: undefined });
    expect([refused.status, refused.body.code]).toEqual([403, 'POLICY_FLOW_DENIED']);
    const unbound = await ask('orders', { ...JANUARY, measures: ['total'] });
    expect(unbound.status).toBe(403);
    expect((await ask('orders', JANUARY)).status).toBe(202);
  });
});
