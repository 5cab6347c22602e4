// SPDX-License-Identifier: Apache-2.0
// What a tenant makes an evidence pack from. It answers while the customer's key is disabled: nothing in it is
// plaintext.
import { type EvidenceAnswer, EvidenceAnswerSchema, ProblemSchema } from '@bailiwick/contracts';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import type { CellLedger } from '../ledger/cell-ledger.ts';
import type { CellRuntime } from '../runtime.ts';
import { stateEvidence } from './state-evidence.ts';

/** `POST /v1/evidence-statements` */
export function registerEvidenceRoutes(
  app: FastifyInstance,
  runtime: CellRuntime,
  ledger: CellLedger,
): void {
  app.post(
    '/v1/evidence-statements',
    {
      config: { carriesPlaintext: false, idempotency: 'none', priority: 'bulk' },
      schema: {
        summary: 'Puts on record what an evidence pack is made from, and gives it',
        tags: ['evidence'],
        body: Type.Optional(Type.Object({}, { additionalProperties: false })),
        response: { 200: EvidenceAnswerSchema, default: ProblemSchema },
      },
    },
    (request): Promise<EvidenceAnswer> =>
      stateEvidence({ runtime, ledger }, { credential: request.credential, requestId: request.id }),
  );
}
