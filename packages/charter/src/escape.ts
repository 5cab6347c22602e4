// SPDX-License-Identifier: Apache-2.0
// Is there a flow in a box that lies in none of the holes? Answered by leaving one hole after the other:
// exact, and independent of the walk over the folded space, so that tests can hold the two together.
import { ATTRIBUTE_INDEX } from './attribute.ts';
import {
  type Box,
  complementSet,
  intersectSets,
  isEmptyBox,
  isEmptySet,
  narrowBox,
  toSingle,
  type ValueSet,
} from './box.ts';
import type { CompiledCharter } from './compile.ts';
import { CharterError } from './errors.ts';
import { ESCAPE_STEP_COUNT_MAX } from './limits.ts';
import { createDeclaredPlaces, type PlacePair } from './space.ts';

function areDisjoint(left: Box, right: Box): boolean {
  return left.some((set, attribute) => isEmptySet(intersectSets(set, right[attribute])));
}

/** Attributes on which `hole` does not cover `box`. */
function listExits(box: Box, hole: Box): readonly number[] {
  const exits: number[] = [];
  hole.forEach((set, attribute) => {
    if (set === undefined) return;
    const own: ValueSet = box[attribute];
    if (set.some((bit, value) => bit === 0 && (own?.[value] ?? 1) === 1)) exits.push(attribute);
  });
  return exits;
}

class Search {
  #steps = 0;

  find(box: Box, holes: readonly Box[]): Box | undefined {
    this.#steps += 1;
    if (this.#steps > ESCAPE_STEP_COUNT_MAX) {
      throw new CharterError(
        'CHARTER_SPACE_TOO_LARGE',
        `no answer within ${ESCAPE_STEP_COUNT_MAX} steps`,
      );
    }
    const near = holes.filter((hole) => !areDisjoint(box, hole));
    if (near.length === 0) return box;
    let [hole, exits] = [near[0], near[0] === undefined ? [] : listExits(box, near[0])];
    for (const other of near.slice(1)) {
      const otherExits = listExits(box, other);
      if (otherExits.length < exits.length) [hole, exits] = [other, otherExits];
    }
    if (hole === undefined) return undefined;
    let rest = box;
    for (const attribute of exits) {
      const set = hole[attribute];
      if (set === undefined) continue;
      const found = this.find(narrowBox(rest, attribute, complementSet(set)), near);
      if (found) return found;
      rest = narrowBox(rest, attribute, set);
    }
    return undefined;
  }
}

/** Cuts a box into parts in which every destination stands where the charter says. */
export function createReachable(charter: CompiledCharter): (box: Box) => readonly Box[] {
  const [id, location, operator] = [
    ATTRIBUTE_INDEX['to.id'],
    ATTRIBUTE_INDEX['to.location'],
    ATTRIBUTE_INDEX['to.operator'],
  ];
  const countOf = (attribute: number): number => charter.attributes[attribute]?.values.length ?? 0;
  const declaredPlaces = createDeclaredPlaces(charter);
  const parts = Array.from({ length: countOf(id) }, (_, index) => {
    const single = toSingle(countOf(id), index);
    const places: readonly (PlacePair | undefined)[] = declaredPlaces(index);
    return (places.length === 0 ? [undefined] : places).map((place) => ({
      single,
      location: place && toSingle(countOf(location), place[0]),
      operator: place && toSingle(countOf(operator), place[1]),
    }));
  }).flat();
  return (box) =>
    parts
      .map((part) => {
        const named = narrowBox(box, id, part.single);
        return narrowBox(narrowBox(named, location, part.location), operator, part.operator);
      })
      .filter((part) => !isEmptyBox(part));
}

/**
 * Flows of `boxes` in none of `holes`, as one box of them; absent when there are none.
 *
 * @throws {CharterError} `CHARTER_SPACE_TOO_LARGE`
 */
export function findOutside(boxes: readonly Box[], holes: readonly Box[]): Box | undefined {
  for (const box of boxes) {
    const found = new Search().find(box, holes);
    if (found) return found;
  }
  return undefined;
}
