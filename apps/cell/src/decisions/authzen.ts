// SPDX-License-Identifier: Apache-2.0
// OpenID AuthZEN Authorization API 1.0 over the same decisions: subject is the actor, resource the data,
// action and context the rest of the flow. A request that is no complete flow is denied, never guessed.
import { findProblems, type WireFlow, WireFlowSchema } from '@bailiwick/contracts';
import type { Decision } from '@bailiwick/kernel';
import { type TSchema, Type } from 'typebox';
import type { CellRuntime } from '../runtime.ts';
import type { Credential } from '../services.ts';
import { decideBatch } from './decide-batch.ts';
import { toFlow } from './to-flow.ts';

type Properties = Readonly<Record<string, unknown>>;

interface Entity {
  readonly type?: string;
  readonly id?: string;
  readonly name?: string;
  readonly properties?: Properties;
}

export interface AuthzenEvaluation {
  readonly subject?: Entity;
  readonly resource?: Entity;
  readonly action?: Entity;
  readonly context?: Properties;
}

export interface AuthzenRequest extends AuthzenEvaluation {
  readonly evaluations?: readonly AuthzenEvaluation[];
  readonly options?: { readonly evaluations_semantic?: string };
}

export interface AuthzenAnswer {
  readonly decision: boolean;
  readonly context: Properties;
}

const EVALUATIONS_COUNT_MAX = 1000;
const EntitySchema: TSchema = Type.Object({
  type: Type.Optional(Type.String({ maxLength: 63 })),
  id: Type.Optional(Type.String({ maxLength: 256 })),
  name: Type.Optional(Type.String({ maxLength: 63 })),
  properties: Type.Optional(Type.Record(Type.String({ maxLength: 63 }), Type.Unknown())),
});
const evaluationProperties = {
  subject: Type.Optional(EntitySchema),
  resource: Type.Optional(EntitySchema),
  action: Type.Optional(EntitySchema),
  context: Type.Optional(Type.Record(Type.String({ maxLength: 63 }), Type.Unknown())),
};

/** Schema of an `AuthzenRequest`. */
export const AuthzenRequestSchema: TSchema = Type.Object({
  ...evaluationProperties,
  evaluations: Type.Optional(
    Type.Array(Type.Object(evaluationProperties), { maxItems: EVALUATIONS_COUNT_MAX }),
  ),
  options: Type.Optional(
    Type.Object({
      evaluations_semantic: Type.Optional(
        Type.Union(
          ['execute_all', 'deny_on_first_deny', 'permit_on_first_permit'].map((semantic) =>
            Type.Literal(semantic),
          ),
        ),
      ),
    }),
  ),
});

/** Answers one evaluation (no `evaluations`) or a batch. */
export async function evaluate(
  runtime: CellRuntime,
  credential: Credential,
  request: AuthzenRequest,
): Promise<AuthzenAnswer | { readonly evaluations: readonly AuthzenAnswer[] }> {
  const { evaluations, options, ...defaults } = request;
  if (evaluations === undefined || evaluations.length === 0) {
    return evaluateOne(runtime, credential, defaults);
  }
  const semantic = options?.evaluations_semantic ?? 'execute_all';
  const answers: AuthzenAnswer[] = [];
  for (const one of evaluations) {
    // AuthZEN 1.0 §7.1.1: what the top level says is the default of each evaluation.
    const answer = await evaluateOne(runtime, credential, { ...defaults, ...one });
    answers.push(answer);
    if (semantic === 'deny_on_first_deny' && !answer.decision) break;
    if (semantic === 'permit_on_first_permit' && answer.decision) break;
  }
  return { evaluations: answers };
}

async function evaluateOne(
  runtime: CellRuntime,
  credential: Credential,
  evaluation: AuthzenEvaluation,
): Promise<AuthzenAnswer> {
  const wire = toWireFlow(evaluation);
  const problems = findProblems(WireFlowSchema, wire);
  if (problems.length > 0) {
    // Pointers could hold keys that the caller made up: only what was expected is told.
    const errors = [...new Set(problems.map(({ detail }) => detail))];
    return { decision: false, context: { code: 'CELL_INPUT_INVALID', errors } };
  }
  const flow = toFlow(parseWireFlow(wire), runtime.clock.nowMs());
  const [decision] = await decideBatch(runtime, credential, [flow]);
  return toAnswer(decision);
}

/** Checked against the schema directly before. */
function parseWireFlow(wire: unknown): WireFlow {
  return wire as WireFlow;
}

function toWireFlow({ subject, resource, action, context }: AuthzenEvaluation): Properties {
  const { role, employer, assurance, place } = subject?.properties ?? {};
  const { class: dataClass, categories, regimes, origin, residency } = resource?.properties ?? {};
  const flow = {
    actor: { kind: subject?.type, role, employer, assurance, place },
    action: action?.name,
    data: { class: dataClass, categories, regimes, origin, residency },
    ...action?.properties,
    ...context,
  };
  // What was left out must be absent and not `undefined`, or the schema would speak of a wrong type.
  return JSON.parse(JSON.stringify(flow));
}

function toAnswer(decision: Decision | undefined): AuthzenAnswer {
  if (decision === undefined) return { decision: false, context: {} };
  const { outcome, ...rest } = decision;
  return { decision: outcome === 'allow', context: { ...rest } };
}
