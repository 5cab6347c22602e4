// SPDX-License-Identifier: Apache-2.0
// What the key hierarchy needs from outside. Suites in `@bailiwick/testkit` say what an implementation
// must do; adapters implement.
import type { KeyObject } from 'node:crypto';
import type { CollectionId, EntryId, KeyId, SubjectId, TenantId } from '@bailiwick/kernel';
import type { SignedStatement } from './statement.ts';
import type { WrapContext } from './wrap.ts';

/** What a provider says of a customer key. */
export type CustomerKeyStatus = 'enabled' | 'disabled' | 'absent';

/**
 * Holds customer keys and wraps tenant keys under them. The customer key never leaves it.
 *
 * `wrap` and `unwrap` throw `KEYS_CUSTOMER_KEY_UNKNOWN`, `KEYS_CUSTOMER_KEY_DISABLED`,
 * `KEYS_PROVIDER_UNAVAILABLE`; `unwrap` throws `KEYS_KEY_UNREADABLE` for a wrap that is not this key's
 * in this context. There is no fallback to another key.
 */
export interface CustomerKeyProvider {
  /** Kind and place in one word, for people: `file`, `pkcs11`, `aws-kms`. */
  readonly kind: string;
  /** Makes a customer key, or finds that it is there already. Providers whose keys are the customer's own check only. */
  ensureKey(customerKeyId: KeyId): Promise<void>;
  findStatus(customerKeyId: KeyId): Promise<CustomerKeyStatus>;
  wrap(customerKeyId: KeyId, key: KeyObject, context: WrapContext): Promise<Buffer>;
  unwrap(customerKeyId: KeyId, wrap: Uint8Array, context: WrapContext): Promise<KeyObject>;
  /**
   * Destroys the key for ever; safe to repeat. Absent where keys are the customer's own: then only the
   * customer can.
   */
  destroyKey?(customerKeyId: KeyId): Promise<void>;
}

/** Names an object of the erasable store; it means nothing about a person. */
export interface ErasableName {
  readonly tenantId: TenantId;
  readonly objectId: KeyId;
}

/** A replica of the erasable store and the key that it signs with. */
export interface ErasableReplica {
  readonly replicaId: string;
  /** Ed25519, base64 of 32 bytes. */
  readonly publicKey: string;
}

/**
 * Small secrets that can be destroyed: at least two replicas, no history, no snapshots. What is put here
 * is wrapped already; destroying it is what erasure rests on (invariant 9).
 */
export interface ErasableStore {
  readonly replicas: readonly ErasableReplica[];
  /** True when a copy of the store's medium is a copy of its objects: erasure receipts say so. */
  readonly isExtractable: boolean;
  /**
   * Resolves when the object is durable in every replica. The same bytes again are fine; other bytes
   * under a known name are refused (`KEYS_ERASABLE_STORE_FAILED`): there is no overwriting.
   */
  put(name: ErasableName, bytes: Uint8Array): Promise<void>;
  /** From any replica that has it. */
  find(name: ErasableName): Promise<Buffer | undefined>;
  /**
   * Destroys the object in every replica and gives what each of them signed; safe to repeat. Throws
   * `KEYS_ERASABLE_STORE_FAILED` unless all did.
   */
  destroy(name: ErasableName): Promise<readonly SignedStatement[]>;
}

/** State of a customer key in this cell. */
export type KeyState = 'enabled' | 'disabled';

export interface CustomerKeyRow {
  readonly tenantId: TenantId;
  readonly keyId: KeyId;
  /** Grows with each new customer key of the tenant. */
  readonly version: number;
  /** The provider's kind. */
  readonly provider: string;
  /** By which word of the configuration the provider is found. */
  readonly providerName: string;
  readonly state: KeyState;
  /** Disabled for good: it is never enabled again. */
  readonly isFinal: boolean;
  /** Longest staleness that the tenant wants; undefined: what the cell is configured with. */
  readonly stalenessMs: number | undefined;
  /** Longest staleness of its contract terms. */
  readonly termsStalenessMs: number | undefined;
  readonly createdAtMs: number;
  readonly changedAtMs: number;
}

export interface TenantKeyRow {
  readonly tenantId: TenantId;
  readonly keyId: KeyId;
  readonly version: number;
  readonly customerKeyId: KeyId;
  readonly wrap: Buffer;
  readonly createdAtMs: number;
}

/** A tenant-wide or index key; without a wrap it lies in the erasable store under its id. */
export interface SecretRow {
  readonly tenantId: TenantId;
  readonly kind: 'facts-key' | 'id-key' | 'index-key';
  /** Empty, or `collection/field` of an index key. */
  readonly name: string;
  readonly keyId: KeyId;
  readonly version: number;
  readonly tenantKeyVersion: number;
  readonly wrap: Buffer | undefined;
}

export interface ShredKeyRow {
  readonly tenantId: TenantId;
  readonly shredKeyId: KeyId;
  readonly tenantKeyId: KeyId;
  readonly tenantKeyVersion: number;
}

/** Places for subjects under a shred key, taken for one process. */
export interface Reservation extends ShredKeyRow {
  readonly count: number;
}

/** A subject key's wrap under tenant key and shred key together; erased ones have neither. */
export interface SubjectKeyRow {
  readonly keyId: KeyId;
  readonly version: number;
  readonly subjectId: SubjectId;
  readonly sealed:
    | { readonly shredKeyId: KeyId; readonly wrap: Buffer }
    /** The key was erased. */
    | undefined;
}

export interface CollectionKeyRow {
  readonly keyId: KeyId;
  readonly version: number;
  readonly collectionId: CollectionId;
  readonly tenantKeyId: KeyId;
  readonly tenantKeyVersion: number;
  readonly wrap: Buffer;
}

/** A disabling or enabling of a key. */
export interface KeyChangeRow {
  readonly changeId: string;
  readonly tenantId: TenantId;
  readonly keyId: KeyId;
  readonly to: KeyState;
  readonly entryId: EntryId | undefined;
  readonly acceptedAtMs: number;
  readonly effectiveAtMs: number | undefined;
  readonly statements: readonly SignedStatement[];
}

export const ERASURE_STATES = ['accepted', 'rewrapped', 'effective', 'done'] as const;
export type ErasureState = (typeof ERASURE_STATES)[number];

/** The erasure of a subject. Each state is durable before the next step begins. */
export interface ErasureRow {
  readonly erasureId: string;
  readonly tenantId: TenantId;
  readonly subjectId: SubjectId;
  readonly entryId: EntryId | undefined;
  readonly state: ErasureState;
  /** Erased subject keys. */
  readonly keyIds: readonly KeyId[];
  /** Shred keys to destroy. */
  readonly retired: readonly KeyId[];
  readonly survivorsCount: number;
  readonly acceptedAtMs: number;
  readonly doneAtMs: number | undefined;
  readonly statements: readonly SignedStatement[];
}

/** A process that acts for the cell's key service, fenced: there is one at a time. */
export interface ServiceTerm {
  /** Grows with each start. */
  readonly generation: number;
  /** Resolves when the fence is lost: the process must stop at once. */
  readonly lost: Promise<void>;
  end(): Promise<void>;
}

/** Durable key states and wraps as the key service sees them. */
export interface KeyStateStore {
  /** Takes the fence; `KEYS_SERVICE_REFUSED` when another key service holds it. */
  begin(service: { readonly publicKey: string }): Promise<ServiceTerm>;
  listCustomerKeys(): Promise<readonly CustomerKeyRow[]>;
  findCustomerKey(tenantId: TenantId): Promise<CustomerKeyRow | undefined>;
  listTenantKeys(tenantId: TenantId): Promise<readonly TenantKeyRow[]>;
  listSecrets(tenantId: TenantId): Promise<readonly SecretRow[]>;
  /** All of a tenant's first keys at once; false when the tenant has keys already. */
  insertTenant(tenant: {
    readonly customerKey: CustomerKeyRow;
    readonly tenantKey: TenantKeyRow;
    readonly secrets: readonly SecretRow[];
  }): Promise<boolean>;
  /** What a tenant or its contract terms say of staleness; undefined leaves the other as it is. */
  setStaleness(
    tenantId: TenantId,
    to: { readonly stalenessMs?: number; readonly termsStalenessMs?: number | null },
  ): Promise<void>;
  /** False when the secret is there already. */
  insertSecret(secret: SecretRow): Promise<boolean>;
  /** Durably sets a key's state and opens a change; undefined when there is no such key. */
  acceptChange(change: KeyChangeRow): Promise<KeyChangeRow | undefined>;
  completeChange(
    changeId: string,
    done: { readonly effectiveAtMs: number; readonly statements: readonly SignedStatement[] },
  ): Promise<void>;
  findChange(changeId: string): Promise<KeyChangeRow | undefined>;
  listPendingChanges(): Promise<readonly KeyChangeRow[]>;
  /** Takes up to `count` places under shred keys of this tenant key that have room. */
  reserve(
    tenantKey: Pick<TenantKeyRow, 'tenantId' | 'keyId' | 'version'>,
    count: number,
  ): Promise<readonly Reservation[]>;
  /** A shred key that lies in the erasable store, with its first `reservedCount` places taken. */
  insertShredKey(row: ShredKeyRow, reservedCount: number): Promise<void>;
  findShredKeys(tenantId: TenantId, ids: readonly KeyId[]): Promise<readonly ShredKeyRow[]>;
  countSubjects(tenantId: TenantId): Promise<number>;
  findErasure(erasureId: string): Promise<ErasureRow | undefined>;
  listPendingErasures(): Promise<readonly ErasureRow[]>;
  /** Gives the row as it is: an erasure accepted before keeps its state. */
  acceptErasure(erasure: ErasureRow): Promise<ErasureRow>;
  /**
   * In one transaction: finds the subject's live keys, locks their shred keys against new wraps, has
   * `rewrap` wrap the survivors anew, writes those, forgets the erased wraps and the old shred keys, and
   * moves the erasure to `rewrapped`.
   */
  rewrap(
    erasure: ErasureRow,
    rewrap: (bucket: {
      readonly shredKey: ShredKeyRow;
      readonly survivors: readonly SubjectKeyRow[];
    }) => Promise<
      | {
          readonly shredKey: ShredKeyRow;
          readonly wraps: ReadonlyMap<KeyId, Buffer>;
        }
      | undefined
    >,
  ): Promise<ErasureRow>;
  advanceErasure(
    erasureId: string,
    to: {
      readonly state: ErasureState;
      readonly doneAtMs?: number;
      readonly statements: readonly SignedStatement[];
    },
  ): Promise<void>;
}

/** Wraps of sealing keys as a process of the cell sees them: one tenant at a time, under row security. */
export interface WrapStore {
  /** Live keys of these subjects. */
  findSubjectKeys(
    tenantId: TenantId,
    subjectIds: readonly SubjectId[],
  ): Promise<readonly SubjectKeyRow[]>;
  /**
   * Durable on return. Subjects that have a live key already are left out of the answer, which names the
   * subjects written. Throws `KEYS_SHRED_KEY_RETIRED`, having written nothing, when an erasure has
   * retired one of the shred keys.
   */
  insertSubjectKeys(
    tenantId: TenantId,
    rows: readonly SubjectKeyRow[],
  ): Promise<readonly SubjectId[]>;
  findCollectionKeys(
    tenantId: TenantId,
    collectionIds: readonly CollectionId[],
  ): Promise<readonly CollectionKeyRow[]>;
  insertCollectionKeys(
    tenantId: TenantId,
    rows: readonly CollectionKeyRow[],
  ): Promise<readonly CollectionId[]>;
  findKeys(
    tenantId: TenantId,
    keyIds: readonly KeyId[],
  ): Promise<{
    readonly subjects: readonly SubjectKeyRow[];
    readonly collections: readonly CollectionKeyRow[];
  }>;
}
