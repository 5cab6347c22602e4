// SPDX-License-Identifier: Apache-2.0
// The smallest witness of a broken property: one flow that is allowed and must not be, told by what
// matters about it. From the flow that the walk found, each attribute is opened as far as every flow
// within stays allowed and within the property; what is then still narrowed is what matters.
import type { Flow } from '@bailiwick/kernel';
import { ATTRIBUTE_INDEX, NONE } from './attribute.ts';
import { type Box, intersectBoxes, isEmptyBox } from './box.ts';
import type { CompiledCharter } from './compile.ts';
import { openPoint } from './open-box.ts';
import { type Assignment, createDeclaredPlaces, toCharterFlow } from './space.ts';
import { toVerdict, type Verdict } from './verdict.ts';
import { countNarrowed, tellFlow } from './words.ts';

/** A flow that a property forbids and the rules allow. */
export interface Witness {
  readonly flow: Flow;
  /** What matters about it, in words; what is not told can be anything. */
  readonly words: string;
  /** What the rules say about it. */
  readonly verdict: Verdict;
  /** Attributes that matter, in the order of the flow. */
  readonly narrowed: readonly string[];
}

const PLACES: ReadonlySet<number> = new Set([
  ATTRIBUTE_INDEX['actor.place'],
  ATTRIBUTE_INDEX['data.origin'],
  ATTRIBUTE_INDEX['to.location'],
  ATTRIBUTE_INDEX['to.operator'],
]);

/** Values that a reader knows come first: where the charter's own cells and providers stand. */
function toPreferred(charter: CompiledCharter, attribute: number, box: Box, own: number): number {
  const { values, indexOf } = charter.attributes[attribute] ?? { values: [], indexOf: new Map() };
  const isIn = (value: number | undefined): value is number =>
    value !== undefined && (box[attribute]?.[value] ?? 0) === 1;
  if (PLACES.has(attribute)) {
    const isOperator = attribute === ATTRIBUTE_INDEX['to.operator'];
    const known = [...charter.cells, ...charter.providers].map(({ location, operator }) =>
      indexOf.get(isOperator ? operator : location),
    );
    return known.find(isIn) ?? own;
  }
  const neutral = values.findIndex((value) => value === NONE || value === 'false');
  if (isIn(neutral)) return neutral;
  const first = values.findIndex((_, value) => isIn(value));
  return first < 0 ? own : first;
}

/** Home, law and origin of one person hang together in life, so that a witness should show such a one. */
function toHomely(charter: CompiledCharter, box: Box): Assignment {
  const at = ATTRIBUTE_INDEX;
  const [origins, residencies, regimes] = [
    charter.attributes[at['data.origin']],
    charter.attributes[at['data.residency']],
    charter.attributes[at['data.regime']],
  ];
  const near = charter.cells.map(({ location }) => location);
  for (const origin of [...near, ...(origins?.values ?? [])]) {
    const home = charter.homes.get(origin);
    if (!home?.ok) continue;
    const originIndex = origins?.indexOf.get(origin) ?? -1;
    const residency = residencies?.indexOf.get(home.residency) ?? -1;
    const regime = regimes?.indexOf.get(home.regimes[0] ?? '') ?? -1;
    const isIn =
      box[at['data.origin']]?.[originIndex] === 1 &&
      box[at['data.residency']]?.[residency] === 1 &&
      box[at['data.regime']]?.[regime] === 1;
    if (!isIn) continue;
    return [
      [at['data.origin'], originIndex],
      [at['data.residency'], residency],
      [at['data.regime'], regime],
    ];
  }
  return [];
}

/** Which rules speak about a point. */
function listSpeaking(charter: CompiledCharter, point: readonly number[]): readonly number[] {
  return charter.variants
    .filter(({ box }) => box.every((set, at) => (set?.[point[at] ?? 0] ?? 1) === 1))
    .map(({ rule }) => rule);
}

/**
 * The smallest witness among points that break a property: the one with the fewest attributes that
 * matter.
 *
 * @param points assignments of every attribute, each allowed and within `never`
 */
export function findSmallestWitness(
  charter: CompiledCharter,
  points: Iterable<Assignment>,
  never: readonly Box[],
): Witness | undefined {
  const { rules, variants, attributes } = charter;
  const holes = variants
    .filter(({ rule }) => rules[rule]?.effect === 'forbid')
    .map(({ box }) => box);
  const allows = variants.filter(({ rule }) => rules[rule]?.effect === 'allow');
  const valueCounts = attributes.map(({ values }) => values.length);
  const declaredPlaces = createDeclaredPlaces(charter);
  let smallest: { readonly box: Box; readonly point: readonly number[] } | undefined;
  for (const assignment of points) {
    const indexes = new Map(assignment);
    const point = attributes.map((_, at) => indexes.get(at) ?? 0);
    const isPlaced = declaredPlaces(point[ATTRIBUTE_INDEX['to.id']] ?? 0).length > 0;
    const isWithin = (box: Box): boolean =>
      box.every((set, at) => (set?.[point[at] ?? 0] ?? 1) === 1);
    for (const { box: allowed } of allows.filter(({ box }) => isWithin(box))) {
      for (const forbidden of never.filter(isWithin)) {
        const bound = intersectBoxes(allowed, forbidden);
        if (isEmptyBox(bound)) continue;
        const box = openPoint({ valueCounts, point, bound, holes, isPlaced });
        if (smallest && countNarrowed(smallest.box) <= countNarrowed(box)) continue;
        smallest = { box, point };
      }
    }
  }
  return smallest && toWitness(charter, smallest.box, smallest.point);
}

function toWitness(charter: CompiledCharter, box: Box, point: readonly number[]): Witness {
  const { attributes, rules } = charter;
  const preferred = point.map((own, at) => toPreferred(charter, at, box, own));
  const id = ATTRIBUTE_INDEX['to.id'];
  // Id, location and operator hang together: the id stays the one that was found.
  preferred[id] = point[id] ?? 0;
  for (const [at, value] of toHomely(charter, box)) preferred[at] = value;
  const narrowed = attributes.flatMap((_, at) =>
    box[at]?.some((bit) => bit === 0) === true && !(at === id && nameOfNone(charter, preferred[id]))
      ? [at]
      : [],
  );
  const words = tellFlow(charter, (at) =>
    narrowed.includes(at) ? attributes[at]?.values[preferred[at] ?? 0] : undefined,
  );
  return {
    flow: toCharterFlow(
      charter,
      preferred.map((value, at) => [at, value] as const),
    ),
    words,
    verdict: toVerdict(rules, listSpeaking(charter, preferred)),
    narrowed: narrowed.map((at) => attributes[at]?.id ?? ''),
  };
}

function nameOfNone(charter: CompiledCharter, index: number | undefined): boolean {
  return charter.attributes[ATTRIBUTE_INDEX['to.id']]?.values[index ?? 0] === NONE;
}
