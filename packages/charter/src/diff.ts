// SPDX-License-Identifier: Apache-2.0
// What a new charter would allow that the old one did not, and the other way round, over the whole space
// of flows of both. SECURITY: cells ask for two approvals when anything widens; whatever this misses
// could be opened by a control plane in the wrong hands. So a value that only one charter knows is a
// denial in the other, an obligation that falls away is a widening, and a space too large to walk throws.
import type { Flow, Obligation } from '@bailiwick/kernel';
import { ATTRIBUTE_IDS, ATTRIBUTE_INDEX, NONE } from './attribute.ts';
import type { Box, Variant } from './box.ts';
import type { CompiledCharter } from './compile.ts';
import { type DemandDifference, diffDemands } from './demands.ts';
import { FlipTeller, type JointRules, type LabelOf, type ToldFlip } from './diff-words.ts';
import type { Home } from './home.ts';
import { type Joint, type Side, toJoint, toJointPlaces } from './joint.ts';
import {
  createDimensions,
  type Dimension,
  measureSpace,
  type SpaceSize,
  type SpaceState,
  toAssignment,
  toFlow,
  walkSpace,
} from './space.ts';
import { isAtLeast, listMatched, toVerdict, type Verdict } from './verdict.ts';

/** Flows that are decided differently in the same way, with one of them. */
export interface FlowDifference extends ToldFlip {
  /** One such flow. */
  readonly flow: Flow;
  /** How many folded flows. */
  readonly count: number;
  readonly before: Verdict;
  readonly after: Verdict;
}

/** An origin, or a label in callers' data, that leads elsewhere now. */
export interface HomeDifference {
  readonly origin: string;
  readonly before: string;
  readonly after: string;
}

export interface CharterDifference {
  readonly widenings: readonly FlowDifference[];
  readonly narrowings: readonly FlowDifference[];
  readonly homesChanged: readonly HomeDifference[];
  /** Keys held less strictly, data kept longer, law that may be older: widenings without a flow. */
  readonly loosened: readonly DemandDifference[];
  readonly tightened: readonly DemandDifference[];
  /** Of the space of both charters together. */
  readonly spaceSize: SpaceSize;
}

/** Accepted values of a conjunction by joint index; -1 where the charter does not know the value. */
function acceptsOf(
  variant: Variant,
  attribute: number | undefined,
  indexes: readonly number[],
): readonly number[] {
  const set = attribute === undefined ? undefined : variant.box[attribute];
  return indexes.map((index) => (index < 0 ? -1 : (set?.[index] ?? 1)));
}

/** Position in a charter of each joint attribute; conditions are found by name. */
function toPositions(charter: CompiledCharter, joint: Joint): readonly (number | undefined)[] {
  return joint.attributes.map((_, attribute) => {
    if (attribute < ATTRIBUTE_IDS.length) return attribute;
    const index = charter.conditions.indexOf(
      joint.conditions[attribute - ATTRIBUTE_IDS.length] ?? '',
    );
    return index < 0 ? undefined : ATTRIBUTE_IDS.length + index;
  });
}

/** A text that is equal for conjunctions that say the same about the values both charters know. */
function toVariantKey(
  charter: CompiledCharter,
  variant: Variant,
  accepts: readonly (readonly number[])[],
  shared: readonly (readonly boolean[])[],
): string {
  const rule = charter.rules[variant.rule];
  const sets = accepts.map((bits, attribute) =>
    bits.filter((_, index) => shared[attribute]?.[index]).join(''),
  );
  return JSON.stringify([rule?.id, rule?.effect, rule?.obligations, sets]);
}

interface Bits {
  /** Total words: the old charter's conjunctions, then the new one's from a word of their own. */
  readonly wordCount: number;
  readonly newFirst: number;
  readonly masks: readonly (readonly Int32Array[])[];
  /** Pairs of bits that say the same in both. */
  readonly twins: readonly (readonly [oldBit: number, newBit: number])[];
  /** Bits without a twin, and bits that allow. */
  readonly lonely: Int32Array;
}

function setBit(words: Int32Array, bit: number): void {
  words[bit >> 5] = (words[bit >> 5] ?? 0) | (1 << (bit & 31));
}

function hasBit(words: Int32Array, bit: number): boolean {
  return (((words[bit >> 5] ?? 0) >>> (bit & 31)) & 1) === 1;
}

function toBits(oldCharter: CompiledCharter, newCharter: CompiledCharter, joint: Joint): Bits {
  const newFirst = Math.ceil(oldCharter.variants.length / 32) * 32;
  const wordCount = newFirst / 32 + Math.max(1, Math.ceil(newCharter.variants.length / 32));
  const masks = joint.attributes.map(({ values }) => values.map(() => new Int32Array(wordCount)));
  const shared = joint.attributes.map(({ inOld, inNew }) =>
    inOld.map((index, at) => index >= 0 && (inNew[at] ?? -1) >= 0),
  );
  const waiting = new Map<string, number[]>();
  const twins: (readonly [number, number])[] = [];
  const lonely = new Int32Array(wordCount);
  const read = (
    charter: CompiledCharter,
    side: Side,
    first: number,
    visit: (key: string, bit: number) => void,
  ): void => {
    const positions = toPositions(charter, joint);
    charter.variants.forEach((variant, index) => {
      const accepts = joint.attributes.map((attribute, at) =>
        acceptsOf(variant, positions[at], attribute[side]),
      );
      accepts.forEach((bits, at) => {
        bits.forEach((bit, value) => {
          const mask = masks[at]?.[value];
          if (bit === 1 && mask) setBit(mask, first + index);
        });
      });
      visit(toVariantKey(charter, variant, accepts, shared), first + index);
    });
  };
  read(oldCharter, 'inOld', 0, (key, bit) => waiting.set(key, [...(waiting.get(key) ?? []), bit]));
  read(newCharter, 'inNew', newFirst, (key, bit) => {
    const twin = waiting.get(key)?.shift();
    if (twin === undefined) setBit(lonely, bit);
    else twins.push([twin, bit]);
  });
  for (const bits of waiting.values()) for (const bit of bits) setBit(lonely, bit);
  return { wordCount, newFirst, masks, twins, lonely };
}

/** Names of groups of places in either charter, by the places that they mean in both. */
function createLabels(joint: Joint, charters: readonly CompiledCharter[]): LabelOf {
  const places = joint.attributes[ATTRIBUTE_INDEX['to.location']]?.values ?? [];
  const labels = new Map<string, string>();
  for (const { context, document } of charters) {
    const names = [
      ...Object.keys(document.homes),
      ...Object.values(document.cells).flatMap(({ territory }) => territory ?? []),
      ...Object.keys(document.places ?? {}),
    ];
    for (const name of names) {
      const members = context.book.findMembers(name);
      if (!members || members.size < 2) continue;
      labels.set(places.map((place) => (members.has(place) ? 1 : 0)).join(''), name);
    }
  }
  return (set) => (set.length === places.length ? labels.get(set.join('')) : undefined);
}

/** The conjunctions of a charter with the values of both; what a charter does not know, it accepts nowhere. */
function toJointRules(charter: CompiledCharter, joint: Joint, side: Side): JointRules {
  const positions = toPositions(charter, joint);
  const boxesOf = (effect: 'allow' | 'forbid'): readonly Box[] =>
    charter.variants
      .filter(({ rule }) => charter.rules[rule]?.effect === effect)
      .map((variant) =>
        joint.attributes.map((attribute, at) => {
          const accepts = acceptsOf(variant, positions[at], attribute[side]);
          return accepts.every((bit) => bit === 1)
            ? undefined
            : Uint8Array.from(accepts, (bit) => (bit === 1 ? 1 : 0));
        }),
      );
  return { side, allows: boxesOf('allow'), forbids: boxesOf('forbid') };
}

function areTwinsEqual(bits: Bits, mask: Int32Array): boolean {
  return bits.twins.every(([left, right]) => hasBit(mask, left) === hasBit(mask, right));
}

/**
 * Puts the dimensions in which the charters know different values first: only behind them is what both
 * have in common equally alive for good.
 */
function splitDimensions(
  dimensions: readonly Dimension[],
  bits: Bits,
): { readonly ordered: readonly Dimension[]; readonly unevenCount: number } {
  const isUneven = ({ choices }: Dimension): boolean =>
    choices.some((choice) => !areTwinsEqual(bits, choice.mask));
  const uneven = dimensions.filter(isUneven);
  return {
    ordered: [...uneven, ...dimensions.filter((dimension) => !isUneven(dimension))],
    unevenCount: uneven.length,
  };
}

/**
 * True when nothing of interest can follow: nothing is alive that allows; or, behind the uneven
 * dimensions, nothing is alive that only one charter has, and of what both have the same is alive.
 */
function createIsOver(
  bits: Bits,
  allows: Int32Array,
  unevenCount: number,
): (mask: Int32Array, step: number) => boolean {
  return (mask, step) => {
    let isAllowing = false;
    let isLonely = false;
    for (let word = 0; word < bits.wordCount; word += 1) {
      const alive = mask[word] ?? 0;
      if ((alive & (allows[word] ?? 0)) !== 0) isAllowing = true;
      if ((alive & (bits.lonely[word] ?? 0)) !== 0) isLonely = true;
    }
    if (!isAllowing) return true;
    return !isLonely && step >= unevenCount - 1 && areTwinsEqual(bits, mask);
  };
}

const sameObligations = (left: readonly Obligation[], right: readonly Obligation[]): boolean =>
  isAtLeast(left, right) && isAtLeast(right, left);

class Collector {
  readonly #found = new Map<
    string,
    ToldFlip & { flow: Flow; count: number; before: Verdict; after: Verdict }
  >();

  add(
    { flow, tell }: { readonly flow: Flow; readonly tell: () => ToldFlip },
    count: number,
    before: Verdict,
    after: Verdict,
  ): void {
    const key = JSON.stringify([before, after]);
    const same = this.#found.get(key);
    if (same) same.count += count;
    else this.#found.set(key, { ...tell(), flow, count, before, after });
  }

  list(): readonly FlowDifference[] {
    return [...this.#found.values()].sort((a, b) => b.count - a.count);
  }
}

function toHomeText(home: Home | undefined): string {
  return home?.ok ? `${home.cellId} (${home.regimes.join(', ')})` : 'refused';
}

function diffHomes(
  oldCharter: CompiledCharter,
  newCharter: CompiledCharter,
): readonly HomeDifference[] {
  const differences: HomeDifference[] = [];
  for (const origin of new Set([...oldCharter.homes.keys(), ...newCharter.homes.keys()])) {
    const [before, after] = [
      toHomeText(oldCharter.homes.get(origin)),
      toHomeText(newCharter.homes.get(origin)),
    ];
    if (before !== after) differences.push({ origin, before, after });
  }
  for (const label of new Set([...oldCharter.names.keys(), ...newCharter.names.keys()])) {
    const [before, after] = [
      oldCharter.names.get(label) ?? NONE,
      newCharter.names.get(label) ?? NONE,
    ];
    if (before !== after) differences.push({ origin: `label ${label}`, before, after });
  }
  return differences;
}

/**
 * Compares two charters over every flow that either can express.
 *
 * @throws {CharterError} `CHARTER_SPACE_TOO_LARGE`; whoever asked must then take it for a widening.
 */
export function diffCharters(
  oldCharter: CompiledCharter,
  newCharter: CompiledCharter,
): CharterDifference {
  const joint = toJoint(oldCharter, newCharter);
  const bits = toBits(oldCharter, newCharter, joint);
  const places = toJointPlaces(oldCharter, newCharter, joint);
  const valueCounts = joint.attributes.map((attribute) => attribute.values.length);
  const dimensions = createDimensions({
    valueCounts,
    maskOf: (attribute, value) => bits.masks[attribute]?.[value] ?? new Int32Array(bits.wordCount),
    declaredPlaces: places.listDeclared,
    // A destination that a charter declares elsewhere is a denial there.
    restrict: (mask, id, place) => {
      const isBeforeOk = places.isDeclared('inOld', id, place);
      const isAfterOk = places.isDeclared('inNew', id, place);
      return mask.map((word, index) =>
        (index < bits.newFirst / 32 ? isBeforeOk : isAfterOk) ? word : 0,
      );
    },
  });
  const { ordered, unevenCount } = splitDimensions(dimensions, bits);
  const allows = new Int32Array(bits.wordCount);
  const mark = (charter: CompiledCharter, first: number): void =>
    charter.variants.forEach((variant, index) => {
      if (charter.rules[variant.rule]?.effect === 'allow') setBit(allows, first + index);
    });
  mark(oldCharter, 0);
  mark(newCharter, bits.newFirst);
  const teller = new FlipTeller(
    joint,
    places,
    {
      inOld: toJointRules(oldCharter, joint, 'inOld'),
      inNew: toJointRules(newCharter, joint, 'inNew'),
    },
    createLabels(joint, [oldCharter, newCharter]),
  );
  const [widenings, narrowings] = [new Collector(), new Collector()];
  const judge = (state: SpaceState): void => {
    const values = new Map(toAssignment(state));
    const before = toVerdict(oldCharter.rules, listMatched(oldCharter.variants, state.mask));
    const after = toVerdict(
      newCharter.rules,
      listMatched(newCharter.variants, state.mask, bits.newFirst),
    );
    if (before.outcome === after.outcome && sameObligations(before.obligations, after.obligations))
      return;
    const flow = toFlow(
      (attribute) => joint.attributes[attribute]?.values[values.get(attribute) ?? 0] ?? NONE,
      joint,
    );
    const point = joint.attributes.map((_, attribute) => values.get(attribute) ?? 0);
    const found = { flow, tell: () => teller.tell(point, before, after) };
    const isLooser =
      after.outcome === 'allow' &&
      (before.outcome === 'deny' || !isAtLeast(after.obligations, before.obligations));
    const isStricter =
      before.outcome === 'allow' &&
      (after.outcome === 'deny' || !isAtLeast(before.obligations, after.obligations));
    if (isLooser) widenings.add(found, state.count, before, after);
    if (isStricter) narrowings.add(found, state.count, before, after);
  };
  const start = new Int32Array(bits.wordCount).fill(-1);
  for (const state of walkSpace(ordered, start, createIsOver(bits, allows, unevenCount))) {
    judge(state);
  }
  return {
    widenings: widenings.list(),
    narrowings: narrowings.list(),
    homesChanged: diffHomes(oldCharter, newCharter),
    ...diffDemands(oldCharter, newCharter),
    spaceSize: measureSpace(dimensions, valueCounts),
  };
}

/**
 * True when the new charter lets through, asks or keeps apart less than the old one: what cells take only
 * with approvals. A changed home moves data to another place and counts.
 */
export function isWider(difference: CharterDifference): boolean {
  const { widenings, homesChanged, loosened } = difference;
  return widenings.length + homesChanged.length + loosened.length > 0;
}
