// SPDX-License-Identifier: Apache-2.0
// What a new charter would allow that the old one did not, and the other way round, over the whole space
// of flows of both. SECURITY: cells ask for two approvals when anything widens; whatever this misses
// could be opened by a control plane in the wrong hands. So a value that only one charter knows is a
// denial in the other, an obligation that falls away is a widening, and a space too large to walk throws.
import type { Flow, Obligation } from '@bailiwick/kernel';
import { ATTRIBUTE_IDS, ATTRIBUTE_INDEX, findPeriod, NONE } from './attribute.ts';
import type { Variant } from './box.ts';
import type { CompiledCharter } from './compile.ts';
import type { Home } from './home.ts';
import {
  createDeclaredPlaces,
  createDimensions,
  type Dimension,
  measureSpace,
  type PlacePair,
  type SpaceSize,
  type SpaceState,
  toAssignment,
  toFlow,
  walkSpace,
} from './space.ts';
import { isAtLeast, listMatched, toVerdict, type Verdict } from './verdict.ts';

/** Flows that are decided differently in the same way, with one of them. */
export interface FlowDifference {
  readonly words: string;
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
  /** Of the space of both charters together. */
  readonly spaceSize: SpaceSize;
}

/** One attribute over both charters: each value's index in each, or -1. */
interface JointAttribute {
  readonly values: readonly string[];
  readonly inOld: readonly number[];
  readonly inNew: readonly number[];
}

type Side = 'inOld' | 'inNew';

interface Joint {
  readonly attributes: readonly JointAttribute[];
  readonly instantsMs: readonly number[];
  readonly conditions: readonly string[];
}

function toJoint(oldCharter: CompiledCharter, newCharter: CompiledCharter): Joint {
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

function toWords(flow: Flow, before: Verdict, after: Verdict): string {
  const { data, to, actor } = flow;
  const what = [data.class, ...data.categories].join(' ');
  const whose = [
    ...data.regimes,
    `collected in ${data.origin}`,
    `at home in ${data.residency}`,
  ].join(', ');
  const where = `${to.kind}${to.id === undefined ? '' : ` ${to.id}`} in ${to.location} (operator ${to.operator})`;
  const change =
    before.outcome === after.outcome
      ? 'with other obligations'
      : after.outcome === 'allow'
        ? 'allowed now, denied before'
        : 'denied now, allowed before';
  return `${change}: ${flow.action} of ${what} data (${whose}) as ${flow.form} by ${actor.kind} ${actor.role} in ${actor.place} to ${where} for ${flow.purpose}`;
}

const sameObligations = (left: readonly Obligation[], right: readonly Obligation[]): boolean =>
  isAtLeast(left, right) && isAtLeast(right, left);

class Collector {
  readonly #found = new Map<
    string,
    { words: string; flow: Flow; count: number; before: Verdict; after: Verdict }
  >();

  add(flow: Flow, count: number, before: Verdict, after: Verdict): void {
    const key = JSON.stringify([before, after]);
    const same = this.#found.get(key);
    if (same) same.count += count;
    else this.#found.set(key, { words: toWords(flow, before, after), flow, count, before, after });
  }

  list(): readonly FlowDifference[] {
    return [...this.#found.values()].sort((a, b) => b.count - a.count);
  }
}

/** Declared places by joint index, and on which side a place is the declared one. */
interface JointPlaces {
  readonly listDeclared: (id: number) => readonly PlacePair[];
  readonly isDeclared: (side: Side, id: number, place: PlacePair) => boolean;
}

function toJointPlaces(
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
    const isLooser =
      after.outcome === 'allow' &&
      (before.outcome === 'deny' || !isAtLeast(after.obligations, before.obligations));
    const isStricter =
      before.outcome === 'allow' &&
      (after.outcome === 'deny' || !isAtLeast(before.obligations, after.obligations));
    if (isLooser) widenings.add(flow, state.count, before, after);
    if (isStricter) narrowings.add(flow, state.count, before, after);
  };
  const start = new Int32Array(bits.wordCount).fill(-1);
  for (const state of walkSpace(ordered, start, createIsOver(bits, allows, unevenCount))) {
    judge(state);
  }
  return {
    widenings: widenings.list(),
    narrowings: narrowings.list(),
    homesChanged: diffHomes(oldCharter, newCharter),
    spaceSize: measureSpace(dimensions, valueCounts),
  };
}
