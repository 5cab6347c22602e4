// SPDX-License-Identifier: Apache-2.0

import { findRetention, type RetentionTerm } from '@bailiwick/charter';
import {
  ProblemSchema,
  type RetentionRun,
  type RetentionRunRequest,
  RetentionRunRequestSchema,
  RetentionRunSchema,
  type RetentionTermAnswer,
  RetentionTermSchema,
  UuidSchema,
} from '@bailiwick/contracts';
import { createUuidV7, type TenantId } from '@bailiwick/kernel';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { collectionsOf } from '../collections/collection-store.ts';
import { CellError } from '../errors.ts';
import { toActor } from '../keys/change-key.ts';
import type { EntryDraft } from '../services.ts';
import { requireRightsRole, requireRightsSight } from '../subjects/roles.ts';
import { findRun, insertRun, listRuns, type RunRow } from './retention-store.ts';
import { type RetentionServices, requireCollection } from './run-retention.ts';

const traits = { carriesPlaintext: false } as const;

/** Adds a run, its entry and its job. */
export async function acceptRun(
  services: RetentionServices,
  wanted: {
    readonly tenantId: TenantId;
    readonly isDry: boolean;
    readonly collectionId?: string;
    readonly actor?: EntryDraft['actor'];
    readonly requestId?: string;
    /** Adds the job in the same transaction; absent where the caller runs it by itself. */
    readonly addJob?: (tx: import('pg').PoolClient, runId: string) => Promise<void>;
  },
): Promise<string> {
  const { tenantId, isDry, collectionId, actor, requestId, addJob } = wanted;
  const runId = createUuidV7(services);
  const entry = services.entries.prepare(tenantId, {
    kind: 'retention',
    ...(actor === undefined ? {} : { actor }),
    facts: {
      run: runId,
      step: 'asked',
      isDry,
      ...(collectionId === undefined ? {} : { collection: collectionId }),
    },
    ...(requestId === undefined ? {} : { request: requestId }),
  });
  await services.database.withTenant(tenantId, async (tx) => {
    await insertRun(tx, { tenantId, runId, isDry, collectionId, actor });
    await services.entries.insertPrepared(tx, [entry]);
    await addJob?.(tx, runId);
  });
  return runId;
}

/** `POST /v1/retention-runs`, `GET /v1/retention-runs`, `GET …/{runId}`, `GET /v1/retention-terms` */
export function registerRetentionRoutes(
  app: FastifyInstance,
  services: RetentionServices,
  addJob: (tx: import('pg').PoolClient, tenantId: TenantId, runId: string) => Promise<void>,
): void {
  app.post<{ Body: RetentionRunRequest }>(
    '/v1/retention-runs',
    {
      config: traits,
      schema: {
        summary: 'Remove what has served its time, or tell what would go',
        tags: ['subjects'],
        body: RetentionRunRequestSchema,
        response: { 202: RetentionRunSchema, default: ProblemSchema },
      },
    },
    async (request, reply) => {
      const { credential, body } = request;
      requireRightsRole(credential);
      const { tenantId } = credential;
      const { collection } = body;
      if (collection !== undefined) await requireCollection(services, tenantId, collection);
      const runId = await acceptRun(services, {
        ...{ tenantId, isDry: body.isDryRun, actor: toActor(credential), requestId: request.id },
        ...(collection === undefined ? {} : { collectionId: collection }),
        addJob: (tx, id) => addJob(tx, tenantId, id),
      });
      const run = await findRun(services.database, { tenantId, runId });
      if (run === undefined) throw new CellError('RETENTION_RUN_UNKNOWN', 'no such run');
      return reply.code(202).header('location', `/v1/retention-runs/${runId}`).send(toAnswer(run));
    },
  );
  app.get(
    '/v1/retention-runs',
    {
      config: traits,
      schema: {
        summary: 'Newest runs of retention',
        tags: ['subjects'],
        response: {
          200: Type.Object({ items: Type.Array(RetentionRunSchema) }),
          default: ProblemSchema,
        },
      },
    },
    async ({ credential }) => {
      requireRightsSight(credential);
      const runs = await listRuns(services.database, credential.tenantId);
      return { items: runs.map(toAnswer) };
    },
  );
  app.get<{ Params: { runId: string } }>(
    '/v1/retention-runs/:runId',
    {
      config: traits,
      schema: {
        summary: 'A run of retention as it stands',
        tags: ['subjects'],
        params: Type.Object({ runId: UuidSchema }),
        response: { 200: RetentionRunSchema, default: ProblemSchema },
      },
    },
    async ({ credential, params }) => {
      requireRightsSight(credential);
      const { tenantId } = credential;
      const run = await findRun(services.database, { tenantId, runId: params.runId });
      if (run !== undefined) return toAnswer(run);
      throw new CellError('RETENTION_RUN_UNKNOWN', 'there is no such run of this tenant');
    },
  );
  registerTerms(app, services);
}

function registerTerms(app: FastifyInstance, services: RetentionServices): void {
  app.get(
    '/v1/retention-terms',
    {
      config: traits,
      schema: {
        summary: 'How long each field set of each collection is kept, by where the data is from',
        tags: ['subjects'],
        response: {
          200: Type.Object({ items: Type.Array(RetentionTermSchema) }),
          default: ProblemSchema,
        },
      },
    },
    async ({ credential }) => {
      requireRightsSight(credential);
      return { items: await listTerms(services, credential.tenantId) };
    },
  );
}

/** The terms in force, origins with the same one together. */
export async function listTerms(
  services: RetentionServices,
  tenantId: TenantId,
): Promise<readonly RetentionTermAnswer[]> {
  const { charter, termsOf } = services.law.current();
  const origins = [...charter.homes]
    .filter(([, home]) => home.ok && home.cellId === services.cellId)
    .map(([origin]) => origin);
  const items: RetentionTermAnswer[] = [];
  for (const collection of await collectionsOf(services).list(tenantId)) {
    for (const fieldSet of collection.fieldSets) {
      const groups = new Map<string, { term: RetentionTerm | undefined; origins: string[] }>();
      for (const origin of origins) {
        const data = { class: fieldSet.class, category: fieldSet.category, origin };
        const term = findRetention(charter, termsOf(tenantId), data);
        const group = groups.get(JSON.stringify(term)) ?? { term, origins: [] };
        group.origins.push(origin);
        groups.set(JSON.stringify(term), group);
      }
      for (const group of groups.values()) {
        const { name, category } = fieldSet;
        const place = { collection: collection.id, fieldSet: name, category };
        items.push({ ...place, origins: group.origins, ...group.term });
      }
    }
  }
  return items;
}

function toAnswer(run: RunRow): RetentionRun {
  const { runId, state, isDry, collectionId, counts, createdAt, updatedAt } = run;
  return {
    runId,
    state,
    isDryRun: isDry,
    ...(collectionId === undefined ? {} : { collection: collectionId }),
    counts,
    createdAt: createdAt.toISOString(),
    updatedAt: updatedAt.toISOString(),
  };
}
