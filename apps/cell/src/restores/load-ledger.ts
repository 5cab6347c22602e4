// SPDX-License-Identifier: Apache-2.0
// The ledger of a restored database: brought up to the end of its continuous copy, and held against its own
// tree. Nothing of a copy is believed because it is there: every leaf counts into the root that witnesses
// cosigned, and every entry that is acted upon opens its leaf.
import { BackupsError, findSegment } from '@bailiwick/backups';
import {
  commitEntry,
  EMPTY_EDGE,
  EMPTY_ROOT,
  type EntryBody,
  extendLog,
  HASH_SIZE_BYTES,
  isSameBytes,
  type LogEdge,
  type LogHead,
  TILE_WIDTH,
  type TileWrite,
} from '@bailiwick/ledger';
import type { ClientBase } from 'pg';
import type { BackupVault } from '../backups/sealed-object.ts';
import { readSegment, type SegmentBatch, type SegmentEntry } from '../backups/segment.ts';
import { CELL_TENANT_ID } from '../backups/tables.ts';

const TILES_COUNT = 64;
/** Most entries that one statement writes. */
const ENTRIES_COUNT_MAX = 5_000;

/** A log's tree while it grows. */
export interface Tree {
  head: LogHead;
  edge: LogEdge;
}

function damaged(problem: string, details: Readonly<Record<string, number | string>> = {}): never {
  throw new BackupsError('BACKUPS_OBJECT_DAMAGED', problem, { details });
}

/** Brings every epoch to the end of its copy; gives the newest head. */
export async function loadLedger(client: ClientBase, vault: BackupVault): Promise<LogHead> {
  const { rows } = await client.query<{ epoch: number }>(
    'SELECT epoch FROM ledger.heads ORDER BY epoch',
  );
  const objects = await vault.store.list('ledger/');
  const copied = objects.flatMap(({ name }) => findSegment(name)?.epoch ?? []);
  const epochs = [...new Set([...rows.map(({ epoch }) => epoch), ...copied])].sort((a, b) => a - b);
  let newest: LogHead = { epoch: epochs.at(-1) ?? 1, size: 0, root: EMPTY_ROOT };
  for (const epoch of epochs) {
    const tree = await readTree(client, epoch);
    await applySegments({ client, vault }, tree);
    newest = tree.head;
  }
  return newest;
}

/** Builds the tree anew from its leaves and holds it against the head that the database has. */
async function readTree(client: ClientBase, epoch: number): Promise<Tree> {
  const tree: Tree = { head: { epoch, size: 0, root: EMPTY_ROOT }, edge: EMPTY_EDGE };
  const { rows } = await client.query<{ size: string; root: Buffer }>(
    'SELECT size, root FROM ledger.heads WHERE epoch = $1',
    [epoch],
  );
  const [stored] = rows;
  if (stored === undefined) {
    await client.query('INSERT INTO ledger.heads (epoch, size, root) VALUES ($1, 0, $2)', [
      epoch,
      EMPTY_ROOT,
    ]);
    return tree;
  }
  const size = Number(stored.size);
  while (tree.head.size < size) {
    const { rows: tiles } = await client.query<{ hashes: Buffer }>(
      `SELECT hashes FROM ledger.tiles WHERE epoch = $1 AND level = -1 AND index >= $2
        ORDER BY index LIMIT ${TILES_COUNT}`,
      [epoch, Math.floor(tree.head.size / TILE_WIDTH)],
    );
    const leaves = Buffer.concat(tiles.map(({ hashes }) => hashes));
    const wanted = (size - tree.head.size) * HASH_SIZE_BYTES;
    const taken = leaves.subarray(0, Math.min(leaves.length, wanted));
    if (taken.length === 0) damaged('the ledger of the backup lacks leaves', { epoch });
    Object.assign(tree, extendLog(tree.head, tree.edge, taken));
  }
  if (!isSameBytes(tree.head.root, stored.root)) {
    damaged('the leaves of the backup do not lead to its root', { epoch, size });
  }
  return tree;
}

/** Appends what was copied since, piece by piece without a gap. */
async function applySegments(
  ports: { readonly client: ClientBase; readonly vault: BackupVault },
  tree: Tree,
): Promise<void> {
  const { client, vault } = ports;
  const { epoch } = tree.head;
  for (const { name } of await vault.store.list(`ledger/${epoch}/`)) {
    const range = findSegment(name);
    if (range === undefined || range.end <= tree.head.size) continue;
    // A gap: what lies behind it proves nothing. Whether enough is there, the witnesses say.
    if (range.first > tree.head.size) return;
    for (const batch of await readSegment(vault, name)) {
      if (batch.first < tree.head.size) continue;
      if (batch.first > tree.head.size)
        damaged('a piece of the ledger has a gap', { object: name });
      await applyBatch(client, tree, batch);
    }
    if (tree.head.size !== range.end) damaged('a piece of the ledger is cut', { object: name });
  }
}

/** Appends one batch, each entry held against its leaf. @throws {BackupsError} */
export async function applyBatch(
  client: ClientBase,
  tree: Tree,
  batch: SegmentBatch,
): Promise<void> {
  const commitments = Buffer.from(batch.commitments, 'base64');
  for (const [index, entry] of batch.entries.entries()) {
    const leaf = commitments.subarray(index * HASH_SIZE_BYTES, (index + 1) * HASH_SIZE_BYTES);
    if (!opensLeaf(entry, leaf)) {
      damaged('an entry of the ledger’s copy is not the one in the tree', {
        epoch: tree.head.epoch,
        index: batch.first + index,
      });
    }
  }
  const extension = extendLog(tree.head, tree.edge, commitments);
  await writeBatch(client, tree.head.epoch, batch);
  await writeTiles(client, extension.head, extension.tiles);
  Object.assign(tree, { head: extension.head, edge: extension.edge });
}

/**
 * SECURITY: an entry that came without its body proves nothing of what it said, and is not taken; what
 * stands beside the body must be what the body says, or an erasure could pass for something else.
 */
function opensLeaf(entry: SegmentEntry, leaf: Uint8Array): boolean {
  if (entry.salt === null || entry.body === null) return false;
  const salt = Buffer.from(entry.salt, 'base64');
  if (salt.length !== HASH_SIZE_BYTES) return false;
  if (!isSameBytes(commitEntry(salt, entry.body), leaf)) return false;
  const { id, kind, tenant = CELL_TENANT_ID } = JSON.parse(entry.body) as Partial<EntryBody>;
  return id === entry.entry && kind === entry.kind && tenant === entry.tenant;
}

async function writeBatch(client: ClientBase, epoch: number, batch: SegmentBatch): Promise<void> {
  const { entries } = batch;
  for (let at = 0; at < entries.length; at += ENTRIES_COUNT_MAX) {
    const part = entries.slice(at, at + ENTRIES_COUNT_MAX);
    await client.query({
      name: 'restore-entries',
      text: `INSERT INTO ledger.entries (tenant_id, entry_id, batch_id, batch_offset, kind, salt, body)
             SELECT e.tenant, e.entry, $1, e.place + $2 - 1, e.kind, decode(e.salt, 'base64'), e.body
               FROM unnest($3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[])
                    WITH ORDINALITY AS e (tenant, entry, kind, salt, body, place)
             ON CONFLICT DO NOTHING`,
      values: [
        batch.batch,
        at,
        part.map(({ tenant }) => tenant),
        part.map(({ entry }) => entry),
        part.map(({ kind }) => kind),
        part.map(({ salt }) => salt),
        part.map(({ body }) => body),
      ],
    });
  }
  await client.query({
    name: 'restore-batch',
    text: `INSERT INTO ledger.batches (batch_id, epoch, first_index, entries_count)
           VALUES ($1, $2, $3, $4)`,
    values: [batch.batch, epoch, batch.first, entries.length],
  });
  await client.query({
    name: 'restore-inbox',
    text: 'DELETE FROM ledger.inbox WHERE batch_id = $1',
    values: [batch.batch],
  });
}

async function writeTiles(
  client: ClientBase,
  { epoch, size, root }: LogHead,
  tiles: readonly TileWrite[],
): Promise<void> {
  await client.query({
    name: 'restore-tiles',
    text: `INSERT INTO ledger.tiles AS old (epoch, level, index, hashes)
           SELECT $1, t.level, t.index, t.hashes
             FROM unnest($2::smallint[], $3::bigint[], $4::bytea[]) AS t (level, index, hashes)
           ON CONFLICT (epoch, level, index) DO UPDATE SET hashes = excluded.hashes`,
    values: [
      epoch,
      tiles.map(({ level }) => (level === 'entries' ? -1 : level)),
      tiles.map(({ index }) => index),
      tiles.map(({ bytes }) => Buffer.from(bytes)),
    ],
  });
  await client.query({
    name: 'restore-head',
    text: 'UPDATE ledger.heads SET size = $2, root = $3 WHERE epoch = $1',
    values: [epoch, size, Buffer.from(root)],
  });
}

/** An entry with the place it has in its log. */
export interface PlacedEntry {
  readonly epoch: number;
  readonly index: number;
  readonly tenantId: string;
  readonly kind: string;
  readonly body: string;
}

/** Entries of some kinds from a position on, in order, each held against its leaf. */
export async function* readEntriesFrom(
  client: ClientBase,
  from: { readonly epoch: number; readonly index: number },
  kinds: readonly string[],
): AsyncGenerator<PlacedEntry> {
  let after = { epoch: from.epoch, index: from.index - 1 };
  for (;;) {
    const { rows } = await client.query<EntryRow>(
      `SELECT b.epoch, b.first_index + e.batch_offset AS index, e.tenant_id, e.kind, e.salt, e.body,
              substring(t.hashes FROM ((b.first_index + e.batch_offset) % ${TILE_WIDTH})::int * 32 + 1 FOR 32) AS leaf
         FROM ledger.batches b
         JOIN ledger.entries e ON e.batch_id = b.batch_id
         LEFT JOIN ledger.tiles t ON t.epoch = b.epoch AND t.level = -1
          AND t.index = (b.first_index + e.batch_offset) / ${TILE_WIDTH}
        WHERE (b.epoch, b.first_index + e.batch_offset) > ($1, $2) AND e.kind = ANY ($3)
        ORDER BY b.epoch, b.first_index, e.batch_offset LIMIT 1000`,
      [after.epoch, after.index, [...kinds]],
    );
    for (const row of rows) {
      const { body, salt, leaf } = row;
      const place = { epoch: row.epoch, index: Number(row.index) };
      const isRight =
        body !== null &&
        salt !== null &&
        leaf !== null &&
        isSameBytes(commitEntry(salt, body), leaf);
      if (!isRight) damaged('an entry to be replayed is not the one in the tree', place);
      after = place;
      yield { ...place, tenantId: row.tenant_id, kind: row.kind, body: body ?? '' };
    }
    if (rows.length === 0) return;
  }
}

interface EntryRow {
  readonly epoch: number;
  readonly index: string;
  readonly tenant_id: string;
  readonly kind: string;
  readonly salt: Buffer | null;
  readonly body: string | null;
  readonly leaf: Buffer | null;
}

/**
 * Positions from `from` to the head whose entries are not in the database: what they said is unknown, an
 * erasure may be among them.
 */
export async function countWithheld(
  client: ClientBase,
  from: { readonly epoch: number; readonly index: number },
  head: LogHead,
): Promise<number> {
  if (from.epoch !== head.epoch) return 0;
  const { rows } = await client.query<{ count: string }>(
    `SELECT count(*) AS count FROM ledger.batches b JOIN ledger.entries e ON e.batch_id = b.batch_id
      WHERE b.epoch = $1 AND b.first_index + e.batch_offset >= $2 AND e.body IS NOT NULL`,
    [from.epoch, from.index],
  );
  return head.size - Math.min(from.index, head.size) - Number(rows[0]?.count ?? 0);
}
