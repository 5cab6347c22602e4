// SPDX-License-Identifier: Apache-2.0
// Goal: a request reaches the data of a place only with a claim for that place, at that place, under the
// name of that place, for a purpose that was granted. Method: real requests to real cells, over TLS.
import { createPrivateKey, createPublicKey, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { aCustomer, CUSTOMERS } from '../system/collections.ts';
import {
  type Answer,
  askClaim,
  askToken,
  type Caller,
  openCaller,
  readJwt,
  send,
  signAssertion,
  signJwt,
} from '../system/http.ts';
import { type SharedSystem, useSystem } from '../system/shared.ts';
import { createTenant, type OwnTenant, SHOP_ACCOUNTS } from '../system/tenant.ts';

let system: SharedSystem;
/** Has homes in two of the four places. */
let tenant: OwnTenant;
let shop: Caller;
let privacy: Caller;
let recordId: string;

const SEARCH = '/v1/collections/customers/searches';
const accounts = {
  ...SHOP_ACCOUNTS,
  aimless: { role: 'shop-service', purposes: ['order-fulfilment'], defaultPurpose: null },
} as const;

beforeAll(async () => {
  system = await useSystem();
  tenant = await createTenant(system, { residencies: ['eu-de', 'uk-lon'], accounts });
  shop = await tenant.as('shop', 'eu-de');
  privacy = await tenant.as('privacy', 'eu-de');
  const admin = await tenant.as('admin', 'eu-de');
  const put = await admin.call('PUT', '/v1/collections/customers', CUSTOMERS);
  expect(put.status, put.text).toBeLessThan(300);
  const made = await shop.call('POST', '/v1/collections/customers/records', aCustomer('first'));
  expect(made.status, made.text).toBe(201);
  recordId = made.body.recordId;
});

const search = (caller: Caller, headers: Record<string, string> = {}): Promise<Answer> =>
  caller.call('POST', SEARCH, { pageSize: 5 }, headers);

/** Codes and kinds of the tenant's newest entries, as its privacy officer reads them. */
async function listEntered(): Promise<readonly { kind: string; code?: string }[]> {
  const answer = await privacy.call('GET', '/v1/entries?pageSize=50');
  expect(answer.status, answer.text).toBe(200);
  return answer.body.items.map(
    ({ body }: { body: { kind: string; facts?: { code?: string } } }) => ({
      kind: body.kind,
      code: body.facts?.code,
    }),
  );
}

function expectRefusal(answer: Answer, status: number, code: string): void {
  expect({ status: answer.status, code: answer.body.code }).toEqual({ status, code });
  expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
  expect(answer.body).toMatchObject({ type: `urn:bailiwick:error:${code}`, status });
  expect(answer.text).not.toContain('Wilhelmina');
}

describe('with everything in order', () => {
  it('answers, so that what follows is refused for its own reason', async () => {
    const answer = await search(shop);
    expect(answer.status, answer.text).toBe(200);
    expect(answer.body.items[0].fields.name).toContain('Wilhelmina');
  });
});

describe('the residency claim', () => {
  it('is not issued for a place that the charter does not know: 400', async () => {
    const answer = await askClaim(system, 'eu-de', { token: shop.token, of: 'fr-par' });
    expectRefusal(answer, 400, 'RESIDENCY_UNSUPPORTED');
  });

  it('is not issued for a place that the contract does not name: 403', async () => {
    const answer = await askClaim(system, 'eu-de', { token: shop.token, of: 'us-va' });
    expectRefusal(answer, 403, 'RESIDENCY_FORBIDDEN');
  });

  it('is needed: 400 without one', async () => {
    expectRefusal(
      await search(shop, { 'bailiwick-residency': '' }),
      400,
      'RESIDENCY_CLAIM_MISSING',
    );
  });

  it('leads to 421 and an entry at a cell that is not home of the place it names', async () => {
    const answer = await askClaim(system, 'eu-de', { token: shop.token, of: 'uk-lon' });
    expect(answer.status, answer.text).toBe(200);
    const before = (await listEntered()).filter(({ kind }) => kind === 'misdirected').length;
    const refused = await search(shop, { 'bailiwick-residency': answer.body.access_token });
    expectRefusal(refused, 421, 'CELL_MISDIRECTED');
    expect(refused.body.home).toMatchObject({ cell: 'uk-lon/main' });
    const after = (await listEntered()).filter(({ kind }) => kind === 'misdirected');
    expect(after.length).toBe(before + 1);
    expect(after[0]?.code).toBe('CELL_MISDIRECTED');
  });

  it('of another tenant is refused and entered', async () => {
    const other = await openCaller(system, 'eu-de', system.account('bookshop/shop-service'));
    expectRefusal(
      await search(shop, { 'bailiwick-residency': other.claim }),
      403,
      'RESIDENCY_CLAIM_INVALID',
    );
    expect((await listEntered())[0]).toEqual({ kind: 'refusal', code: 'RESIDENCY_CLAIM_INVALID' });
  });

  it.each([
    ['an access token', () => shop.token],
    ['noise', () => 'no-claim-at-all'],
    ['a claim with its last character changed', () => change(shop.claim, -1)],
    ['a claim with its place changed', () => retarget(shop.claim, { residency: 'uk-lon' })],
    ['a claim without a signature', () => `${shop.claim.split('.').slice(0, 2).join('.')}.`],
  ])('is refused when it is %s', async (_what, make) => {
    expectRefusal(
      await search(shop, { 'bailiwick-residency': make() }),
      403,
      'RESIDENCY_CLAIM_INVALID',
    );
  });

  it('does not stand in for an access token', async () => {
    const answer = await search(shop, { authorization: `Bearer ${shop.claim}` });
    expectRefusal(answer, 401, 'CELL_CREDENTIAL_INVALID');
  });

  it('names no account and no person', () => {
    const { claims } = readJwt(shop.claim);
    expect(Object.keys(claims).sort()).toEqual([
      'aud',
      'exp',
      'iat',
      'iss',
      'jti',
      'residency',
      'tenant',
    ]);
  });
});

/** A character of a token replaced by another of its alphabet whose bits differ where they count. */
function change(token: string, at: number): string {
  const index = token.length + at - 1;
  const other = token[index] === 'A' ? 'Q' : 'A';
  return token.slice(0, index) + other + token.slice(index + 1);
}

/** The same signature under other claims. */
function retarget(token: string, claims: object): string {
  const [header = '', body = '', signature = ''] = token.split('.');
  const now = JSON.parse(Buffer.from(body, 'base64url').toString());
  const changed = Buffer.from(JSON.stringify({ ...now, ...claims })).toString('base64url');
  return [header, changed, signature].join('.');
}

describe('the access token', () => {
  it('is needed: 401 without one', async () => {
    const answer = await search(shop, { authorization: '' });
    expectRefusal(answer, 401, 'CELL_CREDENTIAL_MISSING');
    expect(answer.headers['www-authenticate']).toBe('Bearer');
  });

  it('is refused once it has expired, though the cell itself signed it', async () => {
    const file = path.join(system.state, 'cells/eu-de/secrets/signing-key.pem');
    const cellKey = readFileSync(file, 'utf8');
    const { header, claims } = readJwt(shop.token);
    const resign = (change: object): string =>
      signJwt(cellKey, { header, claims: { ...claims, ...change } });
    const now = Math.floor(Date.now() / 1000);
    // The key is the one that counts: a token as the cell would sign it passes.
    const good = await search(shop, { authorization: `Bearer ${resign({ jti: randomUUID() })}` });
    expect(good.status, good.text).toBe(200);
    const late = resign({ jti: randomUUID(), iat: now - 700, nbf: now - 700, exp: now - 400 });
    expectRefusal(
      await search(shop, { authorization: `Bearer ${late}` }),
      401,
      'CELL_CREDENTIAL_EXPIRED',
    );
  });

  it.each([
    ['its tenant', { tenant: randomUUID() }],
    ['its role', { role: 'privacy-officer' }],
    ['its purposes', { purposes: ['analytics'] }],
    ['its end', { exp: Math.floor(Date.now() / 1000) + 86_400 }],
  ])('is refused with %s changed', async (_what, claims) => {
    const forged = retarget(shop.token, claims);
    const answer = await search(shop, { authorization: `Bearer ${forged}` });
    expectRefusal(answer, 401, 'CELL_CREDENTIAL_INVALID');
  });

  it('is refused without a signature, whatever its header says', async () => {
    const { header, claims } = readJwt(shop.token);
    const encode = (value: object): string =>
      Buffer.from(JSON.stringify(value)).toString('base64url');
    for (const alg of ['none', 'None', 'HS256']) {
      const forged = `${encode({ ...header, alg })}.${encode(claims)}.`;
      const answer = await search(shop, { authorization: `Bearer ${forged}` });
      expect(answer.status, alg).toBe(401);
    }
  });

  it('of one cell is none at another', async () => {
    const london = await tenant.as('shop', 'uk-lon');
    const answer = await search(london, { authorization: `Bearer ${shop.token}` });
    expectRefusal(answer, 401, 'CELL_CREDENTIAL_INVALID');
  });

  it('is not given for an assertion that was used before', async () => {
    const account = tenant.accounts['shop'];
    if (account === undefined) throw new Error('no account');
    const form = {
      grant_type: 'client_credentials',
      tenant: tenant.tenantId,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: signAssertion(account, system.cell('eu-de')),
    };
    expect((await askToken(system, 'eu-de', form)).status).toBe(200);
    expectRefusal(await askToken(system, 'eu-de', form), 401, 'OIDC_ASSERTION_REPLAYED');
  });

  it('is not given to the key of another account', async () => {
    const [own, other] = [tenant.accounts['shop'], tenant.accounts['admin']];
    if (own === undefined || other === undefined) throw new Error('no account');
    const answer = await askToken(system, 'eu-de', {
      grant_type: 'client_credentials',
      tenant: tenant.tenantId,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: signAssertion({ ...own, key: other.key }, system.cell('eu-de')),
    });
    expect(answer.status, answer.text).toBe(401);
  });
});

describe('the purpose', () => {
  it('must be stated where the account has none of its own', async () => {
    const aimless = await tenant.as('aimless', 'eu-de');
    expectRefusal(await search(aimless), 403, 'CELL_PURPOSE_MISSING');
    expect((await listEntered())[0]).toEqual({ kind: 'refusal', code: 'CELL_PURPOSE_MISSING' });
    const answer = await search(aimless, { 'bailiwick-purpose': 'order-fulfilment' });
    expect(answer.status, answer.text).toBe(200);
  });

  it.each(['marketing', 'analytics', 'no-such-purpose', 'ORDER-FULFILMENT'])(
    'must be granted: `%s` is not',
    async (purpose) => {
      const answer = await search(shop, { 'bailiwick-purpose': purpose });
      expectRefusal(answer, 403, 'CELL_PURPOSE_FORBIDDEN');
      expect((await listEntered())[0]?.code).toBe('CELL_PURPOSE_FORBIDDEN');
    },
  );

  it('must be granted on every route that gives a record', async () => {
    const headers = { 'bailiwick-purpose': 'marketing' };
    const one = await shop.call(
      'GET',
      `/v1/collections/customers/records/${recordId}`,
      undefined,
      headers,
    );
    expectRefusal(one, 403, 'CELL_PURPOSE_FORBIDDEN');
    const count = await shop.call('POST', '/v1/collections/customers/counts', {}, headers);
    expectRefusal(count, 403, 'CELL_PURPOSE_FORBIDDEN');
  });
});

describe('the name', () => {
  const ask = (serverName: string | undefined, host: string): Promise<Answer> => {
    const { port } = system.cell('eu-de');
    return send({
      ca: system.ca,
      port,
      serverName,
      method: 'POST',
      path: SEARCH,
      headers: { ...shop.headers, host },
      body: { pageSize: 1 },
      checkServerIdentity: () => undefined,
    });
  };

  it('in the request must be the one that TLS was opened for: 421', async () => {
    const { name } = system.cell('eu-de');
    for (const host of [
      'uk-lon.cells.bailiwick.localhost',
      'localhost',
      `${name}.evil.example`,
      '',
    ]) {
      expectRefusal(await ask(name, host), 421, 'CELL_AUTHORITY_MISMATCH');
    }
  });

  it('that TLS was opened for must be the cell’s own', async () => {
    const { name, port } = system.cell('eu-de');
    expectRefusal(
      await ask('uk-lon.cells.bailiwick.localhost', `${name}:${port}`),
      421,
      'CELL_AUTHORITY_MISMATCH',
    );
  });

  it('may carry the port and be in capitals', async () => {
    const { name, port } = system.cell('eu-de');
    expect((await ask(name, `${name.toUpperCase()}:${port}`)).status).toBe(200);
  });

  it('is shown by a certificate of the cell’s own key', () => {
    const keyOf = (residency: string): string => {
      const file = path.join(system.state, `cells/${residency}/identity/public.key`);
      return createPublicKey(createPrivateKey(readFileSync(file))).export({
        type: 'spki',
        format: 'pem',
      }) as string;
    };
    expect(new Set(['eu-de', 'uk-lon', 'us-va', 'au-syd'].map(keyOf)).size).toBe(4);
  });
});
