// SPDX-License-Identifier: Apache-2.0
import {
  type BlindIndexRequest,
  BlindIndexRequestSchema,
  OpeningsAnswerSchema,
  type OpeningsRequest,
  OpeningsRequestSchema,
} from '@bailiwick/contracts';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import type { CellServices } from '../services.ts';
import { toBlindIndex } from './blind-index.ts';
import { openValues } from './open-values.ts';

const BODY_SIZE_BYTES_MAX = 16_777_216;

/** `POST /v1/openings` and `POST /v1/blind-indexes` */
export function registerOpeningRoutes(app: FastifyInstance, services: CellServices): void {
  app.post<{ Body: OpeningsRequest }>(
    '/v1/openings',
    {
      config: { idempotency: 'none' },
      bodyLimit: BODY_SIZE_BYTES_MAX,
      schema: {
        summary: 'Open sealed values; one entry for the batch',
        tags: ['doors'],
        body: OpeningsRequestSchema,
        response: { 200: OpeningsAnswerSchema },
      },
    },
    (request) => {
      const { credential } = request;
      const purpose = services.enforcement.purposeOf(credential, request.statedPurpose);
      const sealed = request.body.values.map((value) => value.sealed);
      return openValues(services, { credential, purpose }, sealed);
    },
  );
  app.post<{ Body: BlindIndexRequest }>(
    '/v1/blind-indexes',
    {
      config: { idempotency: 'none' },
      schema: {
        summary: 'Blind index of a value, for an exact search in the caller’s own SQL',
        tags: ['doors'],
        body: BlindIndexRequestSchema,
        response: { 200: Type.Object({ index: Type.String() }) },
      },
    },
    (request) => {
      const { credential } = request;
      const purpose = services.enforcement.purposeOf(credential, request.statedPurpose);
      return toBlindIndex(services, { credential, purpose }, request.body);
    },
  );
}
