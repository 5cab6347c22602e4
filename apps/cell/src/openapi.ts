// SPDX-License-Identifier: Apache-2.0
// OpenAPI 3.1 out of the routes' own schemas: what is documented is what is checked.
import swagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';

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
      const isOpen = route.config?.access === 'open';
      return { schema: isOpen ? { ...schema, security: [] } : schema, url };
    },
  });
  app.get('/openapi.json', { config: { access: 'open' }, schema: { hide: true } }, async () =>
    app.swagger(),
  );
}
