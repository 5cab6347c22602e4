// SPDX-License-Identifier: Apache-2.0
// Carries a request out. Each step is idempotent and noted when it is done, so a crash repeats at most the
// step it was in; a step that fails is noted with its code, the request is partial, and the queue tries
// again. Nothing is ever told as done that is not.
import { isCoded, toInstant } from '@bailiwick/kernel';
import { acceptErasureOf, runErasure } from '../erasures/erase-subject.ts';
import type { ErasureServices } from '../erasures/erasure-services.ts';
import { findErasure } from '../erasures/erasure-store.ts';
import { toActor } from '../keys/change-key.ts';
import { toEntrySubject } from '../records/entry.ts';
import type { EntryDraft } from '../services.ts';
import { changeStanding } from '../subjects/change-standing.ts';
import { toObjectionWish, toRestrictionWish } from '../subjects/routes.ts';
import { buildExport } from './build-export.ts';
import {
  changeRequest,
  findRequest,
  type RequestPlace,
  type RequestRow,
  type RequestStep,
} from './request-store.ts';

export type RequestServices = ErasureServices & {
  /** Adds the job that takes the request up, should this process not end it. */
  readonly addRequestJob?: (tx: import('pg').PoolClient, place: RequestPlace) => Promise<void>;
  /** Told before each step; what it throws ends the work there, as a crash would. */
  readonly onRequestStep?: (step: string) => void;
};

type StepFacts = Readonly<Record<string, string | number>>;

interface Step {
  readonly name: string;
  readonly run: () => Promise<StepFacts>;
}

/** What a request of this kind takes, in order. */
function listSteps(services: RequestServices, request: RequestRow): readonly Step[] {
  const { kind, draft } = request;
  const at = toInstant(request.createdAt.getTime());
  switch (kind) {
    case 'access':
      return [{ name: 'collect', run: () => collect(services, request) }];
    case 'rectification':
      // Carried out record by record as an officer sends the values: nothing waits here.
      return [];
    case 'restriction': {
      const ground = draft.ground ?? 'accuracy-contested';
      const wish = toRestrictionWish({ state: 'restricted', ground }, at);
      return [{ name: 'restrict', run: () => changeFacts(services, request, wish) }];
    }
    case 'objection': {
      const wish = toObjectionWish(draft.purpose ?? '', 'upheld', at);
      return [{ name: 'object', run: () => changeFacts(services, request, wish) }];
    }
    case 'erasure':
      return [{ name: 'erase', run: () => erase(services, request) }];
  }
}

async function collect(services: RequestServices, request: RequestRow): Promise<StepFacts> {
  const { credential, subjectId } = request;
  const document = await buildExport(services, { credential, subjectId });
  return { records: document.records.length, withheld: document.withheldCount };
}

async function changeFacts(
  services: RequestServices,
  { tenantId, subjectId, credential, requestId }: RequestRow,
  wish: ReturnType<typeof toObjectionWish>,
): Promise<StepFacts> {
  const draft = { actor: toActor(credential), request: requestId };
  const { serial, receipt } = await changeStanding(services, {
    ...{ ...wish, tenantId, subjectId, draft },
  });
  return { serial, ...(receipt === undefined ? {} : { entry: receipt.entryId }) };
}

async function erase(services: RequestServices, request: RequestRow): Promise<StepFacts> {
  const { tenantId, requestId, namedId, subjectId, credential } = request;
  // The request's id is the erasure's: whoever comes after a crash finds what was begun.
  const place = { tenantId, erasureId: requestId };
  if ((await findErasure(services.database, place)) === undefined) {
    const statedPurpose = 'legal-obligation';
    await acceptErasureOf(services, {
      ...{ credential, statedPurpose, requestId, erasureId: requestId },
      ...{ named: namedId, subjectId },
    });
  }
  const { progress } = await runErasure(services, place);
  const deleted = Object.values(progress.deleted ?? {}).reduce((sum, count) => sum + count, 0);
  return { erasure: requestId, deleted, kept: progress.keptRecordsCount ?? 0 };
}

/** Takes a request as far as it goes; throws when a step failed and is to be tried again. */
export async function runRequest(
  services: RequestServices,
  place: RequestPlace,
): Promise<RequestRow | undefined> {
  await services.orders.prepare(place.tenantId);
  const request = await findRequest(services.database, place);
  if (request === undefined) return undefined;
  if (request.state !== 'running' && request.state !== 'partial') return request;
  const steps = [...(request.progress.steps ?? [])];
  for (const step of listSteps(services, request)) {
    const at = steps.findIndex((one) => one.step === step.name);
    const before = steps[at];
    if (before?.state === 'done') continue;
    services.onRequestStep?.(step.name);
    const taken = await take(services, step, before?.attempts ?? 0);
    steps[at < 0 ? steps.length : at] = taken.step;
    if (taken.step.state === 'done') {
      await note(services, request, steps);
      continue;
    }
    await fail(services, request, { steps, code: taken.step.code ?? 'CELL_INTERNAL_FAULT' });
    throw taken.error;
  }
  await complete(services, request, steps);
  return findRequest(services.database, place);
}

async function take(
  services: RequestServices,
  { name, run }: Step,
  attempts: number,
): Promise<{ readonly step: RequestStep; readonly error?: unknown }> {
  const shared = { step: name, attempts: attempts + 1 };
  try {
    const facts = await run();
    const at = toInstant(services.clock.nowMs());
    return { step: { ...shared, state: 'done', at, facts } };
  } catch (error) {
    const at = toInstant(services.clock.nowMs());
    const code =
      error instanceof Error && 'code' in error && isCoded(error, String(error.code))
        ? String(error.code)
        : 'CELL_INTERNAL_FAULT';
    return { step: { ...shared, state: 'failed', at, code }, error };
  }
}

async function note(
  services: RequestServices,
  request: RequestRow,
  steps: readonly RequestStep[],
): Promise<void> {
  await services.database.withTenant(request.tenantId, (tx) =>
    changeRequest(tx, request, {
      ...{ from: ['running', 'partial'], to: 'running', progress: { steps } },
    }),
  );
}

async function fail(
  services: RequestServices,
  request: RequestRow,
  { steps, code }: { readonly steps: readonly RequestStep[]; readonly code: string },
): Promise<void> {
  const entry = services.entries.prepare(
    request.tenantId,
    toRequestDraft(request, { step: 'partial', code }),
  );
  await services.database.withTenant(request.tenantId, async (tx) => {
    const change = { from: ['running', 'partial'], to: 'partial', progress: { steps } } as const;
    if (await changeRequest(tx, request, change)) {
      await services.entries.insertPrepared(tx, [entry]);
    }
  });
}

async function complete(
  services: RequestServices,
  request: RequestRow,
  steps: readonly RequestStep[],
): Promise<void> {
  const entry = services.entries.prepare(
    request.tenantId,
    toRequestDraft(request, { step: 'completed' }),
  );
  await services.database.withTenant(request.tenantId, async (tx) => {
    const change = { from: ['running', 'partial'], to: 'completed', progress: { steps } } as const;
    if (await changeRequest(tx, request, change)) {
      await services.entries.insertPrepared(tx, [entry]);
    }
  });
}

/** What is entered of a request: ids, names, days. */
export function toRequestDraft(
  request: Pick<RequestRow, 'requestId' | 'kind' | 'credential' | 'subjectId'>,
  facts: Readonly<Record<string, string>>,
): EntryDraft {
  return {
    kind: 'request',
    actor: toActor(request.credential),
    ...toEntrySubject(request.subjectId),
    facts: { request: request.requestId, right: request.kind, ...facts },
  };
}
