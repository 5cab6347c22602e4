// SPDX-License-Identifier: Apache-2.0
// Tenants' keys in the key service: unwrapped by the customer key's provider, kept for a bounded time,
// let go when the key is disabled. There is no fallback to another key.
import type { KeyObject } from 'node:crypto';
import {
  type CellId,
  type Clock,
  createUuidV7,
  isCoded,
  type KeyId,
  parseKeyId,
  type Random,
  type TenantId,
} from '@bailiwick/kernel';
import {
  type CustomerKeyProvider,
  type CustomerKeyRow,
  createKey,
  deriveSubjectWrappingKey,
  type ErasableStore,
  type KeyState,
  type KeyStateStore,
  KeysError,
  type SecretRow,
  type ShredKeyRow,
  type TenantKeyRow,
  unwrapKey,
  type WrapContext,
  wrapKey,
} from '@bailiwick/keys';
import type { IndexField } from './api.ts';

/** Longest time from the start of the last successful unwrap to the last use (DESIGN: default 60 s). */
export const STALENESS_MS_MAX = 60_000;
/** Tenants whose keys are kept ready. */
const TENANTS_COUNT_MAX = 10_000;

export interface CustodyPorts {
  readonly cellId: CellId;
  readonly clock: Clock;
  readonly random: Random;
  readonly store: KeyStateStore;
  readonly provider: CustomerKeyProvider;
  readonly erasable: ErasableStore;
}

/** A tenant's keys, open. */
export interface OpenTenant {
  readonly customerKeyId: KeyId;
  readonly tenantKeys: readonly {
    readonly keyId: KeyId;
    readonly version: number;
    readonly key: KeyObject;
  }[];
  readonly factsKey: KeyObject;
  readonly idKey: KeyObject;
  /** Monotonic instant at which the unwrap began. */
  readonly startedAtMs: number;
}

type TenantKey = OpenTenant['tenantKeys'][number];

/** Opens, makes and drops the keys of tenants. */
export class Custody {
  readonly #ports: CustodyPorts;
  /** Told when a tenant's keys can no longer be had from the provider. */
  readonly #onLost: (tenantId: TenantId, customerKeyId: KeyId) => void;
  readonly #states = new Map<TenantId, KeyState>();
  readonly #open = new Map<TenantId, OpenTenant>();
  readonly #opening = new Map<TenantId, Promise<OpenTenant>>();

  constructor(ports: CustodyPorts, onLost: (tenantId: TenantId, customerKeyId: KeyId) => void) {
    this.#ports = ports;
    this.#onLost = onLost;
  }

  async load(): Promise<void> {
    for (const row of await this.#ports.store.listCustomerKeys()) {
      this.#states.set(row.tenantId, row.state);
    }
  }

  /** After the state is durable. */
  setState(tenantId: TenantId, state: KeyState): void {
    this.#states.set(tenantId, state);
    if (state !== 'enabled') this.#forget(tenantId);
  }

  #forget(tenantId: TenantId): void {
    this.#open.delete(tenantId);
    this.#opening.delete(tenantId);
  }

  /** @throws {KeysError} `KEYS_TENANT_UNKNOWN`, `KEYS_CUSTOMER_KEY_DISABLED` */
  assertEnabled(tenantId: TenantId): void {
    const state = this.#states.get(tenantId);
    if (state === undefined) {
      throw new KeysError('KEYS_TENANT_UNKNOWN', 'the tenant has no keys in this cell');
    }
    if (state !== 'enabled') {
      throw new KeysError('KEYS_CUSTOMER_KEY_DISABLED', 'the customer has disabled the key');
    }
  }

  /**
   * A tenant's keys, no older than the staleness allows; one unwrap at a time for each tenant.
   *
   * @throws {KeysError} `KEYS_TENANT_UNKNOWN`, `KEYS_CUSTOMER_KEY_DISABLED`,
   *   `KEYS_PROVIDER_UNAVAILABLE`, `KEYS_KEY_UNREADABLE`
   */
  async open(tenantId: TenantId): Promise<OpenTenant> {
    this.assertEnabled(tenantId);
    const ready = this.#open.get(tenantId);
    if (ready !== undefined && this.#ageMs(ready) < STALENESS_MS_MAX) return ready;
    const opened = await this.#refresh(tenantId);
    // The state may have changed while the provider was asked.
    this.assertEnabled(tenantId);
    return opened;
  }

  #ageMs(tenant: OpenTenant): number {
    return this.#ports.clock.monotonicMs() - tenant.startedAtMs;
  }

  #refresh(tenantId: TenantId): Promise<OpenTenant> {
    const underway = this.#opening.get(tenantId);
    if (underway !== undefined) return underway;
    const opening = this.#unwrap(tenantId)
      .then((opened) => {
        if (this.#states.get(tenantId) === 'enabled') {
          if (this.#open.size >= TENANTS_COUNT_MAX) this.#forgetOldest();
          this.#open.set(tenantId, opened);
        }
        return opened;
      })
      .finally(() => {
        if (this.#opening.get(tenantId) === opening) this.#opening.delete(tenantId);
      });
    this.#opening.set(tenantId, opening);
    return opening;
  }

  #forgetOldest(): void {
    const [oldest] = this.#open.keys();
    if (oldest !== undefined) this.#open.delete(oldest);
  }

  /**
   * Asks the provider again ahead of the staleness. What it no longer gives is taken back: at once when
   * the key is disabled or gone there, at the end of the staleness when it does not answer.
   */
  async refreshDue(): Promise<void> {
    for (const [tenantId, tenant] of [...this.#open]) {
      if (this.#ageMs(tenant) < STALENESS_MS_MAX / 2) continue;
      try {
        await this.#refresh(tenantId);
      } catch (error) {
        const isRefused =
          isCoded(error, 'KEYS_CUSTOMER_KEY_DISABLED') ||
          isCoded(error, 'KEYS_CUSTOMER_KEY_UNKNOWN') ||
          isCoded(error, 'KEYS_KEY_UNREADABLE');
        if (!isRefused && this.#ageMs(tenant) < STALENESS_MS_MAX - 2_000) continue;
        this.#forget(tenantId);
        this.#onLost(tenantId, tenant.customerKeyId);
      }
    }
  }

  async #unwrap(tenantId: TenantId): Promise<OpenTenant> {
    const { clock, provider, store } = this.#ports;
    const startedAtMs = clock.monotonicMs();
    const [customerKey, rows, secrets] = await Promise.all([
      store.findCustomerKey(tenantId),
      store.listTenantKeys(tenantId),
      store.listSecrets(tenantId),
    ]);
    if (customerKey === undefined || rows.length === 0) {
      throw new KeysError('KEYS_TENANT_UNKNOWN', 'the tenant has no keys in this cell');
    }
    const tenantKeys: TenantKey[] = [];
    for (const row of rows) {
      const context = this.#tenantKeyContext(row);
      const key = await provider.unwrap(row.customerKeyId, row.wrap, context);
      tenantKeys.push({ keyId: row.keyId, version: row.version, key });
    }
    const secretOf = async (kind: SecretRow['kind']): Promise<KeyObject> => {
      const row = secrets.find((one) => one.kind === kind && one.name === '');
      if (row === undefined) throw unreadable(`the tenant has no \`${kind}\``);
      return this.#openSecret(row, tenantKeys);
    };
    const [factsKey, idKey] = [await secretOf('facts-key'), await secretOf('id-key')];
    return { customerKeyId: customerKey.keyId, tenantKeys, factsKey, idKey, startedAtMs };
  }

  #tenantKeyContext(
    row: Pick<TenantKeyRow, 'tenantId' | 'keyId' | 'version' | 'customerKeyId'>,
  ): WrapContext {
    return {
      kind: 'tenant-key',
      cellId: this.#ports.cellId,
      tenantId: row.tenantId,
      keyId: row.keyId,
      version: row.version,
      owner: row.tenantId,
      under: row.customerKeyId,
      underVersion: 1,
    };
  }

  #secretContext(row: SecretRow, tenantKey: TenantKey): WrapContext {
    return {
      kind: row.kind,
      cellId: this.#ports.cellId,
      tenantId: row.tenantId,
      keyId: row.keyId,
      version: row.version,
      owner: row.name === '' ? row.tenantId : row.name,
      under: tenantKey.keyId,
      underVersion: tenantKey.version,
    };
  }

  async #openSecret(row: SecretRow, tenantKeys: readonly TenantKey[]): Promise<KeyObject> {
    const name = { tenantId: row.tenantId, objectId: row.keyId };
    const wrap = row.wrap ?? (await this.#ports.erasable.find(name));
    if (wrap === undefined) throw unreadable(`the erasable store has lost a \`${row.kind}\``);
    const tenantKey = versionOf(tenantKeys, row.tenantKeyVersion);
    return unwrapKey(tenantKey.key, wrap, this.#secretContext(row, tenantKey));
  }

  #newKeyId(): KeyId {
    return parseKeyId(createUuidV7(this.#ports));
  }

  /** Wraps a new secret and puts it where it belongs: facts keys into the database, others erasable. */
  async #createSecret(
    made: Pick<SecretRow, 'tenantId' | 'kind' | 'name' | 'version'>,
    tenantKey: TenantKey,
  ): Promise<SecretRow> {
    const row: SecretRow = {
      ...made,
      keyId: this.#newKeyId(),
      tenantKeyVersion: tenantKey.version,
      wrap: undefined,
    };
    const wrap = wrapKey(tenantKey.key, createKey(), this.#secretContext(row, tenantKey));
    if (row.kind === 'facts-key') return { ...row, wrap };
    await this.#ports.erasable.put({ tenantId: row.tenantId, objectId: row.keyId }, wrap);
    return row;
  }

  /** Makes a tenant's first keys, each wrapped before it is stored. */
  async provision(tenantId: TenantId): Promise<void> {
    if (this.#states.has(tenantId)) return;
    const { clock, provider, store } = this.#ports;
    const nowMs = clock.nowMs();
    const customerKey: CustomerKeyRow = {
      tenantId,
      keyId: this.#newKeyId(),
      provider: provider.kind,
      state: 'enabled',
      createdAtMs: nowMs,
      changedAtMs: nowMs,
    };
    await provider.ensureKey(customerKey.keyId);
    const tenantKey: TenantKey = { keyId: this.#newKeyId(), version: 1, key: createKey() };
    const names = { tenantId, customerKeyId: customerKey.keyId, ...tenantKey };
    const wrap = await provider.wrap(
      customerKey.keyId,
      tenantKey.key,
      this.#tenantKeyContext(names),
    );
    const secrets = [
      await this.#createSecret({ tenantId, kind: 'facts-key', name: '', version: 1 }, tenantKey),
      await this.#createSecret({ tenantId, kind: 'id-key', name: '', version: 1 }, tenantKey),
    ];
    const { keyId, version, customerKeyId } = names;
    const row = { tenantId, keyId, version, customerKeyId, wrap, createdAtMs: nowMs };
    await store.insertTenant({ customerKey, tenantKey: row, secrets });
    // Whoever was first, what is stored now holds.
    const stored = await store.findCustomerKey(tenantId);
    if (stored !== undefined) this.#states.set(tenantId, stored.state);
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
    if (known !== undefined) return this.#openSecret(known, tenant.tenantKeys);
    const made = await this.#createSecret(
      { tenantId, kind: 'index-key', name, version: field.version },
      newestOf(tenant),
    );
    await this.#ports.store.insertSecret(made);
    const stored = await find();
    if (stored === undefined) throw unreadable('an index key was not stored');
    return this.#openSecret(stored, tenant.tenantKeys);
  }

  #shredKeyContext(row: ShredKeyRow): WrapContext {
    return {
      kind: 'shred-key',
      cellId: this.#ports.cellId,
      tenantId: row.tenantId,
      keyId: row.shredKeyId,
      version: 1,
      owner: row.tenantId,
      under: row.tenantKeyId,
      underVersion: row.tenantKeyVersion,
    };
  }

  #wrappingKey(row: ShredKeyRow, keys: { tenantKey: KeyObject; shredKey: KeyObject }): KeyObject {
    return deriveSubjectWrappingKey(keys, { cellId: this.#ports.cellId, ...row });
  }

  /** A new shred key, durable in every replica before it is used; the caller writes its row. */
  async createShredKey(tenant: {
    readonly tenantId: TenantId;
    readonly open: OpenTenant;
  }): Promise<{ readonly row: ShredKeyRow; readonly wrappingKey: KeyObject }> {
    const tenantKey = newestOf(tenant.open);
    const row: ShredKeyRow = {
      tenantId: tenant.tenantId,
      shredKeyId: this.#newKeyId(),
      tenantKeyId: tenantKey.keyId,
      tenantKeyVersion: tenantKey.version,
    };
    const shredKey = createKey();
    const wrap = wrapKey(tenantKey.key, shredKey, this.#shredKeyContext(row));
    await this.#ports.erasable.put({ tenantId: row.tenantId, objectId: row.shredKeyId }, wrap);
    return { row, wrappingKey: this.#wrappingKey(row, { tenantKey: tenantKey.key, shredKey }) };
  }

  /** The key that wraps the subject keys of a bucket. */
  async openShredKey(row: ShredKeyRow, open: OpenTenant): Promise<KeyObject> {
    const name = { tenantId: row.tenantId, objectId: row.shredKeyId };
    const wrap = await this.#ports.erasable.find(name);
    if (wrap === undefined) throw unreadable('the erasable store has lost a shred key');
    const tenantKey = versionOf(open.tenantKeys, row.tenantKeyVersion).key;
    const shredKey = unwrapKey(tenantKey, wrap, this.#shredKeyContext(row));
    return this.#wrappingKey(row, { tenantKey, shredKey });
  }
}

function unreadable(problem: string): KeysError {
  return new KeysError('KEYS_KEY_UNREADABLE', problem);
}

function versionOf(tenantKeys: readonly TenantKey[], version: number): TenantKey {
  const found = tenantKeys.find((one) => one.version === version);
  if (found === undefined) throw unreadable('a version of the tenant key is missing');
  return found;
}

/** The tenant key that wraps what is new. */
export function newestOf(open: OpenTenant): TenantKey {
  const newest = open.tenantKeys.at(-1);
  if (newest === undefined) throw unreadable('the tenant has no tenant key');
  return newest;
}
