// SPDX-License-Identifier: Apache-2.0
// Goal: a candidate in a bundle takes away and gives nothing, is on record with the law beside it, and ends
// with the next bundle. Method: a whole cell; flows through its doors; entries read back.
import { createHash } from 'node:crypto';
import type { BundleCandidate } from '@bailiwick/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  newTenant,
  RETAILER_CHARTER,
  startTestCell,
  type TestAccount,
  type TestCell,
} from '../testing/test-cell.ts';
import { createCanaryReports } from './canary-reports.ts';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const NARROWER = RETAILER_CHARTER.replace('actor: { role: analyst }', 'actor: { role: auditor }');
const tenant = newTenant();
let test: TestCell;
let analyst: TestAccount;

const aCandidate = (change: Partial<BundleCandidate> = {}): BundleCandidate => ({
  serial: 1_000,
  text: NARROWER,
  textHash: sha256(change.text ?? NARROWER),
  shareBasisPoints: 10_000,
  limits: {
    errorsCountMax: 0,
    stricterBasisPointsMax: 10_000,
    latencyMicrosMax: 60_000_000,
    decidedCountMin: 0,
  },
  ...change,
});

beforeAll(async () => {
  test = await startTestCell({ tenants: [tenant] });
  analyst = await test.addAccount(tenant.tenantId, {
    role: 'analyst',
    purposes: ['analytics'],
    defaultPurpose: 'analytics',
  });
});
afterAll(() => test?.stop());

const readFlow = {
  actor: {
    kind: 'workload',
    role: 'analyst',
    employer: 'controller',
    assurance: 'high',
    place: 'de',
  },
  action: 'read',
  data: {
    class: 'restricted',
    categories: ['behavioural'],
    regimes: ['gdpr'],
    origin: 'de',
    residency: 'eu-de',
  },
  form: 'plain',
  to: { kind: 'reader', location: 'de', operator: 'de' },
  purpose: 'analytics',
};
const ask = async () => {
  const body = { flows: [readFlow] };
  const answer = await test.call({ method: 'POST', path: '/v1/decisions', body, as: analyst });
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  return answer.body.items[0];
};

describe('a bundle with a candidate', () => {
  it.each([
    ['whose hash is not the text’s', { textHash: '0'.repeat(64) }, 'hash'],
    ['that is not newer than the law', { serial: 1 }, 'older-serial'],
    ['that does not compile', { text: 'charter: 1\n' }, 'charter'],
    ['with a share above the whole', { shareBasisPoints: 10_001 }, 'shape'],
  ] as const)('is refused: %s', async (_what, change, reason) => {
    const { law } = test.cell.runtime;
    const before = law.serial();
    await expect(
      law.take(test.signBundle({ candidate: aCandidate(change) })),
    ).rejects.toMatchObject({ code: 'LAW_BUNDLE_REFUSED', details: { reason } });
    expect([law.serial(), law.current().canary]).toEqual([before, undefined]);
  });

  it('needs no approvals, takes away, and leaves law and candidate in the entry', async () => {
    expect((await ask()).outcome).toBe('allow');
    await test.deliver({ candidate: aCandidate(), charterApprovers: [] });
    test.refresh();
    expect(await ask()).toMatchObject({ outcome: 'deny', charter: { serial: 1_000 } });
    const rows = await test.database.asOwner<{ body: string }>(
      'SELECT body FROM ledger.entries ORDER BY entry_id DESC',
    );
    const entry = rows
      .map(({ body }) => JSON.parse(body))
      .find(({ kind }) => kind === 'decision' || kind === 'refusal');
    expect(entry.decision).toMatchObject({
      outcome: 'deny',
      serial: 1_000,
      also: { serial: 1, outcome: 'allow', charter: test.cell.runtime.law.current().hash },
    });
  });

  it('is away again a second after the next bundle has come, and so is a charter that was law', async () => {
    await test.deliver({ candidate: aCandidate(), charterApprovers: [] });
    const started = performance.now();
    await test.deliver({ charterText: NARROWER, charterApprovers: [...test.approvers] });
    await test.deliver({ charterText: RETAILER_CHARTER });
    test.refresh();
    expect((await ask()).outcome).toBe('allow');
    expect(performance.now() - started).toBeLessThan(2_000);
    await test.deliver({ candidate: aCandidate(), charterApprovers: [] });
    test.refresh();
    expect((await ask()).outcome).toBe('deny');
  });

  it('keeps what was counted when a bundle brings it again, and ends with one that does not', async () => {
    const { law } = test.cell.runtime;
    const counted = law.current().canary?.tally.figures().decided ?? 0;
    expect(counted).toBeGreaterThan(0);
    await test.deliver({ candidate: aCandidate(), charterApprovers: [] });
    expect(law.current().canary?.tally.figures().decided).toBe(counted);
    await test.deliver({ charterApprovers: [] });
    test.refresh();
    expect((await ask()).outcome).toBe('allow');
  });

  it('decides its share of reads, each anew, and nothing of it stays when it has gone', async () => {
    const admin = await test.addAccount(tenant.tenantId, { role: 'tenant-admin' });
    const shop = await test.addAccount(tenant.tenantId);
    const collection = {
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
    const put = { method: 'PUT', path: '/v1/collections/people', as: admin } as const;
    expect((await test.call({ ...put, body: collection })).status).toBeLessThan(300);
    const made = await test.call({
      method: 'POST',
      path: '/v1/collections/people/records',
      as: shop,
      body: { id: 'p1', subject: 's1', origin: 'de', fields: { email: 'a@post.example' } },
    });
    expect(made.status, JSON.stringify(made.body)).toBe(201);
    const read = async (): Promise<number> => {
      const path = `/v1/collections/people/records/${made.body.recordId}`;
      return (await test.call({ path, as: shop })).status;
    };
    const text = RETAILER_CHARTER.replace(
      /^ {2}- allow: figures-of-the-machines$/m,
      (found) => `  - forbid: nobody-reads
    action: read
    data: { class: restricted }
    because: b
    source: s

${found}`,
    );
    await test.deliver({
      candidate: aCandidate({ serial: 1_500, text, shareBasisPoints: 3_000 }),
      charterApprovers: [],
    });
    test.refresh();
    const answers = new Set<number>();
    for (let index = 0; index < 40; index += 1) answers.add(await read());
    expect([...answers].sort()).toEqual([200, 403]);
    await test.deliver({ charterApprovers: [] });
    test.refresh();
    expect([await read(), await read(), await read()]).toEqual([200, 200, 200]);
  });

  it('stops by itself beyond its limit, with the control plane away, and enters it once', async () => {
    const limits = { ...aCandidate().limits, stricterBasisPointsMax: 0 };
    await test.deliver({ candidate: aCandidate({ serial: 2_000, limits }), charterApprovers: [] });
    test.refresh();
    expect([(await ask()).outcome, (await ask()).outcome]).toEqual(['deny', 'allow']);
    const { law, entries, log } = test.cell.runtime;
    const told: unknown[] = [];
    let status = 503;
    const control = {
      call: async ({ body }: { readonly body?: unknown }) => {
        told.push(body);
        return { status, body: Buffer.alloc(0) };
      },
      close: async () => undefined,
    };
    const reports = createCanaryReports({ law, control, entries, log });
    await reports.tell();
    status = 204;
    await reports.tell();
    await reports.tell();
    expect(told).toHaveLength(2);
    expect(told[1]).toEqual(told[0]);
    expect(told[0]).toMatchObject({
      serial: 2_000,
      decided: 1,
      stricter: 1,
      stoppedBy: 'stricter',
    });
    const rows = await test.database.asOwner<{ body: string }>('SELECT body FROM ledger.entries');
    const stops = rows
      .map(({ body }) => JSON.parse(body))
      .filter(({ facts }) => facts?.what === 'candidate-stopped');
    expect(stops).toHaveLength(1);
    expect(stops[0].facts).toMatchObject({ charterSerial: 2_000, limit: 'stricter' });
  });
});
