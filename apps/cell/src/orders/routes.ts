// SPDX-License-Identifier: Apache-2.0
// Legal orders of a tenant, by its own officers; and of the whole cell or any tenant, by operators over the
// internal listener.
import {
  OrderAnswerSchema,
  type OrderRequest,
  OrderRequestSchema,
  ProblemSchema,
  UuidSchema,
} from '@bailiwick/contracts';
import { parseTenantId, type SubjectId, type TenantId } from '@bailiwick/kernel';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { CellError } from '../errors.ts';
import { requireOperator } from '../internal/peer.ts';
import { toActor } from '../keys/change-key.ts';
import type { CellRuntime } from '../runtime.ts';
import type { CellServices } from '../services.ts';
import { requireRightsRole, requireRightsSight } from '../subjects/roles.ts';
import { findSubject } from '../subjects/subject-of.ts';
import { isJurisdiction } from './order-book.ts';
import { EVERY_TENANT } from './order-facts.ts';
import { type OrderServices, placeOrder, readOrders, revokeOrder } from './place-order.ts';

const traits = { carriesPlaintext: false } as const;

function toWanted(body: OrderRequest, subject?: SubjectId): Parameters<typeof placeOrder>[2] {
  const { measure, reference, jurisdiction } = body;
  if (jurisdiction !== undefined && !isJurisdiction(jurisdiction)) {
    const places = [{ pointer: '/jurisdiction', detail: 'expected a jurisdiction of the atlas' }];
    throw new CellError('CELL_INPUT_INVALID', 'see `errors`', { places });
  }
  return {
    measure,
    reference,
    ...(jurisdiction === undefined ? {} : { jurisdiction }),
    ...(subject === undefined ? {} : { subject }),
  };
}

/** `POST /v1/orders`, `GET /v1/orders`, `POST /v1/orders/{orderId}/revocations` */
export function registerOrderRoutes(
  app: FastifyInstance,
  services: CellServices & OrderServices,
): void {
  app.post<{ Body: OrderRequest }>(
    '/v1/orders',
    {
      config: traits,
      schema: {
        summary: 'Place a legal order: freeze, read-only or suspend, at once',
        tags: ['subjects'],
        body: OrderRequestSchema,
        response: { 201: OrderAnswerSchema, default: ProblemSchema },
      },
    },
    async (request, reply) => {
      const { credential, body } = request;
      requireRightsRole(credential);
      const { tenantId } = credential;
      const subject =
        body.subject === undefined
          ? undefined
          : (await findSubject(services, tenantId, body.subject)).subjectId;
      const place = { tenantId, draft: { actor: toActor(credential), request: request.id } };
      return reply.code(201).send(await placeOrder(services, place, toWanted(body, subject)));
    },
  );
  app.get(
    '/v1/orders',
    {
      config: traits,
      schema: {
        summary: 'Legal orders of this tenant, the newest first',
        tags: ['subjects'],
        response: {
          200: Type.Object({ items: Type.Array(OrderAnswerSchema) }),
          default: ProblemSchema,
        },
      },
    },
    async ({ credential }) => {
      requireRightsSight(credential);
      return { items: await readOrders(services, credential.tenantId) };
    },
  );
  app.post<{ Params: { orderId: string } }>(
    '/v1/orders/:orderId/revocations',
    {
      config: traits,
      schema: {
        summary: 'Revoke a legal order',
        tags: ['subjects'],
        params: Type.Object({ orderId: UuidSchema }),
        response: { 200: OrderAnswerSchema, default: ProblemSchema },
      },
    },
    (request) => {
      const { credential } = request;
      requireRightsRole(credential);
      const { tenantId } = credential;
      const place = { tenantId, draft: { actor: toActor(credential), request: request.id } };
      return revokeOrder(services, place, request.params.orderId);
    },
  );
}

type OperatorBody = OrderRequest & { readonly tenant?: string };

/** `/internal/v1/orders`: operators, for one tenant or for everybody. */
export function registerInternalOrderRoutes(app: FastifyInstance, runtime: CellRuntime): void {
  const body = Type.Intersect([
    Type.Omit(OrderRequestSchema, ['subject'], { additionalProperties: true }),
    Type.Object({ tenant: Type.Optional(UuidSchema) }),
  ]);
  const scopeOf = (tenant: string | undefined): TenantId =>
    tenant === undefined ? EVERY_TENANT : parseTenantId(tenant);
  app.post<{ Body: OperatorBody }>('/internal/v1/orders', { schema: { body } }, (request) => {
    const operator = requireOperator(request);
    const place = { tenantId: scopeOf(request.body.tenant), draft: {}, operator };
    return placeOrder(runtime, place, toWanted(request.body));
  });
  app.get<{ Querystring: { tenant?: string } }>('/internal/v1/orders', async (request) => {
    requireOperator(request);
    return { items: await readOrders(runtime, scopeOf(request.query.tenant)) };
  });
  app.post<{ Params: { orderId: string }; Body: { tenant?: string } | undefined }>(
    '/internal/v1/orders/:orderId/revocations',
    { schema: { params: Type.Object({ orderId: UuidSchema }) } },
    (request) => {
      const operator = requireOperator(request);
      const place = { tenantId: scopeOf(request.body?.tenant), draft: {}, operator };
      return revokeOrder(runtime, place, request.params.orderId);
    },
  );
}
