// SPDX-License-Identifier: Apache-2.0
// Goal: the proxy as its user runs it: set up, started, spoken to over TLS, managed by its commands. The
// protocol's refusals one by one. Method: the real process and requests signed by our own client code.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { appendFileSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type SigningCredential, signRequest, toAmzDate } from '@bailiwick/xks';
import { Agent, request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type ClientCertificate,
  createClientCertificate,
  PROXY_PROBLEM,
  setUpTestProxy,
  type TestProxy,
} from './testing.ts';

const MAIN = path.join(import.meta.dirname, 'main.ts');
const KEY = 'customer-key-1';
const b64 = (text: string | Buffer): string => Buffer.from(text).toString('base64');
const metadata = {
  awsPrincipalArn: 'arn:aws:iam::123456789012:user/Alice',
  kmsKeyArn: 'arn:aws:kms:us-east-2:123456789012:key/1234',
  kmsOperation: 'Encrypt',
  kmsRequestId: 'not-a-uuid-and-that-is-fine',
};

interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, string>>;
}

let proxy: TestProxy;
let child: ChildProcess | undefined;
let port = 0;
let stranger: ClientCertificate;
let expired: ClientCertificate;
let credential: SigningCredential;

const run = (...args: readonly string[]) =>
  spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, ...args], {
    encoding: 'utf8',
  });

function start(configFile: string): Promise<number> {
  const args = [
    '--disable-warning=ExperimentalWarning',
    MAIN,
    'serve',
    '--config',
    configFile,
    '--parent-pid',
    `${process.pid}`,
  ];
  const started = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  child = started;
  return new Promise((resolve, reject) => {
    started.once('exit', (code) => reject(new Error(`proxy ended with ${code}`)));
    started.stdout.once('data', (line: Buffer) => {
      const told: unknown = JSON.parse(line.toString());
      resolve(Number(Reflect.get(Object(told), 'port')));
    });
  });
}

const toAgent = (client: ClientCertificate | undefined): Agent =>
  new Agent({
    connect: {
      ca: readFileSync(proxy.enrolment.caFile),
      ...(client === undefined
        ? {}
        : { cert: readFileSync(client.certFile), key: readFileSync(client.keyFile) }),
    },
  });

interface Changes {
  readonly prefix?: string;
  readonly credential?: SigningCredential;
  readonly client?: ClientCertificate | null;
  readonly amzDate?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

async function ask(target: string, body: unknown, changes: Changes = {}): Promise<Answer> {
  const { prefix = '/acme', client = proxy.client, amzDate = toAmzDate(Date.now()) } = changes;
  const host = `localhost:${port}`;
  const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  const url = `${prefix}/kms/xks/v1/${target}`;
  const signed = { host, 'x-amz-date': amzDate, ...changes.headers };
  const options = { region: 'eu-west-1', amzDate };
  const by = changes.credential ?? credential;
  const authorization = signRequest({ path: url, headers: signed, body: bytes }, by, options);
  const dispatcher = toAgent(client ?? undefined);
  try {
    const response = await request(`https://${host}${url}`, {
      method: 'POST',
      dispatcher,
      headers: { ...signed, authorization, 'content-type': 'application/json' },
      body: bytes,
    });
    const text = await response.body.text();
    return { status: response.statusCode, body: text === '' ? {} : JSON.parse(text) };
  } finally {
    await dispatcher.destroy();
  }
}

const seal = (changes: object = {}) => ({
  requestMetadata: metadata,
  plaintext: b64('thirty-two bytes of a tenant key'),
  encryptionAlgorithm: 'AES_GCM',
  additionalAuthenticatedData: b64('context'),
  ...changes,
});
const toOpen = (sealed: Answer['body'], changes: object = {}) => ({
  requestMetadata: { ...metadata, kmsOperation: 'Decrypt' },
  encryptionAlgorithm: 'AES_GCM',
  additionalAuthenticatedData: b64('context'),
  ciphertext: sealed['ciphertext'],
  ciphertextMetadata: sealed['ciphertextMetadata'],
  initializationVector: sealed['initializationVector'],
  authenticationTag: sealed['authenticationTag'],
  ...changes,
});

describe.skipIf(PROXY_PROBLEM !== undefined)('key proxy', () => {
  beforeAll(async () => {
    proxy = await setUpTestProxy(KEY);
    // Time for a busy machine; the bar for speed is the benchmark's.
    const text = readFileSync(proxy.configFile, 'utf8');
    writeFileSync(
      proxy.configFile,
      text.replace('kind: pkcs11', 'kind: pkcs11\n  timeoutMs: 3000'),
    );
    // Both are trusted by chain; neither is the pinned one, and one is past its time.
    const base = path.dirname(proxy.directory);
    stranger = await createClientCertificate(base, 'stranger');
    expired = await createClientCertificate(base, 'expired', -60_000);
    for (const { certFile } of [stranger, expired]) {
      appendFileSync(path.join(proxy.directory, 'clients-ca.pem'), `\n${readFileSync(certFile)}`);
    }
    const secretAccessKey = readFileSync(proxy.enrolment.secretFile);
    credential = { accessKeyId: proxy.enrolment.accessKeyId, secretAccessKey };
    port = await start(proxy.configFile);
  });
  afterAll(async () => {
    const ended = new Promise((resolve) => child?.once('exit', resolve));
    child?.kill('SIGTERM');
    expect(await ended).toBe(0);
    proxy.remove();
  });

  it('is set up with private files and says what to give to the other side', () => {
    for (const name of ['server.key', 'credentials', 'cell.secret', 'key-proxy.yaml']) {
      expect(statSync(path.join(proxy.directory, name)).mode & 0o077, name).toBe(0);
    }
    expect(proxy.enrolment.xksProxyUriPath).toBe('/acme/kms/xks/v1');
    expect(JSON.stringify(proxy.enrolment)).not.toContain(credential.secretAccessKey.toString());
  });

  it('encrypts, decrypts, describes its key and its health', async () => {
    const sealed = await ask(`keys/${KEY}/encrypt`, seal());
    expect(sealed.status).toBe(200);
    const opened = await ask(`keys/${KEY}/decrypt`, toOpen(sealed.body));
    expect(opened).toEqual({ status: 200, body: { plaintext: seal().plaintext } });
    const described = await ask(`keys/${KEY}/metadata`, { requestMetadata: metadata });
    expect(described.body).toEqual({
      keySpec: 'AES_256',
      keyUsage: ['ENCRYPT', 'DECRYPT'],
      keyStatus: 'ENABLED',
    });
    const health = await ask('health', { requestMetadata: metadata });
    expect(health.body['ekmFleetDetails']).toMatchObject([{ healthStatus: 'ACTIVE' }]);
  });

  it('refuses each part of a ciphertext that was changed', async () => {
    const { body: sealed } = await ask(`keys/${KEY}/encrypt`, seal());
    const flip = (text = ''): string => {
      const bytes = Buffer.from(text, 'base64');
      bytes.writeUInt8((bytes[0] ?? 0) ^ 1, 0);
      return b64(bytes);
    };
    for (const name of [
      'ciphertext',
      'ciphertextMetadata',
      'initializationVector',
      'authenticationTag',
    ]) {
      const changed = toOpen(sealed, { [name]: flip(sealed[name]) });
      expect(await ask(`keys/${KEY}/decrypt`, changed), name).toMatchObject({
        status: 400,
        body: { errorName: 'InvalidCiphertextException' },
      });
    }
    for (const context of [undefined, b64('other'), b64('context ')]) {
      const changed = toOpen(sealed, { additionalAuthenticatedData: context });
      expect(await ask(`keys/${KEY}/decrypt`, changed)).toMatchObject({
        body: { errorName: 'InvalidCiphertextException' },
      });
    }
    // Metadata given as context, as the specification warns of.
    const confused = toOpen(sealed, {
      additionalAuthenticatedData: sealed['ciphertextMetadata'],
      ciphertextMetadata: undefined,
    });
    expect((await ask(`keys/${KEY}/decrypt`, confused)).status).toBe(400);
  });

  it('refuses malformed requests by name', async () => {
    const big = b64(Buffer.alloc(4301));
    const cases: readonly (readonly [string, unknown, number, string])[] = [
      ['encrypt', '', 400, 'ValidationException'],
      ['encrypt', '{', 400, 'ValidationException'],
      ['encrypt', '[]', 400, 'ValidationException'],
      ['encrypt', '"x"', 400, 'ValidationException'],
      ['encrypt', seal({ requestMetadata: undefined }), 400, 'ValidationException'],
      ['encrypt', seal({ requestMetadata: 'x' }), 400, 'ValidationException'],
      [
        'encrypt',
        seal({ requestMetadata: { ...metadata, kmsKeyArn: 7 } }),
        400,
        'ValidationException',
      ],
      [
        'encrypt',
        seal({ requestMetadata: { ...metadata, kmsKeyArn: undefined } }),
        400,
        'ValidationException',
      ],
      ['encrypt', seal({ plaintext: undefined }), 400, 'ValidationException'],
      ['encrypt', seal({ plaintext: '' }), 400, 'ValidationException'],
      ['encrypt', seal({ plaintext: 'not base64' }), 400, 'ValidationException'],
      ['encrypt', seal({ plaintext: 'QUJ' }), 400, 'ValidationException'],
      ['encrypt', seal({ plaintext: 7 }), 400, 'ValidationException'],
      ['encrypt', seal({ plaintext: big }), 501, 'UnsupportedOperationException'],
      [
        'encrypt',
        seal({ additionalAuthenticatedData: b64(Buffer.alloc(8193)) }),
        501,
        'UnsupportedOperationException',
      ],
      ['encrypt', seal({ encryptionAlgorithm: 'AES_CBC' }), 400, 'ValidationException'],
      [
        'encrypt',
        seal({ ciphertextDataIntegrityValueAlgorithm: 'MD5' }),
        400,
        'ValidationException',
      ],
      ['decrypt', toOpen({}), 400, 'ValidationException'],
      [
        'decrypt',
        {
          ...toOpen({
            ciphertext: b64('x'),
            initializationVector: b64('short'),
            authenticationTag: b64(Buffer.alloc(16)),
          }),
        },
        400,
        'ValidationException',
      ],
      [
        'decrypt',
        {
          ...toOpen({
            ciphertext: b64('x'),
            initializationVector: b64(Buffer.alloc(12)),
            authenticationTag: b64(Buffer.alloc(12)),
          }),
        },
        400,
        'ValidationException',
      ],
      [
        'decrypt',
        {
          ...toOpen({
            ciphertext: b64('x'),
            initializationVector: b64(Buffer.alloc(12)),
            authenticationTag: b64(Buffer.alloc(16)),
            ciphertextMetadata: b64(Buffer.alloc(21)),
          }),
        },
        400,
        'ValidationException',
      ],
      [
        'metadata',
        { requestMetadata: { kmsOperation: 'x', kmsRequestId: 'y' } },
        400,
        'ValidationException',
      ],
      ['encrypt', 'x'.repeat(70_000), 400, 'ValidationException'],
    ];
    for (const [operation, body, status, errorName] of cases) {
      const told = JSON.stringify(body).slice(0, 120);
      const answer = await ask(`keys/${KEY}/${operation}`, body);
      expect(answer, told).toMatchObject({ status, body: { errorName } });
      expect(answer.body['errorMessage'], told).toMatch(/^[\x20-\x7e]{1,511}$/);
    }
  });

  it('finds neither other keys nor other paths', async () => {
    expect(await ask('keys/nobody/encrypt', seal())).toMatchObject({
      status: 404,
      body: { errorName: 'KeyNotFoundException' },
    });
    const wrong = [
      [`keys/${KEY}/destroy`, '/acme'],
      [`keys/${KEY}/encrypt/more`, '/acme'],
      ['keys/a%20b/encrypt', '/acme'],
      ['keys//encrypt', '/acme'],
      ['health/', '/acme'],
      ['health?x=1', '/acme'],
      ['health', ''],
      ['health', '/acme/other'],
      ['health', '/other/kms/xks/v1/acme'],
    ] as const;
    for (const [target, prefix] of wrong) {
      expect(await ask(target, { requestMetadata: metadata }, { prefix }), target).toMatchObject({
        status: 404,
        body: { errorName: 'InvalidUriPathException' },
      });
    }
  });

  it('believes no other signature', async () => {
    const other = { ...credential, secretAccessKey: Buffer.alloc(44, 65) };
    const nobody = { ...credential, accessKeyId: 'A'.repeat(20) };
    const old = toAmzDate(Date.now() - 6 * 60_000);
    for (const changes of [{ credential: other }, { credential: nobody }, { amzDate: old }]) {
      expect(await ask('health', { requestMetadata: metadata }, changes)).toMatchObject({
        status: 401,
        body: { errorName: 'AuthenticationFailedException' },
      });
    }
  });

  it('speaks to the pinned client only, before a request is read', async () => {
    const unknown = await createClientCertificate(path.dirname(proxy.directory), 'unknown');
    for (const client of [null, unknown, stranger, expired]) {
      await expect(ask('health', { requestMetadata: metadata }, { client })).rejects.toThrow();
    }
  });

  it('takes only POST, and tells a load balancer that it is there', async () => {
    const dispatcher = toAgent(proxy.client);
    const get = (url: string) => request(`https://localhost:${port}${url}`, { dispatcher });
    expect((await get('/acme/kms/xks/v1/health')).statusCode).toBe(405);
    expect((await get(`/acme/kms/xks/v1/keys/${KEY}/decrypt`)).statusCode).toBe(405);
    expect((await get('/ping')).statusCode).toBe(200);
    await dispatcher.destroy();
  });

  it('disables, enables and rotates by command, while it runs', async () => {
    const config = ['--config', proxy.configFile];
    const { body: sealed } = await ask(`keys/${KEY}/encrypt`, seal());
    expect(run('key', 'disable', KEY, ...config).status).toBe(0);
    expect(await ask(`keys/${KEY}/decrypt`, toOpen(sealed))).toMatchObject({
      status: 400,
      body: { errorName: 'InvalidStateException' },
    });
    const described = await ask(`keys/${KEY}/metadata`, { requestMetadata: metadata });
    expect(described.body['keyStatus']).toBe('DISABLED');
    expect(run('key', 'enable', KEY, ...config).status).toBe(0);
    expect(run('key', 'rotate', KEY, ...config).status).toBe(0);
    const { body: later } = await ask(`keys/${KEY}/encrypt`, seal());
    expect(later['ciphertextMetadata']).not.toBe(sealed['ciphertextMetadata']);
    for (const each of [sealed, later]) {
      expect((await ask(`keys/${KEY}/decrypt`, toOpen(each))).status).toBe(200);
    }
    const refused = run('key', 'destroy', KEY, ...config);
    expect([refused.status, refused.stderr]).toEqual([2, expect.stringContaining('--yes')]);
  });

  it('takes a second credential and drops the first without a pause', async () => {
    const file = path.join(proxy.directory, 'credentials');
    const before = readFileSync(file, 'utf8');
    const second = { accessKeyId: 'B'.repeat(24), secretAccessKey: Buffer.alloc(44, 66) };
    const line = `${second.accessKeyId} ${second.secretAccessKey}\n`;
    const until = async (by: SigningCredential, status: number): Promise<void> => {
      const deadline = performance.now() + 10_000;
      for (;;) {
        const answer = await ask('health', { requestMetadata: metadata }, { credential: by });
        if (answer.status === status) return;
        expect(performance.now()).toBeLessThan(deadline);
      }
    };
    writeFileSync(file, before + line);
    await until(second, 200);
    await until(credential, 200);
    writeFileSync(file, line);
    await until(credential, 401);
    await until(second, 200);
    // A file that cannot be used lets nobody in.
    writeFileSync(file, 'garbage\n');
    await until(second, 401);
    writeFileSync(file, before);
    await until(credential, 200);
  });

  it('logs who asked, for what and how it ended, and no secret', async () => {
    const context = {
      cell: 'eu-de/main',
      key: 'k',
      kind: 'tenant-key',
      owner: 't',
      tenant: 'tenant-7',
      under: 'u',
      underVersion: 1,
      version: 3,
    };
    const data = b64(`bailiwick/wrap/v1\0${JSON.stringify(context)}`);
    const headers = { 'x-bailiwick-occasion': 'workload=spiffe;purpose=lease' };
    await ask(`keys/${KEY}/encrypt`, seal({ additionalAuthenticatedData: data }), { headers });
    const read = (): string => readFileSync(path.join(proxy.directory, 'access.log'), 'utf8');
    const deadline = performance.now() + 10_000;
    while (!read().includes('tenant-7')) {
      expect(performance.now()).toBeLessThan(deadline);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const text = read();
    const lines = text
      .trim()
      .split('\n')
      .map((line): Answer['body'] => JSON.parse(line));
    expect(lines.at(-1)).toMatchObject({
      operation: 'encrypt',
      store: '/acme',
      key: KEY,
      client: 'spiffe://bailiwick.test/key-service',
      kmsRequestId: metadata.kmsRequestId,
      principal: metadata.awsPrincipalArn,
      occasion: 'workload=spiffe;purpose=lease',
      tenant: 'tenant-7',
      cell: 'eu-de/main',
      wrapped: 'tenant-key/k/3',
      status: 200,
    });
    expect(text).not.toContain(seal().plaintext);
    expect(text).not.toContain(credential.secretAccessKey.toString());
    const refused = lines.filter((line) => line['event'] === 'client refused');
    expect(refused.map((line) => line['client'])).toEqual(['spiffe://bailiwick.test/stranger']);
    expect(lines.filter((line) => line['event'] === 'handshake failed').length).toBeGreaterThan(0);
  });

  it('refuses configurations that do not fit', () => {
    const text = readFileSync(proxy.configFile, 'utf8');
    const file = path.join(proxy.directory, 'wrong.yaml');
    for (const wrong of [
      '',
      'a: [',
      `${text}\nunknown: 1\n`,
      text.replace('kind: pkcs11', 'kind: paper'),
      text.replace('uriPathPrefix: /acme', 'uriPathPrefix: acme?'),
      text.replace(/allow:[\s\S]*?\n(?=token)/, 'allow: []\n'),
    ]) {
      writeFileSync(file, wrong);
      const refused = run('serve', '--config', file);
      expect([refused.status, refused.stderr], wrong).toEqual([
        1,
        expect.stringContaining('error'),
      ]);
    }
  });
});
