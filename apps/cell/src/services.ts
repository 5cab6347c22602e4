// SPDX-License-Identifier: Apache-2.0
// The inner API of a cell: what the capability folders may ask of each other. One API for two kinds of
// users: the doors serve an application's own database with it, the record store is their first
// customer. Only `main.ts` makes these; everything else receives them.
import type { KeyObject } from 'node:crypto';
import type { CompiledCharter, ContractTerms } from '@bailiwick/charter';
import type {
  Action,
  ActorKind,
  Assurance,
  CellId,
  Clock,
  CollectionId,
  Consent,
  DataClass,
  Decision,
  Destination,
  EntryId,
  Flow,
  Form,
  KeyId,
  Random,
  Residency,
  SubjectId,
  TenantId,
} from '@bailiwick/kernel';
import type { EntryBody, EntryKind } from '@bailiwick/ledger';
import type { Engine } from '@bailiwick/policy';
import type { Database } from '@bailiwick/postgres';
import type { Log, Meter } from '@bailiwick/telemetry';

/** Who asks: what a verified token says, never what a header claims. */
export interface Credential {
  readonly tenantId: TenantId;
  /** Opaque account id (UUID). */
  readonly account: string;
  readonly kind: ActorKind;
  readonly role: string;
  readonly employer: string;
  readonly assurance: Assurance;
  /** Jurisdiction where the actor is. */
  readonly place: string;
  /** Purposes granted to it. */
  readonly purposes: readonly string[];
  readonly defaultPurpose?: string;
  /** Verified residency claim of this request. */
  readonly residency: Residency;
}

/** The law that this cell holds to now. */
export interface LawInForce {
  readonly charter: CompiledCharter;
  readonly serial: number;
  readonly hash: string;
  /** The engine for a tenant: the charter narrowed by its contract terms. */
  engineFor(tenantId: TenantId | undefined): Engine;
  termsOf(tenantId: TenantId): ContractTerms | undefined;
  /** A candidate that decides beside it for a share of decisions. */
  readonly canary?: {
    readonly serial: number;
    judge(tenantId: TenantId, flow: Flow, own: Decision): Decision;
    engineFor(tenantId: TenantId): Engine;
  };
}

export interface Law {
  /** Throws `LAW_CHARTER_ABSENT` before the first bundle. */
  current(): LawInForce;
  /** False once the freshness statement has run out: flows that cross a border stop (invariant 11). */
  isFresh(): boolean;
}

/** Owner of a sealing key: a person, or a collection for data about no person. */
export type KeyOwner =
  | { readonly kind: 'subject'; readonly subjectId: SubjectId }
  | { readonly kind: 'collection'; readonly collectionId: CollectionId };

export interface KeyHandle {
  readonly keyId: KeyId;
  readonly version: number;
  readonly key: KeyObject;
}

export interface KeyReference {
  readonly keyId: KeyId;
  readonly version: number;
}

/** Why a key cannot be had. `erased` is for ever. */
export interface KeyProblem {
  readonly code: 'KEYS_KEY_ERASED' | 'KEYS_KEY_UNKNOWN' | 'KEYS_KEY_UNREADABLE';
}

/** Keys of a tenant that are not for sealing values. */
export interface TenantSecrets {
  /** Turns callers' ids into record and subject ids. */
  readonly idKey: KeyObject;
  /** Authenticates facts. */
  readonly factsKey: KeyObject;
  /** Blind index key of one field; held in the erasable store. */
  indexKey(field: {
    readonly collectionId: CollectionId;
    readonly field: string;
    readonly version: number;
  }): Promise<KeyObject>;
}

/**
 * The keys of this process, held under a lease of the cell's key service.
 *
 * Every method throws `KEYS_LEASE_EXPIRED` (503), `KEYS_CUSTOMER_KEY_DISABLED` (423) or
 * `KEYS_TENANT_UNKNOWN` rather than serve without a lease. An expired lease waits for one renewal.
 */
export interface KeyRing {
  /** Keys to seal with, in the owners' order, created when absent; their wraps are durable on return. */
  sealingKeys(tenantId: TenantId, owners: readonly KeyOwner[]): Promise<readonly KeyHandle[]>;
  openingKeys(
    tenantId: TenantId,
    references: readonly KeyReference[],
  ): Promise<readonly (KeyHandle | KeyProblem)[]>;
  secrets(tenantId: TenantId): Promise<TenantSecrets>;
  /**
   * SECURITY: the last check, directly before plaintext goes to a socket and once more after it
   * (invariant 8). Synchronous.
   */
  assertUsable(tenantId: TenantId): void;
}

/** What is known of an entry once it is durable. */
export interface EntryReceipt {
  readonly entryId: EntryId;
  /** RFC 6962 leaf hash, lower-case hex. */
  readonly leafHash: string;
}

/** An entry made ready to be written inside somebody else's transaction. */
export interface PreparedEntry extends EntryReceipt {
  readonly tenantId: TenantId | undefined;
  readonly kind: EntryKind;
  readonly commitment: Buffer;
  readonly salt: Buffer;
  readonly body: string;
}

export type EntryDraft = Omit<EntryBody, 'v' | 'id' | 'at' | 'cell' | 'tenant'>;

export interface EntryWriter {
  /** Resolves when the entry is durable in the inbox; groups with others (self-clocked flush). */
  record(tenantId: TenantId | undefined, draft: EntryDraft): Promise<EntryReceipt>;
  /** Makes an entry to be written with `insertPrepared` in the caller's own transaction. */
  prepare(tenantId: TenantId | undefined, draft: EntryDraft): PreparedEntry;
  /** SQL-side write of prepared entries; the caller's transaction has the tenant set. */
  insertPrepared(tx: import('pg').PoolClient, entries: readonly PreparedEntry[]): Promise<void>;
  /**
   * Resolves once a signed checkpoint covers the entry: transfers, key actions, erasures wait for it. An entry
   * that another process wrote, or this one before it started, is found by its tenant.
   */
  awaitCheckpoint(
    entryId: EntryId,
    options: { readonly timeoutMs: number; readonly tenantId?: TenantId },
  ): Promise<void>;
}

/** Conditions that the cell itself finds true of a person; a charter may name them under `conditions`. */
export type StandingCondition = 'legal-hold' | 'objected' | 'processing-restricted';

/** What holds of a person for one purpose beside the label: the source of a flow's consent. */
export interface Standing {
  /** Equal for equal content. */
  readonly id: string;
  readonly consent: Consent;
  /** Sorted. */
  readonly conditions: readonly StandingCondition[];
  /** Stored facts are not what this cell wrote: everything is denied. */
  readonly isUnverified: boolean;
}

export interface StandingQuestion {
  readonly purpose: string;
  /** Absent: any of the tenant's collections. */
  readonly collection?: {
    readonly id: CollectionId;
    readonly version: number;
    readonly categories: readonly string[];
  };
}

/**
 * What holds of people, kept in memory. `prepare` before `find`: it is done at once (`undefined`) when
 * everything is known already.
 */
export interface Standings {
  prepare(
    tenantId: TenantId,
    subjectIds: Iterable<SubjectId | undefined>,
  ): Promise<void> | undefined;
  /** `undefined`: nothing is known of this person. Synchronous; asserts that it was prepared. */
  find(
    tenantId: TenantId,
    subjectId: SubjectId | undefined,
    question: StandingQuestion,
  ): Standing | undefined;
  /** True when nothing is known of anybody of this tenant; prepared like `find`. */
  isEmpty(tenantId: TenantId): boolean;
  /** The subject that a caller's id means today: another one after each erasure. */
  presentSubject(tenantId: TenantId, named: SubjectId, idKey: KeyObject): SubjectId;
}

/** `freeze`: as it is, where it is. `read-only`: nothing is written. `suspend`: nothing at all. */
export type OrderMeasure = 'freeze' | 'read-only' | 'suspend';

/** A legal order in force, as far as it decides. */
export interface OrderInForce {
  readonly orderId: string;
  readonly measure: OrderMeasure;
  readonly reference: string;
}

/** Legal orders, kept in memory. */
export interface Orders {
  /** Has a tenant's orders ready; `undefined` when they are. */
  prepare(tenantId: TenantId): Promise<void> | undefined;
  /** Grows whenever an order of any tenant is placed or revoked here. */
  readonly revision: number;
  /** The order that stands against this; `isUnknown` when orders could not be had or do not verify. */
  find(
    tenantId: TenantId,
    flow: { readonly action: Action; readonly origin: string; readonly subjectId?: SubjectId },
  ): OrderInForce | 'unknown' | undefined;
  /** People of this tenant whom orders name. */
  peopleOf(tenantId: TenantId): ReadonlySet<SubjectId>;
}

/** What an enforcement point knows about the data it is about to touch. */
export interface FlowRequest {
  readonly action: Action;
  readonly class: DataClass;
  readonly categories: readonly string[];
  readonly regimes: readonly string[];
  readonly origin: string;
  readonly residency: string;
  readonly purpose: string;
  readonly form?: Form;
  /** Absent: the reader itself, at the credential's place. */
  readonly to?: Destination;
  readonly mechanism?: string;
  readonly consent?: Consent;
  readonly conditions?: readonly string[];
  /** Of the person that the data is about. */
  readonly standing?: Standing;
  /** The person, where legal orders can be about them. */
  readonly subjectId?: SubjectId;
}

export interface Enforcement {
  /** True when the same question gets the same answer for as long as the law is the same. */
  isRepeatable(): boolean;
  /** The purpose of this request: stated and granted, or the account's default; throws a 403 otherwise. */
  purposeOf(credential: Credential, stated: string | undefined): string;
  /** Builds the flow and decides it under charter and terms; a stale charter denies what crosses. */
  decide(
    credential: Credential,
    request: FlowRequest,
  ): { readonly flow: Flow; readonly decision: Decision };
  /** Throws a denial problem (403 with rules, reasons, nearest flow) unless allowed. The refusal is entered. */
  require(
    credential: Credential,
    request: FlowRequest,
  ): Promise<{ readonly flow: Flow; readonly decision: Decision }>;
  /** Flow and decision as an entry's draft carries them. */
  toDraft(
    credential: Credential,
    decided: { readonly flow: Flow; readonly decision: Decision },
  ): Pick<EntryDraft, 'actor' | 'flow' | 'decision'>;
}

export interface CellServices {
  readonly cellId: CellId;
  readonly clock: Clock;
  readonly random: Random;
  readonly database: Database;
  readonly law: Law;
  readonly keys: KeyRing;
  readonly entries: EntryWriter;
  readonly enforcement: Enforcement;
  readonly standings: Standings;
  readonly orders: Orders;
  readonly log: Log;
  readonly meter: Meter;
}
