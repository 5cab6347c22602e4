// SPDX-License-Identifier: Apache-2.0
// Goal: what an application seals for its own database opens for whom it may and as what it was, and not
// after being moved, changed or handed to somebody else (invariant 2). Method: a whole cell, and ciphertext
// treated as an attacker with the application's database would.

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseSealedText, toSealedText } from '@bailiwick/keys';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  newTenant,
  startTestCell,
  type TestAccount,
  type TestAnswer,
  type TestCell,
} from './testing/test-cell.ts';

const tenant = newTenant();
const other = newTenant();
let test: TestCell;
let shop: TestAccount;
let stranger: TestAccount;

const COLLECTION = {
  fieldSets: {
    contact: {
      class: 'restricted',
      category: 'contact',
      purpose: 'order-fulfilment',
      subject: 'record',
      protection: 'sealed',
    },
    margin: {
      class: 'sensitive',
      category: 'financial',
      purpose: 'fraud-prevention',
      subject: 'none',
      protection: 'sealed',
    },
  },
  fields: {
    email: { fieldSet: 'contact', type: 'text', required: true, index: 'email' },
    name: { fieldSet: 'contact', type: 'text' },
    margin: { fieldSet: 'margin', type: 'number' },
  },
};
const VALUE = {
  collection: 'people',
  fieldSet: 'contact',
  record: 'row-1',
  subject: 'person-1',
  origin: 'Germany',
  fields: { email: 'Erika@Example.org', name: 'Erika Mustermann' },
  indexes: [{ field: 'email' }],
};

beforeAll(async () => {
  test = await startTestCell({ tenants: [tenant, other] });
  for (const { tenantId } of [tenant, other]) {
    const admin = await test.addAccount(tenantId, { role: 'tenant-admin' });
    const put = await test.call({
      method: 'PUT',
      path: '/v1/collections/people',
      as: admin,
      body: COLLECTION,
    });
    expect([200, 201]).toContain(put.status);
  }
  shop = await test.addAccount(tenant.tenantId);
  stranger = await test.addAccount(other.tenantId);
});
afterAll(() => test?.stop());

const seal = (values: readonly unknown[], as = shop) =>
  test.call({ method: 'POST', path: '/v1/seals', as, body: { values } });
const open = (sealed: readonly string[], as = shop, purpose?: string): Promise<TestAnswer> =>
  test.call({
    method: 'POST',
    path: '/v1/openings',
    as,
    body: { values: sealed.map((one) => ({ sealed: one })) },
    ...(purpose === undefined ? {} : { purpose }),
  });
const sealOne = async (change: object = {}, as = shop): Promise<string> =>
  (await seal([{ ...VALUE, ...change }], as)).body.items[0].sealed;
const codesOf = ({ body }: TestAnswer): readonly (string | undefined)[] =>
  body.items.map((item: { problem?: { code: string } }) => item.problem?.code);

async function entriesOf(kind: string): Promise<readonly Record<string, unknown>[]> {
  const rows = await test.database.asOwner<{ body: string }>('SELECT body FROM ledger.entries');
  return rows.map(({ body }) => JSON.parse(body)).filter((body) => body.kind === kind);
}

describe('sealing and opening', () => {
  it('gives back what was sealed, with one entry for the batch and no value in it', async () => {
    const { body } = await seal([VALUE, { ...VALUE, record: 'row-2', subject: 'person-2' }]);
    const [first, second] = body.items;
    expect(first.sealed).toMatch(/^bwk1\./);
    expect(first.sealed).not.toBe(second.sealed);
    expect(first.indexes.email).toBe(second.indexes.email);
    expect(first.subject).not.toBe(second.subject);
    const before = (await entriesOf('open')).length;
    const opened = await open([first.sealed, second.sealed]);
    expect(opened.body.items).toEqual([{ fields: VALUE.fields }, { fields: VALUE.fields }]);
    const entries = await entriesOf('open');
    expect(entries).toHaveLength(before + 1);
    expect(entries.at(-1)).toMatchObject({ id: opened.body.entry, records: { count: 2 } });
    expect(JSON.stringify(await entriesOf('seal'))).not.toMatch(/erika|row-1|person-1/i);
  });

  it('gives an index by which an application finds a person in its own SQL', async () => {
    const { body } = await seal([VALUE]);
    const found = await test.call({
      method: 'POST',
      path: '/v1/blind-indexes',
      as: shop,
      body: { collection: 'people', field: 'email', value: '  erika@example.ORG ' },
    });
    expect(found.body.index).toBe(body.items[0].indexes.email);
    const theirs = await test.call({
      method: 'POST',
      path: '/v1/blind-indexes',
      as: stranger,
      body: { collection: 'people', field: 'email', value: 'erika@example.org' },
    });
    expect(theirs.body.index).not.toBe(found.body.index);
  });

  it('answers what cannot be sealed one by one and seals the rest', async () => {
    const { status, body } = await seal([
      VALUE,
      { ...VALUE, origin: 'Bahrain' },
      { ...VALUE, origin: 'United States' },
      { ...VALUE, fields: { email: 7 } },
      { ...VALUE, fields: { margin: 1 } },
      { ...VALUE, fieldSet: 'nothing' },
      { ...VALUE, collection: 'nothing' },
      { ...VALUE, subject: undefined },
      { ...VALUE, indexes: [{ field: 'name' }] },
      { ...VALUE, indexes: [{ field: 'email', normalForm: 'text' }] },
    ]);
    expect(status).toBe(200);
    expect(codesOf({ status, body, headers: {} })).toEqual([
      undefined,
      'RECORD_HOME_ABSENT',
      'RECORD_HOME_ELSEWHERE',
      'RECORD_FIELD_INVALID',
      'RECORD_FIELD_INVALID',
      'CELL_INPUT_INVALID',
      'COLLECTION_UNKNOWN',
      'CELL_INPUT_INVALID',
      'CELL_INPUT_INVALID',
      'CELL_INPUT_INVALID',
    ]);
    expect(JSON.stringify(body)).not.toContain('Mustermann');
  });
});

describe('a sealed value in other hands', () => {
  it('does not open for another tenant, whoever asks', async () => {
    const sealed = await sealOne();
    expect(codesOf(await open([sealed], stranger))).toEqual(['CELL_SEAL_FOREIGN']);
    expect(codesOf(await open([await sealOne({}, stranger)]))).toEqual(['CELL_SEAL_FOREIGN']);
  });

  it('does not open with any byte of its seal or its ciphertext changed', async () => {
    const sealed = await sealOne();
    const bytes = Buffer.from(sealed.slice('bwk1.'.length), 'base64url');
    const changed = Array.from({ length: bytes.length }, (_, index) => {
      const copy = Buffer.from(bytes);
      copy[index] = (copy[index] ?? 0) ^ 1;
      return toSealedText(copy);
    });
    const codes = codesOf(await open(changed));
    expect(codes).toHaveLength(bytes.length);
    expect(codes.every((code) => code !== undefined)).toBe(true);
    const allowed = [
      'KEYS_VALUE_MALFORMED',
      'KEYS_ENVELOPE_UNOPENED',
      'CELL_SEAL_FOREIGN',
      'POLICY_FLOW_DENIED',
      'CELL_SEAL_UNOPENED',
    ];
    expect(codes.filter((code) => !allowed.includes(code ?? ''))).toEqual([]);
  });

  it('does not open under the seal of another record, and keeps its neighbours', async () => {
    const [one, two] = [await sealOne(), await sealOne({ record: 'row-2' })].map(parseSealedText);
    if (one === undefined || two === undefined) throw new Error('expected two values');
    const head = Buffer.alloc(5);
    head.write('BW');
    head[2] = 1;
    head.writeUInt16BE(two.sealBytes.length, 3);
    const moved = toSealedText(Buffer.concat([head, two.sealBytes, one.envelope]));
    const good = await sealOne();
    expect(codesOf(await open([moved, good, 'bwk1.AAAA', 'nonsense']))).toEqual([
      'KEYS_ENVELOPE_UNOPENED',
      undefined,
      'KEYS_VALUE_MALFORMED',
      'KEYS_VALUE_MALFORMED',
    ]);
  });

  it('opens for no purpose that the account does not have, and for no role that may not', async () => {
    const sealed = await sealOne();
    expect(await open([sealed], shop, 'marketing')).toMatchObject({
      status: 403,
      body: { code: 'CELL_PURPOSE_FORBIDDEN' },
    });
    const analyst = await test.addAccount(tenant.tenantId, {
      role: 'analyst',
      purposes: ['analytics'],
      defaultPurpose: 'analytics',
    });
    const before = (await entriesOf('refusal')).length;
    expect(codesOf(await open([sealed], analyst))).toEqual(['POLICY_FLOW_DENIED']);
    expect((await entriesOf('refusal')).length).toBe(before + 1);
  });

  it('is refused to an account without any purpose', async () => {
    const aimless = await test.addAccount(tenant.tenantId, {
      purposes: [],
      defaultPurpose: undefined as never,
    });
    const answer = await open([await sealOne()], aimless);
    expect(answer).toMatchObject({ status: 403, body: { code: 'CELL_PURPOSE_MISSING' } });
  });
});

describe('keys in the customer’s hand', () => {
  it('opens nothing while the key is disabled, says so, and opens again afterwards', async () => {
    const sealed = await sealOne();
    const officer = await test.addAccount(tenant.tenantId, {
      role: 'security-officer',
      purposes: ['operations'],
      defaultPurpose: 'operations',
    });
    const keys = await test.call({ path: '/v1/keys', as: officer });
    const customerKey = keys.body.items.find(
      ({ kind }: { kind: string }) => kind === 'customer-key',
    );
    const turn = (action: string) =>
      test.call({
        method: 'POST',
        path: `/v1/keys/${customerKey.keyId}/${action}`,
        as: officer,
        body: {},
      });
    expect((await turn('disablements')).status).toBeLessThan(300);
    expect(await open([sealed])).toMatchObject({
      status: 423,
      body: { code: 'KEYS_CUSTOMER_KEY_DISABLED' },
    });
    expect(await seal([VALUE])).toMatchObject({ status: 423 });
    const neighbour = await open([await sealOne({}, stranger)], stranger);
    expect(codesOf(neighbour)).toEqual([undefined]);
    expect((await turn('enablements')).status).toBeLessThan(300);
    expect(codesOf(await open([sealed]))).toEqual([undefined]);
  });
});

describe('entries', () => {
  const enter = (facts: object) =>
    test.call({ method: 'POST', path: '/v1/entries', as: shop, body: { entries: [{ facts }] } });

  it('takes ids, hashes and counts, and gives the leaf', async () => {
    const answer = await enter({
      exported: 12,
      batch: '01890a5d-ac96-774b-bcce-b302099a8057',
      done: true,
    });
    expect(answer.body.items[0].leafHash).toMatch(/^[0-9a-f]{64}$/);
    const [entry] = (await entriesOf('observation')).slice(-1);
    expect(entry).toMatchObject({ facts: { exported: 12 }, actor: { account: shop.account } });
  });

  it.each([
    ['a name', { who: 'Erika Mustermann' }],
    ['an address', { mail: 'erika@example.org' }],
    ['a short word, which could be a name', { who: 'erika' }],
    ['a nested value', { a: { b: 1 } }],
    ['a list', { a: [1] }],
    ['a fraction, which could be a place', { lat: 52.52 }],
    ['an odd key', { 'erika@example.org': 1 }],
    ['nothing', {}],
  ])('refuses %s', async (_what, facts) => {
    const answer = await enter(facts);
    expect(answer).toMatchObject({ status: 400, body: { code: 'CELL_INPUT_INVALID' } });
    expect(JSON.stringify(answer.body)).not.toMatch(/mustermann|example\.org"?:? ?1/i);
  });
});

// Last: looks at what everything above left behind.
describe('telemetry', () => {
  it('holds nothing of anybody: no value, no id of a caller, no tenant in a figure', async () => {
    test.cell.runtime.log.flush();
    const folder = path.join(test.directory, 'logs');
    const files = readdirSync(folder);
    expect(files.length).toBeGreaterThan(0);
    const logs = files.map((file) => readFileSync(path.join(folder, file), 'utf8')).join('');
    const metrics = await test.cell.internalServer.inject('/internal/v1/metrics');
    const figures = metrics.payload;
    expect(figures).toMatch(/bailiwick_decisions_total\{[^}]*outcome="allow"[^}]*\} [1-9]/);
    expect(figures).toContain('http_route="/v1/openings"');
    for (const canary of ['erika', 'Erika', 'mustermann', 'Mustermann', 'row-1', 'person-1']) {
      expect(logs).not.toContain(canary);
      expect(figures).not.toContain(canary);
    }
    expect(figures).not.toContain(tenant.tenantId);
  });
});
