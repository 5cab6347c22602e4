// SPDX-License-Identifier: Apache-2.0
import { SealsAnswerSchema, type SealsRequest, SealsRequestSchema } from '@bailiwick/contracts';
import type { FastifyInstance } from 'fastify';
import type { CellServices } from '../services.ts';
import { sealValues } from './seal-values.ts';

const BODY_SIZE_BYTES_MAX = 16_777_216;

/** `POST /v1/seals` */
export function registerSealRoutes(app: FastifyInstance, services: CellServices): void {
  app.post<{ Body: SealsRequest }>(
    '/v1/seals',
    {
      config: { idempotency: 'none' },
      bodyLimit: BODY_SIZE_BYTES_MAX,
      schema: {
        summary: 'Seal field sets for the caller’s own database',
        tags: ['doors'],
        body: SealsRequestSchema,
        response: { 200: SealsAnswerSchema },
      },
    },
    async (request) => {
      const { credential } = request;
      const purpose = services.enforcement.purposeOf(credential, request.statedPurpose);
      return { items: await sealValues(services, { credential, purpose }, request.body.values) };
    },
  );
}
