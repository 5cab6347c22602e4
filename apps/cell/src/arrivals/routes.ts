// SPDX-License-Identifier: Apache-2.0
import { UuidSchema } from '@bailiwick/contracts';
import { parseTenantId } from '@bailiwick/kernel';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { requireCell } from '../internal/peer.ts';
import type { KeyAdministration } from '../key-service/api.ts';
import type { CellRuntime } from '../runtime.ts';
import { type ArrivalRow, listArrivals } from './arrival-store.ts';
import { endArrival } from './end-arrival.ts';
import { recallPerson } from './recall-person.ts';
import { takeChunk } from './take-chunk.ts';
import { takeManifest } from './take-manifest.ts';
import type { ArrivalCall } from './verify-arrival.ts';

const LIST_COUNT_MAX = 100;
const BASE = '/internal/v1/tenants/:tenantId/arrivals/:transferId';

interface Params {
  readonly tenantId: string;
  readonly transferId: string;
}

const PLACE = { tenantId: UuidSchema, transferId: UuidSchema };

/** For other cells: `PUT …/arrivals/{transferId}`, its chunks and its end. Each may come any number of times. */
export function registerInternalArrivalRoutes(
  app: FastifyInstance,
  runtime: CellRuntime,
  administration: Pick<KeyAdministration, 'eraseSubject'>,
): void {
  const toCall = (request: FastifyRequest<{ Params: Params }>): ArrivalCall => ({
    from: requireCell(request),
    tenantId: parseTenantId(request.params.tenantId),
    transferId: request.params.transferId,
    body: request.body,
  });
  const schema = { params: Type.Object(PLACE) };
  app.put<{ Params: Params }>(BASE, { schema }, async (request) =>
    takeManifest(runtime, toCall(request)),
  );
  app.put<{ Params: Params & { chunk: number } }>(
    `${BASE}/chunks/:chunk`,
    { schema: { params: Type.Object({ ...PLACE, chunk: Type.Integer({ minimum: 1 }) }) } },
    async (request) => takeChunk(runtime, { ...toCall(request), number: request.params.chunk }),
  );
  app.put<{ Params: Params & { recallId: string }; Body: { subject: string } }>(
    `${BASE}/recalls/:recallId`,
    {
      schema: {
        params: Type.Object({ ...PLACE, recallId: UuidSchema }),
        body: Type.Object({ subject: UuidSchema }, { additionalProperties: false }),
      },
    },
    async (request) => {
      const { recallId } = request.params;
      const { subject } = request.body;
      return recallPerson(runtime, administration, { ...toCall(request), recallId, subject });
    },
  );
  app.put<{ Params: Params }>(`${BASE}/end`, { schema }, async (request) =>
    endArrival(runtime, toCall(request)),
  );
}

/** `GET /v1/arrivals`: copies that came for the tenant. */
export function registerArrivalRoutes(app: FastifyInstance, runtime: CellRuntime): void {
  app.get(
    '/v1/arrivals',
    {
      config: { carriesPlaintext: false },
      schema: { summary: 'Copies that came from other cells', tags: ['transfers'] },
    },
    async ({ credential }) => {
      const rows = await listArrivals(runtime.database, credential.tenantId, {
        count: LIST_COUNT_MAX,
      });
      return { items: rows.map(toAnswer) };
    },
  );
}

function toAnswer(row: ArrivalRow): Record<string, unknown> {
  const { manifest, tenantId: _tenant, createdAt, updatedAt, ...shown } = row;
  return {
    ...shown,
    manifest: JSON.parse(manifest),
    createdAt: createdAt.toISOString(),
    updatedAt: updatedAt.toISOString(),
  };
}
