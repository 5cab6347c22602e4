// SPDX-License-Identifier: Apache-2.0
// What would make a denied flow allowed: single changes of form, mechanism, destination, consent and
// purpose, then two of them at once. The search runs on masks; only what it finds is decided as a flow.
// A change of fact (consent, purpose) is told last, and as a condition and not as advice: nobody should
// name another purpose to get through.
import {
  ATTRIBUTE_INDEX,
  type AttributeId,
  CONDITION_INDEX_FIRST,
  type CompiledCharter,
  findPeriod,
  NONE,
} from '@bailiwick/charter';
import {
  CONSENTS,
  type Decision,
  type Destination,
  type Flow,
  FORMS,
  type NearestFlow,
} from '@bailiwick/kernel';
import type { Tables } from './tables.ts';

/** A decision with the changes under which the flow would be allowed. */
export interface Explanation {
  /** `nearest` is filled in on denials. */
  readonly decision: Decision;
  /** The decision in one paragraph. */
  readonly words: string;
}

/** Whatever decides flows under a charter. */
export interface Decider {
  readonly charter: CompiledCharter;
  decide(flow: Flow): Decision;
}

/** Most nearest flows told. */
export const NEAREST_COUNT_MAX = 3;

/** What a change is about, in the order in which changes are proposed. */
const KINDS = ['form', 'mechanism', 'to', 'consent', 'purpose'] as const;
type Kind = (typeof KINDS)[number];

interface Change {
  readonly kind: Kind;
  readonly value: string;
  readonly words: string;
  readonly apply: (flow: Flow) => Flow;
  readonly mask: Int32Array;
}

/** Attributes that no change touches and that have one value in a flow. */
const FIXED: readonly AttributeId[] = [
  'actor.kind',
  'actor.role',
  'actor.employer',
  'actor.assurance',
  'actor.place',
  'action',
  'data.class',
  'data.origin',
  'data.residency',
];

/** Searches the nearest allowed flows under one engine. */
export class NearestSearch {
  readonly #engine: Decider;
  readonly #charter: CompiledCharter;
  readonly #tables: Tables;
  readonly #changes: Readonly<Record<Kind, readonly Change[]>>;

  constructor(engine: Decider, tables: Tables) {
    this.#engine = engine;
    this.#charter = engine.charter;
    this.#tables = tables;
    this.#changes = this.#listChanges();
  }

  #row(attribute: AttributeId, value: string): Int32Array {
    const { words, wordCount } = this.#tables;
    const at = ATTRIBUTE_INDEX[attribute];
    const index = this.#charter.attributes[at]?.indexOf.get(value);
    if (index === undefined) return new Int32Array(wordCount);
    return (
      words[at]?.subarray(index * wordCount, (index + 1) * wordCount) ?? new Int32Array(wordCount)
    );
  }

  #and(...masks: readonly Int32Array[]): Int32Array {
    const result = new Int32Array(this.#tables.wordCount).fill(-1);
    for (const mask of masks) {
      for (let word = 0; word < result.length; word += 1) {
        result[word] = (result[word] ?? 0) & (mask[word] ?? 0);
      }
    }
    return result;
  }

  #destinationMask(to: Destination): Int32Array {
    return this.#and(
      this.#row('to.kind', to.kind),
      this.#row('to.id', to.id ?? NONE),
      this.#row('to.location', to.location),
      this.#row('to.operator', to.operator),
    );
  }

  #listChanges(): Readonly<Record<Kind, readonly Change[]>> {
    const { mechanisms, cells, purposes } = this.#charter;
    return {
      form: FORMS.map((form): Change => {
        const apply = (flow: Flow): Flow => ({ ...flow, form });
        const words = `as \`${form}\``;
        return { kind: 'form', value: form, words, apply, mask: this.#row('form', form) };
      }),
      mechanism: mechanisms.map(({ id }): Change => {
        const apply = (flow: Flow): Flow => ({ ...flow, mechanism: id });
        const words = `under \`${id}\``;
        return { kind: 'mechanism', value: id, words, apply, mask: this.#row('mechanism', id) };
      }),
      to: cells.map(({ id, location, operator }): Change => {
        const to: Destination = { kind: 'cell', id, location, operator };
        const apply = (flow: Flow): Flow => ({ ...flow, to });
        const mask = this.#destinationMask(to);
        return { kind: 'to', value: id, words: `to \`${id}\``, apply, mask };
      }),
      consent: CONSENTS.map((consent): Change => {
        const apply = (flow: Flow): Flow => ({ ...flow, consent });
        const words = `if consent were \`${consent}\``;
        const mask = this.#row('consent', consent);
        return { kind: 'consent', value: consent, words, apply, mask };
      }),
      purpose: purposes.map((purpose): Change => {
        const apply = (flow: Flow): Flow => ({ ...flow, purpose });
        const words = `if its purpose really were \`${purpose}\``;
        const mask = this.#row('purpose', purpose);
        return { kind: 'purpose', value: purpose, words, apply, mask };
      }),
    };
  }

  /** Masks of what stays, one per element of the set-valued attributes. */
  #fixedMasks(flow: Flow): readonly Int32Array[] {
    const { actor, data } = flow;
    const { words, wordCount } = this.#tables;
    const values: readonly string[] = [
      actor.kind,
      actor.role,
      actor.employer,
      actor.assurance,
      actor.place,
      flow.action,
      data.class,
      data.origin,
      data.residency,
    ];
    const period = String(findPeriod(this.#charter.instantsMs, flow.atMs));
    const conditions = this.#charter.conditions.map((condition, index) => {
      const offset = (flow.conditions.includes(condition) ? 1 : 0) * wordCount;
      return (words[CONDITION_INDEX_FIRST + index] ?? new Int32Array(0)).subarray(
        offset,
        offset + wordCount,
      );
    });
    const base = this.#and(
      ...FIXED.map((id, index) => this.#row(id, values[index] ?? '')),
      this.#row('period', period),
      ...conditions,
    );
    const categories = data.categories.length === 0 ? [NONE] : data.categories;
    const regimes = data.regimes.length === 0 ? [NONE] : data.regimes;
    return categories.flatMap((category) =>
      regimes.map((regime) =>
        this.#and(base, this.#row('data.category', category), this.#row('data.regime', regime)),
      ),
    );
  }

  /** True when every element is allowed by a rule and forbidden by none. */
  #isAllowed(elements: readonly Int32Array[], left: Int32Array, right: Int32Array): boolean {
    const { forbids, wordCount } = this.#tables;
    for (const element of elements) {
      let allowing = 0;
      for (let word = 0; word < wordCount; word += 1) {
        const bits = (element[word] ?? 0) & (left[word] ?? 0) & (right[word] ?? 0);
        const forbidding = forbids[word] ?? 0;
        if ((bits & forbidding) !== 0) return false;
        allowing |= bits & ~forbidding;
      }
      if (allowing === 0) return false;
    }
    return true;
  }

  #find(flow: Flow): readonly NearestFlow[] {
    const elements = this.#fixedMasks(flow);
    // Nothing that can be changed helps where no rule allows what stays.
    const { forbids } = this.#tables;
    const isHopeless = elements.some((mask) =>
      mask.every((bits, word) => (bits & ~(forbids[word] ?? 0)) === 0),
    );
    if (isHopeless) return [];
    const own: Record<Kind, Int32Array> = {
      form: this.#row('form', flow.form),
      mechanism: this.#row('mechanism', flow.mechanism ?? NONE),
      to: this.#destinationMask(flow.to),
      consent: this.#row('consent', flow.consent),
      purpose: this.#row('purpose', flow.purpose),
    };
    const found: NearestFlow[] = [];
    const propose = (...changes: readonly Change[]): boolean => {
      const changed = changes.reduce((last, change) => change.apply(last), flow);
      const decision = this.#engine.decide(changed);
      if (decision.outcome === 'allow') found.push(toNearest(changes, decision));
      return found.length === NEAREST_COUNT_MAX;
    };
    /** What stays when these are changed, per element. */
    const keep = (...kinds: readonly Kind[]): readonly Int32Array[] => {
      const stays = this.#and(
        ...KINDS.filter((kind) => !kinds.includes(kind)).map((kind) => own[kind]),
      );
      return elements.map((element) => this.#and(element, stays));
    };
    for (const kind of KINDS) {
      const partial = keep(kind);
      for (const change of this.#changes[kind]) {
        if (this.#isAllowed(partial, change.mask, change.mask) && propose(change)) return found;
      }
    }
    if (found.length === 0) this.#findPairs(keep, propose);
    return found;
  }

  #findPairs(
    keep: (...kinds: readonly Kind[]) => readonly Int32Array[],
    propose: (...changes: readonly Change[]) => boolean,
  ): void {
    for (const [position, first] of KINDS.entries()) {
      for (const second of KINDS.slice(position + 1)) {
        const partial = keep(first, second);
        for (const left of this.#changes[first]) {
          for (const right of this.#changes[second]) {
            if (this.#isAllowed(partial, left.mask, right.mask) && propose(left, right)) return;
          }
        }
      }
    }
  }

  /** Decides a flow and, when it is denied, searches the nearest flows that are allowed. */
  explain(flow: Flow): Explanation {
    const decided = this.#engine.decide(flow);
    const isKnown = decided.cause !== 'unknown-value';
    const decision =
      decided.outcome === 'allow' || !isKnown
        ? decided
        : Object.freeze({ ...decided, nearest: this.#find(flow) });
    return { decision, words: toWords(decision) };
  }
}

function toNearest(changes: readonly Change[], decision: Decision): NearestFlow {
  return {
    words: `would be allowed ${changes.map((change) => change.words).join(' and ')}`,
    change: Object.fromEntries(changes.map((change) => [change.kind, change.value])),
    rules: decision.rules,
  };
}

function toWords(decision: Decision): string {
  const reasons = decision.reasons.map(
    (reason) => `${reason.because} (\`${reason.rule}\`; ${reason.source})`,
  );
  const why = reasons.length > 0 ? reasons.join('; ') : 'no rule of the charter allows it';
  const nearest = decision.nearest.map((item) => item.words).join('; ');
  const outcome = decision.outcome === 'allow' ? 'Allowed' : 'Denied';
  return `${outcome}: ${why}${nearest ? `. It ${nearest}` : ''}.`;
}
