// SPDX-License-Identifier: Apache-2.0
// Lets work in: so much at once, so much per tenant, tenants in turn, interactive before bulk before
// background. What would wait past its deadline, or in a queue that is full, is refused at once. The order in
// which load is shed is: background first, bulk next, interactive last; when all queues together are full, the
// newest of the lowest kind that waits goes, so that who asks now and matters more is not refused for it.
import { CellError } from './errors.ts';

export interface AdmissionLimits {
  readonly inFlightCountMax: number;
  readonly inFlightPerTenantCountMax: number;
  readonly queuePerTenantCountMax: number;
  /** All that wait; default four times what may be in flight. */
  readonly queueCountMax?: number;
}

/** What matters first comes first. */
const PRIORITIES = ['interactive', 'bulk', 'background'] as const;
export type Priority = (typeof PRIORITIES)[number];

/** Gives the place back; a second call does nothing. */
export type Release = () => void;

export interface Admission {
  /**
   * A place for a piece of a tenant's work: at once where there is room, otherwise in turn.
   *
   * @throws {CellError} `CELL_OVERLOADED`, `CELL_DEADLINE_EXCEEDED`, `CELL_SHUTTING_DOWN`
   */
  admit(
    tenant: string,
    options: { readonly priority: Priority; readonly waitMsMax: number },
  ): Release | Promise<Release>;
  /** Refuses what waits and what comes; resolves when nothing is in flight any more. */
  drain(): Promise<void>;
  readonly inFlightCount: number;
  readonly waitingCount: number;
}

interface Waiter {
  readonly tenant: Tenant;
  readonly priority: Priority;
  readonly resolve: (release: Release) => void;
  readonly reject: (error: CellError) => void;
  readonly timer: NodeJS.Timeout;
}

interface Tenant {
  readonly name: string;
  inFlightCount: number;
  readonly waiting: Record<Priority, Waiter[]>;
}

/** Shares of all places that work of a kind and all below it may take: the others always find some. */
const SHARES_MAX: Readonly<Record<Priority, number>> = {
  interactive: 1,
  bulk: 0.5,
  background: 0.125,
};
/** Places in all queues for each place in flight, and at least. */
const QUEUE_FACTOR = 4;
const QUEUE_COUNT_MIN = 16;
const SHED_ORDER = [...PRIORITIES].reverse();
/** Work of this kind and of those below it. */
const atOrBelow = (priority: Priority): readonly Priority[] =>
  PRIORITIES.slice(PRIORITIES.indexOf(priority));

/** Makes the gate of one process. */
export function createAdmission(limits: AdmissionLimits): Admission {
  return new Gate(limits);
}

const newQueues = (): Record<Priority, Waiter[]> => ({
  interactive: [],
  bulk: [],
  background: [],
});

class Gate implements Admission {
  readonly #limits: AdmissionLimits;
  readonly #tenants = new Map<string, Tenant>();
  /** Tenants that wait, in the order in which their turn comes. */
  readonly #ring: Record<Priority, Tenant[]> = { interactive: [], bulk: [], background: [] };
  readonly #countMax: Record<Priority, number>;
  readonly #queueCountMax: number;
  readonly #count: Record<Priority, number> = { interactive: 0, bulk: 0, background: 0 };
  #inFlightCount = 0;
  #waitingCount = 0;
  #onEmpty: (() => void) | undefined;
  #isDraining = false;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
    const toCount = (priority: Priority): number =>
      Math.max(1, Math.floor(limits.inFlightCountMax * SHARES_MAX[priority]));
    this.#countMax = {
      interactive: toCount('interactive'),
      bulk: toCount('bulk'),
      background: toCount('background'),
    };
    this.#queueCountMax =
      limits.queueCountMax ?? Math.max(QUEUE_COUNT_MIN, QUEUE_FACTOR * limits.inFlightCountMax);
  }

  get inFlightCount(): number {
    return this.#inFlightCount;
  }

  get waitingCount(): number {
    return this.#waitingCount;
  }

  admit(
    name: string,
    { priority, waitMsMax }: { readonly priority: Priority; readonly waitMsMax: number },
  ): Release | Promise<Release> {
    if (this.#isDraining) throw new CellError('CELL_SHUTTING_DOWN', 'the cell is stopping');
    const tenant = this.#openTenant(name);
    // Who comes first is served first: nobody passes those of the same tenant who already wait.
    const isFirst = tenant.waiting[priority].length === 0;
    if (isFirst && this.#hasRoom(tenant, priority)) return this.#take(tenant, priority);
    if (this.#waitingOf(tenant) >= this.#limits.queuePerTenantCountMax) {
      throw new CellError('CELL_OVERLOADED', 'too many requests of this tenant are waiting');
    }
    if (this.#waitingCount >= this.#queueCountMax && !this.#shedBelow(priority)) {
      throw new CellError('CELL_OVERLOADED', 'too many requests are waiting');
    }
    return this.#wait(tenant, priority, waitMsMax);
  }

  async drain(): Promise<void> {
    this.#isDraining = true;
    for (const priority of SHED_ORDER) {
      for (const tenant of this.#ring[priority].splice(0)) {
        for (const waiter of tenant.waiting[priority].splice(0)) {
          clearTimeout(waiter.timer);
          this.#waitingCount -= 1;
          waiter.reject(new CellError('CELL_SHUTTING_DOWN', 'the cell is stopping'));
        }
      }
    }
    if (this.#inFlightCount === 0) return;
    await new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
  }

  #openTenant(name: string): Tenant {
    const found = this.#tenants.get(name);
    if (found !== undefined) return found;
    const tenant: Tenant = { name, inFlightCount: 0, waiting: newQueues() };
    this.#tenants.set(name, tenant);
    return tenant;
  }

  #waitingOf({ waiting }: Tenant): number {
    return waiting.interactive.length + waiting.bulk.length + waiting.background.length;
  }

  #hasRoom(tenant: Tenant, priority: Priority): boolean {
    return (
      this.#inFlightCount < this.#limits.inFlightCountMax &&
      tenant.inFlightCount < this.#limits.inFlightPerTenantCountMax &&
      this.#hasShare(priority)
    );
  }

  /** A kind's share is of itself and all below it: bulk work counts background work against its own. */
  #hasShare(priority: Priority): boolean {
    if (priority === 'interactive') return true;
    let count = 0;
    for (const one of atOrBelow(priority)) count += this.#count[one];
    return count < this.#countMax[priority];
  }

  /** Refuses the newest that waits of the lowest kind below this one; false when there is none. */
  #shedBelow(priority: Priority): boolean {
    for (const lower of SHED_ORDER) {
      if (lower === priority) return false;
      const waiter = this.#ring[lower].at(-1)?.waiting[lower].at(-1);
      if (waiter === undefined) continue;
      clearTimeout(waiter.timer);
      this.#leave(waiter);
      waiter.reject(new CellError('CELL_OVERLOADED', 'what matters more came meanwhile'));
      return true;
    }
    return false;
  }

  #take(tenant: Tenant, priority: Priority): Release {
    this.#inFlightCount += 1;
    tenant.inFlightCount += 1;
    this.#count[priority] += 1;
    let isReleased = false;
    return () => {
      if (isReleased) return;
      isReleased = true;
      this.#inFlightCount -= 1;
      tenant.inFlightCount -= 1;
      this.#count[priority] -= 1;
      this.#serveNext();
      if (tenant.inFlightCount === 0 && this.#waitingOf(tenant) === 0) {
        this.#tenants.delete(tenant.name);
      }
      if (this.#inFlightCount === 0) this.#onEmpty?.();
    };
  }

  #wait(tenant: Tenant, priority: Priority, waitMsMax: number): Promise<Release> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#leave(waiter);
        reject(new CellError('CELL_DEADLINE_EXCEEDED', 'no place became free in time'));
      }, waitMsMax);
      const waiter: Waiter = { tenant, priority, resolve, reject, timer };
      tenant.waiting[priority].push(waiter);
      this.#waitingCount += 1;
      if (!this.#ring[priority].includes(tenant)) this.#ring[priority].push(tenant);
    });
  }

  #leave(waiter: Waiter): void {
    const queue = waiter.tenant.waiting[waiter.priority];
    const index = queue.indexOf(waiter);
    if (index < 0) return;
    queue.splice(index, 1);
    this.#waitingCount -= 1;
    const ring = this.#ring[waiter.priority];
    if (queue.length === 0) ring.splice(ring.indexOf(waiter.tenant), 1);
  }

  /** Serves as many as there is room for: tenants in turn, what matters first. */
  #serveNext(): void {
    for (const priority of PRIORITIES) {
      const ring = this.#ring[priority];
      let passedCount = 0;
      while (passedCount < ring.length) {
        const tenant = ring.shift();
        if (tenant === undefined) break;
        const waiter = this.#hasRoom(tenant, priority)
          ? tenant.waiting[priority].shift()
          : undefined;
        if (tenant.waiting[priority].length > 0) ring.push(tenant);
        if (waiter === undefined) {
          passedCount += 1;
          continue;
        }
        passedCount = 0;
        clearTimeout(waiter.timer);
        this.#waitingCount -= 1;
        waiter.resolve(this.#take(tenant, priority));
      }
    }
  }
}
