// SPDX-License-Identifier: Apache-2.0
// The application's own database. Two columns are sealed; the rest is as plain as it ever was.
import { type Generated, Kysely, PostgresDialect, sql } from 'kysely';
import { Pool } from 'pg';

interface OrderTable {
  readonly id: Generated<string>;
  readonly number: string;
  readonly country: string;
  readonly placed_at: Generated<Date>;
  /** Sealed text: name and e-mail address. */
  readonly contact: string;
  /** Sealed text: total and note. */
  readonly purchase: string;
  /** Blind index of the e-mail address. */
  readonly email_index: string;
}

export interface Tables {
  readonly orders: OrderTable;
}

/** Opens the database and makes its one table. */
export async function openOrdersDatabase(url: string): Promise<Kysely<Tables>> {
  const pool = new Pool({ connectionString: url, max: 8 });
  const database = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
  await database.schema
    .createTable('orders')
    .ifNotExists()
    .addColumn('id', 'bigint', (column) => column.generatedAlwaysAsIdentity().primaryKey())
    .addColumn('number', 'text', (column) => column.notNull().unique())
    .addColumn('country', 'text', (column) => column.notNull())
    .addColumn('placed_at', 'timestamptz', (column) => column.notNull().defaultTo(sql`now()`))
    .addColumn('contact', 'text', (column) => column.notNull())
    .addColumn('purchase', 'text', (column) => column.notNull())
    .addColumn('email_index', 'text', (column) => column.notNull())
    .execute();
  await database.schema
    .createIndex('orders_email_index')
    .ifNotExists()
    .on('orders')
    .column('email_index')
    .execute();
  return database;
}
