// SPDX-License-Identifier: Apache-2.0
// Legal holds: on a person, or on all of a tenant's data; on all of it, or on collections and categories.
// What is held is neither deleted nor erased until the hold is released; everything else goes on.
import {
  type HoldAnswer,
  HoldAnswerSchema,
  type HoldRequest,
  HoldRequestSchema,
  ProblemSchema,
  UuidSchema,
} from '@bailiwick/contracts';
import {
  createUuidV7,
  parseCollectionId,
  parseSubjectId,
  type SubjectId,
  type TenantId,
  toInstant,
} from '@bailiwick/kernel';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { collectionsOf } from '../collections/collection-store.ts';
import { CellError } from '../errors.ts';
import { toActor } from '../keys/change-key.ts';
import type { Credential } from '../services.ts';
import { changeStanding } from './change-standing.ts';
import { type HoldFacts, WHOLE_TENANT } from './facts.ts';
import { HOLDS_COUNT_MAX, toHoldAnswer } from './hold.ts';
import { requireRightsRole, requireRightsSight } from './roles.ts';
import type { StandingRouteServices } from './routes.ts';
import { findSubject } from './subject-of.ts';

const LIST_COUNT_MAX = 1_000;
const traits = { carriesPlaintext: false } as const;

/** `POST /v1/holds`, `GET /v1/holds`, `POST /v1/holds/{holdId}/releases` */
export function registerHoldRoutes(app: FastifyInstance, services: StandingRouteServices): void {
  app.post<{ Body: HoldRequest }>(
    '/v1/holds',
    {
      config: traits,
      schema: {
        summary: 'Place a legal hold: what it is on is neither deleted nor erased',
        tags: ['subjects'],
        body: HoldRequestSchema,
        response: { 201: HoldAnswerSchema, default: ProblemSchema },
      },
    },
    async (request, reply) => {
      requireRightsRole(request.credential);
      await checkNames(services, request.credential, request.body);
      const hold = await placeHold(services, request.credential, {
        ...request.body,
        requestId: request.id,
      });
      return reply.code(201).send(hold);
    },
  );
  app.get(
    '/v1/holds',
    {
      config: traits,
      schema: {
        summary: 'Holds that stand',
        tags: ['subjects'],
        response: {
          200: Type.Object({ items: Type.Array(HoldAnswerSchema) }),
          default: ProblemSchema,
        },
      },
    },
    async ({ credential }) => {
      requireRightsSight(credential);
      return { items: await listHolds(services, credential.tenantId) };
    },
  );
  app.post<{ Params: { holdId: string } }>(
    '/v1/holds/:holdId/releases',
    {
      config: traits,
      schema: {
        summary: 'Release a legal hold',
        tags: ['subjects'],
        params: Type.Object({ holdId: UuidSchema }),
        response: { 200: HoldAnswerSchema, default: ProblemSchema },
      },
    },
    async (request) => {
      requireRightsRole(request.credential);
      return releaseHold(services, request.credential, {
        holdId: request.params.holdId,
        requestId: request.id,
      });
    },
  );
}

/** Names that nothing has would make a hold that holds nothing. */
async function checkNames(
  services: StandingRouteServices,
  { tenantId }: Credential,
  { collections = [], categories = [] }: HoldRequest,
): Promise<void> {
  const known = services.law.current().charter.categories;
  const unknown = categories.findIndex((name) => !known.includes(name));
  if (unknown >= 0) {
    const places = [
      { pointer: `/categories/${unknown}`, detail: 'the charter has no such category' },
    ];
    throw new CellError('CELL_INPUT_INVALID', 'see `errors`', { places });
  }
  const store = collectionsOf(services);
  for (const name of collections) await store.get(tenantId, parseCollectionId(name));
}

async function placeHold(
  services: StandingRouteServices,
  credential: Credential,
  wanted: HoldRequest & { readonly requestId: string },
): Promise<HoldAnswer> {
  const { tenantId } = credential;
  const { subject, reference, collections, categories, requestId } = wanted;
  const subjectId =
    subject === undefined
      ? WHOLE_TENANT
      : (await findSubject(services, tenantId, subject)).subjectId;
  const hold: HoldFacts = {
    holdId: createUuidV7(services),
    reference,
    ...(collections === undefined ? {} : { collections }),
    ...(categories === undefined ? {} : { categories }),
    placedAt: toInstant(services.clock.nowMs()),
  };
  await changeStanding(services, {
    ...{ tenantId, subjectId, kind: 'hold', isNarrower: false },
    draft: { actor: toActor(credential), request: requestId },
    edit: (facts) => {
      if (facts.holds.length >= HOLDS_COUNT_MAX) {
        throw new CellError('STANDING_LIMIT_REACHED', 'no more holds can be placed on this');
      }
      const change = { hold: hold.holdId, state: 'placed', reference, ...toLists(hold) };
      return { facts: { ...facts, holds: [...facts.holds, hold] }, change };
    },
  });
  return toHoldAnswer(subjectId, hold);
}

const toLists = ({ collections = [], categories = [] }: HoldFacts) => ({ collections, categories });

/** Holds of a tenant, as the database has them. */
async function readHolds(
  services: StandingRouteServices,
  tenantId: TenantId,
  holdId?: string,
): Promise<readonly { readonly subjectId: SubjectId; readonly hold: HoldFacts }[]> {
  const { rows } = await services.database.withTenant(tenantId, (tx) =>
    tx.query<{ subject_id: string; hold: HoldFacts }>(
      `SELECT s.subject_id, h.hold FROM cell.standings s,
              LATERAL jsonb_array_elements(s.facts::jsonb -> 'holds') AS h (hold)
        WHERE s.tenant_id = $1 AND ($2::text IS NULL OR h.hold ->> 'holdId' = $2) LIMIT $3`,
      [tenantId, holdId ?? null, LIST_COUNT_MAX],
    ),
  );
  return rows.map(({ subject_id, hold }) => ({ subjectId: parseSubjectId(subject_id), hold }));
}

async function listHolds(
  services: StandingRouteServices,
  tenantId: TenantId,
): Promise<readonly HoldAnswer[]> {
  const found = await readHolds(services, tenantId);
  return found.map(({ subjectId, hold }) => toHoldAnswer(subjectId, hold));
}

async function releaseHold(
  services: StandingRouteServices,
  credential: Credential,
  { holdId, requestId }: { readonly holdId: string; readonly requestId: string },
): Promise<HoldAnswer> {
  const { tenantId } = credential;
  const [found] = await readHolds(services, tenantId, holdId);
  if (found === undefined) throw new CellError('HOLD_UNKNOWN', 'there is no such hold');
  const { subjectId, hold } = found;
  await changeStanding(services, {
    ...{ tenantId, subjectId, kind: 'hold', isNarrower: false },
    draft: { actor: toActor(credential), request: requestId },
    edit: (facts) => ({
      facts: { ...facts, holds: facts.holds.filter((one) => one.holdId !== holdId) },
      change: { hold: holdId, state: 'released', reference: hold.reference },
    }),
  });
  return toHoldAnswer(subjectId, hold);
}
