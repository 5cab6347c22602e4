// SPDX-License-Identifier: Apache-2.0
// The order desk over HTTP. Nothing in it is special but what `orders.ts` and `exports.ts` do.
import Fastify, { type FastifyInstance } from 'fastify';
import { decideExport, type ExportWish } from './exports.ts';
import { addOrders, type DeskOrder, findOrders, listOrders, type Ports } from './orders.ts';

/** Makes the application over its database and its cell. */
export function createApp(ports: Ports): FastifyInstance {
  const app = Fastify({ logger: false });
  app.get('/orders', async () => ({ items: await listOrders(ports) }));
  app.post<{ Body: DeskOrder }>('/orders', async (request, reply) => {
    await addOrders(ports, [request.body]);
    return reply.code(201).send({ number: request.body.number });
  });
  // POST: an e-mail address does not belong into a URL.
  app.post<{ Body: { readonly email: string } }>('/order-searches', async (request) => ({
    items: await findOrders(ports, request.body.email),
  }));
  app.post<{ Body: ExportWish }>('/exports', async (request, reply) => {
    const answer = await decideExport(ports.cell, request.body);
    return reply.code(answer.isAllowed ? 202 : 403).send(answer);
  });
  return app;
}
