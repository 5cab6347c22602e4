// SPDX-License-Identifier: Apache-2.0
// What rotations and requests need from storage. Adapters implement; the key service alone uses them.
import type { KeyId, TenantId } from '@bailiwick/kernel';
import type {
  CollectionKeyRow,
  CustomerKeyRow,
  SecretRow,
  ShredKeyRow,
  TenantKeyRow,
} from './ports.ts';

/** A customer key that is or was a tenant's. */
export interface CustomerKeyVersionRow {
  readonly tenantId: TenantId;
  readonly version: number;
  readonly keyId: KeyId;
  readonly provider: string;
  readonly providerName: string;
  readonly createdAtMs: number;
  /** Another version took its place. */
  readonly retiredAtMs: number | undefined;
  readonly destroyedAtMs: number | undefined;
}

/** A new version of a key above the data, on its way or arrived. */
export interface RotationRow {
  readonly rotationId: string;
  readonly tenantId: TenantId;
  readonly kind: 'customer-key' | 'tenant-key';
  readonly state: 'running' | 'done';
  readonly fromVersion: number;
  readonly toVersion: number;
  /** Keys wrapped anew so far. */
  readonly wrappedCount: number;
  /** Shred keys that protect nothing any more and are not destroyed yet. */
  readonly retired: readonly KeyId[];
  readonly startedAtMs: number;
  readonly doneAtMs: number | undefined;
}

/** How much each version of a tenant key still protects. */
export interface TenantKeyUse {
  readonly keyId: KeyId;
  readonly version: number;
  readonly customerKeyId: KeyId;
  readonly createdAtMs: number;
  readonly subjectKeysCount: number;
  readonly shredKeysCount: number;
  readonly collectionKeysCount: number;
  readonly secretsCount: number;
}

export interface KeyRotationStore {
  /** False when another rotation of the tenant runs. */
  insertRotation(rotation: RotationRow): Promise<boolean>;
  findRotation(rotationId: string): Promise<RotationRow | undefined>;
  listRunning(): Promise<readonly RotationRow[]>;
  /** Of a rotation that came to nothing. */
  deleteRotation(rotationId: string): Promise<void>;
  finishRotation(rotationId: string, done: { readonly doneAtMs: number }): Promise<void>;
  countWrapped(rotationId: string, count: number): Promise<void>;
  /** Takes destroyed shred keys off the rotation's list. */
  forgetRetired(rotationId: string, shredKeyIds: readonly KeyId[]): Promise<void>;
  /**
   * In one transaction: the tenant's customer key becomes `next` and every tenant key has its new wrap.
   * False, with nothing done, when the customer key is not `from` or a tenant key has no wrap here.
   */
  replaceCustomerKey(change: {
    readonly from: KeyId;
    readonly next: CustomerKeyRow;
    /** By version of the tenant key. */
    readonly wraps: ReadonlyMap<number, Buffer>;
  }): Promise<boolean>;
  insertTenantKey(row: TenantKeyRow): Promise<void>;
  /** False, with nothing done, while anything is wrapped under it, or it is the newest. */
  deleteTenantKey(tenantId: TenantId, version: number): Promise<boolean>;
  listOldShredKeys(
    tenantId: TenantId,
    below: { readonly version: number; readonly count: number },
  ): Promise<readonly ShredKeyRow[]>;
  /** Wraps a bucket's subject keys anew under what `rewrap` gives, and retires its shred key. */
  rewrapBucket(
    rotationId: string,
    shredKey: ShredKeyRow,
    rewrap: Parameters<import('./ports.ts').KeyStateStore['rewrap']>[1],
  ): Promise<number>;
  listOldCollectionKeys(
    tenantId: TenantId,
    below: { readonly version: number; readonly count: number },
  ): Promise<readonly CollectionKeyRow[]>;
  rewrapCollectionKeys(tenantId: TenantId, rows: readonly CollectionKeyRow[]): Promise<void>;
  replaceSecret(from: SecretRow, to: SecretRow): Promise<void>;
  listVersions(tenantId: TenantId): Promise<readonly CustomerKeyVersionRow[]>;
  markDestroyed(keyId: KeyId, atMs: number): Promise<void>;
  listUses(tenantId: TenantId): Promise<readonly TenantKeyUse[]>;
  /** Disabled for good. */
  setFinal(tenantId: TenantId, atMs: number): Promise<void>;
}

export const KEY_REQUEST_STATES = ['open', 'approved', 'done', 'cancelled'] as const;
export type KeyRequestState = (typeof KEY_REQUEST_STATES)[number];

/** One person's signature under a request. */
export interface KeyRequestSignature {
  /** Of a pinned approver; Ed25519, base64. */
  readonly key: string;
  readonly signature: string;
  /** Who brought it. */
  readonly account: string;
}

export interface KeyRequestRow {
  readonly requestId: string;
  readonly tenantId: TenantId;
  /** Canonical JSON, exactly as signed. */
  readonly body: string;
  readonly state: KeyRequestState;
  readonly signatures: readonly KeyRequestSignature[];
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
  readonly doneAtMs: number | undefined;
}

export interface KeyRequestStore {
  insertRequest(request: KeyRequestRow): Promise<void>;
  findRequest(requestId: string): Promise<KeyRequestRow | undefined>;
  listRequests(tenantId: TenantId, count: number): Promise<readonly KeyRequestRow[]>;
  listApproved(): Promise<readonly KeyRequestRow[]>;
  /** False when the request is no longer in state `from` or has other signatures than these were added to. */
  updateRequest(
    requestId: string,
    from: { readonly state: KeyRequestState; readonly signaturesCount: number },
    to: {
      readonly state: KeyRequestState;
      readonly signatures: readonly KeyRequestSignature[];
      readonly doneAtMs?: number;
    },
  ): Promise<boolean>;
}
