// SPDX-License-Identifier: Apache-2.0
import {
  ProblemSchema,
  type TransferAnswer,
  TransferApprovalRequestSchema,
  type TransferRequest,
  TransferRequestSchema,
  UuidSchema,
} from '@bailiwick/contracts';
import type { TenantId } from '@bailiwick/kernel';
import type { DsseEnvelope } from '@bailiwick/keys';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { CellError } from '../errors.ts';
import type { CellRuntime } from '../runtime.ts';
import { approveTransfer } from './approve-transfer.ts';
import { isAboutOne } from './decide-transfer.ts';
import { LIST_COUNT_MAX } from './limits.ts';
import { previewTransfer } from './preview-transfer.ts';
import { requestTransfer } from './request-transfer.ts';
import { stopTransfer } from './stop-transfer.ts';
import { findTransfer, listTransfers, type TransferRow } from './transfer-store.ts';

const traits = { carriesPlaintext: false } as const;

/** `POST /v1/transfers`, its previews, approvals and stops; `GET /v1/transfers`, `GET /v1/transfers/{transferId}` */
export function registerTransferRoutes(app: FastifyInstance, runtime: CellRuntime): void {
  registerPreview(app, runtime);
  registerChanges(app, runtime);
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
      const askedWith = request.idempotencyHold?.keyMac;
      const transferId = await requestTransfer(runtime, credential, request.body, askedWith);
      const { tenantId } = credential;
      const transfer = await findTransfer(runtime.database, { tenantId, transferId });
      if (transfer === undefined) throw new CellError('TRANSFER_UNKNOWN', 'no such transfer');
      return reply
        .code(202)
        .header('location', `/v1/transfers/${transferId}`)
        .send(toAnswer(runtime, transfer));
    },
  );
  app.get(
    '/v1/transfers',
    { config: traits, schema: { summary: 'Newest transfers', tags: ['transfers'] } },
    async ({ credential }) => {
      const { tenantId } = credential;
      const rows = await listTransfers(runtime.database, tenantId, { count: LIST_COUNT_MAX });
      return { items: rows.map((row) => ({ ...toAnswer(runtime, row), statement: undefined })) };
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
      if (transfer !== undefined) return toAnswer(runtime, transfer);
      throw new CellError('TRANSFER_UNKNOWN', 'there is no such transfer of this tenant');
    },
  );
}

function registerPreview(app: FastifyInstance, runtime: CellRuntime): void {
  app.post<{ Body: TransferRequest }>(
    '/v1/transfers/previews',
    {
      config: traits,
      serializerCompiler: () => JSON.stringify,
      schema: {
        summary: 'What a transfer would take along: counts and shapes, never values',
        tags: ['transfers'],
        body: TransferRequestSchema,
        response: { default: ProblemSchema },
      },
    },
    async ({ credential, body }) => {
      runtime.enforcement.purposeOf(credential, body.purpose);
      return previewTransfer(runtime, credential, body);
    },
  );
}

function registerChanges(app: FastifyInstance, runtime: CellRuntime): void {
  const params = Type.Object({ transferId: UuidSchema });
  const find = async (tenantId: TenantId, transferId: string): Promise<TransferAnswer> => {
    const transfer = await findTransfer(runtime.database, { tenantId, transferId });
    if (transfer !== undefined) return toAnswer(runtime, transfer);
    throw new CellError('TRANSFER_UNKNOWN', 'there is no such transfer of this tenant');
  };
  app.post<{ Params: { transferId: string }; Body: { approval: DsseEnvelope } }>(
    '/v1/transfers/:transferId/approvals',
    {
      config: traits,
      schema: {
        summary: 'Hand in a signature that a transfer waits for',
        tags: ['transfers'],
        params,
        body: TransferApprovalRequestSchema,
      },
    },
    async ({ credential, params: { transferId }, body }) => {
      await approveTransfer(runtime, credential, { transferId, approval: body.approval });
      return find(credential.tenantId, transferId);
    },
  );
  app.post<{ Params: { transferId: string } }>(
    '/v1/transfers/:transferId/stops',
    {
      config: traits,
      schema: {
        summary: 'Stop a transfer for good: nothing more of it leaves',
        tags: ['transfers'],
        params,
        body: Type.Optional(Type.Object({}, { additionalProperties: false })),
      },
    },
    async ({ credential, params: { transferId } }) => {
      await stopTransfer(runtime, credential, transferId);
      return find(credential.tenantId, transferId);
    },
  );
}

function toAnswer({ cellId }: Pick<CellRuntime, 'cellId'>, row: TransferRow): TransferAnswer {
  const { transferId, state, request, attemptCount, createdAt, updatedAt } = row;
  const { tenantId, credential: _credential, missing, through: _through, ...rest } = row;
  const { request: _request, attemptCount: _attempts, conditions: _conditions, ...all } = rest;
  const { chunkCount, recordCount, withheldCount, leftOutCount, ...shown } = all;
  const { mechanism, instrument } = request;
  const counts = { chunkCount, recordCount, withheldCount, leftOutCount };
  return {
    ...shown,
    ...(isAboutOne(request) ? counts : {}),
    ...(missing.length === 0
      ? {}
      : { missingApprovals: missing, approvalPlace: { cell: cellId, tenantId } }),
    ...(mechanism === undefined ? {} : { mechanism }),
    ...(instrument === undefined ? {} : { instrument }),
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
