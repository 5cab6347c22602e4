// SPDX-License-Identifier: Apache-2.0
// The HTTP side of a witness (c2sp.org/tlog-witness): `POST …/add-checkpoint` and
// `GET …/<origin hash>/checkpoint`, nothing else. Everything that arrives is attacker-controlled; who asks
// does not matter, because a checkpoint counts by its signature alone.
import { readFileSync } from 'node:fs';
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { WitnessConfig } from '@bailiwick/contracts';
import type { Witness } from '@bailiwick/ledger';
import type { Log } from '@bailiwick/telemetry';
import type { EvidenceStore } from './file-store.ts';
import {
  BODY_SIZE_BYTES_MAX,
  HEAD_MS_MAX,
  HEAD_SIZE_BYTES_MAX,
  KEEP_ALIVE_MS,
  REQUESTS_PER_SOCKET_MAX,
} from './limits.ts';

const TEXT = 'text/plain; charset=utf-8';

/** What the server serves from. */
export interface ServerPorts {
  readonly witness: Witness;
  readonly evidence: EvidenceStore;
  readonly log: Log;
}

type Config = Pick<WitnessConfig, 'tls' | 'limits'>;

/** Makes the server; it does not listen yet. */
export function createWitnessServer(ports: ServerPorts, config: Config): Server {
  const { limits } = config;
  let inFlightCount = 0;
  const listener: RequestListener = (request, response) => {
    if (inFlightCount >= limits.inFlightCountMax) {
      response.setHeader('retry-after', '1');
      answer(response, 503, 'too much work is waiting');
      return;
    }
    inFlightCount += 1;
    response.once('close', () => {
      inFlightCount -= 1;
    });
    serve(ports, request, response).catch((error: unknown) => {
      ports.log.error('request failed', { error });
      if (response.headersSent) response.destroy();
      else answer(response, 500, 'the witness failed inside');
    });
  };
  const server = listenWith(config, listener);
  server.maxConnections = limits.connectionsCountMax;
  server.maxRequestsPerSocket = REQUESTS_PER_SOCKET_MAX;
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.headersTimeout = HEAD_MS_MAX;
  server.requestTimeout = limits.requestMsMax;
  return server;
}

function listenWith({ tls, limits }: Config, listener: RequestListener): Server {
  const options = {
    maxHeaderSize: HEAD_SIZE_BYTES_MAX,
    connectionsCheckingInterval: Math.min(1000, limits.requestMsMax),
  };
  if (tls === undefined) return createHttpServer(options, listener);
  const isMutual = tls.clientCaFile !== undefined;
  const server = createHttpsServer(
    {
      ...options,
      minVersion: 'TLSv1.3',
      handshakeTimeout: HEAD_MS_MAX,
      cert: readFileSync(tls.certFile),
      key: readFileSync(tls.keyFile),
      ...(isMutual ? { ca: readFileSync(tls.clientCaFile ?? '') } : {}),
      requestCert: isMutual,
      rejectUnauthorized: isMutual,
    },
    listener,
  );
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  return server;
}

async function serve(
  ports: ServerPorts,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const [pathname = ''] = (request.url ?? '').split('?', 1);
  if (pathname === '/add-checkpoint') {
    if (request.method !== 'POST') {
      response.setHeader('allow', 'POST');
      return answer(response, 405, 'expected POST');
    }
    return addCheckpoint(ports, request, response);
  }
  const [, originHash] = /^\/([0-9a-f]{64})\/checkpoint$/.exec(pathname) ?? [];
  if (originHash === undefined) return answer(response, 404, 'there is no such route');
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD');
    return answer(response, 405, 'expected GET');
  }
  const note = await ports.witness.findCheckpoint(originHash);
  if (note === undefined) return answer(response, 404, 'no checkpoint of this log was cosigned');
  response.setHeader('cache-control', 'no-cache');
  send(response, { status: 200, contentType: TEXT, body: note });
}

async function addCheckpoint(
  { witness, evidence, log }: ServerPorts,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const body = await readBody(request);
  if (body === undefined) {
    // What was not read is not waited for.
    response.shouldKeepAlive = false;
    response.once('finish', () => request.socket.destroySoon());
    answer(response, 413, 'the body is larger than a witness reads');
    return;
  }
  const result = await witness.addCheckpoint(body);
  log.debug('checkpoint judged', { status: result.status });
  if (result.evidence !== undefined && (await evidence.keep(result.evidence))) {
    log.error('a log submitted what does not continue its history', { status: result.status });
  }
  send(response, result);
}

/** `undefined` when it is longer than allowed, or when the client has gone. */
function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  if (Number(request.headers['content-length'] ?? 0) > BODY_SIZE_BYTES_MAX) {
    return Promise.resolve(undefined);
  }
  const { promise, resolve } = Promise.withResolvers<Buffer | undefined>();
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  request.on('data', (chunk: Buffer) => {
    sizeBytes += chunk.length;
    if (sizeBytes <= BODY_SIZE_BYTES_MAX) chunks.push(chunk);
    else resolve(undefined);
  });
  request.once('end', () => resolve(Buffer.concat(chunks)));
  request.once('error', () => resolve(undefined));
  request.once('close', () => resolve(undefined));
  return promise;
}

function answer(response: ServerResponse, status: number, problem: string): void {
  send(response, { status, contentType: TEXT, body: `${problem}\n` });
}

function send(
  response: ServerResponse,
  { status, contentType, body }: { status: number; contentType: string; body: string },
): void {
  const bytes = Buffer.from(body, 'utf8');
  response.writeHead(status, {
    'content-type': contentType,
    'content-length': bytes.length,
    'x-content-type-options': 'nosniff',
  });
  response.end(bytes);
}
