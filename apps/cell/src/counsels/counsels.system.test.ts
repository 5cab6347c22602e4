// SPDX-License-Identifier: Apache-2.0
// Goal: a counsel takes away at every door and gives nowhere; one that is sick denies, one that cannot be set
// up keeps the cell from starting. Method: a whole cell with Cedar policies and an OPA server of its own.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type OpaThread, startOpaThread } from '@bailiwick/testkit/servers/opa-thread';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newTenant, startTestCell, type TestAccount, type TestCell } from '../testing/test-cell.ts';

const tenant = newTenant();
let folder: string;
let opa: OpaThread;
let test: TestCell;
let shop: TestAccount;
let recordId: string;

const COLLECTION = {
  fieldSets: {
    contact: {
      class: 'restricted',
      category: 'contact',
      purpose: 'order-fulfilment',
      subject: 'record',
      protection: 'sealed',
    },
  },
  fields: { email: { fieldSet: 'contact', type: 'text', required: true } },
};
/** The house counts nobody for support. */
const POLICIES = `permit (principal, action, resource);
forbid (principal, action == Bailiwick::Action::"count", resource)
when { context.purpose == "customer-support" };
`;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'bailiwick-counsels-'));
  const file = path.join(folder, 'house.cedar');
  writeFileSync(file, POLICIES);
  opa = await startOpaThread();
  test = await startTestCell({
    tenants: [tenant],
    counsels: [
      { kind: 'cedar', name: 'house-rules', file },
      {
        kind: 'opa',
        name: 'house',
        url: opa.url,
        path: 'house/allow',
        timeoutMs: 1_000,
        answerForMs: 0,
      },
    ],
  });
  const admin = await test.addAccount(tenant.tenantId, { role: 'tenant-admin' });
  shop = await test.addAccount(tenant.tenantId);
  const put = { method: 'PUT', path: '/v1/collections/people', as: admin } as const;
  expect((await test.call({ ...put, body: COLLECTION })).status).toBeLessThan(300);
  const made = await test.call({
    method: 'POST',
    path: '/v1/collections/people/records',
    as: shop,
    body: { id: 'p1', subject: 's1', origin: 'de', fields: { email: 'a@post.example' } },
  });
  expect(made.status, JSON.stringify(made.body)).toBe(201);
  recordId = made.body.recordId;
});
afterAll(async () => {
  await test?.stop();
  await opa?.close();
  rmSync(folder, { recursive: true, force: true });
});

const read = () => test.call({ path: `/v1/collections/people/records/${recordId}`, as: shop });
const count = (purpose: string) =>
  test.call({
    method: 'POST',
    path: '/v1/collections/people/counts',
    as: shop,
    purpose,
    body: { where: {} },
  });

describe('a counsel', () => {
  it('changes nothing where it says yes', async () => {
    expect((await read()).status).toBe(200);
    expect((await count('order-fulfilment')).status).toBe(200);
  });

  it('takes away what the charter allows, and is named in answer and entry', async () => {
    const { status, body } = await count('customer-support');
    expect([status, body.code, body.rules]).toEqual([403, 'POLICY_FLOW_DENIED', expect.anything()]);
    expect(JSON.stringify(body.reasons)).toContain('counsel.house-rules');
    const rows = await test.database.asOwner<{ body: string }>('SELECT body FROM ledger.entries');
    const refusal = rows.map((row) => JSON.parse(row.body)).find(({ kind }) => kind === 'refusal');
    expect(refusal.decision).toMatchObject({ outcome: 'deny', cause: 'counsel' });
  });

  it('that is away denies reads that were allowed a moment ago, and lets them through when it is back', async () => {
    await opa.leave();
    expect((await read()).status).toBe(403);
    await opa.comeBack();
    const deadline = performance.now() + 10_000;
    let status = 0;
    while (status !== 200 && performance.now() < deadline) status = (await read()).status;
    expect(status).toBe(200);
  });

  it('gives nothing: what the charter denies is not even asked about', async () => {
    const before = (await opa.inputs()).length;
    const flow = {
      actor: {
        kind: 'workload',
        role: 'analyst',
        employer: 'controller',
        assurance: 'high',
        place: 'cn',
      },
      action: 'export',
      data: {
        class: 'restricted',
        categories: ['contact'],
        regimes: ['gdpr'],
        origin: 'de',
        residency: 'eu-de',
      },
      form: 'plain',
      to: { kind: 'reader', location: 'cn', operator: 'cn' },
      purpose: 'order-fulfilment',
    };
    const body = { flows: [flow] };
    const answer = await test.call({ method: 'POST', path: '/v1/decisions', as: shop, body });
    expect(answer.body.items[0]).toMatchObject({ outcome: 'deny', cause: 'forbidden' });
    expect((await opa.inputs()).length).toBe(before);
  });
});

describe('a cell', () => {
  it.each([
    ['policies that are not valid', { kind: 'cedar', name: 'x', file: 'wrong.cedar' }],
    ['policies that are not there', { kind: 'cedar', name: 'x', file: 'absent.cedar' }],
    [
      'an OPA over plain http elsewhere',
      { kind: 'opa', name: 'x', url: 'http://opa.example:8181', path: 'a' },
    ],
  ])('does not start with %s', async (_what, counsel) => {
    writeFileSync(path.join(folder, 'wrong.cedar'), 'permit everything;');
    const file = 'file' in counsel ? { file: path.join(folder, counsel.file) } : {};
    await expect(startTestCell({ counsels: [{ ...counsel, ...file }] })).rejects.toMatchObject({
      code: expect.stringMatching(/^CELL_/),
    });
  });
});
