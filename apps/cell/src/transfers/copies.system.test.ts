// SPDX-License-Identifier: Apache-2.0
// Goal: a copy goes only where the charter has a mechanism and, where it asks for them, signatures; it
// arrives once whatever dies in between, under the other cell's keys, with a label that says whose copy it
// is; what is suspended, withdrawn or stopped goes no further. Method: two whole cells in this process; the
// process "dies" after each step in turn by an error thrown there.
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { TRANSFER_APPROVAL_PAYLOAD_TYPE } from '@bailiwick/contracts';
import { parseCellId } from '@bailiwick/kernel';
import { signDsse, toDsseSigner } from '@bailiwick/keys';
import { createAuthority } from '@bailiwick/pki';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endArrival } from '../arrivals/end-arrival.ts';
import { recallPerson } from '../arrivals/recall-person.ts';
import { takeChunk } from '../arrivals/take-chunk.ts';
import { takeManifest } from '../arrivals/take-manifest.ts';
import {
  newTenant,
  RETAILER_CHARTER,
  startTestCell,
  type TestAccount,
  type TestCell,
} from '../testing/test-cell.ts';
import { newKey, TRUST_DOMAIN } from '../testing/test-config.ts';
import type { Courier } from './courier.ts';
import { RECORD_STEPS, type RecordStep } from './run-records.ts';
import { runTransfer } from './run-transfer.ts';

const tenant = newTenant({ 'eu-de': 'eu-de/main', 'uk-lon': 'uk-lon/main' });
const EU = parseCellId('eu-de');
const PEOPLE = 7;
const CUSTOMERS = {
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
    name: { fieldSet: 'contact', type: 'text', required: true },
    email: { fieldSet: 'contact', type: 'text', index: 'email' },
    month: { fieldSet: 'market', type: 'text', required: true },
  },
};
const COPY = {
  kind: 'copy',
  selection: { collection: 'customers' },
  form: 'plain',
  destination: { kind: 'cell', id: 'uk-lon/main' },
  purpose: 'order-fulfilment',
  mechanism: 'adequacy',
  instrument: { reference: 'C(2021) 4800', parties: ['Example GmbH', 'Example Ltd'] },
};

let directory: string;
let eu: TestCell;
let uk: TestCell;
let admin: TestAccount;
let second: TestAccount;
let shop: TestAccount;
let ukOfficer: TestAccount;
let peers: Record<string, { internalPort: number; signingKey: string }>;

beforeAll(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'bailiwick-copies-'));
  const authority = path.join(directory, 'ca');
  await createAuthority(authority, { trustDomain: TRUST_DOMAIN });
  eu = await startTestCell({ authority, tenants: [tenant] });
  uk = await startTestCell({ authority, cell: 'uk-lon/main', tenants: [tenant] });
  const portOf = async (test: TestCell) => (await test.cell.listen()).internalPort;
  const keyOf = (test: TestCell) => test.cell.runtime.secrets.publicKeyText;
  peers = {
    'eu-de': { internalPort: await portOf(eu), signingKey: keyOf(eu) },
    'uk-lon': { internalPort: await portOf(uk), signingKey: keyOf(uk) },
  };
  for (const test of [eu, uk]) {
    await test.deliver({ peers });
    test.refresh();
  }
  const { tenantId } = tenant;
  const purposes = ['order-fulfilment', 'legal-obligation', 'marketing'];
  admin = await eu.addAccount(tenantId, { role: 'tenant-admin', purposes });
  second = await eu.addAccount(tenantId, { role: 'tenant-admin', purposes });
  shop = await eu.addAccount(tenantId, { purposes });
  ukOfficer = await uk.addAccount(tenantId, { role: 'privacy-officer', place: 'de', purposes });
  const put = {
    method: 'PUT',
    path: '/v1/collections/customers',
    as: admin,
    body: CUSTOMERS,
  } as const;
  expect((await eu.call(put)).status).toBeLessThan(300);
  const lines = Array.from({ length: PEOPLE }, (_, at) =>
    JSON.stringify({
      id: `customer-${at}`,
      subject: `person-${at}`,
      origin: 'de',
      fields: { name: `Erika ${at}`, email: `erika${at}@post.example`, month: '2026-01' },
    }),
  );
  const loaded = await eu.call({
    method: 'POST',
    path: '/v1/collections/customers/imports',
    as: shop,
    headers: { 'content-type': 'application/x-ndjson' },
    body: lines.join('\n'),
  });
  expect(loaded.body).toMatchObject({ accepted: PEOPLE, refused: [] });
});
afterAll(async () => {
  await eu?.stop();
  await uk?.stop();
  rmSync(directory, { recursive: true, force: true });
});

/** Hands pieces to the other cell directly; what `change` gives goes in their place. */
function courierTo(
  change: (piece: { path: string; body: unknown }) => unknown = ({ body }) => body,
) {
  const courier: Courier = {
    deliver: () => Promise.reject(new Error('no figures here')),
    async send(_cell, piece) {
      const body = JSON.parse(JSON.stringify(change(piece)));
      const [, transferId = ''] = /arrivals\/([^/]+)/.exec(piece.path) ?? [];
      const call = { from: EU, tenantId: tenant.tenantId, transferId, body };
      const [, recallId] = /recalls\/([^/]+)$/.exec(piece.path) ?? [];
      if (recallId !== undefined) {
        const { keys, runtime: there } = uk.cell;
        return recallPerson(there, keys.administration, { ...call, recallId, ...body });
      }
      const [, chunk] = /chunks\/(\d+)$/.exec(piece.path) ?? [];
      const { runtime } = uk.cell;
      if (chunk !== undefined) return takeChunk(runtime, { ...call, number: Number(chunk) });
      return piece.path.endsWith('/end') ? endArrival(runtime, call) : takeManifest(runtime, call);
    },
    close: async () => undefined,
  };
  return courier;
}

const run = (
  transferId: string,
  options: { onStep?: (step: RecordStep) => void; courier?: Courier; chunkCount?: number } = {},
) =>
  runTransfer(
    { runtime: eu.cell.runtime, courier: courierTo(), chunkCount: 3, ...options },
    { tenantId: tenant.tenantId, transferId },
  );

const ask = (body: unknown, as = admin) =>
  eu.call({ method: 'POST', path: '/v1/transfers', as, body });
const stateOf = async (transferId: string) =>
  (await eu.call({ path: `/v1/transfers/${transferId}`, as: admin })).body;

function sign(transfer: { transferId: string; requestHash: string }, key = second.privateKey) {
  const { tenantId } = tenant;
  const { transferId, requestHash } = transfer;
  const approvedAt = new Date().toISOString();
  const said = { v: 1, cell: 'eu-de/main', tenantId, transferId, requestHash, approvedAt };
  const payload = Buffer.from(JSON.stringify(said));
  return signDsse({ payloadType: TRANSFER_APPROVAL_PAYLOAD_TYPE, payload }, [toDsseSigner(key)]);
}

const approve = (transferId: string, approval: unknown) =>
  eu.call({
    method: 'POST',
    path: `/v1/transfers/${transferId}/approvals`,
    as: admin,
    body: { approval },
  });

/** An approved transfer that nothing has run yet. */
async function accepted(change: object = {}): Promise<string> {
  const { body } = await ask({ ...COPY, ...change });
  expect(body.state, JSON.stringify(body)).toBe('awaiting-approval');
  const approved = await approve(body.transferId, sign(body));
  expect(approved.body.state).toBe('accepted');
  return body.transferId;
}

const copiesOf = (transferId: string) =>
  uk.database.asOwner<{ facts: string; sealed: Buffer; record_id: string; version: number }>(
    'SELECT facts, sealed, record_id, version FROM cell.records WHERE facts LIKE $1',
    [`%${transferId}%`],
  );

async function bodiesOf(test: TestCell, transferId: string) {
  const rows = await test.database.asOwner<{ body: string }>(
    'SELECT body FROM ledger.entries WHERE body LIKE $1 ORDER BY entry_id',
    [`%${transferId}%`],
  );
  return rows.map(({ body }) => JSON.parse(body));
}

describe('a preview', () => {
  const preview = (body: unknown, as = admin) =>
    eu.call({ method: 'POST', path: '/v1/transfers/previews', as, body });

  it('tells counts and shapes, what is still to be signed, and no value', async () => {
    const { status, body } = await preview(COPY);
    expect(status, JSON.stringify(body)).toBe(200);
    expect(body).toMatchObject({
      outcome: 'needs-approval',
      missingApprovals: ['tenant-instructed'],
      counts: { records: PEOPLE, people: PEOPLE, withheld: 0, chunks: 1 },
      labels: [{ origin: 'de', regimes: ['gdpr'], records: PEOPLE }],
      destination: { kind: 'cell', id: 'uk-lon/main', location: 'uk' },
    });
    expect(body.shape.map(({ field }: { field: string }) => field)).toEqual([
      'email',
      'month',
      'name',
    ]);
    expect(JSON.stringify(body)).not.toMatch(/Erika|post\.example|2026-01/);
  });

  it('is denied like the transfer itself', async () => {
    const { status, body } = await preview({ ...COPY, mechanism: undefined });
    expect([status, body.code]).toEqual([403, 'POLICY_FLOW_DENIED']);
  });
});

describe('what a copy needs', () => {
  it.each([
    ['a mechanism', { mechanism: undefined }, 403, 'POLICY_FLOW_DENIED'],
    ['a mechanism that the charter has', { mechanism: 'pigeon' }, 403, 'POLICY_FLOW_DENIED'],
    ['the paper behind it', { instrument: undefined }, 400, 'TRANSFER_INVALID'],
    [
      'a field that is there',
      { selection: { collection: 'customers', fields: ['age'] } },
      400,
      'TRANSFER_INVALID',
    ],
    ['a form that this version makes', { form: 'tokenised' }, 403, 'POLICY_FLOW_DENIED'],
    [
      'another destination',
      { destination: { kind: 'cell', id: 'us-va/main' } },
      403,
      'POLICY_FLOW_DENIED',
    ],
  ])('is %s', async (_what, change, status, code) => {
    expect(await ask({ ...COPY, ...change })).toMatchObject({ status, body: { code } });
  });

  it('is the right role', async () => {
    expect((await ask(COPY, shop)).body.code).toBe('POLICY_FLOW_DENIED');
  });
});

describe('an approval', () => {
  it.each([
    ['by whoever asked', (body: never) => sign(body, admin.privateKey)],
    ['by a stranger', (body: never) => sign(body, newKey())],
    [
      'of another request',
      (body: object) => sign({ ...body, requestHash: '0'.repeat(64) } as never),
    ],
    ['of another transfer', (body: object) => sign({ ...body, transferId: randomUUID() } as never)],
    [
      'of another kind of statement',
      (body: never) => ({ ...sign(body), payloadType: 'application/json' }),
    ],
  ])('does not count %s', async (_what, make) => {
    const { body } = await ask(COPY);
    const refused = await approve(body.transferId, make(body as never));
    expect([refused.status, refused.body.code]).toEqual([403, 'TRANSFER_APPROVAL_REFUSED']);
    await run(body.transferId);
    expect((await stateOf(body.transferId)).state).toBe('awaiting-approval');
    expect(await copiesOf(body.transferId)).toHaveLength(0);
  });
});

describe('a copy', () => {
  it('arrives under the other cell’s keys with the label of a copy, on record on both sides', async () => {
    const transferId = await accepted();
    await run(transferId);
    const done = await stateOf(transferId);
    expect(done, JSON.stringify(done.problem)).toMatchObject({
      ...{ state: 'completed', chunkCount: 3 },
      recordCount: PEOPLE,
    });
    const rows = await copiesOf(transferId);
    expect(rows).toHaveLength(PEOPLE);
    expect(JSON.parse(rows[0]?.facts ?? '')).toMatchObject({
      copyOf: { cell: 'eu-de/main', form: 'plain', transfer: transferId },
      residency: 'eu-de',
      origin: 'de',
    });
    const read = await uk.call({
      path: `/v1/collections/customers/records/${rows[0]?.record_id}`,
      as: ukOfficer,
      purpose: 'legal-obligation',
    });
    expect(read.status, JSON.stringify(read.body)).toBe(200);
    expect(read.body.fields.name).toMatch(/^Erika \d$/);
    expect(read.body.label.copyOf.cell).toBe('eu-de/main');
    const here = await bodiesOf(eu, transferId);
    const there = await bodiesOf(uk, transferId);
    const contents = (bodies: { facts: Record<string, unknown> }[]) =>
      bodies.filter(({ facts }) => facts['step'] === 'chunk').map(({ facts }) => facts['content']);
    expect(contents(here)).toEqual(contents(there));
    const last = (bodies: { facts: Record<string, unknown> }[]) => bodies.at(-1)?.facts;
    expect(last(here)?.['digest']).toBe(last(there)?.['digest']);
    expect(here.map(({ facts }) => facts.step)).toEqual([
      'approved',
      'started',
      ...['chunk', 'chunk', 'chunk'],
      'completed',
    ]);
    expect(JSON.stringify([here, there])).not.toContain('Erika');
    // The source keeps its own.
    const own = await eu.database.asOwner('SELECT 1 FROM cell.records WHERE facts NOT LIKE $1', [
      '%copyOf%',
    ]);
    expect(own).toHaveLength(PEOPLE);
  });

  const dyings = RECORD_STEPS.flatMap((step) => [1, 2].map((time) => [step, time] as const));
  it.each(dyings)('is there once though the process died after %s, time %i', async (step, time) => {
    const transferId = await accepted();
    let seen = 0;
    const onStep = (now: RecordStep) => {
      if (now !== step) return;
      seen += 1;
      if (seen === time) throw new Error('the process has died');
    };
    const isOnce = ['started', 'opened', 'closed', 'completed'].includes(step);
    if (time === 1 || !isOnce) await expect(run(transferId, { onStep })).rejects.toThrow('died');
    await run(transferId);
    expect(await stateOf(transferId)).toMatchObject({ state: 'completed', recordCount: PEOPLE });
    const rows = await copiesOf(transferId);
    expect(new Set(rows.map(({ record_id }) => record_id)).size).toBe(PEOPLE);
    const ends = (await bodiesOf(uk, transferId)).filter(({ facts }) => facts.step === 'completed');
    expect(ends).toHaveLength(1);
  });

  it('of the same records a second time makes new versions, not new records', async () => {
    await run(await accepted());
    const before = await uk.database.asOwner('SELECT 1 FROM cell.records');
    const transferId = await accepted();
    await run(transferId);
    expect(await uk.database.asOwner('SELECT 1 FROM cell.records')).toHaveLength(before.length);
    const check = await uk.call({
      method: 'POST',
      path: '/v1/ledger/checks',
      as: ukOfficer,
      body: {},
    });
    expect([check.status, check.body.problemsCount]).toEqual([200, 0]);
  });

  it('goes no further once somebody has stopped it', async () => {
    const transferId = await accepted();
    let chunks = 0;
    await run(transferId, {
      courier: courierTo((piece) => {
        if (piece.path.includes('/chunks/')) chunks += 1;
        return piece.body;
      }),
      onStep: (step) => {
        if (step === 'counted' && chunks === 1) throw new Error('pause');
      },
    }).catch(() => undefined);
    const stopped = await eu.call({
      method: 'POST',
      path: `/v1/transfers/${transferId}/stops`,
      as: second,
      body: {},
    });
    expect(stopped.body.state, JSON.stringify(stopped.body)).toBe('stopped');
    await run(transferId);
    expect(await stateOf(transferId)).toMatchObject({ state: 'stopped', chunkCount: 1 });
    expect(await copiesOf(transferId)).toHaveLength(3);
    expect((await bodiesOf(uk, transferId)).at(-1)?.facts).toMatchObject({ step: 'ended' });
  });

  it('stops at once when its mechanism is suspended', async () => {
    const transferId = await accepted();
    const suspended = RETAILER_CHARTER.replace(
      'means: the destination has been found adequate',
      "means: the destination has been found adequate\n    suspendedFrom: '2026-01-01T00:00:00.000Z'",
    );
    expect(suspended).not.toBe(RETAILER_CHARTER);
    await expect(
      run(transferId, {
        onStep: (step) => {
          if (step === 'counted') throw new Error('pause');
        },
      }),
    ).rejects.toThrow('pause');
    await eu.deliver({ peers, charterText: suspended });
    eu.refresh();
    await run(transferId);
    expect(await stateOf(transferId)).toMatchObject({
      state: 'refused',
      chunkCount: 1,
      problem: { code: 'POLICY_FLOW_DENIED' },
    });
    expect(await copiesOf(transferId)).toHaveLength(3);
    await eu.deliver({ peers, charterText: RETAILER_CHARTER });
    eu.refresh();
  });

  it('is refused by the destination where only its law has changed', async () => {
    const transferId = await accepted();
    const suspended = RETAILER_CHARTER.replace(
      'means: the destination has been found adequate',
      "means: the destination has been found adequate\n    suspendedFrom: '2026-01-01T00:00:00.000Z'",
    );
    await uk.deliver({ peers, charterText: suspended });
    uk.refresh();
    await expect(run(transferId))
      .rejects.toMatchObject({ code: 'POLICY_FLOW_DENIED' })
      .catch(() => undefined);
    expect(await copiesOf(transferId)).toHaveLength(0);
    await uk.deliver({ peers, charterText: RETAILER_CHARTER });
    uk.refresh();
  });

  it('leaves behind whose processing was restricted meanwhile', async () => {
    const transferId = await accepted({ purpose: 'order-fulfilment' });
    await expect(
      run(transferId, {
        onStep: (step) => {
          if (step === 'counted') throw new Error('pause');
        },
      }),
    ).rejects.toThrow('pause');
    for (let at = 0; at < PEOPLE; at += 1) {
      const { status, body } = await eu.call({
        method: 'POST',
        path: '/v1/restrictions',
        as: await officer(),
        body: { subject: `person-${at}`, state: 'restricted', ground: 'claims' },
      });
      expect(status, JSON.stringify(body)).toBeLessThan(300);
    }
    await run(transferId);
    expect(await stateOf(transferId)).toMatchObject({
      state: 'completed',
      recordCount: 3,
      withheldCount: PEOPLE - 3,
    });
    expect(await copiesOf(transferId)).toHaveLength(3);
    for (let at = 0; at < PEOPLE; at += 1) {
      await eu.call({
        method: 'POST',
        path: '/v1/restrictions',
        as: await officer(),
        body: { subject: `person-${at}`, state: 'lifted' },
      });
    }
  });
});

let officerAccount: Promise<TestAccount> | undefined;
function officer(): Promise<TestAccount> {
  officerAccount ??= eu.addAccount(tenant.tenantId, {
    role: 'privacy-officer',
    purposes: ['legal-obligation'],
    defaultPurpose: 'legal-obligation',
  });
  return officerAccount;
}

describe('the erasure of a person', () => {
  it('reaches copies in other cells: keys destroyed, rows gone, on record on both sides', async () => {
    const created = await eu.call({
      method: 'POST',
      path: '/v1/collections/customers/records',
      as: shop,
      body: {
        ...{ id: 'leaving', subject: 'leaver', origin: 'de' },
        fields: { name: 'Leo Leaver', email: 'leo@post.example', month: '2026-01' },
      },
    });
    expect(created.status).toBe(201);
    const transferId = await accepted();
    await run(transferId);
    expect(await copiesOf(transferId)).toHaveLength(PEOPLE + 1);
    const erased = await eu.call({
      ...{ method: 'POST', path: '/v1/erasures', as: shop },
      body: { subject: 'leaver' },
    });
    expect(erased.status, JSON.stringify(erased.body)).toBeLessThan(300);
    // Another cell may be away for long: nothing is forgotten.
    const lost = { ...courierTo(), send: () => Promise.reject(new Error('away')) };
    await expect(run(transferId, { courier: lost })).rejects.toThrow('away');
    expect(await copiesOf(transferId)).toHaveLength(PEOPLE + 1);
    await run(transferId);
    await run(transferId);
    expect(await copiesOf(transferId)).toHaveLength(PEOPLE);
    const there = await bodiesOf(uk, transferId);
    expect(there.filter(({ facts }) => facts.step === 'erased')).toHaveLength(1);
    const here = await bodiesOf(eu, transferId);
    expect(here.at(-1)?.facts).toMatchObject({ step: 'copy-erased', cell: 'uk-lon/main' });
    const [key] = await uk.database.asOwner<{ count: number }>(
      'SELECT count(*)::integer AS count FROM keys.subject_keys WHERE is_erased',
    );
    expect(key?.count).toBe(1);
  });

  it('is not a way to erase what a third cell has sent', async () => {
    const transferId = await accepted();
    await run(transferId);
    const call = { tenantId: tenant.tenantId, transferId, recallId: randomUUID() };
    const [row] = await eu.database.asOwner<{ subject_id: string }>(
      'SELECT subject_id FROM cell.records LIMIT 1',
    );
    const from = parseCellId('us-va');
    const subject = row?.subject_id ?? '';
    const { runtime, keys } = uk.cell;
    await expect(
      recallPerson(runtime, keys.administration, { ...call, from, subject }),
    ).rejects.toMatchObject({ code: 'DELIVERY_REFUSED' });
    expect(await copiesOf(transferId)).toHaveLength(PEOPLE);
  });
});

describe('a copy under other rules', () => {
  const RULES = `  - allow: research-copies
    actor: { role: analyst }
    action: transfer
    data: { class: restricted, category: contact, regime: gdpr }
    form: pseudonymised
    to: { kind: cell, id: uk-lon/main }
    purpose: statistics
    mechanism: adequacy
    obligations: [{ kind: pseudonymise }, { kind: log }]
    because: research needs to tell people apart and not who they are
    source: GDPR Art. 89(1)

  - allow: offers-from-the-sister-company
    actor: { role: shop-service }
    action: transfer
    data: { class: restricted, category: contact, regime: gdpr }
    form: plain
    to: { kind: cell, id: uk-lon/main }
    purpose: marketing
    mechanism: adequacy
    consent: given
    because: whoever agreed gets offers
    source: GDPR Art. 6(1)(a)

  # --- What is not about people`;
  const charterText = RETAILER_CHARTER.replace('  # --- What is not about people', RULES);
  let analyst: TestAccount;

  beforeAll(async () => {
    for (const test of [eu, uk]) {
      await test.deliver({ peers, charterText });
      test.refresh();
    }
    const purposes = ['statistics'];
    analyst = await eu.addAccount(tenant.tenantId, {
      ...{ role: 'analyst', purposes, defaultPurpose: 'statistics' },
    });
  });
  afterAll(async () => {
    for (const test of [eu, uk]) {
      await test.deliver({ peers, charterText: RETAILER_CHARTER });
      test.refresh();
    }
  });

  const RESEARCH = { ...COPY, form: 'pseudonymised', purpose: 'statistics' };

  it('holds pseudonyms that nobody can join with another copy', async () => {
    const ids: string[] = [];
    for (const _ of [1, 2]) {
      const { body } = await ask(RESEARCH, analyst);
      expect(body.state, JSON.stringify(body)).toBe('accepted');
      ids.push(body.transferId);
      const seen: string[] = [];
      const courier = courierTo((piece) => {
        seen.push(JSON.stringify(piece.body));
        return piece.body;
      });
      await run(body.transferId, { courier });
      expect((await stateOf(body.transferId)).state).toBe('completed');
      // Nothing that left names anybody.
      expect(seen.join()).not.toMatch(/Erika|post\.example/);
      expect(seen.join()).toMatch(/p-[0-9a-f]{32}/);
    }
    const [first, second_] = await Promise.all(ids.map(copiesOf));
    const idsOf = (rows: typeof first = []) => rows.map(({ record_id }) => record_id);
    expect(idsOf(first)).toHaveLength(PEOPLE);
    expect(idsOf(first).filter((id) => idsOf(second_).includes(id))).toEqual([]);
    expect(JSON.parse(first?.[0]?.facts ?? '').copyOf.form).toBe('pseudonymised');
  });

  it('takes only along who has agreed, and stops at who withdraws', async () => {
    const say = async (at: number, state: string) => {
      const answer = await eu.call({
        method: 'POST',
        path: '/v1/consents',
        as: await officer(),
        body: { subject: `person-${at}`, purpose: 'marketing', state },
      });
      expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
    };
    for (const at of [0, 1, 2]) await say(at, 'given');
    const offers = { ...COPY, purpose: 'marketing' };
    const preview = await eu.call({
      ...{ method: 'POST', path: '/v1/transfers/previews', as: shop },
      body: offers,
    });
    expect(preview.body).toMatchObject({ needsConsent: true, counts: { withheld: PEOPLE - 3 } });
    const { body } = await ask(offers, shop);
    let isTold = false;
    await run(body.transferId, {
      courier: {
        ...courierTo(),
        async send(cell, piece) {
          // Between the entry of the first chunk and the next, everybody withdraws.
          const answer = await courierTo().send(cell, piece);
          if (piece.path.includes('/chunks/') && !isTold) {
            isTold = true;
            for (const at of [0, 1, 2]) await say(at, 'withdrawn');
          }
          return answer;
        },
      },
      chunkCount: 1,
    });
    const done = await stateOf(body.transferId);
    expect(done.state).toBe('completed');
    // The first chunk may hold somebody who had agreed then; nobody after it.
    expect(done.recordCount).toBeLessThanOrEqual(1);
    expect(done.recordCount + done.withheldCount).toBe(PEOPLE);
  });
});

describe('what does not come in', () => {
  const change = (part: string, make: (body: never) => unknown) =>
    courierTo(({ path: where, body }) => (where.includes(part) ? make(body as never) : body));

  it.each([
    [
      'a manifest with one byte changed',
      change('', (body: { payload: string }) => ({
        ...body,
        payload: `${body.payload.slice(0, -8)}AAAAAAAA`,
      })),
    ],
    ['a chunk of another number', change('/chunks/', (body: object) => ({ ...body, chunk: 9 }))],
    ['a chunk without a salt', change('/chunks/', (body: object) => ({ ...body, salt: '' }))],
    [
      'records whose home is a third cell',
      change('/chunks/', (body: { records: object[] }) => ({
        ...body,
        records: body.records.map((one) => ({ ...one, residency: 'uk-lon' })),
      })),
    ],
    [
      'records of another origin than may come',
      change('/chunks/', (body: { records: object[] }) => ({
        ...body,
        records: body.records.map((one) => ({ ...one, origin: 'us', regimes: ['cpra'] })),
      })),
    ],
    [
      'other contents than were entered',
      change('/chunks/', (body: object) => ({ ...body, salt: 'f'.repeat(64) })),
    ],
  ])('is %s', async (_what, courier) => {
    const transferId = await accepted();
    await run(transferId, { courier }).catch(() => undefined);
    const { state } = await stateOf(transferId);
    expect(['refused', 'running']).toContain(state);
    expect((await bodiesOf(uk, transferId)).some(({ facts }) => facts.step === 'completed')).toBe(
      false,
    );
  });
});

// Last: from here on the queue of the first cell runs.
describe('a copy as a job', () => {
  it('goes over mTLS', async () => {
    await eu.cell.start();
    const { body } = await ask(COPY);
    await approve(body.transferId, sign(body));
    await expect
      .poll(async () => (await stateOf(body.transferId)).state, { timeout: 20_000 })
      .toBe('completed');
    expect(await copiesOf(body.transferId)).toHaveLength(PEOPLE);
    const arrivals = await uk.call({ path: '/v1/arrivals', as: ukOfficer });
    expect(arrivals.body.items[0]).toMatchObject({
      transferId: body.transferId,
      state: 'completed',
    });
  });
});
