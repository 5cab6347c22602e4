// SPDX-License-Identifier: Apache-2.0
// Placing and revoking legal orders: entered, in force in this process before the answer, in the cell's
// other processes as soon as the database tells them; a revoked order stays on record.
import type { OrderAnswer } from '@bailiwick/contracts';
import {
  createUuidV7,
  type EntryId,
  type SubjectId,
  type TenantId,
  toInstant,
} from '@bailiwick/kernel';
import { CellError } from '../errors.ts';
import { toEntrySubject } from '../records/entry.ts';
import type { CellRuntime } from '../runtime.ts';
import type { EntryDraft, OrderMeasure } from '../services.ts';
import { ORDERS_COUNT_MAX } from './order-book.ts';
import { EVERY_TENANT, type OrderFacts, verifyOrder } from './order-facts.ts';
import { listOrders, lockOrder, putOrder } from './order-store.ts';

export type OrderServices = Pick<
  CellRuntime,
  'clock' | 'random' | 'database' | 'entries' | 'orders' | 'feed' | 'secrets'
>;

const LIST_COUNT_MAX = 500;

interface Place {
  /** `EVERY_TENANT` for the whole cell. */
  readonly tenantId: TenantId;
  readonly draft: Pick<EntryDraft, 'actor' | 'request'>;
  readonly operator?: string;
}

/** An order for all tenants is entered in the cell's own scope. */
const scopeOf = ({ tenantId }: Place): TenantId | undefined =>
  tenantId === EVERY_TENANT ? undefined : tenantId;

/** Places an order. */
export async function placeOrder(
  services: OrderServices,
  place: Place,
  wanted: {
    readonly measure: OrderMeasure;
    readonly reference: string;
    readonly jurisdiction?: string;
    readonly subject?: SubjectId;
  },
): Promise<OrderAnswer> {
  const facts: OrderFacts = {
    orderId: createUuidV7(services),
    ...wanted,
    placedAt: toInstant(services.clock.nowMs()),
  };
  const entryId = await write(services, place, facts, async (tx) => {
    const { tenantId } = place;
    const known = await listOrders(tx, tenantId, {
      countMax: ORDERS_COUNT_MAX,
      inForceOnly: true,
    });
    if (known.length >= ORDERS_COUNT_MAX - 1) {
      throw new CellError('STANDING_LIMIT_REACHED', 'no more orders can be placed');
    }
  });
  return { ...toOrderAnswer(facts), entryId };
}

/** Revokes an order; doing so again changes nothing. @throws {CellError} `ORDER_UNKNOWN` */
export async function revokeOrder(
  services: OrderServices,
  place: Place,
  orderId: string,
): Promise<OrderAnswer> {
  const { tenantId } = place;
  const row = await services.database.withTenant(tenantId, (tx) =>
    lockOrder(tx, tenantId, orderId),
  );
  if (row === undefined) throw new CellError('ORDER_UNKNOWN', 'there is no such order');
  const known = verifyOrder(services.secrets.macKey, { tenantId, ...row });
  if (known.revokedAt !== undefined) return toOrderAnswer(known);
  const facts = { ...known, revokedAt: toInstant(services.clock.nowMs()) };
  const entryId = await write(services, place, facts, async () => undefined);
  return { ...toOrderAnswer(facts), entryId };
}

async function write(
  services: OrderServices,
  place: Place,
  facts: OrderFacts,
  check: (tx: import('pg').PoolClient) => Promise<void>,
): Promise<EntryId> {
  const { tenantId } = place;
  // An order for all tenants has no tenant's transaction to be entered in: it is on record before.
  const asked =
    scopeOf(place) === undefined
      ? await services.entries.record(undefined, toDraft(place, facts))
      : undefined;
  const entry = services.entries.prepare(scopeOf(place), toDraft(place, facts));
  await services.database.withTenant(tenantId, async (tx) => {
    await check(tx);
    await putOrder(tx, services.secrets.macKey, { tenantId, facts });
    if (asked === undefined) await services.entries.insertPrepared(tx, [entry]);
    await services.feed.publish(tx, { kind: 'order', tenantId, id: facts.orderId });
  });
  // INVARIANT: no decision of this process from here on rests on what was before.
  services.orders.forget(tenantId);
  return asked?.entryId ?? entry.entryId;
}

function toDraft(place: Place, facts: OrderFacts): EntryDraft {
  const { orderId, measure, reference, jurisdiction, subject, revokedAt } = facts;
  return {
    kind: 'order',
    ...place.draft,
    ...toEntrySubject(subject),
    facts: {
      order: orderId,
      measure,
      reference,
      state: revokedAt === undefined ? 'placed' : 'revoked',
      scope: place.tenantId === EVERY_TENANT ? 'cell' : 'tenant',
      ...(jurisdiction === undefined ? {} : { jurisdiction }),
      ...(place.operator === undefined ? {} : { operator: place.operator }),
    },
  };
}

/** The newest orders, revoked ones among them. */
export async function readOrders(
  services: OrderServices,
  tenantId: TenantId,
): Promise<readonly OrderAnswer[]> {
  const rows = await services.database.withTenant(tenantId, (tx) =>
    listOrders(tx, tenantId, { countMax: LIST_COUNT_MAX, inForceOnly: false }),
  );
  return rows.map((row) =>
    toOrderAnswer(verifyOrder(services.secrets.macKey, { tenantId, ...row })),
  );
}

function toOrderAnswer({ subject, ...facts }: OrderFacts): OrderAnswer {
  return {
    ...facts,
    ...(subject === undefined ? {} : { subjectId: subject }),
    state: facts.revokedAt === undefined ? 'in-force' : 'revoked',
  };
}
