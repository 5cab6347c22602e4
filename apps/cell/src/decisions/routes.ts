// SPDX-License-Identifier: Apache-2.0
import {
  DecisionSchema,
  type DecisionsRequest,
  DecisionsRequestSchema,
  ProblemSchema,
} from '@bailiwick/contracts';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import type { CellRuntime } from '../runtime.ts';
import { type AuthzenRequest, AuthzenRequestSchema, evaluate } from './authzen.ts';
import { decideBatch } from './decide-batch.ts';
import { toFlow } from './to-flow.ts';

/** `POST /v1/decisions` and, for OpenID AuthZEN clients, `POST /access/v1/evaluations`. */
export function registerDecisionRoutes(app: FastifyInstance, runtime: CellRuntime): void {
  app.post<{ Body: DecisionsRequest }>(
    '/v1/decisions',
    {
      config: { idempotency: 'none', carriesPlaintext: false },
      schema: {
        summary: 'Decide a batch of flows',
        tags: ['doors'],
        body: DecisionsRequestSchema,
        response: {
          200: Type.Object({ items: Type.Array(DecisionSchema) }),
          default: ProblemSchema,
        },
      },
    },
    async (request) => {
      const nowMs = runtime.clock.nowMs();
      const flows = request.body.flows.map((flow) => toFlow(flow, nowMs));
      return { items: await decideBatch(runtime, request.credential, flows) };
    },
  );
  app.post<{ Body: AuthzenRequest }>(
    '/access/v1/evaluations',
    {
      config: { idempotency: 'none', carriesPlaintext: false },
      schema: {
        summary: 'Evaluate access (OpenID AuthZEN Authorization API 1.0 §7)',
        tags: ['doors'],
        body: AuthzenRequestSchema,
      },
    },
    (request) => evaluate(runtime, request.credential, request.body),
  );
}
