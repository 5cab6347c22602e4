// SPDX-License-Identifier: Apache-2.0
// The directory for those who may ask the control plane itself: operators and cells. Everybody else asks
// the router.
import { parseResidency, parseTenantId } from '@bailiwick/kernel';
import type { FastifyInstance } from 'fastify';
import { findDirectoryEntry } from '../bundles/bundle.ts';
import { ControlError } from '../errors.ts';
import { readParam } from '../params.ts';
import { getPeer } from '../peer.ts';
import type { ControlServices } from '../services.ts';

export function registerDirectoryRoutes(app: FastifyInstance, services: ControlServices): void {
  app.get('/v1/directory/tenants/:tenantId/residencies/:residency', async (request, reply) => {
    if (getPeer(request).kind === 'router') {
      throw new ControlError('CONTROL_PEER_FORBIDDEN', 'a router pulls its directory as a whole');
    }
    const tenantId = parseTenantId(readParam(request, 'tenantId'));
    const residency = parseResidency(readParam(request, 'residency'));
    const envelope = await findDirectoryEntry(services, { tenantId, residency });
    if (envelope === undefined) {
      throw new ControlError('CONTROL_TENANT_UNKNOWN', 'no home of this tenant there');
    }
    const maxAgeSeconds = Math.floor(services.directoryValidForMs / 1000);
    reply.header('cache-control', `private, max-age=${maxAgeSeconds}`);
    return envelope;
  });
}
