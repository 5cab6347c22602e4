// SPDX-License-Identifier: Apache-2.0
// Goal: a customer holds its own key in two commands, and a cell that serves it does what the guide says
// when the customer switches it off, and when its key service is away. Method: the commands of the guide
// over a software token; the running cell of the shared system; nothing but HTTP and the command.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { findPkcs11Problem, findSoftHsmLibrary } from '@bailiwick/kms-pkcs11';
import { findFreePort } from '@bailiwick/postgres';
import {
  createSoftToken,
  findSoftHsmUtility,
  type SoftToken,
} from '@bailiwick/testkit/servers/soft-token';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeClientFile } from '../system/client-file.ts';
import { aCustomer, CUSTOMERS } from '../system/collections.ts';
import { type Running, runBailiwick, startBailiwick, toJson } from '../system/command.ts';
import type { Answer, Caller } from '../system/http.ts';
import { type SharedSystem, useSystem } from '../system/shared.ts';
import { createTenant, type OwnTenant } from '../system/tenant.ts';
import { waitUntil } from '../system/wait-until.ts';

const STALENESS_MS = 5_000;
const library = findSoftHsmLibrary() ?? '';
const problem =
  findPkcs11Problem() ??
  (library === '' || findSoftHsmUtility() === undefined ? 'softhsm2 is not installed' : undefined);

let system: SharedSystem;
let token: SoftToken;
let directory: string;
let port: number;
let proxy: Running;
let tenant: OwnTenant;
let shop: Caller;
let security: Caller;
let recordPath: string;

const cellFile = (name: string): string => path.join(system.state, 'cells/eu-de', name);
const proxyDirectory = (): string => path.join(directory, 'proxy');

/** The customer's one command. */
async function startProxy(): Promise<Running> {
  const running = startBailiwick([
    ...['key-proxy', 'start', '--directory', proxyDirectory()],
    ...['--name', 'localhost', '--host', '127.0.0.1', '--port', String(port)],
    ...['--client-cert', cellFile('identity/key-service.pem')],
    ...['--client-ca', cellFile('identity/authority.pem')],
    ...['--library', library, '--token-label', token.tokenLabel, '--pin-file', token.pinFile],
    ...Object.entries(token.environment).flatMap(([name, value]) => [
      '--environment',
      `${name}=${value}`,
    ]),
    ...['--key-id', 'customer-key', '--path', '/acme'],
  ]);
  await waitUntil('a proxy that serves', () => {
    if (running.child.exitCode !== null) throw new Error(running.stderr());
    return running.stdout().includes('"ready":true') ? true : undefined;
  });
  return running;
}

async function stopProxy(): Promise<void> {
  proxy.child.kill('SIGTERM');
  await proxy.ended;
}

const atToken = (verb: string): ReturnType<typeof runBailiwick> =>
  runBailiwick(['key-proxy', 'key', verb, proxyDirectory(), 'customer-key']);

const read = (): Promise<Answer> => shop.call('GET', recordPath);
const write = (id: string): Promise<Answer> =>
  shop.call('POST', '/v1/collections/customers/records', aCustomer(id));

async function untilAnswer(
  what: string,
  status: number,
  ask: () => Promise<Answer>,
): Promise<Answer> {
  return waitUntil(what, async () => {
    const answer = await ask();
    return answer.status === status ? answer : undefined;
  });
}

describe.skipIf(problem !== undefined)('a key that the customer holds (HYOK)', () => {
  beforeAll(async () => {
    system = await useSystem();
    token = createSoftToken('customer');
    directory = mkdtempSync(path.join(tmpdir(), 'bailiwick-hyok-'));
    port = await findFreePort();
    tenant = await createTenant(system, {
      residencies: ['eu-de'],
      terms: {
        terms: 1,
        version: 1,
        keyCustody: 'hold-your-own',
        keyStalenessMsMax: STALENESS_MS,
      },
    });
    shop = await tenant.as('shop', 'eu-de');
    security = await tenant.as('security', 'eu-de');
  });

  afterAll(async () => {
    if (proxy !== undefined) await stopProxy();
    token?.remove();
    rmSync(directory, { recursive: true, force: true });
  });

  it('has no key until the customer’s is there: the contract asks for more than the cell’s own', async () => {
    const admin = await tenant.as('admin', 'eu-de');
    expect((await admin.call('PUT', '/v1/collections/customers', CUSTOMERS)).status).toBe(201);
    const refused = await write('too-early');
    expect(refused.status).toBe(503);
    expect(['KEYS_TENANT_UNKNOWN', 'KEYS_PROVIDER_MISCONFIGURED']).toContain(refused.body.code);
  });

  it('is set up in two commands', async () => {
    proxy = await startProxy();
    const added = await runBailiwick([
      ...['key-provider', 'add', 'acme', '--cell-config', cellFile('cell.yaml')],
      ...['--tenant', tenant.tenantId, '--home'],
      ...['--enrolment', path.join(proxyDirectory(), 'enrolment.json')],
      ...['--secret-file', path.join(proxyDirectory(), 'cell.secret')],
    ]);
    expect(added.stderr).toBe('');
    expect(JSON.parse(added.stdout)).toMatchObject({ provider: 'acme', kind: 'xks', isHome: true });
    const written = await untilAnswer('a first record', 201, () => write('first'));
    recordPath = `/v1/collections/customers/records/${written.body.recordId}`;
    expect((await read()).body.fields.name).toBe('Wilhelmina Testperson first');
    const keys = await security.call('GET', '/v1/keys');
    expect(keys.body.items[0]).toMatchObject({
      kind: 'customer-key',
      provider: 'xks',
      providerName: 'acme',
      stalenessMs: STALENESS_MS,
    });
  });

  it('does not take the same name twice, nor a proxy that does not answer', async () => {
    const again = await runBailiwick([
      ...['key-provider', 'add', 'acme', '--cell-config', cellFile('cell.yaml')],
      ...['--tenant', tenant.tenantId],
      ...['--enrolment', path.join(proxyDirectory(), 'enrolment.json')],
      ...['--secret-file', path.join(proxyDirectory(), 'cell.secret')],
    ]);
    expect(again.code).toBe(1);
    const enrolment = JSON.parse(
      readFileSync(path.join(proxyDirectory(), 'enrolment.json'), 'utf8'),
    );
    const elsewhere = path.join(directory, 'elsewhere.json');
    const free = await findFreePort();
    writeFileSync(elsewhere, JSON.stringify({ ...enrolment, url: `https://localhost:${free}` }));
    const absent = await runBailiwick([
      ...['key-provider', 'add', 'other', '--cell-config', cellFile('cell.yaml')],
      ...['--tenant', tenant.tenantId, '--enrolment', elsewhere],
      ...['--secret-file', path.join(proxyDirectory(), 'cell.secret')],
    ]);
    expect(absent.code).toBe(5);
    expect((await read()).status).toBe(200);
  });

  it('tells the customer who asked, for whom and why, and no key', () => {
    const log = readFileSync(path.join(proxyDirectory(), 'access.log'), 'utf8');
    const uses = log
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
      .filter((line) => JSON.stringify(line).includes(tenant.tenantId));
    expect(uses.length).toBeGreaterThan(1);
    expect(JSON.stringify(uses.at(-1))).toContain('eu-de/main');
    const secret = readFileSync(path.join(proxyDirectory(), 'cell.secret'), 'utf8').trim();
    expect(log).not.toContain(secret);
  });

  it('is turned, reported and asked about with the commands of the guide', async () => {
    const config = writeClientFile(system, { tenant, directory });
    const as = (account: string, ...args: string[]): ReturnType<typeof runBailiwick> =>
      runBailiwick([
        ...args,
        '--config',
        config,
        '--tenant',
        'own',
        '--account',
        account,
        '--json',
      ]);
    const penOf = (name: string): string => path.join(directory, `${name}.pen`);
    for (const name of ['alice', 'bob']) {
      const { key } = toJson(await runBailiwick(['key', 'pen', penOf(name), '--json']));
      const pinned = await runBailiwick([
        ...['key-approver', 'add', name, '--cell-config', cellFile('cell.yaml')],
        ...['--tenant', tenant.tenantId, '--key', String(key)],
      ]);
      expect(pinned.code, pinned.stderr).toBe(0);
    }
    const action = ['--kind', 'staleness', '--ms', String(STALENESS_MS)];
    const asked = toJson(
      await as('security', 'key', 'request', 'eu-de', ...action, '--pen', penOf('alice'), '--yes'),
    );
    expect(asked).toMatchObject({ state: 'open', signedBy: ['alice'] });
    const id = String(asked['keyRequestId']);
    const again = await as(
      'security',
      'key',
      'approve',
      'eu-de',
      id,
      '--pen',
      penOf('bob'),
      '--yes',
    );
    expect(again.code).not.toBe(0);
    const listed = toJson(await as('admin', 'key', 'requests', 'eu-de'));
    expect(JSON.stringify(listed)).toContain(id);
    const done = toJson(
      await as('admin', 'key', 'approve', 'eu-de', id, '--pen', penOf('bob'), '--yes'),
    );
    expect(done).toMatchObject({ state: 'done', signedBy: ['alice', 'bob'] });
    const keys = await security.call('GET', '/v1/keys');
    const tenantKey: string = keys.body.items[1].keyId;
    const turned = toJson(await as('security', 'key', 'rotate', 'eu-de', tenantKey, '--wait'));
    expect(turned).toMatchObject({ kind: 'tenant-key', state: 'done', toVersion: 2 });
    const report = toJson(await as('security', 'key', 'report', 'eu-de'));
    expect(report['tenantKeys']).toMatchObject([
      { version: 1, isDestroyable: true },
      { version: 2, isDestroyable: false },
    ]);
    expect((await read()).status).toBe(200);
  });

  it('is out of use within the staleness once the customer disables it at the token', async () => {
    expect((await read()).status).toBe(200);
    const switched = await atToken('disable');
    expect(switched.code).toBe(0);
    const disabledAtMs = performance.now();
    const refused = await untilAnswer('a refusal', 423, read);
    const tookMs = performance.now() - disabledAtMs;
    expect(refused.body.code).toBe('KEYS_CUSTOMER_KEY_DISABLED');
    expect(tookMs).toBeLessThan(STALENESS_MS);
    expect((await write('disabled')).status).toBe(423);
    expect((await atToken('enable')).code).toBe(0);
    await untilAnswer('the record again', 200, read);
  });

  it('reads on until the staleness ends while the proxy is away, and writes nothing', async () => {
    await untilAnswer('a fresh record', 201, () => write(`fresh-${Date.now()}`));
    const goneAtMs = performance.now();
    await stopProxy();
    const blocked = await untilAnswer('a write that is refused', 503, () =>
      write(`blocked-${Date.now()}`),
    );
    expect(blocked.body.code).toBe('KEYS_PROVIDER_UNAVAILABLE');
    expect(Number(blocked.headers['retry-after'])).toBeGreaterThanOrEqual(1);
    const ended = await untilAnswer('the end of the staleness', 503, read);
    expect(performance.now() - goneAtMs).toBeLessThan(STALENESS_MS + 500);
    expect(ended.body.code).toBe('KEYS_PROVIDER_UNAVAILABLE');
    expect(Number(ended.headers['retry-after'])).toBeGreaterThanOrEqual(1);
    proxy = await startProxy();
    await untilAnswer('the record when the proxy is back', 200, read);
    await untilAnswer('a write when the proxy is back', 201, () => write(`back-${Date.now()}`));
  });
});
