// SPDX-License-Identifier: Apache-2.0
// Custody without a database or a provider, for tests that need ten thousand tenants or a stepped clock:
// real wraps and the real gate over maps in memory, and a provider whose faults are told.
import { randomUUID } from 'node:crypto';
import { type KeyId, parseCellId, parseTenantId, type TenantId } from '@bailiwick/kernel';
import {
  type CustomerKeyProvider,
  type CustomerKeyRow,
  createKey,
  type ErasableStore,
  type KeyRequestStore,
  type KeyRotationStore,
  type KeyStateStore,
  KeysError,
  type SecretRow,
  type TenantKeyRow,
  unwrapKey,
  wrapKey,
} from '@bailiwick/keys';
import { createFakeClock, createSeededRandom, type FakeClock } from '@bailiwick/testkit';
import { Custody } from './custody.ts';
import { createSingleRegistry } from './providers/provider-registry.ts';

export type Fault = 'none' | 'away' | 'disabled' | 'absent' | 'lies' | 'hangs';

/** A provider in memory that does as it is told. */
export interface TestProvider extends CustomerKeyProvider {
  fault: Fault;
  /** Questions under way, the most there ever were, and all. */
  readonly asked: { inFlight: number; most: number; count: number };
  /** Ends the questions that hang, as a provider that answers late. */
  release(): void;
  /** Called before each answer: lets a test move time. */
  onQuestion: () => void;
}

const gone = (): KeysError => new KeysError('KEYS_PROVIDER_UNAVAILABLE', 'provider cannot be had');

export function createTestProvider(): TestProvider {
  const keys = new Map<KeyId, ReturnType<typeof createKey>>();
  let hanging: (() => void)[] = [];
  const keyOf = (keyId: KeyId): ReturnType<typeof createKey> => {
    const key = keys.get(keyId);
    if (key === undefined || provider.fault === 'absent') {
      throw new KeysError('KEYS_CUSTOMER_KEY_UNKNOWN', 'provider has no such customer key');
    }
    return key;
  };
  const ask = async <T>(work: () => T): Promise<T> => {
    const { asked } = provider;
    asked.count += 1;
    asked.inFlight += 1;
    asked.most = Math.max(asked.most, asked.inFlight);
    try {
      provider.onQuestion();
      await Promise.resolve();
      if (provider.fault === 'hangs') await new Promise<void>((resolve) => hanging.push(resolve));
      if (provider.fault === 'away') throw gone();
      if (provider.fault === 'disabled') {
        throw new KeysError('KEYS_CUSTOMER_KEY_DISABLED', 'customer key is disabled');
      }
      return work();
    } finally {
      asked.inFlight -= 1;
    }
  };
  const provider: TestProvider = {
    kind: 'test',
    fault: 'none',
    asked: { inFlight: 0, most: 0, count: 0 },
    onQuestion: () => undefined,
    release() {
      for (const resolve of hanging) resolve();
      hanging = [];
    },
    async ensureKey(keyId) {
      if (!keys.has(keyId)) keys.set(keyId, createKey());
    },
    findStatus: async (keyId) => (keys.has(keyId) ? 'enabled' : 'absent'),
    wrap: (keyId, key, context) => ask(() => wrapKey(keyOf(keyId), key, context)),
    unwrap: (keyId, wrap, context) =>
      ask(() => (provider.fault === 'lies' ? createKey() : unwrapKey(keyOf(keyId), wrap, context))),
  };
  return provider;
}

function createMemoryStore(): KeyStateStore {
  const customers = new Map<TenantId, CustomerKeyRow>();
  const tenants = new Map<TenantId, TenantKeyRow[]>();
  const secrets = new Map<TenantId, SecretRow[]>();
  const store: Partial<KeyStateStore> = {
    listCustomerKeys: async () => [...customers.values()],
    findCustomerKey: async (tenantId) => customers.get(tenantId),
    listTenantKeys: async (tenantId) => tenants.get(tenantId) ?? [],
    listSecrets: async (tenantId) => secrets.get(tenantId) ?? [],
    async insertTenant(tenant) {
      const { tenantId } = tenant.customerKey;
      if (customers.has(tenantId)) return false;
      customers.set(tenantId, tenant.customerKey);
      tenants.set(tenantId, [tenant.tenantKey]);
      secrets.set(tenantId, [...tenant.secrets]);
      return true;
    },
    async setStaleness(tenantId, { stalenessMs, termsStalenessMs }) {
      const row = customers.get(tenantId);
      if (row === undefined) return;
      customers.set(tenantId, {
        ...row,
        stalenessMs: stalenessMs ?? row.stalenessMs,
        termsStalenessMs:
          termsStalenessMs === undefined ? row.termsStalenessMs : (termsStalenessMs ?? undefined),
      });
    },
  };
  // What custody does not ask for is not there, and fails loudly.
  return store as KeyStateStore;
}

function createMemoryErasable(): ErasableStore {
  const objects = new Map<string, Buffer>();
  return {
    replicas: [],
    isExtractable: true,
    put: async ({ objectId }, bytes) => void objects.set(objectId, Buffer.from(bytes)),
    find: async ({ objectId }) => objects.get(objectId),
    destroy: async ({ objectId }) => {
      objects.delete(objectId);
      return [];
    },
  };
}

export interface TestCustody {
  readonly custody: Custody;
  readonly provider: TestProvider;
  readonly clock: FakeClock;
  /** Tenants whose keys had to be given up, in order, with when. */
  readonly lost: { readonly tenantId: TenantId; readonly atMs: number }[];
  readonly modes: boolean[];
  addTenant(stalenessMs?: number): Promise<TenantId>;
  /** Moves time in the custody's own ticks, and lets what was begun get on. */
  pass(ms: number): Promise<void>;
}

export const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export function createTestCustody(stalenessMsMax = 60_000): TestCustody {
  const clock = createFakeClock();
  const random = createSeededRandom('custody');
  const provider = createTestProvider();
  const lost: TestCustody['lost'] = [];
  const modes: boolean[] = [];
  const providers = createSingleRegistry({ clock, random }, provider);
  const ports = {
    cellId: parseCellId('eu-de/main'),
    clock,
    random,
    store: createMemoryStore(),
    // Custody alone asks neither.
    rotations: {} as KeyRotationStore,
    requests: {} as KeyRequestStore,
    providers,
    erasable: createMemoryErasable(),
    stalenessMsMax,
  };
  const custody = new Custody(ports, (tenantId) =>
    lost.push({ tenantId, atMs: clock.monotonicMs() }),
  );
  providers.onMode((_gateName, isAway) => modes.push(isAway));
  return {
    custody,
    provider,
    clock,
    lost,
    modes,
    async addTenant(stalenessMs) {
      const tenantId = parseTenantId(randomUUID());
      await custody.provision(
        tenantId,
        stalenessMs === undefined ? {} : { stalenessMsMax: stalenessMs },
      );
      return tenantId;
    },
    async pass(ms) {
      for (let gone = 0; gone < ms; gone += 250) {
        clock.advance(250);
        custody.tick();
        await settle();
      }
    },
  };
}

/** Custody over maps with the machine's clock and a provider of one's own, for measuring. */
export function createTimedCustody(provider: CustomerKeyProvider): {
  readonly custody: Custody;
  /** What is added to the machine's clock. */
  readonly clock: { shiftMs: number };
  addTenant(): Promise<TenantId>;
} {
  const clock = {
    shiftMs: 0,
    nowMs: () => Date.now(),
    monotonicMs: () => performance.now() + clock.shiftMs,
  };
  const random = createSeededRandom('timed custody');
  const ports = {
    cellId: parseCellId('eu-de/main'),
    clock,
    random,
    store: createMemoryStore(),
    rotations: {} as KeyRotationStore,
    requests: {} as KeyRequestStore,
    providers: createSingleRegistry({ clock, random }, provider),
    erasable: createMemoryErasable(),
    stalenessMsMax: 60_000,
  };
  const custody = new Custody(ports, () => undefined);
  return {
    custody,
    clock,
    async addTenant() {
      const tenantId = parseTenantId(randomUUID());
      await custody.provision(tenantId);
      return tenantId;
    },
  };
}
