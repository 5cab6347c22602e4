// SPDX-License-Identifier: Apache-2.0
// Decisions are interned: the same rules give the same object, so that deciding allocates nothing once a
// combination of rules has been seen. What is kept is bounded; past the bound decisions are made afresh.
import { addObligations } from '@bailiwick/charter';
import type { Decision, DenialCause, Reason } from '@bailiwick/kernel';
import type { Tables } from './tables.ts';

/** Most decisions kept; an attacker who varies flows cannot make an engine grow past it. */
export const DECISION_COUNT_MAX = 16_384;
/** Slots of the table of masks: a power of two, at most half full. */
const TABLE_SIZE = 2 * DECISION_COUNT_MAX;

/** Mixes a word into a hash (multiplicative, golden ratio). */
export function mixWord(hash: number, word: number): number {
  const mixed = Math.imul(hash ^ word, 0x9e3779b1);
  return mixed ^ (mixed >>> 15);
}

const CAUSES: readonly DenialCause[] = ['unknown-value', 'forbidden', 'terms-narrower', 'no-rule'];

/** Makes and keeps decisions. */
export class DecisionStore {
  readonly #tables: Tables;
  readonly #wordCount: number;
  readonly #charter: Decision['charter'];
  readonly #decisions: Decision[] = [];
  /** Masks of `#decisions`, one behind the other. */
  #masks: Int32Array;
  /** Position in `#decisions` plus one, by hash of the mask, open addressing; 0 is free. */
  #slots: Int32Array = new Int32Array(64);
  /** Positions in `#decisions` that came from a mask and not from a combination. */
  readonly #masked: number[] = [];
  readonly #combined = new Map<number, number>();
  readonly #numbers = new Map<Decision, number>();

  constructor(tables: Tables, charter: Decision['charter']) {
    this.#tables = tables;
    this.#wordCount = tables.wordCount;
    this.#charter = Object.freeze(charter);
    this.#masks = new Int32Array(32 * tables.wordCount);
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

  /**
   * The decision of one element: the rules whose bits are set. `hash` is the mask's words put through
   * `mixWord` one after the other, from 0: whoever computes the words has them at hand.
   */
  fromMask(mask: Int32Array, hash: number): Decision {
    const wordCount = this.#wordCount;
    const slots = this.#slots;
    const masks = this.#masks;
    const last = slots.length - 1;
    for (let slot = hash & last; ; slot = (slot + 1) & last) {
      const number = (slots[slot] ?? 0) - 1;
      if (number < 0) return this.#add(mask, slot);
      const offset = number * wordCount;
      let word = 0;
      while (word < wordCount && masks[offset + word] === mask[word]) word += 1;
      if (word === wordCount) return this.#decisions[number] ?? this.#make(mask);
    }
  }

  #add(mask: Int32Array, slot: number): Decision {
    const decision = this.#make(mask);
    const number = this.#decisions.length;
    if (number >= DECISION_COUNT_MAX) return decision;
    const { wordCount } = this.#tables;
    this.#decisions.push(decision);
    this.#reserveMask();
    this.#masks.set(mask.subarray(0, wordCount), number * wordCount);
    this.#masked.push(number);
    this.#numbers.set(decision, number);
    this.#slots[slot] = number + 1;
    if (2 * this.#masked.length > this.#slots.length && this.#slots.length < TABLE_SIZE)
      this.#rehash();
    return decision;
  }

  #rehash(): void {
    const { wordCount } = this.#tables;
    const slots = new Int32Array(2 * this.#slots.length);
    const last = slots.length - 1;
    for (const number of this.#masked) {
      let hash = 0;
      for (let word = 0; word < wordCount; word += 1) {
        hash = mixWord(hash, this.#masks[number * wordCount + word] ?? 0);
      }
      let slot = hash & last;
      while (slots[slot] !== 0) slot = (slot + 1) & last;
      slots[slot] = number + 1;
    }
    this.#slots = slots;
  }

  #make(mask: Int32Array): Decision {
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
    const cause = forbids.length === 0 ? 'no-rule' : isByTerms ? 'terms-narrower' : 'forbidden';
    return this.#freeze({
      outcome: isAllowed ? 'allow' : 'deny',
      rules: deciding.map((rule) => rule.id),
      reasons: deciding.map(({ id, because, source }): Reason => ({ rule: id, because, source })),
      obligations: isAllowed ? addObligations(deciding.flatMap((rule) => rule.obligations)) : [],
      ...(isAllowed ? {} : { cause }),
    });
  }

  /** The decision about two elements: both must allow; obligations add up; refusals are told together. */
  combine(left: Decision, right: Decision): Decision {
    if (left === right) return left;
    const [first, second] = [this.#numbers.get(left), this.#numbers.get(right)];
    if (first === undefined || second === undefined) return this.#join(left, right);
    const key = first * DECISION_COUNT_MAX + second;
    const known = this.#decisions[this.#combined.get(key) ?? -1];
    if (known) return known;
    const joined = this.#join(left, right);
    let number = this.#numbers.get(joined);
    if (number === undefined) {
      if (this.#decisions.length >= DECISION_COUNT_MAX) return joined;
      // A combination has no mask of its own: no slot leads to it, only its pair.
      number = this.#decisions.push(joined) - 1;
      this.#numbers.set(joined, number);
      this.#reserveMask();
    }
    if (this.#combined.size < DECISION_COUNT_MAX) this.#combined.set(key, number);
    return joined;
  }

  /** Keeps positions in `#masks` and `#decisions` in step. */
  #reserveMask(): void {
    const needed = this.#decisions.length * this.#tables.wordCount;
    if (needed <= this.#masks.length) return;
    const larger = new Int32Array(2 * needed);
    larger.set(this.#masks);
    this.#masks = larger;
  }

  #join(left: Decision, right: Decision): Decision {
    if (left.outcome !== right.outcome) return left.outcome === 'deny' ? left : right;
    const order = new Map(this.#tables.rules.map((rule, index) => [rule.id, index]));
    const byRule = new Map([...left.reasons, ...right.reasons].map((item) => [item.rule, item]));
    const reasons = [...byRule.values()].sort(
      (a, b) => (order.get(a.rule) ?? 0) - (order.get(b.rule) ?? 0),
    );
    const cause = CAUSES.find((item) => item === left.cause || item === right.cause);
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
