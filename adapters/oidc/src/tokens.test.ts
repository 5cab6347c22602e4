// SPDX-License-Identifier: Apache-2.0
// Goal: exactly the tokens that this cell issued, for this use and this time, are accepted. Method: one
// good token, and every field of header and claims changed in turn by somebody who has the right key.
import { generateKeyPairSync, type KeyObject, sign as signBytes } from 'node:crypto';
import { parseResidency, parseTenantId } from '@bailiwick/kernel';
import { createFakeClock, createSeededRandom, type FakeClock } from '@bailiwick/testkit';
import { SignJWT, UnsecuredJWT } from 'jose';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  type AccountClaims,
  createAccessTokenVerifier,
  createReplayGuard,
  createResidencyClaimVerifier,
  createTokenIssuer,
  createVerifiedCache,
  readClientId,
  signClientAssertion,
  type TokenKey,
  verifyClientAssertion,
} from './index.ts';

const ISSUER = 'eu-de.cells.bailiwick.localhost';
const OTHER = 'us-va.cells.bailiwick.localhost';
const TENANT = parseTenantId('01890a5d-ac96-774b-bcce-b302099a8057');
const ACCOUNT = '01890a5d-ac96-774b-bcce-b302099a8058';

const pair = generateKeyPairSync('ed25519');
const stranger = generateKeyPairSync('ed25519');
const keys: readonly TokenKey[] = [{ keyId: 'k1', publicKey: pair.publicKey }];
const random = createSeededRandom('oidc');
let clock: FakeClock;
beforeEach(() => {
  clock = createFakeClock();
});

const account: AccountClaims = {
  tenantId: TENANT,
  account: ACCOUNT,
  kind: 'workload',
  role: 'shop-service',
  employer: 'controller',
  assurance: 'high',
  place: 'de',
  purposes: ['order-fulfilment', 'analytics'],
  defaultPurpose: 'order-fulfilment',
};

interface Change {
  readonly header?: Readonly<Record<string, unknown>>;
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly key?: KeyObject;
}

/** Signs any header and claims by hand, as somebody with the cell's key could. */
async function sign(
  base: { readonly typ: string; readonly claims: Readonly<Record<string, unknown>> },
  change: Change,
): Promise<string> {
  const header = { alg: 'EdDSA', typ: base.typ, kid: 'k1', ...change.header };
  const encode = (value: unknown): string =>
    Buffer.from(JSON.stringify(value)).toString('base64url');
  const input = `${encode(header)}.${encode({ ...base.claims, ...change.claims })}`;
  const signature = signBytes(null, Buffer.from(input), change.key ?? pair.privateKey);
  return `${input}.${signature.toString('base64url')}`;
}

const nowSeconds = (): number => Math.floor(clock.nowMs() / 1000);
const goodAccess = () => ({
  typ: 'at+jwt',
  claims: {
    iss: ISSUER,
    aud: ISSUER,
    sub: ACCOUNT,
    jti: 'j1',
    iat: nowSeconds(),
    exp: nowSeconds() + 300,
    tenant: TENANT,
    kind: 'workload',
    role: 'shop-service',
    employer: 'controller',
    assurance: 'high',
    place: 'de',
    purposes: ['analytics'],
  },
});

const COMMON: readonly (readonly [string, Change])[] = [
  ['is signed by a stranger', { key: stranger.privateKey }],
  ['names an unknown key', { header: { kid: 'k2' } }],
  ['names no key', { header: { kid: undefined } }],
  ['has another type', { header: { typ: 'JWT' } }],
  ['has no type', { header: { typ: undefined } }],
  ['has an extension it calls critical', { header: { crit: ['x'], x: 1 } }],
  ['is from another issuer', { claims: { iss: OTHER } }],
  ['has no issuer', { claims: { iss: undefined } }],
  ['is for another audience', { claims: { aud: OTHER } }],
  ['has no audience', { claims: { aud: undefined } }],
  ['has no end', { claims: { exp: undefined } }],
  ['has no beginning', { claims: { iat: undefined } }],
  ['ends before it begins', { claims: { iat: 1_767_225_601, exp: 1_767_225_601 } }],
  ['lives for a day', { claims: { exp: 1_767_225_600 + 86_400 } }],
  ['begins in an hour', { claims: { iat: 1_767_225_600 + 3600, exp: 1_767_225_600 + 3700 } }],
  ['is not valid yet', { claims: { nbf: 1_767_225_600 + 3600 } }],
  ['has an end that is no number', { claims: { exp: '2030' } }],
  ['has no id', { claims: { jti: undefined } }],
];

describe('an access token', () => {
  const verifier = () => createAccessTokenVerifier(clock, { issuer: ISSUER, keys: () => keys });
  const issuer = () =>
    createTokenIssuer(
      { clock, random },
      { issuer: ISSUER, keyId: 'k1', privateKey: pair.privateKey },
    );

  it('gives the account back for as long as it lives', async () => {
    const { token, expiresAtMs } = await issuer().issueAccessToken(account, { validForMs: 60_000 });
    const access = verifier();
    expect(await access.verify(token)).toEqual({ account, expiresAtMs });
    clock.advance(59_000);
    expect((await access.verify(token)).account).toEqual(account);
  });

  it('ends on time, also when it is remembered', async () => {
    const { token } = await issuer().issueAccessToken(account, { validForMs: 60_000 });
    const access = verifier();
    await access.verify(token);
    clock.advance(60_000);
    await expect(access.verify(token)).rejects.toMatchObject({ code: 'OIDC_TOKEN_EXPIRED' });
    await expect(verifier().verify(token)).rejects.toMatchObject({ code: 'OIDC_TOKEN_EXPIRED' });
  });

  it('is accepted when hand-made rightly, so that the refusals below mean something', async () => {
    const token = await sign(goodAccess(), {});
    expect((await verifier().verify(token)).account.role).toBe('shop-service');
  });

  it('is refused once its key is withdrawn and the memory cleared', async () => {
    const { token } = await issuer().issueAccessToken(account, { validForMs: 60_000 });
    let current = keys;
    const access = createAccessTokenVerifier(clock, { issuer: ISSUER, keys: () => current });
    await access.verify(token);
    current = [];
    access.cache.clear();
    await expect(access.verify(token)).rejects.toMatchObject({ details: { reason: 'key' } });
  });

  const own: readonly (readonly [string, Change])[] = [
    ['is for two audiences', { claims: { aud: [ISSUER, OTHER] } }],
    ['has no subject', { claims: { sub: undefined } }],
    ['has a name for a subject', { claims: { sub: 'jane.doe@example.com' } }],
    ['has no tenant', { claims: { tenant: undefined } }],
    ['has a tenant that is no uuid', { claims: { tenant: 'acme' } }],
    ['has an unknown kind', { claims: { kind: 'robot' } }],
    ['has an unknown assurance', { claims: { assurance: 'very high' } }],
    ['has no role', { claims: { role: undefined } }],
    ['has a role that is no name', { claims: { role: 'Shop Service' } }],
    ['has no place', { claims: { place: undefined } }],
    ['has no employer', { claims: { employer: '' } }],
    ['has purposes that are a text', { claims: { purposes: 'analytics' } }],
    ['has a purpose that is a number', { claims: { purposes: [1] } }],
    ['has too many purposes', { claims: { purposes: Array(40).fill('analytics') } }],
    ['has a default that is not granted', { claims: { default_purpose: 'marketing' } }],
  ];
  it.each([...COMMON, ...own])('is refused when it %s', async (_, change) => {
    const token = await sign(goodAccess(), change);
    await expect(verifier().verify(token)).rejects.toMatchObject({
      code: expect.stringMatching(/^OIDC_TOKEN_(INVALID|EXPIRED)$/),
    });
  });

  it('is refused without a signature, with a shared secret, cut short, and when it is no token', async () => {
    const { claims } = goodAccess();
    const unsigned = new UnsecuredJWT(claims).encode();
    const secret = new Uint8Array(32);
    const shared = await new SignJWT(claims)
      .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt', kid: 'k1' })
      .sign(secret);
    const good = await sign(goodAccess(), {});
    const bad = [
      unsigned,
      shared,
      good.slice(0, -3),
      `${good}.x`,
      '',
      'x',
      'a.b.c',
      'x'.repeat(9000),
    ];
    for (const token of bad) {
      await expect(verifier().verify(token)).rejects.toMatchObject({ code: 'OIDC_TOKEN_INVALID' });
    }
  });

  it('says nothing of its content in a refusal', async () => {
    const token = await sign(goodAccess(), { claims: { sub: 'jane.doe@example.com' } });
    const error = await verifier()
      .verify(token)
      .catch((e: unknown) => e);
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain('jane');
  });
});

describe('a residency claim', () => {
  const verifier = () =>
    createResidencyClaimVerifier(clock, { keysOf: (iss) => (iss === ISSUER ? keys : []) });
  const good = () => ({
    typ: 'residency+jwt',
    claims: {
      iss: ISSUER,
      aud: 'bailiwick',
      jti: 'j1',
      iat: nowSeconds(),
      exp: nowSeconds() + 300,
      tenant: TENANT,
      residency: 'eu-de',
    },
  });

  it('says tenant and residency and names no subject', async () => {
    const issuer = createTokenIssuer(
      { clock, random },
      { issuer: ISSUER, keyId: 'k1', privateKey: pair.privateKey },
    );
    const home = { tenantId: TENANT, residency: parseResidency('eu-de') };
    const { token, expiresAtMs } = await issuer.issueResidencyClaim(home, { validForMs: 60_000 });
    expect(await verifier().verify(token)).toEqual({ issuer: ISSUER, ...home, expiresAtMs });
    expect(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).not.toContain('sub');
  });

  it.each([
    ...COMMON,
    ['has a subject', { claims: { sub: ACCOUNT } }],
    ['has no residency', { claims: { residency: undefined } }],
    ['has an impossible residency', { claims: { residency: 'Germany' } }],
    ['has no tenant', { claims: { tenant: undefined } }],
  ] as const)('is refused when it %s', async (_, change) => {
    await expect(verifier().verify(await sign(good(), change))).rejects.toMatchObject({
      code: expect.stringMatching(/^OIDC_TOKEN_(INVALID|EXPIRED)$/),
    });
  });

  it('is no access token, and an access token is no claim', async () => {
    const access = createAccessTokenVerifier(clock, { issuer: ISSUER, keys: () => keys });
    await expect(access.verify(await sign(good(), {}))).rejects.toMatchObject({
      code: 'OIDC_TOKEN_INVALID',
    });
    await expect(verifier().verify(await sign(goodAccess(), {}))).rejects.toMatchObject({
      code: 'OIDC_TOKEN_INVALID',
    });
  });
});

describe("a client's assertion", () => {
  const options = { clientId: ACCOUNT, audience: ISSUER };
  const make = () =>
    signClientAssertion(
      { clock, random },
      { ...options, keyId: 'k1', privateKey: pair.privateKey },
    );
  const good = () => ({
    typ: 'client-authentication+jwt',
    claims: {
      iss: ACCOUNT,
      sub: ACCOUNT,
      aud: ISSUER,
      jti: 'j1',
      iat: nowSeconds(),
      exp: nowSeconds() + 60,
    },
  });

  it('is good once', async () => {
    const ports = { clock, replays: createReplayGuard(clock) };
    const assertion = await make();
    expect(readClientId(assertion)).toBe(ACCOUNT);
    await verifyClientAssertion(ports, { ...options, assertion, keys });
    await expect(
      verifyClientAssertion(ports, { ...options, assertion, keys }),
    ).rejects.toMatchObject({ code: 'OIDC_ASSERTION_REPLAYED' });
  });

  it('of a forger does not use up the id of the real one', async () => {
    const ports = { clock, replays: createReplayGuard(clock) };
    const forged = await sign(good(), { key: stranger.privateKey });
    await expect(
      verifyClientAssertion(ports, { ...options, assertion: forged, keys }),
    ).rejects.toMatchObject({ details: { reason: 'signature' } });
    const real = await sign(good(), {});
    await verifyClientAssertion(ports, { ...options, assertion: real, keys });
  });

  it.each([
    ...COMMON.filter(([name]) => !name.includes('another issuer')),
    ['is from another account', { claims: { iss: TENANT } }],
    ['is about another account', { claims: { sub: TENANT } }],
    ['has an empty id', { claims: { jti: '' } }],
    ['has a long id', { claims: { jti: 'x'.repeat(200) } }],
    ['is for two audiences', { claims: { aud: [ISSUER, OTHER] } }],
  ] as const)('is refused when it %s', async (_, change) => {
    const ports = { clock, replays: createReplayGuard(clock) };
    const assertion = await sign(good(), change);
    await expect(
      verifyClientAssertion(ports, { ...options, assertion, keys }),
    ).rejects.toMatchObject({ code: expect.stringMatching(/^OIDC_TOKEN_(INVALID|EXPIRED)$/) });
  });

  it('is refused rather than forgotten when too many are alive', async () => {
    const replays = createReplayGuard(clock, { countMax: 2 });
    expect(await replays.claim('a', clock.nowMs() + 1000)).toBe(true);
    expect(await replays.claim('b', clock.nowMs() + 1000)).toBe(true);
    expect(() => replays.claim('c', clock.nowMs() + 1000)).toThrowError(
      expect.objectContaining({ code: 'OIDC_REPLAY_GUARD_FULL' }),
    );
    expect(await replays.claim('a', clock.nowMs() + 1000)).toBe(false);
    clock.advance(1001);
    expect(await replays.claim('c', clock.nowMs() + 1000)).toBe(true);
  });
});

describe('the memory of verified tokens', () => {
  it('holds no more than its bound and drops what was used longest ago', () => {
    const cache = createVerifiedCache<number>(clock, { countMax: 2 });
    const untilMs = clock.nowMs() + 1000;
    cache.remember('a', 1, untilMs);
    cache.remember('b', 2, untilMs);
    expect(cache.find('a')).toBe(1);
    cache.remember('c', 3, untilMs);
    expect([cache.find('a'), cache.find('b'), cache.find('c')]).toEqual([1, undefined, 3]);
    expect(cache.count).toBe(2);
  });

  it('forgets at the very instant that the token ends, and remembers nothing that is over', () => {
    const cache = createVerifiedCache<number>(clock);
    cache.remember('a', 1, clock.nowMs() + 10);
    clock.advance(10);
    expect(cache.find('a')).toBeUndefined();
    cache.remember('b', 1, clock.nowMs());
    expect(cache.count).toBe(0);
  });
});
