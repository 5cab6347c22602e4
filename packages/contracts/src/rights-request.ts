// SPDX-License-Identifier: Apache-2.0
// What a person asks for under their rights, on the wire. The person's id stands in the first body only;
// from then on the request's own id does.
import { type TSchema, Type } from 'typebox';
import { UuidSchema } from './directory.ts';
import { CALLER_ID_CHARACTERS_MAX } from './record.ts';
import { RESTRICTION_GROUNDS } from './standing.ts';

export const RIGHTS_KINDS = [
  'access',
  'rectification',
  'restriction',
  'objection',
  'erasure',
] as const;
export type RightsKind = (typeof RIGHTS_KINDS)[number];

/**
 * `received`: the clock runs. `verified`: somebody has made sure who asks. `running`: its work goes on by
 * itself. `partial`: some of it failed and is tried again. `completed`, `refused`: the end.
 */
export const RIGHTS_STATES = [
  'received',
  'verified',
  'running',
  'partial',
  'completed',
  'refused',
] as const;
export type RightsState = (typeof RIGHTS_STATES)[number];

export const REFUSAL_GROUNDS = [
  'identity-unverified',
  'manifestly-unfounded',
  'excessive',
  'overriding-grounds',
  'not-our-data',
] as const;

const strict = { additionalProperties: false };
const Name: TSchema = Type.String({ pattern: '^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$', maxLength: 63 });
const Text: TSchema = Type.String();
const oneOf = (values: readonly string[]): TSchema =>
  Type.Union(values.map((value) => Type.Literal(value)));

/** `POST /v1/requests` */
export interface RightsRequestDraft {
  readonly kind: RightsKind;
  readonly subject: string;
  /** Of an objection: the purpose objected to. */
  readonly purpose?: string;
  /** Of a restriction. */
  readonly ground?: (typeof RESTRICTION_GROUNDS)[number];
}
export const RightsRequestDraftSchema: TSchema = Type.Object(
  {
    kind: oneOf(RIGHTS_KINDS),
    subject: Type.String({ minLength: 1, maxLength: CALLER_ID_CHARACTERS_MAX }),
    purpose: Type.Optional(Name),
    ground: Type.Optional(oneOf(RESTRICTION_GROUNDS)),
  },
  strict,
);

/** One regime's clock. */
export interface RightsDeadline {
  readonly regime: string;
  readonly dueOn: string;
  readonly extendedTo?: string;
  /** Where it stands; absent where the atlas knows no deadline and thirty days are assumed. */
  readonly article?: string;
  readonly source?: string;
  readonly isConfirmed: boolean;
}

/** A request as it stands. */
export interface RightsRequest {
  readonly requestId: string;
  readonly kind: RightsKind;
  readonly state: RightsState;
  readonly subjectId: string;
  readonly purpose?: string;
  readonly ground?: string;
  readonly createdAt: string;
  readonly updatedAt: string;
  /** The earliest of all. */
  readonly dueOn: string;
  readonly isOverdue: boolean;
  readonly deadlines: readonly RightsDeadline[];
  /** What was done and what was not, in order. */
  readonly steps: readonly {
    readonly step: string;
    readonly state: 'done' | 'failed';
    readonly at: string;
    readonly attempts: number;
    /** Of the failure. */
    readonly code?: string;
    /** Ids and counts. */
    readonly facts?: Readonly<Record<string, string | number>>;
  }[];
  readonly refusal?: { readonly ground: string; readonly reference?: string };
  /** Of an erasure: `GET /v1/erasures/{erasureId}` has its receipt. */
  readonly erasureId?: string;
}
export const RightsRequestSchema: TSchema = Type.Object({
  requestId: UuidSchema,
  kind: oneOf(RIGHTS_KINDS),
  state: oneOf(RIGHTS_STATES),
  subjectId: UuidSchema,
  purpose: Type.Optional(Text),
  ground: Type.Optional(Text),
  createdAt: Text,
  updatedAt: Text,
  dueOn: Text,
  isOverdue: Type.Boolean(),
  deadlines: Type.Array(
    Type.Object({
      regime: Text,
      dueOn: Text,
      extendedTo: Type.Optional(Text),
      article: Type.Optional(Text),
      source: Type.Optional(Text),
      isConfirmed: Type.Boolean(),
    }),
  ),
  steps: Type.Array(
    Type.Object({
      step: Text,
      state: oneOf(['done', 'failed']),
      at: Text,
      attempts: Type.Integer(),
      code: Type.Optional(Text),
      facts: Type.Optional(Type.Record(Text, Type.Union([Text, Type.Number()]))),
    }),
  ),
  refusal: Type.Optional(Type.Object({ ground: Text, reference: Type.Optional(Text) })),
  erasureId: Type.Optional(UuidSchema),
});

/** Everything a cell has about a person, for that person. */
export interface AccessExport {
  readonly v: 1;
  readonly generatedAt: string;
  readonly cell: string;
  readonly subjectId: string;
  readonly records: readonly AccessRecord[];
  /** Records that do not verify, or could not be shown. */
  readonly withheldCount: number;
  readonly standing: Readonly<Record<string, unknown>>;
  /** Purposes for which the charter knows a use of data of these categories. */
  readonly purposes: readonly { readonly purpose: string; readonly means: string }[];
  readonly transfers: readonly {
    readonly kind: string;
    readonly form: string;
    readonly destination: string;
    readonly purpose: string;
    readonly on: string;
  }[];
  /** What further features tell of the person, by name. */
  readonly more: Readonly<Record<string, unknown>>;
}

export interface AccessRecord {
  readonly collection: string;
  readonly recordId: string;
  readonly fields: Readonly<Record<string, string | number | boolean>>;
  /** Fields that are there and not for whoever asked. */
  readonly masked: readonly string[];
  readonly origin: string;
  readonly residency: string;
  readonly regimes: readonly string[];
  readonly lawDate: string;
  readonly fieldSets: readonly {
    readonly name: string;
    readonly category: string;
    readonly collectedFor: string;
    /** Absent: no end that is known. */
    readonly keptUntil?: string;
    readonly because?: string;
    readonly source?: string;
    readonly isHeld: boolean;
  }[];
}
