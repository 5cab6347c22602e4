// SPDX-License-Identifier: Apache-2.0
import { UuidSchema } from '@bailiwick/contracts';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { CellError } from '../errors.ts';
import { requireCell } from '../internal/peer.ts';
import type { CellRuntime } from '../runtime.ts';
import { type DeliveryRow, findDelivery, listDeliveries } from './delivery-store.ts';
import { takeDelivery } from './take-delivery.ts';

const LIST_COUNT_MAX = 100;

/** `POST /internal/v1/deliveries`, for other cells. The delivery's own id makes a repetition safe. */
export function registerInternalDeliveryRoutes(app: FastifyInstance, runtime: CellRuntime): void {
  app.post('/internal/v1/deliveries', async (request, reply) => {
    const from = requireCell(request);
    const { isNew, ...receipt } = await takeDelivery(runtime, from, request.body);
    return reply.code(isNew ? 201 : 200).send(receipt);
  });
}

/** `GET /v1/deliveries`, `GET /v1/deliveries/{deliveryId}`: what came for the tenant. */
export function registerDeliveryRoutes(app: FastifyInstance, runtime: CellRuntime): void {
  const config = { carriesPlaintext: false };
  app.get(
    '/v1/deliveries',
    { config, schema: { summary: 'Figures that came from other cells', tags: ['transfers'] } },
    async ({ credential }) => {
      const { tenantId } = credential;
      const rows = await listDeliveries(runtime.database, tenantId, { count: LIST_COUNT_MAX });
      return { items: rows.map(toAnswer) };
    },
  );
  app.get<{ Params: { deliveryId: string } }>(
    '/v1/deliveries/:deliveryId',
    {
      config,
      schema: {
        summary: 'One delivery with its signed statement',
        tags: ['transfers'],
        params: Type.Object({ deliveryId: UuidSchema }),
      },
    },
    async ({ credential, params }) => {
      const { tenantId } = credential;
      const found = await findDelivery(runtime.database, { tenantId, ...params });
      if (found === undefined) throw new CellError('CELL_NOT_FOUND', 'no such delivery');
      return { ...toAnswer(found), statement: JSON.parse(found.statement) };
    },
  );
}

function toAnswer(row: DeliveryRow): Record<string, unknown> {
  const { deliveryId, from, statementHash, entryId, leafHash, receivedAt } = row;
  return {
    deliveryId,
    from,
    statementHash,
    entryId,
    leafHash,
    receivedAt: receivedAt.toISOString(),
  };
}
