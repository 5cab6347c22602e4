// SPDX-License-Identifier: Apache-2.0
// Goal: the server's own promises, whatever a route does: bounded bodies, fair queues, problem documents
// without internals, the server name, tokens that are hard to get, and INVARIANT 8's check on both sides of
// each write. Method: a whole cell with small limits; real TLS for names; a route of the test's own where
// a failure has to happen at one exact moment.
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect } from 'node:tls';
import { KeysError, toDsseKeyId } from '@bailiwick/keys';
import { CLIENT_ASSERTION_TYPE, signClientAssertion } from '@bailiwick/oidc';
import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAdmission } from './backpressure.ts';
import { createIdempotencyStore } from './idempotency/idempotency-store.ts';
import { createPublicServer } from './server.ts';
import type { CellServices } from './services.ts';
import { newTenant, startTestCell, type TestAccount, type TestCell } from './testing/test-cell.ts';

const tenant = newTenant();
const suspended = newTenant();
let test: TestCell;
let shop: TestAccount;
let port: number;

beforeAll(async () => {
  test = await startTestCell({ tenants: [tenant, suspended], limits: { requestMsMax: 3_000 } });
  shop = await test.addAccount(tenant.tenantId);
  port = (await test.cell.listen()).publicPort;
});
afterAll(() => test?.stop());

async function entriesOf(kind: string): Promise<readonly Record<string, unknown>[]> {
  const rows = await test.database.asOwner<{ body: string }>('SELECT body FROM ledger.entries');
  return rows.map(({ body }) => JSON.parse(body)).filter((body) => body.kind === kind);
}

/** One request over a TLS connection opened for `servername`; gives the raw answer. */
function askRaw(options: {
  servername: string;
  host: string;
  path?: string;
  maxVersion?: 'TLSv1.2';
}): Promise<string> {
  const { bundleFile } = test.cell.runtime.config.identity;
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: '127.0.0.1',
      port,
      servername: options.servername,
      ca: readFileSync(bundleFile),
      checkServerIdentity: () => undefined,
      ...(options.maxVersion === undefined ? {} : { maxVersion: options.maxVersion }),
    });
    let answer = '';
    socket.setEncoding('utf8');
    socket.on('error', reject);
    socket.on('data', (chunk) => {
      answer += chunk;
    });
    socket.on('end', () => resolve(answer));
    socket.write(
      `GET ${options.path ?? '/v1/health'} HTTP/1.1\r\nhost: ${options.host}\r\nconnection: close\r\n\r\n`,
    );
  });
}

describe('names', () => {
  it('answers on a connection that was opened for its name', async () => {
    expect(await askRaw({ servername: test.name, host: test.name })).toMatch(/^HTTP\/1\.1 200 /);
    expect(await askRaw({ servername: test.name, host: `${test.name}:${port}` })).toMatch(
      /^HTTP\/1\.1 200 /,
    );
  });

  it.each([
    [
      'another authority on its own connection',
      (name: string) => ({ servername: name, host: 'us-va.cells.bailiwick.localhost' }),
    ],
    [
      'its own authority on another name’s connection',
      (name: string) => ({ servername: 'us-va.cells.bailiwick.localhost', host: name }),
    ],
    ['an address', (name: string) => ({ servername: name, host: '127.0.0.1' })],
  ])('answers 421 to %s', async (_what, toNames) => {
    const answer = await askRaw(toNames(test.name));
    expect(answer).toMatch(/^HTTP\/1\.1 421 /);
    expect(answer).toContain('CELL_AUTHORITY_MISMATCH');
  });

  it('speaks no TLS before 1.3', async () => {
    await expect(
      askRaw({ servername: test.name, host: test.name, maxVersion: 'TLSv1.2' }),
    ).rejects.toThrow();
  });
});

describe('what bad input gets', () => {
  it('is a problem document with a code, a request id and nothing of the input', async () => {
    const canary = 'erika.mustermann@example.org';
    const answers = [
      await test.call({ path: `/v1/${canary}` }),
      await test.call({
        method: 'POST',
        path: '/v1/decisions',
        as: shop,
        headers: { 'content-type': 'application/json' },
        body: `{"${canary}"`,
      }),
      await test.call({
        method: 'POST',
        path: '/v1/decisions',
        as: shop,
        headers: { 'content-type': 'text/html' },
        body: canary,
      }),
      await test.call({
        method: 'POST',
        path: '/v1/decisions',
        as: shop,
        body: { [canary]: canary },
      }),
      await test.call({ path: `/v1/transfers/${canary}`, as: shop }),
      await test.call({
        method: 'POST',
        path: '/v1/entries',
        as: shop,
        body: { entries: [{ facts: { [canary]: 1 } }] },
      }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([404, 400, 415, 400, 400, 400]);
    for (const { body, headers } of answers) {
      expect(headers['content-type']).toContain('application/problem+json');
      expect(body.type).toBe(`urn:bailiwick:error:${body.code}`);
      expect(body.instance).toBe(headers['x-request-id']);
      expect(JSON.stringify(body)).not.toContain('erika');
      expect(body).not.toHaveProperty('stack');
    }
  });

  it('is 413 for a body that is too large, said before it was read', async () => {
    const body = { flows: ['x'.repeat(80_000)] };
    const answer = await test.call({ method: 'POST', path: '/v1/decisions', as: shop, body });
    expect(answer).toMatchObject({ status: 413, body: { code: 'CELL_BODY_TOO_LARGE' } });
  });

  it('is refused with a prototype in it', async () => {
    const answer = await test.call({
      method: 'POST',
      path: '/v1/decisions',
      as: shop,
      headers: { 'content-type': 'application/json' },
      body: '{"flows":[],"__proto__":{"x":1}}',
    });
    expect(answer.status).toBe(400);
  });
});

describe('tokens', () => {
  const forge = async (
    change: Record<string, string> = {},
    options: { key?: typeof shop.privateKey; audience?: string } = {},
  ) => {
    const privateKey = options.key ?? shop.privateKey;
    const assertion = await signClientAssertion(test.cell.runtime, {
      clientId: shop.account,
      audience: options.audience ?? test.name,
      keyId: toDsseKeyId(shop.privateKey),
      privateKey,
    });
    return {
      grant_type: 'client_credentials',
      tenant: String(tenant.tenantId),
      client_assertion_type: CLIENT_ASSERTION_TYPE,
      client_assertion: assertion,
      ...change,
    };
  };
  const ask = (form: Record<string, string> | string) =>
    test.call({
      method: 'POST',
      path: '/v1/tokens',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: typeof form === 'string' ? form : new URLSearchParams(form).toString(),
    });

  it('are given once for an assertion', async () => {
    const form = await forge();
    expect(await ask(form)).toMatchObject({ status: 200, body: { token_type: 'Bearer' } });
    expect(await ask(form)).toMatchObject({
      status: 401,
      body: { code: 'OIDC_ASSERTION_REPLAYED' },
    });
  });

  it('are not given for a forged, misdirected, foreign or unfinished assertion', async () => {
    const { privateKey } = generateKeyPairSync('ed25519');
    const refused = [
      await ask(await forge({}, { key: privateKey })),
      await ask(await forge({}, { audience: 'us-va.cells.bailiwick.localhost' })),
      await ask(await forge({ tenant: suspended.tenantId })),
      await ask(await forge({ tenant: randomUUID() })),
      await ask(await forge({ client_assertion: 'a.b.c' })),
    ];
    expect(refused.map(({ status }) => status)).toEqual([401, 401, 401, 401, 401]);
    const wrong = [
      await ask(await forge({ grant_type: 'password' })),
      await ask(await forge({ tenant: 'acme' })),
      await ask(await forge({ client_assertion_type: 'basic' })),
      await ask(await forge({ client_id: randomUUID() })),
      await ask('grant_type=client_credentials&grant_type=password'),
      await ask(''),
    ];
    expect(wrong.map(({ status }) => status)).toEqual([400, 400, 400, 400, 400, 400]);
  });

  it('are not given to a disabled account, nor used by a suspended tenant', async () => {
    const former = await test.addAccount(tenant.tenantId, { isDisabled: true });
    await expect(test.tokenOf(former)).rejects.toThrow('OIDC_TOKEN_INVALID');
    const theirs = await test.addAccount(suspended.tenantId);
    const call = {
      method: 'POST',
      path: '/v1/entries',
      as: theirs,
      body: { entries: [{ facts: { count: 1 } }] },
    } as const;
    expect((await test.call(call)).status).toBe(200);
    await test.deliver({ tenants: [tenant, { ...suspended, state: 'suspended' }] });
    test.refresh();
    expect(await test.call(call)).toMatchObject({
      status: 403,
      body: { code: 'CELL_TENANT_SUSPENDED' },
    });
    // A new token of theirs is refused by name; to anybody else the tenant looks like any other.
    const other = await test.addAccount(suspended.tenantId);
    await expect(test.tokenOf(other)).rejects.toThrow('CELL_TENANT_SUSPENDED');
    const forged = await ask(await forge({ tenant: suspended.tenantId }));
    expect(forged.status).toBe(401);
  });

  it('say nothing of an account in a residency claim', async () => {
    const claim = await test.claimOf(shop);
    const payload = JSON.parse(Buffer.from(claim.split('.')[1] ?? '', 'base64url').toString());
    expect(Object.keys(payload).sort()).toEqual([
      'aud',
      'exp',
      'iat',
      'iss',
      'jti',
      'residency',
      'tenant',
    ]);
    const asBearer = await test.call({
      path: '/v1/charter',
      headers: { authorization: `Bearer ${claim}` },
    });
    expect(asBearer).toMatchObject({ status: 401, body: { code: 'CELL_CREDENTIAL_INVALID' } });
  });

  it('are not exchanged for a residency that the contract or the charter does not have', async () => {
    await expect(test.claimOf(shop, 'uk-lon')).rejects.toThrow('RESIDENCY_FORBIDDEN');
    await expect(test.claimOf(shop, 'cn-bj')).rejects.toThrow('RESIDENCY_UNSUPPORTED');
  });

  it('are refused on record where the tenant sees it, and only once its account has proven itself', async () => {
    const refusals = (await entriesOf('refusal')).filter(
      ({ facts }) => (facts as Record<string, unknown>)['route'] === '/v1/tokens',
    );
    const told = refusals.map(({ tenant: of, facts }) => [
      of,
      (facts as Record<string, unknown>)['code'],
    ]);
    expect(told).toContainEqual([tenant.tenantId, 'RESIDENCY_FORBIDDEN']);
    expect(told).toContainEqual([tenant.tenantId, 'RESIDENCY_UNSUPPORTED']);
    expect(told).toContainEqual([suspended.tenantId, 'CELL_TENANT_SUSPENDED']);
    expect(told.filter(([of]) => of === undefined)).toEqual([]);
  });
});

/** A server with routes of the test's own over the cell's real services, changed at one place. */
function serve(
  change: Partial<CellServices>,
  route: (app: FastifyInstance) => void,
  limits = { inFlightCountMax: 4, inFlightPerTenantCountMax: 2, queuePerTenantCountMax: 2 },
): FastifyInstance {
  const { runtime, credentials } = test.cell;
  const app = createPublicServer(
    { ...runtime, ...change },
    {
      name: test.name,
      bodySizeBytesMax: 1024,
      requestMsMax: 2_000,
      admission: createAdmission(limits),
      credentials,
      idempotency: createIdempotencyStore(runtime.database, runtime.secrets.macKey),
    },
  );
  route(app);
  return app;
}

const headersOf = async (account: TestAccount) => ({
  host: test.name,
  authorization: `Bearer ${await test.tokenOf(account)}`,
  'bailiwick-residency': await test.claimOf(account),
});

describe('the last check', () => {
  /** A ring whose lease runs out after so many looks. */
  const endingAfter = (looks: number): Pick<CellServices, 'keys'> => {
    let seen = 0;
    const ring = test.cell.runtime.keys;
    return {
      keys: {
        sealingKeys: (...args) => ring.sealingKeys(...args),
        openingKeys: (...args) => ring.openingKeys(...args),
        secrets: (...args) => ring.secrets(...args),
        assertUsable() {
          seen += 1;
          if (seen > looks) throw new KeysError('KEYS_LEASE_EXPIRED', 'the lease has run out');
        },
      },
    };
  };
  const secret = (app: FastifyInstance) => app.get('/secret', async () => ({ name: 'Erika' }));
  const getSecret = async (looks: number) => {
    const app = serve(endingAfter(looks), secret);
    const headers = await headersOf(shop);
    await app.listen({ host: '127.0.0.1', port: 0 });
    const address = app.server.address();
    const at = typeof address === 'object' && address !== null ? address.port : 0;
    try {
      const { request } = await import('node:http');
      return await new Promise<{ status: number; body: string }>((resolve, reject) => {
        const req = request({ host: '127.0.0.1', port: at, path: '/secret', headers }, (res) => {
          let body = '';
          res.setEncoding('utf8').on('data', (chunk) => {
            body += chunk;
          });
          res.on('end', () => resolve({ status: res.statusCode ?? 0, body }));
          res.on('error', reject);
        });
        req.on('error', reject);
        req.end();
      });
    } finally {
      await app.close();
    }
  };

  it('turns the answer into a problem when the lease has run out before it', async () => {
    const { status, body } = await getSecret(0);
    expect(status).toBe(503);
    expect(body).toContain('KEYS_LEASE_EXPIRED');
    expect(body).not.toContain('Erika');
  });

  it('cuts the connection, with nothing written, when it runs out directly before the write', async () => {
    await expect(getSecret(1)).rejects.toThrow(/hang up|ECONNRESET/);
  });

  it('enters what slipped through when it runs out during the write', async () => {
    const before = (await entriesOf('late-release')).length;
    await getSecret(2).catch(() => undefined);
    await expect.poll(async () => (await entriesOf('late-release')).length).toBe(before + 1);
    expect((await entriesOf('late-release')).at(-1)).toMatchObject({
      tenant: tenant.tenantId,
      facts: { route: '/secret' },
    });
  });

  it('leaves the answer alone while the lease holds', async () => {
    expect(await getSecret(100)).toEqual({ status: 200, body: '{"name":"Erika"}' });
  });
});

describe('too much at once', () => {
  it('answers 429 to what cannot even wait, serves the rest, and another tenant all along', async () => {
    let release = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const other = newTenant();
    await test.deliver({ tenants: [tenant, other] });
    test.refresh();
    const neighbour = await test.addAccount(other.tenantId);
    const app = serve({}, (it) =>
      it.get('/slow', { config: { carriesPlaintext: false } }, async (request) => {
        if (request.credential.tenantId === tenant.tenantId) await gate;
        return { ok: true };
      }),
    );
    const headers = await headersOf(shop);
    const all = Array.from({ length: 8 }, async () => app.inject({ url: '/slow', headers }));
    expect((await Promise.race(all)).statusCode).toBe(429);
    const theirs = await app.inject({ url: '/slow', headers: await headersOf(neighbour) });
    expect(theirs.statusCode).toBe(200);
    release();
    const statuses = (await Promise.all(all)).map(({ statusCode }) => statusCode).sort();
    expect(statuses).toEqual([200, 200, 200, 200, 429, 429, 429, 429]);
    const [refused] = (await Promise.all(all)).filter(({ statusCode }) => statusCode === 429);
    expect(refused?.headers['retry-after']).toBe('1');
    await app.close();
  });

  it('gives up at the deadline that the caller states', async () => {
    const app = serve({}, (it) => it.get('/never', () => new Promise(() => undefined)), {
      inFlightCountMax: 1,
      inFlightPerTenantCountMax: 1,
      queuePerTenantCountMax: 4,
    });
    const headers = await headersOf(shop);
    // An injected request starts when somebody waits for it.
    const first = (async () => app.inject({ url: '/never', headers }))();
    const late = await app.inject({
      url: '/never',
      headers: { ...headers, 'bailiwick-deadline-ms': '20' },
    });
    expect(late.statusCode).toBe(503);
    expect(late.json().code).toBe('CELL_DEADLINE_EXCEEDED');
    expect((await first).statusCode).toBe(503);
    await app.close();
  });
});

describe('a failure inside', () => {
  it('tells nothing of itself', async () => {
    const app = serve({}, (it) =>
      it.get('/broken', async () => {
        throw Object.assign(new Error('erika@example.org at /srv/secret'), {
          code: '23505',
          detail: 'erika',
        });
      }),
    );
    const answer = await app.inject({ url: '/broken', headers: await headersOf(shop) });
    expect(answer.statusCode).toBe(500);
    expect(answer.json()).toMatchObject({ code: 'CELL_INTERNAL_FAULT', detail: '' });
    expect(answer.payload).not.toMatch(/erika|secret|23505/);
    await app.close();
  });

  it('gives the Idempotency-Key back when the request was refused or failed', async () => {
    let count = 0;
    const app = serve({}, (it) =>
      it.post('/once', { config: { carriesPlaintext: false } }, async () => {
        count += 1;
        if (count === 1) throw new Error('first time');
        return { count };
      }),
    );
    const headers = {
      ...(await headersOf(shop)),
      'idempotency-key': randomUUID(),
      'content-type': 'application/json',
    };
    const post = () => app.inject({ method: 'POST', url: '/once', headers, payload: '{"a":1}' });
    expect((await post()).statusCode).toBe(500);
    expect((await post()).json()).toEqual({ count: 2 });
    expect((await post()).json()).toEqual({ count: 2 });
    await app.close();
  });

  it('answers 409 while the first request with an Idempotency-Key is under way', async () => {
    let release = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    let isInside = (): void => undefined;
    const inside = new Promise<void>((resolve) => {
      isInside = resolve;
    });
    const app = serve({}, (it) =>
      it.post('/slow', { config: { carriesPlaintext: false } }, async () => {
        isInside();
        await gate;
        return { ok: true };
      }),
    );
    const headers = { ...(await headersOf(shop)), 'idempotency-key': randomUUID() };
    const first = (async () => app.inject({ method: 'POST', url: '/slow', headers }))();
    await inside;
    const second = await app.inject({ method: 'POST', url: '/slow', headers });
    expect(second.statusCode).toBe(409);
    release();
    expect((await first).statusCode).toBe(200);
    await app.close();
  });
});
