// SPDX-License-Identifier: Apache-2.0
// Orders in the application's own tables: sealed on the way in, opened a page at a time on the way out.
import { type Cell, type OpenResult, type SealRequest, unwrap } from '@bailiwick/sdk';
import type { Kysely, Selectable } from 'kysely';
import { COLLECTION } from './bailiwick.ts';
import type { Tables } from './database.ts';

/** An order as people at the desk know it. */
export interface DeskOrder {
  readonly number: string;
  readonly customer: string;
  readonly country: string;
  readonly name: string;
  readonly email: string;
  readonly total: number;
  readonly note?: string;
}

export interface Ports {
  readonly cell: Cell;
  readonly database: Kysely<Tables>;
}

/** Rows on a page. */
export const PAGE_SIZE = 50;

/** Seals all orders with one call and inserts them with one statement. */
export async function addOrders(ports: Ports, orders: readonly DeskOrder[]): Promise<void> {
  const values = orders.flatMap((order): SealRequest[] => {
    const { number, customer, country } = order;
    const of = { collection: COLLECTION, record: number, subject: customer, origin: country };
    const { name, email, total, note } = order;
    return [
      { ...of, fieldSet: 'contact', fields: { name, email }, indexes: [{ field: 'email' }] },
      { ...of, fieldSet: 'purchase', fields: { total, note: note ?? null } },
    ];
  });
  const { items } = unwrap(await ports.cell.seal(values));
  const rows = orders.map(({ number, country }, index) => {
    const [contact, purchase] = [items[2 * index], items[2 * index + 1]];
    if (contact === undefined || purchase === undefined) throw new Error('a seal is missing');
    if ('problem' in contact) throw new Error(contact.problem.code);
    if ('problem' in purchase) throw new Error(purchase.problem.code);
    const emailIndex = contact.indexes['email'] ?? '';
    return {
      number,
      country,
      contact: contact.sealed,
      purchase: purchase.sealed,
      email_index: emailIndex,
    };
  });
  await ports.database
    .insertInto('orders')
    .values(rows)
    .onConflict((conflict) => conflict.column('number').doNothing())
    .execute();
}

type Row = Selectable<Tables['orders']>;

/** The newest orders, readable: one openings call for the whole page. */
export async function listOrders({ cell, database }: Ports): Promise<readonly object[]> {
  const rows = await database
    .selectFrom('orders')
    .selectAll()
    .orderBy('id', 'desc')
    .limit(PAGE_SIZE)
    .execute();
  return openRows(cell, rows);
}

/** A person's orders: the blind index comes from the cell, the search is the application's own SQL. */
export async function findOrders(
  { cell, database }: Ports,
  email: string,
): Promise<readonly object[]> {
  const { index } = unwrap(
    await cell.blindIndex({ collection: COLLECTION, field: 'email', value: email }),
  );
  const rows = await database
    .selectFrom('orders')
    .selectAll()
    .where('email_index', '=', index)
    .orderBy('id', 'desc')
    .limit(PAGE_SIZE)
    .execute();
  return openRows(cell, rows);
}

async function openRows(cell: Cell, rows: readonly Row[]): Promise<readonly object[]> {
  if (rows.length === 0) return [];
  const sealed = rows.flatMap(({ contact, purchase }) => [
    { sealed: contact },
    { sealed: purchase },
  ]);
  const { items } = unwrap(await cell.open(sealed));
  return rows.map(({ number, country }, index) => ({
    number,
    country,
    ...toFields(items[2 * index]),
    ...toFields(items[2 * index + 1]),
  }));
}

/** What may be seen: a value that is not for this account stays away, the row does not. */
function toFields(result: OpenResult | undefined): object {
  return result !== undefined && 'fields' in result ? result.fields : {};
}
