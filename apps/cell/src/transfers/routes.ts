// SPDX-License-Identifier: Apache-2.0
import {
  ProblemSchema,
  type TransferAnswer,
  type TransferRequest,
  TransferRequestSchema,
  UuidSchema,
} from '@bailiwick/contracts';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { CellError } from '../errors.ts';
import type { CellRuntime } from '../runtime.ts';
import { requestTransfer } from './request-transfer.ts';
import { findTransfer, listTransfers, type TransferRow } from './transfer-store.ts';

const LIST_COUNT_MAX = 100;
const traits = { carriesPlaintext: false } as const;

/** `POST /v1/transfers`, `GET /v1/transfers`, `GET /v1/transfers/{transferId}` */
export function registerTransferRoutes(app: FastifyInstance, runtime: CellRuntime): void {
  app.post<{ Body: TransferRequest }>(
    '/v1/transfers',
    {
      config: traits,
      serializerCompiler: () => JSON.stringify,
      schema: {
        summary: 'Ask for a transfer: decided now, executed by a job',
        tags: ['transfers'],
        body: TransferRequestSchema,
        response: { 202: Type.Object({ transferId: UuidSchema }), default: ProblemSchema },
      },
    },
    async (request, reply) => {
      const { credential } = request;
      // A transfer states its purpose in its body; it must be granted like any other.
      runtime.enforcement.purposeOf(credential, request.body.purpose);
      const transferId = await requestTransfer(runtime, credential, request.body);
      const { tenantId } = credential;
      const transfer = await findTransfer(runtime.database, { tenantId, transferId });
      if (transfer === undefined) throw new CellError('TRANSFER_UNKNOWN', 'no such transfer');
      return reply
        .code(202)
        .header('location', `/v1/transfers/${transferId}`)
        .send(toAnswer(transfer));
    },
  );
  app.get(
    '/v1/transfers',
    { config: traits, schema: { summary: 'Newest transfers', tags: ['transfers'] } },
    async ({ credential }) => {
      const { tenantId } = credential;
      const rows = await listTransfers(runtime.database, tenantId, { count: LIST_COUNT_MAX });
      return { items: rows.map((row) => ({ ...toAnswer(row), statement: undefined })) };
    },
  );
  app.get<{ Params: { transferId: string } }>(
    '/v1/transfers/:transferId',
    {
      config: traits,
      schema: {
        summary: 'A transfer as it stands',
        tags: ['transfers'],
        params: Type.Object({ transferId: UuidSchema }),
      },
    },
    async ({ credential, params }) => {
      const { tenantId } = credential;
      const { transferId } = params;
      const transfer = await findTransfer(runtime.database, { tenantId, transferId });
      if (transfer !== undefined) return toAnswer(transfer);
      throw new CellError('TRANSFER_UNKNOWN', 'there is no such transfer of this tenant');
    },
  );
}

function toAnswer(row: TransferRow): TransferAnswer {
  const { transferId, state, request, attemptCount, createdAt, updatedAt } = row;
  const { tenantId: _tenant, credential: _credential, ...rest } = row;
  const { request: _request, attemptCount: _attempts, ...shown } = rest;
  return {
    ...shown,
    transferId,
    state,
    kind: request.kind,
    form: request.form,
    destination: request.destination,
    purpose: request.purpose,
    attempts: attemptCount,
    createdAt: createdAt.toISOString(),
    updatedAt: updatedAt.toISOString(),
  };
}
