// SPDX-License-Identifier: Apache-2.0
// Goal: invariant 8 with real processes: the key service in its own, users of keys in theirs, mTLS between
// them. A disable is effective within 100 ms by push, and within 1.1 s for whoever is cut off or stopped;
// once effective, nobody begins a use. Method: real databases, real signals, statements verified.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { createUuidV7, parseCellId, parseTenantId, type TenantId } from '@bailiwick/kernel';
import { verifyStatement } from '@bailiwick/keys';
import {
  type Authority,
  createAuthority,
  type IdentityFiles,
  mtlsClientOptions,
  openIdentity,
} from '@bailiwick/pki';
import { findFreePort } from '@bailiwick/postgres';
import { type TestDatabase, withTestDatabase } from '@bailiwick/postgres/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { type OpenKeyRing, openKeyRing } from '../keys/open-key-ring.ts';

const DOMAIN = 'bailiwick.localhost';
const clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };
const random = { bytes: (size: number) => randomBytes(size) };
const cellId = parseCellId('eu-de/main');
const newId = (): string => createUuidV7({ clock, random });

let database: TestDatabase;
let directory: string;
let authority: Authority;
let port: number;
let service: ChildProcess;
let ring: OpenKeyRing;
const children: ChildProcess[] = [];

const filesOf = (name: string): IdentityFiles => ({
  certFile: path.join(directory, `${name}.pem`),
  keyFile: path.join(directory, `${name}.key`),
  bundleFile: path.join(directory, `${name}.bundle.pem`),
});

function writeConfig(): string {
  const at = (...parts: string[]): string => path.join(directory, ...parts);
  for (const name of ['keys', 'a', 'b', 'logs', 'state']) {
    mkdirSync(at(name), { recursive: true, mode: 0o700 });
  }
  writeFileSync(at('keys-url'), database.keysUrl, { mode: 0o600 });
  writeFileSync(at('url'), database.url, { mode: 0o600 });
  const config = {
    cell: cellId,
    location: { jurisdiction: 'de', observed: { kind: 'configured', jurisdiction: 'de' } },
    operator: { jurisdiction: 'de', name: 'test' },
    public: { host: '127.0.0.1', port: 0, name: 'cell.test', certFile: at('x'), keyFile: at('x') },
    internal: { host: '127.0.0.1', port: 0 },
    identity: filesOf('cell'),
    database: { urlFile: at('url'), keysUrlFile: at('keys-url') },
    keyService: {
      host: '127.0.0.1',
      port,
      customerKeys: { kind: 'file', directory: at('keys') },
      erasableStore: { replicas: [at('a'), at('b')] },
      identity: filesOf('key-service'),
    },
    control: {
      url: 'https://127.0.0.1:1',
      spiffeId: `spiffe://${DOMAIN}/control`,
      bundleKeys: [Buffer.alloc(32, 1).toString('base64')],
    },
    trust: { approvers: [], threshold: 2 },
    ledger: { keyFile: at('x'), epoch: 1 },
    state: at('state'),
    telemetry: { directory: at('logs') },
  };
  const file = at('cell.yaml');
  writeFileSync(file, stringify(config));
  return file;
}

/** Starts a process and waits for its line of JSON. */
async function start(entry: string, args: readonly string[]): Promise<ChildProcess> {
  const child = spawn(process.execPath, [path.join(import.meta.dirname, entry), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  const errors: string[] = [];
  child.stderr?.on('data', (chunk) => errors.push(String(chunk)));
  const ready = (async () => {
    if (child.stdout === null) throw new Error('no output');
    for await (const line of createInterface({ input: child.stdout })) {
      if (line.includes('"ready":true')) return;
    }
    throw new Error(`ended before it was ready: ${errors.join('')}`);
  })();
  await ready;
  child.stdout?.resume();
  return child;
}

const startService = (): Promise<ChildProcess> =>
  start('main.ts', [
    '--config',
    path.join(directory, 'cell.yaml'),
    '--parent-pid',
    `${process.pid}`,
  ]);

async function end(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill(signal);
  child.kill('SIGCONT');
  await ended;
}

beforeAll(async () => {
  database = await withTestDatabase();
  directory = mkdtempSync(path.join(tmpdir(), 'bailiwick-key-service-'));
  authority = await createAuthority(path.join(directory, 'ca'), { trustDomain: DOMAIN });
  const issue = (name: string, id: string): Promise<unknown> =>
    authority.issueIdentity(filesOf(name), { spiffeId: `spiffe://${DOMAIN}/${id}` });
  await issue('cell', 'cell/eu-de/main');
  await issue('key-service', 'key-service/eu-de/main');
  await issue('other-cell', 'cell/uk-lon/main');
  port = await findFreePort();
  writeConfig();
  service = await startService();
  ring = openRing();
});

afterAll(async () => {
  await ring.close();
  for (const child of children) await end(child, 'SIGKILL');
  await database.close();
  rmSync(directory, { recursive: true, force: true });
});

function openRing(): OpenKeyRing {
  return openKeyRing({
    cellId,
    clock,
    random,
    database: database.open(4),
    identity: filesOf('cell'),
    keyService: { host: '127.0.0.1', port, spiffeId: `spiffe://${DOMAIN}/key-service/eu-de/main` },
  });
}

async function codeOf(work: Promise<unknown> | (() => unknown)): Promise<string> {
  try {
    await (typeof work === 'function' ? work() : work);
    return 'none';
  } catch (error) {
    if (error instanceof Error && 'code' in error) return String(error.code);
    throw error;
  }
}

async function until(what: string, isSo: () => Promise<boolean> | boolean): Promise<void> {
  const endMs = performance.now() + 10_000;
  while (!(await isSo())) {
    if (performance.now() > endMs) throw new Error(`did not come about: ${what}`);
    await wait(5);
  }
}

async function provision(): Promise<{
  tenantId: TenantId;
  keyId: ReturnType<typeof parseTenantId>;
}> {
  const tenantId = parseTenantId(newId());
  await ring.administration.provisionTenant(tenantId);
  await ring.secrets(tenantId);
  return { tenantId, keyId: tenantId };
}

async function customerKeyOf(tenantId: TenantId) {
  const described = await ring.administration.describeKeys(tenantId);
  const found = described.find(({ kind }) => kind === 'customer-key');
  if (found === undefined) throw new Error('no customer key');
  return found.keyId;
}

async function change(tenantId: TenantId, to: 'enabled' | 'disabled') {
  const changeId = newId();
  const keyId = await customerKeyOf(tenantId);
  await ring.administration.changeState({ changeId, tenantId, keyId, to });
  return ring.administration.awaitChange(changeId, { timeoutMs: 3000 });
}

/** A process of its own that uses a tenant's keys all the time and prints what happened last. */
async function startUser(tenantId: TenantId): Promise<{
  readonly child: ChildProcess;
  readonly lines: { readonly atMs: number; readonly code: string }[];
}> {
  const setup = {
    tenantId,
    cellId,
    url: database.url,
    identity: filesOf('cell'),
    keyService: { host: '127.0.0.1', port, spiffeId: `spiffe://${DOMAIN}/key-service/eu-de/main` },
  };
  const child = await start('../keys/key-user.fixture.ts', [JSON.stringify(setup)]);
  const lines: { atMs: number; code: string }[] = [];
  if (child.stdout === null) throw new Error('no output');
  createInterface({ input: child.stdout }).on('line', (line) => {
    const value: unknown = JSON.parse(line);
    if (typeof value === 'object' && value !== null && 'atMs' in value && 'code' in value) {
      lines.push({ atMs: Number(value.atMs), code: String(value.code) });
    }
  });
  return { child, lines };
}

describe('the key service in its own process', () => {
  it('serves the processes of its cell over mTLS', async () => {
    const { tenantId } = await provision();
    const { idKey, factsKey } = await ring.secrets(tenantId);
    expect(idKey.symmetricKeySize).toBe(32);
    expect(idKey.equals(factsKey)).toBe(false);
    const [handle] = await ring.sealingKeys(tenantId, [
      { kind: 'subject', subjectId: newId() as never },
    ]);
    expect(handle?.version).toBe(1);
    ring.assertUsable(tenantId);
  });

  it('refuses another cell and whoever has no certificate, before a request is read', async () => {
    const ask = (files: IdentityFiles | undefined): Promise<number> =>
      new Promise((resolve, reject) => {
        const options =
          files === undefined
            ? { rejectUnauthorized: false }
            : mtlsClientOptions(openIdentity(files), {
                expect: `spiffe://${DOMAIN}/key-service/eu-de/main`,
              });
        const asked = request(
          {
            ...options,
            host: '127.0.0.1',
            port,
            path: '/v1/register',
            method: 'POST',
            agent: false,
          },
          (response) => resolve(response.statusCode ?? 0),
        );
        asked.on('error', reject);
        asked.end('{}');
      });
    await expect(ask(filesOf('other-cell'))).rejects.toThrow();
    await expect(ask(undefined)).rejects.toThrow();
    expect(await ask(filesOf('cell'))).toBe(409);
  });

  it('gives nothing to a process without a lease, of another generation, or for nonsense', async () => {
    const { tenantId } = await provision();
    const ask = (name: string, body: object): Promise<string> =>
      new Promise((resolve, reject) => {
        const asked = request(
          {
            ...mtlsClientOptions(openIdentity(filesOf('cell')), {
              expect: `spiffe://${DOMAIN}/key-service/eu-de/main`,
            }),
            host: '127.0.0.1',
            port,
            path: `/v1/${name}`,
            method: 'POST',
            agent: false,
          },
          (response) => {
            let text = '';
            response.on('data', (chunk) => {
              text += String(chunk);
            });
            response.on('end', () => resolve(`${response.statusCode} ${text}`));
          },
        );
        asked.on('error', reject);
        asked.end(JSON.stringify(body));
      });
    const processId = newId();
    const refused = /^409 .*KEYS_SERVICE_REFUSED/;
    expect(await ask('openTenant', { processId, generation: 1, tenantId })).toMatch(refused);
    expect(await ask('openTenant', { processId, generation: 99, tenantId })).toMatch(refused);
    expect(await ask('constructor', {})).toMatch(refused);
    expect(await ask('reserve', { processId, generation: 1, tenantId, count: -1 })).toMatch(
      refused,
    );
    expect(await ask('openTenant', { processId: 'x', generation: 1, tenantId })).toMatch(
      /^409 .*KERNEL_ID_INVALID/,
    );
  });
});

describe('a disable', () => {
  it('is effective within 100 ms by push in every process, each of which signs', async () => {
    const { tenantId } = await provision();
    const users = [await startUser(tenantId), await startUser(tenantId)];
    for (const { lines } of users)
      await until('a use', () => lines.some(({ code }) => code === 'none'));
    const disabled = await change(tenantId, 'disabled');
    const effectiveAtMs = disabled.effectiveAtMs ?? Number.POSITIVE_INFINITY;
    const bodies = disabled.statements.map((one) => verifyStatement(one, [one.publicKey]));
    expect(bodies.filter(({ kind }) => kind === 'keys-dropped').length).toBe(3);
    expect(effectiveAtMs - disabled.acceptedAtMs).toBeLessThan(100);
    for (const { lines } of users) {
      await until('a refusal', () => lines.at(-1)?.code === 'KEYS_CUSTOMER_KEY_DISABLED');
      const uses = lines.filter(({ code }) => code === 'none').map(({ atMs }) => atMs);
      expect(Math.max(...uses)).toBeLessThanOrEqual(effectiveAtMs);
    }
    await change(tenantId, 'enabled');
    for (const { lines } of users) await until('a use again', () => lines.at(-1)?.code === 'none');
    for (const { child } of users) await end(child);
  });

  it('is effective within 1.1 s when a process is stopped; it begins no use when it wakes', async () => {
    const { tenantId } = await provision();
    const { child, lines } = await startUser(tenantId);
    await until('a use', () => lines.some(({ code }) => code === 'none'));
    child.kill('SIGSTOP');
    const disabled = await change(tenantId, 'disabled');
    const effectiveAtMs = disabled.effectiveAtMs ?? Number.POSITIVE_INFINITY;
    expect(effectiveAtMs - disabled.acceptedAtMs).toBeLessThan(1100);
    const bodies = disabled.statements.map((one) => verifyStatement(one, [one.publicKey]));
    expect(bodies.map(({ kind }) => kind).sort()).toContain('lease-lapsed');
    child.kill('SIGCONT');
    await until('a refusal', () => lines.at(-1)?.code === 'KEYS_CUSTOMER_KEY_DISABLED');
    const late = lines.filter(({ atMs, code }) => code === 'none' && atMs > effectiveAtMs);
    expect(late).toEqual([]);
    await end(child);
  });

  it('reaches a process whose event loop is busy', async () => {
    const { tenantId } = await provision();
    const { child, lines } = await startUser(tenantId);
    await until('a use', () => lines.some(({ code }) => code === 'none'));
    child.kill('SIGUSR2');
    await until('the busy loop', () => lines.at(-1)?.code === 'busy');
    const disabled = await change(tenantId, 'disabled');
    const effectiveAtMs = disabled.effectiveAtMs ?? Number.POSITIVE_INFINITY;
    expect(effectiveAtMs - disabled.acceptedAtMs).toBeLessThan(1100);
    await until('the end of the busy loop', () =>
      lines.some(({ code }) => code.startsWith('last:')),
    );
    // What the busy loop saw: the instant of its last successful check, and when it was first refused.
    const last = lines.find(({ code }) => code.startsWith('last:'));
    expect(Number(last?.code.slice('last:'.length))).toBeLessThanOrEqual(effectiveAtMs);
    await end(child);
  });

  it('survives the end of the key service: accepted before, effective after', async () => {
    const { tenantId } = await provision();
    const keyId = await customerKeyOf(tenantId);
    const changeId = newId();
    const { child, lines } = await startUser(tenantId);
    await until('a use', () => lines.some(({ code }) => code === 'none'));
    child.kill('SIGSTOP');
    await ring.administration.changeState({ changeId, tenantId, keyId, to: 'disabled' });
    await end(service, 'SIGKILL');
    service = await startService();
    const settled = await ring.administration.awaitChange(changeId, { timeoutMs: 3000 });
    expect(settled.effectiveAtMs).toBeDefined();
    child.kill('SIGCONT');
    await until('a refusal', () => lines.at(-1)?.code === 'KEYS_CUSTOMER_KEY_DISABLED');
    const effectiveAtMs = settled.effectiveAtMs ?? 0;
    expect(lines.filter(({ atMs, code }) => code === 'none' && atMs > effectiveAtMs)).toEqual([]);
    await end(child);
  });
});

describe('without a key service', () => {
  it('keys stop within a lease and come back with it', async () => {
    const { tenantId } = await provision();
    await end(service, 'SIGKILL');
    const goneMs = performance.now();
    await until('the lease to run out', async () => {
      return (await codeOf(() => ring.assertUsable(tenantId))) === 'KEYS_LEASE_EXPIRED';
    });
    expect(performance.now() - goneMs).toBeLessThan(1100);
    expect(await codeOf(ring.secrets(tenantId))).toBe('KEYS_LEASE_EXPIRED');
    service = await startService();
    await until('keys again', async () => (await codeOf(ring.secrets(tenantId))) === 'none');
    ring.assertUsable(tenantId);
  });
});
