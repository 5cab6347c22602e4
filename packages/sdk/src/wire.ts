// SPDX-License-Identifier: Apache-2.0
// What goes over the wire between this library and a cell: the types of `contracts` under one roof, and
// the few answers that it only describes as schemas.
import type { FieldValue, OpenResult } from '@bailiwick/contracts';
import type { Decision } from '@bailiwick/kernel';

export type {
  AccessExport,
  BlindIndexRequest,
  CollectionDescription,
  CollectionSchema,
  Condition,
  ConsentRequest,
  EntryAnswer,
  EntryPage,
  EntrySearch,
  EntrySearchPage,
  EvidenceAnswer,
  FactValue,
  FieldValue,
  HoldAnswer,
  HoldRequest,
  ImportResult,
  InclusionProofsAnswer,
  ObjectionRequest,
  OpenResult,
  OrderAnswer,
  OrderRequest,
  Problem,
  RecordDraft,
  RecordPage,
  RefusedLine,
  RestrictionRequest,
  RetentionRun,
  RetentionRunRequest,
  RetentionTermAnswer,
  RightsRequest,
  RightsRequestDraft,
  SealRequest,
  SealResult,
  SearchQuery,
  StandingAnswer,
  StandingChangeAnswer,
  StoredRecord,
  SubjectEventRequest,
  TransferAnswer,
  TransferPreview,
  TransferRequest,
  Where,
  WireFlow,
} from '@bailiwick/contracts';

/** Fields to write; `null` removes one. */
export type Fields = Readonly<Record<string, FieldValue | null>>;

export interface Openings {
  readonly items: readonly OpenResult[];
  /** Id of the one entry that this call left in the ledger. */
  readonly entry?: string;
}

export interface Decisions {
  readonly items: readonly Decision[];
}

/** What the charter in force says, as the cell tells it. */
export interface CharterSummary {
  readonly hash: string;
  readonly serial: number;
  readonly isFresh: boolean;
  /** Country to home. */
  readonly routes: Readonly<
    Record<
      string,
      { readonly cell: string; readonly residency: string; readonly regimes: readonly string[] }
    >
  >;
  /** Countries without a home, and why. */
  readonly refused: Readonly<Record<string, { readonly because: string }>>;
  /** Names in use for a country, to its id. */
  readonly names: Readonly<Record<string, string>>;
  readonly purposes: readonly unknown[];
  readonly categories: readonly unknown[];
}

export interface EntryQuery {
  readonly pageSize?: number;
  readonly pageToken?: string;
}

/** Ids of what an application entered by itself. */
export interface EntryReceipts {
  readonly items: readonly { readonly entryId: string; readonly leafHash: string }[];
}

export interface LedgerCheck {
  readonly problems: readonly Readonly<Record<string, unknown>>[];
  readonly [key: string]: unknown;
}

/** A key as its tenant sees it. */
export interface KeyDescription {
  readonly keyId: string;
  /** `customer-key` at the top, `tenant-key` below. */
  readonly kind: string;
  readonly version: number;
  readonly state: string;
  readonly provider: string;
  /** The word by which the cell or the tenant's custody file names the provider. */
  readonly providerName: string;
  /** Milliseconds from the last successful unwrap to the last use; 0: asked for every use. */
  readonly stalenessMs: number;
  readonly createdAt: string;
  readonly changedAt: string;
  /** People whose data cannot be read while this key is disabled. */
  readonly subjectsCount: number;
}

/** What can be asked for that two people must sign. */
export type KeyAction =
  | { readonly kind: 'end' }
  | { readonly kind: 'destroy'; readonly keyId: string; readonly version: number }
  | { readonly kind: 'move'; readonly provider: string }
  | { readonly kind: 'staleness'; readonly stalenessMs: number };

/** A request that two people sign; `body` is exactly what is signed. */
export interface KeyRequest {
  readonly keyRequestId: string;
  readonly body: string;
  readonly state: string;
  readonly signedBy: readonly string[];
  readonly signaturesNeeded: number;
  readonly createdAt: string;
  readonly expiresAt: string;
  readonly doneAt?: string;
}

/** A new version of a key above the data, on its way or arrived. */
export interface KeyRotation {
  readonly rotationId: string;
  readonly kind: string;
  readonly state: string;
  readonly fromVersion: number;
  readonly toVersion: number;
  readonly wrappedCount: number;
  readonly startedAt: string;
  readonly doneAt?: string;
}

/** What each version of the keys still protects, and what could be destroyed. */
export interface KeyReport {
  readonly customerKeys: readonly {
    readonly keyId: string;
    readonly version: number;
    readonly provider: string;
    readonly providerName: string;
    readonly isCurrent: boolean;
    readonly tenantKeysCount: number;
    readonly isDestroyable: boolean;
    readonly createdAt: string;
    readonly retiredAt?: string;
    readonly destroyedAt?: string;
  }[];
  readonly tenantKeys: readonly {
    readonly keyId: string;
    readonly version: number;
    readonly customerKeyId: string;
    readonly subjectKeysCount: number;
    readonly shredKeysCount: number;
    readonly collectionKeysCount: number;
    readonly secretsCount: number;
    readonly isDestroyable: boolean;
    readonly createdAt: string;
  }[];
}

/** What a signed statement says, and by whom. */
export interface SignedStatement {
  readonly body: string;
  readonly publicKey: string;
  readonly signature: string;
}

/** A disable or an enable: accepted when durable, effective when no process holds the key. */
export interface KeyChange {
  readonly changeId: string;
  readonly keyId: string;
  readonly kind: string;
  readonly state: string;
  readonly acceptedAt: string;
  readonly effectiveAt?: string;
  readonly receipts: readonly SignedStatement[];
  /** Ids of its entries in the ledger. */
  readonly entries: readonly string[];
}

/** What became of a person's keys and records; each replica of the erasable store has signed for it. */
export interface ErasureReceipt {
  readonly erasureId: string;
  readonly subjectId: string;
  readonly state: string;
  readonly acceptedAt: string;
  readonly doneAt?: string;
  /** From then on no process of the cell can open what was sealed under the person's key. */
  readonly unreadableInServiceAt?: string;
  /** Day on which the last backup with indexes or plain fields of the person ends. */
  readonly unreadableInCopiesOn?: string;
  readonly keyIds: readonly string[];
  readonly recordsCount: number;
  /** What a hold or a law keeps, field by field. */
  readonly kept: readonly {
    readonly collection: string;
    readonly fieldSet: string;
    readonly fields: readonly string[];
    readonly reason: 'hold' | 'statutory-retention';
    readonly because: string;
    readonly source: string;
    readonly until?: string;
    readonly recordsCount: number;
  }[];
  readonly keptRecordsCount: number;
  readonly statements: readonly SignedStatement[];
  /** What this erasure cannot reach, in plain words. */
  readonly caveats: readonly string[];
  readonly entries: readonly string[];
  /** The receipt as the cell has signed it (DSSE). */
  readonly receipt?: Readonly<Record<string, unknown>>;
}
