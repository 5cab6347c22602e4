// SPDX-License-Identifier: Apache-2.0
// `Idempotency-Key` on each POST: 400 when missing, 409 while in flight, 422 when reused with another
// body, the stored answer when repeated. Routes that keep the promise by themselves say so.
import { type Json, toCanonicalJson } from '@bailiwick/kernel';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { CellError } from '../errors.ts';
import type { RouteTraits } from '../http.ts';
import {
  ANSWER_LENGTH_MAX,
  type IdempotencyHold,
  type IdempotencyStore,
} from './idempotency-store.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set while this request holds its Idempotency-Key. */
    idempotencyHold: IdempotencyHold | undefined;
  }
}

const KEY = /^[\x21-\x7e]{1,255}$/;

/** Adds the hooks; credentials are verified before they run. */
export function registerIdempotency(
  app: FastifyInstance,
  store: IdempotencyStore,
  { holdMs }: { readonly holdMs: number },
): void {
  app.decorateRequest('idempotencyHold', undefined);
  app.addHook('preHandler', (request, reply, done) => {
    const kind = kindOf(request);
    if (kind === 'none') return done();
    const key = request.headers['idempotency-key'];
    if (typeof key !== 'string' || !KEY.test(key)) {
      const expected = 'expected a header `Idempotency-Key`';
      const places = [
        { pointer: '#header/idempotency-key', detail: 'expected 1 to 255 characters' },
      ];
      return done(new CellError('IDEMPOTENCY_KEY_MISSING', expected, { places }));
    }
    if (kind === 'own') return done();
    const begun = begin(store, request, { key, holdMs }).then((answer) => {
      if (answer === undefined) done();
      else replay(reply, answer);
    });
    begun.catch(done);
  });
  app.addHook('onSend', (request, reply, payload, done) => {
    const hold = request.idempotencyHold;
    if (hold === undefined) return done(null, payload);
    request.idempotencyHold = undefined;
    const isKept =
      reply.statusCode < 400 && typeof payload === 'string' && payload.length <= ANSWER_LENGTH_MAX;
    const settled = isKept
      ? store.finish(hold, { status: reply.statusCode, body: payload })
      : // A hold that cannot be given up ends by itself; the answer, which is a refusal, goes out all the same.
        store.giveUp(hold).catch(() => undefined);
    settled.then(() => done(null, payload), done);
  });
}

/** Holds the key for this request; gives the stored answer when it was answered before. */
async function begin(
  store: IdempotencyStore,
  request: FastifyRequest,
  { key, holdMs }: { readonly key: string; readonly holdMs: number },
): Promise<StoredAnswer | undefined> {
  const { tenantId, account } = request.credential;
  const content = toContent(request);
  const begun = await store.begin({
    tenantId,
    account,
    key,
    content,
    holder: request.id,
    holdMs,
  });
  if ('status' in begun) return begun;
  request.idempotencyHold = begun;
  return undefined;
}

interface StoredAnswer {
  readonly status: number;
  readonly body: string;
}

function kindOf(request: FastifyRequest): 'stored' | 'own' | 'none' {
  const traits: RouteTraits = request.routeOptions.config;
  if (request.method !== 'POST' || request.is404 || traits.access === 'open') return 'none';
  return traits.idempotency ?? 'stored';
}

function toContent(request: FastifyRequest): string {
  const body = request.body === undefined ? '' : toCanonicalJson(parseJsonValue(request.body));
  return `${request.method} ${request.url}\n${request.statedPurpose ?? ''}\n${body}`;
}

/** The body came out of a JSON parser: it is JSON by construction. */
function parseJsonValue(body: unknown): Json {
  return body as Json;
}

function replay(reply: FastifyReply, { status, body }: StoredAnswer): FastifyReply {
  return reply
    .code(status)
    .type('application/json; charset=utf-8')
    .header('idempotency-replayed', 'true')
    .send(body);
}
