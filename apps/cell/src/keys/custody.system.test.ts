// SPDX-License-Identifier: Apache-2.0
// Goal: rotations change wraps and never data; what two people must want happens when two pinned people
// signed exactly that, and in no other way. Method: a whole cell over real stores; every part of an
// approval forged, repeated and exchanged, also in the database itself.
import { generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { signKeyRequest, toStatementKey } from '@bailiwick/keys';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import {
  newTenant,
  startTestCell,
  type TestAccount,
  type TestAnswer,
  type TestCell,
  type TestTenant,
} from '../testing/test-cell.ts';

const CUSTOMERS = {
  description: 'People who have an account with the shop',
  fieldSets: {
    contact: {
      class: 'restricted',
      category: 'contact',
      purpose: 'order-fulfilment',
      subject: 'record',
      protection: 'sealed',
    },
  },
  fields: {
    name: { fieldSet: 'contact', type: 'text', required: true, lengthMax: 200 },
    email: { fieldSet: 'contact', type: 'text', required: true, index: 'email', lengthMax: 254 },
  },
};

let test: TestCell;
const tenants: TestTenant[] = [];
let tenant: TestTenant;
let shop: TestAccount;
let alice: TestAccount;
let bob: TestAccount;
/** Their keys for signing requests: not those that they sign in with. */
let pens: { readonly alice: KeyObject; readonly bob: KeyObject; readonly mallory: KeyObject };

const pen = (): KeyObject => generateKeyPairSync('ed25519').privateKey;

beforeAll(async () => {
  test = await startTestCell();
});
afterAll(() => test?.stop());

beforeEach(async () => {
  tenant = newTenant();
  tenants.push(tenant);
  await test.deliver({ tenants: [...tenants] });
  test.refresh();
  const { tenantId } = tenant;
  shop = await test.addAccount(tenantId);
  const officer = {
    role: 'security-officer',
    kind: 'person',
    purposes: ['operations'],
    defaultPurpose: 'operations',
  } as const;
  alice = await test.addAccount(tenantId, officer);
  bob = await test.addAccount(tenantId, officer);
  pens = { alice: pen(), bob: pen(), mallory: pen() };
  pin({});
  const admin = await test.addAccount(tenantId, {
    role: 'tenant-admin',
    kind: 'person',
    purposes: ['order-fulfilment', 'operations'],
  });
  const made = await test.call({
    method: 'PUT',
    path: '/v1/collections/customers',
    body: CUSTOMERS,
    as: admin,
  });
  expect(made.status, JSON.stringify(made.body)).toBe(201);
});

/** Writes the tenant's custody file. */
function pin(more: object): void {
  const custody = path.join(test.directory, 'custody');
  const approvers = [
    { name: 'alice', key: toStatementKey(pens.alice) },
    { name: 'bob', key: toStatementKey(pens.bob) },
  ];
  const text = stringify({ approvers, ...more });
  writeFileSync(path.join(custody, `${tenant.tenantId}.yaml`), text, { mode: 0o600 });
}

async function write(id: string): Promise<string> {
  const answer = await test.call({
    method: 'POST',
    path: '/v1/collections/customers/records',
    body: {
      id,
      subject: id,
      origin: 'de',
      fields: { name: `Name of ${id}`, email: `${id}@post.example` },
    },
    as: shop,
  });
  expect(answer.status, JSON.stringify(answer.body)).toBe(201);
  return answer.body.recordId;
}

const read = (recordId: string): Promise<TestAnswer> =>
  test.call({ path: `/v1/collections/customers/records/${recordId}`, as: shop });

const get = (what: string, as = alice): Promise<TestAnswer> =>
  test.call({ path: `/v1/${what}`, as });
const post = (what: string, body: object, as = alice): Promise<TestAnswer> =>
  test.call({ method: 'POST', path: `/v1/${what}`, body, as });

async function keyOf(kind: 'customer-key' | 'tenant-key'): Promise<{
  keyId: string;
  version: number;
  provider: string;
  providerName: string;
  state: string;
  stalenessMs: number;
}> {
  const { body } = await get('keys');
  const found = body.items.filter((item: { kind: string }) => item.kind === kind).at(-1);
  return found;
}

/** Asks, and has two people sign. */
async function approve(action: object): Promise<TestAnswer> {
  const asked = await post('key-requests', { action });
  expect(asked.status, JSON.stringify(asked.body)).toBe(200);
  const first = await sign(asked.body, pens.alice, alice);
  expect(first.body.state, JSON.stringify(first.body)).toBe('open');
  return sign(asked.body, pens.bob, bob);
}

function sign(
  request: { readonly keyRequestId: string; readonly body: string },
  key: KeyObject,
  as: TestAccount,
): Promise<TestAnswer> {
  const signed = signKeyRequest(key, request.body);
  return post(`key-requests/${request.keyRequestId}/signatures`, signed, as);
}

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 10_000;
  while (!(await isSo())) {
    if (performance.now() > endMs) throw new Error(`did not come about: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('a rotation', () => {
  it('of the customer key wraps tenant keys under a new one and touches nothing else', async () => {
    const recordId = await write('anna');
    const before = await keyOf('customer-key');
    const sealed = await test.database.asOwner(
      'SELECT sealed FROM cell.records WHERE tenant_id = $1',
      [tenant.tenantId],
    );
    const rotated = await post(`keys/${before.keyId}/rotations`, {});
    expect(rotated.body).toMatchObject({ kind: 'customer-key', state: 'done', wrappedCount: 1 });
    const after = await keyOf('customer-key');
    expect(after).toMatchObject({ version: 2, state: 'enabled' });
    expect(after.keyId).not.toBe(before.keyId);
    expect((await read(recordId)).body.fields.name).toBe('Name of anna');
    expect(
      await test.database.asOwner('SELECT sealed FROM cell.records WHERE tenant_id = $1', [
        tenant.tenantId,
      ]),
    ).toEqual(sealed);
    const report = await get('key-report');
    expect(report.body.customerKeys).toMatchObject([
      { keyId: before.keyId, isCurrent: false, tenantKeysCount: 0, isDestroyable: true },
      { keyId: after.keyId, isCurrent: true, tenantKeysCount: 1, isDestroyable: false },
    ]);
    // The old one is gone by its id: its switch is nobody's.
    expect((await post(`keys/${before.keyId}/disablements`, {})).status).toBe(404);
  });

  it('of the tenant key wraps everything below anew; then the old version can be destroyed, not before', async () => {
    const ids = ['anna', 'berta', 'carla'];
    const records = [];
    for (const id of ids) records.push(await write(id));
    const old = await keyOf('tenant-key');
    const early = await post('key-requests', {
      action: { kind: 'destroy', keyId: old.keyId, version: 1 },
    });
    expect(early.body.code).toBe('KEYS_KEY_IN_USE');
    const rotated = await post(`keys/${old.keyId}/rotations`, {});
    expect(rotated.body).toMatchObject({ kind: 'tenant-key', fromVersion: 1, toVersion: 2 });
    await until('the end of the rotation', async () => {
      const { body } = await get(`key-rotations/${rotated.body.rotationId}`);
      return body.state === 'done';
    });
    const report = await get('key-report');
    expect(report.body.tenantKeys).toMatchObject([
      {
        version: 1,
        subjectKeysCount: 0,
        shredKeysCount: 0,
        collectionKeysCount: 0,
        secretsCount: 0,
        isDestroyable: true,
      },
      { version: 2, subjectKeysCount: 3, isDestroyable: false },
    ]);
    for (const [index, recordId] of records.entries()) {
      expect((await read(recordId)).body.fields.name).toBe(`Name of ${ids[index]}`);
    }
    const found = await test.call({
      method: 'POST',
      path: '/v1/collections/customers/searches',
      body: { where: { email: { eq: 'berta@post.example' } } },
      as: shop,
    });
    expect(found.body.items).toHaveLength(1);
    const destroyed = await approve({ kind: 'destroy', keyId: old.keyId, version: 1 });
    expect(destroyed.body.state).toBe('done');
    const kept = await test.database.asOwner(
      'SELECT version FROM keys.tenant_keys WHERE tenant_id = $1',
      [tenant.tenantId],
    );
    expect(kept).toEqual([{ version: '2' }]);
    expect((await read(records[0] ?? '')).status).toBe(200);
    await write('dora');
  });

  it('leaves no shred key of the old version in any replica', async () => {
    await write('anna');
    const old = await keyOf('tenant-key');
    const shredKeys = await test.database.asOwner(
      'SELECT shred_key_id FROM keys.shred_keys WHERE tenant_id = $1',
      [tenant.tenantId],
    );
    const rotated = await post(`keys/${old.keyId}/rotations`, {});
    await until(
      'the end of the rotation',
      async () => (await get(`key-rotations/${rotated.body.rotationId}`)).body.state === 'done',
    );
    for (const replica of ['a', 'b']) {
      const names = readdirSync(path.join(test.directory, 'erasable', replica), {
        recursive: true,
      }).map(String);
      for (const { shred_key_id: id } of shredKeys) {
        expect(
          names.filter((name) => name.includes(String(id)) && !/destroyed|tomb/.test(name)),
        ).toEqual([]);
      }
    }
  });

  it('is nobody’s but the security team’s, and of no key that is not there', async () => {
    const { keyId } = await keyOf('customer-key');
    expect((await post(`keys/${keyId}/rotations`, {}, shop)).status).toBe(403);
    expect((await post(`keys/${randomUUID()}/rotations`, {})).status).toBe(404);
    expect((await get(`key-rotations/${keyId}`)).status).toBe(404);
    expect((await get('key-report', shop)).status).toBe(403);
  });

  it('does not run twice at once', async () => {
    await write('anna');
    const tenantKey = await keyOf('tenant-key');
    await test.database.asOwner(
      `INSERT INTO keys.rotations (rotation_id, tenant_id, kind, state, from_version, to_version, started_at)
       VALUES ($1, $2, 'tenant-key', 'running', 1, 2, now())`,
      [randomUUID(), tenant.tenantId],
    );
    expect((await post(`keys/${tenantKey.keyId}/rotations`, {})).body.code).toBe(
      'KEYS_ROTATION_RUNNING',
    );
  });
});

describe('what two people must want', () => {
  const refused = 'KEYS_APPROVAL_REFUSED';

  it('ends a key for good: data is out of reach, and nothing enables it', async () => {
    const recordId = await write('anna');
    const { keyId } = await keyOf('customer-key');
    const asked = await post('key-requests', { action: { kind: 'end' } });
    const text = JSON.parse(asked.body.body);
    expect(text.consequence).toEqual({ subjects: 1, records: 1 });
    expect(text).toMatchObject({
      tenant: tenant.tenantId,
      cell: 'eu-de/main',
      requestedBy: alice.account,
    });
    await sign(asked.body, pens.alice, alice);
    expect((await read(recordId)).status).toBe(200);
    const done = await sign(asked.body, pens.bob, bob);
    expect(done.body).toMatchObject({ state: 'done', signedBy: ['alice', 'bob'] });
    expect((await read(recordId)).status).toBe(423);
    expect((await post(`keys/${keyId}/enablements`, {})).body.code).toBe('KEYS_KEY_FINAL');
    await test.database.asOwner(
      `UPDATE keys.customer_keys SET is_final = is_final WHERE tenant_id = $1`,
      [tenant.tenantId],
    );
    // Then it can be destroyed as well: at the provider, for ever.
    const destroyed = await approve({ kind: 'destroy', keyId, version: 1 });
    expect(destroyed.body.state).toBe('done');
    const files = readdirSync(path.join(test.directory, 'keys'));
    expect(files.filter((file) => file.startsWith(keyId))).toEqual([]);
    expect((await get('key-report')).body.customerKeys[0].destroyedAt).toBeDefined();
  });

  it('moves a key to another provider of the custody file; wraps change, data does not', async () => {
    const recordId = await write('anna');
    const elsewhere = path.join(test.directory, `elsewhere-${tenant.tenantId}`);
    mkdirSync(elsewhere, { mode: 0o700 });
    expect(
      (await post('key-requests', { action: { kind: 'move', provider: 'theirs' } })).body.code,
    ).toBe('KEYS_PROVIDER_MISCONFIGURED');
    pin({ providers: { theirs: { kind: 'file', directory: elsewhere, withPlaceKey: true } } });
    expect((await approve({ kind: 'move', provider: 'theirs' })).body.state).toBe('done');
    expect(await keyOf('customer-key')).toMatchObject({
      version: 2,
      provider: 'file+place',
      providerName: 'theirs',
    });
    expect(readdirSync(elsewhere)).toHaveLength(1);
    expect((await read(recordId)).body.fields.name).toBe('Name of anna');
  });

  it('does not move a key to less than the contract asks for, whoever signs', async () => {
    const elsewhere = path.join(test.directory, `less-${tenant.tenantId}`);
    mkdirSync(elsewhere, { mode: 0o700 });
    pin({ providers: { theirs: { kind: 'file', directory: elsewhere } } });
    const strict = {
      ...tenant,
      termsSerial: 2,
      terms: { terms: 1, version: 2, keyCustody: 'hold-your-own' },
    };
    await test.deliver({ tenants: [...tenants.filter((one) => one !== tenant), strict] });
    test.refresh();
    const asked = await post('key-requests', { action: { kind: 'move', provider: 'theirs' } });
    expect(asked.body.code, JSON.stringify(asked.body)).toBe('KEYS_PROVIDER_MISCONFIGURED');
    tenants.splice(tenants.indexOf(tenant), 1, strict);
  });

  it('lengthens a staleness; shortening one needs nobody else', async () => {
    expect((await keyOf('customer-key')).stalenessMs).toBe(60_000);
    expect((await post('staleness-changes', { stalenessMs: 5_000 })).status).toBe(200);
    expect((await keyOf('customer-key')).stalenessMs).toBe(5_000);
    expect((await post('staleness-changes', { stalenessMs: 30_000 })).body.code).toBe(refused);
    expect((await post('staleness-changes', { stalenessMs: 4_999 })).status).toBe(400);
    expect((await approve({ kind: 'staleness', stalenessMs: 30_000 })).body.state).toBe('done');
    expect((await keyOf('customer-key')).stalenessMs).toBe(30_000);
    expect(
      (await post('key-requests', { action: { kind: 'staleness', stalenessMs: 90_000 } })).body
        .code,
    ).toBe(refused);
  });

  it('reads and writes with a staleness of 0, asking for every use', async () => {
    expect((await post('staleness-changes', { stalenessMs: 0 })).status).toBe(200);
    const recordId = await write('anna');
    expect((await read(recordId)).body.fields.name).toBe('Name of anna');
    const { keyId } = await keyOf('customer-key');
    const disabled = await post(`keys/${keyId}/disablements`, {});
    expect(disabled.body.state).toBe('disabled');
    expect((await read(recordId)).status).toBe(423);
    await post(`keys/${keyId}/enablements`, {});
    expect((await read(recordId)).status).toBe(200);
  });

  it('is not wanted by one alone, whatever that one does', async () => {
    const asked = await post('key-requests', { action: { kind: 'end' } });
    // Who asked signs first; nobody in their place.
    expect((await sign(asked.body, pens.bob, bob)).body.code).toBe(refused);
    expect((await sign(asked.body, pens.alice, alice)).body.state).toBe('open');
    // Not twice, not with the same key by another account, not with another key by the same account.
    expect((await sign(asked.body, pens.alice, alice)).body.code).toBe(refused);
    expect((await sign(asked.body, pens.alice, bob)).body.code).toBe(refused);
    expect((await sign(asked.body, pens.bob, alice)).body.code).toBe(refused);
    // Not with a key that nobody pinned, nor the key that an account signs in with.
    expect((await sign(asked.body, pens.mallory, bob)).body.code).toBe(refused);
    expect((await sign(asked.body, bob.privateKey, bob)).body.code).toBe(refused);
    expect((await keyOf('customer-key')).state).toBe('enabled');
  });

  it('is not wanted in other words', async () => {
    const asked = await post('key-requests', { action: { kind: 'end' } });
    const path = `key-requests/${asked.body.keyRequestId}/signatures`;
    const text = JSON.parse(asked.body.body);
    for (const change of [
      { consequence: { subjects: 7, records: 7 } },
      { action: { kind: 'staleness', stalenessMs: 0 } },
      { cell: 'uk-lon/main' },
      { tenant: randomUUID() },
      { expiresAt: '2999-01-01T00:00:00.000Z' },
    ]) {
      const keys = Object.keys(text).sort();
      const changed = JSON.stringify({ ...text, ...change }, undefined, 0);
      expect(keys.length).toBeGreaterThan(5);
      const canonical = signCanonical(pens.alice, JSON.parse(changed));
      expect((await post(path, canonical)).body.code).toBe(refused);
    }
    const good = signKeyRequest(pens.alice, asked.body.body);
    const flipped = Buffer.from(good.signature, 'base64');
    flipped[0] = (flipped[0] ?? 0) ^ 1;
    expect((await post(path, { ...good, signature: flipped.toString('base64') })).body.code).toBe(
      refused,
    );
    expect((await post(path, good)).body.state).toBe('open');
  });

  it('is not wanted because a row says so', async () => {
    const asked = await post('key-requests', { action: { kind: 'end' } });
    const id = asked.body.keyRequestId;
    const forge = (state: string, signatures: unknown): Promise<unknown> =>
      test.database.asOwner(
        'UPDATE keys.requests SET state = $2, signatures = $3 WHERE request_id = $1',
        [id, state, JSON.stringify(signatures)],
      );
    const one = { ...signKeyRequest(pens.alice, asked.body.body), account: alice.account };
    const forged = {
      ...signKeyRequest(pens.mallory, asked.body.body),
      key: toStatementKey(pens.bob),
      account: bob.account,
    };
    for (const signatures of [
      [],
      [one],
      [one, one],
      [one, { ...one, account: bob.account }],
      [one, forged],
    ]) {
      await forge('approved', signatures);
      const tried = await sign(asked.body, pens.mallory, bob);
      expect(tried.body.code, JSON.stringify(tried.body)).toBe(refused);
    }
    // Two good signatures under another text of the same row.
    const two = { ...signKeyRequest(pens.bob, asked.body.body), account: bob.account };
    await forge('approved', [one, two]);
    await test.database.asOwner(
      `UPDATE keys.requests SET body = replace(body, '"kind":"end"', '"kind":"end" ') WHERE request_id = $1`,
      [id],
    );
    expect((await sign(asked.body, pens.mallory, bob)).body.code).toBe(refused);
    expect((await keyOf('customer-key')).state).toBe('enabled');
  });

  it('is wanted for a day, until it is taken back, and once', async () => {
    const asked = await post('key-requests', {
      action: { kind: 'staleness', stalenessMs: 60_000 },
    });
    await sign(asked.body, pens.alice, alice);
    await test.database.asOwner(
      `UPDATE keys.requests SET expires_at = now() WHERE request_id = $1`,
      [asked.body.keyRequestId],
    );
    expect((await sign(asked.body, pens.bob, bob)).body.code).toBe('KEYS_REQUEST_CLOSED');
    const second = await post('key-requests', {
      action: { kind: 'staleness', stalenessMs: 60_000 },
    });
    expect(
      (await post(`key-requests/${second.body.keyRequestId}/cancellations`, {}, bob)).body.state,
    ).toBe('cancelled');
    expect((await sign(second.body, pens.alice, alice)).body.code).toBe('KEYS_REQUEST_CLOSED');
    const third = await approve({ kind: 'staleness', stalenessMs: 60_000 });
    expect(third.body.state).toBe('done');
    expect((await sign(third.body, pens.bob, bob)).body.code).toBe('KEYS_REQUEST_CLOSED');
    expect(
      (await post(`key-requests/${third.body.keyRequestId}/cancellations`, {})).body.code,
    ).toBe('KEYS_REQUEST_CLOSED');
    const listed = await get('key-requests');
    expect(listed.body.items.map((item: { state: string }) => item.state)).toEqual([
      'done',
      'cancelled',
      'open',
    ]);
  });

  it('needs two pinned approvers, and approvers who are pinned still', async () => {
    const asked = await post('key-requests', { action: { kind: 'end' } });
    await sign(asked.body, pens.alice, alice);
    const custody = path.join(test.directory, 'custody', `${tenant.tenantId}.yaml`);
    writeFileSync(
      custody,
      stringify({ approvers: [{ name: 'bob', key: toStatementKey(pens.bob) }] }),
    );
    expect((await sign(asked.body, pens.bob, bob)).body.state).toBe('open');
    expect((await keyOf('customer-key')).state).toBe('enabled');
    expect((await post('key-requests', { action: { kind: 'end' } })).body.code).toBe(refused);
  });

  it('is on record with what was asked, by whom, and what came of it', async () => {
    await approve({ kind: 'staleness', stalenessMs: 60_000 });
    const { body } = await get('entries?pageSize=50');
    const steps = body.items
      .filter((item: { body: { kind: string } }) => item.body.kind === 'key')
      .map(
        (item: { body: { facts: { ask: string; step: string } } }) =>
          `${item.body.facts.ask}/${item.body.facts.step}`,
      );
    expect(steps).toEqual([
      'sign/done',
      'sign/asked',
      'sign/done',
      'sign/asked',
      'staleness/done',
      'staleness/asked',
    ]);
  });
});

/** Signs another text than was asked for. */
function signCanonical(key: KeyObject, value: object): { key: string; signature: string } {
  const sorted = (one: unknown): unknown =>
    typeof one === 'object' && one !== null
      ? Object.fromEntries(
          Object.entries(one)
            .sort(([a], [b]) => (a < b ? -1 : 1))
            .map(([k, v]) => [k, sorted(v)]),
        )
      : one;
  return signKeyRequest(key, JSON.stringify(sorted(value)));
}
