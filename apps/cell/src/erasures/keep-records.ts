// SPDX-License-Identifier: Apache-2.0
// Before a person's key is destroyed: what a hold or a law keeps of them is sealed anew under a key that
// holds nothing else, and belongs from then on to a pseudonym that nobody else knows.
import { toDate } from '@bailiwick/kernel';
import { collectionsOf } from '../collections/collection-store.ts';
import { collectionFor, type Existing, findVerified } from '../records/existing.ts';
import type { PreparedRow } from '../records/prepare.ts';
import { parseStoredRow, RECORD_COLUMNS, type StoredRow } from '../records/record-store.ts';
import {
  mustBeKept,
  type SetTerms,
  type TermsContext,
  toSetTerms,
} from '../retention/record-terms.ts';
import { prepareReduced, RowsChanged, writeReduced } from '../retention/reduce.ts';
import { changeStanding } from '../subjects/change-standing.ts';
import { NO_FACTS, type SubjectFacts, WHOLE_TENANT } from '../subjects/facts.ts';
import type { ErasureServices } from './erasure-services.ts';
import {
  advance,
  type ErasureProgress,
  type ErasureRecord,
  type KeptFields,
} from './erasure-store.ts';

const BATCH_COUNT = 250;
const CONFLICTS_COUNT_MAX = 8;

interface Keep {
  readonly existing: Existing;
  readonly sets: readonly SetTerms[];
}

/** Seals what must be kept anew; resumes where it was. */
export async function keepRecords(
  services: ErasureServices,
  erasure: ErasureRecord,
): Promise<ErasureProgress> {
  const { tenantId, subjectId } = erasure;
  await services.standings.prepare(tenantId, [subjectId]);
  const facts = services.standings.factsOf(tenantId, subjectId) ?? NO_FACTS;
  await moveHolds(services, erasure, facts);
  let { progress } = erasure;
  let after: readonly [string, string] = ['', '00000000-0000-0000-0000-000000000000'];
  let unverifiedCount = 0;
  for (let conflicts = 0; ; ) {
    const rows = await readBatch(services, erasure, after);
    const last = rows.at(-1);
    if (last === undefined) break;
    const judged = await judge(services, erasure, { rows, facts });
    try {
      progress = await write(services, { ...erasure, progress }, judged.kept);
    } catch (error) {
      conflicts += 1;
      if (!(error instanceof RowsChanged) || conflicts > CONFLICTS_COUNT_MAX) throw error;
      continue;
    }
    unverifiedCount += judged.unverifiedCount;
    after = [last.collection_id, last.record_id];
  }
  return unverifiedCount === 0 ? progress : { ...progress, unverifiedCount };
}

/** What holds of the person holds of what is kept of them, and before anything lies there. */
async function moveHolds(
  services: ErasureServices,
  { tenantId, remainderId, erasureId, actor }: ErasureRecord,
  { holds, events }: SubjectFacts,
): Promise<void> {
  if (holds.length === 0 && Object.keys(events).length === 0) return;
  await changeStanding(services, {
    ...{ tenantId, subjectId: remainderId, kind: 'erasure', isNarrower: false },
    draft: { actor },
    edit: (facts) =>
      facts.holds.length === holds.length &&
      Object.keys(facts.events).length === Object.keys(events).length
        ? undefined
        : {
            facts: { ...facts, holds, events },
            change: { erasure: erasureId, holds: holds.map(({ holdId }) => holdId) },
          },
  });
}

async function readBatch(
  services: ErasureServices,
  { tenantId, subjectId }: ErasureRecord,
  after: readonly [string, string],
): Promise<readonly StoredRow[]> {
  const { rows } = await services.database.withTenant(tenantId, (tx) =>
    tx.query<StoredRow>(
      `SELECT ${RECORD_COLUMNS} FROM cell.records r
        WHERE r.tenant_id = $1 AND r.subject_id = $2 AND (r.collection_id, r.record_id) > ($3, $4)
        ORDER BY r.collection_id, r.record_id LIMIT ${BATCH_COUNT}`,
      [tenantId, subjectId, ...after],
    ),
  );
  return rows;
}

async function judge(
  services: ErasureServices,
  { tenantId }: ErasureRecord,
  batch: { readonly rows: readonly StoredRow[]; readonly facts: SubjectFacts },
): Promise<{ readonly kept: readonly Keep[]; readonly unverifiedCount: number }> {
  const { cellId, keys, law, clock, standings } = services;
  const { factsKey } = await keys.secrets(tenantId);
  const store = collectionsOf(services);
  const kept: Keep[] = [];
  let unverifiedCount = 0;
  await standings.prepare(tenantId, []);
  const tenantHolds = standings.factsOf(tenantId, WHOLE_TENANT)?.holds ?? [];
  const { charter, termsOf } = law.current();
  const nowMs = clock.nowMs();
  for (const stored of batch.rows) {
    const row = parseStoredRow(tenantId, stored);
    const collection = await collectionFor(store, row);
    const [existing] = findVerified(cellId, { row, collection, factsKey });
    if (existing === undefined) {
      unverifiedCount += 1;
      continue;
    }
    const context: TermsContext = {
      ...{ charter, terms: termsOf(tenantId), collection, nowMs },
      known: new Map(),
    };
    const person = { facts: batch.facts, tenantHolds };
    const terms = toSetTerms(context, existing.verified, person);
    const sets = terms.filter((set) => mustBeKept(set, nowMs));
    if (sets.length > 0) kept.push({ existing, sets });
  }
  return { kept, unverifiedCount };
}

async function write(
  services: ErasureServices,
  erasure: ErasureRecord,
  keeps: readonly Keep[],
): Promise<ErasureProgress> {
  if (keeps.length === 0) return erasure.progress;
  const { tenantId, erasureId, remainderId, actor } = erasure;
  const groups = Map.groupBy(keeps, ({ existing }) => existing.collection);
  const rows: PreparedRow[] = [];
  for (const [collection, group] of groups) {
    const reductions = group.map(({ existing, sets }) => ({
      existing,
      kept: new Set(sets.map(({ fieldSet }) => fieldSet.at)),
      subjectId: remainderId,
    }));
    const prepared = await prepareReduced(services, { tenantId, collection, reductions });
    rows.push(...prepared.flatMap((row) => row ?? []));
  }
  const progress = addKept(erasure.progress, keeps, rows.length);
  await services.database.withTenant(tenantId, async (tx) => {
    // Kept rows are entered without the person: the pseudonym that they now have must not lead back.
    const draft = { actor, facts: { erasure: erasureId, step: 'kept' } };
    await writeReduced(services, tx, { tenantId, rows, draft });
    const isMoved = await advance(tx, erasure, { state: erasure.state, progress });
    if (!isMoved) throw new RowsChanged();
  });
  return progress;
}

function addKept(
  before: ErasureProgress,
  keeps: readonly Keep[],
  recordsCount: number,
): ErasureProgress {
  const kept = new Map<string, KeptFields>();
  const idOf = (one: Omit<KeptFields, 'recordsCount' | 'until'>): string =>
    `${one.collection} ${one.fieldSet} ${one.reason} ${one.source}`;
  for (const one of before.kept ?? []) kept.set(idOf(one), one);
  for (const { existing, sets } of keeps) {
    for (const set of sets) {
      const told = toKept(existing, set);
      const known = kept.get(idOf(told));
      const until = [known?.until, told.until]
        .filter((one) => one !== undefined)
        .sort()
        .at(-1);
      kept.set(idOf(told), {
        ...told,
        ...(until === undefined ? {} : { until }),
        recordsCount: (known?.recordsCount ?? 0) + 1,
      });
    }
  }
  const keptRecordsCount = (before.keptRecordsCount ?? 0) + recordsCount;
  return { ...before, kept: [...kept.values()], keptRecordsCount };
}

function toKept(
  { collection }: Existing,
  { fieldSet, hold, term, expiresAtMs }: SetTerms,
): Omit<KeptFields, 'recordsCount'> {
  const fields = [...collection.fields.values()]
    .filter((field) => field.fieldSet.at === fieldSet.at)
    .map(({ name }) => name);
  const place = { collection: collection.id, fieldSet: fieldSet.name, fields };
  if (hold !== undefined) {
    return {
      ...place,
      reason: 'hold',
      because: 'somebody has ordered that it be kept',
      source: `hold ${hold.holdId}, reference ${hold.reference}`,
    };
  }
  return {
    ...place,
    reason: 'statutory-retention',
    because: term?.because ?? '',
    source: term?.source ?? '',
    ...(expiresAtMs === undefined ? {} : { until: toDate(expiresAtMs) }),
  };
}
