// SPDX-License-Identifier: Apache-2.0
// Goal: only operators set up who may ask; names must be the charter's; people sign in at their own
// tenant's identity provider and nowhere else, and nothing of their name stays. Method: the internal
// listener over real mTLS with identities of every kind, and a provider on loopback with keys of its own.
import { generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import path from 'node:path';
import type { Account } from '@bailiwick/contracts';
import { toPublicKeyText } from '@bailiwick/keys';
import { createMtlsConnector, openAuthority } from '@bailiwick/pki';
import { Pool } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newTenant, startTestCell, type TestCell } from '../testing/test-cell.ts';
import { TRUST_DOMAIN } from '../testing/test-config.ts';

const AUDIENCE = 'bailiwick';
const SUBJECT = 'erika.mustermann@example.org';
const provider = generateKeyPairSync('ed25519');
const tenant = newTenant();
const other = newTenant();
let issuer: Server;
let issuerUrl: string;
let test: TestCell;
let internalPort: number;
const pools: Pool[] = [];

beforeAll(async () => {
  issuer = createServer((request, response) => {
    response.setHeader('content-type', 'application/json');
    const jwk = {
      ...provider.publicKey.export({ format: 'jwk' }),
      kid: 'one',
      alg: 'EdDSA',
      use: 'sig',
    };
    const isKeys = request.url === '/keys';
    response.end(
      JSON.stringify(
        isKeys ? { keys: [jwk] } : { issuer: issuerUrl, jwks_uri: `${issuerUrl}/keys` },
      ),
    );
  });
  await new Promise<void>((resolve) => issuer.listen(0, '127.0.0.1', resolve));
  const address = issuer.address();
  issuerUrl = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  const terms = { terms: 1, version: 1, identity: { issuer: issuerUrl, audience: AUDIENCE } };
  test = await startTestCell({ tenants: [{ ...tenant, terms }, other] });
  internalPort = (await test.cell.listen()).internalPort;
});
afterAll(async () => {
  await Promise.all(pools.map((pool) => pool.destroy()));
  await test?.stop();
  issuer?.close();
});

async function as(suffix: string): Promise<Pool> {
  const authority = await openAuthority(path.join(test.directory, 'ca'));
  const at = (file: string): string =>
    path.join(test.directory, `${suffix.replaceAll('/', '-')}.${file}`);
  const files = {
    certFile: at('pem'),
    keyFile: at('key'),
    bundleFile: path.join(test.directory, 'bundle.pem'),
  };
  await authority.issueIdentity(files, { spiffeId: `spiffe://${TRUST_DOMAIN}/${suffix}` });
  const expected = `spiffe://${TRUST_DOMAIN}/cell/eu-de/main`;
  const pool = new Pool(`https://127.0.0.1:${internalPort}`, {
    connect: createMtlsConnector(files, { expect: expected }),
  });
  pools.push(pool);
  return pool;
}

async function put(pool: Pool, what: string, body: unknown, tenantId: string = tenant.tenantId) {
  const answer = await pool.request({
    method: 'PUT',
    path: `/internal/v1/tenants/${tenantId}/${what}`,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const json = (await answer.body.json()) as {
    readonly code?: string;
    readonly errors?: readonly { pointer: string }[];
  };
  return { status: answer.statusCode, body: json };
}

const newAccount = (change: Partial<Account> = {}): Account => ({
  account: randomUUID(),
  kind: 'workload',
  role: 'shop-service',
  employer: 'controller',
  assurance: 'high',
  place: 'de',
  purposes: ['order-fulfilment'],
  publicKeys: [toPublicKeyText(generateKeyPairSync('ed25519').publicKey)],
  ...change,
});

describe('accounts', () => {
  it('are set up by an operator, each with an entry', async () => {
    const account = newAccount();
    expect((await put(await as('operator/ann'), 'accounts', { accounts: [account] })).status).toBe(
      200,
    );
    const rows = await test.database.asOwner<{ body: string }>('SELECT body FROM ledger.entries');
    const entry = rows.map(({ body }) => JSON.parse(body)).find(({ kind }) => kind === 'account');
    expect(entry).toMatchObject({
      tenant: tenant.tenantId,
      facts: { account: account.account, operator: 'ann', role: 'shop-service' },
    });
  });

  it.each(['cell/us-va/main', 'control'])('are not set up by `%s`', async (suffix) => {
    const answer = await put(await as(suffix), 'accounts', { accounts: [newAccount()] });
    expect(answer).toMatchObject({ status: 403, body: { code: 'PEER_FORBIDDEN' } });
  });

  it.each(['router', 'key-service/eu-de/main', 'somebody'])(
    'cannot even be asked for by `%s`',
    async (suffix) => {
      await expect(
        put(await as(suffix), 'accounts', { accounts: [newAccount()] }),
      ).rejects.toThrow();
    },
  );

  it.each([
    ['a role that the charter does not have', { role: 'wizard' }, '/accounts/0/role'],
    ['an employer that it does not have', { employer: 'nobody' }, '/accounts/0/employer'],
    ['a place that the atlas does not have', { place: 'atlantis' }, '/accounts/0/place'],
    ['a purpose that it does not have', { purposes: ['curiosity'] }, '/accounts/0/purposes'],
    [
      'a default that is not granted',
      { defaultPurpose: 'marketing' },
      '/accounts/0/defaultPurpose',
    ],
    ['an id that is a name', { account: 'erika' }, '/accounts/0/account'],
    ['a key of another kind', { publicKeys: ['AAAA'] }, '/accounts/0/publicKeys/0'],
  ])('are refused with %s', async (_what, change, pointer) => {
    const answer = await put(await as('operator/ann'), 'accounts', {
      accounts: [newAccount(change)],
    });
    expect(answer).toMatchObject({ status: 400, body: { code: 'CELL_INPUT_INVALID' } });
    expect(answer.body.errors?.map((one) => one.pointer)).toContain(pointer);
  });

  it('are refused for a tenant that no bundle has brought', async () => {
    const answer = await put(
      await as('operator/ann'),
      'accounts',
      { accounts: [newAccount()] },
      randomUUID(),
    );
    expect(answer).toMatchObject({ status: 404, body: { code: 'CELL_NOT_FOUND' } });
  });
});

describe('people', () => {
  const SIGN_IN = {
    algorithms: ['EdDSA'],
    place: 'de',
    groupClaim: 'groups',
    grants: {
      support: {
        role: 'support-agent',
        employer: 'controller',
        purposes: ['customer-support'],
        defaultPurpose: 'customer-support',
      },
    },
    assurances: { mfa: 'high' },
  };
  const toToken = (change: object = {}, key = provider.privateKey): string => {
    const now = Math.floor(Date.now() / 1000);
    const encode = (value: unknown): string =>
      Buffer.from(JSON.stringify(value)).toString('base64url');
    const claims = {
      iss: issuerUrl,
      aud: AUDIENCE,
      sub: SUBJECT,
      iat: now,
      exp: now + 300,
      groups: ['support'],
      acr: 'mfa',
      ...change,
    };
    const signed = `${encode({ alg: 'EdDSA', typ: 'at+jwt', kid: 'one' })}.${encode(claims)}`;
    return `${signed}.${sign(null, Buffer.from(signed), key).toString('base64url')}`;
  };
  const ask = async (token: string, claimOf = tenant.tenantId) => {
    const account = await test.addAccount(claimOf);
    return test.call({
      method: 'POST',
      path: '/v1/entries',
      body: { entries: [{ facts: { seen: 1 } }] },
      headers: {
        authorization: `Bearer ${token}`,
        'bailiwick-residency': await test.claimOf(account),
      },
    });
  };

  it('are nobody before an operator says what their groups mean', async () => {
    expect(await ask(toToken())).toMatchObject({
      status: 401,
      body: { code: 'CELL_CREDENTIAL_INVALID' },
    });
  });

  it('sign in at their tenant’s provider, and leave an opaque id and nothing of their name', async () => {
    expect((await put(await as('operator/ann'), 'sign-in', SIGN_IN)).status).toBe(200);
    await expect.poll(async () => (await ask(toToken())).status).toBe(200);
    const rows = await test.database.asOwner<{ body: string }>(
      `SELECT body FROM ledger.entries WHERE body LIKE '%"observation"%'`,
    );
    const actors = rows.map(({ body }) => JSON.parse(body).actor);
    expect(actors.at(-1)).toMatchObject({
      kind: 'person',
      role: 'support-agent',
      assurance: 'high',
      place: 'de',
    });
    expect(actors.at(-1).account).toMatch(/^[0-9a-f-]{36}$/);
    const everything = await test.database.asOwner<{ all: string }>(
      `SELECT string_agg(body, '') AS all FROM ledger.entries`,
    );
    expect(everything[0]?.all).not.toContain('erika');
  });

  it.each([
    [
      'signed by another provider',
      () => toToken({}, generateKeyPairSync('ed25519').privateKey),
      401,
    ],
    ['of another issuer', () => toToken({ iss: 'https://login.example.org' }), 401],
    ['for another audience', () => toToken({ aud: 'other' }), 401],
    ['that has run out', () => toToken({ iat: 1_700_000_000, exp: 1_700_000_300 }), 401],
    ['without a group that means anything', () => toToken({ groups: ['kitchen'] }), 403],
  ])('are refused with a token %s', async (_what, make, status) => {
    expect((await ask(make())).status).toBe(status);
  });

  it('are nobody at another tenant', async () => {
    expect(await ask(toToken(), other.tenantId)).toMatchObject({ status: 401 });
  });
});
