// SPDX-License-Identifier: Apache-2.0
// What goes over the wire between this library and a cell: the types of `contracts` under one roof, and
// the few answers that it only describes as schemas.
import type { FieldValue, OpenResult } from '@bailiwick/contracts';
import type { Decision } from '@bailiwick/kernel';

export type {
  BlindIndexRequest,
  CollectionDescription,
  CollectionSchema,
  Condition,
  EntryAnswer,
  EntryPage,
  FactValue,
  FieldValue,
  ImportResult,
  InclusionProofsAnswer,
  OpenResult,
  Problem,
  RecordDraft,
  RecordPage,
  RefusedLine,
  SealRequest,
  SealResult,
  SearchQuery,
  StoredRecord,
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

export interface TransferDraft {
  readonly kind: 'copy' | 'move' | 'aggregate' | 'standby' | 'export';
  readonly selection: Readonly<Record<string, unknown>>;
  readonly form: string;
  readonly destination: { readonly kind: string; readonly id?: string };
  readonly purpose: string;
  readonly mechanism?: string;
  readonly aggregate?: {
    readonly groupBy: readonly unknown[];
    readonly measures: readonly unknown[];
    readonly minimumCount: number;
  };
}

export interface Transfer {
  readonly transferId: string;
  readonly state: string;
  readonly [key: string]: unknown;
}

export interface KeyState {
  readonly keyId: string;
  readonly kind: string;
  readonly state: string;
  readonly [key: string]: unknown;
}

export interface ErasureReceipt {
  readonly [key: string]: unknown;
}
