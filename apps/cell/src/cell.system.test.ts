// SPDX-License-Identifier: Apache-2.0
// Goal: what a cell refuses at its doors, with the exact code, before it is asked to do anything else.
// Method: a whole cell in this process over real PostgreSQL; another cell's and a forger's keys.
import { parseResidency } from '@bailiwick/kernel';
import { toDsseSigner } from '@bailiwick/keys';
import { createTokenIssuer } from '@bailiwick/oidc';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newTenant, startTestCell, type TestAccount, type TestCell } from './testing/test-cell.ts';

const home = newTenant({ 'eu-de': 'eu-de/main', 'us-va': 'us-va/main' });
const other = newTenant();
let test: TestCell;
let shop: TestAccount;
let stranger: TestAccount;

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
    regimes: ['gdpr'],
    origin: 'de',
    residency: 'eu-de',
  },
  form: 'plain',
  to: { kind: 'reader', location: 'de', operator: 'de' },
  purpose: 'order-fulfilment',
};
const TO_AMERICA = {
  ...FLOW,
  action: 'transfer',
  to: { kind: 'cell', id: 'us-va/main', location: 'us-va', operator: 'us' },
  purpose: 'analytics',
};

beforeAll(async () => {
  test = await startTestCell({ tenants: [home, other] });
  shop = await test.addAccount(home.tenantId);
  stranger = await test.addAccount(other.tenantId);
});
afterAll(() => test?.stop());

async function entriesOf(kind: string): Promise<readonly Record<string, unknown>[]> {
  const rows = await test.database.asOwner<{ body: string }>('SELECT body FROM ledger.entries');
  return rows.map(({ body }) => JSON.parse(body)).filter((body) => body.kind === kind);
}

describe('decisions', () => {
  it('decides a batch in order, with reasons, and enters each decision', async () => {
    const before = (await entriesOf('decision')).length;
    const { status, body } = await test.call({
      method: 'POST',
      path: '/v1/decisions',
      as: shop,
      body: { flows: [FLOW, TO_AMERICA] },
    });
    expect(status).toBe(200);
    expect(body.items.map(({ outcome }: { outcome: string }) => outcome)).toEqual([
      'allow',
      'deny',
    ]);
    expect(body.items[1].rules).toContain('no-profiles-to-america');
    expect(body.items[1].nearest.length).toBeGreaterThan(0);
    expect((await entriesOf('decision')).length).toBe(before + 2);
  });

  it('answers OpenID AuthZEN evaluations from the same decisions', async () => {
    const { actor, action, data, ...rest } = FLOW;
    const { kind, ...subject } = actor;
    const evaluation = {
      subject: { type: kind, id: 'x', properties: subject },
      resource: { type: 'record', id: 'y', properties: data },
      action: { name: action, properties: rest },
    };
    const { body } = await test.call({
      method: 'POST',
      path: '/access/v1/evaluations',
      as: shop,
      body: {
        evaluations: [
          evaluation,
          { ...evaluation, action: { name: 'export', properties: rest } },
          {},
        ],
        options: { evaluations_semantic: 'execute_all' },
      },
    });
    expect(body.evaluations.map(({ decision }: { decision: boolean }) => decision)).toEqual([
      true,
      false,
      false,
    ]);
  });

  it('refuses a flow with a field that no flow has, and names the place', async () => {
    const { status, body } = await test.call({
      method: 'POST',
      path: '/v1/decisions',
      as: shop,
      body: { flows: [{ ...FLOW, colour: 'erika@example.org' }] },
    });
    expect(status).toBe(400);
    expect(body.code).toBe('CELL_INPUT_INVALID');
    expect(body.errors[0].pointer).toContain('/flows/0');
    expect(JSON.stringify(body)).not.toContain('erika');
  });
});

describe('who asks', () => {
  const ask = (headers: Record<string, string>) =>
    test.call({ method: 'POST', path: '/v1/decisions', body: { flows: [FLOW] }, headers });

  it('refuses a request without a token, and with one that is none', async () => {
    expect((await ask({})).body.code).toBe('CELL_CREDENTIAL_MISSING');
    expect((await ask({ authorization: 'Basic QQ==' })).body.code).toBe('CELL_CREDENTIAL_MISSING');
    const answer = await ask({ authorization: 'Bearer abc.def.ghi' });
    expect(answer).toMatchObject({ status: 401, body: { code: 'CELL_CREDENTIAL_INVALID' } });
    expect(answer.headers['www-authenticate']).toBe('Bearer');
  });

  const issuerOf = (options: { key?: 'own' | 'forged'; issuer?: string; stepMs?: number }) => {
    const { secrets, clock, random } = test.cell.runtime;
    const forged = toDsseSigner(test.approvers[0]?.privateKey ?? secrets.signingKey);
    return createTokenIssuer(
      { clock: { ...clock, nowMs: () => clock.nowMs() + (options.stepMs ?? 0) }, random },
      {
        issuer: options.issuer ?? test.name,
        keyId: secrets.keyId,
        privateKey: options.key === 'forged' ? forged.privateKey : secrets.signingKey,
      },
    );
  };

  it('refuses a token of a forged key, of another issuer, and one that has run out', async () => {
    const claims = { ...shop, publicKeys: undefined, privateKey: undefined };
    const tokenOf = async (options: Parameters<typeof issuerOf>[0]) =>
      (await issuerOf(options).issueAccessToken(claims, { validForMs: 60_000 })).token;
    const claim = await test.claimOf(shop);
    const headersOf = async (options: Parameters<typeof issuerOf>[0]) => ({
      authorization: `Bearer ${await tokenOf(options)}`,
      'bailiwick-residency': claim,
    });
    expect((await ask(await headersOf({}))).status).toBe(200);
    expect((await ask(await headersOf({ key: 'forged' }))).body.code).toBe(
      'CELL_CREDENTIAL_INVALID',
    );
    const foreign = await ask(await headersOf({ issuer: 'us-va.cells.bailiwick.localhost' }));
    expect(foreign.body.code).toBe('CELL_CREDENTIAL_INVALID');
    const expired = await ask(await headersOf({ stepMs: -3_600_000 }));
    expect(expired).toMatchObject({ status: 401, body: { code: 'CELL_CREDENTIAL_EXPIRED' } });
  });

  it('refuses a missing, a forged and another tenant’s residency claim', async () => {
    const authorization = `Bearer ${await test.tokenOf(shop)}`;
    expect((await ask({ authorization })).body.code).toBe('RESIDENCY_CLAIM_MISSING');
    const theirs = await ask({
      authorization,
      'bailiwick-residency': await test.claimOf(stranger),
    });
    expect(theirs).toMatchObject({ status: 403, body: { code: 'RESIDENCY_CLAIM_INVALID' } });
    const { token } = await issuerOf({ key: 'forged' }).issueResidencyClaim(
      { tenantId: home.tenantId, residency: parseResidency('eu-de') },
      { validForMs: 60_000 },
    );
    const forged = await ask({ authorization, 'bailiwick-residency': token });
    expect(forged).toMatchObject({ status: 403, body: { code: 'RESIDENCY_CLAIM_INVALID' } });
  });

  it('tells an unknown residency (400), a forbidden one (403) and a home elsewhere (421)', async () => {
    const authorization = `Bearer ${await test.tokenOf(shop)}`;
    const claimFor = async (residency: string) =>
      (
        await issuerOf({}).issueResidencyClaim(
          { tenantId: home.tenantId, residency: parseResidency(residency) },
          { validForMs: 60_000 },
        )
      ).token;
    const misdirectedBefore = (await entriesOf('misdirected')).length;
    const askFor = async (residency: string) =>
      ask({ authorization, 'bailiwick-residency': await claimFor(residency) });
    expect(await askFor('cn-bj')).toMatchObject({
      status: 400,
      body: { code: 'RESIDENCY_UNSUPPORTED' },
    });
    expect(await askFor('uk-lon')).toMatchObject({
      status: 403,
      body: { code: 'RESIDENCY_FORBIDDEN' },
    });
    const elsewhere = await askFor('us-va');
    expect(elsewhere).toMatchObject({
      status: 421,
      body: {
        code: 'CELL_MISDIRECTED',
        home: { cell: 'us-va/main', name: 'us-va.cells.bailiwick.localhost' },
      },
    });
    expect((await entriesOf('misdirected')).length).toBe(misdirectedBefore + 1);
  });

  it('refuses another authority than its own name', async () => {
    const answer = await test.call({
      path: '/v1/health',
      headers: { host: 'bailiwick.localhost' },
    });
    expect(answer).toMatchObject({ status: 421, body: { code: 'CELL_AUTHORITY_MISMATCH' } });
  });
});
