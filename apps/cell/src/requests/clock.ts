// SPDX-License-Identifier: Apache-2.0
// The clock of a request: one deadline for each law that the person's data carries, from the atlas, with its
// source. Where the atlas knows none, thirty days are assumed and said to be.
import { addSpan, findRequestDeadline } from '@bailiwick/atlas';
import type { RightsDeadline } from '@bailiwick/contracts';

const ASSUMED_DAYS = 30;

/** A request's deadlines and the earliest of them. */
export interface RequestClock {
  readonly deadlines: readonly RightsDeadline[];
  readonly dueOn: string;
}

function earliest(deadlines: readonly RightsDeadline[]): string {
  const days = deadlines.map(({ dueOn, extendedTo }) => extendedTo ?? dueOn);
  return days.sort()[0] ?? '';
}

/** Starts the clock on the day of receipt. */
export function startClock(regimes: readonly string[], receivedOn: string): RequestClock {
  const named = regimes.length === 0 ? ['unknown'] : [...new Set(regimes)].sort();
  const deadlines = named.map((regime): RightsDeadline => {
    const row = findRequestDeadline(regime);
    if (row === undefined) {
      const dueOn = addSpan(receivedOn, { count: ASSUMED_DAYS, unit: 'days' });
      return { regime, dueOn, isConfirmed: false };
    }
    const { article, source, confirmed } = row;
    const dueOn = addSpan(receivedOn, row.answerWithin);
    return { regime, dueOn, article, source, isConfirmed: confirmed };
  });
  return { deadlines, dueOn: earliest(deadlines) };
}

/**
 * Puts off what can be put off, once, from the end of the first term. A law that knows no extension keeps
 * its day. `undefined`: nothing can be put off (any more).
 */
export function extendClock({ deadlines }: RequestClock): RequestClock | undefined {
  let isExtended = false;
  const extended = deadlines.map((deadline) => {
    const span = findRequestDeadline(deadline.regime)?.extensionBy;
    if (span === undefined || deadline.extendedTo !== undefined) return deadline;
    isExtended = true;
    return { ...deadline, extendedTo: addSpan(deadline.dueOn, span) };
  });
  return isExtended ? { deadlines: extended, dueOn: earliest(extended) } : undefined;
}
