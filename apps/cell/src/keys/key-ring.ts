// SPDX-License-Identifier: Apache-2.0
// The keys of this process (`KeyRing` of services.ts): opened in batches, kept as KeyObjects within
// bounds, and let go at once when the key service says so. Sealing keys are made here and wrapped before
// they are used; the key service is asked for wrapping keys and places only, a bucket at a time.
import type { KeyObject } from 'node:crypto';
import {
  assert,
  type CellId,
  type Clock,
  type CollectionId,
  createUuidV7,
  isCoded,
  type KeyId,
  parseKeyId,
  type Random,
  type SubjectId,
  type TenantId,
} from '@bailiwick/kernel';
import {
  type CollectionKeyRow,
  createKey,
  forgetDerivations,
  KeysError,
  type SubjectKeyRow,
  unwrapKey,
  type WrapContext,
  type WrapStore,
  wrapKey,
} from '@bailiwick/keys';
import type { Drop } from '../key-service/api.ts';
import { toCollectionKeyContext, toSubjectKeyContext } from '../key-service/subject-key.ts';
import type {
  KeyHandle,
  KeyOwner,
  KeyProblem,
  KeyReference,
  KeyRing,
  TenantSecrets,
} from '../services.ts';
import { fromLinkProblem, type KeyLink } from './key-link.ts';
import { type LeaseView, leaseExpired, SLOT_CLOSED, SLOT_ENABLED } from './lease-view.ts';
import { type Place, TenantKeys } from './tenant-keys.ts';

/** Sealing keys kept ready, over all tenants; each of two generations. */
const HANDLES_COUNT_MAX = 32_768;
/** Owners or references that one statement asks for. */
const BATCH_COUNT_MAX = 4_096;
/** Places asked for at least: what single writes to come will take. */
const PLACES_COUNT_MIN = 64;
/** An operation that meets an expired lease waits this long for a renewal. */
const LEASE_WAIT_MS_MAX = 1_500;
const ATTEMPTS_COUNT_MAX = 4;

export interface KeyRingPorts {
  readonly cellId: CellId;
  readonly clock: Clock;
  readonly random: Random;
  readonly wraps: WrapStore;
  readonly link: KeyLink;
  readonly view: LeaseView;
}

const referenceName = ({ keyId, version }: KeyReference): string => `${keyId}/${version}`;
const ownerName = (owner: KeyOwner): string =>
  owner.kind === 'subject' ? owner.subjectId : `collection/${owner.collectionId}`;

function* batches<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < items.length; at += BATCH_COUNT_MAX) {
    yield items.slice(at, at + BATCH_COUNT_MAX);
  }
}

/** Makes the key ring of a process over a link that holds its lease. */
export function createKeyRing(ports: KeyRingPorts): KeyRing {
  return new LeasedKeyRing(ports);
}

class LeasedKeyRing implements KeyRing {
  readonly #ports: KeyRingPorts;
  readonly #tenants = new Map<TenantId, TenantKeys>();
  readonly #opening = new Map<TenantId, Promise<TenantKeys>>();
  /** Slots of all tenants ever opened here: also of those that were dropped since. */
  readonly #slots = new Map<TenantId, number>();
  /** Gates of providers that are away: nothing is sealed under their keys. */
  readonly #away = new Set<string>();
  /** Tenants who want the provider asked for each use, and what is in use of them now. */
  readonly #singles = new Map<TenantId, Set<TenantKeys>>();
  #handlesCount = 0;

  constructor(ports: KeyRingPorts) {
    this.#ports = ports;
    ports.link.listen({
      onDrop: (drop) => this.#drop(drop),
      onReset: () => this.#reset(),
    });
  }

  #drop(drop: Drop): void {
    if (drop.kind === 'provider') {
      if (drop.isAway) this.#away.add(drop.gateName);
      else this.#away.delete(drop.gateName);
      return;
    }
    for (const single of this.#singles.get(drop.tenantId) ?? []) single.drop();
    const tenant = this.#tenants.get(drop.tenantId);
    if (drop.kind === 'tenant') {
      tenant?.drop();
      this.#tenants.delete(drop.tenantId);
      this.#opening.delete(drop.tenantId);
    } else {
      tenant?.dropShredKey(drop.shredKeyId, drop.keyIds);
    }
    forgetDerivations();
  }

  #reset(): void {
    for (const tenant of this.#tenants.values()) tenant.drop();
    for (const singles of this.#singles.values()) for (const single of singles) single.drop();
    this.#tenants.clear();
    this.#opening.clear();
    this.#away.clear();
    forgetDerivations();
    // Answers that need no key are checked by their slot as well: find out what holds now.
    for (const tenantId of this.#slots.keys()) this.#revalidate(tenantId);
  }

  #revalidate(tenantId: TenantId): void {
    this.#open(tenantId).catch(() => undefined);
  }

  assertUsable(tenantId: TenantId): void {
    this.#ports.view.assertLive();
    const slot = this.#slots.get(tenantId);
    // A tenant whose keys were never here has nothing opened that could be handed out.
    if (slot === undefined) return;
    const state = this.#ports.view.slot(slot);
    if (state === SLOT_ENABLED) return;
    this.#revalidate(tenantId);
    if (state === SLOT_CLOSED) throw leaseExpired();
    throw new KeysError('KEYS_CUSTOMER_KEY_DISABLED', 'the customer has disabled the key');
  }

  #open(tenantId: TenantId): Promise<TenantKeys> {
    const known = this.#tenants.get(tenantId);
    if (known !== undefined && this.#ports.view.slot(known.slot) === SLOT_ENABLED) {
      return Promise.resolve(known);
    }
    if (this.#singles.has(tenantId)) return this.#ask(tenantId);
    const underway = this.#opening.get(tenantId);
    if (underway !== undefined) return underway;
    const opening = this.#ask(tenantId).finally(() => {
      if (this.#opening.get(tenantId) === opening) this.#opening.delete(tenantId);
    });
    this.#opening.set(tenantId, opening);
    return opening;
  }

  async #ask(tenantId: TenantId): Promise<TenantKeys> {
    await this.#ports.view.awaitLive(LEASE_WAIT_MS_MAX);
    const opened = await this.#ports.link.openTenant(tenantId);
    this.#slots.set(tenantId, opened.slot);
    if ('problem' in opened) throw fromLinkProblem(opened.problem);
    const { material } = opened;
    if (!material.canSeal) this.#away.add(material.gateName);
    const tenant = new TenantKeys(opened.slot, material);
    if (material.isSingleUse) {
      const singles = this.#singles.get(tenantId) ?? new Set();
      this.#singles.set(tenantId, singles.add(tenant));
      return tenant;
    }
    this.#singles.delete(tenantId);
    this.#tenants.get(tenantId)?.drop();
    this.#tenants.set(tenantId, tenant);
    return tenant;
  }

  /** Keys for one use are gone after it. */
  #release(tenantId: TenantId, tenant: TenantKeys): void {
    if (this.#singles.get(tenantId)?.delete(tenant) === true) tenant.drop();
  }

  /** @throws {KeysError} `KEYS_PROVIDER_UNAVAILABLE` while the provider is away */
  #assertSealable(tenant: TenantKeys): void {
    const { gateName } = this.#materialOf(tenant);
    if (!this.#away.has(gateName)) return;
    throw new KeysError(
      'KEYS_PROVIDER_UNAVAILABLE',
      'the provider of the customer key is away: nothing is sealed until it is back',
      { details: { retryAfterMs: 2_000 } },
    );
  }

  /** Does `work` with a tenant's keys, again when they were dropped or its wraps moved meanwhile. */
  async #withTenant<T>(tenantId: TenantId, work: (tenant: TenantKeys) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      await this.#ports.view.awaitLive(LEASE_WAIT_MS_MAX);
      const tenant = await this.#open(tenantId);
      const isLast = attempt === ATTEMPTS_COUNT_MAX;
      try {
        const result = await work(tenant);
        if (!tenant.isDropped) {
          this.assertUsable(tenantId);
          return result;
        }
      } catch (error) {
        const isPassing =
          tenant.isDropped ||
          isCoded(error, 'KEYS_SHRED_KEY_RETIRED') ||
          isCoded(error, 'KEYS_LEASE_EXPIRED');
        if (!isPassing || isLast) throw error;
        if (isCoded(error, 'KEYS_SHRED_KEY_RETIRED')) tenant.places = [];
      } finally {
        this.#release(tenantId, tenant);
      }
      if (isLast) throw leaseExpired();
    }
  }

  async secrets(tenantId: TenantId): Promise<TenantSecrets> {
    return this.#withTenant(tenantId, async (tenant) => {
      const { idKey, factsKey } = this.#materialOf(tenant);
      return {
        idKey,
        factsKey,
        indexKey: (field) =>
          this.#withTenant(tenantId, async (current) => {
            const name = `${field.collectionId}/${field.field}/${field.version}`;
            const known = current.indexKeys.get(name);
            if (known !== undefined) return known;
            const opening = this.#ports.link.openIndexKey(tenantId, field);
            current.indexKeys.set(name, opening);
            opening.catch(() => current.indexKeys.delete(name));
            return opening;
          }),
      };
    });
  }

  #materialOf(tenant: TenantKeys): NonNullable<TenantKeys['material']> {
    const { material } = tenant;
    if (material === undefined) throw leaseExpired();
    return material;
  }

  #remember(tenant: TenantKeys, handle: KeyHandle, owner: KeyOwner): void {
    // A dropped tenant's maps are gone for good: what would be put there now is not kept.
    if (tenant.isDropped) return;
    tenant.handles.set(ownerName(owner), handle);
    tenant.handles.set(referenceName(handle), handle);
    this.#handlesCount += 1;
    if (this.#handlesCount < HANDLES_COUNT_MAX) return;
    this.#handlesCount = 0;
    for (const one of this.#tenants.values()) one.handles.age();
  }

  async sealingKeys(
    tenantId: TenantId,
    owners: readonly KeyOwner[],
  ): Promise<readonly KeyHandle[]> {
    return this.#withTenant(tenantId, async (tenant) => {
      this.#assertSealable(tenant);
      const found = new Map<string, KeyHandle>();
      const missing = new Map<string, KeyOwner>();
      for (const owner of owners) {
        const name = ownerName(owner);
        const handle = found.get(name) ?? tenant.handles.get(name);
        if (handle !== undefined) found.set(name, handle);
        else missing.set(name, owner);
      }
      for (const batch of batches([...missing.values()])) {
        for (const [owner, handle] of await this.#openOrCreate(tenantId, tenant, batch)) {
          found.set(ownerName(owner), handle);
        }
      }
      return owners.map((owner) => {
        const handle = found.get(ownerName(owner));
        assert(handle !== undefined, 'each owner has a sealing key');
        return handle;
      });
    });
  }

  async #openOrCreate(
    tenantId: TenantId,
    tenant: TenantKeys,
    owners: readonly KeyOwner[],
  ): Promise<readonly (readonly [KeyOwner, KeyHandle])[]> {
    const subjects: SubjectId[] = [];
    const collections: CollectionId[] = [];
    for (const owner of owners) {
      if (owner.kind === 'subject') subjects.push(owner.subjectId);
      else collections.push(owner.collectionId);
    }
    const opened: (readonly [KeyOwner, KeyHandle])[] = [];
    if (subjects.length > 0) {
      const handles = await this.#subjectKeys(tenantId, tenant, subjects);
      for (const [subjectId, handle] of handles) {
        opened.push([{ kind: 'subject', subjectId }, handle]);
      }
    }
    if (collections.length > 0) {
      const handles = await this.#collectionKeys(tenantId, tenant, collections);
      for (const [collectionId, handle] of handles) {
        opened.push([{ kind: 'collection', collectionId }, handle]);
      }
    }
    return opened;
  }

  async #subjectKeys(
    tenantId: TenantId,
    tenant: TenantKeys,
    subjectIds: readonly SubjectId[],
  ): Promise<ReadonlyMap<SubjectId, KeyHandle>> {
    const handles = new Map<SubjectId, KeyHandle>();
    const open = async (ids: readonly SubjectId[]): Promise<void> => {
      const rows = await this.#ports.wraps.findSubjectKeys(tenantId, ids);
      await this.#wrappingKeys(tenantId, tenant, rows);
      for (const row of rows) handles.set(row.subjectId, this.#openSubject(tenantId, tenant, row));
    };
    await open(subjectIds);
    const absent = subjectIds.filter((id) => !handles.has(id));
    if (absent.length === 0) return handles;
    const made = await this.#createSubjects(tenantId, tenant, absent);
    const rows = made.map(({ row }) => row);
    const written = new Set(await this.#ports.wraps.insertSubjectKeys(tenantId, rows));
    for (const { row, key } of made) {
      if (!written.has(row.subjectId)) continue;
      const handle = { keyId: row.keyId, version: row.version, key };
      handles.set(row.subjectId, handle);
      this.#remember(tenant, handle, { kind: 'subject', subjectId: row.subjectId });
    }
    // Somebody else was faster with these: theirs is the key.
    const others = absent.filter((id) => !written.has(id));
    if (others.length > 0) await open(others);
    return handles;
  }

  #newKeyId(): KeyId {
    return parseKeyId(createUuidV7(this.#ports));
  }

  async #createSubjects(
    tenantId: TenantId,
    tenant: TenantKeys,
    subjectIds: readonly SubjectId[],
  ): Promise<readonly { readonly row: SubjectKeyRow; readonly key: KeyObject }[]> {
    const places = await this.#takePlaces(tenantId, tenant, subjectIds.length);
    const place = { cellId: this.#ports.cellId, tenantId };
    return subjectIds.map((subjectId, index) => {
      const taken = places[index];
      assert(taken !== undefined, 'each new subject has a place');
      const names = {
        keyId: this.#newKeyId(),
        version: 1,
        subjectId,
        shredKeyId: taken.shredKeyId,
      };
      const key = createKey();
      const wrap = wrapKey(taken.key, key, toSubjectKeyContext(place, names));
      const { shredKeyId, ...row } = names;
      return { row: { ...row, sealed: { shredKeyId, wrap } }, key };
    });
  }

  async #takePlaces(
    tenantId: TenantId,
    tenant: TenantKeys,
    count: number,
  ): Promise<readonly Place[]> {
    const leftCount = (): number => tenant.places.reduce((sum, { left }) => sum + left, 0);
    if (leftCount() < count) {
      const wanted = Math.max(PLACES_COUNT_MIN, count - leftCount());
      const reserved = await this.#ports.link.reserve(tenantId, wanted);
      if (tenant.isDropped) throw leaseExpired();
      for (const { shredKeyId, key, count: left } of reserved) {
        tenant.places.push({ shredKeyId, key, left });
        tenant.wrappingKeys.set(shredKeyId, key);
      }
    }
    const taken: Place[] = [];
    for (const place of tenant.places) {
      while (place.left > 0 && taken.length < count) {
        place.left -= 1;
        taken.push(place);
      }
    }
    tenant.places = tenant.places.filter(({ left }) => left > 0);
    // Another operation may have been faster, or an erasure retired a bucket: try again.
    if (taken.length < count) {
      throw new KeysError('KEYS_SHRED_KEY_RETIRED', 'places for subjects are gone');
    }
    return taken;
  }

  /** Has the wrapping keys of these rows ready; rows of retired buckets are told by their absence. */
  async #wrappingKeys(
    tenantId: TenantId,
    tenant: TenantKeys,
    rows: readonly SubjectKeyRow[],
  ): Promise<void> {
    const missing = new Set<KeyId>();
    for (const { sealed } of rows) {
      if (sealed !== undefined && tenant.wrappingKeys.get(sealed.shredKeyId) === undefined) {
        missing.add(sealed.shredKeyId);
      }
    }
    for (const batch of batches([...missing])) {
      const { opened, lost } = await this.#ports.link.openShredKeys(tenantId, batch);
      if (tenant.isDropped) throw leaseExpired();
      for (const shredKeyId of lost) tenant.lostShredKeys.add(shredKeyId);
      for (const { shredKeyId, key } of opened) tenant.wrappingKeys.set(shredKeyId, key);
      if (tenant.wrappingKeys.youngCount > BATCH_COUNT_MAX) tenant.wrappingKeys.age();
    }
  }

  /** Synchronous from looking up the wrapping key to remembering: no drop can come in between. */
  #openSubject(tenantId: TenantId, tenant: TenantKeys, row: SubjectKeyRow): KeyHandle {
    const { sealed } = row;
    if (sealed === undefined) throw new KeysError('KEYS_KEY_ERASED', 'the key was erased');
    const wrappingKey = tenant.wrappingKeys.get(sealed.shredKeyId);
    if (wrappingKey === undefined && tenant.lostShredKeys.has(sealed.shredKeyId)) {
      throw new KeysError('KEYS_KEY_UNREADABLE', 'the erasable store has no such shred key');
    }
    if (wrappingKey === undefined) {
      throw new KeysError('KEYS_SHRED_KEY_RETIRED', 'the shred key was retired meanwhile');
    }
    const place = { cellId: this.#ports.cellId, tenantId };
    const context = toSubjectKeyContext(place, { ...row, shredKeyId: sealed.shredKeyId });
    const key = unwrapKey(wrappingKey, sealed.wrap, context);
    const handle = { keyId: row.keyId, version: row.version, key };
    this.#remember(tenant, handle, { kind: 'subject', subjectId: row.subjectId });
    return handle;
  }

  #collectionContext(tenantId: TenantId, row: Omit<CollectionKeyRow, 'wrap'>): WrapContext {
    return toCollectionKeyContext({ cellId: this.#ports.cellId, tenantId }, row);
  }

  #openCollection(tenantId: TenantId, tenant: TenantKeys, row: CollectionKeyRow): KeyHandle {
    const { tenantKeys } = this.#materialOf(tenant);
    const tenantKey = tenantKeys.find(
      (one) => one.keyId === row.tenantKeyId && one.version === row.tenantKeyVersion,
    );
    if (tenantKey === undefined) {
      throw new KeysError('KEYS_KEY_UNREADABLE', 'a version of the tenant key is missing');
    }
    const key = unwrapKey(tenantKey.key, row.wrap, this.#collectionContext(tenantId, row));
    const handle = { keyId: row.keyId, version: row.version, key };
    this.#remember(tenant, handle, { kind: 'collection', collectionId: row.collectionId });
    return handle;
  }

  async #collectionKeys(
    tenantId: TenantId,
    tenant: TenantKeys,
    collectionIds: readonly CollectionId[],
  ): Promise<ReadonlyMap<CollectionId, KeyHandle>> {
    const { wraps } = this.#ports;
    let rows = await wraps.findCollectionKeys(tenantId, collectionIds);
    const known = new Set(rows.map(({ collectionId }) => collectionId));
    const absent = collectionIds.filter((id) => !known.has(id));
    if (absent.length > 0) {
      const tenantKey = this.#materialOf(tenant).tenantKeys.at(-1);
      if (tenantKey === undefined) throw new KeysError('KEYS_KEY_UNREADABLE', 'no tenant key');
      const made = absent.map((collectionId): CollectionKeyRow => {
        const row = {
          keyId: this.#newKeyId(),
          version: 1,
          collectionId,
          tenantKeyId: tenantKey.keyId,
          tenantKeyVersion: tenantKey.version,
        };
        const context = this.#collectionContext(tenantId, row);
        return { ...row, wrap: wrapKey(tenantKey.key, createKey(), context) };
      });
      await wraps.insertCollectionKeys(tenantId, made);
      rows = await wraps.findCollectionKeys(tenantId, collectionIds);
    }
    return new Map(
      rows.map((row) => [row.collectionId, this.#openCollection(tenantId, tenant, row)]),
    );
  }

  async openingKeys(
    tenantId: TenantId,
    references: readonly KeyReference[],
  ): Promise<readonly (KeyHandle | KeyProblem)[]> {
    return this.#withTenant(tenantId, async (tenant) => {
      const found = new Map<string, KeyHandle | KeyProblem>();
      const missing = new Map<string, KeyReference>();
      for (const reference of references) {
        const name = referenceName(reference);
        const handle = tenant.handles.get(name);
        if (handle !== undefined) found.set(name, handle);
        else missing.set(name, reference);
      }
      for (const batch of batches([...missing.values()])) {
        await this.#openReferences(tenantId, tenant, batch, found);
      }
      return references.map(
        (reference) => found.get(referenceName(reference)) ?? { code: 'KEYS_KEY_UNKNOWN' },
      );
    });
  }

  async #openReferences(
    tenantId: TenantId,
    tenant: TenantKeys,
    references: readonly KeyReference[],
    found: Map<string, KeyHandle | KeyProblem>,
  ): Promise<void> {
    const keyIds = [...new Set(references.map(({ keyId }) => keyId))];
    const { subjects, collections } = await this.#ports.wraps.findKeys(tenantId, keyIds);
    await this.#wrappingKeys(tenantId, tenant, subjects);
    const open = (name: KeyReference, work: () => KeyHandle): void => {
      try {
        found.set(referenceName(name), work());
      } catch (error) {
        if (isCoded(error, 'KEYS_KEY_ERASED') || isCoded(error, 'KEYS_KEY_UNREADABLE')) {
          found.set(referenceName(name), { code: error.code });
        } else throw error;
      }
    };
    for (const row of subjects) open(row, () => this.#openSubject(tenantId, tenant, row));
    for (const row of collections) open(row, () => this.#openCollection(tenantId, tenant, row));
  }
}
