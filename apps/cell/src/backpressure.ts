// SPDX-License-Identifier: Apache-2.0
// Lets work in: so much at once, so much per tenant, tenants in turn, interactive before bulk. What would
// wait past its deadline, or in a queue that is full, is refused at once. The order in which load is shed
// is: bulk first, interactive last.
import { CellError } from './errors.ts';

export interface AdmissionLimits {
  readonly inFlightCountMax: number;
  readonly inFlightPerTenantCountMax: number;
  readonly queuePerTenantCountMax: number;
}

export type Priority = 'interactive' | 'bulk';

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

/** Bulk work takes at most this share of all places, so that interactive work always finds some. */
const BULK_SHARE_MAX = 0.5;

/** Makes the gate of one process. */
export function createAdmission(limits: AdmissionLimits): Admission {
  return new Gate(limits);
}

class Gate implements Admission {
  readonly #limits: AdmissionLimits;
  readonly #tenants = new Map<string, Tenant>();
  /** Tenants that wait, in the order in which their turn comes. */
  readonly #ring: Record<Priority, Tenant[]> = { interactive: [], bulk: [] };
  readonly #bulkCountMax: number;
  #inFlightCount = 0;
  #bulkCount = 0;
  #waitingCount = 0;
  #onEmpty: (() => void) | undefined;
  #isDraining = false;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
    this.#bulkCountMax = Math.max(1, Math.floor(limits.inFlightCountMax * BULK_SHARE_MAX));
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
    return this.#wait(tenant, priority, waitMsMax);
  }

  async drain(): Promise<void> {
    this.#isDraining = true;
    for (const priority of ['bulk', 'interactive'] as const) {
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
    const tenant: Tenant = { name, inFlightCount: 0, waiting: { interactive: [], bulk: [] } };
    this.#tenants.set(name, tenant);
    return tenant;
  }

  #waitingOf({ waiting }: Tenant): number {
    return waiting.interactive.length + waiting.bulk.length;
  }

  #hasRoom(tenant: Tenant, priority: Priority): boolean {
    return (
      this.#inFlightCount < this.#limits.inFlightCountMax &&
      tenant.inFlightCount < this.#limits.inFlightPerTenantCountMax &&
      (priority === 'interactive' || this.#bulkCount < this.#bulkCountMax)
    );
  }

  #take(tenant: Tenant, priority: Priority): Release {
    this.#inFlightCount += 1;
    tenant.inFlightCount += 1;
    if (priority === 'bulk') this.#bulkCount += 1;
    let isReleased = false;
    return () => {
      if (isReleased) return;
      isReleased = true;
      this.#inFlightCount -= 1;
      tenant.inFlightCount -= 1;
      if (priority === 'bulk') this.#bulkCount -= 1;
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

  /** Serves as many as there is room for: tenants in turn, interactive before bulk. */
  #serveNext(): void {
    for (const priority of ['interactive', 'bulk'] as const) {
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
