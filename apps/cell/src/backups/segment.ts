// SPDX-License-Identifier: Apache-2.0
// A piece of the ledger as it is copied: batches in the order of their positions, one line of JSON each.
// Whoever reads it believes nothing of it before the tree's root says the same.
import { BackupsError } from '@bailiwick/backups';
import type { ClientBase, Pool } from 'pg';
import type { BackupVault } from './sealed-object.ts';

/** An entry as the database has it; salt and body go together when a body's term is over. */
export interface SegmentEntry {
  /** Nil UUID: the cell's own. */
  readonly tenant: string;
  readonly entry: string;
  readonly kind: string;
  /** Base64 of 32 bytes. */
  readonly salt: string | null;
  readonly body: string | null;
}

/** Entries that were appended together, with their places. */
export interface SegmentBatch {
  readonly batch: string;
  readonly first: number;
  /** Base64 of the commitments, 32 bytes each: what the tree is made of. */
  readonly commitments: string;
  readonly entries: readonly SegmentEntry[];
}

interface BatchRow {
  readonly batch_id: string;
  readonly first_index: string;
  readonly entries_count: number;
}

interface EntryRow {
  readonly tenant_id: string;
  readonly entry_id: string;
  readonly batch_id: string;
  readonly kind: string;
  readonly salt: Buffer | null;
  readonly body: string | null;
}

/** Batches from a position on, as many as one piece holds. */
export async function listBatches(
  runner: Pick<ClientBase | Pool, 'query'>,
  from: { readonly epoch: number; readonly index: number; readonly entriesCountMax: number },
): Promise<readonly { readonly batch: string; readonly first: number; readonly count: number }[]> {
  const { rows } = await runner.query<BatchRow>(
    `SELECT batch_id, first_index, entries_count FROM ledger.batches
      WHERE epoch = $1 AND first_index >= $2 ORDER BY first_index LIMIT 4096`,
    [from.epoch, from.index],
  );
  const batches: { batch: string; first: number; count: number }[] = [];
  let next = from.index;
  for (const row of rows) {
    if (Number(row.first_index) !== next || next - from.index >= from.entriesCountMax) break;
    batches.push({ batch: row.batch_id, first: next, count: row.entries_count });
    next += row.entries_count;
  }
  return batches;
}

/** Lines of batches with their entries, of which not one may be absent. */
export async function readBatches(
  runner: Pick<ClientBase | Pool, 'query'>,
  options: {
    readonly epoch: number;
    readonly batches: Awaited<ReturnType<typeof listBatches>>;
    readonly readCommitments: (first: number, count: number) => Promise<Buffer>;
  },
): Promise<readonly SegmentBatch[]> {
  const { batches } = options;
  const ids = batches.map(({ batch }) => batch);
  // The range is for the index over stretches of pages; the list says which are meant.
  const { rows } = await runner.query<EntryRow>(
    `SELECT tenant_id, entry_id, batch_id, kind, salt, body FROM ledger.entries
      WHERE batch_id BETWEEN (SELECT min(b) FROM unnest($1::bigint[]) b)
                         AND (SELECT max(b) FROM unnest($1::bigint[]) b)
        AND batch_id = ANY ($1::bigint[])
      ORDER BY batch_id, batch_offset`,
    [ids],
  );
  const byBatch = new Map<string, SegmentEntry[]>();
  for (const row of rows) {
    const entries = byBatch.get(row.batch_id) ?? [];
    byBatch.set(row.batch_id, entries);
    entries.push({
      tenant: row.tenant_id,
      entry: row.entry_id,
      kind: row.kind,
      salt: row.salt?.toString('base64') ?? null,
      body: row.body,
    });
  }
  const lines: SegmentBatch[] = [];
  for (const { batch, first, count } of batches) {
    const entries = byBatch.get(batch) ?? [];
    if (entries.length !== count) {
      throw new BackupsError('BACKUPS_OBJECT_DAMAGED', 'a batch of the ledger lacks entries', {
        details: { batch, count, found: entries.length },
      });
    }
    const commitments = (await options.readCommitments(first, count)).toString('base64');
    lines.push({ batch, first, commitments, entries });
  }
  return lines;
}

/** Writes lines as one object's content. */
export function* toSegmentContent(batches: readonly SegmentBatch[]): Generator<Buffer> {
  for (const batch of batches) yield Buffer.from(`${JSON.stringify(batch)}\n`, 'utf8');
}

function refuse(name: string): never {
  throw new BackupsError('BACKUPS_OBJECT_DAMAGED', 'a piece of the ledger is malformed', {
    details: { object: name },
  });
}

function parseBatch(line: string, name: string): SegmentBatch {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return refuse(name);
  }
  const { batch, first, commitments, entries } = value as Partial<SegmentBatch>;
  const isShaped =
    typeof batch === 'string' &&
    /^\d{1,19}$/.test(batch) &&
    Number.isSafeInteger(first) &&
    typeof commitments === 'string' &&
    Array.isArray(entries) &&
    Buffer.byteLength(commitments, 'base64') === entries.length * 32;
  return isShaped ? (value as SegmentBatch) : refuse(name);
}

/** Reads a piece. @throws {BackupsError} `BACKUPS_OBJECT_DAMAGED`, `BACKUPS_OBJECT_MISSING` */
export async function readSegment(
  vault: BackupVault,
  name: string,
): Promise<readonly SegmentBatch[]> {
  const text = (await vault.readAll(name)).toString('utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => parseBatch(line, name));
}
