// SPDX-License-Identifier: Apache-2.0
// Records as they go over the wire, searches, counts and what an import answers.
import type { DataClass } from '@bailiwick/kernel';
import { type TSchema, Type } from 'typebox';
import { UuidSchema } from './directory.ts';
import { FieldNameSchema, type FieldValue } from './field.ts';

/** Longest id that a caller may choose, and longest name of a country, in characters. */
export const CALLER_ID_CHARACTERS_MAX = 256;
export const ORIGIN_CHARACTERS_MAX = 128;
/** Records on a page of a search. */
export const PAGE_SIZE_MAX = 500;
export const PAGE_SIZE_DEFAULT = 50;
/** Longest line of an import, in bytes; a longer one is refused without being held. */
export const IMPORT_LINE_SIZE_BYTES_MAX: number = 1024 * 1024;
/** Refused lines told one by one; beyond, they are only counted. */
export const REFUSED_LINES_COUNT_MAX = 10_000;

/** A record as a caller gives it. */
export interface RecordDraft {
  /** The caller's own id; becomes a keyed hash. Absent: the `Idempotency-Key` stands in. */
  readonly id?: string;
  /** The caller's own id of the person it is about; becomes a keyed hash. */
  readonly subject?: string;
  /** Country where it was collected: `de`, or a name that the charter or the atlas knows. */
  readonly origin: string;
  /** A field that is `null` is absent. */
  readonly fields: Readonly<Record<string, FieldValue | null>>;
}

/** The part of a record's label that all its field sets share. */
export interface RecordLabel {
  readonly cell: string;
  readonly residency: string;
  readonly origin: string;
  readonly regimes: readonly string[];
  /** The date the law counts from. */
  readonly lawDate: string;
  /** The record is a copy: of which cell's, in which form, by which transfer. Its home is unchanged. */
  readonly copyOf?: { readonly cell: string; readonly form: string; readonly transfer: string };
  readonly classes: readonly DataClass[];
  readonly categories: readonly string[];
}

/** A record as a reader gets it. */
export interface StoredRecord {
  readonly recordId: string;
  readonly subjectId?: string;
  readonly version: number;
  readonly label: RecordLabel;
  readonly fields: Readonly<Record<string, FieldValue>>;
  /** Fields that exist but are not for this role and purpose. */
  readonly masked?: readonly string[];
  /** Field sets whose key was erased: their values are gone for ever. */
  readonly erased?: readonly string[];
}

/** What a field must be; all operators given must hold. */
export interface Condition {
  readonly eq?: FieldValue;
  readonly lt?: FieldValue;
  readonly lte?: FieldValue;
  readonly gt?: FieldValue;
  readonly gte?: FieldValue;
  readonly in?: readonly FieldValue[];
}

export type Where = Readonly<Record<string, Condition>>;

export interface SearchQuery {
  readonly where?: Where;
  /** Plain fields; ties are broken by record id. */
  readonly sort?: readonly { readonly field: string; readonly direction?: 'asc' | 'desc' }[];
  readonly pageSize?: number;
  readonly pageToken?: string;
  /** Also count all that match. */
  readonly count?: boolean;
}

export interface RecordPage {
  readonly items: readonly StoredRecord[];
  readonly nextPageToken?: string;
  readonly count?: number;
}

/** A line of an import that did not become a record. */
export interface RefusedLine {
  /** Number in the caller's file, from 1. */
  readonly line: number;
  readonly code: string;
  readonly detail: string;
  readonly pointer?: string;
}

export interface ImportResult {
  readonly accepted: number;
  /** Already there with the same content. */
  readonly unchanged: number;
  readonly refusedCount: number;
  /** At most `REFUSED_LINES_COUNT_MAX` of them. */
  readonly refused: readonly RefusedLine[];
  /** Ids of the ledger entries of what was accepted. */
  readonly entries: readonly string[];
}

/** A line of an NDJSON import: a record, and its number in the caller's file where lines were left out. */
export interface ImportLine extends RecordDraft {
  readonly line?: number;
}

const strict = { additionalProperties: false };
export const FieldValueSchema: TSchema = Type.Union([Type.String(), Type.Number(), Type.Boolean()]);
const CallerIdSchema: TSchema = Type.String({
  minLength: 1,
  maxLength: CALLER_ID_CHARACTERS_MAX,
});
const NullableFieldsSchema: TSchema = Type.Record(
  FieldNameSchema,
  Type.Union([Type.String(), Type.Number(), Type.Boolean(), Type.Null()]),
  strict,
);

/** Schema of a `RecordDraft`; the fields are checked against the collection's schema. */
export const RecordDraftSchema: TSchema = Type.Object(
  {
    id: Type.Optional(CallerIdSchema),
    subject: Type.Optional(CallerIdSchema),
    origin: Type.String({ minLength: 1, maxLength: ORIGIN_CHARACTERS_MAX }),
    fields: NullableFieldsSchema,
  },
  strict,
);

/** Schema of a PATCH: fields to set; `null` removes one. */
export const RecordChangeSchema: TSchema = Type.Object({ fields: NullableFieldsSchema }, strict);

const ConditionSchema: TSchema = Type.Object(
  {
    eq: Type.Optional(FieldValueSchema),
    lt: Type.Optional(FieldValueSchema),
    lte: Type.Optional(FieldValueSchema),
    gt: Type.Optional(FieldValueSchema),
    gte: Type.Optional(FieldValueSchema),
    in: Type.Optional(Type.Array(FieldValueSchema, { minItems: 1, maxItems: 256 })),
  },
  { ...strict, minProperties: 1 },
);

/** Schema of a `Where`. */
export const WhereSchema: TSchema = Type.Record(FieldNameSchema, ConditionSchema, {
  ...strict,
  maxProperties: 16,
});

/** Schema of a `SearchQuery`. */
export const SearchQuerySchema: TSchema = Type.Object(
  {
    where: Type.Optional(WhereSchema),
    sort: Type.Optional(
      Type.Array(
        Type.Object(
          {
            field: FieldNameSchema,
            direction: Type.Optional(Type.Union([Type.Literal('asc'), Type.Literal('desc')])),
          },
          strict,
        ),
        { maxItems: 3 },
      ),
    ),
    pageSize: Type.Optional(Type.Integer({ minimum: 1, maximum: PAGE_SIZE_MAX })),
    pageToken: Type.Optional(Type.String({ maxLength: 4096 })),
    count: Type.Optional(Type.Boolean()),
  },
  strict,
);

/** Schema of a count. */
export const CountQuerySchema: TSchema = Type.Object({ where: Type.Optional(WhereSchema) }, strict);

/** Schema of a `RecordLabel`. */
export const RecordLabelSchema: TSchema = Type.Object({
  cell: Type.String(),
  residency: Type.String(),
  origin: Type.String(),
  regimes: Type.Array(Type.String()),
  lawDate: Type.String(),
  copyOf: Type.Optional(
    Type.Object({ cell: Type.String(), form: Type.String(), transfer: UuidSchema }),
  ),
  classes: Type.Array(Type.String()),
  categories: Type.Array(Type.String()),
});

/** Schema of a `StoredRecord`. */
export const StoredRecordSchema: TSchema = Type.Object({
  recordId: UuidSchema,
  subjectId: Type.Optional(UuidSchema),
  version: Type.Integer({ minimum: 1 }),
  label: RecordLabelSchema,
  fields: Type.Record(Type.String(), FieldValueSchema),
  masked: Type.Optional(Type.Array(Type.String())),
  erased: Type.Optional(Type.Array(Type.String())),
});

/** Schema of a `RecordPage`. */
export const RecordPageSchema: TSchema = Type.Object({
  items: Type.Array(StoredRecordSchema),
  nextPageToken: Type.Optional(Type.String()),
  count: Type.Optional(Type.Integer({ minimum: 0 })),
});

/** Schema of an `ImportResult`. */
export const ImportResultSchema: TSchema = Type.Object({
  accepted: Type.Integer({ minimum: 0 }),
  unchanged: Type.Integer({ minimum: 0 }),
  refusedCount: Type.Integer({ minimum: 0 }),
  refused: Type.Array(
    Type.Object({
      line: Type.Integer({ minimum: 1 }),
      code: Type.String(),
      detail: Type.String(),
      pointer: Type.Optional(Type.String()),
    }),
  ),
  entries: Type.Array(UuidSchema),
});
