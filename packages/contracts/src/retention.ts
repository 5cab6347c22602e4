// SPDX-License-Identifier: Apache-2.0
// Retention on the wire: which terms are in force, and runs that remove what has served its time.
import { type TSchema, Type } from 'typebox';
import { UuidSchema } from './directory.ts';

const Name: TSchema = Type.String({ pattern: '^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$', maxLength: 63 });
const Count: TSchema = Type.Integer({ minimum: 0 });

/** `POST /v1/retention-runs` */
export interface RetentionRunRequest {
  /** True: tells what would go, and removes nothing. */
  readonly isDryRun: boolean;
  /** Absent: all collections. */
  readonly collection?: string;
}
export const RetentionRunRequestSchema: TSchema = Type.Object(
  { isDryRun: Type.Boolean(), collection: Type.Optional(Name) },
  { additionalProperties: false },
);

/** A run as it stands. Of a dry run `deleted` and `reduced` are what would go. */
export interface RetentionRun {
  readonly runId: string;
  readonly state: 'accepted' | 'done';
  readonly isDryRun: boolean;
  readonly collection?: string;
  readonly counts: {
    readonly scanned: number;
    /** Records of which nothing stays. */
    readonly deleted: number;
    /** Records of which some field sets go. */
    readonly reduced: number;
    /** Records of which something is past its term and held. */
    readonly held: number;
    /** Records that a legal order keeps. */
    readonly ordered: number;
    /** Records that are not what was written: left alone. */
    readonly unverified: number;
    /** Field sets that go, by category. */
    readonly byCategory: Readonly<Record<string, number>>;
  };
  readonly createdAt: string;
  readonly updatedAt: string;
}
export const RetentionRunSchema: TSchema = Type.Object({
  runId: UuidSchema,
  state: Type.Union([Type.Literal('accepted'), Type.Literal('done')]),
  isDryRun: Type.Boolean(),
  collection: Type.Optional(Type.String()),
  counts: Type.Object({
    scanned: Count,
    deleted: Count,
    reduced: Count,
    held: Count,
    ordered: Count,
    unverified: Count,
    byCategory: Type.Record(Type.String(), Count),
  }),
  createdAt: Type.String(),
  updatedAt: Type.String(),
});

/** One line of `GET /v1/retention-terms`: how long a field set is kept, by where the data is from. */
export interface RetentionTermAnswer {
  readonly collection: string;
  readonly fieldSet: string;
  readonly category: string;
  /** Jurisdictions of origin for which this holds. */
  readonly origins: readonly string[];
  /** Absent with all below: nobody has set a term. */
  readonly keepForDays?: number;
  readonly from?: string;
  readonly isRequired?: boolean;
  readonly setBy?: string;
  readonly because?: string;
  readonly source?: string;
}
export const RetentionTermSchema: TSchema = Type.Object({
  collection: Type.String(),
  fieldSet: Type.String(),
  category: Type.String(),
  origins: Type.Array(Type.String()),
  keepForDays: Type.Optional(Type.Integer()),
  from: Type.Optional(Type.String()),
  isRequired: Type.Optional(Type.Boolean()),
  setBy: Type.Optional(Type.String()),
  because: Type.Optional(Type.String()),
  source: Type.Optional(Type.String()),
});
