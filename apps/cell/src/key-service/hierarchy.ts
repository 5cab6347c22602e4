// SPDX-License-Identifier: Apache-2.0
// Keys below the customer key: what each wrap is bound to, and how secrets and shred keys are made and
// opened. No provider is asked here; whoever calls holds the tenant's keys open.
import type { KeyObject } from 'node:crypto';
import {
  type CellId,
  type Clock,
  createUuidV7,
  type KeyId,
  parseKeyId,
  type Random,
  type TenantId,
} from '@bailiwick/kernel';
import {
  createKey,
  deriveSubjectWrappingKey,
  type ErasableStore,
  KeysError,
  type SecretRow,
  type ShredKeyRow,
  type TenantKeyRow,
  unwrapKey,
  type WrapContext,
  wrapKey,
} from '@bailiwick/keys';

/** A tenant key, open. */
export interface TenantKey {
  readonly keyId: KeyId;
  readonly version: number;
  readonly key: KeyObject;
}

export interface HierarchyPorts {
  readonly cellId: CellId;
  readonly clock: Clock;
  readonly random: Random;
  readonly erasable: ErasableStore;
}

/** The failure of a key that cannot be read. */
export function unreadable(problem: string): KeysError {
  return new KeysError('KEYS_KEY_UNREADABLE', problem);
}

/** @throws {KeysError} `KEYS_KEY_UNREADABLE` */
export function versionOf(tenantKeys: readonly TenantKey[], version: number): TenantKey {
  const found = tenantKeys.find((one) => one.version === version);
  if (found === undefined) throw unreadable('a version of the tenant key is missing');
  return found;
}

/** The tenant key that wraps what is new. */
export function newestOf(open: { readonly tenantKeys: readonly TenantKey[] }): TenantKey {
  const newest = open.tenantKeys.at(-1);
  if (newest === undefined) throw unreadable('the tenant has no tenant key');
  return newest;
}

/** Makes and opens what lies below tenant keys. */
export class Hierarchy {
  readonly #ports: HierarchyPorts;

  constructor(ports: HierarchyPorts) {
    this.#ports = ports;
  }

  newKeyId(): KeyId {
    return parseKeyId(createUuidV7(this.#ports));
  }

  tenantKeyContext(
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

  async openSecret(row: SecretRow, tenantKeys: readonly TenantKey[]): Promise<KeyObject> {
    const name = { tenantId: row.tenantId, objectId: row.keyId };
    const wrap = row.wrap ?? (await this.#ports.erasable.find(name));
    if (wrap === undefined) throw unreadable(`the erasable store has lost a \`${row.kind}\``);
    const tenantKey = versionOf(tenantKeys, row.tenantKeyVersion);
    return unwrapKey(tenantKey.key, wrap, this.#secretContext(row, tenantKey));
  }

  /**
   * Wraps a secret, new unless it is given, and puts it where it belongs: facts keys into the database,
   * others into the erasable store.
   */
  async storeSecret(
    made: Pick<SecretRow, 'tenantId' | 'kind' | 'name' | 'version'>,
    tenantKey: TenantKey,
    key: KeyObject = createKey(),
  ): Promise<SecretRow> {
    const row: SecretRow = {
      tenantId: made.tenantId,
      kind: made.kind,
      name: made.name,
      version: made.version,
      keyId: this.newKeyId(),
      tenantKeyVersion: tenantKey.version,
      wrap: undefined,
    };
    const wrap = wrapKey(tenantKey.key, key, this.#secretContext(row, tenantKey));
    if (row.kind === 'facts-key') return { ...row, wrap };
    await this.#ports.erasable.put({ tenantId: row.tenantId, objectId: row.keyId }, wrap);
    return row;
  }

  #wrappingKey(row: ShredKeyRow, keys: { tenantKey: KeyObject; shredKey: KeyObject }): KeyObject {
    return deriveSubjectWrappingKey(keys, { cellId: this.#ports.cellId, ...row });
  }

  /** A new shred key, durable in every replica before it is used; the caller writes its row. */
  async createShredKey(
    tenantId: TenantId,
    tenantKey: TenantKey,
  ): Promise<{ readonly row: ShredKeyRow; readonly wrappingKey: KeyObject }> {
    const row: ShredKeyRow = {
      tenantId,
      shredKeyId: this.newKeyId(),
      tenantKeyId: tenantKey.keyId,
      tenantKeyVersion: tenantKey.version,
    };
    const shredKey = createKey();
    const wrap = wrapKey(tenantKey.key, shredKey, this.#shredKeyContext(row));
    await this.#ports.erasable.put({ tenantId: row.tenantId, objectId: row.shredKeyId }, wrap);
    return { row, wrappingKey: this.#wrappingKey(row, { tenantKey: tenantKey.key, shredKey }) };
  }

  /** The key that wraps the subject keys of a bucket. */
  async openShredKey(row: ShredKeyRow, tenantKeys: readonly TenantKey[]): Promise<KeyObject> {
    const name = { tenantId: row.tenantId, objectId: row.shredKeyId };
    const wrap = await this.#ports.erasable.find(name);
    if (wrap === undefined) throw unreadable('the erasable store has lost a shred key');
    const tenantKey = versionOf(tenantKeys, row.tenantKeyVersion).key;
    const shredKey = unwrapKey(tenantKey, wrap, this.#shredKeyContext(row));
    return this.#wrappingKey(row, { tenantKey, shredKey });
  }
}
