// SPDX-License-Identifier: Apache-2.0
// For tests: a real control plane over a real database, and callers with real identities.
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { BUNDLE_PAYLOAD_TYPE, type Bundle, parseBundle } from '@bailiwick/contracts';
import { parsePinnedKey, toPublicKeyText, verifyDsse } from '@bailiwick/keys';
import {
  createAuthority,
  type Identity,
  type IdentityFiles,
  mtlsClientOptions,
  openIdentity,
} from '@bailiwick/pki';
import { type TestDatabase, withTestDatabase } from '@bailiwick/postgres/testing';
import { openControl } from './control.ts';

const DOMAIN = 'spiffe://bailiwick.localhost';

export interface TestReply {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads answers of many shapes
  readonly body: any;
}

export interface TestControl {
  readonly database: TestDatabase;
  /** Callers are `operator/ann`, `cell/eu-de/main`, `cell/us-va/main` and `router`. */
  call(
    who: string,
    method: string,
    url: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<TestReply>;
  /** The bundle of a cell, verified as the cell would. */
  bundleOf(cell: string): Promise<Bundle>;
  stop(): Promise<void>;
}

const CALLERS = ['operator/ann', 'cell/eu-de/main', 'cell/us-va/main', 'router'] as const;

/** Starts a control plane with the cells `eu-de/main` and `us-va/main` registered. */
export async function startTestControl(): Promise<TestControl> {
  const directory = mkdtempSync(path.join(tmpdir(), 'bailiwick-control-'));
  const database = await withTestDatabase({ kind: 'control' });
  const authority = await createAuthority(path.join(directory, 'ca'), {
    trustDomain: 'bailiwick.localhost',
  });
  const filesOf = (name: string): IdentityFiles => ({
    certFile: path.join(directory, `${name.replaceAll('/', '-')}.pem`),
    keyFile: path.join(directory, `${name.replaceAll('/', '-')}.key`),
    bundleFile: path.join(directory, 'bundle.pem'),
  });
  const identities = new Map<string, Identity>();
  for (const name of ['control', ...CALLERS]) {
    await authority.issueIdentity(filesOf(name), { spiffeId: `${DOMAIN}/${name}` });
    identities.set(name, openIdentity(filesOf(name)));
  }
  const write = (name: string, text: string): string => {
    const file = path.join(directory, name);
    writeFileSync(file, text, { mode: 0o600 });
    return file;
  };
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  mkdirSync(path.join(directory, 'logs'));
  const control = await openControl({
    listen: { host: '127.0.0.1', port: 0 },
    identity: filesOf('control'),
    database: { urlFile: write('url', database.url), poolSize: 4 },
    signing: { keyFile: write('key', String(privateKey.export({ type: 'pkcs8', format: 'pem' }))) },
    directory: { validForMs: 60_000 },
    telemetry: { directory: path.join(directory, 'logs'), level: 'info' },
  });
  const call: TestControl['call'] = (who, method, url, body, headers = {}) => {
    const identity = identities.get(who);
    if (identity === undefined) throw new Error(`no identity ${who}`);
    return new Promise((resolve, reject) => {
      const outgoing = request(
        {
          ...mtlsClientOptions(identity, { expect: `${DOMAIN}/control` }),
          ...{ host: '127.0.0.1', port: control.port, method, path: url, agent: false },
          headers: {
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
            ...headers,
          },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () => {
            const text = Buffer.concat(chunks).toString();
            const status = response.statusCode ?? 0;
            resolve({ status, body: text === '' ? {} : JSON.parse(text) });
          });
        },
      );
      outgoing.on('error', reject);
      outgoing.end(body === undefined ? undefined : JSON.stringify(body));
    });
  };
  for (const [residency, place] of [
    ['eu-de', 'de'],
    ['us-va', 'us-va'],
  ] as const) {
    const { status } = await call('operator/ann', 'PUT', `/v1/cells/${residency}/main`, {
      name: `${residency}.cells.bailiwick.localhost`,
      addresses: [{ host: '127.0.0.1', port: 7410 }],
      spiffeId: `${DOMAIN}/cell/${residency}/main`,
      internal: { host: '127.0.0.1', port: 7411 },
      location: place,
      operator: place.slice(0, 2),
    });
    if (status !== 204) throw new Error(`the cell was not registered: ${status}`);
  }
  const keys = [parsePinnedKey(toPublicKeyText(publicKey))];
  return {
    database,
    call,
    async bundleOf(cell) {
      const nonce = 'n'.repeat(22);
      const { status, body } = await call(
        `cell/${cell}`,
        'GET',
        `/v1/cells/${cell}/bundle?nonce=${nonce}`,
      );
      if (status !== 200) throw new Error(`no bundle: ${JSON.stringify(body)}`);
      return parseBundle(
        verifyDsse(body.bundle, { payloadType: BUNDLE_PAYLOAD_TYPE, keys }).payload,
      );
    },
    async stop() {
      await control.close();
      for (const identity of identities.values()) identity.close();
      await database.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
