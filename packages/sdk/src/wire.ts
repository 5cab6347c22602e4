// SPDX-License-Identifier: Apache-2.0
// What goes over the wire between this library and a cell, as types. The schemas that check it are in
// `contracts`; a test in `apps/cell` holds both together.
import type { FieldValue } from '@bailiwick/contracts';
import type { Consent, Decision, Flow } from '@bailiwick/kernel';
import type { Problem } from './answer.ts';

export type {
  CollectionDescription,
  CollectionSchema,
  Condition,
  FieldValue,
  ImportResult,
  RecordDraft,
  RecordPage,
  RefusedLine,
  SearchQuery,
  StoredRecord,
  Where,
} from '@bailiwick/contracts';

/** Fields to write; `null` removes one. */
export type Fields = Readonly<Record<string, FieldValue | null>>;

/** A flow as JSON: the instant is RFC 3339 and may be left out (now). */
export type WireFlow = Omit<Flow, 'atMs' | 'consent' | 'conditions'> & {
  readonly at?: string;
  readonly consent?: Consent;
  readonly conditions?: readonly string[];
};

/** A field set to seal: the caller's own ids, turned into keyed hashes by the cell. */
export interface SealRequest {
  readonly collection: string;
  readonly fieldSet: string;
  readonly record: string;
  /** The person it is about; absent for data about nobody. */
  readonly subject?: string;
  /** Country where it was collected: `de` or a name the charter knows. */
  readonly origin: string;
  readonly fields: Fields;
  /** Fields to give a blind index for. */
  readonly indexes?: readonly { readonly field: string; readonly normalForm: string }[];
}

export type SealResult =
  | {
      /** Text form of the sealed value, `bwk1.…`. */
      readonly sealed: string;
      readonly recordId?: string;
      readonly subject?: string;
      /** Blind index per field, base64url. */
      readonly indexes?: Readonly<Record<string, string>>;
      readonly problem?: undefined;
    }
  | { readonly problem: Problem };

export type OpenResult =
  | { readonly fields: Fields; readonly masked?: readonly string[]; readonly problem?: undefined }
  | { readonly problem: Problem };

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
  readonly freshForMs?: number;
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
  readonly erasureId?: string;
  readonly state?: string;
  readonly [key: string]: unknown;
}

/** An entry of the tenant's own with its salt: what opens its leaf. */
export interface ListedEntry {
  /** Position in the log. */
  readonly index: number;
  /** base64url. */
  readonly salt: string;
  /** Canonical text. */
  readonly body: string;
}

export interface EntryQuery {
  readonly pageSize?: number;
  readonly pageToken?: string;
  readonly order?: 'asc' | 'desc';
}

export interface EntryPage {
  readonly items: readonly ListedEntry[];
  readonly nextPageToken?: string;
}

export interface LedgerCheck {
  readonly problems: readonly Readonly<Record<string, unknown>>[];
  readonly [key: string]: unknown;
}

export interface EntryOpened {
  readonly body: Readonly<Record<string, unknown>>;
  readonly salt?: string;
  readonly proof?: Readonly<Record<string, unknown>>;
  readonly [key: string]: unknown;
}
