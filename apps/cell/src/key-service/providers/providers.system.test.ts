// SPDX-License-Identifier: Apache-2.0
// Goal: what the configuration names is what holds the tenant's key: with each kind that can run here, a
// whole hierarchy is made, used, switched off at the provider and on again. Method: a real database and key
// ring; a software token; the protocol servers of the testkit behind the clouds' own libraries.
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { KeyProviderConfig } from '@bailiwick/contracts';
import {
  createUuidV7,
  parseCellId,
  parseSubjectId,
  parseTenantId,
  type TenantId,
} from '@bailiwick/kernel';
import { findPkcs11Problem, findSoftHsmLibrary, openPkcs11Keys } from '@bailiwick/kms-pkcs11';
import { type TestDatabase, withTestDatabase } from '@bailiwick/postgres/testing';
import { startAwsKmsServer } from '@bailiwick/testkit/servers/aws-kms';
import { createSoftToken, findSoftHsmUtility } from '@bailiwick/testkit/servers/soft-token';
import { startVaultServer } from '@bailiwick/testkit/servers/vault-transit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { type OpenKeyRing, openLocalKeyRing } from '../../keys/local-key-ring.ts';
import { CustodyFiles } from './custody-files.ts';
import { openProviderRegistry } from './provider-registry.ts';

const clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };
const random = { bytes: (size: number) => randomBytes(size) };
const cellId = parseCellId('eu-de/main');
const STALENESS_MS = 5_000;
const library = findSoftHsmLibrary() ?? '';
const hsmProblem =
  findPkcs11Problem() ??
  (library === '' || findSoftHsmUtility() === undefined ? 'softhsm2 is not installed' : undefined);

let database: TestDatabase;
let directory: string;
let tenantId: TenantId;
let ring: OpenKeyRing | undefined;

beforeAll(async () => {
  database = await withTestDatabase();
});
afterAll(() => database.close());
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'bailiwick-providers-'));
  mkdirSync(path.join(directory, 'custody'), { mode: 0o700 });
  mkdirSync(path.join(directory, 'cell-keys'), { mode: 0o700 });
  tenantId = parseTenantId(createUuidV7({ clock, random }));
});
afterEach(async () => {
  await ring?.close();
  ring = undefined;
  rmSync(directory, { recursive: true, force: true });
});

/** A ring whose tenant is at home with this provider, named in its custody file. */
async function openWith(
  provider: KeyProviderConfig & { readonly withPlaceKey?: boolean },
): Promise<OpenKeyRing> {
  const custody = path.join(directory, 'custody');
  const file = path.join(custody, `${tenantId}.yaml`);
  writeFileSync(file, stringify({ home: 'theirs', providers: { theirs: provider } }), {
    mode: 0o600,
  });
  const providers = openProviderRegistry({
    clock,
    random,
    own: { kind: 'file', directory: path.join(directory, 'cell-keys') },
    files: new CustodyFiles(custody),
    surroundings: {
      workload: 'spiffe://bailiwick.test/ks',
      identity: { certFile: '', keyFile: '' },
    },
  });
  const opened = await openLocalKeyRing({
    ...{ cellId, clock, random, directory, providers, keysUrl: database.keysUrl },
    database: database.open(2),
    stalenessMsMax: STALENESS_MS,
  });
  ring = opened;
  return opened;
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'none',
    (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : 'other'),
  );
}

async function until(code: string, ask: () => Promise<unknown>, withinMs: number): Promise<number> {
  const fromMs = performance.now();
  for (;;) {
    const got = await codeOf(ask());
    const tookMs = performance.now() - fromMs;
    if (got === code) return tookMs;
    if (tookMs > withinMs) throw new Error(`waited ${withinMs} ms for ${code}, got ${got}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Makes a hierarchy, uses it, and follows the switch at the provider. */
async function live(
  opened: OpenKeyRing,
  customer: { disable(): Promise<void> | void; enable(): Promise<void> | void },
): Promise<void> {
  await opened.administration.provisionTenant(tenantId);
  const subjectId = parseSubjectId(createUuidV7({ clock, random }));
  const seal = (): Promise<unknown> =>
    opened.sealingKeys(tenantId, [{ kind: 'subject', subjectId }]);
  const [sealing] = await opened.sealingKeys(tenantId, [{ kind: 'subject', subjectId }]);
  if (sealing === undefined) throw new Error('no sealing key');
  const [opening] = await opened.openingKeys(tenantId, [sealing]);
  expect(opening).toMatchObject({ keyId: sealing.keyId });
  await customer.disable();
  const tookMs = await until('KEYS_CUSTOMER_KEY_DISABLED', seal, STALENESS_MS);
  expect(tookMs).toBeLessThan(STALENESS_MS);
  expect(() => opened.assertUsable(tenantId)).toThrow();
  await customer.enable();
  await until('none', seal, 3_000);
  const [again] = await opened.openingKeys(tenantId, [sealing]);
  expect(again).toMatchObject({ keyId: sealing.keyId });
}

describe('a tenant at home with the provider of its custody file', () => {
  it.skipIf(hsmProblem !== undefined)('PKCS#11: a software token', async () => {
    const token = createSoftToken('theirs');
    const owner = openPkcs11Keys({ library, ...token, timeoutMs: 3_000 });
    try {
      const { tokenLabel, pinFile, environment } = token;
      const opened = await openWith({
        ...{ kind: 'pkcs11', library, tokenLabel, pinFile, environment, createsKeys: true },
      });
      const everyKey = async (uses: boolean): Promise<void> => {
        for (const name of await owner.listKeys()) {
          await owner.permitUses(name, { encrypt: uses, decrypt: uses });
        }
      };
      await live(opened, { disable: () => everyKey(false), enable: () => everyKey(true) });
      expect((await opened.administration.describeKeys(tenantId))[0]).toMatchObject({
        provider: 'pkcs11',
        providerName: 'theirs',
      });
    } finally {
      owner.close();
      token.remove();
    }
  });

  it('AWS KMS: the official library against a local server', async () => {
    const { server, keys, credentials } = await startAwsKmsServer();
    process.env['AWS_ACCESS_KEY_ID'] = credentials.accessKeyId;
    process.env['AWS_SECRET_ACCESS_KEY'] = credentials.secretAccessKey;
    try {
      keys.make('theirs');
      const opened = await openWith({
        ...{
          kind: 'aws-kms',
          region: 'eu-central-1',
          endpoint: server.url,
          keyName: 'alias/theirs',
        },
      });
      await live(opened, {
        disable: () => keys.setState('theirs', 'disabled'),
        enable: () => keys.setState('theirs', 'enabled'),
      });
    } finally {
      delete process.env['AWS_ACCESS_KEY_ID'];
      delete process.env['AWS_SECRET_ACCESS_KEY'];
      await server.close();
    }
  });

  it('Vault: a local server, with a place key beside it', async () => {
    const vault = await startVaultServer();
    const jwtFile = path.join(directory, 'jwt');
    writeFileSync(jwtFile, 'good\n');
    try {
      vault.keys.make('theirs');
      const opened = await openWith({
        kind: 'vault',
        url: vault.server.url,
        auth: { kind: 'jwt', mount: 'jwt', role: 'cell', jwtFile },
        createsKeys: false,
        keyName: 'theirs',
        withPlaceKey: true,
      });
      await live(opened, {
        disable: () => vault.keys.setState('theirs', 'disabled'),
        enable: () => vault.keys.setState('theirs', 'enabled'),
      });
      expect((await opened.administration.describeKeys(tenantId))[0]?.provider).toBe('vault+place');
      // The place's half is as necessary.
      rmSync(path.join(directory, 'cell-keys'), { recursive: true });
      const subjectId = parseSubjectId(createUuidV7({ clock, random }));
      const seal = (): Promise<unknown> =>
        opened.sealingKeys(tenantId, [{ kind: 'subject', subjectId }]);
      await until('KEYS_CUSTOMER_KEY_UNKNOWN', seal, STALENESS_MS);
    } finally {
      await vault.server.close();
    }
  });
});

describe('a custody file', () => {
  const approver = (name: string, byte: number): object => ({
    name,
    key: Buffer.alloc(32, byte).toString('base64'),
  });
  const file = { kind: 'file', directory: 'keys' };
  it.each([
    ['not YAML', '{'],
    ['an unknown key', { providers: {}, surprise: 1 }],
    ['an unknown kind', { providers: { theirs: { kind: 'magic' } } }],
    ['a home that is not there', { providers: {}, home: 'theirs' }],
    ['the cell’s own name', { providers: { cell: file } }],
    ['a name that is none', { providers: { 'Their Keys': file } }],
    ['an approver twice', { approvers: [approver('a', 1), approver('a', 2)] }],
    ['a key twice', { approvers: [approver('a', 1), approver('b', 1)] }],
    ['a key of the wrong length', { approvers: [{ name: 'a', key: 'AAAA' }] }],
    ['a proxy that is not pinned', { providers: { theirs: { kind: 'xks', pins: [] } } }],
  ])('is refused for %s', (_what, content) => {
    const custody = path.join(directory, 'custody');
    const text = typeof content === 'string' ? content : stringify(content);
    writeFileSync(path.join(custody, `${tenantId}.yaml`), text, { mode: 0o600 });
    expect(() => new CustodyFiles(custody).of(tenantId)).toThrow(
      expect.objectContaining({ code: 'KEYS_PROVIDER_MISCONFIGURED' }),
    );
  });

  it('is refused when others may write it, and followed when it changes', () => {
    const custody = path.join(directory, 'custody');
    const name = path.join(custody, `${tenantId}.yaml`);
    const files = new CustodyFiles(custody);
    expect(files.of(tenantId).approvers).toEqual([]);
    writeFileSync(name, stringify({ approvers: [approver('a', 1)] }), { mode: 0o600 });
    expect(files.of(tenantId).approvers).toHaveLength(1);
    writeFileSync(name, stringify({ approvers: [approver('a', 1), approver('b', 2)] }));
    expect(files.of(tenantId).approvers).toHaveLength(2);
    rmSync(name);
    writeFileSync(name, stringify({ approvers: [] }), { mode: 0o666 });
    // The umask may have taken it away already.
    const isOpen = (process.umask() & 0o022) === 0;
    if (isOpen) expect(() => files.of(tenantId)).toThrow();
    expect(() => new CustodyFiles(path.join(directory, 'nowhere'))).toThrow();
  });
});
