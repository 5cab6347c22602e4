// SPDX-License-Identifier: Apache-2.0
// Proves the charter's properties: a property holds when no flow of the whole space is both within it
// and allowed. The space is walked folded, with the property's own conditions as further bits, so that
// values which neither rules nor property tell apart are one and nothing is left out.
//
// Several categories or regimes: such a flow is allowed only when each element alone is, so a property
// that holds element by element holds for them too.
import { intersectBoxes, isEmptyBox, toMasks } from './box.ts';
import type { CompiledCharter } from './compile.ts';
import type { CompiledProperty } from './resolve.ts';
import {
  andMasks,
  createCharterDimensions,
  createDeclaredPlaces,
  createDimensions,
  type Dimension,
  measureSpace,
  type SpaceSize,
  type SpaceState,
  toAssignment,
  walkSpace,
} from './space.ts';
import { findSmallestWitness, type Witness } from './witness.ts';

/** What the walk found about one property. */
export interface PropertyProof {
  readonly id: string;
  readonly because: string;
  readonly holds: boolean;
  /** True when no flow can be within it at all: it says nothing. */
  readonly isEmpty: boolean;
  /** The smallest witness; only of a broken property. */
  readonly witness?: Witness;
}

/** Proofs of all properties of a charter. */
export interface CharterProof {
  readonly spaceSize: SpaceSize;
  readonly properties: readonly PropertyProof[];
  /** True when every property holds; also when there is none. */
  readonly holds: boolean;
}

/** Most broken states among which the smallest witness is looked for. */
const WITNESS_STATE_COUNT_MAX = 400;

interface Bits {
  readonly wordCount: number;
  readonly allows: Int32Array;
  readonly forbids: Int32Array;
  readonly nevers: Int32Array;
}

function isAny(mask: Int32Array, of: Int32Array): boolean {
  return mask.some((word, index) => (word & (of[index] ?? 0)) !== 0);
}

/** Rules that can speak about a property's flows, then the property; dimensions over all of these. */
function toBits(
  charter: CompiledCharter,
  property: CompiledProperty,
): { readonly bits: Bits; readonly dimensions: readonly Dimension[] } {
  const { variants, rules, attributes } = charter;
  const relevant = variants.filter(({ box }) =>
    property.boxes.some((never) => !isEmptyBox(intersectBoxes(box, never))),
  );
  const valueCounts = attributes.map(({ values }) => values.length);
  const { wordCount, words } = toMasks(
    [...relevant.map(({ box }) => box), ...property.boxes],
    valueCounts,
  );
  const bits: Bits = {
    wordCount,
    allows: new Int32Array(wordCount),
    forbids: new Int32Array(wordCount),
    nevers: new Int32Array(wordCount),
  };
  const set = (mask: Int32Array, bit: number): void => {
    mask[bit >> 5] = (mask[bit >> 5] ?? 0) | (1 << (bit & 31));
  };
  relevant.forEach(({ rule }, bit) => {
    set(rules[rule]?.effect === 'allow' ? bits.allows : bits.forbids, bit);
  });
  property.boxes.forEach((_, index) => {
    set(bits.nevers, relevant.length + index);
  });
  const dimensions = createDimensions({
    valueCounts,
    maskOf: (attribute, value) =>
      words[attribute]?.slice(value * wordCount, (value + 1) * wordCount) ??
      new Int32Array(wordCount),
    declaredPlaces: createDeclaredPlaces(charter),
  });
  return { bits, dimensions };
}

/** Per step, the bits that every choice of every later step keeps. */
function toCertain(dimensions: readonly Dimension[], wordCount: number): readonly Int32Array[] {
  const certain: Int32Array[] = [];
  let behind = new Int32Array(wordCount).fill(-1);
  for (const { choices } of [...dimensions].reverse()) {
    certain.unshift(behind);
    behind = choices.reduce((kept, choice) => Int32Array.from(andMasks(kept, choice.mask)), behind);
  }
  return certain;
}

function listBroken(charter: CompiledCharter, property: CompiledProperty): readonly SpaceState[] {
  const { bits, dimensions } = toBits(charter, property);
  const certain = toCertain(dimensions, bits.wordCount);
  const start = new Int32Array(bits.wordCount).fill(-1);
  return walkSpace(dimensions, start, (mask, step) => {
    if (!isAny(mask, bits.allows) || !isAny(mask, bits.nevers)) return true;
    // A rule that forbids and that nothing can shake off any more has won. Behind the last step that is
    // every rule still alive, so what is left over is allowed.
    const won = certain[step];
    return won !== undefined && isAny(andMasks(mask, bits.forbids), won);
  });
}

function proveProperty(charter: CompiledCharter, property: CompiledProperty): PropertyProof {
  const { id, because, boxes } = property;
  const broken = listBroken(charter, property);
  const witness = findSmallestWitness(
    charter,
    broken.slice(0, WITNESS_STATE_COUNT_MAX).map(toAssignment),
    boxes,
  );
  if ((witness === undefined) !== (broken.length === 0)) {
    throw new Error('assertion failed: a broken property has a witness');
  }
  return {
    id,
    because,
    holds: broken.length === 0,
    isEmpty: boxes.length === 0,
    ...(witness === undefined ? {} : { witness }),
  };
}

/**
 * Proves each property of a charter over every flow that the charter can express.
 *
 * @throws {CharterError} `CHARTER_SPACE_TOO_LARGE`: nothing has been proved then.
 */
export function proveCharter(charter: CompiledCharter): CharterProof {
  const properties = charter.properties.map((property) => proveProperty(charter, property));
  return {
    spaceSize: measureSpace(
      createCharterDimensions(charter),
      charter.attributes.map(({ values }) => values.length),
    ),
    properties,
    holds: properties.every(({ holds }) => holds),
  };
}
