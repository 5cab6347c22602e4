// SPDX-License-Identifier: Apache-2.0
// Turns the strings of a flow into the masks of the rules that they satisfy. Attributes that come together
// (who acts; what is done; whose data; where it goes) are remembered together: a slot, found by the one or
// two attributes that vary most, holds the strings of the others and the ANDed mask. A flow like an earlier
// one costs a few look-ups and comparisons; one unlike it refills the slot in place. Nothing is allocated
// once a slot exists, and what a slot says is compared in full before it is believed.
import { ATTRIBUTE_INDEX, type AttributeId, type CompiledCharter, NONE } from '@bailiwick/charter';
import {
  type Actor,
  DATA_CLASSES,
  type Destination,
  type Flow,
  type FlowData,
} from '@bailiwick/kernel';
import type { Tables } from './tables.ts';

interface Slot {
  // SECURITY: only a filled slot may answer; a refill that stops at an unknown value leaves it unfilled.
  isFilled: boolean;
  first: string;
  second: string;
  third: string;
  readonly mask: Int32Array;
}

const AT = ATTRIBUTE_INDEX;

/**
 * Reads the parts of flows. Each `read` gives a mask, or `UNKNOWN` and leaves in `unknown` which attribute
 * it was. A mask belongs to its slot: use it before the next read of the same part.
 */
export class Interner {
  /** After `UNKNOWN`: position of the attribute whose value is not known, or `ELSEWHERE`. */
  unknown = -1;
  readonly #tables: Tables;
  readonly #maps: readonly ReadonlyMap<string, number>[];
  readonly #roles: ReadonlyMap<string, number>;
  readonly #places: ReadonlyMap<string, number>;
  readonly #actions: ReadonlyMap<string, number>;
  readonly #purposes: ReadonlyMap<string, number>;
  readonly #origins: ReadonlyMap<string, number>;
  readonly #ids: ReadonlyMap<string, number>;
  readonly #locations: ReadonlyMap<string, number>;
  readonly #actorSlots: Slot[] = [];
  readonly #actSlots: Slot[] = [];
  readonly #restrictedSlots: Slot[] = [];
  readonly #otherSlots: Slot[] = [];
  readonly #namedSlots: Slot[] = [];
  readonly #namelessSlots: Slot[] = [];
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

  /** An unfilled slot with every bit set, ready to be filled. */
  #fresh(slots: Slot[], index: number): Slot {
    // Holes would turn the array into a dictionary.
    while (slots.length <= index) slots.push(VOID);
    let slot = slots[index] ?? VOID;
    if (slot === VOID) {
      const mask = new Int32Array(this.#tables.wordCount);
      slot = { isFilled: false, first: '', second: '', third: '', mask };
      slots[index] = slot;
    }
    slot.isFilled = false;
    slot.mask.fill(-1);
    return slot;
  }

  #refuse(attribute: number): Int32Array {
    this.unknown = attribute;
    return UNKNOWN;
  }

  readActor(actor: Actor): Int32Array {
    const role = this.#roles.get(actor.role);
    const place = this.#places.get(actor.place);
    if (role === undefined) return this.#refuse(AT['actor.role']);
    if (place === undefined) return this.#refuse(AT['actor.place']);
    const index = role * this.#places.size + place;
    const slots = this.#actorSlots;
    if (index < slots.length) {
      const slot = slots[index] ?? VOID;
      const isSame =
        slot.isFilled &&
        slot.first === actor.kind &&
        slot.second === actor.employer &&
        slot.third === actor.assurance;
      if (isSame) return slot.mask;
    }
    return this.#fillActor(index, actor, role, place);
  }

  #fillActor(index: number, actor: Actor, role: number, place: number): Int32Array {
    const slot = this.#fresh(this.#actorSlots, index);
    const { mask } = slot;
    this.#andIndex(mask, AT['actor.role'], role);
    this.#andIndex(mask, AT['actor.place'], place);
    if (!this.#and(mask, AT['actor.kind'], actor.kind)) return this.#refuse(AT['actor.kind']);
    if (!this.#and(mask, AT['actor.employer'], actor.employer)) {
      return this.#refuse(AT['actor.employer']);
    }
    if (!this.#and(mask, AT['actor.assurance'], actor.assurance)) {
      return this.#refuse(AT['actor.assurance']);
    }
    slot.first = actor.kind;
    slot.second = actor.employer;
    slot.third = actor.assurance;
    slot.isFilled = true;
    return mask;
  }

  readAct(flow: Flow): Int32Array {
    const action = this.#actions.get(flow.action);
    const purpose = this.#purposes.get(flow.purpose);
    if (action === undefined) return this.#refuse(AT.action);
    if (purpose === undefined) return this.#refuse(AT.purpose);
    const index = purpose * this.#actions.size + action;
    const slots = this.#actSlots;
    if (index < slots.length) {
      const slot = slots[index] ?? VOID;
      const isSame =
        slot.isFilled &&
        slot.first === flow.form &&
        slot.second === (flow.mechanism ?? NONE) &&
        slot.third === flow.consent;
      if (isSame) return slot.mask;
    }
    return this.#fillAct(index, flow, action, purpose);
  }

  #fillAct(index: number, flow: Flow, action: number, purpose: number): Int32Array {
    const slot = this.#fresh(this.#actSlots, index);
    const { mask } = slot;
    this.#andIndex(mask, AT.action, action);
    this.#andIndex(mask, AT.purpose, purpose);
    const mechanism = flow.mechanism ?? NONE;
    if (!this.#and(mask, AT.form, flow.form)) return this.#refuse(AT.form);
    if (!this.#and(mask, AT.mechanism, mechanism)) return this.#refuse(AT.mechanism);
    if (!this.#and(mask, AT.consent, flow.consent)) return this.#refuse(AT.consent);
    slot.first = flow.form;
    slot.second = mechanism;
    slot.third = flow.consent;
    slot.isFilled = true;
    return mask;
  }

  /** Data under one regime; `regime` is `none` where it carries none. */
  readData(data: FlowData, regime: string): Int32Array {
    const index = this.#origins.get(data.origin);
    if (index === undefined) return this.#refuse(AT['data.origin']);
    // One slot per origin and class; nearly everything asked about is restricted.
    const slots = data.class === DATA_CLASSES[0] ? this.#restrictedSlots : this.#otherSlots;
    if (index < slots.length) {
      const slot = slots[index] ?? VOID;
      const isSame =
        slot.isFilled &&
        slot.first === data.residency &&
        slot.second === regime &&
        slot.third === data.class;
      if (isSame) return slot.mask;
    }
    return this.#fillData(slots, index, data, regime);
  }

  #fillData(slots: Slot[], index: number, data: FlowData, regime: string): Int32Array {
    const slot = this.#fresh(slots, index);
    const { mask } = slot;
    this.#andIndex(mask, AT['data.origin'], index);
    if (!this.#and(mask, AT['data.class'], data.class)) return this.#refuse(AT['data.class']);
    if (!this.#and(mask, AT['data.residency'], data.residency)) {
      return this.#refuse(AT['data.residency']);
    }
    if (!this.#and(mask, AT['data.regime'], regime)) return this.#refuse(AT['data.regime']);
    slot.first = data.residency;
    slot.second = regime;
    slot.third = data.class;
    slot.isFilled = true;
    return mask;
  }

  readDestination(to: Destination): Int32Array {
    const { id } = to;
    const slots = id === undefined ? this.#namelessSlots : this.#namedSlots;
    const index = id === undefined ? this.#locations.get(to.location) : this.#ids.get(id);
    if (index === undefined)
      return this.#refuse(id === undefined ? AT['to.location'] : AT['to.id']);
    if (index < slots.length) {
      const slot = slots[index] ?? VOID;
      const isSame =
        slot.isFilled &&
        slot.first === to.kind &&
        slot.second === to.operator &&
        slot.third === to.location;
      if (isSame) return slot.mask;
    }
    return this.#fillDestination(slots, index, to);
  }

  #fillDestination(slots: Slot[], index: number, to: Destination): Int32Array {
    const slot = this.#fresh(slots, index);
    const { mask } = slot;
    const id = to.id === undefined ? 0 : index;
    const declared = this.#declared[id];
    const isElsewhere =
      declared !== undefined &&
      (declared.location !== to.location || declared.operator !== to.operator);
    if (isElsewhere) return this.#refuse(ELSEWHERE);
    this.#andIndex(mask, AT['to.id'], id);
    if (!this.#and(mask, AT['to.location'], to.location)) return this.#refuse(AT['to.location']);
    if (!this.#and(mask, AT['to.kind'], to.kind)) return this.#refuse(AT['to.kind']);
    if (!this.#and(mask, AT['to.operator'], to.operator)) return this.#refuse(AT['to.operator']);
    slot.first = to.kind;
    slot.second = to.operator;
    slot.third = to.location;
    slot.isFilled = true;
    return mask;
  }
}

const EMPTY = new Int32Array(0);
const VOID: Slot = { isFilled: false, first: '', second: '', third: '', mask: EMPTY };
/** What `read…` gives for a value that the charter does not know. */
export const UNKNOWN: Int32Array = new Int32Array(0);
/** A destination that the charter declares to stand, or to be run, elsewhere. */
export const ELSEWHERE = 1000;
