// SPDX-License-Identifier: Apache-2.0
// Consents, objections, restrictions, events and holds. Every change is entered and known before the
// answer; ids of people stand in bodies only.
import {
  type ConsentRequest,
  ConsentRequestSchema,
  type ObjectionRequest,
  ObjectionRequestSchema,
  ProblemSchema,
  type RestrictionRequest,
  RestrictionRequestSchema,
  type StandingAnswer,
  StandingAnswerSchema,
  StandingChangeAnswerSchema,
  StandingSearchSchema,
  type SubjectEventRequest,
  SubjectEventRequestSchema,
} from '@bailiwick/contracts';
import { parseInstant, type SubjectId, toInstant } from '@bailiwick/kernel';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { CellError } from '../errors.ts';
import { toActor } from '../keys/change-key.ts';
import type { CellServices } from '../services.ts';
import {
  changeStanding,
  type StandingResult,
  type StandingServices,
  type StandingWish,
} from './change-standing.ts';
import { NO_FACTS, type SubjectFacts } from './facts.ts';
import { toHoldAnswer } from './hold.ts';
import { requireAboutPerson, requireRightsRole, requireRightsSight } from './roles.ts';
import { listChanges } from './standing-store.ts';
import { findSubject } from './subject-of.ts';

const HISTORY_COUNT_MAX = 200;
const traits = { carriesPlaintext: false } as const;
const answers = { 200: StandingChangeAnswerSchema, default: ProblemSchema };

export type StandingRouteServices = CellServices & StandingServices;

function refuse(pointer: string, detail: string): never {
  throw new CellError('CELL_INPUT_INVALID', 'see `errors`', { places: [{ pointer, detail }] });
}

function requirePurpose(services: CellServices, purpose: string): void {
  if (services.law.current().charter.purposes.includes(purpose)) return;
  refuse('/purpose', 'expected a purpose of the charter');
}

/** `/v1/consents`, `/v1/objections`, `/v1/restrictions`, `/v1/subject-events`, `/v1/standings/searches` */
export function registerStandingRoutes(
  app: FastifyInstance,
  services: StandingRouteServices,
): void {
  registerWords(app, services);
  registerFacts(app, services);
  registerSearch(app, services);
}

type Wish = Omit<StandingWish, 'tenantId' | 'subjectId' | 'draft'>;

/** Changes the standing of the person whom the caller names. */
async function change(
  services: StandingRouteServices,
  request: FastifyRequest,
  wanted: { readonly subject: string; readonly wish: Wish; readonly isDecision: boolean },
): Promise<object> {
  const { credential } = request;
  const { tenantId } = credential;
  const { subject, wish, isDecision } = wanted;
  if (isDecision) requireRightsRole(credential);
  const permit = isDecision
    ? { actor: toActor(credential) }
    : await requireAboutPerson(services, credential, {
        action: 'update',
        purpose: services.enforcement.purposeOf(credential, request.statedPurpose),
        categories: [],
      });
  const { subjectId } = await findSubject(services, tenantId, subject);
  const draft = { ...permit, request: request.id };
  const result = await changeStanding(services, { ...wish, tenantId, subjectId, draft });
  return toChangeAnswer(subjectId, result);
}

function toChangeAnswer(subjectId: SubjectId, { serial, receipt }: StandingResult): object {
  return {
    subjectId,
    isChanged: receipt !== undefined,
    serial,
    ...(receipt === undefined ? {} : { entryId: receipt.entryId }),
  };
}

/** What a person says: agreed, no longer agreed, objected. */
function registerWords(app: FastifyInstance, services: StandingRouteServices): void {
  app.post<{ Body: ConsentRequest }>(
    '/v1/consents',
    {
      config: traits,
      schema: {
        summary: 'Record that a person has given or withdrawn consent to a purpose',
        tags: ['subjects'],
        body: ConsentRequestSchema,
        response: answers,
      },
    },
    (request) => {
      const { subject, purpose, state } = request.body;
      requirePurpose(services, purpose);
      const wish = toConsentWish(purpose, state, toInstant(services.clock.nowMs()));
      return change(services, request, { subject, wish, isDecision: false });
    },
  );
  app.post<{ Body: ObjectionRequest }>(
    '/v1/objections',
    {
      config: traits,
      schema: {
        summary: 'Record an objection to a purpose, or that it was dismissed',
        tags: ['subjects'],
        body: ObjectionRequestSchema,
        response: answers,
      },
    },
    (request) => {
      const { subject, purpose, state } = request.body;
      requirePurpose(services, purpose);
      const wish = toObjectionWish(purpose, state, toInstant(services.clock.nowMs()));
      // To stop is anybody's to write down; to go on against somebody's word is a decision.
      return change(services, request, { subject, wish, isDecision: state === 'dismissed' });
    },
  );
}

/** The same word again changes nothing: its instant stays the first one's. */
export function toConsentWish(purpose: string, state: 'given' | 'withdrawn', at: string): Wish {
  return {
    kind: 'consent',
    purpose,
    isNarrower: state === 'withdrawn',
    edit: (facts) =>
      facts.consents[purpose]?.state === state
        ? undefined
        : {
            facts: { ...facts, consents: { ...facts.consents, [purpose]: { state, at } } },
            change: { state, at },
          },
  };
}

export function toObjectionWish(purpose: string, state: 'upheld' | 'dismissed', at: string): Wish {
  return {
    kind: 'objection',
    purpose,
    isNarrower: state === 'upheld',
    edit: (facts) => {
      const { [purpose]: known, ...others } = facts.objections;
      if ((known !== undefined) === (state === 'upheld')) return undefined;
      const objections = state === 'upheld' ? { ...others, [purpose]: { at } } : others;
      return { facts: { ...facts, objections }, change: { state, at } };
    },
  };
}

export function toRestrictionWish(
  { state, ground }: { readonly state: 'restricted' | 'lifted'; readonly ground?: string },
  at: string,
): Wish {
  return {
    kind: 'restriction',
    isNarrower: state === 'restricted',
    edit: (facts) => {
      const { restriction, ...others } = facts;
      if (state === 'lifted') {
        return restriction === undefined ? undefined : { facts: others, change: { state, at } };
      }
      if (restriction !== undefined && restriction.ground === ground) return undefined;
      const next = { ground: ground ?? 'accuracy-contested', at };
      return {
        facts: { ...facts, restriction: next },
        change: { state, at, ground: next.ground },
      };
    },
  };
}

function registerFacts(app: FastifyInstance, services: StandingRouteServices): void {
  app.post<{ Body: RestrictionRequest }>(
    '/v1/restrictions',
    {
      config: traits,
      schema: {
        summary: 'Restrict the processing of a person’s data, or lift the restriction',
        tags: ['subjects'],
        body: RestrictionRequestSchema,
        response: answers,
      },
    },
    (request) => {
      const { subject, state, ground } = request.body;
      if (state === 'restricted' && ground === undefined) {
        return refuse('/ground', 'a restriction has a ground');
      }
      const wanted = { state, ...(ground === undefined ? {} : { ground }) };
      const wish = toRestrictionWish(wanted, toInstant(services.clock.nowMs()));
      return change(services, request, { subject, wish, isDecision: true });
    },
  );
  app.post<{ Body: SubjectEventRequest }>(
    '/v1/subject-events',
    {
      config: traits,
      schema: {
        summary: 'Record an event of a person’s from which retention counts',
        tags: ['subjects'],
        body: SubjectEventRequestSchema,
        response: answers,
      },
    },
    (request) => {
      const { subject, event, at } = request.body;
      if (parseInstant(at) > services.clock.nowMs()) refuse('/at', 'expected an instant that was');
      const wish: Wish = {
        kind: 'event',
        isNarrower: false,
        edit: (facts) =>
          facts.events[event] === at
            ? undefined
            : {
                facts: { ...facts, events: { ...facts.events, [event]: at } },
                change: { event, at },
              },
      };
      return change(services, request, { subject, wish, isDecision: false });
    },
  );
}

function registerSearch(app: FastifyInstance, services: StandingRouteServices): void {
  app.post<{ Body: { readonly subject: string } }>(
    '/v1/standings/searches',
    {
      config: { ...traits, idempotency: 'none' },
      schema: {
        summary:
          'What holds of a person: consents, objections, restriction, holds, and their history',
        tags: ['subjects'],
        body: StandingSearchSchema,
        response: { 200: StandingAnswerSchema, default: ProblemSchema },
      },
    },
    async (request): Promise<StandingAnswer> => {
      const { credential } = request;
      requireRightsSight(credential);
      const { tenantId } = credential;
      const { subjectId } = await findSubject(services, tenantId, request.body.subject);
      const facts = services.standings.factsOf(tenantId, subjectId) ?? NO_FACTS;
      const changes = await services.database.withTenant(tenantId, (tx) =>
        listChanges(tx, { tenantId, subjectId }, HISTORY_COUNT_MAX),
      );
      await services.entries.record(tenantId, {
        kind: 'read',
        actor: toActor(credential),
        subject: subjectId.replaceAll('-', ''),
        facts: { what: 'standing' },
        request: request.id,
      });
      return toStandingAnswer(subjectId, facts, changes);
    },
  );
}

function toStandingAnswer(
  subjectId: SubjectId,
  facts: SubjectFacts,
  changes: Awaited<ReturnType<typeof listChanges>>,
): StandingAnswer {
  const { consents, objections, restriction, holds, events } = facts;
  return {
    subjectId,
    consents,
    objections,
    ...(restriction === undefined ? {} : { restriction }),
    holds: holds.map((hold) => toHoldAnswer(subjectId, hold)),
    events: { ...events },
    history: changes.map(({ changedAt, ...one }) => ({
      ...one,
      changedAt: changedAt.toISOString(),
    })),
  };
}
