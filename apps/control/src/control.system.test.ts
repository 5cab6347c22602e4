// SPDX-License-Identifier: Apache-2.0
// Goal: the middle delivers signed, growing bundles to exactly the right cell, wakes at changes, and
// takes nothing personal. Method: a real control plane over a real database, callers with real
// identities; what is signed is verified as a cell would.
import { createHash, generateKeyPairSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  APPROVAL_PAYLOAD_TYPE,
  type ApprovalStatement,
  BUNDLE_PAYLOAD_TYPE,
  type Bundle,
  DELIVERY_PAYLOAD_TYPE,
  DIRECTORY_ENTRY_PAYLOAD_TYPE,
  FRESHNESS_PAYLOAD_TYPE,
  parseBundle,
  parseDirectoryEntry,
  parseFreshnessStatement,
  parseRouterDirectory,
  ROUTER_DIRECTORY_PAYLOAD_TYPE,
} from '@bailiwick/contracts';
import {
  type DsseEnvelope,
  type DssePinnedKey,
  parsePinnedKey,
  signDsse,
  toDsseSigner,
  toPublicKeyText,
  verifyDsse,
} from '@bailiwick/keys';
import {
  type Authority,
  createAuthority,
  type Identity,
  type IdentityFiles,
  mtlsClientOptions,
  openIdentity,
} from '@bailiwick/pki';
import { type TestDatabase, withTestDatabase } from '@bailiwick/postgres/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CONTROL_COLUMNS, type Control, findPersonalTraces, openControl } from './index.ts';

const DOMAIN = 'spiffe://bailiwick.localhost';
const CHARTER = readFileSync(
  path.resolve(import.meta.dirname, '../../../charters/retailer.yaml'),
  'utf8',
);
const NONCE = 'n'.repeat(22);
const TENANT = '01890a5d-ac96-774b-bcce-b302099a8057';

let directory: string;
let database: TestDatabase;
let control: Control;
let pinned: readonly DssePinnedKey[];
const identities = new Map<string, Identity>();
const cellKey = generateKeyPairSync('ed25519').privateKey;
const approver = toDsseSigner(generateKeyPairSync('ed25519').privateKey);

const filesOf = (name: string): IdentityFiles => ({
  certFile: path.join(directory, `${name}.pem`),
  keyFile: path.join(directory, `${name}.key`),
  bundleFile: path.join(directory, 'bundle.pem'),
});

async function issue(authority: Authority, name: string, suffix: string): Promise<void> {
  await authority.issueIdentity(filesOf(name), { spiffeId: `${DOMAIN}/${suffix}` });
  identities.set(name, openIdentity(filesOf(name)));
}

beforeAll(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'bailiwick-control-'));
  database = await withTestDatabase({ kind: 'control' });
  const authority = await createAuthority(path.join(directory, 'ca'), {
    trustDomain: 'bailiwick.localhost',
  });
  await issue(authority, 'control', 'control');
  await issue(authority, 'ann', 'operator/ann');
  await issue(authority, 'eu', 'cell/eu-de/main');
  await issue(authority, 'us', 'cell/us-va/main');
  await issue(authority, 'router', 'router');
  await issue(authority, 'keys', 'key-service/eu-de/main');
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  pinned = [parsePinnedKey(toPublicKeyText(publicKey))];
  const write = (name: string, text: string): string => {
    const file = path.join(directory, name);
    writeFileSync(file, text, { mode: 0o600 });
    return file;
  };
  mkdirSync(path.join(directory, 'logs'));
  control = await openControl({
    listen: { host: '127.0.0.1', port: 0 },
    identity: filesOf('control'),
    database: { urlFile: write('url', database.url), poolSize: 4 },
    signing: {
      keyFile: write('key', String(privateKey.export({ type: 'pkcs8', format: 'pem' }))),
    },
    directory: { validForMs: 60_000 },
    telemetry: { directory: path.join(directory, 'logs'), level: 'info' },
  });
});
afterAll(async () => {
  await control?.close();
  for (const identity of identities.values()) identity.close();
  await database?.close();
  rmSync(directory, { recursive: true, force: true });
});

interface Reply {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads answers of many shapes
  readonly body: any;
}

function call(
  who: string,
  method: string,
  url: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Reply> {
  const identity = identities.get(who);
  if (identity === undefined) throw new Error(`no identity ${who}`);
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        ...mtlsClientOptions(identity, { expect: `${DOMAIN}/control` }),
        host: '127.0.0.1',
        port: control.port,
        method,
        path: url,
        agent: false,
        headers: {
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('end', () => {
          resolve({ status: response.statusCode ?? 0, body: text === '' ? {} : JSON.parse(text) });
        });
        response.on('error', reject);
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

const aCell = (residency: string, port: number) => ({
  name: `${residency}.cells.bailiwick.localhost`,
  addresses: [{ host: '127.0.0.1', port }],
  spiffeId: `${DOMAIN}/cell/${residency}/main`,
  internal: { host: '127.0.0.1', port: port + 1 },
  location: residency.slice(0, 2),
  operator: residency.slice(0, 2),
});

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

function approve(statement: Partial<ApprovalStatement>): DsseEnvelope {
  const payload = Buffer.from(JSON.stringify({ v: 1, subject: 'charter', ...statement }));
  return signDsse({ payloadType: APPROVAL_PAYLOAD_TYPE, payload }, [approver]);
}

async function pull(who: string, cell: string, query = ''): Promise<Reply> {
  return await call(who, 'GET', `/v1/cells/${cell}/bundle?nonce=${NONCE}${query}`);
}

async function pullBundle(who = 'eu', cell = 'eu-de/main'): Promise<Bundle> {
  const { status, body } = await pull(who, cell);
  expect(status, JSON.stringify(body)).toBe(200);
  const options = { payloadType: BUNDLE_PAYLOAD_TYPE, keys: pinned };
  return parseBundle(verifyDsse(body.bundle, options).payload);
}

async function nextSerial(): Promise<number> {
  return (await call('ann', 'GET', '/v1/charter')).body.serial + 1;
}

describe('before there is anything', () => {
  it('has no bundle for a cell that nobody registered, and none without a charter', async () => {
    expect((await pull('eu', 'eu-de/main')).body.code).toBe('CONTROL_CELL_UNKNOWN');
    expect((await call('ann', 'PUT', '/v1/cells/eu-de/main', aCell('eu-de', 7410))).status).toBe(
      204,
    );
    expect((await call('ann', 'PUT', '/v1/cells/us-va/main', aCell('us-va', 7430))).status).toBe(
      204,
    );
    expect((await pull('eu', 'eu-de/main')).body.code).toBe('CONTROL_CHARTER_ABSENT');
    expect((await call('ann', 'GET', '/v1/charter')).body.serial).toBe(0);
  });
});

describe('the charter', () => {
  it('is refused when it is not valid, with the line', async () => {
    const text = CHARTER.replace(/^charter: 1$/m, 'charter: 1\nsurprise: yes');
    const { status, body } = await call('ann', 'PUT', '/v1/charter', { text, serial: 1 });
    expect([status, body.code]).toEqual([422, 'CONTROL_CHARTER_INVALID']);
    expect(body.errors[0].detail).toMatch(/^line \d+, column \d+: /);
  });

  it('is refused when it names a person', async () => {
    const text = `${CHARTER}\n# ask jane.doe@example.com`;
    const { body } = await call('ann', 'PUT', '/v1/charter', { text, serial: 1 });
    expect(body.code).toBe('CONTROL_PERSONAL_DATA_REFUSED');
    expect(JSON.stringify(body)).not.toContain('jane');
  });

  it('is put under the next serial and no other', async () => {
    for (const serial of [0, 2, 7]) {
      const { status } = await call('ann', 'PUT', '/v1/charter', { text: CHARTER, serial });
      expect(status).toBe(serial === 0 ? 400 : 409);
    }
    const { status, body } = await call('ann', 'PUT', '/v1/charter', { text: CHARTER, serial: 1 });
    expect([status, body]).toEqual([200, { serial: 1, textHash: sha256(CHARTER) }]);
    const again = await call('ann', 'PUT', '/v1/charter', { text: CHARTER, serial: 1 });
    expect(again.body.code).toBe('CONTROL_SERIAL_CONFLICT');
  });

  it('carries approvals that are for exactly this text and serial', async () => {
    const serial = await nextSerial();
    const text = `${CHARTER}\n# approved\n`;
    const good = { serial, hash: sha256(text) };
    const bad: readonly unknown[] = [
      approve({ ...good, serial: serial - 1 }),
      approve({ ...good, hash: sha256(CHARTER) }),
      approve({ ...good, subject: 'trust' }),
      { ...approve(good), payloadType: 'application/json' },
      { ...approve(good), signatures: [] },
      { payload: 'x' },
    ];
    for (const approval of bad) {
      const { status } = await call('ann', 'PUT', '/v1/charter', {
        text,
        serial,
        approvals: [approval],
      });
      expect([400, 422]).toContain(status);
    }
    const approvals = [approve(good)];
    expect((await call('ann', 'PUT', '/v1/charter', { text, serial, approvals })).status).toBe(200);
    const bundle = await pullBundle();
    expect(bundle.charter).toMatchObject({ serial, text, textHash: sha256(text) });
    expect(bundle.approvals).toEqual(approvals);
  });
});

describe('tenants', () => {
  const tenant = {
    tenantId: TENANT,
    homes: [
      { residency: 'eu-de', cell: 'eu-de/main' },
      { residency: 'us-va', cell: 'us-va/main' },
    ],
  };
  const post = (body: unknown, key?: string) =>
    call('ann', 'POST', '/v1/tenants', body, key === undefined ? {} : { 'idempotency-key': key });

  it('are added once for each idempotency key', async () => {
    expect((await post(tenant)).body.code).toBe('CONTROL_IDEMPOTENCY_KEY_MISSING');
    const first = await post(tenant, 'tenant-one');
    expect([first.status, first.body.tenantId]).toEqual([201, TENANT]);
    expect(await post(tenant, 'tenant-one')).toEqual(first);
    const other = await post({ ...tenant, state: 'suspended' }, 'tenant-one');
    expect([other.status, other.body.code]).toEqual([422, 'CONTROL_IDEMPOTENCY_KEY_REUSED']);
    expect((await post(tenant, 'tenant-two')).body.code).toBe('CONTROL_TENANT_EXISTS');
  });

  it.each([
    ['has no home', { homes: [] }, 'CONTROL_INPUT_INVALID'],
    [
      'lives in a cell of another residency',
      { homes: [{ residency: 'eu-de', cell: 'us-va/main' }] },
      'CONTROL_HOME_INVALID',
    ],
    [
      'lives in a cell that is not there',
      { homes: [{ residency: 'au-syd', cell: 'au-syd/main' }] },
      'CONTROL_HOME_INVALID',
    ],
    [
      'lives twice in one residency',
      { homes: [tenant.homes[0], tenant.homes[0]] },
      'CONTROL_HOME_INVALID',
    ],
    ['has a name', { name: 'Acme Ltd' }, 'CONTROL_INPUT_INVALID'],
    ['has an id that is no uuid', { tenantId: 'acme' }, 'CONTROL_INPUT_INVALID'],
    ['has terms that cannot be read', { terms: { terms: 2 } }, 'CONTROL_TERMS_INVALID'],
    [
      'has terms with an unknown key',
      { terms: { terms: 1, version: 1, contact: 'x' } },
      'CONTROL_TERMS_INVALID',
    ],
    [
      'has terms with a mail address',
      { terms: { terms: 1, version: 1, contact: 'a@b.example' } },
      'CONTROL_PERSONAL_DATA_REFUSED',
    ],
    ['is in an unknown state', { state: 'happy' }, 'CONTROL_INPUT_INVALID'],
  ])('are refused when one %s', async (_, change, code) => {
    const { tenantId: _id, ...rest } = tenant;
    const { body } = await post({ ...rest, ...change }, `refused-${code}-${Math.random()}`);
    expect(body.code).toBe(code);
  });

  it('reach the bundles of their homes, opaque, with their terms', async () => {
    const terms = { terms: 1, version: 1, purposes: ['analytics'] };
    const put = await call('ann', 'PUT', `/v1/tenants/${TENANT}`, { homes: tenant.homes, terms });
    expect([put.status, put.body.termsSerial]).toEqual([200, 2]);
    for (const [who, cell] of [
      ['eu', 'eu-de/main'],
      ['us', 'us-va/main'],
    ] as const) {
      const bundle = await pullBundle(who, cell);
      expect(bundle.tenants).toEqual([
        {
          tenantId: TENANT,
          state: 'active',
          residencies: ['eu-de', 'us-va'],
          terms,
          termsSerial: 2,
          termsHash: put.body.termsHash,
        },
      ]);
      expect(bundle.homes).toEqual(tenant.homes.map((home) => ({ tenantId: TENANT, ...home })));
      expect(bundle.cells.map(({ cell: id }) => id)).toEqual(['eu-de/main', 'us-va/main']);
    }
  });

  it('are not in the bundle of a cell where they have no home', async () => {
    const other = { homes: [{ residency: 'us-va', cell: 'us-va/main' }] };
    const added = await post(other, 'only-us-tenant');
    const { tenants, homes } = await pullBundle();
    expect(JSON.stringify({ tenants, homes })).not.toContain(added.body.tenantId);
  });
});

describe('bundles', () => {
  it('keep their serial while nothing changes and grow when something does', async () => {
    const first = await pullBundle();
    expect((await pullBundle()).serial).toBe(first.serial);
    await call('ann', 'PUT', '/v1/cells/us-va/main', { ...aCell('us-va', 7430), operator: 'de' });
    expect((await pullBundle()).serial).toBe(first.serial + 1);
  });

  it('come with freshness bound to cell, serial and nonce', async () => {
    const { body } = await pull('eu', 'eu-de/main');
    const options = { payloadType: FRESHNESS_PAYLOAD_TYPE, keys: pinned };
    const fresh = parseFreshnessStatement(verifyDsse(body.freshness, options).payload);
    const bundle = await pullBundle();
    expect(fresh).toMatchObject({ cell: 'eu-de/main', serial: bundle.serial, nonce: NONCE });
    expect(fresh.validForMs).toBe(bundle.charter.freshForMs);
  });

  it('are left out when the cell has the newest', async () => {
    const { serial } = await pullBundle();
    const { body } = await pull('eu', 'eu-de/main', `&after=${serial}`);
    expect(Object.keys(body)).toEqual(['freshness']);
  });

  it('wake a pull that waits, at once', async () => {
    const { serial } = await pullBundle();
    const waiting = pull('eu', 'eu-de/main', `&after=${serial}&waitMs=20000`);
    const next = await nextSerial();
    const startedMs = performance.now();
    await call('ann', 'PUT', '/v1/charter', { text: `${CHARTER}\n# woken\n`, serial: next });
    const { body } = await waiting;
    expect(performance.now() - startedMs).toBeLessThan(1000);
    const verified = verifyDsse(body.bundle, { payloadType: BUNDLE_PAYLOAD_TYPE, keys: pinned });
    expect(parseBundle(verified.payload).charter.serial).toBe(next);
  });

  it('wake a pull when another control process changes something', async () => {
    const { serial } = await pullBundle();
    let woken: Reply | undefined;
    const waiting = pull('eu', 'eu-de/main', `&after=${serial}&waitMs=20000`).then((reply) => {
      woken = reply;
    });
    await database.asOwner(`UPDATE control.cells SET operator = 'us' WHERE cell = 'us-va/main'`);
    await expect
      .poll(
        async () => {
          await database.asOwner('UPDATE control.revision SET revision = revision + 1');
          return Object.keys(woken?.body ?? {});
        },
        { timeout: 10_000, interval: 200 },
      )
      .toContain('bundle');
    await waiting;
  });

  it('never wait so long that the freshness would arrive stale', async () => {
    const serial = await nextSerial();
    const text = CHARTER.replace(/^freshFor: .*$/m, '').replace(
      /^charter: 1$/m,
      'charter: 1\nfreshFor: 1s',
    );
    await call('ann', 'PUT', '/v1/charter', { text, serial });
    const bundle = await pullBundle();
    expect(bundle.charter.freshForMs).toBe(1000);
    const startedMs = performance.now();
    await pull('eu', 'eu-de/main', `&after=${bundle.serial}&waitMs=20000`);
    expect(performance.now() - startedMs).toBeLessThan(900);
  });

  it.each([
    ['without a nonce', ''],
    ['with a short nonce', '?nonce=abc'],
    ['with two nonces', `?nonce=${NONCE}&nonce=${NONCE}`],
    ['with a nonce of other letters', `?nonce=${'ü'.repeat(20)}`],
    ['with a negative serial', `?nonce=${NONCE}&after=-1`],
    ['with a serial that is no number', `?nonce=${NONCE}&after=x`],
    ['with an endless wait', `?nonce=${NONCE}&waitMs=99999999`],
  ])('are refused %s', async (_, query) => {
    const { status, body } = await call(
      'eu',
      'GET',
      `/v1/cells/eu-de/main/bundle${encodeURI(query)}`,
    );
    expect([status, body.code]).toEqual([400, 'CONTROL_INPUT_INVALID']);
  });
});

describe('a mechanism that is suspended', () => {
  it('is a new charter under a new serial, comments kept', async () => {
    const serial = await nextSerial();
    await call('ann', 'PUT', '/v1/charter', { text: CHARTER, serial });
    const { status, body } = await call('ann', 'POST', '/v1/mechanism-suspensions', {
      mechanism: 'scc',
    });
    expect([status, body.serial]).toEqual([201, serial + 1]);
    const { charter } = await pullBundle();
    expect(charter.serial).toBe(serial + 1);
    expect(charter.text).toMatch(/suspendedFrom: .?\d{4}-/);
    expect(charter.text.split('\n')[0]).toBe(CHARTER.split('\n')[0]);
  });

  it('must be one that the charter names', async () => {
    for (const mechanism of ['privacy-shield', 'constructor', '__proto__']) {
      const { status } = await call('ann', 'POST', '/v1/mechanism-suspensions', { mechanism });
      expect([400, 404]).toContain(status);
    }
  });
});

describe('who may do what', () => {
  const nobody = ['eu', 'router'] as const;
  it.each([
    ['PUT', '/v1/charter', ['eu', 'router']],
    ['GET', '/v1/charter', nobody],
    ['POST', '/v1/mechanism-suspensions', nobody],
    ['POST', '/v1/tenants', nobody],
    ['GET', '/v1/tenants', nobody],
    ['PUT', `/v1/tenants/${TENANT}`, nobody],
    ['PUT', '/v1/cells/eu-de/main', ['eu', 'us', 'router']],
    ['GET', '/v1/cells', nobody],
    ['PUT', '/v1/cells/eu-de/main/signing-key', ['us', 'router', 'ann']],
    ['GET', `/v1/cells/eu-de/main/bundle?nonce=${NONCE}`, ['us', 'router', 'ann']],
    ['GET', '/v1/router-directory', ['eu', 'ann']],
    ['POST', '/v1/rollups', ['ann', 'router']],
    ['GET', '/v1/rollups', ['eu', 'router']],
    ['POST', '/v1/deliveries', ['ann', 'router']],
    ['GET', '/v1/deliveries', ['eu', 'router']],
  ] as const)('%s %s is refused to others', async (method, url, others) => {
    for (const who of others) {
      const { status, body } = await call(who, method, url, method === 'GET' ? undefined : {});
      expect([who, status, body.code]).toEqual([who, 403, 'CONTROL_PEER_FORBIDDEN']);
    }
  });

  it('cuts off an identity that has no business here', async () => {
    await expect(call('keys', 'GET', '/v1/health')).rejects.toThrow();
  });

  it('refuses to register a cell under the identity of another', async () => {
    const { body } = await call('ann', 'PUT', '/v1/cells/eu-de/other', aCell('eu-de', 7500));
    expect(body.code).toBe('CONTROL_INPUT_INVALID');
    const operator = { ...aCell('eu-de', 7500), spiffeId: `${DOMAIN}/operator/ann` };
    expect((await call('ann', 'PUT', '/v1/cells/eu-de/main', operator)).status).toBe(400);
    const own = { ...aCell('eu-de', 7500), spiffeId: `${DOMAIN}/cell/eu-de/other` };
    const name = await call('ann', 'PUT', '/v1/cells/eu-de/other', own);
    expect([name.status, name.body.code]).toEqual([409, 'CONTROL_CELL_CONFLICT']);
  });

  it('answers unknown routes and broken bodies with a problem', async () => {
    expect((await call('ann', 'GET', '/v1/people')).body.code).toBe('CONTROL_ROUTE_UNKNOWN');
    const broken = await call('ann', 'PUT', '/v1/charter', 'not an object');
    expect([broken.status, broken.body.code]).toEqual([400, 'CONTROL_INPUT_INVALID']);
    const large = await call('ann', 'PUT', '/v1/charter', { text: 'x'.repeat(5_000_000) });
    expect(large.status).toBe(413);
  });
});

describe('the directory', () => {
  it('gives the router all homes, each signed by itself, and the keys of claims', async () => {
    const key = toPublicKeyText(cellKey);
    expect((await call('eu', 'PUT', '/v1/cells/eu-de/main/signing-key', { key })).status).toBe(204);
    const { body } = await call('router', 'GET', '/v1/router-directory');
    const options = { payloadType: ROUTER_DIRECTORY_PAYLOAD_TYPE, keys: pinned };
    const found = parseRouterDirectory(verifyDsse(body.directory, options).payload);
    expect(found.claimKeys).toEqual([{ issuer: 'eu-de.cells.bailiwick.localhost', key }]);
    const home = found.entries.find(
      ({ tenantId, residency }) => tenantId === TENANT && residency === 'eu-de',
    );
    const entry = parseDirectoryEntry(
      verifyDsse(home?.envelope, { payloadType: DIRECTORY_ENTRY_PAYLOAD_TYPE, keys: pinned })
        .payload,
    );
    expect(entry).toMatchObject({ cell: 'eu-de/main', name: 'eu-de.cells.bailiwick.localhost' });
    const again = await call('router', 'GET', `/v1/router-directory?after=${found.serial}`);
    expect(again.body).toEqual({});
    const asked = await call('eu', 'GET', `/v1/directory/tenants/${TENANT}/residencies/us-va`);
    expect(asked.status).toBe(200);
    const none = await call('eu', 'GET', `/v1/directory/tenants/${TENANT}/residencies/au-syd`);
    expect(none.status).toBe(404);
  });

  it('keeps the first key that a cell announces', async () => {
    const key = toPublicKeyText(generateKeyPairSync('ed25519').publicKey);
    const { body } = await call('eu', 'PUT', '/v1/cells/eu-de/main/signing-key', { key });
    expect(body.code).toBe('CONTROL_KEY_CONFLICT');
    const same = { key: toPublicKeyText(cellKey) };
    expect((await call('eu', 'PUT', '/v1/cells/eu-de/main/signing-key', same)).status).toBe(204);
  });

  it('leaves out a tenant that is suspended', async () => {
    const homes = [{ residency: 'eu-de', cell: 'eu-de/main' }];
    const { body } = await call(
      'ann',
      'POST',
      '/v1/tenants',
      { homes },
      { 'idempotency-key': 'suspended' },
    );
    const { tenantId } = body;
    const url = `/v1/directory/tenants/${tenantId}/residencies/eu-de`;
    expect((await call('ann', 'GET', url)).status).toBe(200);
    await call('ann', 'PUT', `/v1/tenants/${tenantId}`, { homes, state: 'suspended' });
    expect((await call('ann', 'GET', url)).status).toBe(404);
  });
});

describe('what cells tell', () => {
  const delivery = {
    v: 1,
    deliveryId: '01890a5d-ac96-774b-bcce-b302099a9001',
    from: 'eu-de/main',
    tenantId: TENANT,
    series: 'orders',
    purpose: 'statistics',
    at: '2026-11-20T12:00:00Z',
    minimumCount: 10,
    groupBy: ['country', 'month'],
    measures: ['total'],
    groups: [
      { values: ['de', '2026-10'], count: 120, sums: [10_234.5] },
      { values: ['fr', '2026-10'], count: 44, sums: [-12] },
    ],
  };
  const sign = (value: unknown, key = cellKey): DsseEnvelope =>
    signDsse({ payloadType: DELIVERY_PAYLOAD_TYPE, payload: Buffer.from(JSON.stringify(value)) }, [
      toDsseSigner(key),
    ]);
  const deliver = (value: unknown, who = 'eu') => call(who, 'POST', '/v1/deliveries', value);

  it('takes an aggregate once', async () => {
    expect((await deliver(sign(delivery))).status).toBe(201);
    expect((await deliver(sign(delivery))).status).toBe(200);
    const { body } = await call('ann', 'GET', '/v1/deliveries');
    expect(body.items).toHaveLength(1);
    expect(body.items[0].groups).toEqual(delivery.groups);
    const changed = { ...delivery, groups: delivery.groups.slice(1) };
    expect((await deliver(sign(changed))).body.code).toBe('CONTROL_DELIVERY_REFUSED');
  });

  const group = (change: Record<string, unknown>) => ({
    groups: [{ ...delivery.groups[0], ...change }],
  });
  it.each([
    ['a small group', group({ count: 9 })],
    ['a group under its own minimum', { minimumCount: 200 }],
    ['a minimum under ten', { minimumCount: 5 }],
    ['a name for a country', group({ values: ['jane doe', '2026-10'] })],
    ['a mail address for a country', group({ values: ['a@b.example', '2026-10'] })],
    ['a day for a month', group({ values: ['de', '2026-10-05'] })],
    ['a dimension of persons', { groupBy: ['email', 'month'] }],
    ['too few values', group({ values: ['de'] })],
    ['too many sums', group({ sums: [1, 2] })],
    ['a text for a sum', group({ sums: ['1'] })],
    ['one group twice', { groups: [delivery.groups[0], delivery.groups[0]] }],
    ['a remark', { remark: 'hello' }],
    ['a person for a series', { series: 'orders-of-jane.doe@example.com' }],
    ['an id for a series', { series: 'customer-4711' }],
    ['another cell as its origin', { from: 'us-va/main' }],
    ['a tenant that lives elsewhere', { tenantId: '01890a5d-ac96-774b-bcce-b302099a9999' }],
  ])('refuses an aggregate with %s', async (_, change) => {
    const id = '01890a5d-ac96-774b-bcce-b302099a9002';
    const { status, body } = await deliver(sign({ ...delivery, deliveryId: id, ...change }));
    expect(status, JSON.stringify(body)).toBe(422);
    expect(JSON.stringify(body)).not.toMatch(/jane|b\.example|4711/);
    const { body: all } = await call('ann', 'GET', '/v1/deliveries');
    expect(all.items).toHaveLength(1);
  });

  it('refuses an aggregate that its cell did not sign', async () => {
    const other = generateKeyPairSync('ed25519').privateKey;
    const fresh = { ...delivery, deliveryId: '01890a5d-ac96-774b-bcce-b302099a9003' };
    expect((await deliver(sign(fresh, other))).body.code).toBe('CONTROL_DELIVERY_REFUSED');
    expect((await deliver(fresh)).body.code).toBe('CONTROL_DELIVERY_REFUSED');
    expect((await deliver(sign(fresh), 'us')).body.code).toBe('CONTROL_DELIVERY_REFUSED');
  });

  it('adds up counters, each period once', async () => {
    const rollup = {
      v: 1,
      periodStart: '2026-11-20T12:00:00Z',
      periodMs: 60_000,
      counters: { seals: 10, openings: 3 },
    };
    for (const seals of [5, 10]) {
      const sent = { ...rollup, counters: { ...rollup.counters, seals } };
      expect((await call('eu', 'POST', '/v1/rollups', sent)).status).toBe(204);
    }
    const { body } = await call('ann', 'GET', '/v1/rollups');
    expect(body.items).toEqual([
      { cell: 'eu-de/main', counter: 'openings', total: 3 },
      { cell: 'eu-de/main', counter: 'seals', total: 10 },
    ]);
    for (const bad of [
      { ...rollup, counters: { 'jane.doe@example.com': 1 } },
      { ...rollup, counters: { seals: -1 } },
      { ...rollup, counters: { seals: 'many' } },
      { ...rollup, periodStart: '2026-11-20T12:00:31Z' },
      { ...rollup, tenantId: TENANT },
    ]) {
      expect((await call('eu', 'POST', '/v1/rollups', bad)).body.code).toBe(
        'CONTROL_INPUT_INVALID',
      );
    }
  });
});

describe('the database of the middle', () => {
  it('has no column without a reason, and no reason without a column', async () => {
    const rows = await database.asOwner<{ name: string }>(
      `SELECT table_name || '.' || column_name AS name FROM information_schema.columns
       WHERE table_schema = 'control' ORDER BY 1`,
    );
    expect(rows.length).toBeGreaterThan(50);
    expect(rows.map(({ name }) => name)).toEqual(Object.keys(CONTROL_COLUMNS).sort());
  });

  it('has tables in no other schema', async () => {
    const rows = await database.asOwner<{ name: string }>(
      `SELECT table_schema || '.' || table_name AS name FROM information_schema.tables
       WHERE table_schema NOT IN ('control', 'pg_catalog', 'information_schema')`,
    );
    expect(rows.map(({ name }) => name)).toEqual(['bailiwick.migrations']);
  });

  it('gives every column of text a form that it must match', async () => {
    const rows = await database.asOwner<{ name: string; checked: boolean }>(
      `SELECT c.relname || '.' || a.attname AS name, EXISTS (SELECT FROM pg_constraint k
         WHERE k.conrelid = c.oid AND k.contype IN ('c', 'f') AND a.attnum = ANY (k.conkey)) AS checked
       FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
       WHERE c.relnamespace = 'control'::regnamespace AND c.relkind = 'r' AND a.attnum > 0
         AND a.atttypid IN ('text'::regtype, 'text[]'::regtype)`,
    );
    expect(rows.length).toBeGreaterThan(20);
    expect(rows.filter(({ checked }) => !checked)).toEqual([]);
  });

  it('lets the process rewrite neither law nor approvals', async () => {
    const tx = database.open(1);
    for (const table of ['charters', 'approvals', 'deliveries', 'delivery_groups']) {
      await expect(tx.pool.query(`DELETE FROM control.${table}`)).rejects.toMatchObject({
        code: '42501',
      });
    }
  });

  it('is walked whole by the search for traces, which finds what was planted', async () => {
    const client = {
      query: async (sql: string, values?: unknown[]) => ({
        rows: await database.asOwner(sql, values),
      }),
    };
    const values = ['Wolfgang Müller', 'jane.doe@example.com', '+49 170 1234567', 'abc'];
    const clean = await findPersonalTraces(client, values);
    expect(clean.traces).toEqual([]);
    expect(clean.tablesCount).toBeGreaterThan(10);
    expect(clean.rowsCount).toBeGreaterThan(30);
    await database.asOwner('CREATE TABLE control.leak (remark text)');
    const planted = {
      plain: 'order of JANE.DOE@example.com',
      base64: Buffer.from('x: Wolfgang Müller!').toString('base64'),
      hex: Buffer.from('Wolfgang Müller').toString('hex'),
      sha256: sha256('jane.doe@example.com'),
      url: encodeURIComponent('Wolfgang Müller'),
    };
    for (const [form, text] of Object.entries(planted)) {
      await database.asOwner('DELETE FROM control.leak');
      await database.asOwner('INSERT INTO control.leak VALUES ($1)', [text]);
      const { traces } = await findPersonalTraces(client, values);
      expect(traces.map((trace) => [trace.table, trace.form])).toContainEqual(['leak', form]);
      expect(JSON.stringify(traces)).not.toMatch(/jane|wolfgang/i);
    }
    await database.asOwner('DROP TABLE control.leak');
  });

  it('holds nothing of a refused request, nor does the log', async () => {
    const client = {
      query: async (sql: string, values?: unknown[]) => ({
        rows: await database.asOwner(sql, values),
      }),
    };
    const values = ['jane.doe@example.com', 'jane doe', 'a@b.example', 'Acme Ltd'];
    expect((await findPersonalTraces(client, values)).traces).toEqual([]);
    const log = readFileSync(path.join(directory, 'logs', 'control.log'), 'utf8');
    expect(log).not.toMatch(/jane|b\.example|acme/i);
  });
});
