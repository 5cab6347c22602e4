// SPDX-License-Identifier: Apache-2.0
import { parseCharterRequest, parseSuspensionRequest } from '@bailiwick/contracts';
import type { FastifyInstance } from 'fastify';
import { requireOperator } from '../peer.ts';
import type { ControlServices } from '../services.ts';
import { putCharter, suspendMechanism } from './charter.ts';
import { findCharter, nextSerial } from './charter-store.ts';

export function registerCharterRoutes(app: FastifyInstance, services: ControlServices): void {
  app.get('/v1/charter', async (request) => {
    requireOperator(request);
    return await services.database.withTransaction(async (tx) => {
      const charter = await findCharter(tx);
      const { serial = 0, text = '', textHash = '' } = charter ?? {};
      return { serial, text, textHash, nextSerial: await nextSerial(tx) };
    });
  });

  app.put('/v1/charter', async (request) => {
    requireOperator(request);
    const { serial, textHash } = await putCharter(services, parseCharterRequest(request.body));
    return { serial, textHash };
  });

  // Repeating it is harmless (a later instant never un-suspends), so it keeps its own promise and takes
  // no key: in an emergency one call must do.
  app.post('/v1/mechanism-suspensions', async (request, reply) => {
    requireOperator(request);
    const { mechanism } = parseSuspensionRequest(request.body);
    const { serial, textHash } = await suspendMechanism(services, mechanism);
    return reply.code(201).send({ serial, textHash, mechanism });
  });
}
