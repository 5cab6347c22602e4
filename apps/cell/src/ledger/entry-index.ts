// SPDX-License-Identifier: Apache-2.0
// Makes the index that entries are found by, behind the log and each tenant's under its own row security.
// Positions are taken up in the order of the log, so "everything below this size is in it" is one number.
import { parseTenantId, type TenantId } from '@bailiwick/kernel';
import { BATCH_ENTRIES_COUNT_MAX, type EntryBody } from '@bailiwick/ledger';
import type { Database } from '@bailiwick/postgres';
import type { Log } from '@bailiwick/telemetry';
import type { PoolClient } from 'pg';
import { listProperties, toMark } from './entry-marks.ts';
import {
  INDEX_INTERVAL_MS,
  INDEX_PAGE_WIDTH,
  INDEX_STEP_BATCHES_COUNT_MAX,
  INDEX_STEP_POSITIONS_COUNT_MAX,
} from './limits.ts';

/** How far a tenant's index is, and the log. */
export interface IndexState {
  /** Positions below this are in the index. */
  readonly size: number;
  /** Size of the log's durable head. */
  readonly headSize: number;
}

interface BatchRow {
  readonly batch_id: string;
  readonly first_index: string;
  readonly entries_count: number;
}

interface EntryRow {
  readonly batch_id: string;
  readonly batch_offset: number;
  readonly entry_id: string;
  readonly body: string | null;
}

/** Offsets by page; of one property, or of all. */
type Pages = Map<number, number[]>;

interface Marked {
  readonly all: Pages;
  readonly times: Map<number, { firstMs: number; lastMs: number }>;
  readonly byMark: Map<bigint, Pages>;
}

/** Takes up what the log has beyond the index, one step of it. */
export async function stepEntryIndex(
  database: Database,
  options: { readonly tenantId: TenantId; readonly epoch: number },
): Promise<IndexState> {
  const tenantId = parseTenantId(options.tenantId);
  const { epoch } = options;
  return database.withTenant(tenantId, async (tx) => {
    const state = await lockState(tx, { tenantId, epoch });
    if (state.size >= state.headSize) return state;
    const batches = await readBatches(tx, { epoch, from: state.size });
    const last = batches.at(-1);
    if (last === undefined) return state;
    const rows = await readRows(tx, batches);
    const marked = toMarked(batches, rows);
    await writePages(tx, { tenantId, epoch }, marked);
    await writePostings(tx, { tenantId, epoch }, marked.byMark);
    const size = Number(last.first_index) + last.entries_count;
    await tx.query('UPDATE ledger.entry_marked SET size = $3 WHERE tenant_id = $1 AND epoch = $2', [
      tenantId,
      epoch,
      size,
    ]);
    return { size, headSize: state.headSize };
  });
}

/** Where the index is; the row's lock is the fence between replicas. */
async function lockState(
  tx: PoolClient,
  { tenantId, epoch }: { readonly tenantId: TenantId; readonly epoch: number },
): Promise<IndexState> {
  const read = async (): Promise<IndexState | undefined> => {
    const { rows } = await tx.query<{ size: string; head: string | null }>({
      name: 'entry-index-lock',
      text: `SELECT m.size, (SELECT h.size FROM ledger.heads h WHERE h.epoch = m.epoch) AS head
               FROM ledger.entry_marked m WHERE m.tenant_id = $1 AND m.epoch = $2 FOR UPDATE OF m`,
      values: [tenantId, epoch],
    });
    const [row] = rows;
    return row && { size: Number(row.size), headSize: Number(row.head ?? 0) };
  };
  const found = await read();
  if (found !== undefined) return found;
  await tx.query(
    'INSERT INTO ledger.entry_marked (tenant_id, epoch, size) VALUES ($1, $2, 0) ON CONFLICT DO NOTHING',
    [tenantId, epoch],
  );
  return (await read()) ?? { size: 0, headSize: 0 };
}

/** Whole batches from a position on: positions are without gaps, and a batch's are neighbours. */
async function readBatches(
  tx: PoolClient,
  { epoch, from }: { readonly epoch: number; readonly from: number },
): Promise<readonly BatchRow[]> {
  const { rows } = await tx.query<BatchRow>({
    name: 'entry-index-batches',
    text: `SELECT batch_id, first_index, entries_count FROM ledger.batches
            WHERE epoch = $1 AND first_index >= $2 ORDER BY first_index LIMIT $3`,
    values: [epoch, from, INDEX_STEP_BATCHES_COUNT_MAX],
  });
  let count = 0;
  const end = rows.findIndex(({ entries_count }) => {
    count += entries_count;
    return count > INDEX_STEP_POSITIONS_COUNT_MAX;
  });
  return end < 0 ? rows : rows.slice(0, Math.max(1, end));
}

async function readRows(
  tx: PoolClient,
  batches: readonly BatchRow[],
): Promise<readonly EntryRow[]> {
  const { rows } = await tx.query<EntryRow>({
    name: 'entry-index-rows',
    text: `SELECT e.batch_id, e.batch_offset, e.entry_id, e.body FROM ledger.entries e
            WHERE e.tenant_id = nullif(current_setting('bailiwick.tenant', true), '')::uuid
              AND e.batch_id = ANY ($1::bigint[])`,
    values: [batches.map(({ batch_id }) => batch_id)],
  });
  return rows;
}

/** A stored body, or nothing where its term is over or somebody wrote something else in its place. */
function readBody(row: EntryRow): EntryBody | undefined {
  if (row.body === null) return undefined;
  try {
    return JSON.parse(row.body) as EntryBody;
  } catch {
    return undefined;
  }
}

/** The instant in a UUIDv7. */
export function toIdMs(entryId: string): number {
  return Number.parseInt(entryId.replace('-', '').slice(0, 12), 16);
}

function toAtMs(row: EntryRow, body: EntryBody | undefined): number {
  const atMs = typeof body?.at === 'string' ? Date.parse(body.at) : Number.NaN;
  return Number.isNaN(atMs) ? toIdMs(row.entry_id) : atMs;
}

function toMarked(batches: readonly BatchRow[], rows: readonly EntryRow[]): Marked {
  const firsts = new Map(batches.map((batch) => [batch.batch_id, Number(batch.first_index)]));
  const places = rows
    .map((row) => ({ row, index: (firsts.get(row.batch_id) ?? 0) + row.batch_offset }))
    .sort((a, b) => a.index - b.index);
  const marked: Marked = { all: new Map(), times: new Map(), byMark: new Map() };
  for (const { row, index } of places) {
    const body = readBody(row);
    const page = Math.floor(index / INDEX_PAGE_WIDTH);
    const offset = index % INDEX_PAGE_WIDTH;
    put(marked.all, page, offset);
    const atMs = toAtMs(row, body);
    const time = marked.times.get(page) ?? { firstMs: atMs, lastMs: atMs };
    marked.times.set(page, {
      firstMs: Math.min(time.firstMs, atMs),
      lastMs: Math.max(time.lastMs, atMs),
    });
    for (const mark of body === undefined ? [] : toMarks(body)) {
      const pages = marked.byMark.get(mark) ?? new Map<number, number[]>();
      marked.byMark.set(mark, pages);
      put(pages, page, offset);
    }
  }
  return marked;
}

function toMarks(body: EntryBody): ReadonlySet<bigint> {
  try {
    return new Set(listProperties(body).map(toMark));
  } catch {
    return new Set(); // a stored text that is no body: `ledger check` names it
  }
}

function put(pages: Pages, page: number, offset: number): void {
  const offsets = pages.get(page);
  if (offsets === undefined) pages.set(page, [offset]);
  else offsets.push(offset);
}

function toBytes(offsets: readonly number[]): Buffer {
  const bytes = Buffer.alloc(offsets.length * 2);
  for (const [at, offset] of offsets.entries()) bytes.writeUInt16BE(offset, at * 2);
  return bytes;
}

async function writePages(
  tx: PoolClient,
  place: { readonly tenantId: TenantId; readonly epoch: number },
  { all, times }: Marked,
): Promise<void> {
  const { tenantId, epoch } = place;
  const pages = [...all];
  if (pages.length === 0) return;
  await tx.query({
    name: 'entry-index-pages',
    text: `INSERT INTO ledger.entry_pages AS old (tenant_id, epoch, page, first_ms, last_ms, positions)
           SELECT $1, $2, p.page, p.first_ms, p.last_ms, p.positions
             FROM unnest($3::bigint[], $4::bigint[], $5::bigint[], $6::bytea[])
               AS p (page, first_ms, last_ms, positions)
           ON CONFLICT (tenant_id, epoch, page) DO UPDATE SET
             first_ms = least(old.first_ms, excluded.first_ms),
             last_ms = greatest(old.last_ms, excluded.last_ms),
             positions = old.positions || excluded.positions`,
    values: [
      tenantId,
      epoch,
      pages.map(([page]) => page),
      pages.map(([page]) => times.get(page)?.firstMs ?? 0),
      pages.map(([page]) => times.get(page)?.lastMs ?? 0),
      pages.map(([, offsets]) => toBytes(offsets)),
    ],
  });
}

async function writePostings(
  tx: PoolClient,
  { tenantId, epoch }: { readonly tenantId: TenantId; readonly epoch: number },
  byMark: ReadonlyMap<bigint, Pages>,
): Promise<void> {
  const postings = [...byMark].flatMap(([mark, own]) =>
    [...own].map(([page, offsets]) => ({ mark: String(mark), page, bytes: toBytes(offsets) })),
  );
  await tx.query({
    name: 'entry-index-postings',
    text: `INSERT INTO ledger.entry_postings AS old (tenant_id, epoch, mark, page, positions)
           SELECT $1, $2, p.mark, p.page, p.positions
             FROM unnest($3::bigint[], $4::bigint[], $5::bytea[]) AS p (mark, page, positions)
            ORDER BY p.mark, p.page
           ON CONFLICT (tenant_id, epoch, mark, page) DO UPDATE SET
             positions = old.positions || excluded.positions`,
    values: [
      tenantId,
      epoch,
      postings.map(({ mark }) => mark),
      postings.map(({ page }) => page),
      postings.map(({ bytes }) => bytes),
    ],
  });
}

/** Makes the postings of some pages anew, from the bodies that are still there. */
export async function remarkPages(
  tx: PoolClient,
  options: {
    readonly tenantId: TenantId;
    readonly epoch: number;
    readonly pages: ReadonlySet<number>;
  },
): Promise<void> {
  const { tenantId, epoch } = options;
  const { size } = await lockState(tx, { tenantId, epoch });
  const pages = [...options.pages].filter((page) => page * INDEX_PAGE_WIDTH < size);
  await tx.query(
    `DELETE FROM ledger.entry_postings
      WHERE tenant_id = $1 AND epoch = $2 AND page = ANY ($3::bigint[])`,
    [tenantId, epoch, pages],
  );
  for (const page of pages) {
    const start = page * INDEX_PAGE_WIDTH;
    const { rows: batches } = await tx.query<BatchRow>(
      `SELECT batch_id, first_index, entries_count FROM ledger.batches
        WHERE epoch = $1 AND first_index > $2 AND first_index < $3`,
      [epoch, start - BATCH_ENTRIES_COUNT_MAX, Math.min(size, start + INDEX_PAGE_WIDTH)],
    );
    const rows = (await readRows(tx, batches)).filter(({ body }) => body !== null);
    const { byMark } = toMarked(batches, rows);
    for (const [mark, own] of byMark) {
      const offsets = own.get(page);
      if (offsets === undefined) byMark.delete(mark);
      else byMark.set(mark, new Map([[page, offsets]]));
    }
    await writePostings(tx, { tenantId, epoch }, byMark);
  }
}

/** Keeps the index of all tenants close behind the log. */
export interface EntryIndexer {
  start(): void;
  /** Lets the step under way end. */
  stop(): Promise<void>;
}

/** Makes the indexer of a cell; it looks each second whether the log has grown. */
export function createEntryIndexer(ports: {
  readonly database: Database;
  readonly epoch: number;
  readonly readHeadSize: () => Promise<number>;
  readonly listTenants: () => readonly TenantId[];
  readonly log: Log;
}): EntryIndexer {
  const { database, epoch, readHeadSize, listTenants, log } = ports;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  let isStopping = false;
  let doneSize = -1;
  const catchUp = async (tenantId: TenantId, at: number): Promise<void> => {
    let size = -1;
    while (!isStopping) {
      const state = await stepEntryIndex(database, { tenantId, epoch: at });
      if (state.size >= state.headSize || state.size === size) return;
      size = state.size;
    }
  };
  const pass = async (): Promise<void> => {
    const headSize = await readHeadSize();
    if (headSize === doneSize) return;
    for (const tenantId of listTenants()) {
      // What an epoch had left when the next one opened is taken up as well.
      for (let at = doneSize < 0 ? 1 : epoch; at <= epoch; at += 1) await catchUp(tenantId, at);
    }
    if (!isStopping) doneSize = headSize;
  };
  const tick = (): void => {
    running ??= pass()
      .catch((error: unknown) => log.warn('entries could not be indexed', { error }))
      .finally(() => {
        running = undefined;
      });
  };
  return {
    start() {
      timer ??= setInterval(tick, INDEX_INTERVAL_MS).unref();
    },
    async stop() {
      isStopping = true;
      clearInterval(timer);
      await running;
    },
  };
}
