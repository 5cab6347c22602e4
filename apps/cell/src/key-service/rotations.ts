// SPDX-License-Identifier: Apache-2.0
// New versions of customer keys and tenant keys. Only wraps change, never data: a customer key's turn wraps
// the tenant keys anew; a tenant key's turn wraps buckets, collection keys and secrets anew, a few at a
// time in the background, and goes on where a crash left it. What is old can be destroyed when nothing is
// under it, and not before.
import { setTimeout as wait } from 'node:timers/promises';
import { isCoded, type KeyId, parseKeyId, parseSubjectId, type TenantId } from '@bailiwick/kernel';
import {
  type CustomerKeyRow,
  createKey,
  KeysError,
  type RotationRow,
  type ShredKeyRow,
  unwrapKey,
  wrapKey,
} from '@bailiwick/keys';
import type { Drop, KeyReport } from './api.ts';
import type { Custody, CustodyPorts, OpenTenant } from './custody.ts';
import { newestOf, versionOf } from './hierarchy.ts';
import { rewrapSurvivors, toCollectionKeyContext } from './subject-key.ts';

/** Buckets between two looks at what is left. */
const BATCH_COUNT = 16;
/** Between two buckets: callers go first. */
const PAUSE_MS = 10;

export interface RotationsOptions {
  readonly ports: CustodyPorts;
  readonly custody: Custody;
  /** Has every process let go; resolves when each has. */
  readonly drop: (drop: Drop) => Promise<unknown>;
  readonly tell: (error: unknown) => void;
}

/** The rotations of a cell. */
export class Rotations {
  readonly #options: RotationsOptions;
  readonly #running = new Map<string, Promise<void>>();
  readonly #stop = new AbortController();

  constructor(options: RotationsOptions) {
    this.#options = options;
  }

  /** Takes up what a crash interrupted. */
  async resume(): Promise<void> {
    const running = await this.#options.ports.rotations.listRunning();
    for (const rotation of running) this.#follow(rotation);
  }

  /** What is under way goes on at the next start. */
  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.allSettled(this.#running.values());
  }

  /** @throws {KeysError} `KEYS_KEY_UNKNOWN` */
  async find(rotationId: string, tenantId: TenantId): Promise<RotationRow> {
    const found = await this.#options.ports.rotations.findRotation(rotationId);
    if (found?.tenantId === tenantId) return found;
    throw new KeysError('KEYS_KEY_UNKNOWN', 'no such rotation');
  }

  /**
   * Begins a rotation. A customer key's is done on return; a tenant key's goes on in the background.
   *
   * @throws {KeysError} `KEYS_ROTATION_RUNNING`, and what opening the tenant's keys throws
   */
  async begin(wanted: {
    readonly rotationId: string;
    readonly tenantId: TenantId;
    readonly kind: RotationRow['kind'];
    /** Another provider; of a customer key only. */
    readonly providerName?: string;
  }): Promise<RotationRow> {
    const { ports, custody } = this.#options;
    const { rotationId, tenantId, kind } = wanted;
    const known = await ports.rotations.findRotation(rotationId);
    if (known !== undefined) return this.find(rotationId, tenantId);
    const row = custody.assertEnabled(tenantId);
    const open = await custody.open(tenantId);
    const fromVersion = kind === 'customer-key' ? row.version : newestOf(open).version;
    const rotation: RotationRow = {
      rotationId,
      tenantId,
      kind,
      state: 'running',
      fromVersion,
      toVersion: fromVersion + 1,
      wrappedCount: 0,
      retired: [],
      startedAtMs: ports.clock.nowMs(),
      doneAtMs: undefined,
    };
    if (!(await ports.rotations.insertRotation(rotation))) {
      throw new KeysError('KEYS_ROTATION_RUNNING', 'another rotation of this tenant is under way');
    }
    if (kind === 'tenant-key') {
      this.#follow(rotation);
      return rotation;
    }
    try {
      await this.#turnCustomerKey(rotation, open, wanted.providerName ?? row.providerName);
    } catch (error) {
      // Done or failed as a whole: nothing of it is left half way.
      await ports.rotations.deleteRotation(rotationId);
      throw error;
    }
    await ports.rotations.finishRotation(rotationId, { doneAtMs: ports.clock.nowMs() });
    return this.find(rotationId, tenantId);
  }

  async #turnCustomerKey(
    rotation: RotationRow,
    open: OpenTenant,
    providerName: string,
  ): Promise<void> {
    const { ports, custody } = this.#options;
    const { tenantId } = rotation;
    const current = custody.assertEnabled(tenantId);
    const found = await ports.providers.find(tenantId, providerName);
    const next: CustomerKeyRow = {
      ...current,
      keyId: custody.hierarchy.newKeyId(),
      version: rotation.toVersion,
      provider: found.provider.kind,
      providerName,
      changedAtMs: ports.clock.nowMs(),
    };
    const wraps = new Map<number, Buffer>();
    for (const row of await ports.store.listTenantKeys(tenantId)) {
      const { key } = versionOf(open.tenantKeys, row.version);
      wraps.set(
        row.version,
        await custody.wrapUnder(found, { ...row, customerKeyId: next.keyId }, key),
      );
    }
    const isReplaced = await ports.rotations.replaceCustomerKey({
      from: current.keyId,
      next,
      wraps,
    });
    if (!isReplaced) throw new KeysError('KEYS_ROTATION_RUNNING', 'the keys changed meanwhile');
    await ports.rotations.countWrapped(rotation.rotationId, wraps.size);
    await custody.reload(tenantId);
    await this.#copy(rotation, []);
  }

  #follow(rotation: RotationRow): void {
    const following = this.#turnTenantKey(rotation)
      .catch((error: unknown) => this.#options.tell(error))
      .finally(() => this.#running.delete(rotation.rotationId));
    this.#running.set(rotation.rotationId, following);
  }

  /** Each step finds what is left by itself, so it can begin anywhere. */
  async #turnTenantKey(rotation: RotationRow): Promise<void> {
    const { ports, custody } = this.#options;
    const { tenantId, rotationId, toVersion } = rotation;
    if (rotation.kind === 'customer-key') {
      // A crash while wraps were made: nothing was replaced, or all was.
      const isReplaced = custody.rowOf(tenantId).version >= toVersion;
      if (!isReplaced) await ports.rotations.deleteRotation(rotationId);
      else await ports.rotations.finishRotation(rotationId, { doneAtMs: ports.clock.nowMs() });
      return;
    }
    if (newestOf(await custody.open(tenantId)).version < toVersion)
      await this.#addVersion(rotation);
    await this.#turnBuckets(rotation);
    await this.#turnCollectionKeys(rotation);
    await this.#turnSecrets(rotation);
    if (this.#stop.signal.aborted) return;
    await ports.rotations.finishRotation(rotationId, { doneAtMs: ports.clock.nowMs() });
  }

  async #addVersion({ tenantId, toVersion }: RotationRow): Promise<void> {
    const { ports, custody } = this.#options;
    const customer = custody.assertEnabled(tenantId);
    const row = {
      tenantId,
      keyId: custody.hierarchy.newKeyId(),
      version: toVersion,
      customerKeyId: customer.keyId,
      createdAtMs: ports.clock.nowMs(),
    };
    const found = await ports.providers.find(tenantId, customer.providerName);
    const wrap = await custody.wrapUnder(found, row, createKey());
    await ports.rotations.insertTenantKey({ ...row, wrap });
    // From here on everybody wraps what is new under the new version.
    await custody.reload(tenantId);
    await this.#options.drop({ kind: 'tenant', tenantId, keyId: customer.keyId });
  }

  async #turnBuckets({ rotationId, tenantId, toVersion }: RotationRow): Promise<void> {
    const { ports } = this.#options;
    const below = { version: toVersion, count: BATCH_COUNT };
    for (;;) {
      await this.#destroyRetired(rotationId, tenantId);
      const buckets = await ports.rotations.listOldShredKeys(tenantId, below);
      if (buckets.length === 0) return;
      for (const bucket of buckets) {
        if (this.#stop.signal.aborted) return;
        await this.#turnBucket(rotationId, bucket);
        await wait(PAUSE_MS);
      }
    }
  }

  async #turnBucket(rotationId: string, bucket: ShredKeyRow): Promise<void> {
    const { ports, custody } = this.#options;
    const { tenantId } = bucket;
    const open = await custody.open(tenantId);
    await ports.rotations.rewrapBucket(rotationId, bucket, (found) =>
      rewrapSurvivors({ cellId: ports.cellId, hierarchy: custody.hierarchy, open }, found),
    );
  }

  /** Processes let go of retired shred keys, then every replica destroys them. */
  async #destroyRetired(rotationId: string, tenantId: TenantId): Promise<void> {
    const { ports, drop } = this.#options;
    const { retired } = await this.find(rotationId, tenantId);
    if (retired.length === 0) return;
    const rotation = await this.find(rotationId, tenantId);
    await this.#copy(rotation, retired);
    await Promise.all(
      retired.map((shredKeyId) => drop({ kind: 'shred-key', tenantId, shredKeyId, keyIds: [] })),
    );
    for (const objectId of retired) await ports.erasable.destroy({ tenantId, objectId });
    await ports.rotations.forgetRetired(rotationId, retired);
  }

  /**
   * Has what was wrapped anew lie outside of the database before anything old is destroyed: a restore of an
   * older backup needs it (`restores/rewraps.ts`).
   */
  async #copy(rotation: RotationRow, retired: readonly KeyId[]): Promise<void> {
    const { rotationId, tenantId, startedAtMs } = rotation;
    await this.#options.ports.copyRewraps?.({
      erasureId: rotationId,
      tenantId,
      subjectId: parseSubjectId(tenantId),
      entryId: undefined,
      state: 'rewrapped',
      keyIds: [],
      retired,
      survivorsCount: 0,
      acceptedAtMs: startedAtMs,
      doneAtMs: undefined,
      statements: [],
    });
  }

  async #turnCollectionKeys({ rotationId, tenantId, toVersion }: RotationRow): Promise<void> {
    const { ports, custody } = this.#options;
    const below = { version: toVersion, count: 256 };
    for (;;) {
      if (this.#stop.signal.aborted) return;
      const rows = await ports.rotations.listOldCollectionKeys(tenantId, below);
      if (rows.length === 0) return;
      const open = await custody.open(tenantId);
      const newest = newestOf(open);
      const turned = rows.map((row) => {
        const place = { cellId: ports.cellId, tenantId };
        const old = versionOf(open.tenantKeys, row.tenantKeyVersion);
        const key = unwrapKey(old.key, row.wrap, toCollectionKeyContext(place, row));
        const next = { ...row, tenantKeyId: newest.keyId, tenantKeyVersion: newest.version };
        return { ...next, wrap: wrapKey(newest.key, key, toCollectionKeyContext(place, next)) };
      });
      await ports.rotations.rewrapCollectionKeys(tenantId, turned);
      await ports.rotations.countWrapped(rotationId, turned.length);
    }
  }

  async #turnSecrets({ rotationId, tenantId, toVersion }: RotationRow): Promise<void> {
    const { ports, custody } = this.#options;
    for (const row of await ports.store.listSecrets(tenantId)) {
      if (this.#stop.signal.aborted) return;
      if (row.tenantKeyVersion >= toVersion) continue;
      const open = await custody.open(tenantId);
      const key = await custody.hierarchy.openSecret(row, open.tenantKeys);
      const next = await custody.hierarchy.storeSecret(row, newestOf(open), key);
      await ports.rotations.replaceSecret(row, next);
      await this.#copy(await this.find(rotationId, tenantId), []);
      if (row.wrap === undefined) await ports.erasable.destroy({ tenantId, objectId: row.keyId });
      await ports.rotations.countWrapped(rotationId, 1);
    }
  }

  /** What each version still protects, and what could be destroyed. */
  async report(tenantId: TenantId): Promise<KeyReport> {
    const { rotations, store } = this.#options.ports;
    const customerKey = await store.findCustomerKey(tenantId);
    if (customerKey === undefined) {
      throw new KeysError('KEYS_TENANT_UNKNOWN', 'the tenant has no keys in this cell');
    }
    const [versions, uses] = await Promise.all([
      rotations.listVersions(tenantId),
      rotations.listUses(tenantId),
    ]);
    const newest = uses.at(-1)?.version;
    return {
      customerKeys: versions.map((version) => {
        const tenantKeysCount = uses.filter(
          ({ customerKeyId }) => customerKeyId === version.keyId,
        ).length;
        const isCurrent = version.keyId === customerKey.keyId;
        const isIdle = tenantKeysCount === 0 || (isCurrent && customerKey.isFinal);
        return {
          ...version,
          tenantKeysCount,
          isCurrent,
          isDestroyable: isIdle && version.destroyedAtMs === undefined,
        };
      }),
      tenantKeys: uses.map((use) => {
        const { subjectKeysCount, shredKeysCount, collectionKeysCount, secretsCount } = use;
        const inUse = subjectKeysCount + shredKeysCount + collectionKeysCount + secretsCount;
        return { ...use, isDestroyable: inUse === 0 && use.version !== newest };
      }),
    };
  }

  /**
   * Destroys a version for ever: a tenant key that protects nothing, a customer key that was replaced, or
   * the customer key of a tenant that has ended.
   *
   * @throws {KeysError} `KEYS_KEY_UNKNOWN`, `KEYS_KEY_IN_USE`
   */
  async destroy(wanted: {
    readonly tenantId: TenantId;
    readonly keyId: KeyId;
    readonly version: number;
  }): Promise<void> {
    const { ports } = this.#options;
    const { tenantId, keyId, version } = wanted;
    const report = await this.report(tenantId);
    const isIt = (one: { readonly keyId: KeyId; readonly version: number }): boolean =>
      one.keyId === keyId && one.version === version;
    const tenantKey = report.tenantKeys.find(isIt);
    if (tenantKey !== undefined) {
      const isGone =
        tenantKey.isDestroyable && (await ports.rotations.deleteTenantKey(tenantId, version));
      if (!isGone) throw inUse();
      await this.#options.custody.reload(tenantId);
      return;
    }
    const customerKey = report.customerKeys.find(isIt);
    if (customerKey === undefined) throw new KeysError('KEYS_KEY_UNKNOWN', 'no such key');
    if (customerKey.destroyedAtMs !== undefined) return;
    if (!customerKey.isDestroyable) throw inUse();
    await this.#destroyAtProvider(tenantId, customerKey.providerName, customerKey.keyId);
    await ports.rotations.markDestroyed(customerKey.keyId, ports.clock.nowMs());
  }

  /** Where keys are the customer's own, only the customer can: what is ours to do is done. */
  async #destroyAtProvider(tenantId: TenantId, name: string, keyId: KeyId): Promise<void> {
    try {
      const { provider } = await this.#options.ports.providers.find(tenantId, name);
      await provider.destroyKey?.(parseKeyId(keyId));
    } catch (error) {
      // Its custody file does not name it any more, or the key is gone already.
      const isGone =
        isCoded(error, 'KEYS_CUSTOMER_KEY_UNKNOWN') ||
        isCoded(error, 'KEYS_PROVIDER_MISCONFIGURED');
      if (!isGone) throw error;
    }
  }
}

function inUse(): KeysError {
  return new KeysError('KEYS_KEY_IN_USE', 'something is still wrapped under this version');
}
