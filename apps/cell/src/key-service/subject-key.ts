// SPDX-License-Identifier: Apache-2.0
// What the wraps of sealing keys are bound to: the key service and the processes of the cell agree on it
// here; and how the subject keys of a bucket come under a fresh shred key.
import type { KeyObject } from 'node:crypto';
import type { CellId, KeyId, TenantId } from '@bailiwick/kernel';
import {
  type CollectionKeyRow,
  KeysError,
  type ShredKeyRow,
  type SubjectKeyRow,
  unwrapKey,
  type WrapContext,
  wrapKey,
} from '@bailiwick/keys';
import { type Hierarchy, newestOf, type TenantKey } from './hierarchy.ts';

interface Place {
  readonly cellId: CellId;
  readonly tenantId: TenantId;
}

/** The context of a subject key's wrap; the key service and the processes of the cell agree on it. */
export function toSubjectKeyContext(
  place: Place,
  key: {
    readonly keyId: KeyId;
    readonly version: number;
    readonly subjectId: string;
    readonly shredKeyId: KeyId;
  },
): WrapContext {
  return {
    kind: 'subject-key',
    cellId: place.cellId,
    tenantId: place.tenantId,
    keyId: key.keyId,
    version: key.version,
    owner: key.subjectId,
    under: key.shredKeyId,
    underVersion: 1,
  };
}

/** The context of a collection key's wrap. */
export function toCollectionKeyContext(
  place: Place,
  row: Omit<CollectionKeyRow, 'wrap'>,
): WrapContext {
  return {
    kind: 'collection-key',
    cellId: place.cellId,
    tenantId: place.tenantId,
    keyId: row.keyId,
    version: row.version,
    owner: row.collectionId,
    under: row.tenantKeyId,
    underVersion: row.tenantKeyVersion,
  };
}

/** @throws {KeysError} `KEYS_KEY_ERASED`, `KEYS_KEY_UNREADABLE` */
function unwrapSubjectKey(place: Place, row: SubjectKeyRow, wrappingKey: KeyObject): KeyObject {
  if (row.sealed === undefined) throw new KeysError('KEYS_KEY_ERASED', 'the key was erased');
  const { shredKeyId, wrap } = row.sealed;
  return unwrapKey(wrappingKey, wrap, toSubjectKeyContext(place, { ...row, shredKeyId }));
}

/** Wraps a bucket's subject keys under a fresh shred key and the newest tenant key; nothing for nobody. */
export async function rewrapSurvivors(
  parts: {
    readonly cellId: CellId;
    readonly hierarchy: Hierarchy;
    readonly open: { readonly tenantKeys: readonly TenantKey[] };
  },
  bucket: { readonly shredKey: ShredKeyRow; readonly survivors: readonly SubjectKeyRow[] },
): Promise<
  { readonly shredKey: ShredKeyRow; readonly wraps: ReadonlyMap<KeyId, Buffer> } | undefined
> {
  const { cellId, hierarchy, open } = parts;
  const { shredKey, survivors } = bucket;
  if (survivors.length === 0) return undefined;
  const place = { cellId, tenantId: shredKey.tenantId };
  const oldKey = await hierarchy.openShredKey(shredKey, open.tenantKeys);
  const fresh = await hierarchy.createShredKey(shredKey.tenantId, newestOf(open));
  const { shredKeyId } = fresh.row;
  const wraps = new Map<KeyId, Buffer>();
  for (const survivor of survivors) {
    const key = unwrapSubjectKey(place, survivor, oldKey);
    const context = toSubjectKeyContext(place, { ...survivor, shredKeyId });
    wraps.set(survivor.keyId, wrapKey(fresh.wrappingKey, key, context));
  }
  return { shredKey: fresh.row, wraps };
}
