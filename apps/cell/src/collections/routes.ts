// SPDX-License-Identifier: Apache-2.0
import {
  type CollectionDescription,
  CollectionSchemaSchema,
  ProblemSchema,
} from '@bailiwick/contracts';
import { parseCollectionId } from '@bailiwick/kernel';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import type { CellServices } from '../services.ts';
import { collectionsOf } from './collection-store.ts';
import type { CompiledCollection } from './compiled-collection.ts';
import { putCollection } from './put-collection.ts';

function toDescription({ id, version, schema }: CompiledCollection): CollectionDescription {
  return { collectionId: id, version, ...schema };
}

const Params = Type.Object({ collectionId: Type.String({ maxLength: 63 }) });
const writeJson = (): ((data: unknown) => string) => JSON.stringify;

/** `PUT`/`GET /v1/collections/{collectionId}`, `GET /v1/collections`. */
export function registerCollectionRoutes(app: FastifyInstance, services: CellServices): void {
  const store = collectionsOf(services);
  const { enforcement } = services;
  app.put<{ Params: { collectionId: string }; Body: unknown }>(
    '/v1/collections/:collectionId',
    {
      config: { carriesPlaintext: false },
      serializerCompiler: writeJson,
      schema: {
        summary: 'Create a collection or extend its schema',
        tags: ['collections'],
        params: Params,
        body: CollectionSchemaSchema,
        response: { default: ProblemSchema },
      },
    },
    async (request, reply) => {
      const { collection, isNew } = await putCollection(services, store, {
        credential: request.credential,
        purpose: enforcement.purposeOf(request.credential, request.statedPurpose),
        collectionId: parseCollectionId(request.params.collectionId),
        body: request.body,
        requestId: request.id,
      });
      reply.code(isNew && collection.version === 1 ? 201 : 200);
      reply.header('etag', `"${collection.version}"`);
      return toDescription(collection);
    },
  );
  app.get<{ Params: { collectionId: string } }>(
    '/v1/collections/:collectionId',
    {
      config: { carriesPlaintext: false },
      serializerCompiler: writeJson,
      schema: {
        summary: 'The schema of a collection',
        tags: ['collections'],
        params: Params,
        response: { default: ProblemSchema },
      },
    },
    async (request, reply) => {
      const collectionId = parseCollectionId(request.params.collectionId);
      const collection = await store.get(request.credential.tenantId, collectionId);
      reply.header('etag', `"${collection.version}"`);
      return toDescription(collection);
    },
  );
  app.get(
    '/v1/collections',
    {
      config: { carriesPlaintext: false },
      serializerCompiler: writeJson,
      schema: {
        summary: 'The collections of the tenant',
        tags: ['collections'],
        response: { default: ProblemSchema },
      },
    },
    async (request) => {
      const items = await store.list(request.credential.tenantId);
      return { items: items.map(toDescription) };
    },
  );
}
