// SPDX-License-Identifier: Apache-2.0
// Contract terms against a charter, proved over every flow: the charter with the terms' rules added is
// compared with the charter as any two charters are. That terms can only forbid follows from how they are
// compiled; this does not take it for granted.
import { toMasks } from './box.ts';
import type { CompiledCharter } from './compile.ts';
import { diffCharters, type FlowDifference } from './diff.ts';
import type { SpaceSize } from './space.ts';
import { type ContractTerms, compileTerms } from './terms.ts';

/** What terms come to under a charter. */
export interface TermsProof {
  /** True when no flow is allowed, and no obligation falls away, that the charter alone would not let. */
  readonly narrows: boolean;
  /** Empty where it narrows. */
  readonly widenings: readonly FlowDifference[];
  /** What the tenant gives up, in words. */
  readonly narrowings: readonly FlowDifference[];
  readonly spaceSize: SpaceSize;
}

/** The charter with a tenant's terms added as rules. @throws {CharterError} `CHARTER_TERMS_INVALID` */
export function narrowCharter(charter: CompiledCharter, terms: ContractTerms): CompiledCharter {
  const added = compileTerms(charter, terms);
  const first = charter.rules.length;
  const variants = [
    ...charter.variants,
    ...added.variants.map(({ rule, box }) => ({ rule: first + rule, box })),
  ];
  return {
    ...charter,
    rules: [...charter.rules, ...added.rules],
    variants,
    masks: toMasks(
      variants.map(({ box }) => box),
      charter.attributes.map(({ values }) => values.length),
    ),
  };
}

/**
 * Proves that terms only narrow, over the whole space of flows.
 *
 * @throws {CharterError} `CHARTER_TERMS_INVALID`, `CHARTER_SPACE_TOO_LARGE`
 */
export function proveTerms(charter: CompiledCharter, terms: ContractTerms): TermsProof {
  const { widenings, narrowings, spaceSize } = diffCharters(charter, narrowCharter(charter, terms));
  return { narrows: widenings.length === 0, widenings, narrowings, spaceSize };
}
