// SPDX-License-Identifier: Apache-2.0
// Reads entries back, each tenant its own (row security), with their positions.
import { type EntryId, parseTenantId, type TenantId } from '@bailiwick/kernel';
import {
  BATCH_ENTRIES_COUNT_MAX,
  commitEntry,
  type EntryBody,
  type EntryKind,
  type ExportedBody,
  HASH_SIZE_BYTES,
  isSameBytes,
  type LogStore,
  parseEntryBody,
  TILE_WIDTH,
  WriteHistory,
} from '@bailiwick/ledger';
import type { Database } from '@bailiwick/postgres';
import type { PoolClient } from 'pg';

/** An entry as it is stored. */
export interface StoredEntry {
  readonly entryId: EntryId;
  /** Absent while it waits for a position. */
  readonly index?: number;
  /** The epoch of its position, where it was asked for by position. */
  readonly epoch?: number;
  /** Absent once its term is over. */
  readonly salt?: Buffer;
  readonly body?: string;
}

interface EntryRow {
  readonly entry_id: EntryId;
  readonly index: string | null;
  readonly salt: Buffer | null;
  readonly body: string | null;
}

const COLUMNS = `e.entry_id, b.first_index + e.batch_offset AS index, e.salt, e.body`;
// Row security narrows to the tenant; the tenant is named as well so that the index is used.
const OF_TENANT = `e.tenant_id = nullif(current_setting('bailiwick.tenant', true), '')::uuid`;

function toStored({ entry_id, index, salt, body }: EntryRow): StoredEntry {
  return {
    entryId: entry_id,
    ...(index === null ? {} : { index: Number(index) }),
    ...(salt === null ? {} : { salt }),
    ...(body === null ? {} : { body }),
  };
}

/** The tenant's entries among these ids, in no order. */
export async function findEntries(
  tx: PoolClient,
  options: { readonly epoch: number; readonly entryIds: readonly EntryId[] },
): Promise<readonly StoredEntry[]> {
  const { rows } = await tx.query<EntryRow>({
    name: 'entries-find',
    text: `SELECT ${COLUMNS} FROM ledger.entries e
             LEFT JOIN ledger.batches b ON b.batch_id = e.batch_id AND b.epoch = $2
            WHERE ${OF_TENANT} AND e.entry_id = ANY ($1::uuid[])`,
    values: [options.entryIds, options.epoch],
  });
  return rows.map(toStored);
}

/** The batch of an entry; `undefined` when the tenant has no such entry. */
export async function findBatchOf(
  tx: PoolClient,
  { tenantId, entryId }: { readonly tenantId: TenantId; readonly entryId: EntryId },
): Promise<string | undefined> {
  const { rows } = await tx.query<{ batch_id: string }>(
    'SELECT batch_id FROM ledger.entries WHERE tenant_id = $1 AND entry_id = $2',
    [tenantId, entryId],
  );
  return rows[0]?.batch_id;
}

/** The tenant's newest entries before an id, newest first (ids grow with time). */
export async function listEntries(
  tx: PoolClient,
  options: { readonly epoch: number; readonly before: EntryId | undefined; readonly limit: number },
): Promise<readonly StoredEntry[]> {
  const { rows } = await tx.query<EntryRow>({
    name: 'entries-list',
    text: `SELECT ${COLUMNS} FROM ledger.entries e
             LEFT JOIN ledger.batches b ON b.batch_id = e.batch_id AND b.epoch = $3
            WHERE ${OF_TENANT} AND ($1::uuid IS NULL OR e.entry_id < $1)
            ORDER BY e.entry_id DESC LIMIT $2`,
    values: [options.before ?? null, options.limit, options.epoch],
  });
  return rows.map(toStored);
}

/** The tenant's entries at these positions of the log, in that order. */
export async function findPlaced(
  tx: PoolClient,
  options: { readonly epoch: number; readonly indexes: readonly number[] },
): Promise<readonly StoredEntry[]> {
  if (options.indexes.length === 0) return [];
  const { rows } = await tx.query<EntryRow>({
    name: 'entries-placed',
    text: `SELECT e.entry_id, i.index, e.salt, e.body
             FROM unnest($1::bigint[]) WITH ORDINALITY AS i (index, place)
            CROSS JOIN LATERAL (
              SELECT batch_id, first_index FROM ledger.batches
               WHERE epoch = $2 AND first_index <= i.index ORDER BY first_index DESC LIMIT 1
            ) AS b
             JOIN ledger.entries e ON ${OF_TENANT} AND e.batch_id = b.batch_id
              AND e.batch_offset = (i.index - b.first_index)::smallint
            ORDER BY i.place`,
    values: [options.indexes, options.epoch],
  });
  return rows.map((row) => ({ ...toStored(row), epoch: options.epoch }));
}

const CURSOR_PAGE_COUNT = 500;

/** What the tenant's write entries say. */
export interface WritesOnRecord {
  readonly history: WriteHistory;
  /** Entries that tell of writes. */
  readonly entriesCount: number;
  /** Entries whose stored body or salt is not what the log commits to; they are not in the history. */
  readonly changedEntries: readonly EntryId[];
}

/** An entry with its body, as it is stored; without a position while it waits for one. */
export interface WriteRow {
  readonly entry_id: EntryId;
  readonly index: string | null;
  readonly salt: Buffer;
  readonly body: string;
}

/**
 * The last write of each of the tenant's records, from the entries in the order of the log, each held
 * against its leaf; entries that have no position yet come last. Hold the stored rows, read in the same
 * snapshot, against it with `history.check(rows)`.
 */
export async function readWriteHistory(
  tx: PoolClient,
  ledger: { readonly epoch: number; readonly store: LogStore },
): Promise<WritesOnRecord> {
  const history = new WriteHistory();
  const changedEntries: EntryId[] = [];
  const isAsCommitted = createLeafCheck(ledger);
  let entriesCount = 0;
  await tx.query(
    `DECLARE write_entries NO SCROLL CURSOR FOR
     SELECT ${COLUMNS} FROM ledger.entries e
       LEFT JOIN ledger.batches b ON b.batch_id = e.batch_id AND b.epoch = ${Number(ledger.epoch)}
      WHERE ${OF_TENANT} AND e.kind IN (${WRITE_KINDS}) AND e.body IS NOT NULL
      ORDER BY b.first_index NULLS LAST, e.batch_id, e.batch_offset`,
  );
  for (;;) {
    const { rows } = await tx.query<WriteRow>(`FETCH ${CURSOR_PAGE_COUNT} FROM write_entries`);
    for (const row of rows) {
      entriesCount += 1;
      if (await isAsCommitted(row)) history.add(parseEntryBody(row.body));
      else changedEntries.push(row.entry_id);
    }
    if (rows.length < CURSOR_PAGE_COUNT) break;
  }
  await tx.query('CLOSE write_entries');
  return { history, entriesCount, changedEntries };
}

/** All of the tenant's entries that have bodies and positions, in the order of the log. */
export async function* streamPlaced(tx: PoolClient, epoch: number): AsyncGenerator<WriteRow> {
  await tx.query(
    `DECLARE placed_entries NO SCROLL CURSOR FOR
     SELECT ${COLUMNS} FROM ledger.entries e
       JOIN ledger.batches b ON b.batch_id = e.batch_id AND b.epoch = ${Number(epoch)}
      WHERE ${OF_TENANT} AND e.body IS NOT NULL ORDER BY b.first_index, e.batch_offset`,
  );
  for (;;) {
    const { rows } = await tx.query<WriteRow>(`FETCH ${CURSOR_PAGE_COUNT} FROM placed_entries`);
    yield* rows;
    if (rows.length < CURSOR_PAGE_COUNT) break;
  }
  await tx.query('CLOSE placed_entries');
}

/** Kinds of entries that tell of writes. */
export const WRITE_KINDS: string = (
  ['write', 'delete', 'transfer', 'delivery', 'erasure'] satisfies EntryKind[]
)
  .map((kind) => `'${kind}'`)
  .join(', ');

/** Holds bodies against the log's bundles; read in the order of the log, each bundle is read once. */
export function createLeafCheck(ledger: {
  readonly epoch: number;
  readonly store: LogStore;
}): (row: WriteRow) => Promise<boolean> {
  let known = { bundle: -1, width: 0, bytes: new Uint8Array(0) };
  return async ({ index: indexText, salt, body }) => {
    if (indexText === null) return true; // its leaf is still to come
    const index = Number(indexText);
    const bundle = Math.floor(index / TILE_WIDTH);
    const at = index % TILE_WIDTH;
    if (known.bundle !== bundle || at >= known.width) {
      const { size } = await ledger.store.readHead(ledger.epoch);
      const width = Math.min(TILE_WIDTH, size - bundle * TILE_WIDTH);
      const address = { level: 'entries', index: bundle, width } as const;
      const bytes = await ledger.store.readTile(ledger.epoch, address);
      if (bytes === undefined) return false;
      known = { bundle, width, bytes: Uint8Array.from(bytes) };
    }
    const leaf = known.bytes.subarray(at * HASH_SIZE_BYTES, (at + 1) * HASH_SIZE_BYTES);
    return isSameBytes(commitEntry(salt, body), leaf);
  };
}

/** The body of an entry that still has one. */
export function toBody(entry: StoredEntry): EntryBody | undefined {
  return entry.body === undefined ? undefined : parseEntryBody(entry.body);
}

/**
 * A tenant's bodies in the order of the log, up to a size, for an export. It holds one connection and one
 * transaction until it is read to its end or given up.
 */
export async function* streamBodies(
  database: Database,
  options: {
    readonly tenantId: TenantId;
    readonly epoch: number;
    readonly size: number;
    /** First position; those before it are left out. */
    readonly from?: number;
  },
): AsyncGenerator<ExportedBody> {
  const from = options.from ?? 0;
  const tenantId = parseTenantId(options.tenantId);
  const tx = await database.pool.connect();
  let isBroken = true;
  try {
    await tx.query(`BEGIN READ ONLY; SET LOCAL bailiwick.tenant = '${tenantId}'`);
    await tx.query(
      `DECLARE bodies NO SCROLL CURSOR FOR
       SELECT b.first_index + e.batch_offset AS index, e.salt, e.body
         FROM ledger.entries e JOIN ledger.batches b ON b.batch_id = e.batch_id
        WHERE ${OF_TENANT} AND e.body IS NOT NULL AND b.epoch = ${Number(options.epoch)}
          AND b.first_index + e.batch_offset < ${Number(options.size)}
          AND b.first_index > ${Number(from) - BATCH_ENTRIES_COUNT_MAX}
          AND b.first_index + e.batch_offset >= ${Number(from)}
        ORDER BY b.first_index, e.batch_offset`,
    );
    for (;;) {
      const { rows } = await tx.query<{ index: string; salt: Buffer; body: string }>(
        `FETCH ${CURSOR_PAGE_COUNT} FROM bodies`,
      );
      for (const { index, salt, body } of rows) yield { index: Number(index), salt, body };
      if (rows.length < CURSOR_PAGE_COUNT) break;
    }
    await tx.query('COMMIT');
    isBroken = false;
  } finally {
    tx.release(isBroken);
  }
}
