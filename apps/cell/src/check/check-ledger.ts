// SPDX-License-Identifier: Apache-2.0
// The log from its first leaf: every entry is what its leaf commits to, every position is given once, tiles
// and root follow from the leaves, and what is signed proves them. Nothing is taken from the cell's own
// memory: all of it is worked out again from what is stored.
import { parseCellId } from '@bailiwick/kernel';
import {
  commitEntry,
  createProver,
  EMPTY_EDGE,
  EMPTY_ROOT,
  type EntryBody,
  extendLog,
  HASH_SIZE_BYTES,
  type Inclusion,
  isSameBytes,
  LedgerError,
  parseEntryBody,
  type TileWrite,
  toLeafHash,
  toOrigin,
  type VerifierKey,
  verifyCheckpoint,
  verifyInclusion,
} from '@bailiwick/ledger';
import { CELL_SCOPE_ID } from '@bailiwick/postgres';
import type { PoolClient } from 'pg';
import type { Findings } from './findings.ts';

const PAGE_COUNT = 1_000;
/** Proofs made and verified one by one; beyond it every n-th entry is. */
const PROOFS_COUNT_MAX = 2_000;
/** Longest time that a durable entry may wait for its position in a cell that runs. */
export const INBOX_MS_MAX = 30_000;

/** Where to look and whose signature counts. */
export interface LedgerPlace {
  readonly cell: string;
  readonly epoch: number;
  readonly verifierKey: VerifierKey;
}

/** Told of every entry whose body is there, in the order of the log; those without a position come last. */
export type EntryListener = (body: EntryBody) => void;

interface Stored {
  readonly batchOf: ReadonlyMap<string, { readonly firstIndex: number; readonly count: number }>;
  readonly inboxOf: ReadonlyMap<string, Buffer>;
  /** Commitments by position. */
  readonly commitments: Buffer;
  readonly size: number;
}

/** Checks the log of an epoch. */
export async function checkLedger(
  tx: PoolClient,
  findings: Findings,
  place: LedgerPlace,
  onEntry: EntryListener,
): Promise<void> {
  const stored = await readLog(tx, findings, place);
  await checkTree(tx, findings, place, stored);
  await checkEntries(tx, findings, { ...place, stored, onEntry });
}

async function readLog(
  tx: PoolClient,
  findings: Findings,
  { epoch }: LedgerPlace,
): Promise<Stored> {
  const { rows: batches } = await tx.query<{
    batch_id: string;
    first_index: string;
    entries_count: number;
  }>(
    'SELECT batch_id, first_index, entries_count FROM ledger.batches WHERE epoch = $1 ORDER BY first_index',
    [epoch],
  );
  const batchOf = new Map<string, { firstIndex: number; count: number }>();
  let next = 0;
  for (const row of batches) {
    const firstIndex = Number(row.first_index);
    if (firstIndex !== next) findings.add('log-gap', `batch ${row.batch_id} at ${firstIndex}`);
    next = firstIndex + row.entries_count;
    batchOf.set(row.batch_id, { firstIndex, count: row.entries_count });
  }
  const { rows: inbox } = await tx.query<{ batch_id: string; commitments: Buffer }>(
    'SELECT batch_id, commitments FROM ledger.inbox',
  );
  const { rows: bundles } = await tx.query<{ hashes: Buffer }>(
    'SELECT hashes FROM ledger.tiles WHERE epoch = $1 AND level = -1 ORDER BY index',
    [epoch],
  );
  const commitments = Buffer.concat(bundles.map(({ hashes }) => hashes));
  const size = commitments.length / HASH_SIZE_BYTES;
  if (size !== next) findings.add('log-gap', `${size} leaves, positions up to ${next}`);
  findings.count('batches', batches.length);
  findings.count('leaves', size);
  return {
    batchOf,
    inboxOf: new Map(inbox.map((row) => [row.batch_id, row.commitments])),
    commitments,
    size,
  };
}

async function checkTree(
  tx: PoolClient,
  findings: Findings,
  { epoch, cell, verifierKey }: LedgerPlace,
  { commitments, size }: Stored,
): Promise<void> {
  const { rows: heads } = await tx.query<{
    size: string;
    root: Buffer;
    checkpoint: string | null;
  }>('SELECT size, root, checkpoint FROM ledger.heads WHERE epoch = $1', [epoch]);
  const [head] = heads;
  if (head === undefined) {
    if (size > 0) findings.add('tree-broken', 'no head');
    return;
  }
  const rebuilt = extendLog({ epoch, size: 0, root: EMPTY_ROOT }, EMPTY_EDGE, commitments);
  if (Number(head.size) !== size) findings.add('tree-broken', `head ${head.size}, ${size} leaves`);
  if (!isSameBytes(head.root, rebuilt.head.root)) findings.add('tree-broken', 'root of the head');
  const tiles = await checkTiles(tx, findings, { epoch, tiles: rebuilt.tiles });
  if (head.checkpoint === null) {
    if (size > 0) findings.add('tree-broken', 'nothing is signed');
    return;
  }
  try {
    const signed = verifyCheckpoint(head.checkpoint, { log: verifierKey });
    if (signed.origin !== toOrigin(parseCellId(cell), epoch)) findings.add('tree-broken', 'origin');
    const prover = createProver(async ({ level, index }) => {
      const tile = tiles.get(`${level}/${index}`);
      if (tile !== undefined) return tile;
      throw new LedgerError('LEDGER_TILE_MISSING', 'a tile of the log is absent');
    });
    if (!isSameBytes(await prover.rootAt(signed.size), signed.root)) {
      findings.add('tree-broken', `checkpoint of ${signed.size}`);
    }
    const step = Math.max(1, Math.ceil(signed.size / PROOFS_COUNT_MAX));
    for (let index = 0; index < signed.size; index += step) {
      const hashes = await prover.proveInclusion({ index, size: signed.size });
      const leaf = commitments.subarray(index * HASH_SIZE_BYTES, (index + 1) * HASH_SIZE_BYTES);
      const proof = { leafHash: toLeafHash(leaf), index, size: signed.size, hashes };
      proveOne(findings, proof, signed.root);
    }
  } catch (error) {
    if (!(error instanceof LedgerError)) throw error;
    findings.add('tree-broken', `checkpoint: ${error.code}`);
  }
}

function proveOne(findings: Findings, proof: Inclusion, root: Uint8Array): void {
  findings.count('proofs');
  try {
    verifyInclusion(proof, root);
  } catch (error) {
    if (!(error instanceof LedgerError)) throw error;
    findings.add('entry-unproved', `position ${proof.index}`);
  }
}

/** Every stored tile is the one that the leaves give, and none is missing. */
async function checkTiles(
  tx: PoolClient,
  findings: Findings,
  { epoch, tiles }: { readonly epoch: number; readonly tiles: readonly TileWrite[] },
): Promise<ReadonlyMap<string, Buffer>> {
  const { rows } = await tx.query<{ level: number; index: string; hashes: Buffer }>(
    'SELECT level, index, hashes FROM ledger.tiles WHERE epoch = $1 AND level >= 0',
    [epoch],
  );
  const known = new Map(rows.map((row) => [`${row.level}/${row.index}`, row.hashes]));
  const expected = new Map(
    tiles
      .filter(({ level }) => level !== 'entries')
      .map(({ level, index, bytes }) => [`${level}/${index}`, bytes]),
  );
  for (const [address, bytes] of expected) {
    const tile = known.get(address);
    if (tile === undefined || !isSameBytes(tile, bytes)) {
      findings.add('tree-broken', `tile ${address}`);
    }
  }
  for (const address of known.keys()) {
    if (!expected.has(address)) findings.add('tree-broken', `tile ${address} too many`);
  }
  findings.count('tiles', known.size);
  return known;
}

interface EntryRow {
  readonly tenant_id: string;
  readonly entry_id: string;
  readonly batch_id: string;
  readonly batch_offset: number;
  /** Of its position; null while it has none. */
  readonly epoch: number | null;
  readonly kind: string;
  readonly salt: Buffer | null;
  readonly body: string | null;
}

interface EntryWork extends LedgerPlace {
  readonly stored: Stored;
  readonly onEntry: EntryListener;
}

async function checkEntries(tx: PoolClient, findings: Findings, work: EntryWork): Promise<void> {
  const { batchOf, inboxOf } = work.stored;
  /** Entries seen of each batch. */
  const seen = new Map<string, Set<number>>();
  await tx.query(
    `DECLARE all_entries NO SCROLL CURSOR FOR
     SELECT e.tenant_id, e.entry_id, e.batch_id, e.batch_offset, b.epoch, e.kind, e.salt, e.body
       FROM ledger.entries e LEFT JOIN ledger.batches b ON b.batch_id = e.batch_id
      ORDER BY b.epoch NULLS LAST, b.first_index, e.batch_id, e.batch_offset`,
  );
  for (;;) {
    const { rows } = await tx.query<EntryRow>(`FETCH ${PAGE_COUNT} FROM all_entries`);
    for (const row of rows) {
      findings.count('entries');
      const offsets = seen.get(row.batch_id) ?? new Set<number>();
      offsets.add(row.batch_offset);
      seen.set(row.batch_id, offsets);
      checkEntry(findings, row, work);
    }
    if (rows.length < PAGE_COUNT) break;
  }
  await tx.query('CLOSE all_entries');
  const sizes = [
    ...[...batchOf].map(([batch, { count }]) => [batch, count] as const),
    ...[...inboxOf].map(([batch, { length }]) => [batch, length / HASH_SIZE_BYTES] as const),
  ];
  for (const [batch, count] of sizes) {
    const offsets = seen.get(batch) ?? new Set<number>();
    const isWhole = offsets.size === count && [...offsets].every((offset) => offset < count);
    if (!isWhole) findings.add('batch-incomplete', `batch ${batch}: ${offsets.size} of ${count}`);
  }
  findings.count('inbox', inboxOf.size);
}

/** The commitment that the log, or its inbox, has for an entry. */
function findCommitment(row: EntryRow, { stored }: EntryWork): Buffer | undefined {
  const batch = stored.batchOf.get(row.batch_id);
  const [bytes, at] =
    batch === undefined
      ? [stored.inboxOf.get(row.batch_id), row.batch_offset]
      : [stored.commitments, batch.firstIndex + row.batch_offset];
  const found = bytes?.subarray(at * HASH_SIZE_BYTES, (at + 1) * HASH_SIZE_BYTES);
  return found?.length === HASH_SIZE_BYTES ? found : undefined;
}

function checkEntry(findings: Findings, row: EntryRow, work: EntryWork): void {
  // An epoch that is closed is checked by itself; what it says of rows still counts.
  const isOfAnother = row.epoch !== null && row.epoch !== work.epoch;
  const commitment = findCommitment(row, work);
  if (commitment === undefined && !isOfAnother) {
    findings.add('entry-adrift', `entry ${row.entry_id}`);
    return;
  }
  if (row.body === null || row.salt === null) {
    findings.count('bodies past their term');
    return;
  }
  if (commitment !== undefined && !isSameBytes(commitEntry(row.salt, row.body), commitment)) {
    findings.add('entry-changed', `entry ${row.entry_id}`);
    return;
  }
  try {
    const body = parseEntryBody(row.body);
    const isOwn =
      body.id === row.entry_id &&
      body.kind === row.kind &&
      body.cell === work.cell &&
      (body.tenant ?? CELL_SCOPE_ID) === row.tenant_id;
    if (!isOwn) findings.add('entry-changed', `entry ${row.entry_id}`);
    work.onEntry(body);
  } catch (error) {
    if (!(error instanceof LedgerError)) throw error;
    findings.add('entry-changed', `entry ${row.entry_id}: ${error.code}`);
  }
}
