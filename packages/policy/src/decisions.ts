// SPDX-License-Identifier: Apache-2.0
// Decisions are interned: the same rules give the same object, so that deciding allocates nothing once a
// combination of rules has been seen. What is kept is bounded; past the bound decisions are made afresh.
import type { Decision, DenialCause, Obligation, Reason } from '@bailiwick/kernel';
import type { Tables } from './tables.ts';

/** Most decisions kept; an attacker who varies flows cannot make an engine grow past it. */
export const DECISION_COUNT_MAX = 16_384;

/** Adds obligations up: the largest smallest group, all categories, each other kind once. */
export function addObligations(all: readonly Obligation[]): readonly Obligation[] {
  const byKind = new Map<string, Obligation>();
  for (const next of all) {
    const last = byKind.get(next.kind);
    const minimumCount = Math.max(last?.minimumCount ?? 0, next.minimumCount ?? 0);
    const categories = [
      ...new Set([...(last?.categories ?? []), ...(next.categories ?? [])]),
    ].sort();
    // No categories at all means everything: it stays wider than any list.
    const isAll =
      (last !== undefined && last.categories === undefined) || next.categories === undefined;
    byKind.set(next.kind, {
      kind: next.kind,
      ...(minimumCount > 0 ? { minimumCount } : {}),
      ...(isAll || categories.length === 0 ? {} : { categories }),
    });
  }
  return [...byKind.values()];
}

/** Makes and keeps decisions. */
export class DecisionStore {
  readonly #tables: Tables;
  readonly #charter: Decision['charter'];

  constructor(tables: Tables, charter: Decision['charter']) {
    this.#tables = tables;
    this.#charter = Object.freeze(charter);
  }

  #freeze(parts: Omit<Decision, 'charter' | 'nearest'>): Decision {
    return Object.freeze({
      ...parts,
      rules: Object.freeze(parts.rules),
      reasons: Object.freeze(parts.reasons),
      obligations: Object.freeze(parts.obligations),
      nearest: Object.freeze([]),
      charter: this.#charter,
    });
  }

  /** The decision of one element: the rules whose bits are set. */
  fromMask(mask: Int32Array): Decision {
    const { ruleOf, rules, termsFirst } = this.#tables;
    const matched = new Set<number>();
    for (let bit = 0; bit < ruleOf.length; bit += 1) {
      const isSet = ((mask[bit >> 5] ?? 0) >>> (bit & 31)) & 1;
      const rule = ruleOf[bit];
      if (isSet === 1 && rule !== undefined) matched.add(rule);
    }
    const sorted = [...matched].sort((a, b) => a - b);
    const forbids = sorted.filter((index) => rules[index]?.effect === 'forbid');
    const deciding = (forbids.length > 0 ? forbids : sorted).flatMap((index) => rules[index] ?? []);
    const isAllowed = forbids.length === 0 && sorted.length > 0;
    const isByTerms = forbids.length > 0 && forbids.every((index) => index >= termsFirst);
    const cause: DenialCause =
      forbids.length === 0 ? 'no-rule' : isByTerms ? 'terms-narrower' : 'forbidden';
    return this.#freeze({
      outcome: isAllowed ? 'allow' : 'deny',
      rules: deciding.map((rule) => rule.id),
      reasons: deciding.map(({ id, because, source }): Reason => ({ rule: id, because, source })),
      obligations: isAllowed ? addObligations(deciding.flatMap((rule) => rule.obligations)) : [],
      ...(isAllowed ? {} : { cause }),
    });
  }

  /** The decision of several elements: all must allow; obligations add up; refusals are told together. */
  combine(left: Decision, right: Decision): Decision {
    if (left === right) return left;
    if (left.outcome !== right.outcome) return left.outcome === 'deny' ? left : right;
    const order = new Map(this.#tables.rules.map((rule, index) => [rule.id, index]));
    const byRule = new Map(
      [...left.reasons, ...right.reasons].map((reason) => [reason.rule, reason]),
    );
    const reasons = [...byRule.values()].sort(
      (a, b) => (order.get(a.rule) ?? 0) - (order.get(b.rule) ?? 0),
    );
    const causes: readonly DenialCause[] = [
      'unknown-value',
      'forbidden',
      'terms-narrower',
      'no-rule',
    ];
    const cause = causes.find((item) => item === left.cause || item === right.cause);
    return this.#freeze({
      outcome: left.outcome,
      rules: reasons.map((reason) => reason.rule),
      reasons,
      obligations: addObligations([...left.obligations, ...right.obligations]),
      ...(left.outcome === 'deny' && cause !== undefined ? { cause } : {}),
    });
  }

  /** The decision about a flow with a value that the charter does not know. The value is not told. */
  unknown(attribute: string, because: string): Decision {
    return this.#freeze({
      outcome: 'deny',
      rules: [],
      reasons: [{ rule: `unknown:${attribute}`, because, source: 'the charter’s closed sets' }],
      obligations: [],
      cause: 'unknown-value',
    });
  }
}
