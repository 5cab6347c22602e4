// SPDX-License-Identifier: Apache-2.0
// Tenants' keys in the key service: unwrapped by the customer key's provider, kept no longer than the
// tenant's staleness allows, let go when the key is disabled here or there. There is no fallback to
// another key, and no second limit on top of the staleness.
import type { KeyObject } from 'node:crypto';
import {
  type CellId,
  type Clock,
  isCoded,
  type KeyId,
  type Random,
  type TenantId,
} from '@bailiwick/kernel';
import {
  type CustomerKeyRow,
  createKey,
  type ErasableStore,
  type ErasureRow,
  type KeyRequestStore,
  type KeyRotationStore,
  type KeyState,
  type KeyStateStore,
  KeysError,
  type SecretRow,
  type TenantKeyRow,
} from '@bailiwick/keys';
import type { IndexField, KeyTerms } from './api.ts';
import { Hierarchy, newestOf, type TenantKey, unreadable } from './hierarchy.ts';
import type { Custody as CustodyKind } from './providers/open-provider.ts';
import type { GatedProvider, ProviderRegistry } from './providers/provider-registry.ts';
import { type FreshUntil, toFreshUntil, toStalenessMs } from './staleness.ts';

/** Tenants whose keys are kept ready. */
const TENANTS_COUNT_MAX = 16_384;
/** What the provider refused is not asked again for this long, whoever asks. */
const REFUSED_MS = 1_000;
/** After a refresh that failed, where the gate is open. */
const RETRY_MS = 500;

export interface CustodyPorts {
  readonly cellId: CellId;
  readonly clock: Clock;
  readonly random: Random;
  readonly store: KeyStateStore;
  readonly rotations: KeyRotationStore;
  readonly requests: KeyRequestStore;
  readonly providers: ProviderRegistry;
  readonly erasable: ErasableStore;
  /** Longest staleness of any tenant here (`keyService.maxStalenessMs`). */
  readonly stalenessMsMax: number;
  /**
   * Copies what an erasure wrapped anew out of the database; called before the old shred keys are
   * destroyed, so that losing the database afterwards loses nobody else.
   */
  readonly copyRewraps?: (erasure: ErasureRow) => Promise<void>;
}

/** A tenant's keys, open. */
export interface OpenTenant {
  readonly customerKeyId: KeyId;
  readonly tenantKeys: readonly TenantKey[];
  readonly factsKey: KeyObject;
  readonly idKey: KeyObject;
  /** Names the provider's gate. */
  readonly gateName: string;
  /** False while the provider is away: what is open is read until the staleness ends, and no more. */
  readonly canSeal: boolean;
  /** The staleness is 0: these keys are for one use. */
  readonly isSingleUse: boolean;
}

/** What is kept of an open tenant. */
interface Kept {
  readonly open: Omit<OpenTenant, 'canSeal'>;
  readonly rows: readonly TenantKeyRow[];
  readonly provider: GatedProvider;
  fresh: FreshUntil;
  isRefreshing: boolean;
}

const REFUSALS = [
  'KEYS_CUSTOMER_KEY_DISABLED',
  'KEYS_CUSTOMER_KEY_UNKNOWN',
  'KEYS_KEY_UNREADABLE',
  'KEYS_PROVIDER_MISCONFIGURED',
] as const;

const isRefusal = (error: unknown): boolean => REFUSALS.some((code) => isCoded(error, code));

const RANK: Readonly<Record<CustodyKind, number>> = { cell: 0, customer: 1, 'hold-your-own': 2 };

/** Opens, makes and drops the keys of tenants. */
export class Custody {
  readonly hierarchy: Hierarchy;
  readonly #ports: CustodyPorts;
  /** Told when a tenant's keys must no longer be used anywhere. */
  readonly #onLost: (tenantId: TenantId, customerKeyId: KeyId) => void;
  readonly #rows = new Map<TenantId, CustomerKeyRow>();
  readonly #kept = new Map<TenantId, Kept>();
  readonly #opening = new Map<TenantId, Promise<OpenTenant>>();
  readonly #refused = new Map<TenantId, { readonly untilMs: number; readonly error: unknown }>();
  /** Tenants whose keys could not be made yet. */
  readonly #wanted = new Map<TenantId, { readonly terms: KeyTerms; againAtMs: number }>();

  constructor(ports: CustodyPorts, onLost: (tenantId: TenantId, customerKeyId: KeyId) => void) {
    this.#ports = ports;
    this.#onLost = onLost;
    this.hierarchy = new Hierarchy(ports);
  }

  async load(): Promise<void> {
    for (const row of await this.#ports.store.listCustomerKeys()) this.#rows.set(row.tenantId, row);
  }

  get openCount(): number {
    return this.#kept.size;
  }

  /** After the state is durable. */
  setState(tenantId: TenantId, state: KeyState): void {
    const row = this.#rows.get(tenantId);
    if (row !== undefined) this.#rows.set(tenantId, { ...row, state });
    if (state !== 'enabled') this.#forget(tenantId);
  }

  /** After a tenant's row was changed: what is open is let go, so that all begin anew with what holds now. */
  async reload(tenantId: TenantId): Promise<CustomerKeyRow> {
    const row = await this.#ports.store.findCustomerKey(tenantId);
    if (row === undefined) throw tenantUnknown();
    this.#rows.set(tenantId, row);
    this.#lose(tenantId);
    return row;
  }

  #forget(tenantId: TenantId): void {
    this.#kept.delete(tenantId);
    this.#opening.delete(tenantId);
    this.#refused.delete(tenantId);
  }

  /** Takes a tenant's keys back from every process. */
  #lose(tenantId: TenantId): void {
    const row = this.#rows.get(tenantId);
    this.#forget(tenantId);
    if (row !== undefined) this.#onLost(tenantId, row.keyId);
  }

  /** @throws {KeysError} `KEYS_TENANT_UNKNOWN`, `KEYS_CUSTOMER_KEY_DISABLED` */
  assertEnabled(tenantId: TenantId): CustomerKeyRow {
    const row = this.rowOf(tenantId);
    if (row.state !== 'enabled') {
      throw new KeysError('KEYS_CUSTOMER_KEY_DISABLED', 'the customer has disabled the key');
    }
    return row;
  }

  /** @throws {KeysError} `KEYS_TENANT_UNKNOWN` */
  rowOf(tenantId: TenantId): CustomerKeyRow {
    const row = this.#rows.get(tenantId);
    if (row === undefined) throw tenantUnknown();
    return row;
  }

  stalenessMsOf(row: CustomerKeyRow): number {
    return toStalenessMs(row, this.#ports.stalenessMsMax);
  }

  /**
   * A tenant's keys, no older than the staleness allows; one unwrap at a time for each tenant, and one for
   * each use where the staleness is 0.
   *
   * @throws {KeysError} `KEYS_TENANT_UNKNOWN`, `KEYS_CUSTOMER_KEY_DISABLED`,
   *   `KEYS_CUSTOMER_KEY_UNKNOWN`, `KEYS_PROVIDER_UNAVAILABLE`, `KEYS_KEY_UNREADABLE`
   */
  async open(tenantId: TenantId): Promise<OpenTenant> {
    if (!this.#rows.has(tenantId)) await this.#provisionWanted(tenantId);
    const row = this.assertEnabled(tenantId);
    const isSingleUse = this.stalenessMsOf(row) === 0;
    const kept = this.#kept.get(tenantId);
    if (kept !== undefined && this.#ports.clock.monotonicMs() < kept.fresh.giveUpAtMs) {
      return toOpen(kept);
    }
    const refused = this.#refused.get(tenantId);
    if (refused !== undefined) {
      if (this.#ports.clock.monotonicMs() < refused.untilMs) throw refused.error;
      this.#refused.delete(tenantId);
    }
    const opened = await (isSingleUse ? this.#unwrap(tenantId) : this.#openOnce(tenantId));
    // The state may have changed while the provider was asked.
    this.assertEnabled(tenantId);
    return opened;
  }

  #openOnce(tenantId: TenantId): Promise<OpenTenant> {
    const underway = this.#opening.get(tenantId);
    if (underway !== undefined) return underway;
    const opening = this.#unwrap(tenantId).finally(() => {
      if (this.#opening.get(tenantId) === opening) this.#opening.delete(tenantId);
    });
    this.#opening.set(tenantId, opening);
    return opening;
  }

  /** Asks the provider for all of a tenant's keys. */
  async #unwrap(tenantId: TenantId): Promise<OpenTenant> {
    const { store } = this.#ports;
    const [customerKey, rows, secrets] = await Promise.all([
      store.findCustomerKey(tenantId),
      store.listTenantKeys(tenantId),
      store.listSecrets(tenantId),
    ]);
    if (customerKey === undefined || rows.length === 0) throw tenantUnknown();
    const provider = await this.#ports.providers.find(tenantId, customerKey.providerName);
    try {
      const { tenantKeys, startedAtMs } = await this.#ask(provider, rows, { isBackground: false });
      const secretOf = (kind: SecretRow['kind']): Promise<KeyObject> => {
        const row = secrets.find((one) => one.kind === kind && one.name === '');
        if (row === undefined) throw unreadable(`the tenant has no \`${kind}\``);
        return this.hierarchy.openSecret(row, tenantKeys);
      };
      const [factsKey, idKey] = [await secretOf('facts-key'), await secretOf('id-key')];
      const stalenessMs = this.stalenessMsOf(customerKey);
      const kept: Kept = {
        open: {
          customerKeyId: customerKey.keyId,
          tenantKeys,
          factsKey,
          idKey,
          gateName: provider.gateName,
          isSingleUse: stalenessMs === 0,
        },
        rows,
        provider,
        fresh: toFreshUntil(startedAtMs, stalenessMs, this.#share()),
        isRefreshing: false,
      };
      if (stalenessMs > 0 && this.#rows.get(tenantId)?.state === 'enabled')
        this.#keep(tenantId, kept);
      return toOpen(kept);
    } catch (error) {
      if (isRefusal(error)) {
        const untilMs = this.#ports.clock.monotonicMs() + REFUSED_MS * (0.5 + this.#share());
        this.#refused.set(tenantId, { untilMs, error });
      }
      throw error;
    }
  }

  #keep(tenantId: TenantId, kept: Kept): void {
    if (this.#kept.size >= TENANTS_COUNT_MAX) {
      // SECURITY: what is no longer asked for must not be used any more either.
      const [oldest] = this.#kept.keys();
      if (oldest !== undefined) this.#lose(oldest);
    }
    this.#kept.set(tenantId, kept);
  }

  /** Between 0 and 1. */
  #share(): number {
    return (this.#ports.random.bytes(1)[0] ?? 0) / 256;
  }

  /** Unwraps tenant keys when it is their turn. The time counts from before the first question was sent. */
  #ask(
    { gate, provider }: GatedProvider,
    rows: readonly TenantKeyRow[],
    options: { readonly isBackground: boolean },
  ): Promise<{ readonly tenantKeys: readonly TenantKey[]; readonly startedAtMs: number }> {
    return gate.ask(async () => {
      const startedAtMs = this.#ports.clock.monotonicMs();
      const tenantKeys: TenantKey[] = [];
      for (const row of rows) {
        const context = this.hierarchy.tenantKeyContext(row);
        const key = await provider.unwrap(row.customerKeyId, row.wrap, context);
        tenantKeys.push({ keyId: row.keyId, version: row.version, key });
      }
      return { tenantKeys, startedAtMs };
    }, options);
  }

  /**
   * Looks after what is open: asks again ahead of the staleness, and gives up what was not answered in
   * time. Called each `CUSTODY_TICK_MS`; does not wait for providers.
   */
  tick(): void {
    const nowMs = this.#ports.clock.monotonicMs();
    for (const [tenantId, kept] of this.#kept) {
      if (nowMs >= kept.fresh.giveUpAtMs) {
        this.#lose(tenantId);
      } else if (
        nowMs >= kept.fresh.refreshAtMs &&
        !kept.isRefreshing &&
        kept.provider.gate.isOpenForBackground
      ) {
        kept.isRefreshing = true;
        void this.#refresh(tenantId, kept);
      }
    }
  }

  /** One question for the newest key under each customer key: whoever answers still has it. */
  async #refresh(tenantId: TenantId, kept: Kept): Promise<void> {
    const newest = new Map(kept.rows.map((row) => [row.customerKeyId, row]));
    try {
      const answer = await this.#ask(kept.provider, [...newest.values()], { isBackground: true });
      const isSame = answer.tenantKeys.every(({ version, key }) =>
        kept.open.tenantKeys.some((one) => one.version === version && one.key.equals(key)),
      );
      if (!isSame) throw unreadable('the provider gave another key than before');
      if (this.#kept.get(tenantId) !== kept) return;
      const row = this.assertEnabled(tenantId);
      kept.fresh = toFreshUntil(answer.startedAtMs, this.stalenessMsOf(row), this.#share());
      // The map stays in the order of the questions: the most urgent are looked at first.
      this.#kept.delete(tenantId);
      this.#kept.set(tenantId, kept);
    } catch (error) {
      if (this.#kept.get(tenantId) !== kept) return;
      if (isRefusal(error)) this.#lose(tenantId);
      const againAtMs = this.#ports.clock.monotonicMs() + RETRY_MS * (0.5 + this.#share());
      kept.fresh = { ...kept.fresh, refreshAtMs: againAtMs };
    } finally {
      kept.isRefreshing = false;
    }
  }

  async #provisionWanted(tenantId: TenantId): Promise<void> {
    const wanted = this.#wanted.get(tenantId);
    const nowMs = this.#ports.clock.monotonicMs();
    if (wanted === undefined || nowMs < wanted.againAtMs) return;
    wanted.againAtMs = nowMs + REFUSED_MS;
    await this.provision(tenantId, wanted.terms);
  }

  /**
   * Makes a tenant's first keys, each wrapped before it is stored; for a tenant that has keys, takes over
   * what its terms say. Keys that cannot be made now are made at their first use.
   */
  async provision(tenantId: TenantId, terms: KeyTerms = {}): Promise<void> {
    const row = this.#rows.get(tenantId);
    if (row !== undefined) {
      const { stalenessMsMax } = terms;
      if (row.termsStalenessMs === stalenessMsMax) return;
      await this.#ports.store.setStaleness(tenantId, { termsStalenessMs: stalenessMsMax ?? null });
      await this.reload(tenantId);
      return;
    }
    this.#wanted.set(tenantId, {
      terms,
      againAtMs: this.#ports.clock.monotonicMs() + REFUSED_MS,
    });
    await this.#create(tenantId, terms);
    // Whoever was first, what is stored now holds.
    const stored = await this.#ports.store.findCustomerKey(tenantId);
    if (stored === undefined) return;
    this.#rows.set(tenantId, stored);
    this.#wanted.delete(tenantId);
  }

  async #create(tenantId: TenantId, terms: KeyTerms): Promise<void> {
    const { clock, providers, store } = this.#ports;
    const nowMs = clock.nowMs();
    const found = await providers.find(tenantId, providers.homeOf(tenantId));
    assertCustody(found, terms);
    const customerKey: CustomerKeyRow = {
      tenantId,
      keyId: this.hierarchy.newKeyId(),
      version: 1,
      provider: found.provider.kind,
      providerName: found.name,
      state: 'enabled',
      isFinal: false,
      stalenessMs: undefined,
      termsStalenessMs: terms.stalenessMsMax,
      createdAtMs: nowMs,
      changedAtMs: nowMs,
    };
    const tenantKey: TenantKey = { keyId: this.hierarchy.newKeyId(), version: 1, key: createKey() };
    const row = {
      tenantId,
      keyId: tenantKey.keyId,
      version: 1,
      customerKeyId: customerKey.keyId,
      createdAtMs: nowMs,
    };
    const wrap = await this.wrapUnder(found, row, tenantKey.key);
    const secrets = [
      await this.hierarchy.storeSecret(
        { tenantId, kind: 'facts-key', name: '', version: 1 },
        tenantKey,
      ),
      await this.hierarchy.storeSecret(
        { tenantId, kind: 'id-key', name: '', version: 1 },
        tenantKey,
      ),
    ];
    await store.insertTenant({ customerKey, tenantKey: { ...row, wrap }, secrets });
  }

  /** Wraps a tenant key under a customer key, which is made first where this provider makes keys. */
  async wrapUnder(
    { gate, provider }: GatedProvider,
    row: Omit<TenantKeyRow, 'wrap'>,
    key: KeyObject,
  ): Promise<Buffer> {
    return gate.ask(
      async () => {
        await provider.ensureKey(row.customerKeyId);
        return provider.wrap(row.customerKeyId, key, this.hierarchy.tenantKeyContext(row));
      },
      { isBackground: false },
    );
  }

  /** The index key of a field, made at its first use. */
  async openIndexKey(tenantId: TenantId, field: IndexField): Promise<KeyObject> {
    const tenant = await this.open(tenantId);
    const name = `${field.collectionId}/${field.field}`;
    const find = async (): Promise<SecretRow | undefined> =>
      (await this.#ports.store.listSecrets(tenantId)).find(
        (row) => row.kind === 'index-key' && row.name === name && row.version === field.version,
      );
    const known = await find();
    if (known !== undefined) return this.hierarchy.openSecret(known, tenant.tenantKeys);
    const made = await this.hierarchy.storeSecret(
      { tenantId, kind: 'index-key', name, version: field.version },
      newestOf(tenant),
    );
    await this.#ports.store.insertSecret(made);
    const stored = await find();
    if (stored === undefined) throw unreadable('an index key was not stored');
    return this.hierarchy.openSecret(stored, tenant.tenantKeys);
  }
}

function tenantUnknown(): KeysError {
  return new KeysError('KEYS_TENANT_UNKNOWN', 'the tenant has no keys in this cell');
}

const toOpen = ({ open, provider }: Kept): OpenTenant => ({
  ...open,
  canSeal: !provider.gate.isAway,
});

/** @throws {KeysError} `KEYS_PROVIDER_MISCONFIGURED` when the contract asks for more than the provider is */
export function assertCustody(found: GatedProvider, { custody }: KeyTerms): void {
  if (custody === undefined || RANK[found.custody] >= RANK[custody]) return;
  throw new KeysError(
    'KEYS_PROVIDER_MISCONFIGURED',
    `contract terms ask for a key held by \`${custody}\`, the provider is \`${found.custody}\``,
  );
}
