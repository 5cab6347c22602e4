// SPDX-License-Identifier: Apache-2.0
// What the ledger says on the wire. Checkpoint, tiles and bundles are C2SP's formats and not described
// here (c2sp.org/tlog-tiles).
import { type TSchema, Type } from 'typebox';
import { UuidSchema } from './directory.ts';

/** Most entries asked about at once. */
export const INCLUSION_PROOFS_COUNT_MAX = 256;
/** Most entries of one page. */
export const ENTRY_PAGE_SIZE_MAX = 200;

/** Where an entry is in the log, and how that follows from a signed checkpoint. */
export interface InclusionProof {
  /** From 0. */
  readonly index: number;
  /** Size of the tree that `hashes` lead to: that of `checkpoint`. */
  readonly size: number;
  /** Base64, from the leaf's sibling up. */
  readonly hashes: readonly string[];
  /** Signed note (c2sp.org/tlog-checkpoint). */
  readonly checkpoint: string;
}

/** An entry, opened for the tenant whose it is. */
export interface EntryAnswer {
  readonly entry: string;
  /** Absent once the body's term is over; the proof stays. */
  readonly body?: Readonly<Record<string, unknown>>;
  /** The text that the leaf commits to; `body` is its value. */
  readonly canonicalBody?: string;
  /** Base64url, 32 bytes. */
  readonly salt?: string;
  /** Lower-case hex. */
  readonly leafHash?: string;
  /** Position in the log, from 0; absent until the entry has one. */
  readonly index?: number;
  /** The epoch of `index`, where it is not the one that is open. */
  readonly epoch?: number;
  /** Absent until a signed checkpoint covers the entry (about a second). */
  readonly proof?: InclusionProof;
}

export interface EntryPage {
  readonly items: readonly EntryAnswer[];
  readonly nextPageToken?: string;
}

export interface InclusionProofsRequest {
  /** Entry ids. */
  readonly entries: readonly string[];
}

/** One item per id asked for, in that order. */
export interface InclusionProofsAnswer {
  readonly items: readonly (
    | { readonly entry: string; readonly leafHash: string; readonly proof: InclusionProof }
    | { readonly entry: string; readonly problem: { readonly code: string } }
  )[];
}

/** A stored row that is not what the ledger says. */
export interface LedgerCheckProblem {
  /** `older`: a whole older row was put back. */
  readonly problem:
    | 'older'
    | 'changed'
    | 'unrecorded'
    | 'returned'
    | 'missing'
    | 'entry-changed'
    | 'instant-implausible';
  readonly record?: string;
  readonly version?: number;
  /** The last write on record; for `entry-changed` and `instant-implausible` the entry itself. */
  readonly entry?: string;
  readonly entryVersion?: number;
}

export interface LedgerCheckAnswer {
  readonly rowsCount: number;
  /** Entries that tell of writes. */
  readonly entriesCount: number;
  /** All there are; `problems` may hold fewer. */
  readonly problemsCount: number;
  readonly problems: readonly LedgerCheckProblem[];
}

/** Most problems of one answer. */
export const LEDGER_CHECK_PROBLEMS_COUNT_MAX = 1_000;

const strict = { additionalProperties: false };
const Text: TSchema = Type.String();

/** Schema of an `InclusionProof`. */
export const InclusionProofSchema: TSchema = Type.Object(
  {
    index: Type.Integer({ minimum: 0 }),
    size: Type.Integer({ minimum: 1 }),
    hashes: Type.Array(Text),
    checkpoint: Text,
  },
  strict,
);

/** Schema of an `EntryAnswer`. */
export const EntryAnswerSchema: TSchema = Type.Object(
  {
    entry: UuidSchema,
    body: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
    canonicalBody: Type.Optional(Text),
    salt: Type.Optional(Text),
    leafHash: Type.Optional(Text),
    index: Type.Optional(Type.Integer({ minimum: 0 })),
    epoch: Type.Optional(Type.Integer({ minimum: 1 })),
    proof: Type.Optional(InclusionProofSchema),
  },
  strict,
);

/** Schema of an `EntryPage`. */
export const EntryPageSchema: TSchema = Type.Object(
  { items: Type.Array(EntryAnswerSchema), nextPageToken: Type.Optional(Text) },
  strict,
);

/** Schema of an `InclusionProofsRequest`. */
export const InclusionProofsRequestSchema: TSchema = Type.Object(
  { entries: Type.Array(UuidSchema, { minItems: 1, maxItems: INCLUSION_PROOFS_COUNT_MAX }) },
  strict,
);

/** Schema of an `InclusionProofsAnswer`. */
export const InclusionProofsAnswerSchema: TSchema = Type.Object(
  {
    items: Type.Array(
      Type.Object(
        {
          entry: UuidSchema,
          leafHash: Type.Optional(Text),
          proof: Type.Optional(InclusionProofSchema),
          problem: Type.Optional(Type.Object({ code: Text }, strict)),
        },
        strict,
      ),
    ),
  },
  strict,
);

const Count: TSchema = Type.Integer({ minimum: 0 });

/** Schema of a `LedgerCheckAnswer`. */
export const LedgerCheckAnswerSchema: TSchema = Type.Object(
  {
    rowsCount: Count,
    entriesCount: Count,
    problemsCount: Count,
    problems: Type.Array(
      Type.Object(
        {
          problem: Text,
          record: Type.Optional(UuidSchema),
          version: Type.Optional(Count),
          entry: Type.Optional(UuidSchema),
          entryVersion: Type.Optional(Count),
        },
        strict,
      ),
      { maxItems: LEDGER_CHECK_PROBLEMS_COUNT_MAX },
    ),
  },
  strict,
);
