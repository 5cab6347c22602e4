// SPDX-License-Identifier: Apache-2.0
// Legal orders in memory, asked at every decision. A tenant whose orders could not be read, or of whose
// orders one does not verify, may do nothing: an order that somebody took out must not be a way around it.
import type { KeyObject } from 'node:crypto';
import { findJurisdiction, isWithin } from '@bailiwick/atlas';
import {
  type Action,
  type Clock,
  isCoded,
  type SubjectId,
  type TenantId,
  toDate,
} from '@bailiwick/kernel';
import type { Database } from '@bailiwick/postgres';
import type { ChangeFeed } from '../changes/change-feed.ts';
import type { OrderInForce, OrderMeasure, Orders } from '../services.ts';
import { EVERY_TENANT, type OrderFacts, verifyOrder } from './order-facts.ts';
import { listOrders } from './order-store.ts';

/** Orders in force of one tenant. */
export const ORDERS_COUNT_MAX = 1_024;
/** While changes of other processes are not heard, nothing older than this is believed. */
const UNHEARD_MS_MAX = 1_000;

export interface OrderPorts {
  readonly database: Database;
  readonly clock: Clock;
  readonly macKey: KeyObject;
  readonly feed: ChangeFeed;
}

interface Known {
  readonly orders: readonly OrderFacts[];
  readonly people: ReadonlySet<SubjectId>;
  readonly isUnverified: boolean;
  readonly loadedAtMs: number;
  /** Since when others may have changed it unheard; it is read anew before the next request. */
  readonly resetAtMs?: number;
}

const NOBODY: ReadonlySet<SubjectId> = new Set();

const REMOVING: readonly Action[] = ['delete', 'erase'];
const CHANGING: readonly Action[] = ['update', 'relabel', ...REMOVING];
const LEAVING: readonly Action[] = ['transfer', 'export'];
const COPYING: readonly Action[] = ['backup', 'replicate'];

/** What a measure stands against. */
export function isAgainst(measure: OrderMeasure, action: Action): boolean {
  switch (measure) {
    case 'freeze':
      return CHANGING.includes(action) || LEAVING.includes(action);
    case 'read-only':
      return CHANGING.includes(action) || action === 'ingest' || action === 'seal';
    case 'suspend':
      // What is suspended is still kept, and kept safe.
      return !COPYING.includes(action);
  }
}

/** The order book of a process. */
export interface OrderBook extends Orders {
  /** Forgets what it knows: called when an order was placed or revoked here. */
  forget(tenantId: TenantId): void;
}

/** Makes the order book. */
export function createOrderBook(ports: OrderPorts): OrderBook {
  return new RememberedOrders(ports);
}

class RememberedOrders implements OrderBook {
  readonly #ports: OrderPorts;
  readonly #known = new Map<TenantId, Known>();
  readonly #reading = new Map<TenantId, Promise<void>>();
  revision = 0;

  constructor(ports: OrderPorts) {
    this.#ports = ports;
    ports.feed.listen({
      onChange: ({ kind, tenantId }) => {
        if (kind === 'order') this.forget(tenantId);
      },
      onReset: () => {
        this.revision += 1;
        const resetAtMs = ports.clock.monotonicMs();
        for (const [tenantId, known] of this.#known) {
          if (known.resetAtMs === undefined) this.#known.set(tenantId, { ...known, resetAtMs });
        }
      },
    });
  }

  forget(tenantId: TenantId): void {
    this.revision += 1;
    this.#known.delete(tenantId);
  }

  #current(tenantId: TenantId): Known | undefined {
    const known = this.#known.get(tenantId);
    if (known?.resetAtMs !== undefined) return undefined;
    if (known === undefined || this.#ports.feed.isLive()) return known;
    const ageMs = this.#ports.clock.monotonicMs() - known.loadedAtMs;
    return ageMs < UNHEARD_MS_MAX ? known : undefined;
  }

  prepare(tenantId: TenantId): Promise<void> | undefined {
    const isReady = this.#current(tenantId) !== undefined;
    if (isReady && this.#current(EVERY_TENANT) !== undefined) return undefined;
    return this.#prepareBoth(tenantId);
  }

  async #prepareBoth(tenantId: TenantId): Promise<void> {
    for (const one of [EVERY_TENANT, tenantId]) {
      while (this.#current(one) === undefined) await this.#read(one);
    }
  }

  #read(tenantId: TenantId): Promise<void> {
    const underway = this.#reading.get(tenantId);
    if (underway !== undefined) return underway;
    const reading = this.#load(tenantId).finally(() => this.#reading.delete(tenantId));
    this.#reading.set(tenantId, reading);
    return reading;
  }

  async #load(tenantId: TenantId): Promise<void> {
    const { database, clock, macKey } = this.#ports;
    const loadedAtMs = clock.monotonicMs();
    const { revision } = this;
    const rows = await database.withTenant(tenantId, (tx) =>
      listOrders(tx, tenantId, { countMax: ORDERS_COUNT_MAX, inForceOnly: true }),
    );
    // Placed or revoked while this was read: read again.
    if (revision !== this.revision) return;
    const orders: OrderFacts[] = [];
    let isUnverified = rows.length === ORDERS_COUNT_MAX;
    for (const row of rows) {
      try {
        orders.push(verifyOrder(macKey, { tenantId, ...row }));
      } catch (error) {
        if (!isCoded(error, 'KEYS_FACTS_UNVERIFIED')) throw error;
        isUnverified = true;
      }
    }
    const people = new Set(orders.flatMap(({ subject }) => subject ?? []));
    this.#known.set(tenantId, { orders, people, isUnverified, loadedAtMs });
  }

  find(
    tenantId: TenantId,
    flow: Parameters<Orders['find']>[1],
  ): OrderInForce | 'unknown' | undefined {
    for (const one of [EVERY_TENANT, tenantId]) {
      const known = this.#known.get(one);
      if (known === undefined || known.isUnverified || this.#isTooOld(known)) return 'unknown';
      const found = known.orders.find((order) => this.#speaksOf(order, flow));
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** What a request prepared when the feed still lived may serve it for as long as a feed may be unheard. */
  #isTooOld({ resetAtMs }: Known): boolean {
    if (resetAtMs === undefined) return false;
    return this.#ports.clock.monotonicMs() - resetAtMs >= UNHEARD_MS_MAX;
  }

  #speaksOf(order: OrderFacts, flow: Parameters<Orders['find']>[1]): boolean {
    if (!isAgainst(order.measure, flow.action)) return false;
    if (order.subject !== undefined && order.subject !== flow.subjectId) return false;
    if (order.jurisdiction === undefined) return true;
    const today = toDate(this.#ports.clock.nowMs());
    return isWithin(flow.origin, order.jurisdiction, today);
  }

  peopleOf(tenantId: TenantId): ReadonlySet<SubjectId> {
    return this.#known.get(tenantId)?.people ?? NOBODY;
  }
}

/** True for a jurisdiction by its own id. */
export function isJurisdiction(text: string): boolean {
  return findJurisdiction(text)?.id === text;
}
