// SPDX-License-Identifier: Apache-2.0
// Finding one's own entries: by what they tell, by person (those who may), by time; page by page.
import { type TSchema, Type } from 'typebox';
import { InstantSchema, UuidSchema } from './directory.ts';
import { type EntryAnswer, EntryAnswerSchema } from './ledger.ts';

/** Most entries of one page of a search. */
export const ENTRY_SEARCH_PAGE_SIZE_MAX = 200;
/** Entries of a page where nothing is said. */
export const ENTRY_SEARCH_PAGE_SIZE_DEFAULT = 50;
/** Most kinds of one search; an entry is of any of them. */
export const ENTRY_SEARCH_KINDS_COUNT_MAX = 18;

/** What the entry's flow says. */
export interface EntrySearchFlow {
  readonly action?: string;
  readonly purpose?: string;
  /** Jurisdiction where the flow goes to. */
  readonly location?: string;
  /** Id of the cell, provider or reader that the flow goes to. */
  readonly destination?: string;
  readonly class?: string;
  readonly category?: string;
}

/** All conditions hold at once; without any, all entries of the tenant are found. */
export interface EntrySearch {
  /** Any of these kinds. */
  readonly kinds?: readonly string[];
  /** The caller's own id of the person; for privacy officers, administrators and auditors. */
  readonly subject?: string;
  /** The person by the id that this cell gave; for the same roles, and while the key is disabled. */
  readonly subjectId?: string;
  readonly flow?: EntrySearchFlow;
  readonly outcome?: 'allow' | 'deny';
  /** Id of a rule that decided. */
  readonly rule?: string;
  /** Id of a key that the entry is about. */
  readonly key?: string;
  readonly account?: string;
  readonly role?: string;
  readonly collection?: string;
  /** Code of a refusal. */
  readonly code?: string;
  /** RFC 3339: entries at this instant or later. */
  readonly from?: string;
  /** RFC 3339: entries before this instant. */
  readonly to?: string;
  /** By position in the log; `newest` first where nothing is said. */
  readonly order?: 'newest' | 'oldest';
  /** Gives each entry its inclusion proof. */
  readonly proofs?: boolean;
  readonly pageSize?: number;
  readonly pageToken?: string;
}

/** A page of entries, each with its position. */
export interface EntrySearchPage {
  readonly items: readonly EntryAnswer[];
  /** The search has seen the log up to this size; what is newer comes within about a second. */
  readonly size: number;
  /** Present while there may be more; a page can be short, even empty, before the last one. */
  readonly nextPageToken?: string;
}

const strict = { additionalProperties: false };
const NAME_LENGTH_MAX = 256;
const Name: TSchema = Type.Optional(Type.String({ minLength: 1, maxLength: NAME_LENGTH_MAX }));
const Instant: TSchema = Type.Optional(InstantSchema);

/** Schema of an `EntrySearch`. */
export const EntrySearchSchema: TSchema = Type.Object(
  {
    kinds: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 63 }), {
        minItems: 1,
        maxItems: ENTRY_SEARCH_KINDS_COUNT_MAX,
      }),
    ),
    subject: Name,
    subjectId: Type.Optional(UuidSchema),
    flow: Type.Optional(
      Type.Object(
        {
          action: Name,
          purpose: Name,
          location: Name,
          destination: Name,
          class: Name,
          category: Name,
        },
        strict,
      ),
    ),
    outcome: Type.Optional(Type.Union([Type.Literal('allow'), Type.Literal('deny')])),
    rule: Name,
    key: Name,
    account: Name,
    role: Name,
    collection: Name,
    code: Name,
    from: Instant,
    to: Instant,
    order: Type.Optional(Type.Union([Type.Literal('newest'), Type.Literal('oldest')])),
    proofs: Type.Optional(Type.Boolean()),
    pageSize: Type.Optional(Type.Integer({ minimum: 1, maximum: ENTRY_SEARCH_PAGE_SIZE_MAX })),
    pageToken: Type.Optional(Type.String({ minLength: 1, maxLength: 4096 })),
  },
  strict,
);

/** Schema of an `EntrySearchPage`. */
export const EntrySearchPageSchema: TSchema = Type.Object(
  {
    items: Type.Array(EntryAnswerSchema),
    size: Type.Integer({ minimum: 0 }),
    nextPageToken: Type.Optional(Type.String()),
  },
  strict,
);
