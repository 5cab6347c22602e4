// SPDX-License-Identifier: Apache-2.0
// What holds of people beside the labels of their data, on the wire. A person's id stands in bodies only.
import { type TSchema, Type } from 'typebox';
import { InstantSchema, UuidSchema } from './directory.ts';
import { CALLER_ID_CHARACTERS_MAX } from './record.ts';

const strict = { additionalProperties: false };
const Name: TSchema = Type.String({ pattern: '^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$', maxLength: 63 });
const Names: TSchema = Type.Array(Name, { minItems: 1, maxItems: 64, uniqueItems: true });
const Subject: TSchema = Type.String({ minLength: 1, maxLength: CALLER_ID_CHARACTERS_MAX });
/** File numbers and the like: no spaces, so that nobody writes a name. */
export const ReferenceSchema: TSchema = Type.String({
  pattern: '^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$',
});

/** `POST /v1/consents` */
export interface ConsentRequest {
  readonly subject: string;
  readonly purpose: string;
  readonly state: 'given' | 'withdrawn';
}
export const ConsentRequestSchema: TSchema = Type.Object(
  {
    subject: Subject,
    purpose: Name,
    state: Type.Union([Type.Literal('given'), Type.Literal('withdrawn')]),
  },
  strict,
);

/** `POST /v1/objections`: `upheld` stands, `dismissed` does not any more. */
export interface ObjectionRequest {
  readonly subject: string;
  readonly purpose: string;
  readonly state: 'upheld' | 'dismissed';
}
export const ObjectionRequestSchema: TSchema = Type.Object(
  {
    subject: Subject,
    purpose: Name,
    state: Type.Union([Type.Literal('upheld'), Type.Literal('dismissed')]),
  },
  strict,
);

export const RESTRICTION_GROUNDS = [
  'accuracy-contested',
  'unlawful',
  'claims',
  'objection-pending',
] as const;

/** `POST /v1/restrictions`; grounds as in GDPR Art. 18(1)(a) to (d). */
export interface RestrictionRequest {
  readonly subject: string;
  readonly state: 'restricted' | 'lifted';
  readonly ground?: (typeof RESTRICTION_GROUNDS)[number];
}
export const RestrictionRequestSchema: TSchema = Type.Object(
  {
    subject: Subject,
    state: Type.Union([Type.Literal('restricted'), Type.Literal('lifted')]),
    ground: Type.Optional(Type.Union(RESTRICTION_GROUNDS.map((one) => Type.Literal(one)))),
  },
  strict,
);

/** `POST /v1/subject-events`: an instant from which retention counts. */
export interface SubjectEventRequest {
  readonly subject: string;
  readonly event: 'last-activity' | 'contract-end';
  readonly at: string;
}
export const SubjectEventRequestSchema: TSchema = Type.Object(
  {
    subject: Subject,
    event: Type.Union([Type.Literal('last-activity'), Type.Literal('contract-end')]),
    at: InstantSchema,
  },
  strict,
);

/** `POST /v1/holds`: without a subject it is on all of the collections' people. */
export interface HoldRequest {
  readonly reference: string;
  readonly subject?: string;
  readonly collections?: readonly string[];
  readonly categories?: readonly string[];
}
export const HoldRequestSchema: TSchema = Type.Object(
  {
    reference: ReferenceSchema,
    subject: Type.Optional(Subject),
    collections: Type.Optional(Names),
    categories: Type.Optional(Names),
  },
  strict,
);

/** A hold as it stands. */
export interface HoldAnswer {
  readonly holdId: string;
  readonly subjectId?: string;
  readonly reference: string;
  readonly collections?: readonly string[];
  readonly categories?: readonly string[];
  readonly placedAt: string;
}
export const HoldAnswerSchema: TSchema = Type.Object({
  holdId: UuidSchema,
  subjectId: Type.Optional(UuidSchema),
  reference: Type.String(),
  collections: Type.Optional(Type.Array(Type.String())),
  categories: Type.Optional(Type.Array(Type.String())),
  placedAt: Type.String(),
});

/** What a change of a standing answers. */
export interface StandingChangeAnswer {
  readonly subjectId: string;
  /** False: it was so already, and nothing was entered. */
  readonly isChanged: boolean;
  readonly serial: number;
  readonly entryId?: string;
}
export const StandingChangeAnswerSchema: TSchema = Type.Object({
  subjectId: UuidSchema,
  isChanged: Type.Boolean(),
  serial: Type.Integer({ minimum: 0 }),
  entryId: Type.Optional(UuidSchema),
});

/** `POST /v1/standings/searches` */
export const StandingSearchSchema: TSchema = Type.Object({ subject: Subject }, strict);

/** What holds of one person, and how it came about. */
export interface StandingAnswer {
  readonly subjectId: string;
  readonly consents: Readonly<Record<string, { readonly state: string; readonly at: string }>>;
  readonly objections: Readonly<Record<string, { readonly at: string }>>;
  readonly restriction?: { readonly ground: string; readonly at: string };
  readonly holds: readonly HoldAnswer[];
  readonly events: Readonly<Record<string, string>>;
  readonly history: readonly {
    readonly serial: number;
    readonly kind: string;
    readonly purpose?: string;
    readonly change: Readonly<Record<string, unknown>>;
    readonly entryId: string;
    readonly changedAt: string;
  }[];
}
export const StandingAnswerSchema: TSchema = Type.Object({
  subjectId: UuidSchema,
  consents: Type.Record(Type.String(), Type.Object({ state: Type.String(), at: Type.String() })),
  objections: Type.Record(Type.String(), Type.Object({ at: Type.String() })),
  restriction: Type.Optional(Type.Object({ ground: Type.String(), at: Type.String() })),
  holds: Type.Array(HoldAnswerSchema),
  events: Type.Record(Type.String(), Type.String()),
  history: Type.Array(
    Type.Object({
      serial: Type.Integer(),
      kind: Type.String(),
      purpose: Type.Optional(Type.String()),
      change: Type.Record(Type.String(), Type.Unknown()),
      entryId: UuidSchema,
      changedAt: Type.String(),
    }),
  ),
});

/** `POST /v1/orders` */
export interface OrderRequest {
  readonly measure: 'freeze' | 'read-only' | 'suspend';
  readonly reference: string;
  /** Data collected in this jurisdiction; absent: from anywhere. */
  readonly jurisdiction?: string;
  /** One person's data; absent: everybody's. */
  readonly subject?: string;
}
export const OrderRequestSchema: TSchema = Type.Object(
  {
    measure: Type.Union(['freeze', 'read-only', 'suspend'].map((one) => Type.Literal(one))),
    reference: ReferenceSchema,
    jurisdiction: Type.Optional(Name),
    subject: Type.Optional(Subject),
  },
  strict,
);

/** A legal order as it stands. */
export interface OrderAnswer {
  readonly orderId: string;
  readonly measure: string;
  readonly reference: string;
  readonly jurisdiction?: string;
  readonly subjectId?: string;
  readonly state: 'in-force' | 'revoked';
  readonly placedAt: string;
  readonly revokedAt?: string;
  /** The entry of this change; absent in lists. */
  readonly entryId?: string;
}
export const OrderAnswerSchema: TSchema = Type.Object({
  orderId: UuidSchema,
  measure: Type.String(),
  reference: Type.String(),
  jurisdiction: Type.Optional(Type.String()),
  subjectId: Type.Optional(UuidSchema),
  state: Type.Union([Type.Literal('in-force'), Type.Literal('revoked')]),
  placedAt: Type.String(),
  revokedAt: Type.Optional(Type.String()),
  entryId: Type.Optional(UuidSchema),
});
