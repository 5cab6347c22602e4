// SPDX-License-Identifier: Apache-2.0
// The masks by which an engine decides: the charter's rules and, behind them, the tenant's terms, which
// only ever forbid. Bit n of every mask is conjunction n.
import {
  type CompiledCharter,
  type CompiledRule,
  type ContractTerms,
  compileTerms,
  toMasks,
  type Variant,
} from '@bailiwick/charter';

export interface Tables {
  readonly wordCount: number;
  /** Per attribute, `wordCount` words per value. */
  readonly words: readonly Int32Array[];
  /** Bits of the conjunctions that forbid. */
  readonly forbids: Int32Array;
  /** Conjunction to its rule. */
  readonly ruleOf: readonly number[];
  readonly rules: readonly CompiledRule[];
  /** Rules from this index on are the tenant's terms. */
  readonly termsFirst: number;
}

/** Writes the masks of a charter, narrowed by terms where there are any. */
export function createTables(charter: CompiledCharter, terms: ContractTerms | undefined): Tables {
  const termsFirst = charter.rules.length;
  const extra = terms === undefined ? undefined : compileTerms(charter, terms);
  const rules = extra ? [...charter.rules, ...extra.rules] : charter.rules;
  const variants: readonly Variant[] = extra
    ? [
        ...charter.variants,
        ...extra.variants.map(({ rule, box }) => ({ rule: rule + termsFirst, box })),
      ]
    : charter.variants;
  const masks = extra
    ? toMasks(
        variants.map((variant) => variant.box),
        charter.attributes.map((attribute) => attribute.values.length),
      )
    : charter.masks;
  const forbids = new Int32Array(masks.wordCount);
  variants.forEach((variant, bit) => {
    if (rules[variant.rule]?.effect === 'forbid') {
      forbids[bit >> 5] = (forbids[bit >> 5] ?? 0) | (1 << (bit & 31));
    }
  });
  return {
    ...masks,
    forbids,
    ruleOf: variants.map((variant) => variant.rule),
    rules,
    termsFirst,
  };
}
