// SPDX-License-Identifier: Apache-2.0
// Searches and counts. Who may not see a field may not ask by it: that is decided before the database is
// asked, so that neither the answer nor a refusal tells what is there. One query is one entry.
import type { RecordPage, SearchQuery, StoredRecord, Where } from '@bailiwick/contracts';
import { PAGE_SIZE_DEFAULT } from '@bailiwick/contracts';
import { parseRecordId } from '@bailiwick/kernel';
import type { CollectionStore } from '../collections/collection-store.ts';
import type { CompiledCollection } from '../collections/compiled-collection.ts';
import { CellError } from '../errors.ts';
import type { CellServices, EntryReceipt } from '../services.ts';
import {
  CONSENTING,
  fromStoredStanding,
  STANDING_JOIN,
  type StoredStanding,
  toStandingSql,
} from '../subjects/standing.ts';
import { toEntryRecords } from './entry.ts';
import type { HomeLabel } from './label.ts';
import { LABELS_COUNT_MAX } from './limits.ts';
import { openRows } from './open.ts';
import { type Cursor, parsePageToken, sealPageToken, type TokenScope } from './page-token.ts';
import { findIndexKeys } from './prepare.ts';
import {
  findNeededSets,
  type SortField,
  type SqlPart,
  toBehind,
  toConditions,
  toCursorColumns,
  toOrder,
  toSort,
} from './query.ts';
import { parseStoredRow, RECORD_COLUMNS, type StoredRow } from './record-store.ts';
import { type Asker, decideAgain, findSight, refuseSight, type Sight } from './sight.ts';

export interface SearchContext {
  readonly asker: Asker;
  readonly collection: CompiledCollection;
  readonly requestId: string;
}

export interface SearchAnswer {
  readonly page: RecordPage;
  readonly receipt: EntryReceipt;
}

type PageRow = StoredRow & Readonly<Record<`sort_${number}`, string>>;

/** Searches of this process. */
export class RecordSearches {
  readonly #services: CellServices;
  readonly #collections: CollectionStore;

  constructor(services: CellServices, collections: CollectionStore) {
    this.#services = services;
    this.#collections = collections;
  }

  /**
   * Finds records.
   *
   * @throws {RecordError} `RECORD_FIELD_UNSEARCHABLE`, `RECORD_FIELD_INVALID`,
   * `RECORD_PAGE_TOKEN_INVALID`; {DenialError}
   */
  async search(context: SearchContext, query: SearchQuery): Promise<SearchAnswer> {
    const { asker, collection, requestId } = context;
    const { tenantId } = asker.credential;
    const needed = findNeededSets(collection, query);
    const sort = toSort(collection, query);
    const permitted = await this.#requireAny(context, 'search', needed);
    const { secrets, conditions } = await this.#toConditions(context, query.where ?? {});
    const scope = toScope(context, query);
    const nowMs = this.#services.clock.nowMs();
    const cursor =
      query.pageToken === undefined
        ? undefined
        : parsePageToken(secrets.idKey, scope, { token: query.pageToken, nowMs });
    const pageSize = query.pageSize ?? PAGE_SIZE_DEFAULT;
    const rows = await this.#readPage(context, { conditions, sort, cursor, pageSize });
    const last = rows.length > pageSize ? rows[pageSize - 1] : undefined;
    const seen = await this.#open(context, { rows: rows.slice(0, pageSize), needed });
    const count = query.count === true ? await this.#count(context, conditions, needed) : undefined;
    const decided = decideAgain(this.#services, asker, seen.sight ?? permitted);
    if (!decided) return refuseSight(this.#services, asker, permitted);
    const receipt = await this.#services.entries.record(tenantId, {
      kind: 'read',
      ...this.#services.enforcement.toDraft(asker.credential, decided),
      records: toEntryRecords(seen.records.map(({ recordId }) => parseRecordId(recordId))),
      facts: {
        ...(seen.sight ?? permitted).facts,
        by: Object.keys(query.where ?? {}),
        origins: toOriginCounts(seen.records),
        ...(seen.unverifiedCount > 0 ? { unverified: seen.unverifiedCount } : {}),
        ...(count === undefined ? {} : { counted: count }),
      },
      request: requestId,
    });
    const nextPageToken =
      last && sealPageToken(secrets.idKey, scope, { cursor: toCursor(last, sort), nowMs });
    const page = {
      items: seen.records,
      ...(nextPageToken === undefined ? {} : { nextPageToken }),
      ...(count === undefined ? {} : { count }),
    };
    return { page, receipt };
  }

  /** Counts records, of those labels that this asker may count. @throws as `search` */
  async count(
    context: SearchContext,
    where: Where,
  ): Promise<{ readonly count: number; readonly receipt: EntryReceipt }> {
    const { asker, collection, requestId } = context;
    const needed = findNeededSets(collection, { where });
    const permitted = await this.#requireAny(context, 'count', needed);
    const { conditions } = await this.#toConditions(context, where);
    const count = await this.#count(context, conditions, needed);
    const decided = decideAgain(this.#services, asker, permitted);
    if (!decided) return refuseSight(this.#services, asker, permitted);
    const receipt = await this.#services.entries.record(asker.credential.tenantId, {
      kind: 'read',
      ...this.#services.enforcement.toDraft(asker.credential, decided),
      facts: { collection: collection.id, by: Object.keys(where), counted: count },
      request: requestId,
    });
    return { count, receipt };
  }

  async #toConditions({ asker, collection }: SearchContext, where: Where) {
    const { tenantId } = asker.credential;
    const secrets = await this.#services.keys.secrets(tenantId);
    const isSealed = (name: string): boolean =>
      collection.fields.get(name)?.fieldSet.protection === 'sealed';
    const indexKeys = Object.keys(where).some(isSealed)
      ? await findIndexKeys(collection, secrets)
      : new Map();
    return { secrets, conditions: toConditions(collection, where, { tenantId, indexKeys }) };
  }

  /**
   * The sight of the first label for which everything asked by is visible. When there is none, the
   * question itself is refused, whatever the records are.
   */
  async #requireAny(
    { asker, collection }: SearchContext,
    action: 'search' | 'count',
    needed: readonly number[],
  ): Promise<Sight> {
    let refused: Sight | undefined;
    const { standings } = this.#services;
    const { tenantId } = asker.credential;
    const preparing = standings.prepare(tenantId, []);
    if (preparing) await preparing;
    // What is seen of nobody in particular may be seen of people who have agreed.
    const people = standings.isEmpty(tenantId) ? [{}] : [{}, { standing: CONSENTING }];
    for (const person of people) {
      for (const label of this.#labels()) {
        const sight = findSight(this.#services, { asker, action, collection, label, person });
        if (sight.request && needed.every((at) => sight.isVisible[at])) return sight;
        refused ??= sight;
      }
    }
    if (!refused) throw new CellError('CELL_ROLE_FORBIDDEN', 'no country has its home here');
    return refuseSight(this.#services, asker, refused);
  }

  /** The labels that records of this cell can have under the charter in force. */
  *#labels(): Generator<HomeLabel> {
    const { charter } = this.#services.law.current();
    for (const [origin, home] of charter.homes) {
      if (!home.ok || home.cellId !== this.#services.cellId) continue;
      yield { origin, residency: home.residency, regimes: home.regimes };
    }
  }

  async #readPage(
    { asker }: SearchContext,
    page: {
      readonly conditions: SqlPart;
      readonly sort: readonly SortField[];
      readonly cursor: Cursor | undefined;
      readonly pageSize: number;
    },
  ): Promise<readonly PageRow[]> {
    const { conditions, sort, cursor, pageSize } = page;
    const { text, values } = cursor ? toBehind(sort, cursor, conditions) : conditions;
    const { rows } = await this.#services.database.withTenant(asker.credential.tenantId, (tx) =>
      tx.query<PageRow>(
        `SELECT ${RECORD_COLUMNS}${toCursorColumns(sort)} FROM cell.records r
         WHERE ${text} ORDER BY ${toOrder(sort)} LIMIT ${Math.trunc(pageSize) + 1}`,
        [...values],
      ),
    );
    return rows;
  }

  async #open(
    { asker, collection }: SearchContext,
    page: { readonly rows: readonly PageRow[]; readonly needed: readonly number[] },
  ): Promise<{
    readonly records: readonly StoredRecord[];
    readonly sight: Sight | undefined;
    readonly unverifiedCount: number;
  }> {
    const { tenantId } = asker.credential;
    const rows = page.rows.map((row) => parseStoredRow(tenantId, row));
    const isNewer = rows.some((row) => row.schemaVersion > collection.version);
    if (isNewer) this.#collections.forget(tenantId, collection.id);
    const known = isNewer ? await this.#collections.get(tenantId, collection.id) : collection;
    const requests = rows.map((row) => ({ row, collection: known, asker }));
    const { needed } = page;
    const opened = await openRows(this.#services, { tenantId, action: 'search', requests, needed });
    const records: StoredRecord[] = [];
    let sight: Sight | undefined;
    let unverifiedCount = 0;
    for (const one of opened) {
      if (one.kind === 'unverified') unverifiedCount += 1;
      if (one.kind !== 'seen') continue;
      sight ??= one.sight;
      records.push(one.record);
    }
    if (unverifiedCount > 0) {
      this.#services.log.error('records that do not verify', { count: unverifiedCount });
    }
    return { records, sight, unverifiedCount };
  }

  async #count(
    { asker, collection }: SearchContext,
    { text, values }: SqlPart,
    needed: readonly number[],
  ): Promise<number> {
    const { tenantId } = asker.credential;
    const { standings, orders } = this.#services;
    const isPlain = standings.isEmpty(tenantId);
    const ordered = [...orders.peopleOf(tenantId)];
    const at = values.length;
    const { rows } = await this.#services.database.withTenant(tenantId, (tx) =>
      tx.query<{ label: HomeLabel; standing: StoredStanding | null; count: string }>(
        `SELECT jsonb_build_object('origin', f.facts -> 'origin', 'regimes', f.facts -> 'regimes',
                                   'residency', f.facts -> 'residency') AS label,
                ${isPlain ? 'NULL' : `${toStandingSql(`$${at + 2}`)}`} AS standing, count(*) AS count
         FROM cell.records r ${isPlain ? '' : STANDING_JOIN},
              LATERAL (SELECT r.facts::jsonb AS facts) f
         WHERE ${text} AND (r.subject_id IS NULL OR r.subject_id <> ALL ($${at + 1}::uuid[]))
         GROUP BY 1, 2 LIMIT ${LABELS_COUNT_MAX}`,
        isPlain ? [...values, ordered] : [...values, ordered, asker.purpose],
      ),
    );
    let total = 0;
    for (const { label, standing, count } of rows) {
      const person = standing === null ? {} : { standing: fromStoredStanding(standing) };
      const sight = findSight(this.#services, {
        ...{ asker, action: 'count', collection, label, person },
      });
      if (sight.request && needed.every((at) => sight.isVisible[at])) total += Number(count);
    }
    return total;
  }
}

function toCursor(row: PageRow, sort: readonly SortField[]): Cursor {
  return {
    after: sort.map((_, at) => row[`sort_${at}`] ?? 'null'),
    recordId: row.record_id,
  };
}

function toOriginCounts(records: readonly StoredRecord[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const { label } of records) counts.set(label.origin, (counts.get(label.origin) ?? 0) + 1);
  return [...counts].sort().map(([origin, count]) => `${origin}:${count}`);
}

function toScope({ asker, collection }: SearchContext, query: SearchQuery): TokenScope {
  const { tenantId, account, role } = asker.credential;
  const { where = {}, sort = [], pageSize = PAGE_SIZE_DEFAULT } = query;
  return {
    tenantId,
    account,
    role,
    purpose: asker.purpose,
    collectionId: collection.id,
    // Through JSON: conditions are plain data, and absent members are left out.
    query: JSON.parse(JSON.stringify({ where, sort, pageSize })),
  };
}
