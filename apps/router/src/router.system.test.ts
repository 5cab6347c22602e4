// SPDX-License-Identifier: Apache-2.0
// Goal: discovery for who has a claim, pass-through to known cells, and nothing for anybody else, however
// they send it. Method: a real router on a signed directory kept on disk while control is away, real TLS
// cells behind it, callers that misbehave on the raw socket.
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpsServer, type Server as HttpsServer, request } from 'node:https';
import {
  type AddressInfo,
  connect as connectTcp,
  createServer,
  type Server,
  type Socket,
} from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from 'node:tls';
import {
  DIRECTORY_ENTRY_PAYLOAD_TYPE,
  parseDirectoryEntry,
  ROUTER_DIRECTORY_PAYLOAD_TYPE,
  type RouterConfig,
} from '@bailiwick/contracts';
import { parseResidency, parseTenantId } from '@bailiwick/kernel';
import {
  type DsseEnvelope,
  parsePinnedKey,
  signDsse,
  toDsseKeyId,
  toDsseSigner,
  toPublicKeyText,
  verifyDsse,
} from '@bailiwick/keys';
import { createTokenIssuer } from '@bailiwick/oidc';
import { type Authority, createAuthority, createMtlsServer, openIdentity } from '@bailiwick/pki';
import { createSeededRandom } from '@bailiwick/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openRouter, type Router } from './index.ts';

const NAME = 'bailiwick.localhost';
const CELL = 'eu-de.cells.bailiwick.localhost';
const ECHO = 'us-va.cells.bailiwick.localhost';
const DOWN = 'au-syd.cells.bailiwick.localhost';
const TENANT = '01890a5d-ac96-774b-bcce-b302099a8057';
const STRANGER = '01890a5d-ac96-774b-bcce-b302099a8058';
const CONTROL = 'spiffe://bailiwick.localhost/control';

const bundleKey = generateKeyPairSync('ed25519');
const cellKey = generateKeyPairSync('ed25519');
const clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };
const random = createSeededRandom('router');

let directory: string;
let authority: Authority;
let ca: string;
let cell: HttpsServer;
let echo: Server;
let router: Router;
const extraRouters: Router[] = [];
const open: Socket[] = [];

const file = (name: string): string => path.join(directory, name);
const portOf = (server: Server): number => (server.address() as AddressInfo).port;
const listen = async (server: Server): Promise<void> => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
};

async function publicFiles(name: string): Promise<{ key: string; cert: string }> {
  const files = {
    certFile: file(`${name}.pem`),
    keyFile: file(`${name}.key`),
    bundleFile: file('bundle.pem'),
  };
  await authority.issueIdentity(files, { dnsNames: [name] });
  return { key: readFileSync(files.keyFile, 'utf8'), cert: readFileSync(files.certFile, 'utf8') };
}

const sign = (payloadType: string, value: unknown, key = bundleKey.privateKey): DsseEnvelope =>
  signDsse({ payloadType, payload: Buffer.from(JSON.stringify(value)) }, [toDsseSigner(key)]);

function aDirectory(serial: number): unknown {
  const issuedAt = '2026-11-20T12:00:00Z';
  const cells = [
    ['eu-de', CELL, portOf(cell)],
    ['us-va', ECHO, portOf(echo)],
    ['au-syd', DOWN, 1],
  ].map(([residency, name, port]) => ({
    cell: `${residency}/main`,
    residency,
    name,
    addresses: [{ host: '127.0.0.1', port }],
  }));
  const entries = cells.map((home) => ({
    tenantId: TENANT,
    residency: home.residency,
    cell: home.cell,
    envelope: sign(DIRECTORY_ENTRY_PAYLOAD_TYPE, {
      v: 1,
      tenantId: TENANT,
      ...home,
      issuedAt,
      validForMs: 60_000,
    }),
  }));
  const claimKeys = [{ issuer: CELL, key: toPublicKeyText(cellKey.publicKey) }];
  return { v: 1, serial, issuedAt, cells, claimKeys, entries };
}

function aConfig(name: string, change: Partial<RouterConfig['limits']> = {}): RouterConfig {
  const state = file(`state-${name}`);
  mkdirSync(state, { recursive: true });
  mkdirSync(file(`logs-${name}`), { recursive: true });
  return {
    listen: { host: '127.0.0.1', port: 0 },
    name: NAME,
    certificate: { certFile: file(`${NAME}.pem`), keyFile: file(`${NAME}.key`) },
    identity: { certFile: file('id.pem'), keyFile: file('id.key'), bundleFile: file('bundle.pem') },
    control: {
      url: 'https://127.0.0.1:1',
      spiffeId: CONTROL,
      bundleKeys: [toPublicKeyText(bundleKey.publicKey)],
      pollMs: 20,
    },
    state,
    limits: {
      connectionsCountMax: 200,
      connectionsPerSourceCountMax: 100,
      helloMsMax: 400,
      idleMsMax: 10_000,
      ...change,
    },
    telemetry: { directory: file(`logs-${name}`), level: 'debug' },
  };
}

const keep = (config: RouterConfig, envelope: unknown): void =>
  writeFileSync(path.join(config.state, 'directory.json'), JSON.stringify(envelope));

async function start(name: string, change: Partial<RouterConfig['limits']> = {}): Promise<Router> {
  const config = aConfig(name, change);
  keep(config, sign(ROUTER_DIRECTORY_PAYLOAD_TYPE, aDirectory(5)));
  const started = await openRouter(config);
  extraRouters.push(started);
  return started;
}

beforeAll(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'bailiwick-router-'));
  authority = await createAuthority(file('ca'), { trustDomain: 'bailiwick.localhost' });
  ca = authority.bundle;
  const ids = { certFile: file('id.pem'), keyFile: file('id.key'), bundleFile: file('bundle.pem') };
  await authority.issueIdentity(ids, { spiffeId: 'spiffe://bailiwick.localhost/router' });
  await publicFiles(NAME);
  cell = createHttpsServer(await publicFiles(CELL), (incoming, response) => {
    let size = 0;
    incoming.on('data', (chunk: Buffer) => {
      size += chunk.length;
    });
    incoming.on('end', () => response.end(`cell got ${size} at ${incoming.headers.host}`));
  });
  await listen(cell);
  echo = createTlsServer({ ...(await publicFiles(ECHO)), allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  await listen(echo);
  router = await start('main');
});
afterEach(() => {
  for (const socket of open.splice(0)) socket.destroy();
});
afterAll(async () => {
  for (const one of extraRouters) await one.close();
  cell?.closeAllConnections();
  for (const server of [cell, echo]) server?.close();
  rmSync(directory, { recursive: true, force: true });
});

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

interface Question {
  readonly servername?: string;
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  readonly port?: number;
}

function ask(options: Question): Promise<Answer> {
  const { servername = NAME, port = router.port, body } = options;
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host: '127.0.0.1',
        port,
        servername,
        ca,
        agent: false,
        method: options.method ?? 'GET',
        path: options.path ?? '/',
        headers: { host: servername, ...options.headers },
      },
      (response) => {
        let text = '';
        response.on('data', (chunk) => {
          text += chunk;
        });
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
        );
        response.on('error', reject);
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

async function aClaim(
  change: {
    readonly tenantId?: string;
    readonly residency?: string;
    readonly issuer?: string;
    readonly key?: typeof cellKey.privateKey;
  } = {},
): Promise<string> {
  const {
    tenantId = TENANT,
    residency = 'eu-de',
    issuer = CELL,
    key = cellKey.privateKey,
  } = change;
  const keyId = toDsseKeyId(cellKey.publicKey);
  const { token } = await createTokenIssuer(
    { clock, random },
    { issuer, keyId, privateKey: key },
  ).issueResidencyClaim(
    { tenantId: parseTenantId(tenantId), residency: parseResidency(residency) },
    { validForMs: 60_000 },
  );
  return token;
}

const HOME = `/v1/tenants/${TENANT}/residencies/eu-de`;

describe('discovery', () => {
  it('gives the signed entry to who has a claim for it', async () => {
    const headers = { 'bailiwick-residency': await aClaim() };
    const { status, text } = await ask({ path: HOME, headers });
    expect(status, text).toBe(200);
    const keys = [parsePinnedKey(toPublicKeyText(bundleKey.publicKey))];
    const options = { payloadType: DIRECTORY_ENTRY_PAYLOAD_TYPE, keys };
    const entry = parseDirectoryEntry(verifyDsse(JSON.parse(text), options).payload);
    expect(entry).toMatchObject({ tenantId: TENANT, residency: 'eu-de', name: CELL });
  });

  type ClaimCase = readonly [string, (() => Promise<string>) | undefined, number, string];
  const refused: readonly ClaimCase[] = [
    ['no claim', undefined, 401, 'ROUTER_CLAIM_MISSING'],
    ['an empty claim', async () => '', 403, 'ROUTER_CLAIM_INVALID'],
    ['garbage for a claim', async () => 'x.y.z', 403, 'ROUTER_CLAIM_INVALID'],
    [
      'a claim of another tenant',
      () => aClaim({ tenantId: STRANGER }),
      403,
      'ROUTER_CLAIM_FORBIDDEN',
    ],
    [
      'a claim of another residency',
      () => aClaim({ residency: 'us-va' }),
      403,
      'ROUTER_CLAIM_FORBIDDEN',
    ],
    [
      'a claim of an unknown issuer',
      () => aClaim({ issuer: 'x.example' }),
      403,
      'ROUTER_CLAIM_INVALID',
    ],
    [
      'a claim that a stranger signed',
      () => aClaim({ key: generateKeyPairSync('ed25519').privateKey }),
      403,
      'ROUTER_CLAIM_INVALID',
    ],
  ];
  it.each(refused)('refuses %s', async (_, make, status, code) => {
    const headers = make === undefined ? {} : { 'bailiwick-residency': await make() };
    const answer = await ask({ path: HOME, headers });
    expect([answer.status, JSON.parse(answer.text).code]).toEqual([status, code]);
    expect(answer.headers['connection']).toBe('close');
  });

  it('knows no home for a tenant that the directory does not have', async () => {
    const headers = { 'bailiwick-residency': await aClaim({ tenantId: STRANGER }) };
    const answer = await ask({ path: `/v1/tenants/${STRANGER}/residencies/eu-de`, headers });
    expect([answer.status, JSON.parse(answer.text).code]).toEqual([404, 'ROUTER_HOME_UNKNOWN']);
  });

  const others: readonly (readonly [string, Question])[] = [
    ['a payload route', { path: '/v1/collections/customers/records' }],
    ['a POST', { method: 'POST', path: HOME, body: '{"name":"Jane Doe"}' }],
    ['a GET with a body', { path: HOME, headers: { 'content-length': '4' }, body: 'name' }],
    ['a HEAD', { method: 'HEAD', path: HOME }],
    ['a query', { path: `${HOME}?name=jane` }],
    ['a longer path', { path: `${HOME}/x` }],
    ['an escaped path', { path: HOME.replace('eu-de', 'eu%2Dde') }],
    ['an upper-case id', { path: HOME.replace(TENANT, TENANT.toUpperCase()) }],
    ['another host', { path: HOME, headers: { host: CELL } }],
  ];
  it.each(others)('answers %s with 421 and the name of the home', async (_, options) => {
    const claim = { 'bailiwick-residency': await aClaim() };
    const answer = await ask({ ...options, headers: { ...claim, ...options.headers } });
    expect(answer.status).toBe(421);
    expect(answer.headers['connection']).toBe('close');
    if (options.method === 'HEAD') return;
    expect(JSON.parse(answer.text)).toMatchObject({
      code: 'ROUTER_DISCOVERY_ONLY',
      home: { cell: 'eu-de/main', name: CELL },
    });
  });

  it('names no home to who has no claim', async () => {
    const { status, text } = await ask({ path: '/', method: 'POST', body: 'x' });
    expect(status).toBe(421);
    expect(JSON.parse(text).home).toBeUndefined();
  });

  it('leaves a large body unread and cuts the sender off', async () => {
    const socket = connectTls({ host: '127.0.0.1', port: router.port, servername: NAME, ca });
    open.push(socket);
    await once(socket, 'secureConnect');
    const sizeBytes = 256 * 1024 * 1024;
    socket.write(`POST /x HTTP/1.1\r\nHost: ${NAME}\r\nContent-Length: ${sizeBytes}\r\n\r\n`);
    const [head] = (await once(socket, 'data')) as [Buffer];
    expect(head.toString()).toMatch(/^HTTP\/1\.1 421 Misdirected Request\r\n/);
    let sentBytes = 0;
    const chunk = Buffer.alloc(1024 * 1024);
    const ended = new Promise<void>((resolve) => {
      socket.once('close', () => resolve());
      socket.once('error', () => resolve());
    });
    const push = (): void => {
      if (socket.destroyed || sentBytes >= sizeBytes) return;
      socket.write(chunk, () => {
        sentBytes += chunk.length;
        push();
      });
    };
    push();
    await ended;
    expect(sentBytes).toBeLessThan(32 * 1024 * 1024);
  });

  it('does not invite a caller to go on who asks first', async () => {
    const socket = connectTls({ host: '127.0.0.1', port: router.port, servername: NAME, ca });
    open.push(socket);
    socket.write(
      `PUT /x HTTP/1.1\r\nHost: ${NAME}\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n`,
    );
    const [head] = (await once(socket, 'data')) as [Buffer];
    expect(head.toString()).toMatch(/^HTTP\/1\.1 421 /);
  });

  it('ends a connection that never sends a request', async () => {
    const socket = connectTls({ host: '127.0.0.1', port: router.port, servername: NAME, ca });
    open.push(socket);
    await once(socket, 'secureConnect');
    socket.write('GET /v1/tenants');
    socket.on('error', () => undefined);
    await once(socket, 'close');
  }, 15_000);

  it('shows the certificate of the global name, on TLS 1.3 only', async () => {
    const socket = connectTls({ host: '127.0.0.1', port: router.port, servername: NAME, ca });
    open.push(socket);
    await once(socket, 'secureConnect');
    expect(socket.getProtocol()).toBe('TLSv1.3');
    const old = connectTls({
      host: '127.0.0.1',
      port: router.port,
      servername: NAME,
      ca,
      maxVersion: 'TLSv1.2',
    });
    open.push(old);
    await expect(once(old, 'secureConnect')).rejects.toThrow();
  });
});

async function tlsTo(
  servername: string,
  options: { port?: number; allowHalfOpen?: boolean; ALPNProtocols?: string[] } = {},
): Promise<TLSSocket> {
  const { port = router.port, ...rest } = options;
  const socket = connectTls({ host: '127.0.0.1', port, servername, ca, ...rest });
  open.push(socket);
  await once(socket, 'secureConnect');
  return socket;
}

async function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

describe('pass-through', () => {
  it('reaches the cell, whose own certificate ends TLS', async () => {
    const answer = await ask({ servername: CELL, method: 'POST', body: 'hello' });
    expect(answer.text).toBe(`cell got 5 at ${CELL}`);
    const socket = await tlsTo(CELL);
    const own = new X509Certificate(readFileSync(file(`${CELL}.pem`)));
    expect(socket.getPeerX509Certificate()?.fingerprint256).toBe(own.fingerprint256);
  });

  it('carries megabytes both ways unchanged, with half-close', async () => {
    const socket = await tlsTo(ECHO, { allowHalfOpen: true });
    const sent = Buffer.from(random.bytes(8 * 1024 * 1024));
    const received = readAll(socket);
    socket.end(sent);
    expect((await received).equals(sent)).toBe(true);
  });

  it('holds a sender back while the other side does not read', async () => {
    const stalled = createServer((socket) => {
      open.push(socket);
      socket.on('error', () => undefined);
      socket.pause();
    });
    await listen(stalled);
    const one = await startWith('stalled', portOf(stalled));
    const socket = connectTcp({ host: '127.0.0.1', port: one.port });
    open.push(socket);
    socket.on('error', () => undefined);
    const hello = await aHello(CELL);
    socket.write(hello);
    const before = process.memoryUsage().arrayBuffers;
    const chunk = Buffer.alloc(1024 * 1024);
    let accepted = 0;
    let isDrained = true;
    for (let index = 0; index < 64 && isDrained; index += 1) {
      isDrained = await Promise.race([
        new Promise<boolean>((resolve) => {
          socket.write(chunk, () => resolve(true));
        }),
        new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 500)),
      ]);
      if (isDrained) accepted += 1;
    }
    expect(isDrained).toBe(false);
    expect(accepted).toBeLessThan(40);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(32 * 1024 * 1024);
    stalled.close();
  });

  it('passes a hello on that comes byte by byte, with any ALPN', async () => {
    const relay = createServer((inner) => {
      const outer = connectTcp({ host: '127.0.0.1', port: router.port, noDelay: true });
      open.push(inner, outer);
      outer.on('error', () => inner.destroy());
      inner.on('error', () => outer.destroy());
      outer.pipe(inner);
      inner.once('data', (hello: Buffer) => {
        let at = 0;
        const next = (): void => {
          if (at < hello.length) outer.write(hello.subarray(at, ++at), () => setImmediate(next));
          else inner.pipe(outer);
        };
        next();
      });
    });
    await listen(relay);
    const socket = await tlsTo(ECHO, { port: portOf(relay), ALPNProtocols: ['h2', 'x-anything'] });
    socket.write('hello');
    const [data] = (await once(socket, 'data')) as [Buffer];
    expect(data.toString()).toBe('hello');
    relay.close();
  });

  it('closes when the cell is away', async () => {
    await expect(ask({ servername: DOWN })).rejects.toThrow();
  });

  it('ends connections that are idle', async () => {
    const quick = await start('idle', { idleMsMax: 200 });
    const socket = await tlsTo(ECHO, { port: quick.port });
    socket.on('error', () => undefined);
    socket.resume();
    await once(socket, 'close');
  });

  it.each(['caller', 'cell'] as const)('takes all down when the %s is torn', async (who) => {
    const cellServer = createServer((socket) => open.push(socket));
    await listen(cellServer);
    const started = await startWith('torn', portOf(cellServer));
    const caller = connectTcp({ host: '127.0.0.1', port: started.port });
    open.push(caller);
    const arrived = once(cellServer, 'connection');
    caller.write(await aHello(CELL));
    const [peer] = (await arrived) as [Socket];
    expect(started.counts().open).toBe(1);
    const [torn, other] = who === 'caller' ? [caller, peer] : [peer, caller];
    other.on('error', () => undefined);
    const ended = once(other.resume(), 'close');
    torn.resetAndDestroy();
    await ended;
    await expect.poll(() => started.counts().open).toBe(0);
    cellServer.close();
  });
});

/** A router whose first cell is at this port. */
async function startWith(name: string, port: number): Promise<Router> {
  const config = aConfig(name);
  const base = aDirectory(5) as { cells: { name: string; addresses: unknown }[] };
  base.cells[0] = { ...base.cells[0], name: CELL, addresses: [{ host: '127.0.0.1', port }] };
  keep(config, sign(ROUTER_DIRECTORY_PAYLOAD_TYPE, base));
  const started = await openRouter(config);
  extraRouters.push(started);
  return started;
}

/** The first flight of a TLS client for this name. */
async function aHello(servername: string): Promise<Buffer> {
  const catcher = createServer();
  await listen(catcher);
  const socket = connectTls({ host: '127.0.0.1', port: portOf(catcher), servername });
  socket.on('error', () => undefined);
  const [peer] = (await once(catcher, 'connection')) as [Socket];
  const [hello] = (await once(peer, 'data')) as [Buffer];
  socket.destroy();
  peer.destroy();
  catcher.close();
  return hello;
}

/** Sends bytes and gives what came back before the end, and how long that took. */
async function poke(
  bytes: Buffer | string,
  port = router.port,
): Promise<{ got: number; ms: number }> {
  const startedMs = performance.now();
  const socket = connectTcp({ host: '127.0.0.1', port });
  open.push(socket);
  let got = 0;
  socket.on('error', () => undefined);
  socket.on('data', (chunk) => {
    got += chunk.length;
  });
  socket.write(bytes);
  await once(socket, 'close');
  return { got, ms: performance.now() - startedMs };
}

describe('everybody else', () => {
  it.each([
    ['plain HTTP', async () => Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
    ['garbage', async () => Buffer.from(random.bytes(500))],
    ['an unknown name', () => aHello('evil.example')],
    ['a name below a known one', () => aHello(`x.${CELL}`)],
    ['no name', () => aHello('')],
    [
      'a hello that is too large',
      async () =>
        Buffer.concat([Buffer.from([22, 3, 1, 0x40, 0, 1, 0, 0xff, 0xff]), Buffer.alloc(17_000)]),
    ],
  ])('is closed without a word: %s', async (_, make) => {
    const { got, ms } = await poke(await make());
    expect(got).toBe(0);
    expect(ms).toBeLessThan(390);
  });

  it('is closed in time when the hello never gets whole, however it trickles', async () => {
    const hello = await aHello(CELL);
    const silent = await poke(hello.subarray(0, 100));
    expect(silent.got).toBe(0);
    expect(silent.ms).toBeLessThan(3000);
    const socket = connectTcp({ host: '127.0.0.1', port: router.port });
    open.push(socket);
    socket.on('error', () => undefined);
    const startedMs = performance.now();
    let at = 0;
    const drip = setInterval(() => {
      if (at < 60) socket.write(hello.subarray(at, ++at));
    }, 20);
    await once(socket.resume(), 'close');
    clearInterval(drip);
    expect(performance.now() - startedMs).toBeLessThan(3000);
  });

  it('from one source gets so many connections and no more', async () => {
    const small = await start('source', { connectionsPerSourceCountMax: 3 });
    const sockets = await Promise.all([1, 2, 3].map(() => tlsTo(ECHO, { port: small.port })));
    await expect(tlsTo(ECHO, { port: small.port })).rejects.toThrow();
    sockets[0]?.destroy();
    await expect.poll(() => small.counts().open).toBe(2);
    await tlsTo(ECHO, { port: small.port });
  });

  it('altogether gets so many connections and no more', async () => {
    const small = await start('all', { connectionsCountMax: 2 });
    await Promise.all([1, 2].map(() => tlsTo(ECHO, { port: small.port })));
    await expect(tlsTo(ECHO, { port: small.port })).rejects.toThrow();
  });

  it('leaves no trace of names or callers in the log', () => {
    const log = readFileSync(path.join(file('logs-main'), 'router.log'), 'utf8');
    expect(log).toContain('the router serves');
    expect(log).not.toMatch(/127\.0\.0\.1|evil|jane|cells\.bailiwick/i);
  });
});

describe('the directory', () => {
  it('is not used from disk when it does not verify', async () => {
    const stranger = generateKeyPairSync('ed25519').privateKey;
    const bad: readonly unknown[] = [
      sign(ROUTER_DIRECTORY_PAYLOAD_TYPE, aDirectory(5), stranger),
      sign(DIRECTORY_ENTRY_PAYLOAD_TYPE, aDirectory(5)),
      sign(ROUTER_DIRECTORY_PAYLOAD_TYPE, { ...Object(aDirectory(5)), extra: 1 }),
      'garbage',
    ];
    for (const [index, envelope] of bad.entries()) {
      const config = aConfig(`bad-${index}`);
      keep(config, envelope);
      const one = await openRouter(config);
      extraRouters.push(one);
      expect(one.serial()).toBe(0);
      const answer = await ask({ path: HOME, port: one.port });
      expect(JSON.parse(answer.text).code).toBe('ROUTER_DIRECTORY_ABSENT');
      await expect(tlsTo(ECHO, { port: one.port })).rejects.toThrow();
    }
  });

  it('is followed from control, only upwards, and kept for the next start', async () => {
    await authority.issueIdentity(
      {
        certFile: file('control.pem'),
        keyFile: file('control.key'),
        bundleFile: file('bundle.pem'),
      },
      { spiffeId: CONTROL },
    );
    const identity = openIdentity({
      certFile: file('control.pem'),
      keyFile: file('control.key'),
      bundleFile: file('bundle.pem'),
    });
    let offered: unknown = {};
    const asked: string[] = [];
    const control = createMtlsServer(identity, { allow: () => true }, (incoming, response) => {
      asked.push(incoming.url ?? '');
      response.end(JSON.stringify(offered));
    });
    await listen(control);
    const config = aConfig('follow');
    const following = {
      ...config,
      control: { ...config.control, url: `https://127.0.0.1:${portOf(control)}` },
    };
    const one = await openRouter(following);
    extraRouters.push(one);
    expect(one.serial()).toBe(0);
    const offer = (serial: number, key = bundleKey.privateKey): void => {
      offered = { directory: sign(ROUTER_DIRECTORY_PAYLOAD_TYPE, aDirectory(serial), key) };
    };
    offer(7);
    await expect.poll(() => one.serial()).toBe(7);
    for (const forge of [
      () => offer(6),
      () => offer(9, generateKeyPairSync('ed25519').privateKey),
    ]) {
      forge();
      const seen = asked.length;
      await expect.poll(() => asked.length).toBeGreaterThan(seen + 1);
      expect(one.serial()).toBe(7);
    }
    expect(asked.at(-1)).toContain('after=7');
    offer(8);
    await expect.poll(() => one.serial(), { timeout: 10_000 }).toBe(8);
    control.closeAllConnections();
    control.close();
    identity.close();
    const headers = { 'bailiwick-residency': await aClaim() };
    expect((await ask({ path: HOME, headers, port: one.port })).status).toBe(200);
    await one.close();
    const again = await openRouter(following);
    extraRouters.push(again);
    expect(again.serial()).toBe(8);
  });
});
