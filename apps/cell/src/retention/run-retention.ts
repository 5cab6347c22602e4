// SPDX-License-Identifier: Apache-2.0
// Takes a tenant's records one batch after the other and removes what has served its time: whole rows
// where nothing stays, field sets where something does. A batch, its entries and the run's progress are one
// transaction, so a crash repeats nothing. A dry run counts and changes nothing.
import { setImmediate as nextTurn, setTimeout as wait } from 'node:timers/promises';
import { type CollectionId, parseCollectionId, type TenantId } from '@bailiwick/kernel';
import { DELETED_DIGEST } from '@bailiwick/ledger';
import type { PoolClient } from 'pg';
import { type CollectionStore, collectionsOf } from '../collections/collection-store.ts';
import type { CompiledCollection } from '../collections/compiled-collection.ts';
import { toEntryWrites } from '../records/entry.ts';
import { collectionFor, type Existing, findVerified } from '../records/existing.ts';
import type { PreparedRow } from '../records/prepare.ts';
import { parseStoredRow, RECORD_COLUMNS, type StoredRow } from '../records/record-store.ts';
import type { ReadRow } from '../records/row.ts';
import type { CellServices } from '../services.ts';
import { NO_FACTS, WHOLE_TENANT } from '../subjects/facts.ts';
import type { CellStandings } from '../subjects/standings.ts';
import { isExpired, type SetTerms, type TermsContext, toSetTerms } from './record-terms.ts';
import { prepareReduced, RowsChanged, writeReduced } from './reduce.ts';
import {
  findRun,
  moveRun,
  type RetentionCounts,
  type RunPlace,
  type RunRow,
} from './retention-store.ts';

const BATCH_COUNT = 1_000;
/** Rows judged before others get a turn. */
const TURN_COUNT = 64;
/** Between batches: whoever waits for the database goes first. */
const PAUSE_MS = 5;
const CONFLICTS_COUNT_MAX = 8;

export type RetentionServices = CellServices & { readonly standings: CellStandings };

interface Judged {
  readonly deleted: readonly ReadRow[];
  readonly reduced: readonly { readonly existing: Existing; readonly kept: ReadonlySet<number> }[];
  readonly counts: RetentionCounts;
}

/** Takes a run as far as it goes; throws when it is to be taken up again. */
export async function runRetention(services: RetentionServices, place: RunPlace): Promise<void> {
  const { database, orders } = services;
  let conflicts = 0;
  for (;;) {
    await orders.prepare(place.tenantId);
    const run = await findRun(database, place);
    if (run === undefined || run.state === 'done') return;
    const rows = await readBatch(services, run);
    if (rows.length === 0) return finish(services, run);
    const judged = await judgeBatch(services, run, rows);
    try {
      await apply(services, run, { rows, judged });
      conflicts = 0;
    } catch (error) {
      conflicts += 1;
      if (!(error instanceof RowsChanged) || conflicts > CONFLICTS_COUNT_MAX) throw error;
    }
    await wait(PAUSE_MS);
  }
}

async function readBatch(
  { database }: RetentionServices,
  { tenantId, cursor, collectionId }: RunRow,
): Promise<readonly ReadRow[]> {
  const { rows } = await database.withTenant(tenantId, (tx) =>
    tx.query<StoredRow>({
      name: 'retention-batch',
      text: `SELECT ${RECORD_COLUMNS} FROM cell.records r
        WHERE r.tenant_id = $1 AND (r.collection_id, r.record_id) > ($2, $3)
          AND ($4::text IS NULL OR r.collection_id = $4)
        ORDER BY r.collection_id, r.record_id LIMIT ${BATCH_COUNT}`,
      values: [tenantId, ...cursor, collectionId ?? null],
    }),
  );
  return rows.map((row) => parseStoredRow(tenantId, row));
}

/** Collections of a batch, each in a version that knows its rows. */
async function findCollections(
  store: CollectionStore,
  rows: readonly ReadRow[],
): Promise<ReadonlyMap<CollectionId, CompiledCollection>> {
  const found = new Map<CollectionId, CompiledCollection>();
  for (const row of rows) {
    const known = found.get(row.collectionId);
    if (known !== undefined && known.version >= row.schemaVersion) continue;
    found.set(row.collectionId, await collectionFor(store, row));
  }
  return found;
}

async function judgeBatch(
  services: RetentionServices,
  run: RunRow,
  rows: readonly ReadRow[],
): Promise<Judged> {
  const { tenantId } = run;
  const { cellId, keys, standings, law, clock } = services;
  const collections = await findCollections(collectionsOf(services), rows);
  const { factsKey } = await keys.secrets(tenantId);
  await standings.prepare(
    tenantId,
    rows.map(({ subjectId }) => subjectId),
  );
  const judge = createJudge(services, tenantId);
  const { charter, termsOf } = law.current();
  const nowMs = clock.nowMs();
  const contexts = new Map<CompiledCollection, TermsContext>();
  for (const [index, row] of rows.entries()) {
    if (index % TURN_COUNT === TURN_COUNT - 1) await nextTurn();
    const collection = collections.get(row.collectionId);
    if (collection === undefined) continue;
    const [existing] = findVerified(cellId, { row, collection, factsKey });
    if (existing === undefined) {
      judge.skip();
      continue;
    }
    const terms = termsOf(tenantId);
    const context = contexts.get(collection) ?? {
      ...{ charter, terms, collection, nowMs },
      known: new Map(),
    };
    contexts.set(collection, context);
    judge.take(existing, context);
  }
  return judge.end(run.counts);
}

/** Sorts records into what goes, what shrinks and what stays, and counts why. */
function createJudge(services: RetentionServices, tenantId: TenantId) {
  const { standings, orders } = services;
  const deleted: ReadRow[] = [];
  const reduced: { existing: Existing; kept: ReadonlySet<number> }[] = [];
  let scanned = 0;
  let held = 0;
  let ordered = 0;
  let unverified = 0;
  const byCategory = new Map<string, number>();
  const isOrdered = ({ verified, label }: Existing): boolean => {
    const { subjectId } = verified.row;
    const about = subjectId === undefined ? {} : { subjectId };
    return (
      orders.find(tenantId, { action: 'delete', origin: label.origin, ...about }) !== undefined
    );
  };
  return {
    skip(): void {
      scanned += 1;
      unverified += 1;
    },
    take(existing: Existing, context: TermsContext): void {
      scanned += 1;
      const { verified } = existing;
      const { subjectId } = verified.row;
      const isEmpty = standings.isEmpty(tenantId);
      const facts =
        isEmpty || subjectId === undefined ? undefined : standings.factsOf(tenantId, subjectId);
      const whole = isEmpty ? undefined : standings.factsOf(tenantId, WHOLE_TENANT);
      const sets = toSetTerms(context, verified, {
        facts: facts ?? NO_FACTS,
        tenantHolds: whole?.holds ?? [],
      });
      const gone = sets.filter((set) => isExpired(set, context.nowMs));
      if (sets.some((set) => isKeptByHold(set, context.nowMs))) held += 1;
      if (gone.length === 0) return;
      // Facts that do not verify could hide a hold: nothing of this person goes.
      const question = { purpose: '' };
      if (!isEmpty && standings.find(tenantId, subjectId, question)?.isUnverified === true) {
        unverified += 1;
        return;
      }
      if (isOrdered(existing)) {
        ordered += 1;
        return;
      }
      for (const { fieldSet } of gone) {
        byCategory.set(fieldSet.category, (byCategory.get(fieldSet.category) ?? 0) + 1);
      }
      if (gone.length === sets.length) deleted.push(verified.row);
      else {
        const kept = sets.filter((set) => !gone.includes(set)).map(({ fieldSet }) => fieldSet.at);
        reduced.push({ existing, kept: new Set(kept) });
      }
    },
    end(before: RetentionCounts): Judged {
      const all: Record<string, number> = { ...before.byCategory };
      for (const [category, count] of byCategory) all[category] = (all[category] ?? 0) + count;
      const counts = {
        scanned: before.scanned + scanned,
        deleted: before.deleted + deleted.length,
        reduced: before.reduced + reduced.length,
        held: before.held + held,
        ordered: before.ordered + ordered,
        unverified: before.unverified + unverified,
        byCategory: all,
      };
      return { deleted, reduced, counts };
    },
  };
}

const isKeptByHold = ({ hold, expiresAtMs }: SetTerms, nowMs: number): boolean =>
  hold !== undefined && expiresAtMs !== undefined && expiresAtMs <= nowMs;

async function apply(
  services: RetentionServices,
  run: RunRow,
  batch: { readonly rows: readonly ReadRow[]; readonly judged: Judged },
): Promise<void> {
  const { tenantId, runId, isDry } = run;
  const { rows, judged } = batch;
  const last = rows.at(-1);
  if (last === undefined) return;
  const prepared = isDry ? [] : await prepareAll(services, tenantId, judged);
  const facts = { retention: runId };
  const draft = { ...(run.actor === undefined ? {} : { actor: run.actor }), facts };
  await services.database.withTenant(tenantId, async (tx) => {
    if (!isDry) {
      await deleteRows(services, tx, { tenantId, rows: judged.deleted, draft });
      await writeReduced(services, tx, { tenantId, rows: prepared, draft });
    }
    const next = { cursor: [last.collectionId, last.recordId] as const, counts: judged.counts };
    const isMoved = await moveRun(tx, run, { ...next, state: 'accepted' });
    if (!isMoved) throw new RowsChanged();
  });
}

async function prepareAll(
  services: RetentionServices,
  tenantId: TenantId,
  { reduced }: Judged,
): Promise<readonly PreparedRow[]> {
  const rows: PreparedRow[] = [];
  const groups = Map.groupBy(reduced, ({ existing }) => existing.collection);
  for (const [collection, reductions] of groups) {
    const made = await prepareReduced(services, { tenantId, collection, reductions });
    rows.push(...made.flatMap((row) => row ?? []));
  }
  return rows;
}

async function deleteRows(
  services: RetentionServices,
  tx: PoolClient,
  options: {
    readonly tenantId: TenantId;
    readonly rows: readonly ReadRow[];
    readonly draft: object;
  },
): Promise<void> {
  const { tenantId, rows, draft } = options;
  if (rows.length === 0) return;
  const { rowCount } = await tx.query({
    name: 'retention-delete',
    text: `DELETE FROM cell.records r
      USING unnest($2::text[], $3::uuid[], $4::int[]) AS gone (collection_id, record_id, version)
      WHERE r.tenant_id = $1 AND r.collection_id = gone.collection_id
        AND r.record_id = gone.record_id AND r.version = gone.version`,
    values: [
      tenantId,
      rows.map(({ collectionId }) => collectionId),
      rows.map(({ recordId }) => recordId),
      rows.map(({ version }) => version),
    ],
  });
  if (rowCount !== rows.length) throw new RowsChanged();
  const writes = rows.map(({ recordId, version }) => ({
    recordId,
    version: version + 1,
    digest: DELETED_DIGEST,
  }));
  const entry = services.entries.prepare(tenantId, {
    ...draft,
    kind: 'delete',
    writes: toEntryWrites(writes),
  });
  await services.entries.insertPrepared(tx, [entry]);
}

async function finish(services: RetentionServices, run: RunRow): Promise<void> {
  const { tenantId, runId, isDry, counts, actor } = run;
  const { byCategory, ...numbers } = counts;
  const entry = services.entries.prepare(tenantId, {
    kind: 'retention',
    ...(actor === undefined ? {} : { actor }),
    facts: {
      run: runId,
      step: 'done',
      isDry,
      ...numbers,
      categories: Object.entries(byCategory).map(([name, count]) => `${name}:${count}`),
    },
  });
  await services.database.withTenant(tenantId, async (tx) => {
    const next = { cursor: run.cursor, counts, state: 'done' as const };
    if (await moveRun(tx, run, next)) await services.entries.insertPrepared(tx, [entry]);
  });
}

/** A collection named by a caller, where it exists. @throws {CollectionError} `COLLECTION_UNKNOWN` */
export async function requireCollection(
  services: RetentionServices,
  tenantId: TenantId,
  name: string,
): Promise<void> {
  await collectionsOf(services).get(tenantId, parseCollectionId(name));
}
