// SPDX-License-Identifier: Apache-2.0
// Tells a difference between two charters by what matters about it: from the flow that flips, everything
// is opened that can be another value without the flip ending.
import { ATTRIBUTE_IDS, ATTRIBUTE_INDEX, NONE } from './attribute.ts';
import { type Box, intersectBoxes, narrowBox } from './box.ts';
import type { Joint, JointPlaces, Side } from './joint.ts';
import { openPoint } from './open-box.ts';
import type { Verdict } from './verdict.ts';
import { tellFlow, tellSet } from './words.ts';

/** The conjunctions of one charter over the values of both. */
export interface JointRules {
  readonly side: Side;
  readonly allows: readonly Box[];
  readonly forbids: readonly Box[];
}

const isWithin = (box: Box, point: readonly number[]): boolean =>
  box.every((set, at) => (set?.[point[at] ?? 0] ?? 1) === 1);

function intersectAll(boxes: readonly Box[], every: Box): Box {
  return boxes.reduce((meet, box) => intersectBoxes(meet, box), every);
}

/** A flip told: in words, and as the values that every such flow has. */
export interface ToldFlip {
  readonly words: string;
  /** Attribute to its values; what is absent can be anything. Time is told in words only. */
  readonly where: Readonly<Record<string, readonly string[]>>;
}

/** Names that people have for groups of places, by the set's text; the charter's own win. */
export type LabelOf = (set: Uint8Array) => string | undefined;

/** Opens flips and puts them into words. */
export class FlipTeller {
  readonly #labelOf: LabelOf;
  readonly #joint: Joint;
  readonly #places: JointPlaces;
  readonly #rules: Readonly<Record<Side, JointRules>>;

  constructor(
    joint: Joint,
    places: JointPlaces,
    rules: Readonly<Record<Side, JointRules>>,
    labelOf: LabelOf,
  ) {
    this.#labelOf = labelOf;
    this.#joint = joint;
    this.#places = places;
    this.#rules = rules;
  }

  #every(): Box {
    return this.#joint.attributes.map(() => undefined);
  }

  /** Narrows `bound`, or adds holes, so that `denying` goes on denying for the same reason. */
  #keepDenied(
    point: readonly number[],
    denying: JointRules,
    bound: Box,
  ): { readonly bound: Box; readonly holes: readonly Box[] } {
    const { attributes } = this.#joint;
    const unknown = attributes.findIndex(
      (attribute, at) => (attribute[denying.side][point[at] ?? 0] ?? -1) < 0,
    );
    if (unknown >= 0) {
      const indexes = attributes[unknown]?.[denying.side] ?? [];
      const set = Uint8Array.from(indexes, (index) => (index < 0 ? 1 : 0));
      return { bound: narrowBox(bound, unknown, set), holes: [] };
    }
    const at = ATTRIBUTE_INDEX;
    const [id = 0, location = 0, operator = 0] = [
      point[at['to.id']],
      point[at['to.location']],
      point[at['to.operator']],
    ];
    if (!this.#places.isDeclared(denying.side, id, [location, operator])) {
      return { bound, holes: [] };
    }
    const forbidding = denying.forbids.find((box) => isWithin(box, point));
    return forbidding
      ? { bound: intersectBoxes(bound, forbidding), holes: [] }
      : { bound, holes: denying.allows };
  }

  #toReach(
    point: readonly number[],
    before: Verdict,
    after: Verdict,
  ): { readonly bound: Box; readonly holes: readonly Box[] } {
    const { inOld, inNew } = this.#rules;
    if (before.outcome === after.outcome) {
      const all = [...inOld.allows, ...inNew.allows];
      const [own, others] = [
        all.filter((box) => isWithin(box, point)),
        all.filter((box) => !isWithin(box, point)),
      ];
      return {
        bound: intersectAll(own, this.#every()),
        holes: [...others, ...inOld.forbids, ...inNew.forbids],
      };
    }
    const [allowing, denying] = after.outcome === 'allow' ? [inNew, inOld] : [inOld, inNew];
    const allowed = allowing.allows.find((box) => isWithin(box, point)) ?? this.#every();
    const { bound, holes } = this.#keepDenied(point, denying, allowed);
    return { bound, holes: [...holes, ...allowing.forbids] };
  }

  /** What flips, without what does not matter about it. */
  tell(point: readonly number[], before: Verdict, after: Verdict): ToldFlip {
    const { attributes } = this.#joint;
    const id = ATTRIBUTE_INDEX['to.id'];
    const idIndex = point[id] ?? 0;
    const box = openPoint({
      valueCounts: attributes.map(({ values }) => values.length),
      point,
      ...this.#toReach(point, before, after),
      isPlaced: this.#places.listDeclared(idIndex).length > 0,
    });
    const isNameless = attributes[id]?.values[idIndex] === NONE;
    const words = tellFlow(this.#joint, (at) => {
      const set = box[at];
      const isSilent = set === undefined || (at === id && isNameless);
      if (isSilent) return undefined;
      return this.#labelOf(set) ?? tellSet(attributes[at]?.values ?? [], set);
    });
    return { words: `${tellChange(before, after)}: ${words}`, where: this.#toWhere(box) };
  }

  #toWhere(box: Box): Readonly<Record<string, readonly string[]>> {
    const { attributes, conditions } = this.#joint;
    return Object.fromEntries(
      box.flatMap((set, at) => {
        const values = attributes[at]?.values.filter((_, index) => set?.[index] === 1) ?? [];
        const isOpen = set === undefined || values.length === set.length;
        if (isOpen || at === ATTRIBUTE_INDEX.period) return [];
        const name = ATTRIBUTE_IDS[at] ?? `given.${conditions[at - ATTRIBUTE_IDS.length]}`;
        return [[name, values] as const];
      }),
    );
  }
}

function tellChange(before: Verdict, after: Verdict): string {
  if (before.outcome === after.outcome) return 'with other obligations';
  return after.outcome === 'allow' ? 'allowed now, denied before' : 'denied now, allowed before';
}
