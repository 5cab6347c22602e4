// SPDX-License-Identifier: Apache-2.0
// What a restore needs to know of the tables it fills, from the catalogue of the new database.
import type { ClientBase } from 'pg';

/** A table that is filled. */
export interface TargetTable {
  /** `schema.table` */
  readonly name: string;
  readonly columns: readonly string[];
  /** Columns of the primary key; empty when it has none. */
  readonly key: readonly string[];
  readonly isForced: boolean;
  /** Tables that its foreign keys name. */
  readonly needs: readonly string[];
}

/** The tables of a cell's database, each behind those that it refers to. */
export async function listTargets(client: ClientBase): Promise<readonly TargetTable[]> {
  const { rows } = await client.query<{
    name: string;
    columns: string[];
    key: string[] | null;
    forced: boolean;
    needs: string[] | null;
  }>(
    `SELECT n.nspname || '.' || c.relname AS name, c.relforcerowsecurity AS forced,
            (SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute a
              WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                AND a.attgenerated = '') AS columns,
            (SELECT array_agg(a.attname::text) FROM pg_index i
               JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
              WHERE i.indrelid = c.oid AND i.indisprimary) AS key,
            (SELECT array_agg(DISTINCT fn.nspname || '.' || fc.relname) FROM pg_constraint f
               JOIN pg_class fc ON fc.oid = f.confrelid JOIN pg_namespace fn ON fn.oid = fc.relnamespace
              WHERE f.conrelid = c.oid AND f.contype = 'f' AND fc.oid <> c.oid) AS needs
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname IN ('cell', 'keys', 'ledger') AND c.relkind IN ('r', 'p')
        AND NOT c.relispartition
      ORDER BY 1`,
  );
  const all = rows.map(({ name, columns, key, forced, needs }) => ({
    ...{ name, columns, key: key ?? [], isForced: forced, needs: needs ?? [] },
  }));
  return inOrder(all);
}

function inOrder(tables: readonly TargetTable[]): readonly TargetTable[] {
  const done = new Set<string>();
  const ordered: TargetTable[] = [];
  let left = [...tables];
  while (left.length > 0) {
    const ready = left.filter(({ needs }) => needs.every((need) => done.has(need)));
    // A circle of foreign keys would be a fault of a migration; then the order does not matter either.
    const step = ready.length > 0 ? ready : left;
    for (const table of step) done.add(table.name);
    ordered.push(...step);
    left = left.filter((table) => !done.has(table.name));
  }
  return ordered;
}

/** Quotes column names, which were read from a catalogue or checked by a manifest's shape. */
export const toColumnList = (columns: readonly string[]): string =>
  columns.map((name) => `"${name}"`).join(', ');
