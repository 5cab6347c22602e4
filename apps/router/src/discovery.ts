// SPDX-License-Identifier: Apache-2.0
// Discovery, the only thing that the global name does: an opaque tenant and a residency go in, the signed
// entry of the directory comes out. Anything else is answered 421 and closed, its body unread.
import { type IncomingMessage, type RequestListener, STATUS_CODES } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { Socket } from 'node:net';
import { PROBLEM_CONTENT_TYPE, toProblemType } from '@bailiwick/contracts';
import type { Clock } from '@bailiwick/kernel';
import { createResidencyClaimVerifier, OidcError, type ResidencyClaim } from '@bailiwick/oidc';
import type { FollowedMaterial } from '@bailiwick/pki';
import { RouterError, type RouterErrorCode } from './errors.ts';
import {
  HEAD_MS_MAX,
  HEAD_SIZE_BYTES_MAX,
  LINGER_MS,
  REQUESTS_PER_CONNECTION_MAX,
} from './limits.ts';
import type { Home, Routes } from './routes.ts';

const PATH = /^\/v1\/tenants\/([0-9a-f-]{36})\/residencies\/([a-z]{2}-[a-z0-9]{2,8})$/;
/** A directory entry may be kept by its caller for as long as it says; by nobody in between. */
const CACHE_CONTROL = 'private, no-transform';

const TITLES: Readonly<Partial<Record<RouterErrorCode, readonly [status: number, title: string]>>> =
  {
    ROUTER_DISCOVERY_ONLY: [421, 'this name serves discovery only: ask the home itself'],
    ROUTER_CLAIM_MISSING: [401, 'a residency claim is needed'],
    ROUTER_CLAIM_INVALID: [403, 'the residency claim does not verify'],
    ROUTER_CLAIM_FORBIDDEN: [403, 'the residency claim is for another tenant or residency'],
    ROUTER_HOME_UNKNOWN: [404, 'the directory knows no such home'],
    ROUTER_DIRECTORY_ABSENT: [503, 'the router has no directory yet'],
  };

export interface DiscoveryPorts {
  readonly clock: Clock;
  readonly routes: () => Routes;
  /** Counts answers by code, without anything about who asked. */
  readonly count: (code: RouterErrorCode | 'ROUTER_ANSWERED') => void;
}

/** The verified claim of a request; `undefined` when it carries none. */
type ClaimReader = (request: IncomingMessage) => Promise<ResidencyClaim | undefined>;

function createClaimReader(ports: DiscoveryPorts): ClaimReader {
  const { clock, routes } = ports;
  let serial = -1;
  let verifier = createResidencyClaimVerifier(clock, { keysOf: () => [] });
  return async (request) => {
    const token = request.headers['bailiwick-residency'];
    if (typeof token !== 'string') return undefined;
    const current = routes();
    if (current.serial !== serial) {
      // A new directory may have other keys: what was verified under the old ones is forgotten.
      serial = current.serial;
      verifier = createResidencyClaimVerifier(clock, { keysOf: current.keysOf });
    }
    try {
      return await verifier.verify(token);
    } catch (cause) {
      if (!(cause instanceof OidcError)) throw cause;
      throw new RouterError('ROUTER_CLAIM_INVALID', cause.message, { cause });
    }
  };
}

/** Refuses and closes. The body stays unread: nothing of it is asked for, parsed or thrown away. */
function refuse(request: IncomingMessage, code: RouterErrorCode, home?: Home): void {
  const [status, title] = TITLES[code] ?? [500, 'the router failed inside'];
  const body = JSON.stringify({
    type: toProblemType(code),
    title,
    status,
    detail: '',
    code,
    ...(home === undefined ? {} : { home: { cell: home.cell, name: home.name } }),
  });
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Error'}`,
    `content-type: ${PROBLEM_CONTENT_TYPE}`,
    `content-length: ${Buffer.byteLength(body)}`,
    'cache-control: no-store',
    'connection: close',
  ].join('\r\n');
  const { socket } = request;
  // SECURITY: written past the HTTP machinery, which would read the rest of the body to be polite. The
  // caller gets a moment to read the refusal; then the hard end.
  socket.pause();
  socket.end(`${head}\r\n\r\n${request.method === 'HEAD' ? '' : body}`);
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
}

async function answer(
  ports: DiscoveryPorts,
  readClaim: ClaimReader,
  request: IncomingMessage,
  options: { readonly name: string },
): Promise<{ readonly home: Home } | { readonly code: RouterErrorCode; readonly home?: Home }> {
  const { method, url = '', headers } = request;
  const match = PATH.exec(url);
  const hasBody =
    (headers['content-length'] ?? '0') !== '0' || headers['transfer-encoding'] !== undefined;
  const isOwnName = headers.host?.toLowerCase().replace(/:\d+$/, '') === options.name;
  const isDiscovery = method === 'GET' && match !== null && !hasBody && isOwnName;
  const routes = ports.routes();
  let claim: ResidencyClaim | undefined;
  try {
    claim = await readClaim(request);
  } catch (error) {
    if (!(error instanceof RouterError)) throw error;
    return { code: isDiscovery ? error.code : 'ROUTER_DISCOVERY_ONLY' };
  }
  const home = claim === undefined ? undefined : routes.findHome(claim.tenantId, claim.residency);
  if (!isDiscovery) {
    return { code: 'ROUTER_DISCOVERY_ONLY', ...(home === undefined ? {} : { home }) };
  }
  if (routes.serial === 0) return { code: 'ROUTER_DIRECTORY_ABSENT' };
  if (claim === undefined) return { code: 'ROUTER_CLAIM_MISSING' };
  const [, tenantId, residency] = match;
  if (claim.tenantId !== tenantId || claim.residency !== residency) {
    return { code: 'ROUTER_CLAIM_FORBIDDEN' };
  }
  return home === undefined ? { code: 'ROUTER_HOME_UNKNOWN' } : { home };
}

function createHandler(ports: DiscoveryPorts, options: { readonly name: string }): RequestListener {
  const readClaim = createClaimReader(ports);
  return (request, response) => {
    answer(ports, readClaim, request, options).then(
      (result) => {
        if ('code' in result) {
          ports.count(result.code);
          refuse(request, result.code, result.home);
          return;
        }
        ports.count('ROUTER_ANSWERED');
        response.writeHead(200, {
          'content-type': 'application/json',
          'content-length': result.home.body.length,
          'cache-control': CACHE_CONTROL,
        });
        response.end(result.home.body);
      },
      () => request.socket.destroy(),
    );
  };
}

/**
 * SECURITY: a connection without a whole request head ends after a while. Node's own timers start when a
 * server listens, and this one never does: its connections come from the front.
 */
function withDeadlines(server: Server, handler: RequestListener): RequestListener {
  const timers = new WeakMap<object, NodeJS.Timeout>();
  const arm = (socket: Socket): void => {
    clearTimeout(timers.get(socket));
    if (socket.destroyed) return;
    timers.set(
      socket,
      setTimeout(() => socket.destroy(), HEAD_MS_MAX),
    );
  };
  server.on('secureConnection', (socket) => {
    arm(socket);
    socket.once('close', () => clearTimeout(timers.get(socket)));
  });
  return (request, response) => {
    const { socket } = request;
    clearTimeout(timers.get(socket));
    response.once('close', () => arm(socket));
    handler(request, response);
  };
}

/** The HTTPS server of the global name; sockets are handed to it with `emit('connection')`. */
export function createDiscoveryServer(
  ports: DiscoveryPorts,
  options: { readonly name: string; readonly material: FollowedMaterial },
): Server {
  const { material } = options;
  const tls = {
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    ALPNProtocols: ['http/1.1'],
  } as const;
  const server = createServer({
    ...tls,
    ...material.current(),
    handshakeTimeout: HEAD_MS_MAX,
    maxHeaderSize: HEAD_SIZE_BYTES_MAX,
  });
  const handler = withDeadlines(server, createHandler(ports, options));
  server.maxRequestsPerSocket = REQUESTS_PER_CONNECTION_MAX;
  server.on('request', handler);
  // Who asks before sending a body is told at once, and never invited to go on.
  server.on('checkContinue', handler);
  server.on('checkExpectation', handler);
  server.on('clientError', (_error, socket) => socket.destroy());
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  const stop = material.onChange((now) => server.setSecureContext({ ...tls, ...now }));
  server.on('close', stop);
  return server;
}
