// SPDX-License-Identifier: Apache-2.0
// The order desk over HTTP. Nothing in it is special but what `orders.ts` and `exports.ts` do.
import { findProblem } from '@bailiwick/sdk';
import Fastify, { type FastifyInstance } from 'fastify';
import { decideExport, type ExportWish } from './exports.ts';
import { addOrders, type DeskOrder, findOrders, listOrders, type Ports } from './orders.ts';

/** Makes the application over its database and its cell. */
export function createApp(ports: Ports): FastifyInstance {
  const app = Fastify({ logger: false });
  // What the cell refused is the caller's business; what went wrong between us is not.
  app.setErrorHandler((error, _request, reply) => {
    const problem = findProblem(error);
    if (problem === undefined) return reply.code(500).send({ code: 'ORDERS_FAILED' });
    return reply.code(problem.status).send({ code: problem.code, detail: problem.detail });
  });
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
