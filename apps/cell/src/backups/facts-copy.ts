// SPDX-License-Identifier: Apache-2.0
// What people and the law have said, copied with the ledger: an entry commits to the hash of a person's facts and
// does not hold them, so a withdrawal from after the newest backup would be known of and not known. Rows go into
// an object of their own as they stand when their entries are copied.
import { BackupsError } from '@bailiwick/backups';
import { isCoded } from '@bailiwick/kernel';
import type { ClientBase, Pool } from 'pg';
import { WHOLE_TENANT } from '../subjects/facts.ts';
import type { BackupVault } from './sealed-object.ts';
import type { SegmentBatch } from './segment.ts';

const PREFIX = 'facts/';
const DIGITS = 16;
/** Kinds of entries that tell of such rows. */
const KINDS: readonly string[] = ['standing', 'order'];
/** Tables with the key by which a row takes the place of an older one, and which of two is newer. */
const TABLES = [
  { name: 'cell.standings', key: ['tenant_id', 'subject_id'], newer: 'serial' },
  { name: 'cell.standing_changes', key: ['tenant_id', 'subject_id', 'serial'], newer: undefined },
  { name: 'cell.orders', key: ['tenant_id', 'order_id'], newer: undefined },
] as const;

/** Rows of a table as PostgreSQL writes them in JSON. */
type CopiedFacts = Readonly<Record<string, readonly unknown[]>>;

/** Copies the rows that these entries tell of; nothing when they tell of none. */
export async function copyFacts(
  ports: { readonly pool: Pool; readonly vault: BackupVault },
  batches: readonly SegmentBatch[],
  piece: { readonly epoch: number; readonly end: number; readonly retainUntilMs: number },
): Promise<void> {
  const entries = batches.flatMap(({ entries: all }) => all);
  const telling = entries.filter(({ kind }) => KINDS.includes(kind));
  if (telling.length === 0) return;
  const subjects = telling.flatMap(({ body }) => {
    const { subject } = JSON.parse(body ?? '{}') as { readonly subject?: string };
    return subject ?? [];
  });
  const tenants = [...new Set(telling.map(({ tenant }) => tenant))];
  // Facts about all of a tenant stand under a fixed id; their entries name no subject.
  const about = `tenant_id = ANY ($1::uuid[])
    AND (replace(subject_id::text, '-', '') = ANY ($2) OR subject_id = '${WHOLE_TENANT}')`;
  const read = async (sql: string, values: readonly unknown[]): Promise<readonly unknown[]> => {
    const { rows } = await ports.pool.query<{ row: unknown }>(sql, [...values]);
    return rows.map(({ row }) => row);
  };
  const facts: CopiedFacts = {
    'cell.standings': await read(`SELECT to_jsonb(t) AS row FROM cell.standings t WHERE ${about}`, [
      tenants,
      subjects,
    ]),
    'cell.standing_changes': await read(
      `SELECT to_jsonb(t) AS row FROM cell.standing_changes t WHERE ${about}`,
      [tenants, subjects],
    ),
    // Orders are few, and those for all tenants stand under an id of their own.
    'cell.orders': await read('SELECT to_jsonb(t) AS row FROM cell.orders t', []),
  };
  const end = String(piece.end).padStart(DIGITS, '0');
  const content = Buffer.from(JSON.stringify(facts), 'utf8');
  try {
    const { retainUntilMs } = piece;
    await ports.vault.put(`${PREFIX}${piece.epoch}/${end}`, [content], { retainUntilMs });
  } catch (error) {
    // Another replica of the cell was first.
    if (!isCoded(error, 'BACKUPS_OBJECT_EXISTS')) throw error;
  }
}

/** Reads the name of copied facts; `undefined` for any other object. */
export function findFacts(
  name: string,
): { readonly epoch: number; readonly end: number } | undefined {
  const found = /^facts\/(\d{1,9})\/(\d{16})$/.exec(name);
  if (found === null) return undefined;
  const [epoch = 0, end = 0] = found.slice(1).map(Number);
  return { epoch, end };
}

/** Applies copied facts from a position of the ledger on, in their order; an older row never wins. */
export async function applyFacts(
  ports: { readonly client: ClientBase; readonly vault: BackupVault },
  from: { readonly epoch: number; readonly index: number },
): Promise<void> {
  for (const { name } of await ports.vault.store.list(PREFIX)) {
    const piece = findFacts(name);
    if (piece === undefined || piece.epoch < from.epoch) continue;
    if (piece.epoch === from.epoch && piece.end <= from.index) continue;
    const facts = parseFacts(await ports.vault.readAll(name), name);
    for (const { name: table, key, newer } of TABLES) {
      const rows = facts[table] ?? [];
      if (rows.length > 0) await applyRows(ports.client, { table, key, newer, rows });
    }
  }
}

function parseFacts(bytes: Buffer, name: string): CopiedFacts {
  const value: unknown = JSON.parse(bytes.toString('utf8'));
  if (typeof value === 'object' && value !== null) return value as CopiedFacts;
  throw new BackupsError('BACKUPS_OBJECT_DAMAGED', 'copied facts are malformed', {
    details: { object: name },
  });
}

async function applyRows(
  client: ClientBase,
  change: {
    readonly table: string;
    readonly key: readonly string[];
    readonly newer: string | undefined;
    readonly rows: readonly unknown[];
  },
): Promise<void> {
  const { table, key, newer, rows } = change;
  const { rows: columns } = await client.query<{ name: string }>(
    `SELECT attname AS name FROM pg_attribute
      WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''`,
    [table],
  );
  const others = columns.map(({ name }) => name).filter((name) => !key.includes(name));
  const set = others.map((name) => `"${name}" = excluded."${name}"`).join(', ');
  const condition = newer === undefined ? '' : ` WHERE excluded."${newer}" > known."${newer}"`;
  await client.query(
    `INSERT INTO ${table} AS known SELECT * FROM jsonb_populate_recordset(NULL::${table}, $1::jsonb)
     ON CONFLICT (${key.join(', ')}) DO UPDATE SET ${set}${condition}`,
    [JSON.stringify(rows)],
  );
}
