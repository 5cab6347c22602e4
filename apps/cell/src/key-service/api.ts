// SPDX-License-Identifier: Apache-2.0
// What the key service does for the processes of its cell. One interface for both ways to reach it: in
// one process (tests, tools) and over mTLS (`server.ts`, `../keys/remote-service.ts`).
import type { KeyObject } from 'node:crypto';
import type {
  CollectionId,
  EntryId,
  KeyId,
  ProcessId,
  SubjectId,
  TenantId,
} from '@bailiwick/kernel';
import type {
  CustomerKeyVersionRow,
  ErasableReplica,
  ErasureRow,
  KeyChangeRow,
  KeyRequestAction,
  KeyRequestRow,
  KeyState,
  RotationRow,
  SignedStatement,
  TenantKeyUse,
} from '@bailiwick/keys';

/** A registered process, in the key service's generation that it knows. */
export interface Caller {
  readonly processId: ProcessId;
  readonly generation: number;
}

/** What a tenant's contract terms say of its keys: they only narrow. */
export interface KeyTerms {
  readonly custody?: 'cell' | 'customer' | 'hold-your-own';
  readonly stalenessMsMax?: number;
}

/** What processes must let go of, or take note of. */
export type Drop =
  /** The provider behind a gate went away or came back: nothing is sealed while it is away. */
  | { readonly kind: 'provider'; readonly gateName: string; readonly isAway: boolean }
  | { readonly kind: 'tenant'; readonly tenantId: TenantId; readonly keyId: KeyId }
  | {
      readonly kind: 'shred-key';
      readonly tenantId: TenantId;
      readonly shredKeyId: KeyId;
      /** The erased subject's keys. */
      readonly keyIds: readonly KeyId[];
    };

/** A drop with its place in the generation's order. */
export interface NumberedDrop {
  readonly revision: number;
  readonly drop: Drop;
}

export interface Registration {
  readonly generation: number;
  /** The drops up to this one are behind: what the process asks for from now on takes them in. */
  readonly revision: number;
  readonly leaseMs: number;
  /** Verifies what the key service states. */
  readonly publicKey: string;
}

export interface Renewal {
  /** False: there are drops to acknowledge first; the lease runs on as it was. */
  readonly isExtended: boolean;
  readonly leaseMs: number;
  /** Drops after the revision that the process said it knows. */
  readonly drops: readonly NumberedDrop[];
}

/** A tenant's keys as they stood at `revision`. */
export interface TenantMaterial {
  readonly revision: number;
  /** The customer key above. */
  readonly customerKeyId: KeyId;
  /** The newest tenant key is the last. */
  readonly tenantKeys: readonly {
    readonly keyId: KeyId;
    readonly version: number;
    readonly key: KeyObject;
  }[];
  readonly factsKey: KeyObject;
  readonly idKey: KeyObject;
  /** Names the provider's gate in this cell. */
  readonly gateName: string;
  /** False while the provider is away: nothing may be sealed. */
  readonly canSeal: boolean;
  /** For one use: the tenant wants the provider asked each time. */
  readonly isSingleUse: boolean;
}

/** The key that wraps the subject keys of one bucket. */
export interface WrappingMaterial {
  readonly revision: number;
  readonly shredKeyId: KeyId;
  readonly key: KeyObject;
}

/** Retired shred keys are in neither list: their subjects' wraps have moved. */
export interface OpenedShredKeys {
  readonly opened: readonly WrappingMaterial[];
  /** Known to the database and not in the erasable store: a database restored from before an erasure. */
  readonly lost: readonly KeyId[];
}

/** A bucket with places for new subjects. */
export interface ReservedMaterial extends WrappingMaterial {
  readonly count: number;
}

/** Names a blind index key. */
export interface IndexField {
  readonly collectionId: CollectionId;
  readonly field: string;
  readonly version: number;
}

/** A key as the customer's security team sees it. */
export interface KeyDescription {
  readonly keyId: KeyId;
  readonly kind: 'customer-key' | 'tenant-key';
  readonly version: number;
  readonly state: KeyState;
  /** Kind of the provider. */
  readonly provider: string;
  /** By which word the cell's configuration or the tenant's custody file names it. */
  readonly providerName: string;
  /** Milliseconds from the start of the last successful unwrap to the last use; 0: asked for every use. */
  readonly stalenessMs: number;
  readonly createdAtMs: number;
  readonly changedAtMs: number;
  /** Subjects whose data cannot be read while this key is disabled. */
  readonly subjectsCount: number;
}

/** What each version of a tenant's keys still protects. */
export interface KeyReport {
  readonly customerKeys: readonly (CustomerKeyVersionRow & {
    readonly tenantKeysCount: number;
    readonly isCurrent: boolean;
    readonly isDestroyable: boolean;
  })[];
  readonly tenantKeys: readonly (TenantKeyUse & { readonly isDestroyable: boolean })[];
}

/** A request as its tenant sees it. */
export interface KeyRequest extends Omit<KeyRequestRow, 'signatures'> {
  /** Names of the approvers whose signatures stand under it, verified now. */
  readonly signedBy: readonly string[];
  /** How many are needed. */
  readonly signaturesNeeded: number;
}

/** For processes: leases and keys. */
export interface LeaseService {
  register(process: {
    readonly processId: ProcessId;
    /** Ed25519, base64: verifies what the process states. */
    readonly publicKey: string;
  }): Promise<Registration>;
  renew(caller: Caller, known: { readonly revision: number }): Promise<Renewal>;
  /** Tells drops as they come, until the returned function is called; `onEnd` when the stream breaks. */
  watch(
    caller: Caller,
    listener: {
      readonly onDrop: (drop: NumberedDrop) => void;
      readonly onEnd: () => void;
    },
  ): () => void;
  acknowledge(
    caller: Caller,
    done: { readonly revision: number; readonly statement: SignedStatement },
  ): Promise<void>;
  openTenant(caller: Caller, tenantId: TenantId): Promise<TenantMaterial>;
  openShredKeys(
    caller: Caller,
    wanted: { readonly tenantId: TenantId; readonly shredKeyIds: readonly KeyId[] },
  ): Promise<OpenedShredKeys>;
  reserve(
    caller: Caller,
    wanted: { readonly tenantId: TenantId; readonly count: number },
  ): Promise<readonly ReservedMaterial[]>;
  openIndexKey(
    caller: Caller,
    wanted: { readonly tenantId: TenantId; readonly field: IndexField },
  ): Promise<{ readonly revision: number; readonly key: KeyObject }>;
}

/** For the cell's use cases: states, changes, erasures. */
export interface KeyAdministration {
  /** Makes a tenant's first keys where it has none, and takes over what its terms say. */
  provisionTenant(tenantId: TenantId, terms?: KeyTerms): Promise<void>;
  describeKeys(tenantId: TenantId): Promise<readonly KeyDescription[]>;
  /**
   * Accepts a change of state: durable on return. `KEYS_KEY_UNKNOWN` for any key but the tenant's
   * customer key. The same `changeId` again gives the change as it is.
   */
  changeState(change: {
    readonly changeId: string;
    readonly tenantId: TenantId;
    readonly keyId: KeyId;
    readonly to: KeyState;
    readonly entryId?: EntryId;
  }): Promise<KeyChangeRow>;
  /** Asks for what two people must sign: gives the text to be signed. */
  requestAction(request: {
    readonly requestId: string;
    readonly tenantId: TenantId;
    readonly action: KeyRequestAction;
    /** Who asks. */
    readonly account: string;
    /** Records of the tenant in this cell, for the consequence. */
    readonly recordsCount: number;
    /** What its contract terms ask: nobody signs that away here. */
    readonly terms?: KeyTerms;
  }): Promise<KeyRequest>;
  listRequests(tenantId: TenantId): Promise<readonly KeyRequest[]>;
  /** Adds a signature; with the last one needed the request is carried out. */
  signRequest(signed: {
    readonly requestId: string;
    readonly tenantId: TenantId;
    readonly account: string;
    readonly key: string;
    readonly signature: string;
  }): Promise<KeyRequest>;
  cancelRequest(requestId: string, tenantId: TenantId): Promise<KeyRequest>;
  /** A shorter staleness at once; a longer one needs a request. */
  shortenStaleness(tenantId: TenantId, stalenessMs: number): Promise<void>;
  rotateKey(rotation: {
    readonly rotationId: string;
    readonly tenantId: TenantId;
    readonly kind: RotationRow['kind'];
  }): Promise<RotationRow>;
  findRotation(rotationId: string, tenantId: TenantId): Promise<RotationRow>;
  reportKeys(tenantId: TenantId): Promise<KeyReport>;
  /** Resolves when every process has dropped the key or lost its lease. */
  awaitChange(changeId: string, options: { readonly timeoutMs: number }): Promise<KeyChangeRow>;
  /** Erases a subject's keys and resolves when every replica has signed; resumes after a crash. */
  eraseSubject(erasure: {
    readonly erasureId: string;
    readonly tenantId: TenantId;
    readonly subjectId: SubjectId;
    readonly entryId?: EntryId;
  }): Promise<ErasureReceipt>;
}

/** What is known of an erasure, for its receipt. */
export interface ErasureReceipt extends ErasureRow {
  readonly replicas: readonly ErasableReplica[];
  /** True: a copy that somebody took of the erasable store would undo this erasure. */
  readonly isExtractable: boolean;
}

export interface KeyServiceApi extends LeaseService, KeyAdministration {}
