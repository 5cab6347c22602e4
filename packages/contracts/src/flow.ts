// SPDX-License-Identifier: Apache-2.0
// Flows and decisions on a wire. Names of the charter are checked for shape only: whether the charter
// knows them is the engine's business, which denies what it does not know.
import {
  ACTIONS,
  ACTOR_KINDS,
  ASSURANCES,
  CONSENTS,
  type Consent,
  DATA_CLASSES,
  DENIAL_CAUSES,
  DESTINATION_KINDS,
  type Flow,
  FORMS,
  OBLIGATION_KINDS,
} from '@bailiwick/kernel';
import { type TSchema, Type } from 'typebox';
import { InstantSchema } from './directory.ts';
import { NearestFlowSchema, ReasonSchema } from './problem.ts';

/** Most flows in one batch. */
export const FLOWS_COUNT_MAX = 1000;

/** A flow as JSON: the instant is RFC 3339 and may be left out (now). */
export type WireFlow = Omit<Flow, 'atMs' | 'consent' | 'conditions'> & {
  readonly at?: string;
  readonly consent?: Consent;
  readonly conditions?: readonly string[];
};

const strict = { additionalProperties: false };
const oneOf = (values: readonly string[]): TSchema =>
  Type.Union(values.map((value) => Type.Literal(value)));
const Name: TSchema = Type.String({ pattern: '^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$', maxLength: 63 });
const Names: TSchema = Type.Array(Name, { maxItems: 64 });

/** Schema of a destination. */
export const DestinationSchema: TSchema = Type.Object(
  {
    kind: oneOf(DESTINATION_KINDS),
    id: Type.Optional(Type.String({ pattern: '^[a-z][a-z0-9/-]*$', maxLength: 80 })),
    location: Name,
    operator: Name,
  },
  strict,
);

/** Schema of a `WireFlow`. */
export const WireFlowSchema: TSchema = Type.Object(
  {
    actor: Type.Object(
      {
        kind: oneOf(ACTOR_KINDS),
        role: Name,
        employer: Name,
        assurance: oneOf(ASSURANCES),
        place: Name,
      },
      strict,
    ),
    action: oneOf(ACTIONS),
    data: Type.Object(
      {
        class: oneOf(DATA_CLASSES),
        categories: Names,
        regimes: Names,
        origin: Name,
        residency: Name,
      },
      strict,
    ),
    form: oneOf(FORMS),
    to: DestinationSchema,
    purpose: Name,
    mechanism: Type.Optional(Name),
    consent: Type.Optional(oneOf(CONSENTS)),
    conditions: Type.Optional(Names),
    at: Type.Optional(InstantSchema),
  },
  strict,
);

/** Schema of a decision as it goes out. */
export const DecisionSchema: TSchema = Type.Object({
  outcome: oneOf(['allow', 'deny']),
  rules: Type.Array(Type.String()),
  reasons: Type.Array(ReasonSchema),
  obligations: Type.Array(
    Type.Object({
      kind: oneOf(OBLIGATION_KINDS),
      minimumCount: Type.Optional(Type.Integer()),
      categories: Type.Optional(Type.Array(Type.String())),
    }),
  ),
  cause: Type.Optional(oneOf(DENIAL_CAUSES)),
  nearest: Type.Array(NearestFlowSchema),
  charter: Type.Object({ hash: Type.String(), serial: Type.Integer() }),
});

/** What `POST /v1/decisions` takes. */
export interface DecisionsRequest {
  readonly flows: readonly WireFlow[];
}

/** Schema of a `DecisionsRequest`. */
export const DecisionsRequestSchema: TSchema = Type.Object(
  { flows: Type.Array(WireFlowSchema, { minItems: 1, maxItems: FLOWS_COUNT_MAX }) },
  strict,
);
