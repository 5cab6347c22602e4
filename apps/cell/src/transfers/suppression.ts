// SPDX-License-Identifier: Apache-2.0
// Which groups of an aggregate may leave. A group about fewer than k people stays; and so do others, so
// that no such group can be computed by subtraction: on each line of the table (all values of one
// dimension, the others fixed) whose total could be known from another figure, what stays must be either
// nothing or at least two groups about at least k people together.

/** A group with how many people (or, where nobody is named, records) it is about. */
export interface Group {
  readonly values: readonly string[];
  readonly contributors: number;
}

/** The groups that may leave, in the order given. */
export function selectPublished<G extends Group>(
  groups: readonly G[],
  { minimumCount }: { readonly minimumCount: number },
): readonly G[] {
  const suppressed = new Set<G>(groups.filter(({ contributors }) => contributors < minimumCount));
  const lines = toLines(groups);
  // Each round suppresses one group more, so this ends.
  for (;;) {
    const next = findComplement(lines, suppressed, minimumCount);
    if (next === undefined) return groups.filter((group) => !suppressed.has(group));
    suppressed.add(next);
  }
}

/** Every line of the table, and the table as a whole. */
function toLines<G extends Group>(groups: readonly G[]): readonly (readonly G[])[] {
  const lines: (readonly G[])[] = [groups];
  const dimensionCount = groups[0]?.values.length ?? 0;
  for (let dimension = 0; dimension < dimensionCount; dimension += 1) {
    const byRest = Map.groupBy(groups, ({ values }) =>
      JSON.stringify(values.filter((_, index) => index !== dimension)),
    );
    lines.push(...byRest.values());
    const byValue = Map.groupBy(groups, ({ values }) => values[dimension]);
    lines.push(...byValue.values());
  }
  return lines;
}

/** The smallest published group of a line that gives too much away; `undefined` when none does. */
function findComplement<G extends Group>(
  lines: readonly (readonly G[])[],
  suppressed: ReadonlySet<G>,
  minimumCount: number,
): G | undefined {
  for (const line of lines) {
    const hidden = line.filter((group) => suppressed.has(group));
    if (hidden.length === 0 || hidden.length === line.length) continue;
    const people = hidden.reduce((sum, { contributors }) => sum + contributors, 0);
    if (hidden.length >= 2 && people >= minimumCount) continue;
    return smallest(line.filter((group) => !suppressed.has(group)));
  }
  return undefined;
}

function smallest<G extends Group>(groups: readonly G[]): G | undefined {
  return groups.reduce<G | undefined>(
    (least, group) =>
      least === undefined || group.contributors < least.contributors ? group : least,
    undefined,
  );
}
