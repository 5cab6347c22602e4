// SPDX-License-Identifier: Apache-2.0
// Pulls by cells and routers. A pull waits for news for a part of the freshness statement's life, then
// answers with a fresh statement bound to cell, serial and the caller's nonce.
import { type BundleAnswer, checkWith, NonceSchema } from '@bailiwick/contracts';
import { parseCellId } from '@bailiwick/kernel';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ControlError } from '../errors.ts';
import { PULL_WAIT_MS_MAX, PULL_WAIT_SHARE } from '../limits.ts';
import { findQuery, readCount, readParam } from '../params.ts';
import { requireCell, requireRouter } from '../peer.ts';
import type { ControlServices } from '../services.ts';
import { getBundle, getRouterDirectory, type SignedDocument, signFreshness } from './bundle.ts';
import { createSignedCache } from './signed-cache.ts';

/** Asks again and again until there is something newer than `after`, time is up or the caller is gone. */
async function awaitNewer<Found extends SignedDocument | undefined>(
  services: ControlServices,
  request: FastifyRequest,
  pull: {
    readonly find: () => Promise<Found>;
    readonly after: number;
    readonly waitMsOf: (found: Found) => number;
  },
): Promise<Found> {
  const { find, after, waitMsOf } = pull;
  const startedMs = services.clock.monotonicMs();
  for (;;) {
    const found = await find();
    const leftMs = startedMs + waitMsOf(found) - services.clock.monotonicMs();
    const isDone = (found?.serial ?? 0) > after || leftMs <= 0;
    if (isDone || services.isStopping() || request.raw.socket.destroyed) return found;
    await services.changes.wait(leftMs);
  }
}

export function registerBundleRoutes(app: FastifyInstance, services: ControlServices): void {
  const bundles = createSignedCache<Awaited<ReturnType<typeof getBundle>>>(services);
  const directories = createSignedCache<SignedDocument>(services);

  app.get('/v1/cells/:residency/:name/bundle', async (request, reply): Promise<BundleAnswer> => {
    const cell = parseCellId(`${readParam(request, 'residency')}/${readParam(request, 'name')}`);
    requireCell(request, cell);
    const nonce = readNonce(request);
    const after = readCount(request, 'after', { fallback: 0, max: Number.MAX_SAFE_INTEGER });
    const waitMs = readCount(request, 'waitMs', { fallback: 0, max: PULL_WAIT_MS_MAX });
    const found = await awaitNewer(services, request, {
      find: () => bundles.get(cell, () => getBundle(services, cell)),
      after,
      waitMsOf: (one) =>
        Math.min(waitMs, one === undefined ? waitMs : one.freshForMs * PULL_WAIT_SHARE),
    });
    if (found === undefined) throw new ControlError('CONTROL_CHARTER_ABSENT', 'no charter yet');
    const { serial, envelope, freshForMs: validForMs } = found;
    const freshness = signFreshness(services, { cell, serial, nonce, validForMs });
    noStore(reply);
    return serial > after ? { bundle: envelope, freshness } : { freshness };
  });

  app.get('/v1/router-directory', async (request, reply) => {
    requireRouter(request);
    const after = readCount(request, 'after', { fallback: 0, max: Number.MAX_SAFE_INTEGER });
    const waitMs = readCount(request, 'waitMs', { fallback: 0, max: PULL_WAIT_MS_MAX });
    const found = await awaitNewer(services, request, {
      find: () => directories.get('router', () => getRouterDirectory(services)),
      after,
      waitMsOf: () => waitMs,
    });
    noStore(reply);
    return found.serial > after ? { directory: found.envelope } : {};
  });
}

function noStore(reply: FastifyReply): void {
  reply.header('cache-control', 'no-store');
}

function readNonce(request: FastifyRequest): string {
  return String(checkWith(NonceSchema, findQuery(request, 'nonce'), 'nonce'));
}
