// SPDX-License-Identifier: Apache-2.0
// Turns the strings of a flow into the masks of the rules that they satisfy. Attributes that come together
// (who acts; what is done; whose data; where it goes) are remembered together: a slot, found by the one or
// two attributes that vary most, holds the strings of the others and the ANDed mask. A flow like an earlier
// one costs a few look-ups and comparisons; one unlike it refills the slot in place. Nothing is allocated
// once a slot exists, and what a slot says is compared in full before it is believed.
import { ATTRIBUTE_INDEX, type AttributeId, type CompiledCharter, NONE } from '@bailiwick/charter';
import type { Actor, Destination, Flow, FlowData } from '@bailiwick/kernel';
import type { Tables } from './tables.ts';

interface Slot {
  // SECURITY: only a filled slot may answer; a refill that stops at an unknown value leaves it unfilled.
  isFilled: boolean;
  first: string;
  second: string | undefined;
  third: string;
  readonly mask: Int32Array;
}

/** What `read…` gives back instead of a mask: position of the attribute whose value is unknown. */
export type Unknown = number;

const AT = ATTRIBUTE_INDEX;

/** Reads the parts of flows. Each `read` gives a mask, or the number of the attribute it does not know. */
export class Interner {
  readonly #tables: Tables;
  readonly #maps: readonly ReadonlyMap<string, number>[];
  readonly #roles: ReadonlyMap<string, number>;
  readonly #places: ReadonlyMap<string, number>;
  readonly #actions: ReadonlyMap<string, number>;
  readonly #purposes: ReadonlyMap<string, number>;
  readonly #origins: ReadonlyMap<string, number>;
  readonly #classes: ReadonlyMap<string, number>;
  readonly #ids: ReadonlyMap<string, number>;
  readonly #locations: ReadonlyMap<string, number>;
  readonly #actorSlots: Slot[] = [];
  readonly #actSlots: Slot[] = [];
  readonly #dataSlots: Slot[] = [];
  readonly #destinationSlots: Slot[] = [];
  /** Location and operator that the charter declares for a destination id; absent where it says nothing. */
  readonly #declared: readonly (
    | { readonly location: string; readonly operator: string }
    | undefined
  )[];

  constructor(charter: CompiledCharter, tables: Tables) {
    this.#tables = tables;
    this.#maps = charter.attributes.map((attribute) => attribute.indexOf);
    const map = (id: AttributeId): ReadonlyMap<string, number> => this.#maps[AT[id]] ?? new Map();
    this.#roles = map('actor.role');
    this.#places = map('actor.place');
    this.#actions = map('action');
    this.#purposes = map('purpose');
    this.#origins = map('data.origin');
    this.#classes = map('data.class');
    this.#ids = map('to.id');
    this.#locations = map('to.location');
    const declared = new Map<string, { readonly location: string; readonly operator: string }>(
      [...charter.cells, ...charter.providers].map((item) => [item.id, item]),
    );
    this.#declared = (charter.attributes[AT['to.id']]?.values ?? []).map((id) => declared.get(id));
  }

  /** ANDs the mask of one value into `mask`; false when the value is unknown. */
  #and(mask: Int32Array, attribute: number, value: string): boolean {
    const index = this.#maps[attribute]?.get(value);
    if (index === undefined) return false;
    this.#andIndex(mask, attribute, index);
    return true;
  }

  #andIndex(mask: Int32Array, attribute: number, index: number): void {
    const { words, wordCount } = this.#tables;
    const rows = words[attribute] ?? EMPTY;
    const offset = index * wordCount;
    for (let word = 0; word < wordCount; word += 1) {
      mask[word] = (mask[word] ?? 0) & (rows[offset + word] ?? 0);
    }
  }

  readActor(actor: Actor): Int32Array | Unknown {
    const role = this.#roles.get(actor.role);
    if (role === undefined) return AT['actor.role'];
    const place = this.#places.get(actor.place);
    if (place === undefined) return AT['actor.place'];
    const index = role * this.#places.size + place;
    let slot = this.#actorSlots[index];
    if (
      slot?.isFilled &&
      slot.first === actor.kind &&
      slot.second === actor.employer &&
      slot.third === actor.assurance
    ) {
      return slot.mask;
    }
    slot = this.#fresh(this.#actorSlots, index);
    const { mask } = slot;
    this.#andIndex(mask, AT['actor.role'], role);
    this.#andIndex(mask, AT['actor.place'], place);
    if (!this.#and(mask, AT['actor.kind'], actor.kind)) return AT['actor.kind'];
    if (!this.#and(mask, AT['actor.employer'], actor.employer)) return AT['actor.employer'];
    if (!this.#and(mask, AT['actor.assurance'], actor.assurance)) return AT['actor.assurance'];
    slot.first = actor.kind;
    slot.second = actor.employer;
    slot.third = actor.assurance;
    slot.isFilled = true;
    return mask;
  }

  /** An unfilled slot with every bit set, ready to be filled. */
  #fresh(slots: Slot[], index: number): Slot {
    // Holes would turn the array into a dictionary.
    while (slots.length <= index) slots.push(VOID);
    let slot = slots[index] ?? VOID;
    if (slot === VOID) {
      slot = {
        isFilled: false,
        first: '',
        second: '',
        third: '',
        mask: new Int32Array(this.#tables.wordCount),
      };
      slots[index] = slot;
    }
    slot.isFilled = false;
    slot.mask.fill(-1);
    return slot;
  }

  readAct(flow: Flow): Int32Array | Unknown {
    const action = this.#actions.get(flow.action);
    if (action === undefined) return AT.action;
    const purpose = this.#purposes.get(flow.purpose);
    if (purpose === undefined) return AT.purpose;
    const index = purpose * this.#actions.size + action;
    let slot = this.#actSlots[index];
    if (
      slot?.isFilled &&
      slot.first === flow.form &&
      slot.second === flow.mechanism &&
      slot.third === flow.consent
    ) {
      return slot.mask;
    }
    slot = this.#fresh(this.#actSlots, index);
    const { mask } = slot;
    this.#andIndex(mask, AT.action, action);
    this.#andIndex(mask, AT.purpose, purpose);
    if (!this.#and(mask, AT.form, flow.form)) return AT.form;
    if (!this.#and(mask, AT.mechanism, flow.mechanism ?? NONE)) return AT.mechanism;
    if (!this.#and(mask, AT.consent, flow.consent)) return AT.consent;
    slot.first = flow.form;
    slot.second = flow.mechanism;
    slot.third = flow.consent;
    slot.isFilled = true;
    return mask;
  }

  readData(data: FlowData): Int32Array | Unknown {
    const origin = this.#origins.get(data.origin);
    if (origin === undefined) return AT['data.origin'];
    const dataClass = this.#classes.get(data.class);
    if (dataClass === undefined) return AT['data.class'];
    const index = origin * this.#classes.size + dataClass;
    let slot = this.#dataSlots[index];
    if (slot?.isFilled && slot.first === data.residency) return slot.mask;
    slot = this.#fresh(this.#dataSlots, index);
    const { mask } = slot;
    this.#andIndex(mask, AT['data.origin'], origin);
    this.#andIndex(mask, AT['data.class'], dataClass);
    if (!this.#and(mask, AT['data.residency'], data.residency)) return AT['data.residency'];
    slot.first = data.residency;
    slot.isFilled = true;
    return mask;
  }

  readDestination(to: Destination): Int32Array | Unknown {
    const id = to.id === undefined ? 0 : this.#ids.get(to.id);
    if (id === undefined) return AT['to.id'];
    const location = this.#locations.get(to.location);
    if (location === undefined) return AT['to.location'];
    // Ids mostly stand in one place, readers have no id.
    const index = id === 0 ? this.#ids.size + location : id;
    let slot = this.#destinationSlots[index];
    if (
      slot?.isFilled &&
      slot.first === to.kind &&
      slot.second === to.operator &&
      slot.third === to.location
    ) {
      return slot.mask;
    }
    slot = this.#fresh(this.#destinationSlots, index);
    const { mask } = slot;
    const declared = this.#declared[id];
    if (
      declared !== undefined &&
      (declared.location !== to.location || declared.operator !== to.operator)
    ) {
      return ELSEWHERE;
    }
    this.#andIndex(mask, AT['to.id'], id);
    this.#andIndex(mask, AT['to.location'], location);
    if (!this.#and(mask, AT['to.kind'], to.kind)) return AT['to.kind'];
    if (!this.#and(mask, AT['to.operator'], to.operator)) return AT['to.operator'];
    slot.first = to.kind;
    slot.second = to.operator;
    slot.third = to.location;
    slot.isFilled = true;
    return mask;
  }
}

const EMPTY = new Int32Array(0);
const VOID: Slot = { isFilled: false, first: '', second: '', third: '', mask: EMPTY };
/** A destination that the charter declares to stand, or to be run, elsewhere. */
export const ELSEWHERE = 1000;
