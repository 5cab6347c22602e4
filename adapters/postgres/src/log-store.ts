// SPDX-License-Identifier: Apache-2.0
// The ledger's store in PostgreSQL. Appending is one statement, so that an effect and its entry can share
// a transaction; sequencing is one transaction under the lock of the head row, which is the fence.
import { assert } from '@bailiwick/kernel';
import {
  BATCH_ENTRIES_COUNT_MAX,
  type BatchId,
  type BatchPlace,
  EMPTY_ROOT,
  extendLog,
  HASH_SIZE_BYTES,
  LedgerError,
  type LogEdge,
  type LogExtension,
  type LogHead,
  type LogStore,
  listEdgeTiles,
  type NewEntry,
  type SequenceResult,
  type StoredCheckpoint,
  type TileAddress,
  type TileWrite,
  toLogEdge,
} from '@bailiwick/ledger';
import type { Pool, PoolClient } from 'pg';

/** Stands for the cell itself where a tenant's id would stand. */
export const CELL_SCOPE_ID = '00000000-0000-0000-0000-000000000000';

/** Longest wait for another sequencer's transaction, and longest silence inside one of ours. */
const LOCK_TIMEOUT_MS = 500;
const SILENCE_TIMEOUT_MS = 10_000;
/** Most batches taken in one step. */
const STEP_BATCHES_COUNT_MAX = 4_096;
/** Level under which bundles are stored. */
const BUNDLE_LEVEL = -1;

/** Anything that runs a statement: the pool (own transaction) or a client inside one. */
type Runner = Pick<PoolClient, 'query'>;

function toInsert(scope: string): string {
  return `WITH batch AS MATERIALIZED (SELECT nextval('ledger.batch_ids') AS id${scope}),
stored AS (
  INSERT INTO ledger.entries (tenant_id, entry_id, batch_id, batch_offset, kind, salt, body)
  SELECT e.tenant_id, e.entry_id, batch.id, e.place - 1, e.kind,
         substring($6::bytea FROM (e.place::int - 1) * 32 + 1 FOR 32),
         convert_from(substring($7::bytea FROM e.body_start FOR e.body_size), 'UTF8')
    FROM batch,
         unnest($1::uuid[], $2::uuid[], $3::text[], $4::int[], $5::int[])
           WITH ORDINALITY AS e (tenant_id, entry_id, kind, body_start, body_size, place)
)
INSERT INTO ledger.inbox (batch_id, commitments) SELECT id, $8::bytea FROM batch RETURNING batch_id`;
}

const INSERT_IN_TENANT = { name: 'ledger-append-tenant', text: toInsert('') };
// SECURITY: the scope that may write for many tenants ends with the statement's own transaction.
const INSERT_IN_GROUP = {
  name: 'ledger-append-group',
  text: toInsert(`, set_config('bailiwick.scope', 'ledger', true)`),
};

/** Values of an array parameter whose items need no quoting (UUIDs, numbers, entry kinds). */
function toArray(items: readonly (string | number)[]): string {
  return `{${items.join(',')}}`;
}

function toParameters(entries: readonly NewEntry[]): readonly (string | Buffer)[] {
  assert(entries.length > 0 && entries.length <= BATCH_ENTRIES_COUNT_MAX, 'a batch has 1 to 4096');
  const bodies = entries.map(({ body }) => Buffer.from(body, 'utf8'));
  const starts: number[] = [];
  let start = 1;
  for (const { length } of bodies) {
    starts.push(start);
    start += length;
  }
  return [
    toArray(entries.map(({ tenantId }) => tenantId ?? CELL_SCOPE_ID)),
    toArray(entries.map(({ entryId }) => entryId)),
    toArray(entries.map(({ kind }) => kind)),
    toArray(starts),
    toArray(bodies.map(({ length }) => length)),
    Buffer.concat(entries.map(({ salt }) => salt)),
    Buffer.concat(bodies),
    Buffer.concat(entries.map(({ commitment }) => commitment)),
  ];
}

/** Options of `appendEntries`. */
export interface AppendOptions {
  /**
   * `tenant`: inside a transaction of `withTenant`, for that tenant's entries and the cell's own.
   * `group`: a statement of its own outside any transaction, for entries of many tenants.
   */
  readonly as: 'tenant' | 'group';
  /** The client gives up after this time and must be closed. */
  readonly timeoutMs?: number;
}

/** Writes entries as one batch: durable when the transaction commits, and then without a position. */
export async function appendEntries(
  runner: Runner,
  entries: readonly NewEntry[],
  options: AppendOptions,
): Promise<BatchId> {
  const statement = options.as === 'group' ? INSERT_IN_GROUP : INSERT_IN_TENANT;
  const values = [...toParameters(entries)];
  const timeout = options.timeoutMs === undefined ? {} : { query_timeout: options.timeoutMs };
  const { rows } = await runner.query<{ batch_id: string }>({ ...statement, values, ...timeout });
  const [row] = rows;
  assert(row !== undefined, 'an append gives the number of its batch');
  return row.batch_id;
}

const TAKE = `DELETE FROM ledger.inbox WHERE batch_id IN (
  SELECT batch_id FROM (
    SELECT batch_id, sum(size) OVER (ORDER BY batch_id) - size AS before FROM (
      SELECT batch_id, octet_length(commitments) AS size FROM ledger.inbox
       ORDER BY batch_id LIMIT ${STEP_BATCHES_COUNT_MAX}
    ) AS oldest
  ) AS counted WHERE before < $1
) RETURNING batch_id, commitments`;

// A tile that is there may only grow at its end; a tile that would change otherwise is not written, the
// count shows it, and the transaction is given up.
const WRITE = `WITH placed AS (
  INSERT INTO ledger.batches (batch_id, epoch, first_index, entries_count)
  SELECT b.batch_id, $1, b.first_index, b.entries_count
    FROM unnest($4::bigint[], $5::bigint[], $6::int[]) AS b (batch_id, first_index, entries_count)
), grown AS (
  INSERT INTO ledger.tiles AS old (epoch, level, index, hashes)
  SELECT $1, t.level, t.index, substring($11::bytea FROM t.start FOR t.size)
    FROM unnest($7::smallint[], $8::bigint[], $9::int[], $10::int[]) AS t (level, index, start, size)
  ON CONFLICT (epoch, level, index) DO UPDATE SET hashes = excluded.hashes
   WHERE octet_length(old.hashes) < octet_length(excluded.hashes)
     AND substring(excluded.hashes FROM 1 FOR octet_length(old.hashes)) = old.hashes
  RETURNING 1
)
UPDATE ledger.heads SET size = $12, root = $13
 WHERE epoch = $1 AND size = $2 AND root = $3
RETURNING (SELECT count(*) FROM grown)::int AS tiles_count`;

interface TakenBatch {
  readonly batchId: bigint;
  readonly commitments: Buffer;
}

class PostgresLogStore implements LogStore {
  readonly #pool: Pool;
  /** The edge as this process wrote it last; used only when head and root are still the same. */
  #known: { readonly head: LogHead; readonly edge: LogEdge } | undefined;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  append(entries: readonly NewEntry[]): Promise<BatchId> {
    return appendEntries(this.#pool, entries, { as: 'group' });
  }

  async sequence(options: { epoch: number; entriesCountMax: number }): Promise<SequenceResult> {
    const { epoch } = options;
    // Looking first keeps an idle cell from writing.
    const { rows } = await this.#pool.query('SELECT FROM ledger.inbox LIMIT 1');
    if (rows.length === 0) return { head: await this.readHead(epoch), entriesCount: 0 };
    const tx = await this.#pool.connect();
    let isBroken = false;
    try {
      const result = await this.#sequenceIn(tx, options);
      await tx.query(result.entriesCount > 0 ? 'COMMIT' : 'ROLLBACK');
      return result;
    } catch (error) {
      this.#known = undefined;
      await tx.query('ROLLBACK').catch(() => {
        isBroken = true;
      });
      throw error;
    } finally {
      tx.release(isBroken);
    }
  }

  async #sequenceIn(
    tx: PoolClient,
    { epoch, entriesCountMax }: { readonly epoch: number; readonly entriesCountMax: number },
  ): Promise<SequenceResult> {
    await tx.query(
      `BEGIN; SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS};` +
        ` SET LOCAL idle_in_transaction_session_timeout = ${SILENCE_TIMEOUT_MS}`,
    );
    const head = await lockHead(tx, epoch);
    const { rows } = await tx.query<{ batch_id: string; commitments: Buffer }>({
      name: 'ledger-take',
      text: TAKE,
      values: [entriesCountMax * HASH_SIZE_BYTES],
    });
    if (rows.length === 0) return { head, entriesCount: 0 };
    const batches = rows
      .map((row) => ({ batchId: BigInt(row.batch_id), commitments: row.commitments }))
      .sort((a, b) => (a.batchId < b.batchId ? -1 : 1));
    const edge = await this.#readEdge(tx, head);
    const all = Buffer.concat(batches.map(({ commitments }) => commitments));
    const extension = extendLog(head, edge, all);
    await writeExtension(tx, { head, extension, batches });
    this.#known = extension;
    return { head: extension.head, entriesCount: extension.head.size - head.size };
  }

  async #readEdge(tx: PoolClient, head: LogHead): Promise<LogEdge> {
    const known = this.#known;
    if (known?.head.epoch === head.epoch && known.head.size === head.size) {
      if (Buffer.compare(known.head.root, head.root) === 0) return known.edge;
    }
    const addresses = listEdgeTiles(head.size);
    const { rows } = await tx.query<{ level: number; index: string; hashes: Buffer }>(
      `SELECT level, index, hashes FROM ledger.tiles WHERE epoch = $1 AND (level, index) IN (
         SELECT level, index FROM unnest($2::smallint[], $3::bigint[]) AS edge (level, index))`,
      [
        head.epoch,
        toArray(addresses.map(({ level }) => toStoredLevel(level))),
        toArray(addresses.map(({ index }) => index)),
      ],
    );
    const tiles = rows.map(({ level, index, hashes }): TileWrite => {
      const name = level === BUNDLE_LEVEL ? 'entries' : level;
      return { level: name, index: Number(index), bytes: hashes };
    });
    return toLogEdge(head, tiles);
  }

  async readHead(epoch: number): Promise<LogHead> {
    const { rows } = await this.#pool.query<{ size: string; root: Buffer }>({
      name: 'ledger-head',
      text: 'SELECT size, root FROM ledger.heads WHERE epoch = $1',
      values: [epoch],
    });
    const [row] = rows;
    if (row === undefined) return { epoch, size: 0, root: EMPTY_ROOT };
    return { epoch, size: Number(row.size), root: row.root };
  }

  async readTile(epoch: number, address: TileAddress): Promise<Uint8Array | undefined> {
    const size = address.width * HASH_SIZE_BYTES;
    const { rows } = await this.#pool.query<{ hashes: Buffer }>({
      name: 'ledger-tile',
      text: `SELECT substring(hashes FROM 1 FOR $4) AS hashes FROM ledger.tiles
              WHERE epoch = $1 AND level = $2 AND index = $3 AND octet_length(hashes) >= $4`,
      values: [epoch, toStoredLevel(address.level), address.index, size],
    });
    return rows[0]?.hashes;
  }

  async saveCheckpoint(epoch: number, { size, note }: StoredCheckpoint): Promise<boolean> {
    const { rowCount } = await this.#pool.query({
      name: 'ledger-save-checkpoint',
      text: `UPDATE ledger.heads SET checkpoint_size = $2, checkpoint = $3
              WHERE epoch = $1 AND size >= $2 AND coalesce(checkpoint_size, 0) <= $2`,
      values: [epoch, size, note],
    });
    return rowCount === 1;
  }

  async readCheckpoint(epoch: number): Promise<StoredCheckpoint | undefined> {
    const { rows } = await this.#pool.query<{ size: string; note: string }>({
      name: 'ledger-checkpoint',
      text: `SELECT checkpoint_size AS size, checkpoint AS note FROM ledger.heads
              WHERE epoch = $1 AND checkpoint IS NOT NULL`,
      values: [epoch],
    });
    const [row] = rows;
    return row === undefined ? undefined : { size: Number(row.size), note: row.note };
  }

  async findBatch(batch: BatchId): Promise<BatchPlace | undefined> {
    const { rows } = await this.#pool.query<{ epoch: number; first: string; count: number }>({
      name: 'ledger-batch',
      text: `SELECT epoch, first_index AS first, entries_count AS count
               FROM ledger.batches WHERE batch_id = $1`,
      values: [batch],
    });
    const [row] = rows;
    if (row === undefined) return undefined;
    return { epoch: row.epoch, firstIndex: Number(row.first), count: row.count };
  }
}

function toStoredLevel(level: TileAddress['level']): number {
  return level === 'entries' ? BUNDLE_LEVEL : level;
}

/** Locks the head of an epoch, which is made when it is the newest and has none. */
async function lockHead(tx: PoolClient, epoch: number): Promise<LogHead> {
  const lock = async (): Promise<{ size: string; root: Buffer; newest: number } | undefined> => {
    const { rows } = await tx.query<{ size: string; root: Buffer; newest: number }>({
      name: 'ledger-lock-head',
      text: `SELECT size, root, (SELECT max(epoch) FROM ledger.heads) AS newest
               FROM ledger.heads WHERE epoch = $1 FOR UPDATE`,
      values: [epoch],
    });
    return rows[0];
  };
  let row = await lock();
  if (row === undefined) {
    await tx.query(
      `INSERT INTO ledger.heads (epoch, size, root) VALUES ($1, 0, $2) ON CONFLICT DO NOTHING`,
      [epoch, EMPTY_ROOT],
    );
    row = await lock();
  }
  assert(row !== undefined, 'a head that was just made is there');
  if (row.newest > epoch) {
    throw new LedgerError('LEDGER_EPOCH_CLOSED', `epoch ${row.newest} of the log is open`, {
      details: { epoch, newest: row.newest },
    });
  }
  return { epoch, size: Number(row.size), root: row.root };
}

async function writeExtension(
  tx: PoolClient,
  options: {
    readonly head: LogHead;
    readonly extension: LogExtension;
    readonly batches: readonly TakenBatch[];
  },
): Promise<void> {
  const { head, extension, batches } = options;
  const counts = batches.map(({ commitments }) => commitments.length / HASH_SIZE_BYTES);
  let next = head.size;
  const firsts = counts.map((count) => {
    next += count;
    return next - count;
  });
  assert(next === extension.head.size, 'each taken entry has one position');
  const { tiles } = extension;
  let start = 1;
  const starts = tiles.map(({ bytes }) => {
    start += bytes.length;
    return start - bytes.length;
  });
  const { rows } = await tx.query<{ tiles_count: number }>({
    name: 'ledger-write',
    text: WRITE,
    values: [
      head.epoch,
      head.size,
      head.root,
      toArray(batches.map(({ batchId }) => String(batchId))),
      toArray(firsts),
      toArray(counts),
      toArray(tiles.map(({ level }) => toStoredLevel(level))),
      toArray(tiles.map(({ index }) => index)),
      toArray(starts),
      toArray(tiles.map(({ bytes }) => bytes.length)),
      Buffer.concat(tiles.map(({ bytes }) => bytes)),
      extension.head.size,
      extension.head.root,
    ],
  });
  const [row] = rows;
  if (row === undefined) {
    throw new LedgerError('LEDGER_HEAD_MOVED', 'the head is not where it was read');
  }
  if (row.tiles_count !== tiles.length) {
    throw new LedgerError(
      'LEDGER_HEAD_INVALID',
      'a stored tile is not the beginning of its successor',
    );
  }
}

/** The ledger's store over this pool. */
export function createPostgresLogStore(pool: Pool): LogStore {
  return new PostgresLogStore(pool);
}
