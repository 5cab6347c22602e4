// SPDX-License-Identifier: Apache-2.0
// What a set of matching conjunctions comes to, written as plainly as it can be: the engine in
// `@bailiwick/policy` answers the same from interned masks, and tests hold the two together.
import type { Obligation } from '@bailiwick/kernel';
import type { Variant } from './box.ts';
import type { CompiledRule } from './ruling.ts';

/** Outcome of one element of a flow. */
export interface Verdict {
  readonly outcome: 'allow' | 'deny';
  /** Rules that decided, in the charter's order. */
  readonly rules: readonly string[];
  /** Added up; empty on deny. */
  readonly obligations: readonly Obligation[];
}

/**
 * Adds obligations up: the largest smallest group, all categories, each kind once. An obligation without
 * categories is about everything and stays so.
 */
export function addObligations(all: readonly Obligation[]): readonly Obligation[] {
  const byKind = new Map<string, Obligation>();
  for (const next of all) {
    const last = byKind.get(next.kind);
    const minimumCount = Math.max(last?.minimumCount ?? 0, next.minimumCount ?? 0);
    const isAll =
      next.categories === undefined || (last !== undefined && last.categories === undefined);
    const categories = [
      ...new Set([...(last?.categories ?? []), ...(next.categories ?? [])]),
    ].sort();
    byKind.set(next.kind, {
      kind: next.kind,
      ...(minimumCount > 0 ? { minimumCount } : {}),
      ...(isAll ? {} : { categories }),
    });
  }
  return [...byKind.values()];
}

/** True when whoever fulfils `after` has fulfilled `before` too. */
export function isAtLeast(after: readonly Obligation[], before: readonly Obligation[]): boolean {
  return before.every((old) =>
    after.some(
      (next) =>
        next.kind === old.kind &&
        (next.minimumCount ?? 0) >= (old.minimumCount ?? 0) &&
        (next.categories === undefined ||
          (old.categories?.every((item) => next.categories?.includes(item)) ?? false)),
    ),
  );
}

/** Judges by the rules whose conjunctions hold. */
export function toVerdict(rules: readonly CompiledRule[], matched: Iterable<number>): Verdict {
  const sorted = [...new Set(matched)].sort((a, b) => a - b).flatMap((index) => rules[index] ?? []);
  const forbids = sorted.filter((rule) => rule.effect === 'forbid');
  const deciding = forbids.length > 0 ? forbids : sorted;
  const isAllowed = forbids.length === 0 && sorted.length > 0;
  return {
    outcome: isAllowed ? 'allow' : 'deny',
    rules: deciding.map((rule) => rule.id),
    obligations: isAllowed ? addObligations(deciding.flatMap((rule) => rule.obligations)) : [],
  };
}

/** The rules of the conjunctions whose bits are set, from `firstBit` on. */
export function listMatched(
  variants: readonly Variant[],
  mask: Int32Array,
  firstBit = 0,
): readonly number[] {
  const matched: number[] = [];
  variants.forEach((variant, index) => {
    const bit = firstBit + index;
    if ((((mask[bit >> 5] ?? 0) >>> (bit & 31)) & 1) === 1) matched.push(variant.rule);
  });
  return matched;
}
