// SPDX-License-Identifier: Apache-2.0
// One tenant's keys in this process, in two generations: what was not used while the young one filled up
// is let go. `drop` lets go of everything; whoever still holds the object sees that it is dropped.
import type { KeyObject } from 'node:crypto';
import type { KeyId } from '@bailiwick/kernel';
import type { TenantMaterial } from '../key-service/api.ts';
import type { KeyHandle } from '../services.ts';

/** Places for new subjects under a shred key. */
export interface Place {
  readonly shredKeyId: KeyId;
  readonly key: KeyObject;
  left: number;
}

class TwoGenerations<T> {
  #young = new Map<string, T>();
  #old = new Map<string, T>();

  get(name: string): T | undefined {
    const young = this.#young.get(name);
    if (young !== undefined) return young;
    const old = this.#old.get(name);
    if (old !== undefined) this.#young.set(name, old);
    return old;
  }
  set(name: string, value: T): void {
    this.#young.set(name, value);
  }
  delete(name: string): void {
    this.#young.delete(name);
    this.#old.delete(name);
  }
  age(): void {
    this.#old = this.#young;
    this.#young = new Map();
  }
  clear(): void {
    this.#young.clear();
    this.#old.clear();
  }
  get youngCount(): number {
    return this.#young.size;
  }
}

export class TenantKeys {
  readonly slot: number;
  /** By owner and by key id and version. */
  readonly handles: TwoGenerations<KeyHandle> = new TwoGenerations<KeyHandle>();
  /** By shred key. */
  readonly wrappingKeys: TwoGenerations<KeyObject> = new TwoGenerations<KeyObject>();
  /** Known to the database and to no replica: what they wrapped is noise. */
  readonly lostShredKeys: Set<KeyId> = new Set<KeyId>();
  readonly indexKeys: Map<string, Promise<KeyObject>> = new Map<string, Promise<KeyObject>>();
  places: Place[] = [];
  #material: TenantMaterial | undefined;

  constructor(slot: number, material: TenantMaterial) {
    this.slot = slot;
    this.#material = material;
  }

  get isDropped(): boolean {
    return this.#material === undefined;
  }

  /** Undefined once dropped. */
  get material(): TenantMaterial | undefined {
    return this.#material;
  }

  drop(): void {
    this.#material = undefined;
    this.handles.clear();
    this.wrappingKeys.clear();
    this.indexKeys.clear();
    this.lostShredKeys.clear();
    this.places = [];
  }

  /** After an erasure: the bucket's key and the erased subject's keys. */
  dropShredKey(shredKeyId: KeyId, keyIds: readonly KeyId[]): void {
    this.wrappingKeys.delete(shredKeyId);
    this.places = this.places.filter((place) => place.shredKeyId !== shredKeyId);
    // An erased key is cached under its owner as well; the owners are not known here, so all go. They
    // come back with one read.
    if (keyIds.length > 0) this.handles.clear();
  }
}
