// SPDX-License-Identifier: Apache-2.0
// OpenAPI 3.1 out of the routes' own schemas: what is documented is what is checked.
import swagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import type { RouteTraits } from './http.ts';

/** Must be registered before the routes that it is to describe. */
export async function registerOpenApi(app: FastifyInstance): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Bailiwick cell',
        description:
          'A cell decides, seals and opens, and records. Answers to errors are RFC 9457.',
        version: '1',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      components: {
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
          residency: { type: 'apiKey', in: 'header', name: 'Bailiwick-Residency' },
        },
      },
      security: [{ bearer: [], residency: [] }],
    },
    transform: ({ schema, url, route }) => {
      const traits: RouteTraits = route.config ?? {};
      if (traits.access === 'open') return { schema: { ...schema, security: [] }, url };
      return { schema: { ...schema, headers: toHeaders(traits, route.method) }, url };
    },
  });
  app.get('/openapi.json', { config: { access: 'open' }, schema: { hide: true } }, async () =>
    app.swagger(),
  );
}

/** Headers that the server itself asks of a tenant's request. */
function toHeaders(traits: RouteTraits, method: string | readonly string[]): object {
  const isKeyed = String(method).includes('POST') && traits.idempotency !== 'none';
  const key = { type: 'string', minLength: 1, maxLength: 255 };
  return {
    type: 'object',
    properties: {
      'Bailiwick-Purpose': {
        type: 'string',
        description: 'Purpose of this request; default: the account’s own',
      },
      ...(isKeyed ? { 'Idempotency-Key': key } : {}),
    },
    required: isKeyed ? ['Idempotency-Key'] : [],
  };
}
