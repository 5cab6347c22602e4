// SPDX-License-Identifier: Apache-2.0
// The space of all flows that a charter can express, folded: values that no rule tells apart are one.
// The space is walked one dimension after the other; partial flows under which the same conjunctions are
// still alive are one state. So billions of flows become thousands of states, and nothing is left out:
// every flow belongs to exactly one state, and every state has a flow as witness.
import type { Flow } from '@bailiwick/kernel';
import { ATTRIBUTE_INDEX, CONDITION_INDEX_FIRST, NONE } from './attribute.ts';
import type { CompiledCharter } from './compile.ts';
import { CharterError } from './errors.ts';
import { SPACE_STATE_COUNT_MAX } from './limits.ts';

/** Values of one or several attributes that hang together, as indexes: attribute and value in turn. */
export type Assignment = readonly (readonly [attribute: number, value: number])[];

/** Choices that no conjunction tells apart. */
export interface FoldedChoice {
  readonly mask: Int32Array;
  /** The first of them stands for all. */
  readonly choices: readonly Assignment[];
}

/** One step of the walk. */
export interface Dimension {
  readonly id: string;
  readonly choices: readonly FoldedChoice[];
}

/** Partial flows with the same conjunctions alive. */
export interface SpaceState {
  readonly mask: Int32Array;
  /** How many folded flows it stands for. */
  readonly count: number;
  readonly witness: Witness | undefined;
}

interface Witness {
  readonly before: Witness | undefined;
  readonly choice: FoldedChoice;
}

/** Folds choices by their masks. */
export function foldChoices(
  id: string,
  choices: Iterable<{ readonly assignment: Assignment; readonly mask: Int32Array }>,
): Dimension {
  const folded = new Map<string, { mask: Int32Array; choices: Assignment[] }>();
  for (const { assignment, mask } of choices) {
    const key = mask.join(',');
    const same = folded.get(key);
    if (same) same.choices.push(assignment);
    else folded.set(key, { mask, choices: [assignment] });
  }
  return { id, choices: [...folded.values()] };
}

/** Reads the mask of an attribute's value. */
export type MaskOf = (attribute: number, value: number) => Int32Array;

export function andMasks(left: Int32Array, right: Int32Array): Int32Array {
  return left.map((word, index) => word & (right[index] ?? 0));
}

const DESTINATION = [
  ATTRIBUTE_INDEX['to.id'],
  ATTRIBUTE_INDEX['to.location'],
  ATTRIBUTE_INDEX['to.operator'],
] as const;

/** Location and operator, as indexes of their attributes. */
export type PlacePair = readonly [location: number, operator: number];

/** Where a destination can stand by the charter's own words; empty when it can stand anywhere. */
export type DeclaredPlaces = (idIndex: number) => readonly PlacePair[];

/**
 * The dimensions of a space. Destination id, location and operator are one dimension: a declared cell or
 * provider stands where the charter says, and a flow that says otherwise is denied as unknown.
 */
export function createDimensions(options: {
  readonly valueCounts: readonly number[];
  readonly maskOf: MaskOf;
  readonly declaredPlaces: DeclaredPlaces;
  /** Takes away what must not hold for a destination in this place. */
  readonly restrict?: (mask: Int32Array, id: number, place: PlacePair) => Int32Array;
}): readonly Dimension[] {
  const { valueCounts, maskOf, declaredPlaces, restrict = (mask) => mask } = options;
  const plain = (attribute: number): Dimension =>
    foldChoices(
      String(attribute),
      Array.from({ length: valueCounts[attribute] ?? 0 }, (_, value) => ({
        assignment: [[attribute, value]] as const,
        mask: maskOf(attribute, value),
      })),
    );
  const [idAttribute, locationAttribute, operatorAttribute] = DESTINATION;
  const destinations: { readonly assignment: Assignment; readonly mask: Int32Array }[] = [];
  const add = (id: number, location: number, operator: number): void => {
    const mask = andMasks(
      andMasks(maskOf(idAttribute, id), maskOf(locationAttribute, location)),
      maskOf(operatorAttribute, operator),
    );
    destinations.push({
      assignment: [
        [idAttribute, id],
        [locationAttribute, location],
        [operatorAttribute, operator],
      ],
      mask: restrict(mask, id, [location, operator]),
    });
  };
  const locations = plain(locationAttribute).choices.map(
    (choice) => choice.choices[0]?.[0]?.[1] ?? 0,
  );
  const operators = plain(operatorAttribute).choices.map(
    (choice) => choice.choices[0]?.[0]?.[1] ?? 0,
  );
  for (let id = 0; id < (valueCounts[idAttribute] ?? 0); id += 1) {
    const declared = declaredPlaces(id);
    for (const place of declared) add(id, ...place);
    if (declared.length > 0) continue;
    for (const location of locations) for (const operator of operators) add(id, location, operator);
  }
  const joint = foldChoices('to', destinations);
  const rest = valueCounts
    .map((_, attribute) => attribute)
    .filter((attribute) => !DESTINATION.some((item) => item === attribute));
  return orderDimensions([joint, ...rest.map(plain)]);
}

/** Dimensions that tell much apart first: states die early and few are carried along. */
function orderDimensions(dimensions: readonly Dimension[]): readonly Dimension[] {
  const weigh = ({ choices }: Dimension): number => {
    const bits = choices.reduce(
      (sum, { mask }) => sum + mask.reduce((count, word) => count + countBits(word), 0),
      0,
    );
    return bits / Math.max(1, choices.length);
  };
  return [...dimensions].sort((a, b) => weigh(a) - weigh(b));
}

export function countBits(word: number): number {
  let rest = word >>> 0;
  let count = 0;
  while (rest !== 0) {
    rest &= rest - 1;
    count += 1;
  }
  return count;
}

/**
 * Walks the space and gives its final states. States for which `isOver` holds are dropped on the way:
 * whatever follows, nothing of interest can come of them.
 *
 * @throws {CharterError} `CHARTER_SPACE_TOO_LARGE`
 */
export function walkSpace(
  dimensions: readonly Dimension[],
  start: Int32Array,
  isOver: (mask: Int32Array, step: number) => boolean,
): readonly SpaceState[] {
  let states: SpaceState[] = [{ mask: start, count: 1, witness: undefined }];
  for (const [step, { choices }] of dimensions.entries()) {
    const next = new Map<
      string,
      { mask: Int32Array; count: number; witness: Witness | undefined }
    >();
    for (const state of states) {
      for (const choice of choices) {
        const mask = andMasks(state.mask, choice.mask);
        if (isOver(mask, step)) continue;
        const key = mask.join(',');
        const same = next.get(key);
        if (same) same.count += state.count;
        else
          next.set(key, { mask, count: state.count, witness: { before: state.witness, choice } });
      }
      if (next.size > SPACE_STATE_COUNT_MAX) {
        throw new CharterError(
          'CHARTER_SPACE_TOO_LARGE',
          `the space of flows has more than ${SPACE_STATE_COUNT_MAX} states`,
        );
      }
    }
    states = [...next.values()];
  }
  return states;
}

/** The attribute values of a state's witness. */
export function toAssignment(state: SpaceState): Assignment {
  const parts: (readonly [number, number])[] = [];
  for (let step = state.witness; step; step = step.before)
    parts.push(...(step.choice.choices[0] ?? []));
  return parts;
}

/** Values of a flow by attribute, as names. */
export type NameOf = (attribute: number) => string;

/** Writes a flow from names; `instantsMs` are those whose periods `period` counts. */
export function toFlow(
  nameOf: NameOf,
  options: { readonly instantsMs: readonly number[]; readonly conditions: readonly string[] },
): Flow {
  const at = ATTRIBUTE_INDEX;
  const optional = (attribute: number): string | undefined => {
    const value = nameOf(attribute);
    return value === NONE ? undefined : value;
  };
  const [id, mechanism, category, regime] = [
    optional(at['to.id']),
    optional(at.mechanism),
    optional(at['data.category']),
    optional(at['data.regime']),
  ];
  const period = Number(nameOf(at.period));
  const atMs =
    period === 0 ? (options.instantsMs[0] ?? 1) - 1 : (options.instantsMs[period - 1] ?? 0);
  return parseFlow({
    actor: {
      kind: nameOf(at['actor.kind']),
      role: nameOf(at['actor.role']),
      employer: nameOf(at['actor.employer']),
      assurance: nameOf(at['actor.assurance']),
      place: nameOf(at['actor.place']),
    },
    action: nameOf(at.action),
    data: {
      class: nameOf(at['data.class']),
      categories: category === undefined ? [] : [category],
      regimes: regime === undefined ? [] : [regime],
      origin: nameOf(at['data.origin']),
      residency: nameOf(at['data.residency']),
    },
    form: nameOf(at.form),
    to: {
      kind: nameOf(at['to.kind']),
      ...(id === undefined ? {} : { id }),
      location: nameOf(at['to.location']),
      operator: nameOf(at['to.operator']),
    },
    purpose: nameOf(at.purpose),
    ...(mechanism === undefined ? {} : { mechanism }),
    consent: nameOf(at.consent),
    conditions: options.conditions
      .filter((_, index) => nameOf(CONDITION_INDEX_FIRST + index) === 'true')
      .sort(),
    atMs,
  });
}

/** The values came from the closed sets of the kernel and the charter. */
function parseFlow(flow: unknown): Flow {
  return flow as Flow;
}

/** A flow whose values are given as indexes of the charter's attributes. */
export function toCharterFlow(charter: CompiledCharter, assignment: Assignment): Flow {
  const indexes = new Map(assignment);
  const { attributes, instantsMs, conditions } = charter;
  return toFlow((attribute) => attributes[attribute]?.values[indexes.get(attribute) ?? 0] ?? NONE, {
    instantsMs,
    conditions,
  });
}

/** Where the charter says that its destinations stand. */
export function createDeclaredPlaces(charter: CompiledCharter): DeclaredPlaces {
  const at = ATTRIBUTE_INDEX;
  const declared = new Map(
    [...charter.cells, ...charter.providers].map((item) => [String(item.id), item]),
  );
  return (idIndex) => {
    const item = declared.get(charter.attributes[at['to.id']]?.values[idIndex] ?? NONE);
    const location = charter.attributes[at['to.location']]?.indexOf.get(item?.location ?? '');
    const operator = charter.attributes[at['to.operator']]?.indexOf.get(item?.operator ?? '');
    return location === undefined || operator === undefined ? [] : [[location, operator]];
  };
}

/** The dimensions of one charter's space. */
export function createCharterDimensions(charter: CompiledCharter): readonly Dimension[] {
  const { words, wordCount } = charter.masks;
  return createDimensions({
    valueCounts: charter.attributes.map((attribute) => attribute.values.length),
    maskOf: (attribute, value) =>
      words[attribute]?.slice(value * wordCount, (value + 1) * wordCount) ??
      new Int32Array(wordCount),
    declaredPlaces: createDeclaredPlaces(charter),
  });
}

/** Size of a space: every flow, and flows once what no rule tells apart is one. */
export interface SpaceSize {
  readonly flows: bigint;
  readonly folded: bigint;
}

export function measureSpace(
  dimensions: readonly Dimension[],
  valueCounts: readonly number[],
): SpaceSize {
  return {
    flows: valueCounts.reduce((product, count) => product * BigInt(count), 1n),
    folded: dimensions.reduce((product, { choices }) => product * BigInt(choices.length), 1n),
  };
}
