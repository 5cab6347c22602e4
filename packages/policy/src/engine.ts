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
import { DecisionStore } from './decisions.ts';
import { NearestSearch } from './explain.ts';
import { ELSEWHERE, Interner } from './interner.ts';
import { createTables, type Tables } from './tables.ts';

/** A decision with the changes under which the flow would be allowed. */
export interface Explanation {
  /** `nearest` is filled in on denials. */
  readonly decision: Decision;
  /** The decision in one paragraph. */
  readonly words: string;
}

/** Decides flows under one charter and one tenant's terms. Pure: the same flow, the same answer. */
export interface Engine {
  /** SHA-256 of the charter. */
  readonly hash: string;
  readonly serial: number;
  readonly charter: CompiledCharter;
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
  readonly #regimes: ReadonlyMap<string, number>;
  readonly #conditions: ReadonlyMap<string, number>;
  readonly #categoryRows: Int32Array;
  readonly #regimeRows: Int32Array;
  /** Mask of the period last met, with no condition true: most flows are decided now and state none. */
  readonly #quiet: Int32Array;
  #quietPeriod = -1;
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
    this.#regimes = charter.attributes[REGIME]?.indexOf ?? EMPTY;
    this.#categoryRows = words[CATEGORY] ?? new Int32Array(0);
    this.#regimeRows = words[REGIME] ?? new Int32Array(0);
    this.#conditions = new Map(charter.conditions.map((condition, index) => [condition, index]));
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
  }

  /** ANDs period and conditions into the base; false when a condition is unknown. */
  #andConditions(period: number, conditions: readonly string[]): boolean {
    const { words, wordCount } = this.#tables;
    let isTrue = 0;
    for (const condition of conditions) {
      const index = this.#conditions.get(condition);
      if (index === undefined) return false;
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

  /**
   * Writes the mask of everything but the set-valued attributes into the base; gives the attribute whose
   * value is unknown, or -1.
   */
  #readBase(flow: Flow): number {
    const actor = this.#interner.readActor(flow.actor);
    if (typeof actor === 'number') return actor;
    const act = this.#interner.readAct(flow);
    if (typeof act === 'number') return act;
    const data = this.#interner.readData(flow.data);
    if (typeof data === 'number') return data;
    const to = this.#interner.readDestination(flow.to);
    if (typeof to === 'number') return to;
    // NaN is not within any range either.
    if (!(flow.atMs >= -INSTANT_MS_MAX && flow.atMs <= INSTANT_MS_MAX)) return PERIOD;
    const period = findPeriod(this.charter.instantsMs, flow.atMs);
    if (period !== this.#quietPeriod) this.#fillQuiet(period);
    const isQuiet = flow.conditions.length === 0;
    const base = this.#base;
    const quiet = this.#quiet;
    const { wordCount } = this.#tables;
    for (let word = 0; word < wordCount; word += 1) {
      const bits = (actor[word] ?? 0) & (act[word] ?? 0) & (data[word] ?? 0) & (to[word] ?? 0);
      base[word] = isQuiet ? bits & (quiet[word] ?? 0) : bits;
    }
    if (isQuiet) return -1;
    return this.#andConditions(period, flow.conditions) ? -1 : CONDITION_INDEX_FIRST;
  }

  #decideElement(category: number, regime: number): Decision {
    const { wordCount } = this.#tables;
    const [base, element] = [this.#base, this.#element];
    const categoryOffset = category * wordCount;
    const regimeOffset = regime * wordCount;
    for (let word = 0; word < wordCount; word += 1) {
      element[word] =
        (base[word] ?? 0) &
        (this.#categoryRows[categoryOffset + word] ?? 0) &
        (this.#regimeRows[regimeOffset + word] ?? 0);
    }
    return this.#store.fromMask(element);
  }

  decide(flow: Flow): Decision {
    const unknown = this.#readBase(flow);
    if (unknown >= 0) return this.#refuse(unknown);
    const { categories: statedCategories, regimes: statedRegimes } = flow.data;
    // Data of no category is one element, and not none: a rule must allow it.
    const categories = statedCategories.length === 0 ? NONE_ONLY : statedCategories;
    const regimes = statedRegimes.length === 0 ? NONE_ONLY : statedRegimes;
    if (categories.length > ELEMENT_COUNT_MAX) return this.#refuse(CATEGORY);
    if (regimes.length > ELEMENT_COUNT_MAX) return this.#refuse(REGIME);
    let decision: Decision | undefined;
    for (let at = 0; at < categories.length; at += 1) {
      const category = this.#categories.get(categories[at] ?? '');
      if (category === undefined) return this.#refuse(CATEGORY);
      for (let of = 0; of < regimes.length; of += 1) {
        const regime = this.#regimes.get(regimes[of] ?? '');
        if (regime === undefined) return this.#refuse(REGIME);
        const element = this.#decideElement(category, regime);
        decision = decision === undefined ? element : this.#store.combine(decision, element);
      }
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
