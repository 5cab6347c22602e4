// SPDX-License-Identifier: Apache-2.0
// The internal listener: mTLS, SPIFFE identities of this trust domain, nobody else. Operators, other cells
// and the control plane's health checks come here; tenants never.
import { PROBLEM_CONTENT_TYPE } from '@bailiwick/contracts';
import { createUuidV7 } from '@bailiwick/kernel';
import { type Identity, mtlsServerOptions } from '@bailiwick/pki';
import { TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox';
import Fastify, { type FastifyInstance } from 'fastify';
import { CellError } from '../errors.ts';
import { isInternalFault, toProblem } from '../problem.ts';
import type { CellRuntime } from '../runtime.ts';
import { findPeer } from './peer.ts';

/** A signed aggregate of ten thousand groups, in base64. */
const BODY_SIZE_BYTES_MAX = 4_194_304;
const REQUEST_MS_MAX = 30_000;

/** Makes the internal server without its routes. */
export function createInternalServer(runtime: CellRuntime, identity: Identity): FastifyInstance {
  const app: FastifyInstance = Fastify({
    ...mtlsServerOptions(identity, { allow: (id) => findPeer(id) !== undefined }),
    logger: false,
    bodyLimit: BODY_SIZE_BYTES_MAX,
    requestTimeout: REQUEST_MS_MAX,
    handlerTimeout: REQUEST_MS_MAX,
    forceCloseConnections: true,
    requestIdHeader: false,
    genReqId: () => createUuidV7(runtime),
  });
  app.setValidatorCompiler(TypeBoxValidatorCompiler);
  app.setNotFoundHandler(() => {
    throw new CellError('CELL_ROUTE_UNKNOWN', 'there is no such route');
  });
  app.setErrorHandler(async (error, request, reply) => {
    const problem = toProblem(error);
    const route = request.routeOptions.url;
    const fields = { code: problem.code, requestId: request.id, ...(route ? { route } : {}) };
    if (isInternalFault(problem))
      runtime.log.error('internal request failed', { ...fields, error });
    else runtime.log.info('internal request refused', fields);
    return reply
      .code(problem.status)
      .type(PROBLEM_CONTENT_TYPE)
      .serializer(JSON.stringify)
      .send({ ...problem, instance: request.id });
  });
  return app;
}
