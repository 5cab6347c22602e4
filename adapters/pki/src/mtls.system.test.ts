// SPDX-License-Identifier: Apache-2.0
// Goal: only the right workload gets through, in both directions, and renewed files are followed.
// Method: real authorities, real sockets; certificates that break one rule each.
import 'reflect-metadata';
import { webcrypto, X509Certificate } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { type RequestOptions, request, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import * as x509 from '@peculiar/x509';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  type Authority,
  createAuthority,
  createMtlsServer,
  type Identity,
  type IdentityFiles,
  isRenewalDue,
  mtlsClientOptions,
  openAuthority,
  openIdentity,
  parseSvid,
  peerOf,
  renewDue,
} from './index.ts';

const DOMAIN = 'bailiwick.localhost';
const CONTROL = `spiffe://${DOMAIN}/control`;
const CELL = `spiffe://${DOMAIN}/cell/eu-de/main`;
const ROUTER = `spiffe://${DOMAIN}/router`;

let directory: string;
let authority: Authority;
let foreign: Authority;
const servers: Server[] = [];
const identities: Identity[] = [];

const filesOf = (name: string): IdentityFiles => ({
  certFile: join(directory, `${name}.pem`),
  keyFile: join(directory, `${name}.key`),
  bundleFile: join(directory, `${name}.bundle.pem`),
});

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'bailiwick-pki-'));
  authority = await createAuthority(join(directory, 'ca'), { trustDomain: DOMAIN });
  foreign = await createAuthority(join(directory, 'foreign'), { trustDomain: DOMAIN });
  await authority.issueIdentity(filesOf('control'), { spiffeId: CONTROL });
  await authority.issueIdentity(filesOf('cell'), { spiffeId: CELL });
  await authority.issueIdentity(filesOf('router'), { spiffeId: ROUTER });
  await foreign.issueIdentity(filesOf('stranger'), { spiffeId: CELL });
});

afterEach(async () => {
  for (const identity of identities.splice(0)) identity.close();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function follow(files: IdentityFiles): Identity {
  const identity = openIdentity(files, { pollMs: 20 });
  identities.push(identity);
  return identity;
}

async function serve(
  identity: Identity,
  allow: (id: string) => boolean,
): Promise<{ port: number; calls: string[] }> {
  const calls: string[] = [];
  const server = createMtlsServer(identity, { allow }, (incoming, response) => {
    calls.push(peerOf(incoming.socket));
    response.end('hello');
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: (server.address() as AddressInfo).port, calls };
}

function get(port: number, options: RequestOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ ...options, host: '127.0.0.1', port, agent: false }, (response) => {
      let body = '';
      response.on('data', (chunk) => {
        body += chunk;
      });
      response.on('end', () => resolve(body));
      response.on('error', reject);
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}

const isCell = (id: string): boolean => id === CELL;

describe('mTLS between workloads', () => {
  it('lets the expected peers talk and names the caller', async () => {
    const { port, calls } = await serve(follow(filesOf('control')), isCell);
    const options = mtlsClientOptions(follow(filesOf('cell')), { expect: CONTROL });
    expect(await get(port, options)).toBe('hello');
    expect(calls).toEqual([CELL]);
  });

  it('cuts off a workload that is not allowed', async () => {
    const { port, calls } = await serve(follow(filesOf('control')), isCell);
    const options = mtlsClientOptions(follow(filesOf('router')), { expect: CONTROL });
    await expect(get(port, options)).rejects.toThrow();
    expect(calls).toEqual([]);
  });

  it('does not talk to a server that is somebody else of the same trust domain', async () => {
    const { port, calls } = await serve(follow(filesOf('router')), isCell);
    const options = mtlsClientOptions(follow(filesOf('cell')), { expect: CONTROL });
    await expect(get(port, options)).rejects.toMatchObject({ code: 'PKI_PEER_REFUSED' });
    expect(calls).toEqual([]);
  });

  it('refuses an identity of another authority that claims the same id, in both directions', async () => {
    const stranger = follow(filesOf('stranger'));
    const { port, calls } = await serve(follow(filesOf('control')), isCell);
    await expect(get(port, mtlsClientOptions(stranger, { expect: CONTROL }))).rejects.toThrow();
    const imposter = { ...filesOf('stranger'), bundleFile: filesOf('control').bundleFile };
    await expect(
      get(port, mtlsClientOptions(follow(imposter), { expect: CONTROL })),
    ).rejects.toThrow();
    const fake = await serve(stranger, () => true);
    const cell = mtlsClientOptions(follow(filesOf('cell')), { expect: CELL });
    await expect(get(fake.port, cell)).rejects.toThrow();
    expect([...calls, ...fake.calls]).toEqual([]);
  });

  it('refuses a client without a certificate, and TLS 1.2', async () => {
    const { port, calls } = await serve(follow(filesOf('control')), () => true);
    const ca = readFileSync(filesOf('cell').bundleFile, 'utf8');
    const checkServerIdentity = (): undefined => undefined;
    await expect(get(port, { ca, checkServerIdentity })).rejects.toThrow();
    const { cert, key } = follow(filesOf('cell')).current();
    const old = { ca, cert, key, checkServerIdentity, maxVersion: 'TLSv1.2' } as const;
    await expect(get(port, old)).rejects.toThrow(/protocol version/i);
    expect(calls).toEqual([]);
  });

  it('resumes no session, so that each connection shows its certificate', async () => {
    const { port } = await serve(follow(filesOf('control')), isCell);
    const options = mtlsClientOptions(follow(filesOf('cell')), { expect: CONTROL });
    const talk = (session?: Buffer): Promise<{ session: Buffer | undefined; isReused: boolean }> =>
      new Promise((resolve, reject) => {
        let ticket: Buffer | undefined;
        let isReused = false;
        const known = session === undefined ? {} : { session };
        const socket = connect({ ...options, ...known, host: '127.0.0.1', port }, () => {
          isReused = socket.isSessionReused();
          socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
        });
        socket.on('session', (given) => {
          ticket = given;
        });
        socket.on('error', reject);
        socket.on('close', () => resolve({ session: ticket, isReused }));
        socket.resume();
      });
    const first = await talk();
    expect(first.session).toBeDefined();
    const second = await talk(first.session);
    expect(second.isReused).toBe(false);
  });

  it('follows renewed files on both sides, without a restart', async () => {
    const server = follow(filesOf('control'));
    const client = follow(filesOf('cell'));
    const { port, calls } = await serve(server, isCell);
    const serialOf = (cert: string): string => new X509Certificate(cert).serialNumber;
    const before = serialOf(server.current().cert);
    const changes = Promise.all(
      [server, client].map((one) => new Promise((resolve) => one.onChange(resolve))),
    );
    await authority.issueIdentity(filesOf('control'), { spiffeId: CONTROL });
    await authority.issueIdentity(filesOf('cell'), { spiffeId: CELL });
    await changes;
    const options = mtlsClientOptions(client, { expect: CONTROL });
    const seen = await new Promise<string>((resolve, reject) => {
      const socket = connect({ ...options, host: '127.0.0.1', port }, () => {
        resolve(socket.getPeerX509Certificate()?.serialNumber ?? '');
        socket.destroy();
      });
      socket.on('error', reject);
    });
    expect(seen).not.toBe(before);
    expect(seen).toBe(serialOf(server.current().cert));
    expect(await get(port, options)).toBe('hello');
    expect(calls).toEqual([CELL]);
  });

  it('keeps what it has when the files turn bad or name somebody else', async () => {
    await authority.issueIdentity(filesOf('fickle'), { spiffeId: CELL });
    const problems: string[] = [];
    const identity = openIdentity(filesOf('fickle'), {
      pollMs: 20,
      onProblem: ({ code }) => problems.push(code),
    });
    identities.push(identity);
    const before = identity.current().cert;
    await authority.issueIdentity(filesOf('fickle'), { spiffeId: ROUTER });
    await expect.poll(() => problems).toContain('PKI_CERTIFICATE_INVALID');
    writeFileSync(filesOf('fickle').certFile, 'nonsense');
    await expect.poll(() => problems).toContain('PKI_IDENTITY_UNREADABLE');
    expect(identity.current().cert).toBe(before);
  });
});

describe('the authority', () => {
  it('writes keys for their owner only and refuses those that are open to all', async () => {
    const files = filesOf('private');
    await authority.issueIdentity(files, { spiffeId: CELL });
    expect(statSync(files.keyFile).mode & 0o777).toBe(0o600);
    expect(statSync(join(directory, 'ca', 'authority.key')).mode & 0o777).toBe(0o600);
    chmodSync(files.keyFile, 0o644);
    expect(() => openIdentity(files)).toThrowError(
      expect.objectContaining({ code: 'PKI_KEY_EXPOSED' }),
    );
  });

  it('is never replaced, and never made silently', async () => {
    await expect(
      createAuthority(join(directory, 'ca'), { trustDomain: DOMAIN }),
    ).rejects.toMatchObject({ code: 'PKI_AUTHORITY_EXISTS' });
    await expect(openAuthority(join(directory, 'nowhere'))).rejects.toMatchObject({
      code: 'PKI_AUTHORITY_ABSENT',
    });
  });

  it('opens again and issues under the same root', async () => {
    const again = await openAuthority(join(directory, 'ca'));
    expect(again.trustDomain).toBe(DOMAIN);
    await again.issueIdentity(filesOf('again'), { spiffeId: CELL });
    const root = new X509Certificate(authority.bundle);
    const leaf = new X509Certificate(readFileSync(filesOf('again').certFile));
    expect(leaf.verify(root.publicKey)).toBe(true);
  });

  it('issues nothing for another trust domain, and nothing without a name', async () => {
    const refused = { code: 'PKI_SPIFFE_ID_INVALID' };
    const files = filesOf('refused');
    await expect(
      authority.issueIdentity(files, { spiffeId: 'spiffe://elsewhere.example/cell' }),
    ).rejects.toMatchObject(refused);
    await expect(authority.issueIdentity(files, {})).rejects.toMatchObject(refused);
  });

  it('renews from half of the life on and not before', async () => {
    const files = filesOf('renewed');
    const request = { spiffeId: CELL, validForMs: 1_000_000 };
    await authority.issueIdentity(files, request);
    const nowMs = Date.now();
    expect(isRenewalDue(files.certFile, nowMs)).toBe(false);
    expect(await renewDue(authority, [{ files, request }], nowMs)).toBe(0);
    expect(await renewDue(authority, [{ files, request }], nowMs + 600_000)).toBe(1);
    expect(isRenewalDue(join(directory, 'none.pem'), nowMs)).toBe(true);
  });
});

describe('a certificate that is no svid', () => {
  const DAY_MS = 86_400_000;
  async function aLeaf(change: {
    names?: x509.JsonGeneralNames;
    usages?: number;
    isAuthority?: boolean;
    untilMs?: number;
    fromMs?: number;
  }): Promise<Uint8Array> {
    const keys = await webcrypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, [
      'sign',
      'verify',
    ]);
    const {
      names = [{ type: 'url', value: CELL }],
      usages = x509.KeyUsageFlags.digitalSignature,
      isAuthority = false,
      fromMs = Date.now() - DAY_MS,
      untilMs = Date.now() + DAY_MS,
    } = change;
    const certificate = await x509.X509CertificateGenerator.createSelfSigned(
      {
        name: 'O=Test',
        keys,
        signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
        notBefore: new Date(fromMs),
        notAfter: new Date(untilMs),
        extensions: [
          new x509.BasicConstraintsExtension(isAuthority, undefined, true),
          new x509.KeyUsagesExtension(usages, true),
          ...(names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)]),
        ],
      },
      webcrypto,
    );
    return new Uint8Array(certificate.rawData);
  }

  it('would be one if nothing were wrong', async () => {
    expect(parseSvid(await aLeaf({}), Date.now())).toBe(CELL);
  });

  it.each([
    ['has no name', { names: [] }],
    ['has only a dns name', { names: [{ type: 'dns', value: 'control' }] }],
    ['has two uris', { names: [CELL, CONTROL].map((value) => ({ type: 'url', value })) }],
    ['names a trust domain only', { names: [{ type: 'url', value: `spiffe://${DOMAIN}` }] }],
    ['names a web page', { names: [{ type: 'url', value: 'https://example.com/cell' }] }],
    ['is an authority', { isAuthority: true }],
    [
      'may sign certificates',
      { usages: x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyCertSign },
    ],
    ['may not sign', { usages: x509.KeyUsageFlags.keyEncipherment }],
    ['is over', { untilMs: Date.now() - 1000 }],
    ['has not begun', { fromMs: Date.now() + 60_000 }],
  ] as const)('because it %s', async (_, change) => {
    const der = await aLeaf(change as Parameters<typeof aLeaf>[0]);
    expect(() => parseSvid(der, Date.now())).toThrowError(
      expect.objectContaining({
        code: expect.stringMatching(/^PKI_(CERTIFICATE|SPIFFE_ID)_INVALID$/),
      }),
    );
  });

  it('because it is garbage or cut short', async () => {
    const der = await aLeaf({});
    for (const bytes of [new Uint8Array(), new Uint8Array(64).fill(0x30), der.slice(0, -20)]) {
      expect(() => parseSvid(bytes, Date.now())).toThrowError(
        expect.objectContaining({ code: 'PKI_CERTIFICATE_INVALID' }),
      );
    }
  });
});
