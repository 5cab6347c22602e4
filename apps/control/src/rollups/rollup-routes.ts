// SPDX-License-Identifier: Apache-2.0
// Counters of whole cells by the minute. A period that is sent again replaces itself, so a repetition
// is harmless and needs no key.
import { parseRollup } from '@bailiwick/contracts';
import type { FastifyInstance } from 'fastify';
import { PAGE_SIZE_MAX } from '../limits.ts';
import { requireCell, requireOperator } from '../peer.ts';
import type { ControlServices } from '../services.ts';

export function registerRollupRoutes(app: FastifyInstance, services: ControlServices): void {
  const { database } = services;

  app.post('/v1/rollups', async (request, reply) => {
    const cell = requireCell(request);
    const { periodStart, counters } = parseRollup(request.body);
    const names = Object.keys(counters);
    await database.withTransaction(async (tx) => {
      await tx.query(
        `INSERT INTO control.rollups (cell, period_start, counter, total)
         SELECT $1, $2, * FROM unnest($3::text[], $4::bigint[])
         ON CONFLICT (cell, period_start, counter) DO UPDATE SET total = excluded.total`,
        [cell, periodStart, names, Object.values(counters)],
      );
    });
    return reply.code(204).send();
  });

  app.get('/v1/rollups', async (request) => {
    requireOperator(request);
    const { rows } = await database.pool.query<{ cell: string; counter: string; total: string }>(
      `SELECT cell, counter, sum(total)::text AS total FROM control.rollups
       GROUP BY cell, counter ORDER BY cell, counter LIMIT $1`,
      [PAGE_SIZE_MAX],
    );
    return { items: rows.map((row) => ({ ...row, total: Number(row.total) })) };
  });
}
