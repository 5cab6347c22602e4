// SPDX-License-Identifier: Apache-2.0
// Two charters side by side: every value that either knows, and where either says that destinations stand.
import { ATTRIBUTE_IDS, ATTRIBUTE_INDEX, findPeriod } from './attribute.ts';
import type { CompiledCharter } from './compile.ts';
import { createDeclaredPlaces, type PlacePair } from './space.ts';

/** One attribute over both charters: each value's index in each, or -1. */
export interface JointAttribute {
  readonly values: readonly string[];
  readonly inOld: readonly number[];
  readonly inNew: readonly number[];
}

/** Of which charter. */
export type Side = 'inOld' | 'inNew';

/** What both charters know, together. */
export interface Joint {
  readonly attributes: readonly JointAttribute[];
  readonly instantsMs: readonly number[];
  readonly conditions: readonly string[];
}

/** Puts the attributes of two charters together. */
export function toJoint(oldCharter: CompiledCharter, newCharter: CompiledCharter): Joint {
  const instantsMs = [...new Set([...oldCharter.instantsMs, ...newCharter.instantsMs])].sort(
    (a, b) => a - b,
  );
  const conditions = [...new Set([...oldCharter.conditions, ...newCharter.conditions])];
  const fixed = ATTRIBUTE_IDS.map((id, attribute): JointAttribute => {
    if (id === 'period') {
      const starts = [Number.NEGATIVE_INFINITY, ...instantsMs];
      return {
        values: starts.map((_, index) => String(index)),
        inOld: starts.map((ms) => findPeriod(oldCharter.instantsMs, ms)),
        inNew: starts.map((ms) => findPeriod(newCharter.instantsMs, ms)),
      };
    }
    const [left, right] = [oldCharter.attributes[attribute], newCharter.attributes[attribute]];
    const values = [...new Set([...(left?.values ?? []), ...(right?.values ?? [])])];
    return {
      values,
      inOld: values.map((value) => left?.indexOf.get(value) ?? -1),
      inNew: values.map((value) => right?.indexOf.get(value) ?? -1),
    };
  });
  const named = conditions.map((condition): JointAttribute => {
    // A condition that a charter does not know is a denial when true, and nothing when it is not.
    const index = (charter: CompiledCharter): readonly number[] =>
      charter.conditions.includes(condition) ? [0, 1] : [0, -1];
    return { values: ['false', 'true'], inOld: index(oldCharter), inNew: index(newCharter) };
  });
  return { attributes: [...fixed, ...named], instantsMs, conditions };
}

/** Declared places by joint index, and on which side a place is the declared one. */
export interface JointPlaces {
  readonly listDeclared: (id: number) => readonly PlacePair[];
  readonly isDeclared: (side: Side, id: number, place: PlacePair) => boolean;
}

/** Reads where either charter says that destinations stand. */
export function toJointPlaces(
  oldCharter: CompiledCharter,
  newCharter: CompiledCharter,
  joint: Joint,
): JointPlaces {
  const at = ATTRIBUTE_INDEX;
  const charters = { inOld: oldCharter, inNew: newCharter };
  const declared = {
    inOld: createDeclaredPlaces(oldCharter),
    inNew: createDeclaredPlaces(newCharter),
  };
  const list = (side: Side, id: number): readonly PlacePair[] => {
    const index = joint.attributes[at['to.id']]?.[side][id] ?? -1;
    const { attributes } = charters[side];
    const toJointIndex = (attribute: number, value: number): number =>
      joint.attributes[attribute]?.values.indexOf(attributes[attribute]?.values[value] ?? '') ?? -1;
    return (index < 0 ? [] : declared[side](index)).map(([location, operator]) => [
      toJointIndex(at['to.location'], location),
      toJointIndex(at['to.operator'], operator),
    ]);
  };
  return {
    listDeclared: (id) => [...list('inOld', id), ...list('inNew', id)],
    isDeclared: (side, id, place) => {
      const places = list(side, id);
      return places.length === 0 || places.some((own) => own.join() === place.join());
    },
  };
}
