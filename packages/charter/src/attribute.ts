// SPDX-License-Identifier: Apache-2.0
// The attributes of a flow as closed sets. Everything that a rule can ask about is one of these; the
// values are the charter's and the atlas's, so that the space of flows is finite (DESIGN, "Label and
// flow"). Set-valued attributes stand here as one element: engines decide element by element.
import { listJurisdictions } from '@bailiwick/atlas';
import {
  ACTIONS,
  ACTOR_KINDS,
  ASSURANCES,
  CONSENTS,
  DATA_CLASSES,
  DESTINATION_KINDS,
  FORMS,
} from '@bailiwick/kernel';

/** The attributes in their order; the charter's named conditions follow, one attribute each. */
export const ATTRIBUTE_IDS = [
  'actor.kind',
  'actor.role',
  'actor.employer',
  'actor.assurance',
  'actor.place',
  'action',
  'data.class',
  'data.category',
  'data.regime',
  'data.origin',
  'data.residency',
  'form',
  'to.kind',
  'to.id',
  'to.location',
  'to.operator',
  'purpose',
  'mechanism',
  'consent',
  'period',
] as const;
export type AttributeId = (typeof ATTRIBUTE_IDS)[number];

/** Position of an attribute in `CompiledCharter.attributes`. */
export const ATTRIBUTE_INDEX: Readonly<Record<AttributeId, number>> = {
  'actor.kind': 0,
  'actor.role': 1,
  'actor.employer': 2,
  'actor.assurance': 3,
  'actor.place': 4,
  action: 5,
  'data.class': 6,
  'data.category': 7,
  'data.regime': 8,
  'data.origin': 9,
  'data.residency': 10,
  form: 11,
  'to.kind': 12,
  'to.id': 13,
  'to.location': 14,
  'to.operator': 15,
  purpose: 16,
  mechanism: 17,
  consent: 18,
  period: 19,
};

/** Position of the first named condition. */
export const CONDITION_INDEX_FIRST: number = ATTRIBUTE_IDS.length;

/**
 * Stands for the absence of a value: data of no category or under no regime, a destination without an
 * id, a flow that invokes no mechanism. Rules can name it; no name of a charter can be it.
 */
export const NONE = 'none';

/** One attribute and all values that it can take. */
export interface Attribute {
  readonly id: string;
  readonly values: readonly string[];
  readonly indexOf: ReadonlyMap<string, number>;
}

/**
 * The engine's own copy of a text: property keys are kept once by the runtime, so that comparing two of
 * them is comparing two pointers. Texts out of a YAML parser are slices of the file.
 */
function toKey(text: string): string {
  const [key = text] = Object.keys({ [text]: true });
  return key;
}

/** Makes an attribute; values keep their order, each once. */
export function createAttribute(id: string, values: Iterable<string>): Attribute {
  const list = [...new Set(values)].map(toKey);
  return { id, values: list, indexOf: new Map(list.map((value, index) => [value, index])) };
}

/** The charter's own closed sets. */
export interface ClosedSets {
  readonly roles: readonly string[];
  readonly employers: readonly string[];
  readonly categories: readonly string[];
  readonly regimes: readonly string[];
  readonly origins: readonly string[];
  readonly residencies: readonly string[];
  /** Cells and providers. */
  readonly destinations: readonly string[];
  readonly purposes: readonly string[];
  readonly mechanisms: readonly string[];
  readonly conditions: readonly string[];
  /** Instants at which the law changes, ascending: n instants make n + 1 periods. */
  readonly instantsMs: readonly number[];
}

/** Every jurisdiction in which somebody or something can be: all of the atlas but groupings. */
export function listPlaces(): readonly string[] {
  return places;
}

const places: readonly string[] = listJurisdictions()
  .filter((jurisdiction) => jurisdiction.kind !== 'grouping')
  .map((jurisdiction) => jurisdiction.id);

/** All attributes of a charter's flows. */
export function createAttributes(sets: ClosedSets): readonly Attribute[] {
  const values: Readonly<Record<AttributeId, readonly string[]>> = {
    'actor.kind': ACTOR_KINDS,
    'actor.role': sets.roles,
    'actor.employer': sets.employers,
    'actor.assurance': ASSURANCES,
    'actor.place': places,
    action: ACTIONS,
    'data.class': DATA_CLASSES,
    'data.category': [NONE, ...sets.categories],
    'data.regime': [NONE, ...sets.regimes],
    'data.origin': sets.origins,
    'data.residency': sets.residencies,
    form: FORMS,
    'to.kind': DESTINATION_KINDS,
    'to.id': [NONE, ...sets.destinations],
    'to.location': places,
    'to.operator': places,
    purpose: sets.purposes,
    mechanism: [NONE, ...sets.mechanisms],
    consent: CONSENTS,
    period: Array.from({ length: sets.instantsMs.length + 1 }, (_, index) => String(index)),
  };
  return [
    ...ATTRIBUTE_IDS.map((id) => createAttribute(id, values[id])),
    ...sets.conditions.map((condition) => createAttribute(`given.${condition}`, ['false', 'true'])),
  ];
}

/** The period in which an instant lies: how many of the instants have passed. */
export function findPeriod(instantsMs: readonly number[], atMs: number): number {
  let low = 0;
  let high = instantsMs.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((instantsMs[middle] ?? Number.POSITIVE_INFINITY) <= atMs) low = middle + 1;
    else high = middle;
  }
  return low;
}
