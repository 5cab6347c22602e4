// SPDX-License-Identifier: Apache-2.0
import type { Readable } from 'node:stream';
import {
  CountQuerySchema,
  type FieldValue,
  ImportResultSchema,
  ProblemSchema,
  RecordChangeSchema,
  type RecordDraft,
  RecordDraftSchema,
  RecordPageSchema,
  type SearchQuery,
  SearchQuerySchema,
  StoredRecordSchema,
  type Where,
} from '@bailiwick/contracts';
import { isCoded, parseCollectionId, parseRecordId } from '@bailiwick/kernel';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { type CollectionStore, collectionsOf } from '../collections/collection-store.ts';
import type { CompiledCollection } from '../collections/compiled-collection.ts';
import { CellError } from '../errors.ts';
import type { CellServices, EntryReceipt } from '../services.ts';
import { RecordError } from './errors.ts';
import { createCsvReader, createJsonReader, type LineReader } from './import-lines.ts';
import { Import } from './imports.ts';
import { RecordReads } from './reads.ts';
import { RecordSearches } from './searches.ts';
import type { Asker } from './sight.ts';
import { RecordWrites } from './writes.ts';

interface CollectionRoute {
  readonly Params: { readonly collectionId: string };
}
interface RecordRoute {
  readonly Params: { readonly collectionId: string; readonly recordId: string };
}

/** What a request is about. */
interface Context {
  readonly asker: Asker;
  readonly collection: CompiledCollection;
  readonly requestId: string;
}

/** What the routes work with. */
interface Tools {
  readonly services: CellServices;
  readonly collections: CollectionStore;
}

const CollectionParams = Type.Object({ collectionId: Type.String({ maxLength: 63 }) });
const RecordParams = Type.Object({
  collectionId: Type.String({ maxLength: 63 }),
  recordId: Type.String({ maxLength: 36 }),
});
const IMPORT_MS_MAX = 600_000;

// Answers are our own objects: written as they are, several times faster than through a schema.
const writeJson = (): ((data: unknown) => string) => JSON.stringify;

async function toContext(tools: Tools, request: FastifyRequest<CollectionRoute>): Promise<Context> {
  const { services, collections } = tools;
  const { credential } = request;
  const purpose = services.enforcement.purposeOf(credential, request.statedPurpose);
  const collectionId = parseCollectionId(request.params.collectionId);
  const collection = await collections.get(credential.tenantId, collectionId);
  return { asker: { credential, purpose }, collection, requestId: request.id };
}

/** An answer names the entry it left. */
function tellEntry(reply: FastifyReply, receipt: EntryReceipt | undefined): void {
  if (!receipt) return;
  reply.header('bailiwick-entry', receipt.entryId);
  reply.header('bailiwick-leaf-hash', receipt.leafHash);
}

const VERSION_TAG = /^"([1-9]\d{0,9})"$/;

function parseIfMatch(request: FastifyRequest): number {
  const tag = request.headers['if-match'];
  if (tag === undefined) {
    throw new RecordError('RECORD_VERSION_MISSING', 'state the version as `If-Match: "1"`');
  }
  const match = VERSION_TAG.exec(tag);
  if (match) return Number(match[1]);
  throw new CellError('CELL_INPUT_INVALID', 'not a version', {
    places: [{ pointer: '#header/if-match', detail: 'expected one version such as `"1"`' }],
  });
}

/** `/v1/collections/{collectionId}/records…`, `/searches`, `/counts`, `/imports`. */
export function registerRecordRoutes(app: FastifyInstance, services: CellServices): void {
  const tools = { services, collections: collectionsOf(services) };
  registerWrites(app, tools);
  registerReads(app, tools);
  registerImports(app, tools);
}

function registerWrites(app: FastifyInstance, tools: Tools): void {
  const writes = new RecordWrites(tools.services, tools.collections);
  app.post<CollectionRoute & { Body: RecordDraft }>(
    '/v1/collections/:collectionId/records',
    {
      config: { idempotency: 'own' },
      serializerCompiler: writeJson,
      schema: {
        summary: 'Create a record',
        tags: ['records'],
        params: CollectionParams,
        body: RecordDraftSchema,
        response: { 200: StoredRecordSchema, 201: StoredRecordSchema, default: ProblemSchema },
      },
    },
    async (request, reply) => {
      const context = await toContext(tools, request);
      const key = String(request.headers['idempotency-key'] ?? '');
      // The key is the account's own; another account's same key is another record.
      const fallbackId = `${request.credential.account}/${key}`;
      const answer = await createRecord(writes, context, { body: request.body, fallbackId });
      tellEntry(reply, answer.receipt);
      reply.header('etag', `"${answer.record.version}"`);
      reply.code(answer.isNew ? 201 : 200);
      return answer.record;
    },
  );
  app.patch<RecordRoute & { Body: { fields: Record<string, FieldValue | null> } }>(
    '/v1/collections/:collectionId/records/:recordId',
    {
      serializerCompiler: writeJson,
      schema: {
        summary: 'Change fields of a record',
        tags: ['records'],
        params: RecordParams,
        body: RecordChangeSchema,
        response: { 200: StoredRecordSchema, default: ProblemSchema },
      },
    },
    async (request, reply) => {
      const version = parseIfMatch(request);
      const context = await toContext(tools, request);
      const place = toPlace(context, request.params.recordId);
      const answer = await writes.update(context, { ...place, version }, request.body.fields);
      tellEntry(reply, answer.receipt);
      reply.header('etag', `"${answer.record.version}"`);
      return answer.record;
    },
  );
  app.delete<RecordRoute>(
    '/v1/collections/:collectionId/records/:recordId',
    {
      config: { carriesPlaintext: false },
      schema: {
        summary: 'Delete a record',
        tags: ['records'],
        params: RecordParams,
        response: { 204: Type.Null(), default: ProblemSchema },
      },
    },
    async (request, reply) => {
      const version = parseIfMatch(request);
      const context = await toContext(tools, request);
      const place = toPlace(context, request.params.recordId);
      tellEntry(reply, await writes.delete(context, { ...place, version }));
      return reply.code(204).send();
    },
  );
}

/** Without an id of the caller's the key is the id: the same key with other content is reused. */
async function createRecord(
  writes: RecordWrites,
  context: Context,
  wire: { readonly body: RecordDraft; readonly fallbackId: string },
): ReturnType<RecordWrites['create']> {
  const { body, fallbackId } = wire;
  if (body.id !== undefined) return writes.create(context, body, undefined);
  try {
    return await writes.create(context, body, fallbackId);
  } catch (error) {
    if (!isCoded(error, 'RECORD_CONFLICT')) throw error;
    throw new CellError('IDEMPOTENCY_KEY_REUSED', 'the key was used with another record');
  }
}

function toPlace(context: Context, recordId: string) {
  return { collectionId: context.collection.id, recordId: parseRecordId(recordId) };
}

function registerReads(app: FastifyInstance, tools: Tools): void {
  const reads = new RecordReads(tools.services, tools.collections);
  const searches = new RecordSearches(tools.services, tools.collections);
  app.get<RecordRoute>(
    '/v1/collections/:collectionId/records/:recordId',
    {
      serializerCompiler: writeJson,
      schema: {
        summary: 'Read a record',
        tags: ['records'],
        params: RecordParams,
        response: { 200: StoredRecordSchema, default: ProblemSchema },
      },
    },
    async (request, reply) => {
      const context = await toContext(tools, request);
      const place = toPlace(context, request.params.recordId);
      const { record, receipt } = await reads.read(context, place);
      tellEntry(reply, receipt);
      reply.header('etag', `"${record.version}"`);
      return record;
    },
  );
  app.post<CollectionRoute & { Body: SearchQuery }>(
    '/v1/collections/:collectionId/searches',
    {
      config: { idempotency: 'none' },
      serializerCompiler: writeJson,
      schema: {
        summary: 'Search records',
        tags: ['records'],
        params: CollectionParams,
        body: SearchQuerySchema,
        response: { 200: RecordPageSchema, default: ProblemSchema },
      },
    },
    async (request, reply) => {
      const context = await toContext(tools, request);
      const { page, receipt } = await searches.search(context, request.body);
      tellEntry(reply, receipt);
      return page;
    },
  );
  app.post<CollectionRoute & { Body: { where?: Where } }>(
    '/v1/collections/:collectionId/counts',
    {
      config: { idempotency: 'none' },
      serializerCompiler: writeJson,
      schema: {
        summary: 'Count records',
        tags: ['records'],
        params: CollectionParams,
        body: CountQuerySchema,
        response: {
          200: Type.Object({ count: Type.Integer({ minimum: 0 }) }),
          default: ProblemSchema,
        },
      },
    },
    async (request, reply) => {
      const context = await toContext(tools, request);
      const { count, receipt } = await searches.count(context, request.body.where ?? {});
      tellEntry(reply, receipt);
      return { count };
    },
  );
}

function parseFirstLine(request: FastifyRequest, absent: number): number {
  const text = request.headers['bailiwick-first-line'];
  if (text === undefined) return absent;
  const line = typeof text === 'string' && /^[1-9]\d{0,14}$/.test(text) ? Number(text) : 0;
  if (line > 0) return line;
  throw new CellError('CELL_INPUT_INVALID', 'not the number of a line', {
    places: [{ pointer: '#header/bailiwick-first-line', detail: 'expected a number from 1' }],
  });
}

function toReader(request: FastifyRequest, collection: CompiledCollection): LineReader {
  const isCsv = request.headers['content-type']?.startsWith('text/csv') === true;
  if (!isCsv) return createJsonReader({ firstLine: parseFirstLine(request, 1) });
  const name = request.headers['bailiwick-mapping'] ?? 'default';
  const mapping = typeof name === 'string' ? collection.schema.imports?.[name] : undefined;
  if (!mapping) {
    const detail = 'the schema of the collection has no such mapping under `imports`';
    throw new RecordError('IMPORT_MAPPING_UNKNOWN', detail);
  }
  return createCsvReader({ mapping, collection, firstLine: parseFirstLine(request, 2) });
}

function registerImports(app: FastifyInstance, tools: Tools): void {
  // Lines are read as they come, never as a whole: the parsers below hold for this route alone.
  app.register(async (scope) => {
    const asStream = (
      _request: FastifyRequest,
      payload: Readable,
      done: (error: Error | null, body?: unknown) => void,
    ): void => done(null, payload);
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser(['text/csv', 'application/x-ndjson'], asStream);
    scope.post<CollectionRoute & { Body: Readable }>(
      '/v1/collections/:collectionId/imports',
      {
        config: {
          idempotency: 'own',
          carriesPlaintext: false,
          priority: 'bulk',
          requestMsMax: IMPORT_MS_MAX,
        },
        serializerCompiler: writeJson,
        schema: {
          summary: 'Take in many records as lines of CSV or NDJSON',
          tags: ['records'],
          params: CollectionParams,
          response: { 200: ImportResultSchema, default: ProblemSchema },
        },
      },
      async (request) => {
        const context = await toContext(tools, request);
        const reader = toReader(request, context.collection);
        return new Import(tools.services, tools.collections, context).run(request.body, reader);
      },
    );
  });
}
