// SPDX-License-Identifier: Apache-2.0
// Whether the cell serves. The public answer says so and no more; operators see the parts.
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import type { CellRuntime } from '../runtime.ts';

export interface Health {
  readonly isServing: boolean;
  readonly hasCharter: boolean;
  readonly isFresh: boolean;
  readonly charterSerial: number;
  readonly bundleSerial: number;
}

function toHealth({ law }: CellRuntime): Health {
  const inForce = law.find();
  return {
    isServing: inForce !== undefined,
    hasCharter: inForce !== undefined,
    isFresh: law.isFresh(),
    charterSerial: inForce?.serial ?? 0,
    bundleSerial: law.serial(),
  };
}

/** `GET /v1/health` */
export function registerHealthRoutes(app: FastifyInstance, runtime: CellRuntime): void {
  app.get(
    '/v1/health',
    {
      config: { access: 'open' },
      schema: {
        summary: 'Whether this cell serves',
        tags: ['health'],
        response: {
          200: Type.Object({ cell: Type.String(), isServing: Type.Boolean() }),
          503: Type.Object({ cell: Type.String(), isServing: Type.Boolean() }),
        },
      },
    },
    async (_request, reply) => {
      const { isServing } = toHealth(runtime);
      return reply.code(isServing ? 200 : 503).send({ cell: runtime.cellId, isServing });
    },
  );
}

/** `GET /internal/v1/health` and `GET /internal/v1/metrics` */
export function registerInternalHealthRoutes(
  app: FastifyInstance,
  runtime: CellRuntime,
  toMetrics: () => Promise<string>,
): void {
  app.get('/internal/v1/health', async () => {
    const started = runtime.clock.monotonicMs();
    await runtime.database.withTransaction((tx) => tx.query('SELECT 1'));
    return {
      cell: runtime.cellId,
      location: runtime.config.location.jurisdiction,
      databaseMs: Math.round(runtime.clock.monotonicMs() - started),
      ...toHealth(runtime),
    };
  });
  app.get('/internal/v1/metrics', async (_request, reply) =>
    reply.type('text/plain; version=0.0.4; charset=utf-8').send(await toMetrics()),
  );
}
