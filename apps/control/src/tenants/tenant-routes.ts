// SPDX-License-Identifier: Apache-2.0
import { parseTenantRequest } from '@bailiwick/contracts';
import { parseTenantId } from '@bailiwick/kernel';
import type { FastifyInstance } from 'fastify';
import { ControlError } from '../errors.ts';
import { answerOnce } from '../idempotency.ts';
import { readParam } from '../params.ts';
import { requireOperator } from '../peer.ts';
import type { ControlServices } from '../services.ts';
import { addTenant, changeTenant } from './tenant.ts';
import { findTenant, listTenants } from './tenant-store.ts';

export function registerTenantRoutes(app: FastifyInstance, services: ControlServices): void {
  const { database, changes } = services;

  app.get('/v1/tenants', async (request) => {
    requireOperator(request);
    return { items: await database.withTransaction((tx) => listTenants(tx)) };
  });

  app.get('/v1/tenants/:tenantId', async (request) => {
    requireOperator(request);
    const tenantId = parseTenantId(readParam(request, 'tenantId'));
    const tenant = await database.withTransaction((tx) => findTenant(tx, tenantId));
    if (tenant !== undefined) return tenant;
    throw new ControlError('CONTROL_TENANT_UNKNOWN', 'there is no such tenant');
  });

  app.post('/v1/tenants', async (request, reply) => {
    const operator = requireOperator(request);
    const body = parseTenantRequest(request.body);
    const answer = await answerOnce(services, request, operator, async (tx) => {
      return { status: 201, body: { ...(await addTenant(services, tx, body)) } };
    });
    changes.announce();
    return reply.code(answer.status).send(answer.body);
  });

  app.put('/v1/tenants/:tenantId', async (request) => {
    requireOperator(request);
    const tenantId = parseTenantId(readParam(request, 'tenantId'));
    const body = parseTenantRequest(request.body);
    if (body.tenantId !== undefined && body.tenantId !== tenantId) {
      throw new ControlError('CONTROL_INPUT_INVALID', 'the id in the body is another one');
    }
    const tenant = await changeTenant(services, tenantId, body);
    changes.announce();
    return tenant;
  });
}
