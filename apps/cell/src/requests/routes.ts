// SPDX-License-Identifier: Apache-2.0
// Requests under people's rights: written down when they arrive, from when the clock runs; verified;
// carried out by themselves; or refused with a ground. An officer of the tenant does each of these.
import {
  type FieldValue,
  ProblemSchema,
  REFUSAL_GROUNDS,
  ReferenceSchema,
  type RightsRequest,
  type RightsRequestDraft,
  RightsRequestDraftSchema,
  RightsRequestSchema,
  type RightsState,
  UuidSchema,
} from '@bailiwick/contracts';
import {
  createUuidV7,
  parseCollectionId,
  parseRecordId,
  toDate,
  toInstant,
} from '@bailiwick/kernel';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { collectionsOf } from '../collections/collection-store.ts';
import { CellError } from '../errors.ts';
import { findExisting } from '../records/existing.ts';
import { RecordWrites } from '../records/writes.ts';
import type { Credential } from '../services.ts';
import { requireRightsRole, requireRightsSight } from '../subjects/roles.ts';
import { findSubject } from '../subjects/subject-of.ts';
import { buildExport, EXPORT_PURPOSE, toReadable } from './build-export.ts';
import { extendClock, startClock } from './clock.ts';
import {
  changeRequest,
  findRequest,
  insertRequest,
  listRequests,
  type RequestRow,
  toRequestAnswer,
} from './request-store.ts';
import { type RequestServices, runRequest, toRequestDraft } from './run-request.ts';

const traits = { carriesPlaintext: false } as const;
const params = Type.Object({ requestId: UuidSchema });
const answers = { 200: RightsRequestSchema, default: ProblemSchema };

interface RequestRoute {
  readonly Params: { readonly requestId: string };
}

function refuse(pointer: string, detail: string): never {
  throw new CellError('CELL_INPUT_INVALID', 'see `errors`', { places: [{ pointer, detail }] });
}

function unknownRequest(): CellError {
  return new CellError('REQUEST_UNKNOWN', 'there is no such request of this tenant');
}

async function getRequest(
  services: RequestServices,
  { credential, params: { requestId } }: FastifyRequest<RequestRoute>,
): Promise<RequestRow> {
  const found = await findRequest(services.database, { tenantId: credential.tenantId, requestId });
  if (found !== undefined) return found;
  throw unknownRequest();
}

/** `/v1/requests…` */
export function registerRequestRoutes(app: FastifyInstance, services: RequestServices): void {
  registerReceipt(app, services);
  registerReading(app, services);
  registerSteps(app, services);
  registerWork(app, services);
  registerExport(app, services);
}

function registerReceipt(app: FastifyInstance, services: RequestServices): void {
  app.post<{ Body: RightsRequestDraft }>(
    '/v1/requests',
    {
      config: traits,
      schema: {
        summary: 'Write down what a person asks for under their rights: the clock runs from now',
        tags: ['subjects'],
        body: RightsRequestDraftSchema,
        response: { 201: RightsRequestSchema, default: ProblemSchema },
      },
    },
    async (request, reply) => {
      requireRightsRole(request.credential);
      checkDraft(services, request.body);
      const row = await receive(services, request.credential, request.body);
      const { requestId } = row;
      return reply
        .code(201)
        .header('location', `/v1/requests/${requestId}`)
        .send(toRequestAnswer(row, services.clock.nowMs()));
    },
  );
}

function checkDraft(
  services: RequestServices,
  { kind, purpose, ground }: RightsRequestDraft,
): void {
  const isObjection = kind === 'objection';
  if (isObjection !== (purpose !== undefined)) {
    refuse('/purpose', 'an objection names a purpose, and nothing else does');
  }
  if (purpose !== undefined && !services.law.current().charter.purposes.includes(purpose)) {
    refuse('/purpose', 'expected a purpose of the charter');
  }
  if ((kind === 'restriction') !== (ground !== undefined)) {
    refuse('/ground', 'a restriction has a ground, and nothing else has');
  }
}

async function receive(
  services: RequestServices,
  credential: Credential,
  { kind, subject, purpose, ground }: RightsRequestDraft,
): Promise<RequestRow> {
  const { tenantId } = credential;
  const { named, subjectId } = await findSubject(services, tenantId, subject);
  const nowMs = services.clock.nowMs();
  const clock = startClock(await listRegimes(services, { tenantId, subjectId }), toDate(nowMs));
  const requestId = createUuidV7(services);
  const draft = {
    ...(purpose === undefined ? {} : { purpose }),
    ...(ground === undefined ? {} : { ground }),
  };
  const row = { tenantId, requestId, subjectId, namedId: named, kind, draft, clock, credential };
  const entry = services.entries.prepare(
    tenantId,
    toRequestDraft(row, { step: 'received', due: clock.dueOn }),
  );
  await services.database.withTenant(tenantId, async (tx) => {
    await insertRequest(tx, { ...row, createdAt: new Date(nowMs) });
    await services.entries.insertPrepared(tx, [entry]);
  });
  const made = await findRequest(services.database, { tenantId, requestId });
  if (made !== undefined) return made;
  throw unknownRequest();
}

/** The laws that the person's data carries; where there is none, those of this cell's own country. */
async function listRegimes(
  services: RequestServices,
  { tenantId, subjectId }: Pick<RequestRow, 'tenantId' | 'subjectId'>,
): Promise<readonly string[]> {
  const { rows } = await services.database.withTenant(tenantId, (tx) =>
    tx.query<{ regime: string }>(
      `SELECT DISTINCT jsonb_array_elements_text(r.facts::jsonb -> 'regimes') AS regime
         FROM cell.records r WHERE r.tenant_id = $1 AND r.subject_id = $2`,
      [tenantId, subjectId],
    ),
  );
  if (rows.length > 0) return rows.map(({ regime }) => regime);
  const { charter } = services.law.current();
  const here = charter.cells.find(({ id }) => id === services.cellId);
  const home = charter.homes.get(here?.location ?? '');
  return home?.ok === true ? home.regimes : [];
}

function registerReading(app: FastifyInstance, services: RequestServices): void {
  app.get(
    '/v1/requests',
    {
      config: traits,
      schema: {
        summary: 'Requests of people, the most urgent first',
        tags: ['subjects'],
        response: {
          200: Type.Object({ items: Type.Array(RightsRequestSchema) }),
          default: ProblemSchema,
        },
      },
    },
    async ({ credential }) => {
      requireRightsSight(credential);
      const rows = await listRequests(services.database, credential.tenantId);
      const nowMs = services.clock.nowMs();
      return { items: rows.map((row) => toRequestAnswer(row, nowMs)) };
    },
  );
  app.get<RequestRoute>(
    '/v1/requests/:requestId',
    {
      config: traits,
      schema: {
        summary: 'A person’s request as it stands',
        tags: ['subjects'],
        params,
        response: answers,
      },
    },
    async (request) => {
      requireRightsSight(request.credential);
      return toRequestAnswer(await getRequest(services, request), services.clock.nowMs());
    },
  );
}

/** One change of state, entered with it. @throws {CellError} `REQUEST_STATE_WRONG` */
async function move(
  services: RequestServices,
  request: FastifyRequest<RequestRoute>,
  change: {
    readonly from: readonly RightsState[];
    readonly to: RightsState;
    readonly facts: Readonly<Record<string, string>>;
    readonly clock?: RequestRow['clock'];
    readonly refusal?: RightsRequest['refusal'];
    readonly isWork?: boolean;
  },
): Promise<RequestRow> {
  const { credential } = request;
  requireRightsRole(credential);
  const row = await getRequest(services, request);
  const { facts, isWork, ...columns } = change;
  const entry = services.entries.prepare(row.tenantId, {
    ...toRequestDraft({ ...row, credential }, facts),
    request: request.id,
  });
  await services.database.withTenant(row.tenantId, async (tx) => {
    const isMoved = await changeRequest(tx, row, {
      ...columns,
      ...(isWork === true ? { credential } : {}),
    });
    if (!isMoved) {
      throw new CellError('REQUEST_STATE_WRONG', `a request that is ${row.state} cannot do this`);
    }
    await services.entries.insertPrepared(tx, [entry]);
    if (isWork === true) await services.addRequestJob?.(tx, row);
  });
  return getRequest(services, request);
}

function registerSteps(app: FastifyInstance, services: RequestServices): void {
  const tell = (row: RequestRow): RightsRequest => toRequestAnswer(row, services.clock.nowMs());
  app.post<RequestRoute>(
    '/v1/requests/:requestId/verifications',
    {
      config: traits,
      schema: {
        summary: 'Say that somebody has made sure who asks',
        tags: ['subjects'],
        params,
        response: answers,
      },
    },
    async (request) =>
      tell(
        await move(services, request, {
          ...{ from: ['received'], to: 'verified', facts: { step: 'verified' } },
        }),
      ),
  );
  app.post<RequestRoute>(
    '/v1/requests/:requestId/extensions',
    {
      config: traits,
      schema: {
        summary: 'Put the answer off, once, where the law lets you; tell the person why yourself',
        tags: ['subjects'],
        params,
        response: answers,
      },
    },
    async (request) => {
      const row = await getRequest(services, request);
      const clock = extendClock(row.clock);
      if (clock === undefined) {
        throw new CellError('REQUEST_STATE_WRONG', 'no law of this request lets it be put off');
      }
      const facts = { step: 'extended', due: clock.dueOn };
      const { state } = row;
      if (state === 'completed' || state === 'refused') {
        throw new CellError('REQUEST_STATE_WRONG', `a request that is ${state} cannot do this`);
      }
      return tell(await move(services, request, { from: [state], to: state, facts, clock }));
    },
  );
  app.post<RequestRoute & { Body: { ground: string; reference?: string } }>(
    '/v1/requests/:requestId/refusals',
    {
      config: traits,
      schema: {
        summary: 'Refuse a request, with the ground; tell the person yourself',
        tags: ['subjects'],
        params,
        body: Type.Object(
          {
            ground: Type.Union(REFUSAL_GROUNDS.map((one) => Type.Literal(one))),
            reference: Type.Optional(ReferenceSchema),
          },
          { additionalProperties: false },
        ),
        response: answers,
      },
    },
    async (request) => {
      const { ground, reference } = request.body;
      const refusal = { ground, ...(reference === undefined ? {} : { reference }) };
      const facts = { step: 'refused', ...refusal };
      const from = ['received', 'verified'] as const;
      return tell(await move(services, request, { from, to: 'refused', facts, refusal }));
    },
  );
}

function registerWork(app: FastifyInstance, services: RequestServices): void {
  app.post<RequestRoute>(
    '/v1/requests/:requestId/executions',
    {
      config: traits,
      schema: {
        summary: 'Carry a verified request out; it goes on by itself until it is done',
        tags: ['subjects'],
        params,
        response: answers,
      },
    },
    async (request) => {
      const from = ['verified', 'partial'] as const;
      const facts = { step: 'running' };
      const row = await move(services, request, { from, to: 'running', facts, isWork: true });
      try {
        const done = await runRequest(services, row);
        return toRequestAnswer(done ?? row, services.clock.nowMs());
      } catch {
        // What failed stands in the request, and the queue tries again: that is the answer.
        const stands = await getRequest(services, request);
        return toRequestAnswer(stands, services.clock.nowMs());
      }
    },
  );
  registerRectification(app, services);
}

interface Rectification {
  readonly collection: string;
  readonly recordId: string;
  readonly fields: Readonly<Record<string, FieldValue | null>>;
}

/** Values go straight to the record: they are written down nowhere else. */
function registerRectification(app: FastifyInstance, services: RequestServices): void {
  let writes: RecordWrites | undefined;
  app.post<RequestRoute & { Body: Rectification }>(
    '/v1/requests/:requestId/rectifications',
    {
      config: traits,
      schema: {
        summary: 'Put a record of the person’s right, under a verified request for rectification',
        tags: ['subjects'],
        params,
        body: Type.Object(
          {
            collection: Type.String({ maxLength: 63 }),
            recordId: UuidSchema,
            fields: Type.Record(
              Type.String({ maxLength: 63 }),
              Type.Union([Type.String(), Type.Number(), Type.Boolean(), Type.Null()]),
            ),
          },
          { additionalProperties: false },
        ),
        response: answers,
      },
    },
    async (request) => {
      requireRightsRole(request.credential);
      const row = await getRequest(services, request);
      if (row.kind !== 'rectification' || row.state !== 'verified') {
        throw new CellError('REQUEST_STATE_WRONG', 'not a verified request for rectification');
      }
      writes ??= new RecordWrites(services, collectionsOf(services));
      const version = await rectify(services, writes, { row, request });
      const steps = [
        ...(row.progress.steps ?? []),
        {
          step: `record-${(row.progress.steps?.length ?? 0) + 1}`,
          state: 'done' as const,
          at: toInstant(services.clock.nowMs()),
          attempts: 1,
          facts: { record: request.body.recordId, version },
        },
      ];
      await services.database.withTenant(row.tenantId, (tx) =>
        changeRequest(tx, row, { from: ['verified'], to: 'verified', progress: { steps } }),
      );
      return toRequestAnswer(await getRequest(services, request), services.clock.nowMs());
    },
  );
}

async function rectify(
  services: RequestServices,
  writes: RecordWrites,
  about: { readonly row: RequestRow; readonly request: FastifyRequest<{ Body: Rectification }> },
): Promise<number> {
  const { row, request } = about;
  const { credential, body } = request;
  const { tenantId } = credential;
  const collection = await collectionsOf(services).get(
    tenantId,
    parseCollectionId(body.collection),
  );
  const place = { collectionId: collection.id, recordId: parseRecordId(body.recordId) };
  const existing = await findExisting(services, collectionsOf(services), { tenantId, place });
  // Another person's record is answered like one that is not there.
  if (existing?.verified.row.subjectId !== row.subjectId) {
    throw new CellError('CELL_NOT_FOUND', 'the person has no such record');
  }
  const purpose = services.enforcement.purposeOf(credential, request.statedPurpose);
  const context = { asker: { credential, purpose }, collection, requestId: request.id };
  const { version } = existing.verified.row;
  const { record } = await writes.update(context, { ...place, version }, body.fields);
  return record.version;
}

function registerExport(app: FastifyInstance, services: RequestServices): void {
  app.post<RequestRoute & { Body: { format: 'json' | 'markdown' } }>(
    '/v1/requests/:requestId/exports',
    {
      config: { idempotency: 'none' },
      schema: {
        summary: 'Everything this cell has about the person, for machines or for people',
        tags: ['subjects'],
        params,
        body: Type.Object(
          { format: Type.Union([Type.Literal('json'), Type.Literal('markdown')]) },
          { additionalProperties: false },
        ),
      },
    },
    async (request, reply) => {
      const { credential, body } = request;
      requireRightsRole(credential);
      const row = await getRequest(services, request);
      if (row.kind !== 'access' || row.state !== 'completed') {
        throw new CellError('REQUEST_STATE_WRONG', 'not a completed request for access');
      }
      services.enforcement.purposeOf(credential, EXPORT_PURPOSE);
      const document = await buildExport(services, { credential, subjectId: row.subjectId });
      if (body.format === 'json') return document;
      return reply.type('text/markdown; charset=utf-8').send(toReadable(document));
    },
  );
}
