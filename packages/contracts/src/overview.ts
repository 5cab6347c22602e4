// SPDX-License-Identifier: Apache-2.0
// What a cell tells a tenant's people of itself and of what it holds for them: counts, places, legal
// grounds, state. Nothing here is about a person.
import { type TSchema, Type } from 'typebox';

/** What a field set of a collection is, and how much of it lies here. */
export interface HoldingFieldSet {
  readonly name: string;
  readonly class: string;
  readonly category: string;
  readonly purpose: string;
  readonly protection: string;
  readonly subject: string;
  /** Bytes as stored: ciphertext with its seal, or plain. */
  readonly sizeBytes: number;
}

export interface HoldingCollection {
  readonly collection: string;
  readonly description?: string;
  readonly recordsCount: number;
  /** People whom its records are about. */
  readonly subjectsCount: number;
  readonly fieldSets: readonly HoldingFieldSet[];
}

/** `GET /v1/holdings`: what lies in this cell for the tenant. */
export interface HoldingsAnswer {
  readonly cell: string;
  /** When it was counted; a newer count is made behind it when this is older than a few seconds. */
  readonly countedAt: string;
  readonly recordsCount: number;
  readonly sizeBytes: number;
  readonly collections: readonly HoldingCollection[];
  /** Records by the jurisdiction where they were collected, most first. */
  readonly origins: readonly { readonly origin: string; readonly recordsCount: number }[];
}

/** A cell, as the tenant's people see it. */
export interface CellAnswer {
  readonly cell: string;
  readonly residency: string;
  /** Host name. */
  readonly name: string;
  /** How browsers get to its portal, by the address that the directory has. */
  readonly origin?: string;
  readonly location: string;
  readonly operator: string;
  /** True for the cell that answers. */
  readonly isThis: boolean;
  /** True where the tenant has a home there. */
  readonly isHome: boolean;
}

/** Where data of a place lives, as the charter says, and why. */
export interface PlaceAnswer {
  readonly origin: string;
  readonly name: string;
  /** ISO 3166-1, where the place is a country. */
  readonly iso?: string;
  /** Absent: refused. */
  readonly cell?: string;
  readonly regimes?: readonly string[];
  readonly because: string;
  readonly source?: string;
}

/** A legal ground of transfers. */
export interface MechanismAnswer {
  readonly id: string;
  readonly means: string;
  /** Regime to the instrument of it. */
  readonly under: Readonly<Record<string, string>>;
  readonly state: 'in-force' | 'not-yet' | 'ended' | 'suspended';
  readonly from?: string;
  /** First instant at which it no longer holds. */
  readonly endsAt?: string;
}

/** `GET /v1/status`: how this cell stands. */
export interface StatusAnswer {
  readonly cell: string;
  readonly version: string;
  readonly startedAt: string;
  readonly now: string;
  readonly location: { readonly jurisdiction: string; readonly observedBy: string };
  readonly operator: { readonly jurisdiction: string; readonly name: string };
  readonly charter: {
    readonly name: string;
    readonly title?: string;
    readonly serial: number;
    readonly hash: string;
    readonly atlasDate: string;
    readonly freshForMs: number;
    readonly isFresh: boolean;
    readonly rulesCount: number;
  };
  readonly bundleSerial: number;
  readonly ledger: {
    readonly origin: string;
    /** Entries that have a position. */
    readonly size: number;
    /** The log's key as a vkey. It proves nothing by itself: compare it with one from elsewhere. */
    readonly key: string;
  };
  readonly witnesses: {
    readonly quorum: number;
    readonly cosigners: readonly { readonly kind: string; readonly key: string }[];
  };
  /** The tenant's transfers by state. */
  readonly transfers: Readonly<Record<string, number>>;
}

const Text: TSchema = Type.String();
const Count: TSchema = Type.Integer({ minimum: 0 });
const Maybe: TSchema = Type.Optional(Text);

/** Schema of a `HoldingsAnswer`. */
export const HoldingsAnswerSchema: TSchema = Type.Object({
  cell: Text,
  countedAt: Text,
  recordsCount: Count,
  sizeBytes: Count,
  collections: Type.Array(
    Type.Object({
      collection: Text,
      description: Maybe,
      recordsCount: Count,
      subjectsCount: Count,
      fieldSets: Type.Array(
        Type.Object({
          name: Text,
          class: Text,
          category: Text,
          purpose: Text,
          protection: Text,
          subject: Text,
          sizeBytes: Count,
        }),
      ),
    }),
  ),
  origins: Type.Array(Type.Object({ origin: Text, recordsCount: Count })),
});

/** Schema of the answer of `GET /v1/cells`. */
export const CellsAnswerSchema: TSchema = Type.Object({
  items: Type.Array(
    Type.Object({
      cell: Text,
      residency: Text,
      name: Text,
      origin: Maybe,
      location: Text,
      operator: Text,
      isThis: Type.Boolean(),
      isHome: Type.Boolean(),
    }),
  ),
});

/** Schema of the answer of `GET /v1/places`. */
export const PlacesAnswerSchema: TSchema = Type.Object({
  items: Type.Array(
    Type.Object({
      origin: Text,
      name: Text,
      iso: Maybe,
      cell: Maybe,
      regimes: Type.Optional(Type.Array(Text)),
      because: Text,
      source: Maybe,
    }),
  ),
});

/** Schema of the answer of `GET /v1/mechanisms`. */
export const MechanismsAnswerSchema: TSchema = Type.Object({
  items: Type.Array(
    Type.Object({
      id: Text,
      means: Text,
      under: Type.Record(Type.String(), Type.String()),
      state: Text,
      from: Maybe,
      endsAt: Maybe,
    }),
  ),
});

/** Schema of a `StatusAnswer`. */
export const StatusAnswerSchema: TSchema = Type.Object({
  cell: Text,
  version: Text,
  startedAt: Text,
  now: Text,
  location: Type.Object({ jurisdiction: Text, observedBy: Text }),
  operator: Type.Object({ jurisdiction: Text, name: Text }),
  charter: Type.Object({
    name: Text,
    title: Maybe,
    serial: Count,
    hash: Text,
    atlasDate: Text,
    freshForMs: Count,
    isFresh: Type.Boolean(),
    rulesCount: Count,
  }),
  bundleSerial: Count,
  ledger: Type.Object({ origin: Text, size: Count, key: Text }),
  witnesses: Type.Object({
    quorum: Count,
    cosigners: Type.Array(Type.Object({ kind: Text, key: Text })),
  }),
  transfers: Type.Record(Type.String(), Type.Integer()),
});
