// SPDX-License-Identifier: Apache-2.0
// Boxes as conditions that a policy language can say: what all boxes of a rule share is said once, the
// rest as alternatives. Cedar and Rego are written from this.
import { ATTRIBUTE_INDEX, CONDITION_INDEX_FIRST } from './attribute.ts';
import type { Box, ValueSet } from './box.ts';
import type { CompiledCharter } from './compile.ts';

/** One condition on one attribute. */
export type Conjunct =
  | {
      readonly kind: 'values';
      readonly attribute: string;
      readonly values: readonly string[];
      /** True: none of `values`. */
      readonly isNot: boolean;
      /** The name that the charter has for these values, if it has one. */
      readonly label?: string;
    }
  | { readonly kind: 'condition'; readonly condition: string; readonly isTrue: boolean }
  /** Any of these spans of milliseconds since 1970; the end is left out; absent: open. */
  | { readonly kind: 'spans'; readonly spans: readonly Span[] };

export interface Span {
  readonly fromMs?: number;
  readonly untilMs?: number;
}

/** A rule as conditions: all of `common`, and one of `alternatives` where there are any. */
export interface RuleConditions {
  readonly common: readonly Conjunct[];
  readonly alternatives: readonly (readonly Conjunct[])[];
}

/** Names that the charter has for groups of places, by the set's text. */
function createLabels(charter: CompiledCharter): (set: Uint8Array) => string | undefined {
  const places = charter.attributes[ATTRIBUTE_INDEX['to.location']]?.values ?? [];
  const labels = new Map<string, string>();
  const names = [
    ...Object.keys(charter.document.places ?? {}),
    ...Object.values(charter.document.cells).flatMap((cell) => cell.territory ?? []),
    ...Object.keys(charter.document.homes),
    'eu',
    'eea',
  ];
  for (const name of names) {
    const members = charter.context.book.findMembers(name);
    if (members && members.size > 1) {
      labels.set(places.map((place) => (members.has(place) ? 1 : 0)).join(''), name);
    }
  }
  return (set) => (set.length === places.length ? labels.get(set.join('')) : undefined);
}

function toSpans(instantsMs: readonly number[], set: Uint8Array): readonly Span[] {
  const spans: { fromMs?: number; untilMs?: number }[] = [];
  for (let period = 0; period < set.length; period += 1) {
    if (set[period] !== 1) continue;
    const fromMs = period === 0 ? undefined : instantsMs[period - 1];
    const untilMs = instantsMs[period];
    const last = spans.at(-1);
    if (last && set[period - 1] === 1) {
      delete last.untilMs;
      if (untilMs !== undefined) last.untilMs = untilMs;
    } else {
      spans.push({
        ...(fromMs === undefined ? {} : { fromMs }),
        ...(untilMs === undefined ? {} : { untilMs }),
      });
    }
  }
  return spans;
}

/** Reads boxes of a charter as conditions. */
export function createConditionsReader(
  charter: CompiledCharter,
): (boxes: readonly Box[]) => RuleConditions {
  const labelOf = createLabels(charter);
  const toConjunct = (attribute: number, set: ValueSet): readonly Conjunct[] => {
    if (set === undefined || set.every((bit) => bit === 1)) return [];
    if (attribute >= CONDITION_INDEX_FIRST) {
      const condition = charter.conditions[attribute - CONDITION_INDEX_FIRST] ?? '';
      return [{ kind: 'condition', condition, isTrue: set[1] === 1 }];
    }
    if (attribute === ATTRIBUTE_INDEX.period) {
      return [{ kind: 'spans', spans: toSpans(charter.instantsMs, set) }];
    }
    const { id, values } = charter.attributes[attribute] ?? { id: '', values: [] };
    const inside = values.filter((_, index) => set[index] === 1);
    const outside = values.filter((_, index) => set[index] !== 1);
    const isNot = outside.length < inside.length;
    const label = labelOf(isNot ? set.map((bit) => 1 - bit) : set);
    const named = isNot ? outside : inside;
    return [{ kind: 'values', attribute: id, values: named, isNot, ...(label ? { label } : {}) }];
  };
  return (boxes) => {
    const first = boxes[0] ?? [];
    const isShared = (attribute: number): boolean =>
      boxes.every((box) => (box[attribute]?.join('') ?? '') === (first[attribute]?.join('') ?? ''));
    const shared = first.map((_, attribute) => isShared(attribute));
    const read = (box: Box, wanted: boolean): readonly Conjunct[] =>
      box.flatMap((set, attribute) =>
        shared[attribute] === wanted ? toConjunct(attribute, set) : [],
      );
    return {
      common: read(first, true),
      alternatives: boxes.length > 1 ? boxes.map((box) => read(box, false)) : [],
    };
  };
}
