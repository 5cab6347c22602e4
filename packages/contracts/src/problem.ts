// SPDX-License-Identifier: Apache-2.0
// Problem documents (RFC 9457): the one shape of every refusal and failure on a wire.
import { DENIAL_CAUSES, type DenialCause, type NearestFlow, type Reason } from '@bailiwick/kernel';
import { type TSchema, Type } from 'typebox';

/** Media type of a problem document. */
export const PROBLEM_CONTENT_TYPE = 'application/problem+json';

/** A place in the input and what was expected there; never the value that was found. */
export interface ProblemPlace {
  readonly detail: string;
  /** JSON pointer (RFC 6901) into the body, or `#header/<name>`, `#query/<name>`. */
  readonly pointer: string;
}

/** What a refusal says. */
export interface Problem {
  /** `urn:bailiwick:error:<code>` */
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  /** Id of the request, as in the `x-request-id` header. */
  readonly instance?: string;
  /** Stable, public, never changes meaning. */
  readonly code: string;
  readonly errors?: readonly ProblemPlace[];
  /** Denials: why, by which rules, and what would be allowed. */
  readonly cause?: DenialCause;
  readonly rules?: readonly string[];
  readonly reasons?: readonly Reason[];
  readonly nearest?: readonly NearestFlow[];
  /** `CELL_MISDIRECTED`: the cell's id and the name that is home. */
  readonly home?: { readonly cell: string; readonly name?: string };
}

/** The `type` of a problem with this code. */
export function toProblemType(code: string): string {
  return `urn:bailiwick:error:${code}`;
}

const Text: TSchema = Type.String();

/** Schema of a `Reason`. */
export const ReasonSchema: TSchema = Type.Object({ rule: Text, because: Text, source: Text });

/** Schema of a `NearestFlow`. */
export const NearestFlowSchema: TSchema = Type.Object({
  words: Text,
  change: Type.Record(Type.String(), Type.String()),
  rules: Type.Array(Text),
});

/** Schema of a `Problem`. */
export const ProblemSchema: TSchema = Type.Object(
  {
    type: Text,
    title: Text,
    status: Type.Integer(),
    detail: Text,
    instance: Type.Optional(Text),
    code: Text,
    errors: Type.Optional(Type.Array(Type.Object({ detail: Text, pointer: Text }))),
    cause: Type.Optional(Type.Union(DENIAL_CAUSES.map((cause) => Type.Literal(cause)))),
    rules: Type.Optional(Type.Array(Text)),
    reasons: Type.Optional(Type.Array(ReasonSchema)),
    nearest: Type.Optional(Type.Array(NearestFlowSchema)),
    home: Type.Optional(Type.Object({ cell: Text, name: Type.Optional(Text) })),
  },
  { $id: 'Problem', description: 'RFC 9457 problem document' },
);
