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
import { DECISION_COUNT_MAX, DecisionStore } from './decisions.ts';
import { explainFlow } from './explain.ts';
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

const CATEGORY = ATTRIBUTE_INDEX['data.category'];
const REGIME = ATTRIBUTE_INDEX['data.regime'];
const NONE_ONLY: readonly string[] = [NONE];

class BitmaskEngine implements Engine {
  readonly hash: string;
  readonly serial: number;
  readonly charter: CompiledCharter;
  readonly #tables: Tables;
  readonly #store: DecisionStore;
  readonly #maps: readonly ReadonlyMap<string, number>[];
  /** Index of each attribute's value in the flow under decision. */
  readonly #values: Int32Array;
  readonly #base: Int32Array;
  readonly #mask: Int32Array;
  readonly #known = new Map<string, Decision>();
  readonly #unknown: readonly Decision[];
  readonly #elsewhere: Decision;
  /** Declared location and operator of each destination id, -1 where none is declared. */
  readonly #locationOf: Int32Array;
  readonly #operatorOf: Int32Array;
  readonly #conditionIndex: ReadonlyMap<string, number>;

  constructor(charter: CompiledCharter, options: EngineOptions) {
    this.charter = charter;
    this.hash = charter.hash;
    this.serial = options.serial;
    this.#tables = createTables(charter, options.terms);
    this.#store = new DecisionStore(this.#tables, { hash: charter.hash, serial: options.serial });
    this.#maps = charter.attributes.map((attribute) => attribute.indexOf);
    this.#values = new Int32Array(charter.attributes.length);
    this.#base = new Int32Array(this.#tables.wordCount);
    this.#mask = new Int32Array(this.#tables.wordCount);
    this.#unknown = [...ATTRIBUTE_IDS, 'condition'].map((id) =>
      this.#store.unknown(id, `the charter does not know this value of \`${id}\``),
    );
    this.#elsewhere = this.#store.unknown(
      'to.location',
      'the charter says that this destination stands, or is run, elsewhere',
    );
    const ids = charter.attributes[ATTRIBUTE_INDEX['to.id']]?.values ?? [];
    const declared = new Map<string, { readonly location: string; readonly operator: string }>(
      [...charter.cells, ...charter.providers].map((item) => [item.id, item]),
    );
    const indexes = (attribute: 'location' | 'operator'): Int32Array =>
      Int32Array.from(ids, (id) => {
        const value = declared.get(id)?.[attribute];
        return value === undefined
          ? -1
          : (this.#maps[ATTRIBUTE_INDEX[`to.${attribute}`]]?.get(value) ?? -1);
      });
    this.#locationOf = indexes('location');
    this.#operatorOf = indexes('operator');
    this.#conditionIndex = new Map(
      charter.conditions.map((condition, index) => [condition, index]),
    );
  }

  #intern(attribute: number, value: string): boolean {
    const index = this.#maps[attribute]?.get(value);
    if (index === undefined) return false;
    this.#values[attribute] = index;
    return true;
  }

  /** Interns all but the set-valued attributes; gives the position of the first unknown one, or -1. */
  #internFlow(flow: Flow): number {
    const { actor, data, to } = flow;
    const values: readonly string[] = [
      actor.kind,
      actor.role,
      actor.employer,
      actor.assurance,
      actor.place,
      flow.action,
      data.class,
      NONE,
      NONE,
      data.origin,
      data.residency,
      flow.form,
      to.kind,
      to.id ?? NONE,
      to.location,
      to.operator,
      flow.purpose,
      flow.mechanism ?? NONE,
      flow.consent,
      String(findPeriod(this.charter.instantsMs, flow.atMs)),
    ];
    for (let attribute = 0; attribute < values.length; attribute += 1) {
      if (!this.#intern(attribute, values[attribute] ?? '')) return attribute;
    }
    if (Number.isNaN(flow.atMs)) return ATTRIBUTE_INDEX.period;
    this.#values.fill(0, CONDITION_INDEX_FIRST);
    for (const condition of flow.conditions) {
      const index = this.#conditionIndex.get(condition);
      if (index === undefined) return CONDITION_INDEX_FIRST;
      this.#values[CONDITION_INDEX_FIRST + index] = 1;
    }
    return -1;
  }

  #isElsewhere(): boolean {
    const id = this.#values[ATTRIBUTE_INDEX['to.id']] ?? 0;
    const location = this.#locationOf[id] ?? -1;
    if (location < 0) return false;
    return (
      location !== this.#values[ATTRIBUTE_INDEX['to.location']] ||
      this.#operatorOf[id] !== this.#values[ATTRIBUTE_INDEX['to.operator']]
    );
  }

  #andBase(): void {
    const { words, wordCount } = this.#tables;
    this.#base.fill(-1);
    for (let attribute = 0; attribute < words.length; attribute += 1) {
      if (attribute === CATEGORY || attribute === REGIME) continue;
      const mask = words[attribute];
      const offset = (this.#values[attribute] ?? 0) * wordCount;
      for (let word = 0; word < wordCount; word += 1) {
        this.#base[word] = (this.#base[word] ?? 0) & (mask?.[offset + word] ?? 0);
      }
    }
  }

  #decideElement(category: number, regime: number): Decision {
    const { words, wordCount } = this.#tables;
    let key = '';
    for (let word = 0; word < wordCount; word += 1) {
      const bits =
        (this.#base[word] ?? 0) &
        (words[CATEGORY]?.[category * wordCount + word] ?? 0) &
        (words[REGIME]?.[regime * wordCount + word] ?? 0);
      this.#mask[word] = bits;
      key += `${bits}.`;
    }
    const known = this.#known.get(key);
    if (known) return known;
    const decision = this.#store.fromMask(this.#mask);
    if (this.#known.size < DECISION_COUNT_MAX) this.#known.set(key, decision);
    return decision;
  }

  decide(flow: Flow): Decision {
    const unknown = this.#internFlow(flow);
    if (unknown >= 0) return this.#unknown[unknown] ?? this.#elsewhere;
    if (this.#isElsewhere()) return this.#elsewhere;
    this.#andBase();
    const categories = flow.data.categories.length === 0 ? NONE_ONLY : flow.data.categories;
    const regimes = flow.data.regimes.length === 0 ? NONE_ONLY : flow.data.regimes;
    if (categories.length > ELEMENT_COUNT_MAX) return this.#unknown[CATEGORY] ?? this.#elsewhere;
    if (regimes.length > ELEMENT_COUNT_MAX) return this.#unknown[REGIME] ?? this.#elsewhere;
    let decision: Decision | undefined;
    for (const category of categories) {
      const categoryIndex = this.#maps[CATEGORY]?.get(category);
      if (categoryIndex === undefined) return this.#unknown[CATEGORY] ?? this.#elsewhere;
      for (const regime of regimes) {
        const regimeIndex = this.#maps[REGIME]?.get(regime);
        if (regimeIndex === undefined) return this.#unknown[REGIME] ?? this.#elsewhere;
        const element = this.#decideElement(categoryIndex, regimeIndex);
        decision = decision === undefined ? element : this.#store.combine(decision, element);
      }
    }
    return decision ?? this.#elsewhere;
  }

  explain(flow: Flow): Explanation {
    return explainFlow(this, flow);
  }
}

/** Creates the engine of a charter, narrowed by a tenant's terms. @throws {CharterError} for wrong terms. */
export function createEngine(charter: CompiledCharter, options: EngineOptions): Engine {
  return new BitmaskEngine(charter, options);
}
