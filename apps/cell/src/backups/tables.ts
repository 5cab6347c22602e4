// SPDX-License-Identifier: Apache-2.0
// Which tables a backup takes, read from the database's catalogue: what somebody adds is in the backup
// unless it is named here with the reason why not.
import { CELL_SCOPE_ID } from '@bailiwick/postgres';
import type { ClientBase } from 'pg';

/** What is not taken, and why. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  'cell.assertion_uses': 'assertions live minutes',
  'cell.idempotency_keys':
    'an answer from before a restore may be of something that is not there after it',
  'cell.removed_records': 'told by each incremental backup in its own way',
  'cell.restores': 'of the database that it stands in',
  'keys.services': 'each start of a key service makes its own',
  'ledger.witnessed': 'a witness with an older memory would cosign two histories',
};

/** Written by `ledger-copy.ts` continuously; a full backup holds them as a beginning. */
const LEDGER_SCHEMA = 'ledger';

/** Columns that are not copied but written as this: index values are rebuilt by a restore. */
const EMPTIED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'cell.records': { blind: `'{}'::bytea[]` },
};

/** Tables of which an incremental backup takes what was written since the one before. */
const BY_CHANGES = ['cell.records', 'keys.subject_keys'];

/** Which of the streams of a backup a table is in. */
export type Stream = 'records' | 'wraps' | 'ledger';

/** A table as a backup takes it. */
export interface TablePlan {
  /** `schema.table` */
  readonly table: string;
  readonly columns: readonly string[];
  readonly stream: Stream;
  /** False: taken whole each time. */
  readonly isByChanges: boolean;
}

function toStream(table: string): Stream {
  if (table.startsWith('keys.')) return 'wraps';
  return table.startsWith(`${LEDGER_SCHEMA}.`) ? 'ledger' : 'records';
}

/** All tables of a cell's database that a backup takes, each with its columns. */
export async function listTables(client: ClientBase): Promise<readonly TablePlan[]> {
  const { rows } = await client.query<{ name: string; columns: string[] }>(
    `SELECT n.nspname || '.' || c.relname AS name,
            array_agg(a.attname::text ORDER BY a.attnum) AS columns
       FROM pg_class c
       JOIN pg_namespace n ON n.oid = c.relnamespace
       JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        AND a.attgenerated = ''
      WHERE n.nspname IN ('cell', 'keys', 'ledger') AND c.relkind IN ('r', 'p')
        AND NOT c.relispartition
      GROUP BY 1 ORDER BY 1`,
  );
  return rows
    .filter(({ name }) => LEFT_OUT[name] === undefined)
    .map(({ name, columns }) => ({
      table: name,
      columns,
      stream: toStream(name),
      isByChanges: BY_CHANGES.includes(name),
    }));
}

/** Rows written since a snapshot: more than that is harmless, fewer never. */
export function toChangesFilter(snapshot: string): string {
  const oldest = BigInt(snapshot.split(':')[0] ?? '0') & 0xffff_ffffn;
  // Transaction numbers are a circle of 2^32; half of it lies ahead of any of them.
  return `((xmin::text::bigint - ${oldest} + 4294967296) % 4294967296) < 2147483648`;
}

/** What a query of a table takes. */
export function toSelect(
  plan: TablePlan,
  options: { readonly since?: string; readonly exceptTenants: readonly string[] },
): string {
  const { table, columns } = plan;
  const emptied = EMPTIED[table] ?? {};
  const selected = columns.map((name) => emptied[name] ?? `"${name}"`).join(', ');
  const filters: string[] = [];
  if (options.since !== undefined) filters.push(toChangesFilter(options.since));
  if (options.exceptTenants.length > 0 && columns.includes('tenant_id')) {
    // SECURITY: ids were parsed as UUIDs; nothing else can stand in this text.
    const ids = options.exceptTenants.map((id) => `'${id}'`).join(', ');
    filters.push(`("tenant_id" IS NULL OR "tenant_id" NOT IN (${ids}))`);
  }
  const where = filters.length > 0 ? ` WHERE ${filters.join(' AND ')}` : '';
  return `SELECT ${selected} FROM ${table}${where}`;
}

/** The ledger's own scope stands for the cell in `tenant_id`. */
export const CELL_TENANT_ID: string = CELL_SCOPE_ID;
