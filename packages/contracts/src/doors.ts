// SPDX-License-Identifier: Apache-2.0
// The doors beside decisions: sealing and opening values that live in an application's own database,
// blind indexes for its own SQL, and entries of its own doings.
import { type TSchema, Type } from 'typebox';
import { FieldNameSchema, type FieldValue, NORMAL_FORMS, type NormalForm } from './field.ts';
import { type Problem, ProblemSchema } from './problem.ts';
import { CALLER_ID_CHARACTERS_MAX, ORIGIN_CHARACTERS_MAX } from './record.ts';

/** Most values in one batch. */
export const VALUES_COUNT_MAX = 1000;
/** Longest sealed value in its text form. */
export const SEALED_TEXT_LENGTH_MAX = 1_400_000;
/** Most entries in one batch, and most facts of one. */
export const ENTRIES_COUNT_MAX = 256;
export const FACTS_COUNT_MAX = 32;

/** A field set to seal; ids are the caller's own and become keyed hashes. */
export interface SealRequest {
  readonly collection: string;
  readonly fieldSet: string;
  readonly record: string;
  /** The person it is about; absent for data about nobody. */
  readonly subject?: string;
  /** Country where it was collected: `de`, or a name that the charter knows. */
  readonly origin: string;
  readonly fields: Readonly<Record<string, FieldValue | null>>;
  /** Fields to give a blind index for; the form must be the schema's. */
  readonly indexes?: readonly { readonly field: string; readonly normalForm?: NormalForm }[];
}

/** What became of one value. */
export type SealResult =
  | {
      readonly sealed: string;
      readonly recordId: string;
      readonly subject?: string;
      /** Blind index by field, base64url. */
      readonly indexes: Readonly<Record<string, string>>;
    }
  | { readonly problem: Problem };

export interface SealsRequest {
  readonly values: readonly SealRequest[];
}

export interface OpeningsRequest {
  readonly values: readonly { readonly sealed: string }[];
}

/** What became of one sealed value; `masked`: it is not for this role and purpose. */
export type OpenResult =
  | {
      readonly fields: Readonly<Record<string, FieldValue>>;
      readonly masked?: readonly string[];
    }
  | { readonly problem: Problem };

export interface BlindIndexRequest {
  readonly collection: string;
  readonly field: string;
  readonly value: FieldValue;
}

/** Ids, hashes and counts only: lower-case words, UUIDs, hex, whole numbers. */
export type FactValue = string | number | boolean;

export interface EntriesRequest {
  readonly entries: readonly { readonly facts: Readonly<Record<string, FactValue>> }[];
}

const strict = { additionalProperties: false };
const Name: TSchema = Type.String({ pattern: '^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$', maxLength: 63 });
const CallerId: TSchema = Type.String({ minLength: 1, maxLength: CALLER_ID_CHARACTERS_MAX });
const Value: TSchema = Type.Union([Type.String(), Type.Number(), Type.Boolean()]);
const NullableFields: TSchema = Type.Record(
  FieldNameSchema,
  Type.Union([Type.String(), Type.Number(), Type.Boolean(), Type.Null()]),
  { ...strict, maxProperties: 128 },
);
const ProblemItem: TSchema = Type.Object({ problem: Type.Omit(ProblemSchema, ['instance']) });

/** Schema of a `SealsRequest`. */
export const SealsRequestSchema: TSchema = Type.Object(
  {
    values: Type.Array(
      Type.Object(
        {
          collection: Name,
          fieldSet: Name,
          record: CallerId,
          subject: Type.Optional(CallerId),
          origin: Type.String({ minLength: 1, maxLength: ORIGIN_CHARACTERS_MAX }),
          fields: NullableFields,
          indexes: Type.Optional(
            Type.Array(
              Type.Object(
                {
                  field: FieldNameSchema,
                  normalForm: Type.Optional(
                    Type.Union(NORMAL_FORMS.map((form) => Type.Literal(form))),
                  ),
                },
                strict,
              ),
              { maxItems: 16 },
            ),
          ),
        },
        strict,
      ),
      { minItems: 1, maxItems: VALUES_COUNT_MAX },
    ),
  },
  strict,
);

/** Schema of the answer to a `SealsRequest`. */
export const SealsAnswerSchema: TSchema = Type.Object({
  items: Type.Array(
    Type.Union([
      Type.Object({
        sealed: Type.String(),
        recordId: Type.String(),
        subject: Type.Optional(Type.String()),
        indexes: Type.Record(Type.String(), Type.String()),
      }),
      ProblemItem,
    ]),
  ),
});

/** Schema of an `OpeningsRequest`. */
export const OpeningsRequestSchema: TSchema = Type.Object(
  {
    values: Type.Array(
      Type.Object(
        { sealed: Type.String({ minLength: 1, maxLength: SEALED_TEXT_LENGTH_MAX }) },
        strict,
      ),
      { minItems: 1, maxItems: VALUES_COUNT_MAX },
    ),
  },
  strict,
);

/** Schema of the answer to an `OpeningsRequest`. */
export const OpeningsAnswerSchema: TSchema = Type.Object({
  items: Type.Array(
    Type.Union([
      Type.Object({
        fields: Type.Record(Type.String(), Value),
        masked: Type.Optional(Type.Array(Type.String())),
      }),
      ProblemItem,
    ]),
  ),
  entry: Type.Optional(Type.String()),
});

/** Schema of a `BlindIndexRequest`. */
export const BlindIndexRequestSchema: TSchema = Type.Object(
  { collection: Name, field: FieldNameSchema, value: Value },
  strict,
);

/**
 * Schema of an `EntriesRequest`. SECURITY: an entry is for ever, so a fact cannot be free text: a name,
 * an address or a sentence has no place in these patterns.
 */
export const EntriesRequestSchema: TSchema = Type.Object(
  {
    entries: Type.Array(
      Type.Object(
        {
          facts: Type.Record(
            Type.String({ pattern: '^[a-z][a-zA-Z0-9]{0,31}$' }),
            Type.Union([
              Type.String({ pattern: '^[0-9a-f]{16,128}$' }),
              Type.String({
                pattern:
                  '^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$',
              }),
              Type.Integer({ minimum: 0, maximum: 1_000_000_000 }),
              Type.Boolean(),
            ]),
            { ...strict, minProperties: 1, maxProperties: FACTS_COUNT_MAX },
          ),
        },
        strict,
      ),
      { minItems: 1, maxItems: ENTRIES_COUNT_MAX },
    ),
  },
  strict,
);
