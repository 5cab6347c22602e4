// SPDX-License-Identifier: Apache-2.0
// The public listener: what happens to every request before and after its handler. In this order: id and
// deadline, authority, credential, admission, body, shape, idempotency, handler, answer, last check of
// the lease. Routes say what they need in `http.ts`.
import type { ServerResponse } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { PROBLEM_CONTENT_TYPE, type Problem } from '@bailiwick/contracts';
import { createUuidV7, parseTenantId, type TenantId } from '@bailiwick/kernel';
import type { tlsServerOptions } from '@bailiwick/pki';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Admission } from './backpressure.ts';
import type { CredentialVerifier } from './credentials/credential-verifier.ts';
import { createDeadlines, type Deadlines } from './deadlines.ts';
import { CellError } from './errors.ts';
import type { RouteTraits } from './http.ts';
import { registerIdempotency } from './idempotency/idempotency-hooks.ts';
import { HOLD_MS, type IdempotencyStore } from './idempotency/idempotency-store.ts';
import { isInternalFault, toProblem, toRetryAfter } from './problem.ts';
import type { CellServices, Credential } from './services.ts';
import { compileValidator } from './validation.ts';

export interface PublicServerOptions {
  /** The cell's server name; requests for another authority are refused. */
  readonly name: string;
  readonly bodySizeBytesMax: number;
  readonly requestMsMax: number;
  readonly admission: Admission;
  readonly credentials: CredentialVerifier;
  readonly idempotency: IdempotencyStore;
  /** Throws while this cell must not serve; routes that are open to anybody answer meanwhile. */
  readonly assertServing?: () => void;
  /** TLS: `tlsServerOptions(files)` of `@bailiwick/pki`. Absent in tests that inject requests. */
  readonly transport?: ReturnType<typeof tlsServerOptions>;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Set once the credential has been verified. */
    verified: Credential | undefined;
  }
}

const HEADERS_TIMEOUT_MS = 15_000;
const KEEP_ALIVE_MS = 65_000;
/** Longest time for a whole body: imports stream theirs; each holds a place of its tenant meanwhile. */
const BODY_MS_MAX = 600_000;
const PARAMETER_LENGTH_MAX = 128;

/** Makes the public server without its routes. */
export function createPublicServer(
  services: CellServices,
  options: PublicServerOptions,
): FastifyInstance {
  const app: FastifyInstance = Fastify({
    ...options.transport,
    logger: false,
    bodyLimit: options.bodySizeBytesMax,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: PARAMETER_LENGTH_MAX },
    genReqId: () => createUuidV7(services),
    requestIdHeader: false,
    return503OnClosing: true,
    // SECURITY: no header from outside decides about addresses or protocol.
    trustProxy: false,
  });
  // A server of its own factory gets no limits from Fastify.
  Object.assign(app.server, {
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: BODY_MS_MAX,
    keepAliveTimeout: KEEP_ALIVE_MS,
    maxRequestsPerSocket: 0,
  });
  app.setValidatorCompiler(compileValidator);
  decorate(app);
  const deadlines = createDeadlines(services.clock);
  app.addHook('onClose', (_app, done) => {
    deadlines.close();
    done();
  });
  registerAdmission(app, { services, deadlines, ...options });
  registerIdempotency(app, options.idempotency, { holdMs: HOLD_MS });
  app.addHook('onSend', (request, reply, payload, done) => {
    try {
      guardAnswer(services, request, reply);
      done(null, payload);
    } catch (error) {
      done(error instanceof Error ? error : new CellError('CELL_INTERNAL_FAULT', 'check failed'));
    }
  });
  registerProblems(app, services);
  registerFigures(app, services);
  return app;
}

function decorate(app: FastifyInstance): void {
  app.decorateRequest('verified', undefined);
  app.decorateRequest('deadlineMs', 0);
  app.decorateRequest('credential', {
    getter(this: FastifyRequest): Credential {
      if (this.verified !== undefined) return this.verified;
      throw new CellError('CELL_CREDENTIAL_MISSING', 'expected `Authorization: Bearer <token>`');
    },
  });
  app.decorateRequest('statedPurpose', {
    getter(this: FastifyRequest): string | undefined {
      const stated = this.headers['bailiwick-purpose'];
      return typeof stated === 'string' && stated !== '' ? stated : undefined;
    },
  });
}

interface AdmitContext extends PublicServerOptions {
  readonly services: CellServices;
  readonly deadlines: Deadlines;
}

/** Runs first. Nothing waits here that is there already: most requests pass in one turn. */
function registerAdmission(app: FastifyInstance, context: AdmitContext): void {
  app.addHook('onRequest', (request, reply, done) => {
    watchDeadline(request, reply, context);
    reply.header('x-request-id', request.id);
    reply.header('cache-control', 'no-store');
    const traits: RouteTraits = request.routeOptions.config;
    const enter = (credential: Credential | undefined): void => {
      request.verified = credential;
      const preparing = credential && context.services.orders.prepare(credential.tenantId);
      const pass = (): void => admit(request, reply, { context, traits, done });
      // Legal orders are asked at every decision: they are there before anything is decided.
      if (preparing === undefined) pass();
      else preparing.then(pass).catch(done);
    };
    try {
      assertAuthority(request, context.name);
      const isOpen = traits.access === 'open' || request.is404;
      if (!isOpen) context.assertServing?.();
      const verified = isOpen ? undefined : context.credentials.verify(request.headers);
      if (verified instanceof Promise) verified.then(enter).catch(done);
      else enter(verified);
    } catch (error) {
      done(toHookError(error));
    }
  });
}

/** A hook's `done` takes errors only; what is thrown here is one. */
function toHookError(error: unknown): Error {
  return error instanceof Error ? error : new CellError('CELL_INTERNAL_FAULT', 'check failed');
}

/** How long the caller will wait, where it says so; the server's own limit ends the request. */
function watchDeadline(
  request: FastifyRequest,
  reply: FastifyReply,
  { services, deadlines, requestMsMax }: AdmitContext,
): void {
  const traits: RouteTraits = request.routeOptions.config;
  const limitMs = traits.requestMsMax ?? requestMsMax;
  const stated = Number(request.headers['bailiwick-deadline-ms']);
  const nowMs = services.clock.monotonicMs();
  const isStated = Number.isInteger(stated) && stated > 0;
  request.deadlineMs = nowMs + (isStated ? Math.min(stated, limitMs) : limitMs);
  deadlines.watch(reply, nowMs + limitMs);
}

function admit(
  request: FastifyRequest,
  reply: FastifyReply,
  {
    context,
    traits,
    done,
  }: {
    readonly context: AdmitContext;
    readonly traits: RouteTraits;
    readonly done: (error?: Error) => void;
  },
): void {
  const waitMsMax = request.deadlineMs - context.services.clock.monotonicMs();
  const place = context.admission.admit(request.verified?.tenantId ?? 'open', {
    priority: traits.priority ?? 'interactive',
    waitMsMax: Math.max(1, waitMsMax),
  });
  const hold = (release: () => void): void => {
    const settle = (): void => {
      release();
      context.deadlines.forget(reply);
    };
    if (reply.raw.destroyed || reply.raw.closed) settle();
    else reply.raw.once('close', settle);
    done();
  };
  if (typeof place === 'function') hold(place);
  else place.then(hold).catch((error: unknown) => done(toHookError(error)));
}

/**
 * SECURITY: a connection opened for one name must not carry requests for another: behind a shared
 * address that would be a way into a cell that the caller never named.
 */
function assertAuthority(request: FastifyRequest, name: string): void {
  const { socket } = request.raw;
  const authority = (request.headers.host ?? '').replace(/:\d{1,5}$/, '').toLowerCase();
  const serverName = isTls(socket) ? socket.servername : undefined;
  const isRight = authority === name && (serverName === undefined || serverName === name);
  if (!isRight) {
    throw new CellError('CELL_AUTHORITY_MISMATCH', `this is \`${name}\`: ask for that name`);
  }
}

/** True for a real connection; injected requests of tests have none. */
function isTls(socket: unknown): socket is TLSSocket {
  return typeof socket === 'object' && socket !== null && 'encrypted' in socket;
}

/**
 * INVARIANT 8: the last check stands directly before each write of plaintext to the socket and once more
 * after it. What slipped through a process that was stopped in between is cut off and entered.
 */
function guardAnswer(services: CellServices, request: FastifyRequest, reply: FastifyReply): void {
  const { verified } = request;
  const traits: RouteTraits = request.routeOptions.config;
  if (verified === undefined || traits.carriesPlaintext === false || reply.statusCode >= 400)
    return;
  const { tenantId } = verified;
  services.keys.assertUsable(tenantId);
  const raw = reply.raw;
  const { write, end } = raw;
  let isCut = false;
  const around = <T>(send: () => T): T | undefined => {
    if (isCut) return undefined;
    try {
      services.keys.assertUsable(tenantId);
    } catch {
      isCut = true;
      raw.destroy();
      return undefined;
    }
    const result = send();
    try {
      services.keys.assertUsable(tenantId);
    } catch {
      isCut = true;
      raw.destroy();
      enterLateRelease(services, request);
    }
    return result;
  };
  const guardedWrite = (...args: Parameters<ServerResponse['write']>): boolean =>
    around(() => Reflect.apply(write, raw, args)) ?? false;
  const guardedEnd = (...args: Parameters<ServerResponse['end']>): ServerResponse =>
    around(() => Reflect.apply(end, raw, args)) ?? raw;
  Object.assign(raw, { write: guardedWrite, end: guardedEnd });
}

function enterLateRelease(services: CellServices, request: FastifyRequest): void {
  services.meter.createCounter('bailiwick.late_releases').add(1);
  services.entries
    .record(request.verified?.tenantId, {
      kind: 'late-release',
      facts: { route: request.routeOptions.url ?? 'unknown' },
      request: request.id,
    })
    .catch((error: unknown) => services.log.error('late release could not be entered', { error }));
}

/** Refusals that are entered besides being answered; denials enter themselves. */
const ENTERED: Readonly<Record<string, 'refusal' | 'misdirected'>> = {
  CELL_PURPOSE_MISSING: 'refusal',
  CELL_PURPOSE_FORBIDDEN: 'refusal',
  CELL_ROLE_FORBIDDEN: 'refusal',
  CELL_TENANT_SUSPENDED: 'refusal',
  RESIDENCY_CLAIM_INVALID: 'refusal',
  RESIDENCY_FORBIDDEN: 'refusal',
  RESIDENCY_UNSUPPORTED: 'refusal',
  CELL_MISDIRECTED: 'misdirected',
};

function registerProblems(app: FastifyInstance, services: CellServices): void {
  const refused = services.meter.createCounter('bailiwick.refusals', {
    description: 'requests answered with a problem, by code',
  });
  app.setNotFoundHandler(() => {
    throw new CellError('CELL_ROUTE_UNKNOWN', 'see `/openapi.json` for what there is');
  });
  app.setErrorHandler(async (error, request, reply) => {
    let problem = toProblem(error);
    refused.add(1, { code: problem.code });
    if (isInternalFault(problem)) {
      services.log.error('request failed inside', {
        error,
        requestId: request.id,
        ...toRoute(request),
      });
    }
    problem = await enterRefusal(services, request, { problem, tenantId: toTenant(error) });
    if (problem.status === 401) reply.header('www-authenticate', 'Bearer');
    if (problem.status === 429 || problem.status === 503) {
      reply.header('retry-after', toRetryAfter(error));
    }
    return reply
      .code(problem.status)
      .type(PROBLEM_CONTENT_TYPE)
      .serializer(JSON.stringify)
      .send({ ...problem, instance: request.id });
  });
}

/** INVARIANT 3: a refusal is on record before it is told; what cannot be entered is a failure inside. */
async function enterRefusal(
  services: CellServices,
  request: FastifyRequest,
  { problem, tenantId }: { readonly problem: Problem; readonly tenantId: TenantId | undefined },
): Promise<Problem> {
  const kind = ENTERED[problem.code];
  if (kind === undefined) return problem;
  try {
    await services.entries.record(request.verified?.tenantId ?? tenantId, {
      kind,
      facts: { code: problem.code, ...toRoute(request) },
      request: request.id,
    });
    return problem;
  } catch (error) {
    services.log.error('refusal could not be entered', { error, requestId: request.id });
    return toProblem(error);
  }
}

/** Whose account was refused, where that was verified before the refusal. */
function toTenant(error: unknown): TenantId | undefined {
  if (!(error instanceof CellError)) return undefined;
  const { tenantId } = error.details;
  return typeof tenantId === 'string' ? parseTenantId(tenantId) : undefined;
}

/** The route's template: never the path, which holds ids chosen by callers. */
function toRoute(request: FastifyRequest): { readonly route?: string } {
  const { url } = request.routeOptions;
  return url === undefined ? {} : { route: url };
}

function registerFigures(app: FastifyInstance, services: CellServices): void {
  const durations = services.meter.createHistogram('http.server.request.duration', { unit: 's' });
  // One frozen object for each combination, so that its series is found without a look inside.
  const known = new Map<string, Readonly<Record<string, string>>>();
  app.addHook('onResponse', (request, reply, done) => {
    const { method } = request;
    const route = request.routeOptions.url ?? 'unknown';
    const name = `${reply.statusCode} ${method} ${route}`;
    const attributes =
      known.get(name) ??
      Object.freeze({
        'http.request.method': method,
        'http.route': route,
        'http.response.status_code': String(reply.statusCode),
      });
    known.set(name, attributes);
    durations.record(reply.elapsedTime / 1000, attributes);
    done();
  });
}
