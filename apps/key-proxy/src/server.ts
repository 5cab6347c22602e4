// SPDX-License-Identifier: Apache-2.0
// The XKS proxy API over TLS. In order: who is connected, which store, whose signature, how often, what is
// asked, may they; then the token.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import { TLSSocket, type TlsOptions } from 'node:tls';
import { encodeBase64 } from '@bailiwick/customer-keys';
import { wipe } from '@bailiwick/keys';
import { followMaterial } from '@bailiwick/pki';
import {
  API_PATH,
  BODY_SIZE_BYTES_MAX,
  EXTERNAL_KEY_ID,
  OCCASION_HEADER,
  verifyRequest,
} from '@bailiwick/xks';
import type { AccessLog, AccessRecord } from './access-log.ts';
import { isAllowed, nameClient } from './clients.ts';
import type { KeyConfig, KeyProxyConfig, StoreConfig } from './config.ts';
import { type CredentialFinder, followCredentials } from './credentials.ts';
import {
  authorize,
  createHealthCheck,
  decrypt,
  describeKey,
  encrypt,
  type TokenKeys,
} from './key-store.ts';
import {
  CONNECTIONS_COUNT_MAX,
  REQUEST_TIMEOUT_MS,
  REQUESTS_IN_FLIGHT_COUNT_MAX,
  REQUESTS_PER_SECOND_DEFAULT,
} from './limits.ts';
import { createRate } from './rate.ts';
import {
  invalid,
  parseBody,
  parseContext,
  parseDecrypt,
  parseEncrypt,
  parseMetadata,
  type RequestMetadata,
  takePlaintext,
} from './request.ts';
import { toXksFailure, XksFailure } from './xks-error.ts';

export interface ProxyPorts {
  readonly token: TokenKeys;
  readonly log: AccessLog;
}

const OPERATIONS = ['metadata', 'encrypt', 'decrypt'] as const;
type Operation = (typeof OPERATIONS)[number] | 'health';

interface Store {
  readonly config: StoreConfig;
  readonly keys: ReadonlyMap<string, KeyConfig>;
  readonly findCredential: CredentialFinder;
  readonly mayPass: () => boolean;
}

interface Target {
  readonly store: Store;
  readonly operation: Operation;
  readonly keyId: string | undefined;
}

type Draft = { -readonly [Name in keyof AccessRecord]?: AccessRecord[Name] };

const CIPHERS_1_2 = [
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
].join(':');

/** The proxy's request handler, apart from TLS. */
class KeyProxy {
  readonly #ports: ProxyPorts;
  readonly #stores = new Map<string, Store>();
  readonly #checkHealth: () => Promise<object>;
  #inFlightCount = 0;

  constructor(config: KeyProxyConfig, ports: ProxyPorts) {
    this.#ports = ports;
    this.#checkHealth = createHealthCheck(ports.token);
    for (const store of config.stores) {
      const { uriPathPrefix, credentialsFile, requestsPerSecond, keys } = store;
      this.#stores.set(uriPathPrefix, {
        config: store,
        keys: new Map(keys.map((key) => [key.id, key])),
        findCredential: followCredentials(credentialsFile, (problem) =>
          ports.log.say('credentials', { store: uriPathPrefix, problem }),
        ),
        mayPass: createRate(requestsPerSecond ?? REQUESTS_PER_SECOND_DEFAULT, () =>
          performance.now(),
        ),
      });
    }
  }

  #findTarget(path: string): Target | undefined {
    const at = path.lastIndexOf(API_PATH);
    const store = at < 0 ? undefined : this.#stores.get(path.slice(0, at));
    if (store === undefined) return undefined;
    const rest = path.slice(at + API_PATH.length);
    if (rest === '/health') return { store, operation: 'health', keyId: undefined };
    const [empty, keys, keyId = '', word, ...more] = rest.split('/');
    const operation = OPERATIONS.find((name) => name === word);
    const isKeyPath =
      empty === '' && keys === 'keys' && EXTERNAL_KEY_ID.test(keyId) && more.length === 0;
    return isKeyPath && operation !== undefined ? { store, operation, keyId } : undefined;
  }

  /** Answers one request. Never throws. */
  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const startedAtMs = performance.now();
    const draft: Draft = { operation: 'unknown' };
    const { socket } = request;
    const certificate = socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined;
    if (certificate !== undefined) draft.client = nameClient(certificate);
    let body: Buffer | undefined;
    try {
      if (this.#inFlightCount >= REQUESTS_IN_FLIGHT_COUNT_MAX) {
        throw new XksFailure('ThrottlingException', 'too many requests are under way');
      }
      this.#inFlightCount += 1;
      try {
        body = await this.#serve(request, draft);
      } finally {
        this.#inFlightCount -= 1;
      }
      send(response, 200, body);
      draft.status = 200;
    } catch (error) {
      const failure = toXksFailure(error);
      draft.status = failure.status;
      draft.errorName = failure.errorName;
      draft.reason = failure.reason;
      if (failure.status === 429) response.setHeader('retry-after', '1');
      const told = { errorName: failure.errorName, errorMessage: failure.message };
      send(response, failure.status, Buffer.from(JSON.stringify(told)));
    }
    this.#ports.log.write({
      operation: draft.operation ?? 'unknown',
      status: draft.status ?? 500,
      ...draft,
      durationMs: Math.round((performance.now() - startedAtMs) * 100) / 100,
    });
  }

  async #serve(request: IncomingMessage, draft: Draft): Promise<Buffer> {
    const path = request.url ?? '';
    const target = this.#findTarget(path);
    if (target === undefined) {
      throw new XksFailure('InvalidUriPathException', 'there is no key store under this path');
    }
    const { store, operation, keyId } = target;
    draft.operation = operation;
    draft.store = store.config.uriPathPrefix;
    draft.key = keyId;
    const body = await readBody(request);
    try {
      const headers = toHeaders(request);
      const verified = verifyRequest({ path, headers, body }, store.findCredential, Date.now());
      if (verified === undefined) {
        throw new XksFailure('AuthenticationFailedException', 'the signature does not verify');
      }
      draft.accessKeyId = verified.accessKeyId;
      draft.region = verified.region;
      if (verified.signedHeaders.includes(OCCASION_HEADER))
        draft.occasion = headers[OCCASION_HEADER];
      if (!store.mayPass()) {
        throw new XksFailure('ThrottlingException', 'the request rate is too high');
      }
      return await this.#perform(target, body, draft);
    } finally {
      wipe(body);
    }
  }

  async #perform({ store, operation, keyId }: Target, body: Buffer, draft: Draft): Promise<Buffer> {
    const { token } = this.#ports;
    const plaintext = operation === 'encrypt' ? takePlaintext(body) : undefined;
    try {
      const fields = parseBody(body);
      const about = (metadata: RequestMetadata): RequestMetadata => Object.assign(draft, metadata);
      if (operation === 'health') {
        about(parseMetadata(fields, []));
        return toJson(await this.#checkHealth());
      }
      const required = ['awsPrincipalArn', 'kmsKeyArn'] as const;
      const needed = operation === 'metadata' ? required.slice(0, 1) : required;
      const metadata = about(parseMetadata(fields, needed));
      const key = store.keys.get(keyId ?? '');
      if (key === undefined) throw new XksFailure('KeyNotFoundException', 'there is no such key');
      if (operation === 'metadata') {
        // There is no context to hold against a rule here, and nothing secret to give.
        const { tenants: _tenants, cells: _cells, ...rest } = key;
        authorize(rest, metadata, undefined);
        return toJson(await describeKey(token, key));
      }
      const asked =
        operation === 'encrypt'
          ? ({ operation, request: parseEncrypt(fields, plaintext) } as const)
          : ({ operation, request: parseDecrypt(fields) } as const);
      const context = parseContext(asked.request.authenticatedData);
      Object.assign(draft, context);
      authorize(key, metadata, context);
      if (asked.operation === 'encrypt') return toJson(await encrypt(token, key, asked.request));
      return toPlaintextAnswer(await decrypt(token, key, asked.request));
    } finally {
      wipe(plaintext);
    }
  }
}

const toJson = (value: object): Buffer => Buffer.from(JSON.stringify(value), 'utf8');

/** The one answer with a secret in it: made of bytes, and wiped once it is sent. */
function toPlaintextAnswer(plaintext: Buffer): Buffer {
  const text = encodeBase64(plaintext);
  wipe(plaintext);
  const head = '{"plaintext":"';
  const body = Buffer.alloc(head.length + text.length + 2);
  body.write(head, 0, 'latin1');
  text.copy(body, head.length);
  body.write('"}', head.length + text.length, 'latin1');
  wipe(text);
  return body;
}

function send(response: ServerResponse, status: number, body: Buffer): void {
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': body.length,
    'cache-control': 'no-store',
  });
  response.end(body, () => wipe(body));
}

function toHeaders(request: IncomingMessage): Readonly<Record<string, string | undefined>> {
  const headers: Record<string, string | undefined> = {};
  for (const [name, value] of Object.entries(request.headers)) {
    headers[name] = Array.isArray(value) ? value.join(',') : value;
  }
  return headers;
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const declared = Number(request.headers['content-length'] ?? BODY_SIZE_BYTES_MAX);
  if (!(declared <= BODY_SIZE_BYTES_MAX)) {
    throw invalid(`the body has more than ${BODY_SIZE_BYTES_MAX} bytes`);
  }
  const room = Buffer.alloc(declared);
  let size = 0;
  for await (const chunk of request) {
    if (!Buffer.isBuffer(chunk) || size + chunk.length > room.length) {
      wipe(room);
      throw invalid(`the body has more than ${BODY_SIZE_BYTES_MAX} bytes`);
    }
    size += chunk.copy(room, size);
    wipe(chunk);
  }
  return room.subarray(0, size);
}

function toTlsOptions({ listen, clients }: KeyProxyConfig): TlsOptions {
  const { minVersion = 'TLSv1.3', maxVersion = 'TLSv1.3', signatureAlgorithms } = listen;
  return {
    minVersion,
    maxVersion: minVersion > maxVersion ? minVersion : maxVersion,
    ciphers: CIPHERS_1_2,
    handshakeTimeout: REQUEST_TIMEOUT_MS,
    ...(signatureAlgorithms === undefined ? {} : { sigalgs: signatureAlgorithms }),
    ...(clients === undefined ? {} : { requestCert: true, rejectUnauthorized: true }),
  };
}

/** The API as an HTTPS server that is not listening yet. */
export function createKeyProxyServer(config: KeyProxyConfig, ports: ProxyPorts): Server {
  const { listen, clients } = config;
  const proxy = new KeyProxy(config, ports);
  const followed = followMaterial({
    certFile: listen.certFile,
    keyFile: listen.keyFile,
    ...(clients === undefined ? {} : { bundleFile: clients.caFile }),
  });
  const options = toTlsOptions(config);
  const server = createServer({ ...options, ...followed.current() });
  server.maxConnections = CONNECTIONS_COUNT_MAX;
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  server.headersTimeout = REQUEST_TIMEOUT_MS;
  server.keepAliveTimeout = 60_000;
  const stop = followed.onChange((material) =>
    server.setSecureContext({ ...options, ...material }),
  );
  server.on('close', () => {
    stop();
    followed.close();
  });
  server.on('tlsClientError', (error, socket) => {
    const code = 'code' in error ? String(error.code) : 'unnamed';
    ports.log.say('handshake failed', { code });
    socket.destroy();
  });
  if (clients !== undefined) {
    // SECURITY: comes before HTTP's own listener: nobody who is not allowed gets a request parsed.
    server.prependListener('secureConnection', (socket: TLSSocket) => {
      const certificate = socket.getPeerX509Certificate();
      if (certificate !== undefined && isAllowed(certificate, clients.allow)) return;
      ports.log.say('client refused', { client: certificate ? nameClient(certificate) : 'none' });
      socket.destroy();
    });
  }
  server.on('request', (request, response) => {
    if (request.socket.destroyed) return;
    if (request.method === 'POST') void proxy.answer(request, response);
    else if (request.method === 'GET' && request.url === '/ping') {
      // For load balancers: that this process answers, and nothing more.
      response.writeHead(200, { 'content-type': 'text/plain' }).end('ok\n');
    } else response.writeHead(405, { allow: 'POST' }).end();
  });
  return server;
}
