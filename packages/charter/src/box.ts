// SPDX-License-Identifier: Apache-2.0
// Boxes: products of one set of values per attribute. Every rule is written out as boxes, so that a
// bitmask per value decides it, and so that rules can be compared, subtracted and proved about.

/** Accepted values of one attribute, one byte each (0 or 1); absent: every value. */
export type ValueSet = Uint8Array | undefined;

/** One conjunction: per attribute the accepted values. */
export type Box = readonly ValueSet[];

/** A box that belongs to a rule. */
export interface Variant {
  /** Index into the rules. */
  readonly rule: number;
  readonly box: Box;
}

export function isEmptySet(set: ValueSet): boolean {
  return set?.every((bit) => bit === 0) ?? false;
}

export function isEmptyBox(box: Box): boolean {
  return box.some(isEmptySet);
}

export function intersectSets(left: ValueSet, right: ValueSet): ValueSet {
  if (left === undefined) return right;
  if (right === undefined) return left;
  return left.map((bit, index) => bit & (right[index] ?? 0));
}

export function complementSet(set: Uint8Array): Uint8Array {
  return set.map((bit) => 1 - bit);
}

export function intersectBoxes(left: Box, right: Box): Box {
  return left.map((set, attribute) => intersectSets(set, right[attribute]));
}

/** The box with one attribute narrowed. */
export function narrowBox(box: Box, attribute: number, set: ValueSet): Box {
  return box.map((own, index) => (index === attribute ? intersectSets(own, set) : own));
}

function isSubset(inner: ValueSet, outer: ValueSet): boolean {
  if (outer === undefined) return true;
  if (inner === undefined) return outer.every((bit) => bit === 1);
  return inner.every((bit, index) => bit <= (outer[index] ?? 0));
}

/** A set with one value. */
export function toSingle(count: number, index: number): Uint8Array {
  const set = new Uint8Array(count);
  set[index] = 1;
  return set;
}

/** True when every flow of `inner` is one of `outer`. */
export function isWithinBox(inner: Box, outer: Box): boolean {
  return inner.every((set, attribute) => isSubset(set, outer[attribute]));
}

/** What of `box` is outside of `hole`, as boxes that do not overlap. */
export function subtractBox(box: Box, hole: Box): readonly Box[] {
  if (isEmptyBox(intersectBoxes(box, hole))) return [box];
  const parts: Box[] = [];
  let rest = box;
  hole.forEach((set, attribute) => {
    if (set === undefined) return;
    const part = narrowBox(rest, attribute, complementSet(set));
    if (!isEmptyBox(part)) parts.push(part);
    rest = narrowBox(rest, attribute, set);
  });
  return parts;
}

/** A text by which equal boxes are known. */
export function toBoxKey(box: Box): string {
  return box
    .map((set) => (set === undefined || set.every((bit) => bit === 1) ? '*' : set.join('')))
    .join('|');
}

/** Bits of the variants that accept each value, `wordCount` 32-bit words a value, one array an attribute. */
export interface Masks {
  readonly wordCount: number;
  readonly words: readonly Int32Array[];
}

/** Turns boxes around: from values per rule to rules per value. */
export function toMasks(boxes: readonly Box[], valueCounts: readonly number[]): Masks {
  const wordCount = Math.max(1, Math.ceil(boxes.length / 32));
  const words = valueCounts.map((valueCount, attribute) => {
    const mask = new Int32Array(valueCount * wordCount);
    boxes.forEach((box, bit) => {
      const set = box[attribute];
      const word = bit >> 5;
      const flag = 1 << (bit & 31);
      for (let value = 0; value < valueCount; value += 1) {
        if (set === undefined || set[value] === 1) {
          mask[value * wordCount + word] = (mask[value * wordCount + word] ?? 0) | flag;
        }
      }
    });
    return mask;
  });
  return { wordCount, words };
}
