// SPDX-License-Identifier: Apache-2.0
// Erasing a person, step by step: decided and on record; what must be kept sealed anew under a key of its
// own; the old key destroyed in every replica of the erasable store; rows gone; a signed receipt. Each step
// begins from what the one before left, so it can be taken up after a crash at any point. Whoever has the
// person's id from then on is a new subject.
import { randomBytes } from 'node:crypto';
import { digestStatements } from '@bailiwick/evidence';
import {
  createUuidV7,
  parseRecordId,
  parseSubjectId,
  type SubjectId,
  type TenantId,
  toUuid,
} from '@bailiwick/kernel';
import { DELETED_DIGEST } from '@bailiwick/ledger';
import type { PoolClient } from 'pg';
import { CellError } from '../errors.ts';
import { keepReceipt } from '../evidence/receipt-store.ts';
import { toEntrySubject, toEntryWrites } from '../records/entry.ts';
import type { Credential, EntryDraft } from '../services.ts';
import { changeStanding } from '../subjects/change-standing.ts';
import { NO_FACTS, WHOLE_TENANT } from '../subjects/facts.ts';
import { requireAboutPerson } from '../subjects/roles.ts';
import { findSubject } from '../subjects/subject-of.ts';
import { queueRecalls } from '../transfers/recall-copies.ts';
import type { ErasureServices } from './erasure-services.ts';
import {
  advance,
  type ErasurePlace,
  type ErasureProgress,
  type ErasureRecord,
  type ErasureStep,
  findErasure,
  findRunning,
  insertErasure,
} from './erasure-store.ts';
import { keepRecords } from './keep-records.ts';
import { signReceipt, toStatement } from './receipt.ts';

const CHECKPOINT_TIMEOUT_MS = 5_000;
/** Rows that one transaction deletes. */
const ROWS_COUNT_MAX = 1_000;

/** Accepts the erasure of a person by the caller's own id, or finds the one that is under way. */
export async function acceptErasure(
  services: ErasureServices,
  wanted: {
    readonly credential: Credential;
    readonly subject: string;
    readonly statedPurpose: string | undefined;
    readonly requestId: string;
  },
): Promise<ErasurePlace> {
  const { credential } = wanted;
  const found = await findSubject(services, credential.tenantId, wanted.subject);
  return acceptErasureOf(services, { ...wanted, ...found, erasureId: createUuidV7(services) });
}

/** Accepts the erasure of this person; of one whose turn it is no more, nothing is there to erase. */
export async function acceptErasureOf(
  services: ErasureServices,
  wanted: {
    readonly credential: Credential;
    readonly named: SubjectId;
    readonly subjectId: SubjectId;
    readonly erasureId: string;
    readonly statedPurpose: string | undefined;
    readonly requestId: string;
  },
): Promise<ErasurePlace> {
  const { credential, requestId, named, subjectId, erasureId } = wanted;
  const { tenantId } = credential;
  const purpose = services.enforcement.purposeOf(credential, wanted.statedPurpose);
  await services.standings.prepare(tenantId, [named, subjectId]);
  const permit = await requireErasure(services, credential, { purpose, subjectId });
  let running: ErasurePlace | undefined;
  await changeStanding(services, {
    ...{ tenantId, subjectId: named, kind: 'erasure', isNarrower: true },
    draft: { ...permit, request: requestId },
    edit: (facts) => ({
      facts: { ...facts, generation: facts.generation + 1 },
      change: { erasure: erasureId },
    }),
    within: async (tx, receipt) => {
      const found = await findRunning(tx, { tenantId, namedId: named });
      running = found && { tenantId, erasureId: found.erasureId };
      if (running !== undefined) return false;
      await accept(services, tx, {
        ...{ tenantId, erasureId, subjectId, namedId: named, permit, requestId },
        askedAt: receipt,
      });
      return true;
    },
  });
  return running ?? { tenantId, erasureId };
}

async function accept(
  services: ErasureServices,
  tx: PoolClient,
  wanted: {
    readonly tenantId: TenantId;
    readonly erasureId: string;
    readonly subjectId: SubjectId;
    readonly namedId: SubjectId;
    readonly permit: Pick<EntryDraft, 'actor' | 'flow' | 'decision'>;
    readonly requestId: string;
    readonly askedAt: Date;
  },
): Promise<void> {
  const { tenantId, erasureId, subjectId, namedId, permit, requestId } = wanted;
  const { actor } = permit;
  if (actor === undefined) throw new CellError('CELL_INTERNAL_FAULT', 'an erasure has an actor');
  // INVARIANT 3: on record before a key is touched.
  const asked = services.entries.prepare(tenantId, {
    kind: 'erasure',
    ...toEntrySubject(subjectId),
    request: requestId,
    ...permit,
    facts: { erasure: erasureId, step: 'asked' },
  });
  await services.entries.insertPrepared(tx, [asked]);
  await insertErasure(tx, {
    ...{ tenantId, erasureId, subjectId, namedId, actor },
    remainderId: parseSubjectId(toUuid(randomBytes(16), 8)),
    askedEntry: asked.entryId,
    acceptedAt: wanted.askedAt,
  });
  // What other cells hold of this person goes as well.
  await queueRecalls(tx, { tenantId, subjectId });
  await services.addErasureJob?.(tx, { tenantId, erasureId });
}

/**
 * Decides. A hold on everything leaves nothing to erase and is a denial; one on some of it is obeyed field
 * set by field set.
 */
async function requireErasure(
  services: ErasureServices,
  credential: Credential,
  { purpose, subjectId }: { readonly purpose: string; readonly subjectId: SubjectId },
): Promise<Pick<EntryDraft, 'actor' | 'flow' | 'decision'>> {
  const { tenantId } = credential;
  const { standings, law } = services;
  const holds = [subjectId, WHOLE_TENANT].flatMap(
    (id) => standings.factsOf(tenantId, id)?.holds ?? [],
  );
  const isWhole = holds.some(
    (one) => one.collections === undefined && one.categories === undefined,
  );
  const standing = standings.find(tenantId, subjectId, { purpose });
  const isTold = isWhole || standing?.isUnverified === true;
  const isOrdered = services.orders.peopleOf(tenantId).has(subjectId);
  return requireAboutPerson(services, credential, {
    ...{ action: 'erase', purpose, categories: law.current().charter.categories },
    ...(isTold && standing !== undefined ? { standing } : {}),
    ...(isOrdered ? { subjectId } : {}),
    ...(await findOrigins(services, { tenantId, subjectId })),
  });
}

/** Where the person's records are from; of somebody without records nobody can say. */
async function findOrigins(
  services: ErasureServices,
  { tenantId, subjectId }: Pick<ErasureRecord, 'tenantId' | 'subjectId'>,
): Promise<{ readonly origins?: readonly string[] }> {
  const { rows } = await services.database.withTenant(tenantId, (tx) =>
    tx.query<{ origin: string }>(
      `SELECT DISTINCT r.facts::jsonb ->> 'origin' AS origin FROM cell.records r
        WHERE r.tenant_id = $1 AND r.subject_id = $2`,
      [tenantId, subjectId],
    ),
  );
  return rows.length === 0 ? {} : { origins: rows.map(({ origin }) => origin) };
}

/** Takes an erasure as far as it goes; throws when it is to be taken up again. */
export async function runErasure(
  services: ErasureServices,
  place: ErasurePlace,
): Promise<ErasureRecord> {
  for (;;) {
    const erasure = await findErasure(services.database, place);
    if (erasure === undefined) throw new CellError('ERASURE_UNKNOWN', 'there is no such erasure');
    if (erasure.state === 'done') return erasure;
    services.onErasureStep?.(erasure.state);
    await takeStep(services, erasure);
  }
}

async function takeStep(services: ErasureServices, erasure: ErasureRecord): Promise<void> {
  switch (erasure.state) {
    case 'accepted':
      return settle(services, erasure, 'resealed', await keepRecords(services, erasure));
    case 'resealed':
      return shred(services, erasure);
    case 'shredded': {
      const progress = await deleteRecords(services, erasure);
      await forget(services, erasure);
      return settle(services, erasure, 'deleted', progress);
    }
    case 'deleted':
      return finish(services, erasure);
    case 'done':
      return;
  }
}

async function settle(
  services: ErasureServices,
  erasure: ErasureRecord,
  state: ErasureStep,
  progress: ErasureProgress,
): Promise<void> {
  await services.database.withTenant(erasure.tenantId, (tx) =>
    advance(tx, erasure, { state, progress }),
  );
}

async function shred(services: ErasureServices, erasure: ErasureRecord): Promise<void> {
  const { tenantId, erasureId, subjectId, askedEntry, progress } = erasure;
  const keys = await services.administration.eraseSubject({
    ...{ erasureId, tenantId, subjectId },
    entryId: askedEntry,
  });
  await settle(services, erasure, 'shredded', { ...progress, keys });
}

/** Deletes the person's rows, batch by batch, each with the entry that `ledger check` looks for. */
async function deleteRecords(
  services: ErasureServices,
  erasure: ErasureRecord,
): Promise<ErasureProgress> {
  const { tenantId, subjectId, erasureId, actor } = erasure;
  let { progress } = erasure;
  for (;;) {
    const count = await services.database.withTenant(tenantId, async (tx) => {
      const { rows } = await tx.query<{
        collection_id: string;
        record_id: string;
        version: number;
      }>(
        `DELETE FROM cell.records r
          USING (SELECT collection_id, record_id FROM cell.records
                  WHERE tenant_id = $1 AND subject_id = $2
                  ORDER BY collection_id, record_id LIMIT $3 FOR UPDATE) found
          WHERE r.tenant_id = $1 AND r.collection_id = found.collection_id
            AND r.record_id = found.record_id
          RETURNING r.collection_id, r.record_id, r.version`,
        [tenantId, subjectId, ROWS_COUNT_MAX],
      );
      if (rows.length === 0) return 0;
      const writes = rows.map((row) => ({
        recordId: parseRecordId(row.record_id),
        version: row.version + 1,
        digest: DELETED_DIGEST,
      }));
      const entry = services.entries.prepare(tenantId, {
        kind: 'delete',
        actor,
        ...toEntrySubject(subjectId),
        writes: toEntryWrites(writes),
        facts: { erasure: erasureId },
      });
      await services.entries.insertPrepared(tx, [entry]);
      const deleted: Record<string, number> = { ...progress.deleted };
      for (const row of rows) deleted[row.collection_id] = (deleted[row.collection_id] ?? 0) + 1;
      progress = { ...progress, deleted };
      await advance(tx, erasure, { state: erasure.state, progress });
      return rows.length;
    });
    if (count < ROWS_COUNT_MAX) return progress;
  }
}

/** Forgets what the person said; that this id was erased, and how often, must be known. */
async function forget(services: ErasureServices, erasure: ErasureRecord): Promise<void> {
  const { tenantId, subjectId, namedId, erasureId, remainderId, actor, progress } = erasure;
  const isKept = (progress.keptRecordsCount ?? 0) > 0;
  await changeStanding(services, {
    ...{ tenantId, subjectId: namedId, kind: 'erasure', isNarrower: true },
    draft: { actor },
    edit: ({ generation, remainders, ...said }) => {
      const isForgotten = subjectId !== namedId || isSilent(said);
      const isListed = !isKept || remainders.includes(remainderId);
      if (isForgotten && isListed) return undefined;
      const listed = isListed ? remainders : [...remainders, remainderId];
      const rest = subjectId === namedId ? NO_FACTS : { ...NO_FACTS, ...said };
      return {
        facts: { ...rest, generation, remainders: listed },
        change: { erasure: erasureId, step: 'forgotten' },
      };
    },
  });
  await services.database.withTenant(tenantId, async (tx) => {
    await tx.query(
      `DELETE FROM cell.standing_changes
        WHERE tenant_id = $1 AND subject_id = $2 AND kind <> 'erasure'`,
      [tenantId, subjectId],
    );
    if (subjectId === namedId) return;
    await tx.query('DELETE FROM cell.standings WHERE tenant_id = $1 AND subject_id = $2', [
      tenantId,
      subjectId,
    ]);
    await services.feed.publish(tx, { kind: 'standing', tenantId, id: subjectId });
  });
  if (subjectId !== namedId) services.standings.remember(tenantId, subjectId, NO_FACTS);
}

function isSilent(facts: Partial<typeof NO_FACTS>): boolean {
  const { consents = {}, objections = {}, holds = [], events = {}, restriction } = facts;
  const named = [consents, objections, events].flatMap((one) => Object.keys(one));
  return named.length === 0 && holds.length === 0 && restriction === undefined;
}

async function finish(services: ErasureServices, erasure: ErasureRecord): Promise<void> {
  const { tenantId, subjectId, actor } = erasure;
  // What somebody wrote while the key was being destroyed lies there unreadable: it goes as well.
  const deleted = await deleteRecords(services, erasure);
  const doneAtMs = services.clock.nowMs();
  const statement = toStatement(services.cellId, erasure, { progress: deleted, doneAtMs });
  const receipt = signReceipt(services.secrets, statement);
  const entry = services.entries.prepare(tenantId, {
    kind: 'erasure',
    actor,
    ...toEntrySubject(subjectId),
    facts: toFacts(erasure, deleted),
  });
  const progress = { ...deleted, doneEntry: entry.entryId };
  await services.database.withTenant(tenantId, async (tx) => {
    const doneAt = new Date(doneAtMs);
    const next = { state: 'done' as const, progress, receipt, doneAt };
    if (await advance(tx, erasure, next)) await services.entries.insertPrepared(tx, [entry]);
  });
  const statements = progress.keys?.statements ?? [];
  await keepReceipt(services.database, { tenantId, entryId: entry.entryId, statements });
  await services.entries.awaitCheckpoint(entry.entryId, { timeoutMs: CHECKPOINT_TIMEOUT_MS });
}

function toFacts(
  { erasureId }: ErasureRecord,
  progress: ErasureProgress,
): NonNullable<EntryDraft['facts']> {
  const { keys, deleted = {}, keptRecordsCount = 0 } = progress;
  return {
    erasure: erasureId,
    step: 'done',
    keys: keys?.keyIds ?? [],
    shredKeys: keys?.retired ?? [],
    survivorsCount: keys?.survivorsCount ?? 0,
    recordsCount: Object.values(deleted).reduce((sum, count) => sum + count, 0),
    keptRecordsCount,
    replicas: (keys?.replicas ?? []).map(({ replicaId }) => replicaId),
    receiptCount: keys?.statements.length ?? 0,
    receiptHash: digestStatements(keys?.statements ?? []),
  };
}
