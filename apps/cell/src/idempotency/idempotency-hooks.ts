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
  app.addHook('preHandler', async (request, reply) => {
    const kind = kindOf(request);
    if (kind === 'none') return;
    const key = request.headers['idempotency-key'];
    if (typeof key !== 'string' || !KEY.test(key)) {
      throw new CellError('IDEMPOTENCY_KEY_MISSING', 'expected a header `Idempotency-Key`', {
        places: [{ pointer: '#header/idempotency-key', detail: 'expected 1 to 255 characters' }],
      });
    }
    if (kind === 'own') return;
    const { tenantId, account } = request.credential;
    const begun = await store.begin({
      tenantId,
      account,
      key,
      content: toContent(request),
      holder: request.id,
      holdMs,
    });
    if ('status' in begun) return replay(reply, begun);
    request.idempotencyHold = begun;
  });
  app.addHook('onSend', async (request, reply, payload) => {
    const hold = request.idempotencyHold;
    if (hold === undefined) return payload;
    request.idempotencyHold = undefined;
    const isKept =
      reply.statusCode < 400 && typeof payload === 'string' && payload.length <= ANSWER_LENGTH_MAX;
    if (isKept) await store.finish(hold, { status: reply.statusCode, body: payload });
    else await store.giveUp(hold);
    return payload;
  });
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

function replay(
  reply: FastifyReply,
  { status, body }: { readonly status: number; readonly body: string },
): FastifyReply {
  return reply
    .code(status)
    .type('application/json; charset=utf-8')
    .header('idempotency-replayed', 'true')
    .send(body);
}
