// SPDX-License-Identifier: Apache-2.0
import { EnvelopeSchema, ProblemSchema, UuidSchema } from '@bailiwick/contracts';
import { toInstant } from '@bailiwick/kernel';
import { CALLER_ID_LENGTH_MAX, type DsseEnvelope, type SignedStatement } from '@bailiwick/keys';
import type { FastifyInstance } from 'fastify';
import { type TSchema, Type } from 'typebox';
import { CellError } from '../errors.ts';
import { SignedStatementSchema } from '../keys/routes.ts';
import { requireRightsSight } from '../subjects/roles.ts';
import { acceptErasure, runErasure } from './erase-subject.ts';
import type { ErasureServices } from './erasure-services.ts';
import { type ErasureRecord, findErasure, type KeptFields } from './erasure-store.ts';
import { toStatement } from './receipt.ts';

const Text: TSchema = Type.String();
const Count: TSchema = Type.Integer({ minimum: 0 });
const KeptSchema: TSchema = Type.Object({
  collection: Text,
  fieldSet: Text,
  fields: Type.Array(Text),
  reason: Type.Union([Type.Literal('hold'), Type.Literal('statutory-retention')]),
  because: Text,
  source: Text,
  until: Type.Optional(Text),
  recordsCount: Count,
});
const ErasureSchema: TSchema = Type.Object({
  erasureId: Text,
  subjectId: Text,
  state: Text,
  acceptedAt: Text,
  doneAt: Type.Optional(Text),
  unreadableInServiceAt: Type.Optional(Text),
  unreadableInCopiesOn: Type.Optional(Text),
  keyIds: Type.Array(Text),
  shredKeyIds: Type.Array(Text),
  survivorsCount: Count,
  recordsCount: Count,
  kept: Type.Array(KeptSchema),
  keptRecordsCount: Count,
  replicas: Type.Array(Type.Object({ replicaId: Text, publicKey: Text })),
  statements: Type.Array(SignedStatementSchema),
  caveats: Type.Array(Text),
  entries: Type.Array(Text),
  receipt: Type.Optional(EnvelopeSchema),
});

/** What the caller gets, and may show to the person: ids, counts, instants and signatures. */
export interface ErasureAnswer {
  readonly erasureId: string;
  readonly subjectId: string;
  readonly state: string;
  readonly acceptedAt: string;
  readonly doneAt?: string;
  readonly unreadableInServiceAt?: string;
  readonly unreadableInCopiesOn?: string;
  readonly keyIds: readonly string[];
  readonly shredKeyIds: readonly string[];
  readonly survivorsCount: number;
  readonly recordsCount: number;
  readonly kept: readonly KeptFields[];
  readonly keptRecordsCount: number;
  readonly replicas: readonly { readonly replicaId: string; readonly publicKey: string }[];
  readonly statements: readonly SignedStatement[];
  readonly caveats: readonly string[];
  readonly entries: readonly string[];
  readonly receipt?: DsseEnvelope;
}

/** An erasure as its answer. */
export function toErasureAnswer(
  services: Pick<ErasureServices, 'cellId'>,
  erasure: ErasureRecord,
): ErasureAnswer {
  const { erasureId, subjectId, state, acceptedAt, doneAt, progress, receipt } = erasure;
  const { keys, deleted = {}, kept = [], keptRecordsCount = 0, doneEntry } = progress;
  const told =
    doneAt === undefined
      ? undefined
      : toStatement(services.cellId, erasure, { progress, doneAtMs: doneAt.getTime() });
  return {
    erasureId,
    subjectId,
    state,
    acceptedAt: acceptedAt.toISOString(),
    ...(doneAt === undefined ? {} : { doneAt: toInstant(doneAt.getTime()) }),
    ...(told === undefined
      ? {}
      : {
          unreadableInServiceAt: told.unreadableInServiceAt,
          unreadableInCopiesOn: told.unreadableInCopiesOn,
        }),
    keyIds: keys?.keyIds ?? [],
    shredKeyIds: keys?.retired ?? [],
    survivorsCount: keys?.survivorsCount ?? 0,
    recordsCount: Object.values(deleted).reduce((sum, count) => sum + count, 0),
    kept,
    keptRecordsCount,
    replicas: keys?.replicas ?? [],
    statements: keys?.statements ?? [],
    caveats: told?.stated ?? [],
    entries: [erasure.askedEntry, ...(doneEntry === undefined ? [] : [doneEntry])],
    ...(receipt === undefined ? {} : { receipt }),
  };
}

/** `POST /v1/erasures` by the caller's own id, which stands in the body only; `GET /v1/erasures/{id}`. */
export function registerErasureRoutes(app: FastifyInstance, services: ErasureServices): void {
  app.post<{ Body: { readonly subject: string } }>(
    '/v1/erasures',
    {
      config: { carriesPlaintext: false },
      schema: {
        summary: 'Erase a person: destroy the keys of their data, and the records',
        tags: ['subjects'],
        body: Type.Object(
          { subject: Type.String({ minLength: 1, maxLength: CALLER_ID_LENGTH_MAX }) },
          { additionalProperties: false },
        ),
        response: { 200: ErasureSchema, default: ProblemSchema },
      },
    },
    async (request) => {
      const place = await acceptErasure(services, {
        credential: request.credential,
        subject: request.body.subject,
        statedPurpose: request.statedPurpose,
        requestId: request.id,
      });
      return toErasureAnswer(services, await runErasure(services, place));
    },
  );
  app.get<{ Params: { erasureId: string } }>(
    '/v1/erasures/:erasureId',
    {
      config: { carriesPlaintext: false },
      schema: {
        summary: 'An erasure as it stands, with its signed receipt',
        tags: ['subjects'],
        params: Type.Object({ erasureId: UuidSchema }),
        response: { 200: ErasureSchema, default: ProblemSchema },
      },
    },
    async ({ credential, params }) => {
      requireRightsSight(credential);
      const { tenantId } = credential;
      const { erasureId } = params;
      const erasure = await findErasure(services.database, { tenantId, erasureId });
      if (erasure !== undefined) return toErasureAnswer(services, erasure);
      throw new CellError('ERASURE_UNKNOWN', 'there is no such erasure of this tenant');
    },
  );
}
