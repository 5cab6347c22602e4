// SPDX-License-Identifier: Apache-2.0
import type { FastifyInstance } from 'fastify';
import { PAGE_SIZE_MAX } from '../limits.ts';
import { requireCell, requireOperator } from '../peer.ts';
import type { ControlServices } from '../services.ts';
import { takeDelivery } from './delivery.ts';

interface DeliveryRow {
  readonly [column: string]: unknown;
}

export function registerDeliveryRoutes(app: FastifyInstance, services: ControlServices): void {
  // The delivery's own id makes a repetition safe: no key is needed.
  app.post('/v1/deliveries', async (request, reply) => {
    const cell = requireCell(request);
    const { deliveryId, isNew } = await takeDelivery(services, cell, request.body);
    return reply.code(isNew ? 201 : 200).send({ deliveryId });
  });

  app.get('/v1/deliveries', async (request) => {
    requireOperator(request);
    const { rows } = await services.database.pool.query<DeliveryRow>(
      `SELECT d.delivery_id AS "deliveryId", d.cell AS "from", d.tenant_id AS "tenantId",
         d.series, d.purpose, d.minimum_count AS "minimumCount", d.group_by AS "groupBy",
         d.measures, (SELECT coalesce(jsonb_agg(jsonb_build_object('values', g.group_values,
           'count', g.group_count, 'sums', g.sums) ORDER BY g.position), '[]')
           FROM control.delivery_groups g WHERE g.delivery_id = d.delivery_id) AS groups
       FROM control.deliveries d ORDER BY d.delivery_id DESC LIMIT $1`,
      [PAGE_SIZE_MAX],
    );
    return { items: rows };
  });
}
