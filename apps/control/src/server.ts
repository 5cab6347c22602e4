// SPDX-License-Identifier: Apache-2.0
// The control plane's server: mTLS, closed schemas, problem documents. It listens to cells, routers and
// operators and to nobody else.
import { PROBLEM_CONTENT_TYPE } from '@bailiwick/contracts';
import { createUuidV7 } from '@bailiwick/kernel';
import { type Identity, mtlsServerOptions, toTrustDomain } from '@bailiwick/pki';
import { type FastifyInstance, fastify } from 'fastify';
import { registerBundleRoutes } from './bundles/bundle-routes.ts';
import { registerCellRoutes } from './cells/cell-routes.ts';
import { registerCharterRoutes } from './charters/charter-routes.ts';
import { registerDeliveryRoutes } from './deliveries/delivery-routes.ts';
import { registerDirectoryRoutes } from './directory/directory-routes.ts';
import { ControlError } from './errors.ts';
import { registerHealthRoutes } from './health/health-routes.ts';
import { BODY_SIZE_BYTES_MAX } from './limits.ts';
import { findPeer } from './peer.ts';
import { toProblem } from './problem.ts';
import { registerRolloutRoutes } from './rollouts/rollout-routes.ts';
import { registerRollupRoutes } from './rollups/rollup-routes.ts';
import type { ControlServices } from './services.ts';
import { registerTenantRoutes } from './tenants/tenant-routes.ts';

const REQUEST_TIMEOUT_MS = 30_000;

export function createServer(services: ControlServices, identity: Identity): FastifyInstance {
  const domain = toTrustDomain(identity.spiffeId);
  const app = fastify({
    ...mtlsServerOptions(identity, {
      allow: (id) => toTrustDomain(id) === domain && findPeer(id) !== undefined,
    }),
    bodyLimit: BODY_SIZE_BYTES_MAX,
    requestTimeout: REQUEST_TIMEOUT_MS,
    forceCloseConnections: true,
    genReqId: () => createUuidV7(services),
    logger: false,
  });
  app.setErrorHandler(async (error, request, reply) => {
    const problem = toProblem(error);
    const { code, status } = problem;
    const route = request.routeOptions.url ?? '';
    if (status >= 500) services.log.error('a request failed inside', { code, route, error });
    else services.log.info('a request was refused', { code, status, route });
    return await reply
      .code(status)
      .type(PROBLEM_CONTENT_TYPE)
      .send({ ...problem, instance: request.id });
  });
  app.setNotFoundHandler(() => {
    throw new ControlError('CONTROL_ROUTE_UNKNOWN', 'there is no such route');
  });
  registerHealthRoutes(app, services);
  registerCellRoutes(app, services);
  registerTenantRoutes(app, services);
  registerCharterRoutes(app, services);
  registerBundleRoutes(app, services);
  registerDirectoryRoutes(app, services);
  registerRolloutRoutes(app, services);
  registerRollupRoutes(app, services);
  registerDeliveryRoutes(app, services);
  return app;
}
