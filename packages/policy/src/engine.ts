// SPDX-License-Identifier: Apache-2.0
// The decision engine: interns each attribute of a flow, ANDs the masks of the rules that its values
// satisfy, and looks the resulting mask up. No rule that allows: deny. Any rule that forbids: deny.
import {
  ATTRIBUTE_IDS,
  ATTRIBUTE_INDEX,
  CONDITION_INDEX_FIRST,
  type CompiledCharter,
  type ContractTerms,
  findPeriod,
  NONE,
} from '@bailiwick/charter';
import type { Decision, Flow } from '@bailiwick/kernel';
import { DecisionStore, mixWord } from './decisions.ts';
import { type Decider, type Explanation, NearestSearch } from './explain.ts';
import { ELSEWHERE, Interner, UNKNOWN } from './interner.ts';
import { createTables, type Tables } from './tables.ts';

/** Decides flows under one charter and one tenant's terms. Pure: the same flow, the same answer. */
export interface Engine extends Decider {
  /** SHA-256 of the charter. */
  readonly hash: string;
  readonly serial: number;
  /** Never throws. Denials come without `nearest`; `explain` has them. */
  decide(flow: Flow): Decision;
  explain(flow: Flow): Explanation;
}

export interface EngineOptions {
  /** Serial of the bundle that brought the charter. */
  readonly serial: number;
  readonly terms?: ContractTerms;
}

/** Most elements of a set-valued attribute; a flow with more is denied. */
export const ELEMENT_COUNT_MAX = 64;

/** Instants outside of this range are no instants (ECMA-262 §21.4.1.1). */
const INSTANT_MS_MAX = 8.64e15;
const CATEGORY = ATTRIBUTE_INDEX['data.category'];
const REGIME = ATTRIBUTE_INDEX['data.regime'];
const PERIOD = ATTRIBUTE_INDEX.period;
const NONE_ONLY: readonly string[] = [NONE];
const EMPTY: ReadonlyMap<string, number> = new Map();

class BitmaskEngine implements Engine {
  readonly hash: string;
  readonly serial: number;
  readonly charter: CompiledCharter;
  readonly #tables: Tables;
  readonly #store: DecisionStore;
  readonly #interner: Interner;
  readonly #categories: ReadonlyMap<string, number>;
  readonly #conditions: ReadonlyMap<string, number>;
  readonly #categoryRows: Int32Array;
  /** Mask of the period last met, with no condition true: most flows are decided now and state none. */
  readonly #quiet: Int32Array;
  #quietPeriod = -1;
  #periodFromMs: number = Number.NaN;
  #periodUntilMs: number = Number.NaN;
  /** Every bit set. */
  readonly #all: Int32Array;
  readonly #wordCount: number;
  readonly #base: Int32Array;
  readonly #element: Int32Array;
  readonly #unknown: readonly Decision[];
  readonly #elsewhere: Decision;
  #search: NearestSearch | undefined;

  constructor(charter: CompiledCharter, options: EngineOptions) {
    this.charter = charter;
    this.hash = charter.hash;
    this.serial = options.serial;
    this.#tables = createTables(charter, options.terms);
    const { wordCount, words } = this.#tables;
    this.#store = new DecisionStore(this.#tables, { hash: charter.hash, serial: options.serial });
    this.#interner = new Interner(charter, this.#tables);
    this.#categories = charter.attributes[CATEGORY]?.indexOf ?? EMPTY;
    this.#categoryRows = words[CATEGORY] ?? new Int32Array(0);
    this.#conditions = new Map(charter.conditions.map((condition, index) => [condition, index]));
    this.#wordCount = wordCount;
    this.#all = new Int32Array(wordCount).fill(-1);
    this.#quiet = new Int32Array(wordCount);
    this.#base = new Int32Array(wordCount);
    this.#element = new Int32Array(wordCount);
    this.#unknown = [...ATTRIBUTE_IDS, 'condition'].map((id) =>
      this.#store.unknown(id, `the charter does not know this value of \`${id}\``),
    );
    this.#elsewhere = this.#store.unknown(
      'to',
      'the charter says that this destination stands, or is run, elsewhere',
    );
  }

  #refuse(attribute: number): Decision {
    return attribute === ELSEWHERE
      ? this.#elsewhere
      : (this.#unknown[attribute] ?? this.#elsewhere);
  }

  /** Fills the mask of a period with every condition false. */
  #fillQuiet(period: number): void {
    const { words, wordCount } = this.#tables;
    for (let word = 0; word < wordCount; word += 1) {
      let bits = words[PERIOD]?.[period * wordCount + word] ?? 0;
      for (let attribute = CONDITION_INDEX_FIRST; attribute < words.length; attribute += 1) {
        bits &= words[attribute]?.[word] ?? 0;
      }
      this.#quiet[word] = bits;
    }
    this.#quietPeriod = period;
    const { instantsMs } = this.charter;
    this.#periodFromMs = instantsMs[period - 1] ?? -INSTANT_MS_MAX;
    this.#periodUntilMs = instantsMs[period] ?? INSTANT_MS_MAX;
  }

  /** ANDs period and conditions into the base; false when a condition is unknown. */
  #andConditions(period: number, conditions: readonly string[]): boolean {
    const { words, wordCount } = this.#tables;
    let isTrue = 0;
    for (const condition of conditions) {
      const index = this.#conditions.get(condition);
      if (index === undefined) {
        this.#interner.unknown = CONDITION_INDEX_FIRST;
        return false;
      }
      isTrue |= 1 << index;
    }
    for (let word = 0; word < wordCount; word += 1) {
      let bits = words[PERIOD]?.[period * wordCount + word] ?? 0;
      for (let attribute = CONDITION_INDEX_FIRST; attribute < words.length; attribute += 1) {
        const value = (isTrue >>> (attribute - CONDITION_INDEX_FIRST)) & 1;
        bits &= words[attribute]?.[value * wordCount + word] ?? 0;
      }
      this.#base[word] = (this.#base[word] ?? 0) & bits;
    }
    return true;
  }

  /** Writes the mask of everything but the categories into the base; false when a value is unknown. */
  #readBase(flow: Flow, regime: string): boolean {
    const interner = this.#interner;
    const actor = interner.readActor(flow.actor);
    if (actor === UNKNOWN) return false;
    const act = interner.readAct(flow);
    if (act === UNKNOWN) return false;
    const data = interner.readData(flow.data, regime);
    if (data === UNKNOWN) return false;
    const to = interner.readDestination(flow.to);
    if (to === UNKNOWN) return false;
    const period = this.#findPeriod(flow.atMs);
    if (period < 0) return false;
    if (period !== this.#quietPeriod) this.#fillQuiet(period);
    const isQuiet = flow.conditions.length === 0;
    const base = this.#base;
    const when = isQuiet ? this.#quiet : this.#all;
    const wordCount = this.#wordCount;
    for (let word = 0; word < wordCount; word += 1) {
      base[word] =
        (actor[word] ?? 0) &
        (act[word] ?? 0) &
        (data[word] ?? 0) &
        (to[word] ?? 0) &
        (when[word] ?? 0);
    }
    return isQuiet || this.#andConditions(period, flow.conditions);
  }

  #findPeriod(atMs: number): number {
    if (atMs >= this.#periodFromMs && atMs < this.#periodUntilMs) return this.#quietPeriod;
    // NaN is not within any range either.
    if (!(atMs >= -INSTANT_MS_MAX && atMs <= INSTANT_MS_MAX)) {
      this.#interner.unknown = PERIOD;
      return -1;
    }
    return findPeriod(this.charter.instantsMs, atMs);
  }

  #decideElement(category: number): Decision {
    const wordCount = this.#wordCount;
    const base = this.#base;
    const element = this.#element;
    const rows = this.#categoryRows;
    const offset = category * wordCount;
    let hash = 0;
    for (let word = 0; word < wordCount; word += 1) {
      const bits = (base[word] ?? 0) & (rows[offset + word] ?? 0);
      element[word] = bits;
      hash = mixWord(hash, bits);
    }
    return this.#store.fromMask(element, hash);
  }

  decide(flow: Flow): Decision {
    const { categories, regimes } = flow.data;
    // Data under no regime, or of no category, is one element and not none: a rule must allow it.
    if (regimes.length > 1) return this.#decideAll(flow);
    if (!this.#readBase(flow, regimes.length === 0 ? NONE : (regimes[0] ?? NONE))) {
      return this.#refuse(this.#interner.unknown);
    }
    if (categories.length > 1) return this.#decideCategories(categories);
    const category = this.#categories.get(categories.length === 0 ? NONE : (categories[0] ?? NONE));
    return category === undefined ? this.#refuse(CATEGORY) : this.#decideElement(category);
  }

  #decideCategories(categories: readonly string[]): Decision {
    if (categories.length > ELEMENT_COUNT_MAX) return this.#refuse(CATEGORY);
    let decision: Decision | undefined;
    for (let at = 0; at < categories.length; at += 1) {
      const category = this.#categories.get(categories[at] ?? '');
      if (category === undefined) return this.#refuse(CATEGORY);
      const element = this.#decideElement(category);
      decision = decision === undefined ? element : this.#store.combine(decision, element);
    }
    return decision ?? this.#elsewhere;
  }

  /** Several regimes: each alone must allow. */
  #decideAll(flow: Flow): Decision {
    const { regimes } = flow.data;
    if (regimes.length > ELEMENT_COUNT_MAX) return this.#refuse(REGIME);
    const categories = flow.data.categories.length === 0 ? NONE_ONLY : flow.data.categories;
    let decision: Decision | undefined;
    for (let at = 0; at < regimes.length; at += 1) {
      if (!this.#readBase(flow, regimes[at] ?? '')) return this.#refuse(this.#interner.unknown);
      const element = this.#decideCategories(categories);
      if (element.cause === 'unknown-value') return element;
      decision = decision === undefined ? element : this.#store.combine(decision, element);
    }
    return decision ?? this.#elsewhere;
  }

  explain(flow: Flow): Explanation {
    this.#search ??= new NearestSearch(this, this.#tables);
    return this.#search.explain(flow);
  }
}

/** Creates the engine of a charter, narrowed by a tenant's terms. @throws {CharterError} for wrong terms. */
export function createEngine(charter: CompiledCharter, options: EngineOptions): Engine {
  return new BitmaskEngine(charter, options);
}
