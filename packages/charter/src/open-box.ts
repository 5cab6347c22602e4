// SPDX-License-Identifier: Apache-2.0
// From one flow to all flows like it: each attribute is opened as far as every flow within stays inside of
// a bound and outside of all holes. What is then still narrowed is what matters about the flow.
import { ATTRIBUTE_IDS, ATTRIBUTE_INDEX } from './attribute.ts';
import { type Box, toSingle } from './box.ts';

/** Attributes are opened in this order, conditions first: what a reader can do without goes first. */
const OPENING: readonly number[] = [
  ATTRIBUTE_INDEX['actor.assurance'],
  ATTRIBUTE_INDEX['actor.employer'],
  ATTRIBUTE_INDEX['actor.place'],
  ATTRIBUTE_INDEX['actor.kind'],
  ATTRIBUTE_INDEX.period,
  ATTRIBUTE_INDEX.consent,
  ATTRIBUTE_INDEX['data.origin'],
  ATTRIBUTE_INDEX['data.category'],
  ATTRIBUTE_INDEX['to.operator'],
  ATTRIBUTE_INDEX.mechanism,
  ATTRIBUTE_INDEX['to.location'],
  ATTRIBUTE_INDEX['data.residency'],
  ATTRIBUTE_INDEX['data.regime'],
  ATTRIBUTE_INDEX['to.kind'],
  ATTRIBUTE_INDEX['actor.role'],
  ATTRIBUTE_INDEX.form,
  ATTRIBUTE_INDEX.purpose,
  ATTRIBUTE_INDEX['data.class'],
  ATTRIBUTE_INDEX.action,
];

/** True when only `attribute` can still keep `box` out of `hole`. */
function isNear(hole: Box, box: Box, attribute: number): boolean {
  return hole.every(
    (set, at) =>
      at === attribute ||
      set === undefined ||
      set.some((bit, value) => bit === 1 && box[at]?.[value] === 1),
  );
}

/**
 * Opens a point. The destination's id stays as it is, and so do location and operator where the id says
 * where it stands.
 */
export function openPoint(options: {
  readonly valueCounts: readonly number[];
  /** A value per attribute, inside of `bound` and outside of every hole. */
  readonly point: readonly number[];
  readonly bound: Box;
  readonly holes: readonly Box[];
  /** True when the id's place is declared. */
  readonly isPlaced: boolean;
}): Box {
  const { valueCounts, point, bound, holes, isPlaced } = options;
  const box = valueCounts.map((count, at) => toSingle(count, point[at] ?? 0));
  const conditions = [...valueCounts.keys()].filter((at) => at >= ATTRIBUTE_IDS.length);
  const order = [...conditions, ...OPENING].filter(
    (at) =>
      !isPlaced || (at !== ATTRIBUTE_INDEX['to.location'] && at !== ATTRIBUTE_INDEX['to.operator']),
  );
  for (const attribute of order) {
    const set = box[attribute];
    if (set === undefined) continue;
    const near = holes.filter((hole) => isNear(hole, box, attribute));
    for (let value = 0; value < set.length; value += 1) {
      const isInside = (bound[attribute]?.[value] ?? 1) === 1;
      const isFree = near.every((hole) => (hole[attribute]?.[value] ?? 1) === 0);
      if (isInside && isFree) set[value] = 1;
    }
  }
  return box;
}
