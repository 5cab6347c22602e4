// SPDX-License-Identifier: Apache-2.0
// Goal: people of a tenant sign in with tokens of their own OpenID provider, and with nothing else.
// Method: the real npm `oidc-provider` issues RFC 9068 access tokens over real HTTP; the cell's verifier
// gets the same tokens under terms that are right and under terms that are wrong in one place.
import { generateKeyPairSync } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseTenantId } from '@bailiwick/kernel';
import { createOidcVerifier, type OidcIssuerTerms, type OidcPorts } from '@bailiwick/oidc';
import { createFakeClock } from '@bailiwick/testkit';
import { exportJWK, SignJWT } from 'jose';
import { Provider } from 'oidc-provider';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const TENANT = parseTenantId('01890a5d-ac96-774b-bcce-b302099a8057');
const AUDIENCE = 'https://eu-de.cells.bailiwick.localhost';
const ACCOUNT = '01890a5d-ac96-874b-8cce-b302099a8059';

let server: Server;
let issuer: string;
let requests: string[];
let calls: (readonly [string, string])[];
const clock = () => ({ nowMs: () => Date.now(), monotonicMs: () => performance.now() });
const signing = generateKeyPairSync('rsa', { modulusLength: 2048 });

function ports(change: Partial<OidcPorts> = {}): OidcPorts {
  return {
    clock: clock(),
    fetch,
    accountOf: (iss, subject) => {
      calls.push([iss, subject]);
      return ACCOUNT;
    },
    ...change,
  };
}

function terms(change: Partial<OidcIssuerTerms> = {}): OidcIssuerTerms {
  return {
    tenantId: TENANT,
    issuer,
    audience: AUDIENCE,
    algorithms: ['RS256'],
    place: 'de',
    groupClaim: 'groups',
    grants: {
      'de-support': {
        role: 'support-agent',
        employer: 'processor',
        purposes: ['customer-support'],
        defaultPurpose: 'customer-support',
      },
      everybody: { role: 'analyst', employer: 'controller', purposes: ['statistics'] },
    },
    ...change,
  };
}

beforeAll(async () => {
  requests = [];
  calls = [];
  server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = (groups: string) => ({
    client_id: groups,
    client_secret: 'secret-of-the-test',
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
  });
  const provider = new Provider(issuer, {
    clients: ['de-support', 'everybody', 'nobody'].map(client),
    jwks: {
      keys: [{ ...(await exportJWK(signing.privateKey)), kid: 'r1', alg: 'RS256', use: 'sig' }],
    },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => AUDIENCE,
        getResourceServerInfo: () => ({
          scope: 'api',
          audience: AUDIENCE,
          accessTokenFormat: 'jwt',
          accessTokenTTL: 300,
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
    // A group claim, as a company's provider has it: here the client's name stands for the person's group.
    extraTokenClaims: (_context: unknown, token: { clientId?: string }) => ({
      groups: [token.clientId],
    }),
  });
  const handler = provider.callback();
  server.on('request', (request, response) => {
    requests.push(request.url ?? '');
    void handler(request, response);
  });
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

async function signIn(group: string): Promise<string> {
  const response = await fetch(`${issuer}/token`, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      authorization: `Basic ${Buffer.from(`${group}:secret-of-the-test`).toString('base64')}`,
    },
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      resource: AUDIENCE,
      scope: 'api',
    }),
  });
  const body = (await response.json()) as { access_token?: string };
  expect(response.status, JSON.stringify(body)).toBe(200);
  return body.access_token ?? '';
}

const refusal = (verifier: { verify(token: string): Promise<unknown> }, token: string) =>
  verifier.verify(token).then(
    () => ({ code: 'accepted' }),
    (error: { code: string; details?: { reason?: string } }) => ({
      code: error.code,
      ...error.details,
    }),
  );

describe("a token of the tenant's own provider", () => {
  it('gives the account what the terms say its group means', async () => {
    const verified = await createOidcVerifier(ports(), terms()).verify(await signIn('de-support'));
    expect(verified.account).toEqual({
      tenantId: TENANT,
      account: ACCOUNT,
      kind: 'person',
      role: 'support-agent',
      employer: 'processor',
      assurance: 'low',
      place: 'de',
      purposes: ['customer-support'],
      defaultPurpose: 'customer-support',
    });
    expect(calls.at(-1)).toEqual([issuer, 'de-support']);
    expect(JSON.stringify(verified)).not.toContain('"de-support"');
  });

  it('asks the provider once for many tokens', async () => {
    const verifier = createOidcVerifier(ports(), terms());
    const tokens = [await signIn('de-support'), await signIn('everybody')];
    requests = [];
    await Promise.all([...tokens, ...tokens].map((token) => verifier.verify(token)));
    for (const token of tokens) await verifier.verify(token);
    expect(requests.filter((url) => !url.startsWith('/token'))).toEqual([
      '/.well-known/openid-configuration',
      '/jwks',
    ]);
  });

  it('means nothing for a group that the terms do not name', async () => {
    const token = await signIn('nobody');
    expect(await refusal(createOidcVerifier(ports(), terms()), token)).toEqual({
      code: 'OIDC_ACCOUNT_UNMAPPED',
    });
  });

  it('does not find a grant on the prototype of the terms', async () => {
    const token = await signIn('nobody');
    const odd = terms({ groupClaim: 'constructor' });
    expect(await refusal(createOidcVerifier(ports(), odd), token)).toEqual({
      code: 'OIDC_ACCOUNT_UNMAPPED',
    });
  });

  it.each([
    ['another audience', { audience: 'https://us-va.cells.bailiwick.localhost' }, 'audience'],
    ['another algorithm', { algorithms: ['ES256'] }, 'algorithm'],
    ['another type', { tokenType: 'JWT' }, 'type'],
    ['shorter lives', { validForMsMax: 60_000 }, 'lifetime'],
  ] as const)('is refused under terms with %s', async (_, change, reason) => {
    const verifier = createOidcVerifier(ports(), terms(change));
    expect(await refusal(verifier, await signIn('de-support'))).toEqual({
      code: 'OIDC_TOKEN_INVALID',
      reason,
    });
  });

  it('ends on time, also when it is remembered', async () => {
    const fake = createFakeClock(Date.now());
    const verifier = createOidcVerifier(ports({ clock: fake }), terms());
    const token = await signIn('de-support');
    await verifier.verify(token);
    fake.advance(310_000);
    expect(await refusal(verifier, token)).toEqual({ code: 'OIDC_TOKEN_EXPIRED' });
  });

  it('is refused when somebody else signed it, changed it, or it is an id token', async () => {
    const token = await signIn('de-support');
    const [header = '', payload = '', signature = ''] = token.split('.');
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<
      string,
      unknown
    >;
    const forgedKey = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    const forge = (head: Record<string, string>, key = forgedKey) =>
      new SignJWT(claims).setProtectedHeader({ alg: 'RS256', typ: 'at+jwt', ...head }).sign(key);
    const richer = Buffer.from(JSON.stringify({ ...claims, groups: ['everybody'] }));
    const verifier = createOidcVerifier(ports(), terms());
    const cases = [
      [await forge({ kid: 'r1' }), 'signature'],
      [await forge({ kid: 'r2' }), 'key'],
      [`${header}.${richer.toString('base64url')}.${signature}`, 'signature'],
      [await forge({ kid: 'r1', typ: 'JWT' }, signing.privateKey), 'type'],
      ['x.y.z', 'malformed'],
    ] as const;
    for (const [bad, reason] of cases) {
      expect(await refusal(verifier, bad)).toEqual({ code: 'OIDC_TOKEN_INVALID', reason });
    }
  });

  it('lets nobody make the cell ask the provider again and again with invented key ids', async () => {
    const verifier = createOidcVerifier(ports(), terms());
    await verifier.verify(await signIn('de-support'));
    requests = [];
    const key = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    for (let index = 0; index < 20; index += 1) {
      const token = await new SignJWT({ iss: issuer })
        .setProtectedHeader({ alg: 'RS256', typ: 'at+jwt', kid: `invented-${index}` })
        .sign(key);
      expect((await refusal(verifier, token)).code).toBe('OIDC_TOKEN_INVALID');
    }
    expect(requests).toEqual([]);
  });
});

describe('a provider that cannot be trusted', () => {
  const answer = (body: unknown, status = 200): typeof fetch =>
    (async () => new Response(JSON.stringify(body), { status })) as typeof fetch;
  const token = () => signIn('de-support');

  it.each([
    [
      'names another issuer',
      { issuer: 'https://evil.example', jwks_uri: 'https://evil.example/k' },
    ],
    ['has its keys on plain http', { jwks_uri: 'http://keys.example/jwks' }],
    ['has its keys in a file', { jwks_uri: 'file:///etc/passwd' }],
    ['has no keys', {}],
  ])('is refused when it %s', async (_, document) => {
    const fake = answer({ issuer, ...document });
    const verifier = createOidcVerifier(ports({ fetch: fake }), terms());
    expect(await refusal(verifier, await token())).toEqual({ code: 'OIDC_ISSUER_INVALID' });
  });

  it('is unavailable when it is away, and is not asked again at once', async () => {
    let count = 0;
    const away = (async () => {
      count += 1;
      throw new TypeError('fetch failed');
    }) as typeof fetch;
    const verifier = createOidcVerifier(ports({ fetch: away }), terms());
    const one = await token();
    expect(await refusal(verifier, one)).toEqual({ code: 'OIDC_ISSUER_UNAVAILABLE' });
    expect(await refusal(verifier, one)).toEqual({ code: 'OIDC_ISSUER_UNAVAILABLE' });
    expect(count).toBe(1);
  });

  it('is not read further when its answer has no end', async () => {
    const endless = (async () => {
      const stream = new ReadableStream<Uint8Array>({
        pull: (controller) => controller.enqueue(new Uint8Array(65_536)),
      });
      return new Response(stream);
    }) as typeof fetch;
    const verifier = createOidcVerifier(ports({ fetch: endless }), terms());
    expect(await refusal(verifier, await token())).toEqual({ code: 'OIDC_ISSUER_INVALID' });
  });

  it('cannot be configured on plain http beyond this machine, or without algorithms', () => {
    for (const url of [
      'http://login.example',
      'ftp://login.example',
      'x',
      'https://a:b@login.example',
    ]) {
      expect(() => createOidcVerifier(ports(), terms({ issuer: url }))).toThrowError(
        expect.objectContaining({ code: 'OIDC_ISSUER_INVALID' }),
      );
    }
    expect(() => createOidcVerifier(ports(), terms({ algorithms: [] }))).toThrowError();
  });
});
