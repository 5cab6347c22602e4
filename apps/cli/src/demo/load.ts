// SPDX-License-Identifier: Apache-2.0
// Loads the retailer: each record to the cell that the charter names for its country, through the same
// door and the same sender as `bailiwick ingest`. Loading again changes nothing.
import type { CollectionSchema, RecordDraft } from '@bailiwick/contracts';
import { type Cell, type CharterSummary, unwrap } from '@bailiwick/sdk';
import { createRouter } from '../ingest/route.ts';
import { createSender } from '../ingest/send.ts';
import { createTally, type Tally } from '../ingest/tally.ts';
import { CUSTOMERS, ORDERS, toCustomerDraft, toOrderDraft } from './collections.ts';
import { DEMO_SEED, generateCustomers, generateOrders, type Order } from './generate.ts';

export interface LoadOptions {
  readonly customersCount: number;
  readonly ordersCount: number;
  readonly charter: CharterSummary;
  readonly cells: ReadonlyMap<string, Cell>;
  readonly onProgress: (done: number, total: number) => void;
}

/** What was loaded: a tally per collection, and the orders to check figures against. */
export interface Loaded {
  readonly customers: Tally;
  readonly orders: Tally;
  /** Orders that have a home, with their residency. */
  readonly housed: readonly { readonly order: Order; readonly residency: string }[];
}

/** Makes the collections in each cell that lacks them. */
export async function prepareCollections(cells: Iterable<Cell>): Promise<void> {
  const prepare = async (cell: Cell, id: string, schema: CollectionSchema): Promise<void> => {
    const found = await cell.collections.get(id);
    if (found.ok) return;
    if (found.problem.status !== 404) unwrap(found);
    unwrap(await cell.collections.put(id, schema));
  };
  await Promise.all(
    [...cells].map(async (cell) => {
      await prepare(cell, 'customers', CUSTOMERS);
      await prepare(cell, 'orders', ORDERS);
    }),
  );
}

/** Generates and loads customers and orders. */
export async function loadRetailer(options: LoadOptions): Promise<Loaded> {
  const customers = generateCustomers({ seed: DEMO_SEED, customersCount: options.customersCount });
  const orders = generateOrders(customers, { seed: DEMO_SEED, ordersCount: options.ordersCount });
  const total = customers.length + orders.length;
  const route = createRouter(options.charter);
  const housed: { readonly order: Order; readonly residency: string }[] = [];
  for (const order of orders) {
    const found = route(order.customer.country);
    if ('residency' in found) housed.push({ order, residency: found.residency });
  }
  let done = 0;
  const onDone = (count: number): void => {
    done += count;
    options.onProgress(done, total);
  };
  const customersTally = await loadOne(options, {
    collection: 'customers',
    drafts: customers.map(toCustomerDraft),
    onDone,
  });
  const ordersTally = await loadOne(options, {
    collection: 'orders',
    drafts: orders.map(toOrderDraft),
    onDone,
  });
  return { customers: customersTally, orders: ordersTally, housed };
}

/** A few customers of the neighbour's, so that there is something to read while others are closed. */
export async function loadNeighbour(cell: Cell): Promise<void> {
  const customers = generateCustomers({ seed: DEMO_SEED + 7, customersCount: 400 });
  const lines = customers
    .filter(({ country }) => country === 'de')
    .map((customer) => JSON.stringify(toCustomerDraft(customer)));
  unwrap(await cell.collection('customers').import(`${lines.join('\n')}\n`));
}

/** Residencies in which a collection holds exactly what would be sent: an earlier start loaded them. */
async function findLoaded(
  { charter, cells }: LoadOptions,
  { collection, drafts }: { readonly collection: string; readonly drafts: readonly RecordDraft[] },
): Promise<ReadonlySet<string>> {
  const route = createRouter(charter);
  const expected = new Map<string, number>();
  for (const { origin } of drafts) {
    const found = route(origin);
    if (!('residency' in found)) continue;
    expected.set(found.residency, (expected.get(found.residency) ?? 0) + 1);
  }
  const loaded = new Set<string>();
  for (const [residency, cell] of cells) {
    const { count } = unwrap(await cell.collection(collection).count(undefined));
    if (count > 0 && count === expected.get(residency)) loaded.add(residency);
  }
  return loaded;
}

async function loadOne(
  options: LoadOptions,
  {
    collection,
    drafts,
    onDone,
  }: {
    readonly collection: string;
    readonly drafts: readonly RecordDraft[];
    readonly onDone: (count: number) => void;
  },
): Promise<Tally> {
  const { charter, cells } = options;
  const loaded = await findLoaded(options, { collection, drafts });
  const tally = createTally();
  const route = createRouter(charter);
  const sender = createSender(
    {
      async cellOf(residency) {
        const cell = cells.get(residency);
        if (cell === undefined) throw new Error(`assertion failed: a cell of \`${residency}\``);
        return cell;
      },
      onOutcome(outcome) {
        tally.addOutcome(outcome, `${outcome.residency}/main`);
        onDone(outcome.countries.size);
      },
    },
    { collection, deadlineMs: 60_000 },
  );
  for (const [index, draft] of drafts.entries()) {
    const found = route(draft.origin);
    tally.lineCount += 1;
    if ('refusal' in found) {
      tally.addLine({ country: found.country, cell: undefined });
      tally.refuse({ line: index + 1, ...found.refusal }, found.country);
      onDone(1);
      continue;
    }
    const { country, residency, cell } = found;
    tally.addLine({ country, cell });
    if (loaded.has(residency)) {
      tally.addUnchanged(cell);
      onDone(1);
      continue;
    }
    await sender.send({ residency, line: index + 1, country, draft });
  }
  await sender.finish();
  return tally;
}
