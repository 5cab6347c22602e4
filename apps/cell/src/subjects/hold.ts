// SPDX-License-Identifier: Apache-2.0
// A hold as facts and as an answer.
import type { HoldAnswer } from '@bailiwick/contracts';
import type { SubjectId } from '@bailiwick/kernel';
import { type HoldFacts, WHOLE_TENANT } from './facts.ts';

/** Holds of one person, and of a tenant as a whole. */
export const HOLDS_COUNT_MAX = 64;

export function toHoldAnswer(subjectId: SubjectId, hold: HoldFacts): HoldAnswer {
  return { ...hold, ...(subjectId === WHOLE_TENANT ? {} : { subjectId }) };
}
