// SPDX-License-Identifier: Apache-2.0
// What the cell answers, as far as the pages look at it. Shapes that packages describe come from there.
import type {
  CellAnswer,
  EntryAnswer,
  MechanismAnswer,
  PlaceAnswer,
  TransferAnswer,
} from '@bailiwick/contracts';

export type {
  CellAnswer,
  EntryAnswer,
  EntrySearchPage,
  HoldingsAnswer,
  LedgerCheckAnswer,
  MechanismAnswer,
  PlaceAnswer,
  StatusAnswer,
  TransferAnswer,
  WireFlow,
} from '@bailiwick/contracts';

export interface Items<T> {
  readonly items: readonly T[];
}

export type Cells = Items<CellAnswer>;
export type Places = Items<PlaceAnswer>;
export type Mechanisms = Items<MechanismAnswer>;
export type Transfers = Items<
  TransferAnswer & {
    readonly problem?: { readonly code: string; readonly reasons?: readonly Reason[] };
  }
>;

/** `GET /v1/session` */
export interface Session {
  readonly tenant: string;
  readonly account: string;
  readonly role: string;
  readonly assurance: string;
  readonly place: string;
  readonly purposes: readonly string[];
  readonly residency: string;
  readonly cell: string;
  readonly expiresAt?: string;
}

export interface Key {
  readonly keyId: string;
  readonly kind: string;
  readonly version: number;
  readonly state: string;
  readonly provider: string;
  readonly createdAt: string;
  readonly changedAt: string;
  readonly subjectsCount: number;
}

export interface SignedStatement {
  readonly body: string;
  readonly publicKey: string;
  readonly signature: string;
}

export interface KeyChange {
  readonly changeId: string;
  readonly keyId: string;
  readonly state: string;
  readonly acceptedAt: string;
  readonly effectiveAt?: string;
  readonly receipts: readonly SignedStatement[];
  readonly entries: readonly string[];
}

export interface Charter {
  readonly hash: string;
  readonly serial: number;
  readonly purposes: readonly string[];
  readonly categories: readonly string[];
  readonly roles: readonly string[];
  readonly mechanisms: readonly string[];
  readonly residencies: readonly string[];
}

export interface Reason {
  readonly rule: string;
  readonly because: string;
  readonly source: string;
}

export interface Decision {
  readonly outcome: 'allow' | 'deny';
  readonly rules: readonly string[];
  readonly reasons: readonly Reason[];
  readonly obligations: readonly {
    readonly kind: string;
    readonly minimumCount?: number;
    readonly categories?: readonly string[];
  }[];
  readonly cause?: string;
  readonly nearest: readonly {
    readonly words: string;
    readonly change: Readonly<Record<string, string>>;
  }[];
  readonly charter: { readonly hash: string; readonly serial: number };
}

/** A flow as an entry has it: its actor stands beside it. */
export interface EnteredFlow {
  readonly action: string;
  readonly data: {
    readonly class: string;
    readonly categories: readonly string[];
    readonly regimes: readonly string[];
    readonly origin: string;
    readonly residency: string;
  };
  readonly form: string;
  readonly to: {
    readonly kind: string;
    readonly id?: string;
    readonly location: string;
    readonly operator: string;
  };
  readonly purpose: string;
  readonly mechanism?: string;
  readonly consent?: string;
  readonly conditions?: readonly string[];
  readonly at?: string;
}

/** The body of an entry, read where it was verified or shown. */
export interface EntryBody {
  readonly kind: string;
  readonly at: string;
  readonly actor?: {
    readonly account: string;
    readonly kind: string;
    readonly role: string;
    readonly employer: string;
    readonly assurance: string;
    readonly place: string;
  };
  readonly flow?: EnteredFlow;
  readonly decision?: {
    readonly outcome: 'allow' | 'deny';
    readonly rules: readonly string[];
    readonly cause?: string;
    readonly charter: string;
    readonly serial: number;
  };
  readonly records?: { readonly count: number };
  readonly subject?: string;
  readonly facts?: Readonly<Record<string, unknown>>;
}

/** The body of an entry, where its term is not over. The cell made it; its shape is the cell's. */
export function toEntryBody({ body }: EntryAnswer): EntryBody | undefined {
  return body as EntryBody | undefined;
}
