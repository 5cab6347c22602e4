// SPDX-License-Identifier: Apache-2.0
// Goal: people sign in to a cell at their own provider and become what their group means; a session is
// good for the page that has it, for its time, in its place, and for nobody else. Method: the demonstration's
// real provider and a browser played by hand, so that every step can be forged.
import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Answer, sendAsOperator } from '../system/http.ts';
import { type SharedSystem, useSystem } from '../system/shared.ts';
import {
  choosePerson,
  openPage,
  type PageCaller,
  SESSION_COOKIE,
  signInPerson,
} from '../system/sign-in.ts';
import { createTenant } from '../system/tenant.ts';

let system: SharedSystem;
let tenant: string;

beforeAll(async () => {
  system = await useSystem();
  tenant = system.tenant('retailer');
});

const asPerson = (person: string): Promise<PageCaller> =>
  signInPerson(system, 'eu-de', { tenant, person });

async function begin(page: PageCaller): Promise<string> {
  const begun = await page.call('POST', '/v1/sign-ins', { tenant });
  expect(begun.status, begun.text).toBe(200);
  return begun.body.location;
}

const toPath = (url: string): string => {
  const { pathname, search } = new URL(url);
  return `${pathname}${search}`;
};

function expectRefused(answer: Answer, code: string): void {
  expect(answer.status, answer.text).toBe(303);
  expect(answer.headers['location']).toBe(`/portal/?problem=${code}`);
  const cookies = [answer.headers['set-cookie'] ?? []].flat();
  expect(cookies.filter((one) => one.startsWith(SESSION_COOKIE))).toEqual([]);
}

describe('a person who signs in', () => {
  it.each([
    ['p-1', 'tenant-admin'],
    ['p-2', 'security-officer'],
    ['p-3', 'privacy-officer'],
    ['p-4', 'auditor'],
    ['p-5', 'operator'],
  ])('%s becomes %s, in this cell and place', async (person, role) => {
    const page = await asPerson(person);
    const { status, body } = await page.call('GET', '/v1/session');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      tenant,
      role,
      kind: 'person',
      assurance: 'substantial',
      place: 'de',
      residency: 'eu-de',
      cell: 'eu-de/main',
    });
    expect(Date.parse(body.expiresAt) - Date.now()).toBeLessThanOrEqual(3_600_000);
    expect(JSON.stringify(body)).not.toContain(person);
  });

  it('is the same account at each sign-in, and another one at another cell', async () => {
    const account = async (page: PageCaller): Promise<string> =>
      (await page.call('GET', '/v1/session')).body.account;
    const first = await account(await asPerson('p-2'));
    expect(await account(await asPerson('p-2'))).toBe(first);
    const there = await signInPerson(system, 'us-va', { tenant, person: 'p-2' });
    expect(await account(there)).not.toBe(first);
  });

  it('gets a cookie that no script and no other site sees, and that says nothing', async () => {
    const page = openPage(system, 'eu-de');
    const back = await choosePerson(await begin(page), 'p-2');
    const answer = await page.visit(toPath(back));
    expect(answer.headers['location']).toBe('/portal/');
    const cookie = [answer.headers['set-cookie'] ?? []]
      .flat()
      .find((one) => one.startsWith(SESSION_COOKIE));
    expect(cookie).toMatch(
      /^__Host-bailiwick-session=[0-9a-f-]{36}\.[\w-]{43}; Path=\/; Max-Age=3600/,
    );
    for (const word of ['Secure', 'HttpOnly', 'SameSite=Strict']) expect(cookie).toContain(word);
    expect(cookie).not.toContain('Domain');
  });

  it('is on record, with role and without a name', async () => {
    const page = await asPerson('p-4');
    const { account } = (await page.call('GET', '/v1/session')).body;
    const { body } = await page.call('GET', '/v1/entries?pageSize=50');
    const entry = body.items.find(
      (item: { body: { kind: string; actor?: { account: string } } }) =>
        item.body.kind === 'account' && item.body.actor?.account === account,
    );
    expect(entry?.body.facts).toEqual({ change: 'signed-in', role: 'auditor' });
    expect(JSON.stringify(entry)).not.toMatch(/Tom|Rivera|p-4/);
  });

  it('signs out for good, also for a copy of the cookie', async () => {
    const page = await asPerson('p-2');
    const copy = page.cookies.toHeader();
    expect((await page.call('DELETE', '/v1/session')).status).toBe(204);
    expect(page.cookies.get(SESSION_COOKIE)).toBeUndefined();
    const again = await page.call('GET', '/v1/session', undefined, { cookie: copy });
    expect(again.status).toBe(401);
    expect(again.body.code).toBe('CELL_SESSION_INVALID');
  });

  it('is not let in when the group means nothing', async () => {
    const page = openPage(system, 'eu-de');
    const back = await choosePerson(await begin(page), 'p-6');
    expectRefused(await page.visit(toPath(back)), 'OIDC_ACCOUNT_UNMAPPED');
  });
});

describe('the answer of a provider', () => {
  it('is taken by the browser that asked and by no other', async () => {
    const back = toPath(await choosePerson(await begin(openPage(system, 'eu-de')), 'p-2'));
    expectRefused(await openPage(system, 'eu-de').visit(back), 'CELL_SIGN_IN_INVALID');
    const other = openPage(system, 'eu-de');
    await begin(other);
    expectRefused(await other.visit(back), 'CELL_SIGN_IN_INVALID');
  });

  it('is taken once', async () => {
    const page = openPage(system, 'eu-de');
    const start = await begin(page);
    const sealed = page.cookies.toHeader();
    const back = toPath(await choosePerson(start, 'p-2'));
    expect((await page.visit(back)).headers['location']).toBe('/portal/');
    const replayed = openPage(system, 'eu-de');
    replayed.cookies.take({ headers: { 'set-cookie': [sealed] } });
    expectRefused(await replayed.visit(back), 'OIDC_SIGN_IN_REFUSED');
  });

  it.each([
    ['no state', (url: URL) => url.searchParams.delete('state'), 'CELL_SIGN_IN_INVALID'],
    [
      'another state',
      (url: URL) => url.searchParams.set('state', 'x'.repeat(43)),
      'CELL_SIGN_IN_INVALID',
    ],
    ['no code', (url: URL) => url.searchParams.delete('code'), 'CELL_SIGN_IN_INVALID'],
    [
      'an invented code',
      (url: URL) => url.searchParams.set('code', 'x'.repeat(43)),
      'OIDC_SIGN_IN_REFUSED',
    ],
    [
      'an error',
      (url: URL) => url.searchParams.set('error', 'access_denied'),
      'CELL_SIGN_IN_INVALID',
    ],
    [
      'another issuer',
      (url: URL) => url.searchParams.set('iss', 'http://127.0.0.1:1'),
      'OIDC_SIGN_IN_REFUSED',
    ],
    [
      'no issuer, where the provider names it',
      (url: URL) => url.searchParams.delete('iss'),
      'OIDC_SIGN_IN_REFUSED',
    ],
  ] as const)('is refused with %s', async (_, change, code) => {
    const page = openPage(system, 'eu-de');
    const url = new URL(await choosePerson(await begin(page), 'p-2'));
    change(url);
    expectRefused(await page.visit(toPath(url.href)), code);
  });

  it('is refused for a sealed sign-in with one changed letter', async () => {
    const page = openPage(system, 'eu-de');
    const back = toPath(await choosePerson(await begin(page), 'p-2'));
    const header = page.cookies.toHeader();
    for (const at of [40, 80, header.length - 2]) {
      const changed = header.slice(0, at) + (header[at] === 'A' ? 'B' : 'A') + header.slice(at + 1);
      const forged = openPage(system, 'eu-de');
      forged.cookies.take({ headers: { 'set-cookie': [changed] } });
      expectRefused(await forged.visit(back), 'CELL_SIGN_IN_INVALID');
    }
  });

  it('binds code, state and nonce to this browser by PKCE', async () => {
    const start = new URL(await begin(openPage(system, 'eu-de')));
    expect(start.searchParams.get('response_type')).toBe('code');
    expect(start.searchParams.get('code_challenge_method')).toBe('S256');
    for (const name of ['state', 'nonce', 'code_challenge']) {
      expect(start.searchParams.get(name)).toMatch(/^[\w-]{43}$/);
    }
    const other = new URL(await begin(openPage(system, 'eu-de')));
    expect(other.searchParams.get('state')).not.toBe(start.searchParams.get('state'));
  });
});

describe('a session', () => {
  it.each([
    ['another site', { 'sec-fetch-site': 'cross-site' }],
    ['a sister site', { 'sec-fetch-site': 'same-site' }],
    ['another origin', { origin: 'https://evil.example' }],
    ['another cell’s page', { origin: 'https://us-va.cells.bailiwick.localhost' }],
    ['no page at all', { 'bailiwick-portal': '' }],
  ])('is not used for a request of %s', async (_, headers) => {
    const page = await asPerson('p-2');
    const answer = await page.call('GET', '/v1/keys', undefined, headers);
    expect(answer.status).toBe(403);
    expect(answer.body.code).toBe('CELL_REQUEST_FOREIGN');
  });

  it('changes nothing for a form of another site', async () => {
    const page = await asPerson('p-2');
    const [key] = (await page.call('GET', '/v1/keys')).body.items;
    const forged = await page.call(
      'POST',
      `/v1/keys/${key.keyId}/disablements`,
      {},
      {
        'bailiwick-portal': '',
        'sec-fetch-site': 'cross-site',
        'idempotency-key': 'forged',
      },
    );
    expect(forged.status).toBe(403);
    expect((await page.call('GET', '/v1/keys')).body.items).toContainEqual(key);
  });

  it('is of its cell: another cell does not know it', async () => {
    const page = await asPerson('p-2');
    const there = openPage(system, 'us-va');
    const answer = await there.call('GET', '/v1/session', undefined, {
      cookie: page.cookies.toHeader(),
    });
    expect(answer.body.code).toBe('CELL_SESSION_INVALID');
  });

  it('is of its tenant: with another tenant’s id it is nothing', async () => {
    const page = await asPerson('p-2');
    const [, token = ''] = (page.cookies.get(SESSION_COOKIE) ?? '').split('.');
    const cookie = `${SESSION_COOKIE}=${system.tenant('bookshop')}.${token}`;
    const answer = await page.call('GET', '/v1/session', undefined, { cookie });
    expect(answer.body.code).toBe('CELL_SESSION_INVALID');
  });

  it('is not looked at beside a bearer token, nor when it stands there twice', async () => {
    const page = await asPerson('p-2');
    const bearer = await page.call('GET', '/v1/session', undefined, {
      authorization: 'Bearer invented',
    });
    expect(bearer.status).toBe(401);
    const cookie = `${page.cookies.toHeader()}; ${page.cookies.toHeader()}`;
    const twice = await page.call('GET', '/v1/session', undefined, { cookie });
    expect(twice.body.code).toBe('CELL_CREDENTIAL_MISSING');
  });

  it('may do what its role may: an auditor sees keys and does not turn them', async () => {
    const page = await asPerson('p-4');
    const [key] = (await page.call('GET', '/v1/keys')).body.items;
    const turned = await page.call(
      'POST',
      `/v1/keys/${key.keyId}/disablements`,
      {},
      {
        'idempotency-key': createHash('sha256').update(key.keyId).digest('hex'),
      },
    );
    expect(turned.status).toBe(403);
    expect(turned.body.code).toBe('CELL_ROLE_FORBIDDEN');
  });

  it('ends when the operators change what groups mean', async () => {
    const own = await createTenant(system, {
      residencies: ['eu-de'],
      terms: {
        terms: 1,
        version: 1,
        identity: { issuer: `http://127.0.0.1:${system.port + 3}`, audience: 'bailiwick' },
      },
    });
    const { internalPort, spiffeId } = system.cell('eu-de');
    const set = (role: string): Promise<Answer> =>
      sendAsOperator(
        system,
        { port: internalPort, spiffeId },
        {
          method: 'PUT',
          path: `/internal/v1/tenants/${own.tenantId}/sign-in`,
          body: {
            algorithms: ['RS256'],
            place: 'de',
            groupClaim: 'groups',
            grants: { security: { role, employer: 'controller', purposes: ['operations'] } },
            portal: { clientId: 'portal-eu-de' },
          },
        },
      );
    expect((await set('security-officer')).status).toBe(200);
    const page = await signInPerson(system, 'eu-de', { tenant: own.tenantId, person: 'p-2' });
    expect((await page.call('GET', '/v1/session')).body.role).toBe('security-officer');
    expect((await set('analyst')).status).toBe(200);
    expect((await page.call('GET', '/v1/session')).body.code).toBe('CELL_SESSION_INVALID');
    const again = await signInPerson(system, 'eu-de', { tenant: own.tenantId, person: 'p-2' });
    expect((await again.call('GET', '/v1/session')).body.role).toBe('analyst');
  });

  it('is not begun for a tenant without people, with the words for one that is not there', async () => {
    const page = openPage(system, 'eu-de');
    const ask = (id: string): Promise<Answer> => page.call('POST', '/v1/sign-ins', { tenant: id });
    const [bookshop, nobody] = [
      await ask(system.tenant('bookshop')),
      await ask('01890a5d-ac96-774b-bcce-b302099a8057'),
    ];
    expect(bookshop.status).toBe(404);
    const { instance: _one, ...first } = bookshop.body;
    const { instance: _other, ...second } = nobody.body;
    expect(first).toEqual(second);
    expect(first.code).toBe('CELL_SIGN_IN_ABSENT');
  });
});

describe('the portal’s page', () => {
  it('is served with a policy that lets it speak to this cell alone', async () => {
    const page = openPage(system, 'eu-de');
    const answer = await page.visit('/portal/keys');
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe('text/html; charset=utf-8');
    const policy = String(answer.headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("connect-src 'self'");
    expect(policy).not.toMatch(/unsafe|\*|https?:/);
    expect(answer.text).not.toMatch(/<script>|<style|\son[a-z]+=|https?:/);
  });

  it.each([
    '/portal/absent.js',
    '/portal/../server.ts',
    '/portal/%2e%2e%2fpackage.json',
    '/portal/assets/',
  ])('is no way to other files: %s', async (path) => {
    const answer = await openPage(system, 'eu-de').visit(path);
    if (answer.status === 200) expect(answer.text).toContain('<title>Bailiwick</title>');
    else expect(answer.status).toBe(404);
    expect(answer.text).not.toContain('"dependencies"');
  });
});
