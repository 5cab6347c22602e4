// SPDX-License-Identifier: Apache-2.0
// Goal: an operator learns how many stored records a charter would put in violation, which flows and
// transfers it would stop, and nothing else; and a transfer under way is stopped between pages. Method: a
// whole cell with stored records, asked over its internal listener by an operator's identity.
import path from 'node:path';
import { suspendMechanism } from '@bailiwick/charter';
import type { AssessmentAnswer } from '@bailiwick/contracts';
import { createMtlsConnector, openAuthority } from '@bailiwick/pki';
import { Pool } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CellRuntime } from '../runtime.ts';
import {
  newTenant,
  RETAILER_CHARTER,
  startTestCell,
  type TestAccount,
  type TestCell,
} from '../testing/test-cell.ts';
import { TRUST_DOMAIN } from '../testing/test-config.ts';
import { runTransfer } from '../transfers/run-transfer.ts';

const tenant = newTenant();
const empty = newTenant();
const pools: Pool[] = [];
let test: TestCell;
let analyst: TestAccount;
let operator: Pool;
let neighbour: Pool;

const COLLECTION = {
  fieldSets: {
    contact: {
      class: 'restricted',
      category: 'contact',
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
    email: { fieldSet: 'contact', type: 'text', required: true },
    month: { fieldSet: 'market', type: 'text', required: true },
  },
};

async function connect(suffix: string, port: number): Promise<Pool> {
  const authority = await openAuthority(path.join(test.directory, 'ca'));
  const at = (name: string): string =>
    path.join(test.directory, `${suffix.replaceAll('/', '-')}.${name}`);
  const files = {
    certFile: at('pem'),
    keyFile: at('key'),
    bundleFile: path.join(test.directory, 'bundle.pem'),
  };
  await authority.issueIdentity(files, { spiffeId: `spiffe://${TRUST_DOMAIN}/${suffix}` });
  const expected = `spiffe://${TRUST_DOMAIN}/cell/eu-de/main`;
  const pool = new Pool(`https://127.0.0.1:${port}`, {
    connect: createMtlsConnector(files, { expect: expected }),
  });
  pools.push(pool);
  return pool;
}

beforeAll(async () => {
  test = await startTestCell({ tenants: [tenant, empty] });
  const { internalPort } = await test.cell.listen();
  operator = await connect('operator/ann', internalPort);
  neighbour = await connect('cell/us-va/main', internalPort);
  const admin = await test.addAccount(tenant.tenantId, { role: 'tenant-admin' });
  const shop = await test.addAccount(tenant.tenantId);
  analyst = await test.addAccount(tenant.tenantId, {
    role: 'analyst',
    purposes: ['statistics'],
    defaultPurpose: 'statistics',
  });
  const put = { method: 'PUT', path: '/v1/collections/customers', as: admin } as const;
  expect((await test.call({ ...put, body: COLLECTION })).status).toBeLessThan(300);
  const lines = ['de', 'de', 'de', 'ch', 'ch'].map((origin, index) =>
    JSON.stringify({
      id: `r${index}`,
      subject: `s${index}`,
      origin,
      fields: { email: `person${index}@post.example`, month: '2026-01' },
    }),
  );
  const loaded = await test.call({
    method: 'POST',
    path: '/v1/collections/customers/imports',
    as: shop,
    headers: { 'content-type': 'application/x-ndjson' },
    body: lines.join('\n'),
  });
  expect(loaded.body).toMatchObject({ accepted: 5 });
});
afterAll(async () => {
  for (const pool of pools) await pool.destroy();
  await test?.stop();
});

async function ask(body: unknown, pool = operator) {
  const answer = await pool.request({
    method: 'POST',
    path: '/internal/v1/charter-assessments',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: answer.statusCode, text: await answer.body.text() };
}

async function assess(text: string): Promise<AssessmentAnswer> {
  const answer = await ask({ text });
  expect(answer.status, answer.text).toBe(200);
  return JSON.parse(answer.text) as AssessmentAnswer;
}

const changed = (from: string | RegExp, to: string): string => {
  const text = RETAILER_CHARTER.replace(from, to);
  expect(text).not.toBe(RETAILER_CHARTER);
  return text;
};
const withRule = (rule: string): string =>
  changed(
    /^ {2}- allow: figures-of-the-machines$/m,
    `${rule}\n\n  - allow: figures-of-the-machines`,
  );

describe('an assessment', () => {
  it('finds nothing where nothing changes, and looks at everything', async () => {
    const answer = await assess(`${RETAILER_CHARTER}\n# read again\n`);
    expect(answer).toMatchObject({ cell: 'eu-de/main', records: 5, tenants: 2, termsUnfit: [] });
    expect([answer.violations, answer.flows, answer.transfers]).toEqual([[], [], []]);
  });

  it('counts what lives elsewhere now, by class, with the move that would heal it', async () => {
    const text = changed(/( {2}ch:\n {4}cell: )eu-de\/main/, '$1uk-lon/main').replace(
      /(cell: uk-lon\/main\n {4}regimes: \[ch-fadp\]\n) {4}adequacyBy: ch\n/,
      '$1',
    );
    const { violations } = await assess(text);
    expect(violations.map(({ class: one }) => one).sort()).toEqual(['operational', 'restricted']);
    expect(violations[0]).toMatchObject({
      kind: 'home-elsewhere',
      records: 2,
      tenants: 1,
      isNew: true,
      remedy: { kind: 'move', to: 'uk-lon/main', origins: ['ch'] },
    });
  });

  it('counts what carries other laws now, with the relabelling', async () => {
    const { violations } = await assess(changed('regimes: [ch-fadp]', 'regimes: [ch-fadp, gdpr]'));
    expect(violations[0]).toMatchObject({
      kind: 'regimes-changed',
      records: 2,
      remedy: { kind: 'relabel', regimes: ['ch-fadp', 'gdpr'], origins: ['ch'] },
    });
  });

  it('names the rule under which nobody may keep it', async () => {
    const { violations } = await assess(
      withRule(`  - forbid: no-addresses
    action: [ingest, update, seal]
    data: { category: contact }
    because: addresses are kept by the carrier now
    source: our contracts § 5`),
    );
    expect(violations).toHaveLength(1);
    expect(violations[0]).toMatchObject({
      class: 'restricted',
      kind: 'keeping-forbidden',
      rules: ['no-addresses'],
      because: 'addresses are kept by the carrier now',
      records: 5,
      remedy: { kind: 'erase', origins: ['ch', 'de'] },
    });
  });

  it('lists the flows that rest on a mechanism, with records and tenants', async () => {
    const text = suspendMechanism(RETAILER_CHARTER, 'scc', '2026-01-01T00:00:00.000Z');
    const { flows, violations } = await assess(text ?? '');
    expect(violations).toEqual([]);
    const mail = flows.find(({ before }) => before.includes('mail-under-clauses'));
    expect(mail).toMatchObject({ records: 5, tenants: [tenant.tenantId] });
  });

  it('counts transfers under way that would stop', async () => {
    const body = {
      kind: 'aggregate',
      selection: { collection: 'customers' },
      form: 'aggregated',
      destination: { kind: 'control' },
      purpose: 'statistics',
      aggregate: { groupBy: ['country'], measures: [], minimumCount: 10 },
    };
    const asked = await test.call({ method: 'POST', path: '/v1/transfers', as: analyst, body });
    expect(asked.status, JSON.stringify(asked.body)).toBe(202);
    const answer = await assess(
      withRule(`  - forbid: no-figures
    action: transfer
    form: aggregated
    because: until the figures have been looked at
    source: our contracts § 5`),
    );
    expect(answer.transfers).toEqual([{ tenantId: tenant.tenantId, count: 1 }]);
  });

  it('tells names of the charter, countries and counts, and is on record', async () => {
    const { text } = await ask({ text: changed('regimes: [ch-fadp]', 'regimes: [ch-fadp, gdpr]') });
    expect(text).not.toMatch(/post\.example|person\d|customers|2026-01/);
    const rows = await test.database.asOwner<{ body: string }>('SELECT body FROM ledger.entries');
    const entered = rows.filter(({ body }) => body.includes('charter-assessed'));
    expect(JSON.parse(entered[0]?.body ?? '{}').facts).toMatchObject({
      operator: 'ann',
      records: 5,
    });
  });

  it.each([
    ['a charter that does not compile', { text: 'charter: 1\n' }, 400],
    ['one to compare with that does not', { text: RETAILER_CHARTER, against: 'x: [' }, 400],
    ['no charter', {}, 400],
    ['an unknown key', { text: RETAILER_CHARTER, tenant: tenant.tenantId }, 400],
  ])('is refused for %s', async (_what, body, status) => {
    expect((await ask(body)).status).toBe(status);
  });

  it('is for operators: another cell learns nothing', async () => {
    const { status, text } = await ask({ text: RETAILER_CHARTER }, neighbour);
    expect([status, JSON.parse(text).code]).toEqual([403, 'PEER_FORBIDDEN']);
  });
});

describe('a transfer under way', () => {
  it('is decided again for each page: what is denied meanwhile is read no further', async () => {
    const { runtime } = test.cell;
    const [transfer] = await test.database.asOwner<{ transfer_id: string }>(
      `SELECT transfer_id FROM cell.transfers WHERE state = 'accepted'`,
    );
    const transferId = transfer?.transfer_id ?? '';
    let asked = 0;
    let allowed = Number.POSITIVE_INFINITY;
    const { enforcement } = runtime;
    const watched: CellRuntime = {
      ...runtime,
      enforcement: {
        ...enforcement,
        decide(credential, request) {
          asked += 1;
          const decided = enforcement.decide(credential, request);
          if (asked <= allowed) return decided;
          return {
            ...decided,
            decision: { ...decided.decision, outcome: 'deny', cause: 'forbidden' },
          };
        },
      },
    };
    const courier = {
      deliver: async () => {
        throw new Error('nothing may leave');
      },
      send: () => Promise.reject(new Error('nothing goes record by record')),
      close: async () => undefined,
    };
    const labels = 2;
    // Once for each label when it begins; the page asks again, and is refused.
    allowed = labels;
    await runTransfer({ runtime: watched, courier }, { tenantId: tenant.tenantId, transferId });
    expect(asked).toBe(labels + 1);
    const [after] = await test.database.asOwner<{ state: string; statement: string | null }>(
      `SELECT state, statement FROM cell.transfers WHERE transfer_id = '${transferId}'`,
    );
    expect(after).toEqual({ state: 'refused', statement: null });
  });
});
