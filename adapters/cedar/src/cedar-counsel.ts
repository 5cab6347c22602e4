// SPDX-License-Identifier: Apache-2.0
// Cedar's own engine over policies of the operator. The policies are checked once against the schema of the
// generated twin; a request that Cedar finds fault with is a no.
import { createRequire } from 'node:module';
import { toCedarSchema } from '@bailiwick/charter';
import type { Counsel, CounselQuestion } from '@bailiwick/policy';
import { CedarError } from './errors.ts';

type Cedar = typeof import('@cedar-policy/cedar-wasm/nodejs');

export interface CedarCounselOptions {
  readonly name: string;
  /** Cedar policies as one text. */
  readonly policies: string;
}

/** Most problems told of policies that are not valid. */
const PROBLEMS_TOLD_MAX = 5;

function checkPolicies(cedar: Cedar, policies: string): void {
  const checked = cedar.validate({
    schema: toCedarSchema(),
    policies: { staticPolicies: policies },
    validationSettings: { mode: 'strict' },
  });
  const problems =
    checked.type === 'failure'
      ? checked.errors.map(({ message }) => message)
      : checked.validationErrors.map(({ error }) => error.message);
  if (problems.length === 0) return;
  throw new CedarError(
    'CEDAR_POLICIES_INVALID',
    problems.slice(0, PROBLEMS_TOLD_MAX).join('; ').replaceAll(/\s+/g, ' ').toLowerCase(),
  );
}

let sets = 0;

/** Makes a counsel of Cedar policies. @throws {CedarError} `CEDAR_POLICIES_INVALID` */
export function createCedarCounsel({ name, policies }: CedarCounselOptions): Counsel {
  const cedar: Cedar = createRequire(import.meta.url)('@cedar-policy/cedar-wasm/nodejs');
  checkPolicies(cedar, policies);
  sets += 1;
  const id = `counsel-${sets}`;
  const parsed = cedar.preparsePolicySet(id, { staticPolicies: policies });
  const schema = cedar.preparseSchema(id, toCedarSchema());
  if (parsed.type === 'failure' || schema.type === 'failure') {
    throw new CedarError('CEDAR_POLICIES_INVALID', 'the policies cannot be parsed');
  }
  return {
    name,
    ask({ action, ...question }: CounselQuestion) {
      const answer = cedar.statefulIsAuthorized({
        principal: { type: 'Bailiwick::Actor', id: 'flow' },
        action: { type: 'Bailiwick::Action', id: action },
        resource: { type: 'Bailiwick::Data', id: 'flow' },
        context: {
          ...question,
          actor: { ...question.actor },
          data: { ...question.data },
          to: { ...question.to },
          given: [...question.given],
        },
        preparsedSchemaName: id,
        validateRequest: true,
        preparsedPolicySetId: id,
        entities: [],
      });
      if (answer.type === 'failure') return false;
      const { decision, diagnostics } = answer.response;
      // A policy that fails is left out of Cedar's answer: what it would have forbidden must not pass.
      return decision === 'allow' && diagnostics.errors.length === 0;
    },
    close: async () => undefined,
  };
}
