// SPDX-License-Identifier: Apache-2.0
// Finds a tenant's entries by what they tell. Candidate pages of the index come first, then the positions
// in them that have all that was asked for, then the entries themselves, each held against its body.
import type { EntrySearchPage } from '@bailiwick/contracts';
import { parseInstant, type TenantId } from '@bailiwick/kernel';
import type { EntryBody } from '@bailiwick/ledger';
import type { PoolClient } from 'pg';
import { stepEntryIndex, toIdMs } from './entry-index.ts';
import { hasEach, toMark, type Wanted } from './entry-marks.ts';
import { findPlaced, type StoredEntry, toBody } from './entry-store.ts';
import {
  INDEX_PAGE_WIDTH,
  SEARCH_CATCH_UP_MS,
  SEARCH_PAGES_COUNT,
  SEARCH_PAGES_COUNT_MAX,
} from './limits.ts';
import { type ProofPorts, proveStored } from './prove-entries.ts';

/** Where a search goes on: behind this position. */
export interface SearchCursor {
  readonly epoch: number;
  readonly index: number;
}

/** A search as the index understands it. */
export interface EntryQuery {
  /** One of each group must be there. */
  readonly groups: readonly (readonly Wanted[])[];
  readonly fromMs: number | undefined;
  readonly toMs: number | undefined;
  readonly isNewestFirst: boolean;
  readonly pageSize: number;
  readonly withProofs: boolean;
}

export interface EntrySearchResult {
  readonly page: Omit<EntrySearchPage, 'nextPageToken'>;
  readonly next: SearchCursor | undefined;
}

interface Search {
  readonly tx: PoolClient;
  readonly query: EntryQuery;
  /** Marks of each group. */
  readonly marks: readonly (readonly string[])[];
}

/** Finds entries of one tenant from a cursor on. */
export async function searchEntries(
  ports: ProofPorts & { readonly clock: { monotonicMs(): number } },
  options: {
    readonly tenantId: TenantId;
    readonly query: EntryQuery;
    readonly cursor: SearchCursor | undefined;
  },
): Promise<EntrySearchResult> {
  const { database, ledger } = ports;
  const { tenantId, query } = options;
  const size = await catchUp(ports, tenantId);
  const marks = query.groups.map((group) => group.map((wanted) => String(toMark(wanted))));
  const found = await database.withTenant(tenantId, (tx) =>
    walk({ tx, query, marks }, { cursor: options.cursor, newestEpoch: ledger.epoch }),
  );
  const proven = await proveStored(ledger, found.entries, query.withProofs);
  return { page: { items: proven, size }, next: found.next };
}

/** What was entered a moment ago is found: the index goes on to the head, within its time. */
async function catchUp(
  { database, ledger, clock }: ProofPorts & { readonly clock: { monotonicMs(): number } },
  tenantId: TenantId,
): Promise<number> {
  const untilMs = clock.monotonicMs() + SEARCH_CATCH_UP_MS;
  let before = -1;
  for (;;) {
    const { size, headSize } = await stepEntryIndex(database, { tenantId, epoch: ledger.epoch });
    if (size >= headSize || size === before || clock.monotonicMs() >= untilMs) return size;
    before = size;
  }
}

interface Found {
  readonly entries: readonly StoredEntry[];
  readonly next: SearchCursor | undefined;
}

/** Goes through the epochs' pages until an answer is full or enough was looked at. */
async function walk(
  search: Search,
  {
    cursor,
    newestEpoch,
  }: { readonly cursor: SearchCursor | undefined; readonly newestEpoch: number },
): Promise<Found> {
  const { isNewestFirst, pageSize } = search.query;
  const entries: StoredEntry[] = [];
  const last = isNewestFirst ? 1 : newestEpoch;
  const step = isNewestFirst ? -1 : 1;
  let place = cursor ?? {
    epoch: isNewestFirst ? newestEpoch : 1,
    index: isNewestFirst ? Number.MAX_SAFE_INTEGER : -1,
  };
  for (let looked = 0; looked < SEARCH_PAGES_COUNT_MAX; ) {
    const pages = await findPages(search, place);
    if (pages.length === 0) {
      if (place.epoch === last) return { entries, next: undefined };
      const epoch = place.epoch + step;
      place = { epoch, index: isNewestFirst ? Number.MAX_SAFE_INTEGER : -1 };
      continue;
    }
    looked += pages.length;
    const positions = await findPositions(search, { place, pages });
    const taken = positions.slice(0, pageSize - entries.length);
    const placed = await findPlaced(search.tx, { epoch: place.epoch, indexes: taken });
    entries.push(...placed.filter((entry) => isWanted(entry, search.query)));
    const index = taken.length < positions.length ? taken.at(-1) : toBehind(search.query, pages);
    place = { epoch: place.epoch, index: index ?? place.index };
    if (entries.length >= pageSize) return { entries, next: place };
  }
  return { entries, next: place };
}

/** The position behind which the next pages begin. */
function toBehind({ isNewestFirst }: EntryQuery, pages: readonly number[]): number {
  const last = pages.at(-1) ?? 0;
  return isNewestFirst ? last * INDEX_PAGE_WIDTH : (last + 1) * INDEX_PAGE_WIDTH - 1;
}

/** The next pages in which each group has something, in the order of the search. */
async function findPages(
  { tx, query, marks }: Search,
  place: SearchCursor,
): Promise<readonly number[]> {
  const { isNewestFirst, fromMs, toMs } = query;
  const behind = isNewestFirst ? place.index - 1 : place.index + 1;
  if (behind < 0) return [];
  const bound = Math.min(Math.floor(behind / INDEX_PAGE_WIDTH), Number.MAX_SAFE_INTEGER);
  const values: unknown[] = [place.epoch, bound];
  const side = `page ${isNewestFirst ? '<=' : '>='} $2`;
  const own = `tenant_id = nullif(current_setting('bailiwick.tenant', true), '')::uuid AND epoch = $1`;
  const parts = marks.map((group) => {
    values.push(group);
    return `SELECT page FROM ledger.entry_postings
             WHERE ${own} AND mark = ANY ($${values.length}::bigint[]) AND ${side}`;
  });
  if (parts.length === 0 || fromMs !== undefined || toMs !== undefined) {
    values.push(fromMs ?? null, toMs ?? null);
    const [from, to] = [values.length - 1, values.length];
    parts.push(`SELECT page FROM ledger.entry_pages WHERE ${own} AND ${side}
                   AND ($${from}::bigint IS NULL OR last_ms >= $${from}::bigint)
                   AND ($${to}::bigint IS NULL OR first_ms < $${to}::bigint)`);
  }
  const { rows } = await tx.query<{ page: string }>(
    `SELECT DISTINCT page FROM (${parts.join(' INTERSECT ')}) AS pages
      ORDER BY page ${isNewestFirst ? 'DESC' : 'ASC'} LIMIT ${SEARCH_PAGES_COUNT}`,
    values,
  );
  return rows.map(({ page }) => Number(page));
}

/** Positions in these pages that are in each group, beyond the cursor, in the order of the search. */
async function findPositions(
  { tx, query, marks }: Search,
  { place, pages }: { readonly place: SearchCursor; readonly pages: readonly number[] },
): Promise<readonly number[]> {
  const own = `tenant_id = nullif(current_setting('bailiwick.tenant', true), '')::uuid AND epoch = $1`;
  const isAll = marks.length === 0;
  const { rows } = await tx.query<{ mark: string; page: string; positions: Buffer }>(
    isAll
      ? `SELECT '0' AS mark, page, positions FROM ledger.entry_pages
          WHERE ${own} AND page = ANY ($2::bigint[])`
      : `SELECT mark, page, positions FROM ledger.entry_postings
          WHERE ${own} AND page = ANY ($2::bigint[]) AND mark = ANY ($3::bigint[])`,
    isAll ? [place.epoch, pages] : [place.epoch, pages, [...new Set(marks.flat())]],
  );
  const groups = isAll ? [['0']] : marks;
  const found = pages.flatMap((page) => {
    const own = rows.filter((row) => Number(row.page) === page);
    return intersect(groups, own).map((offset) => page * INDEX_PAGE_WIDTH + offset);
  });
  const isBeyond = (index: number): boolean =>
    query.isNewestFirst ? index < place.index : index > place.index;
  return found.filter(isBeyond).sort((a, b) => (query.isNewestFirst ? b - a : a - b));
}

/** Offsets that are in a posting of each group. */
function intersect(
  groups: readonly (readonly string[])[],
  postings: readonly { readonly mark: string; readonly positions: Buffer }[],
): readonly number[] {
  const reached = new Uint8Array(INDEX_PAGE_WIDTH);
  groups.forEach((group, at) => {
    for (const { mark, positions } of postings) {
      if (!group.includes(mark)) continue;
      for (let start = 0; start < positions.length; start += 2) {
        const offset = positions.readUInt16BE(start);
        if (reached[offset] === at) reached[offset] = at + 1;
      }
    }
  });
  const offsets: number[] = [];
  for (const [offset, count] of reached.entries())
    if (count === groups.length) offsets.push(offset);
  return offsets;
}

/**
 * Holds what was found against its body: a mark can be another's by chance, and a page holds instants
 * beyond the ones asked for. An entry whose body is over is found by time and position only.
 */
function isWanted(entry: StoredEntry, { groups, fromMs, toMs }: EntryQuery): boolean {
  const body: EntryBody | undefined = toBody(entry);
  const atMs = body === undefined ? toIdMs(entry.entryId) : parseInstant(body.at);
  if (fromMs !== undefined && atMs < fromMs) return false;
  if (toMs !== undefined && atMs >= toMs) return false;
  if (body === undefined) return groups.length === 0;
  return hasEach(body, groups);
}
