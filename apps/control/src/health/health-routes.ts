// SPDX-License-Identifier: Apache-2.0
import type { FastifyInstance } from 'fastify';
import { readRevision } from '../changes.ts';
import { getPeer } from '../peer.ts';
import type { ControlServices } from '../services.ts';

export function registerHealthRoutes(app: FastifyInstance, services: ControlServices): void {
  app.get('/v1/health', async (request) => {
    getPeer(request);
    const revision = await readRevision(services.database);
    return { status: 'serving', revision: Number(revision), bundleKey: services.signerKey };
  });
}
