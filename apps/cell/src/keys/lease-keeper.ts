// SPDX-License-Identifier: Apache-2.0
// Keeps this process's lease: registers, renews, takes drops from a held stream and from renewals, has
// the keys dropped and signs that they were. Its clock starts before a renewal is sent. Runs in a worker
// thread of its own, so that a busy event loop neither delays a revocation nor loses the lease.
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import {
  type CellId,
  isCoded,
  type KeyId,
  type ProcessId,
  type TenantId,
  toInstant,
} from '@bailiwick/kernel';
import {
  KeysError,
  RENEWAL_INTERVAL_MS,
  type SignedStatement,
  type StatementBody,
  signStatement,
  toStatementKey,
} from '@bailiwick/keys';
import type {
  Caller,
  Drop,
  IndexField,
  LeaseService,
  NumberedDrop,
  OpenedShredKeys,
  ReservedMaterial,
  WrappingMaterial,
} from '../key-service/api.ts';
import { type OpenedTenant, toLinkProblem } from './key-link.ts';
import {
  type LeaseClocks,
  type LeaseView,
  leaseExpired,
  readInstant,
  SLOT_DISABLED,
  SLOT_ENABLED,
  SLOTS_COUNT_MAX,
} from './lease-view.ts';

const RETRY_MS = 50;
const OPEN_ATTEMPTS_COUNT_MAX = 4;

export interface LeaseKeeperOptions {
  readonly service: LeaseService;
  readonly view: LeaseView;
  readonly clocks: LeaseClocks;
  readonly cellId: CellId;
  readonly processId: ProcessId;
  /** Resolves when the keys are gone from this process; what is signed rests on it. */
  readonly onDrop: (drop: Drop) => Promise<void>;
  readonly onReset: () => Promise<void>;
  readonly onProblem?: (error: unknown) => void;
}

/** Holds one process's lease until it is closed. */
export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  readonly #privateKey: KeyObject;
  readonly #publicKey: string;
  readonly #slots = new Map<TenantId, number>();
  /** The last revision at which a tenant's keys, or a shred key, were dropped. */
  readonly #droppedAt = new Map<string, number>();
  readonly #handled = new Set<number>();
  /** Signed, and not yet known to have arrived. */
  readonly #unacknowledged = new Map<number, SignedStatement>();
  readonly #stop = new AbortController();
  #caller: Caller | undefined;
  #revision = 0;
  #unwatch: () => void = () => undefined;
  #isWatching = false;
  #running: Promise<void> = Promise.resolve();
  #wake: () => void = () => undefined;

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
    const { privateKey } = generateKeyPairSync('ed25519');
    this.#privateKey = privateKey;
    this.#publicKey = toStatementKey(privateKey);
  }

  start(): void {
    this.#running = this.#run();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.#wake();
    this.#unwatch();
    this.#options.view.reset();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      let pauseMs = RENEWAL_INTERVAL_MS;
      try {
        if (this.#caller === undefined) await this.#register();
        else pauseMs = await this.#renew(this.#caller);
      } catch (error) {
        pauseMs = RETRY_MS;
        if (isCoded(error, 'KEYS_SERVICE_REFUSED') && this.#caller !== undefined)
          await this.#lose();
        this.#options.onProblem?.(error);
      }
      if (!signal.aborted) await this.#pause(pauseMs);
    }
  }

  async #pause(ms: number): Promise<void> {
    const awake = new AbortController();
    this.#wake = () => awake.abort();
    await wait(ms, undefined, { signal: awake.signal }).catch(() => undefined);
  }

  async #register(): Promise<void> {
    const { service, view, clocks, processId } = this.#options;
    const from = readInstant(clocks);
    const registration = await service.register({ processId, publicKey: this.#publicKey });
    this.#revision = registration.revision;
    this.#handled.clear();
    this.#unacknowledged.clear();
    this.#droppedAt.clear();
    this.#caller = { processId, generation: registration.generation };
    view.extend(from, registration.leaseMs);
    this.#watch(this.#caller);
  }

  #watch(caller: Caller): void {
    this.#unwatch();
    this.#unwatch = this.#options.service.watch(caller, {
      onDrop: (drop) => {
        this.#take(drop).catch((error: unknown) => this.#options.onProblem?.(error));
      },
      onEnd: () => {
        // Renewals bring what the stream would have; it is opened again with the next one.
        this.#isWatching = false;
      },
    });
    this.#isWatching = true;
  }

  /** Gives how long to wait before the next renewal. */
  async #renew(caller: Caller): Promise<number> {
    const from = readInstant(this.#options.clocks);
    const renewal = await this.#options.service.renew(caller, { revision: this.#revision });
    if (this.#caller !== caller) return 0;
    if (renewal.isExtended) this.#options.view.extend(from, renewal.leaseMs);
    await Promise.all(renewal.drops.map((drop) => this.#take(drop)));
    if (!this.#isWatching) this.#watch(caller);
    if (renewal.isExtended) return RENEWAL_INTERVAL_MS;
    // Something is not acknowledged: the answer may have been lost.
    const unacknowledged = [...this.#unacknowledged];
    await Promise.all(unacknowledged.map(([revision]) => this.#acknowledge(caller, revision)));
    return unacknowledged.length > 0 ? 0 : RETRY_MS;
  }

  /** The lease is gone: nothing that was had under it may be used again. */
  async #lose(): Promise<void> {
    this.#caller = undefined;
    this.#unwatch();
    this.#options.view.reset();
    await this.#options.onReset();
  }

  async #take({ revision, drop }: NumberedDrop): Promise<void> {
    if (revision <= this.#revision || this.#handled.has(revision)) return;
    const caller = this.#caller;
    if (caller === undefined) return;
    this.#handled.add(revision);
    // SECURITY: first the slot, which every thread sees at once; then the memory.
    this.#droppedAt.set(toDropName(drop), revision);
    const slot = drop.kind === 'tenant' ? this.#slots.get(drop.tenantId) : undefined;
    if (slot !== undefined) this.#options.view.setSlot(slot, SLOT_DISABLED);
    while (this.#handled.delete(this.#revision + 1)) this.#revision += 1;
    await this.#options.onDrop(drop);
    const statement = signStatement(this.#privateKey, this.#toStatement(caller, revision, drop));
    this.#unacknowledged.set(revision, statement);
    await this.#acknowledge(caller, revision);
  }

  async #acknowledge(caller: Caller, revision: number): Promise<void> {
    const statement = this.#unacknowledged.get(revision);
    if (statement === undefined || this.#caller !== caller) return;
    await this.#options.service.acknowledge(caller, { revision, statement });
    this.#unacknowledged.delete(revision);
  }

  #toStatement(caller: Caller, revision: number, drop: Drop): StatementBody {
    const shared = {
      at: toInstant(this.#options.clocks.wallMs()),
      cell: this.#options.cellId,
      process: caller.processId,
      generation: caller.generation,
      revision,
    };
    if (drop.kind === 'provider') {
      const { gateName: provider, isAway } = drop;
      return { ...shared, kind: 'provider-noted', provider, isAway };
    }
    return {
      ...shared,
      kind: 'keys-dropped',
      tenant: drop.tenantId,
      key: drop.kind === 'tenant' ? drop.keyId : drop.shredKeyId,
    };
  }

  #require(): Caller {
    if (this.#caller === undefined) throw leaseExpired();
    return this.#caller;
  }

  /** The slot of a tenant; taken before anything is asked, so that a drop always finds it. */
  #slotOf(tenantId: TenantId): number {
    const known = this.#slots.get(tenantId);
    if (known !== undefined) return known;
    const slot = this.#slots.size;
    if (slot >= SLOTS_COUNT_MAX) {
      throw new KeysError('KEYS_SERVICE_UNAVAILABLE', 'this process serves too many tenants');
    }
    this.#slots.set(tenantId, slot);
    return slot;
  }

  #isStale(name: string, revision: number): boolean {
    return (this.#droppedAt.get(name) ?? 0) > revision;
  }

  async openTenant(tenantId: TenantId): Promise<OpenedTenant> {
    const slot = this.#slotOf(tenantId);
    try {
      for (let attempt = 0; attempt < OPEN_ATTEMPTS_COUNT_MAX; attempt += 1) {
        const caller = this.#require();
        const material = await this.#options.service.openTenant(caller, tenantId);
        // INVARIANT: keys that a drop has overtaken, or that were had under a lost lease, are not used.
        const { revision, gateName } = material;
        if (this.#caller !== caller || this.#isStale(tenantId, revision)) continue;
        if (this.#isStale(toGateName(gateName), revision)) continue;
        this.#options.view.setSlot(slot, SLOT_ENABLED);
        return { slot, material };
      }
      throw leaseExpired();
    } catch (error) {
      if (!(error instanceof KeysError)) throw error;
      if (error.code === 'KEYS_CUSTOMER_KEY_DISABLED') {
        this.#options.view.setSlot(slot, SLOT_DISABLED);
      }
      return { slot, problem: toLinkProblem(error) };
    }
  }

  async openShredKeys(tenantId: TenantId, shredKeyIds: readonly KeyId[]): Promise<OpenedShredKeys> {
    const { opened, lost } = await this.#options.service.openShredKeys(this.#require(), {
      tenantId,
      shredKeyIds,
    });
    return { opened: this.#fresh(tenantId, opened), lost };
  }

  async reserve(tenantId: TenantId, count: number): Promise<readonly ReservedMaterial[]> {
    const reserved = await this.#options.service.reserve(this.#require(), { tenantId, count });
    return this.#fresh(tenantId, reserved);
  }

  #fresh<T extends WrappingMaterial>(tenantId: TenantId, material: readonly T[]): readonly T[] {
    return material.filter(
      ({ shredKeyId, revision }) =>
        !this.#isStale(shredKeyId, revision) && !this.#isStale(tenantId, revision),
    );
  }

  async openIndexKey(tenantId: TenantId, field: IndexField): Promise<KeyObject> {
    const opened = await this.#options.service.openIndexKey(this.#require(), { tenantId, field });
    if (this.#isStale(tenantId, opened.revision)) throw leaseExpired();
    return opened.key;
  }
}

const toGateName = (gateName: string): string => `provider/${gateName}`;

/** What a drop is about, by one name. */
function toDropName(drop: Drop): string {
  switch (drop.kind) {
    case 'tenant':
      return drop.tenantId;
    case 'shred-key':
      return drop.shredKeyId;
    case 'provider':
      return toGateName(drop.gateName);
  }
}
