// SPDX-License-Identifier: Apache-2.0
// Turns what a rule says about a flow into boxes. One clause can be several boxes where two attributes
// hang together: `to.id: home` (the cell of the data's residency), a mechanism (which holds for some
// regimes and between some instants), a place whose members change on a day.
import { isCoded, parseDate } from '@bailiwick/kernel';
import {
  ATTRIBUTE_INDEX,
  type Attribute,
  type AttributeId,
  CONDITION_INDEX_FIRST,
  findPeriod,
  NONE,
} from './attribute.ts';
import {
  type Box,
  complementSet,
  intersectBoxes,
  isEmptyBox,
  narrowBox,
  type ValueSet,
} from './box.ts';
import type { Choice, FlowClause } from './document.ts';
import type { PlaceBook } from './places.ts';
import { type Report, toPointerStep } from './shape.ts';
import { findNearest } from './suggest.ts';

/** In `to.id` a cell of the data's own residency; as a location the territory of that cell. */
export const HOME = 'home';

/** For which regimes and in which periods a mechanism holds. */
export interface MechanismReach {
  readonly id: string;
  readonly regimes: ValueSet;
  readonly periods: ValueSet;
}

/** What is needed to read a clause. */
export interface BoxContext {
  readonly attributes: readonly Attribute[];
  readonly book: PlaceBook;
  readonly instantsMs: readonly number[];
  readonly mechanisms: readonly MechanismReach[];
  /** Destination ids with their residency, cells only. */
  readonly residencyOf: ReadonlyMap<string, string>;
  /** Residency to the places from which its data is read day by day. */
  readonly territoryOf: ReadonlyMap<string, readonly NamedPlace[]>;
  readonly conditions: readonly string[];
}

/** A name and where it stands in the document. */
export interface NamedPlace {
  readonly name: string;
  readonly pointer: string;
}
type Item = NamedPlace;

function listItems(value: string | readonly string[], pointer: string): readonly Item[] {
  return typeof value === 'string'
    ? [{ name: value, pointer }]
    : value.map((name, index) => ({ name, pointer: pointer + toPointerStep(index) }));
}

function isNegated<Value extends string>(
  choice: Choice<Value>,
): choice is { readonly not: Value | readonly Value[] } {
  return typeof choice === 'object' && 'not' in choice;
}

/** The names of a choice and whether they are the ones left out. */
function readChoice(
  choice: Choice<string>,
  pointer: string,
): { readonly items: readonly Item[]; readonly isNot: boolean } {
  return isNegated(choice)
    ? { items: listItems(choice.not, `${pointer}/not`), isNot: true }
    : { items: listItems(choice, pointer), isNot: false };
}

function reportUnknown(item: Item, what: string, known: Iterable<string>, report: Report): void {
  const names = [...known];
  const suggestion = findNearest(item.name, names);
  report({
    code: 'CHARTER_NAME_UNKNOWN',
    message: `\`${item.name}\` is no ${what} of this charter${suggestion ? `: did you mean \`${suggestion}\`?` : ''}`,
    pointer: item.pointer,
    expected:
      names.length <= 24 ? `one of ${names.map((name) => `\`${name}\``).join(', ')}` : `a ${what}`,
    ...(suggestion === undefined ? {} : { suggestion }),
  });
}

/** A day as an instant; `undefined` for a day that is none, which is reported where instants are listed. */
function toDayMs(text: string | undefined): number | undefined {
  try {
    return text === undefined ? undefined : parseDate(text);
  } catch (error) {
    if (!isCoded(error, 'KERNEL_INSTANT_INVALID')) throw error;
    return undefined;
  }
}

/** Reads clauses into boxes. */
export class BoxReader {
  readonly #context: BoxContext;
  readonly #report: Report;
  /** Boxes of places by what was asked for: rules name the same places again and again. */
  readonly #known = new Map<string, readonly Box[]>();

  constructor(context: BoxContext, report: Report) {
    this.#context = context;
    this.#report = report;
  }

  #attribute(id: AttributeId): Attribute {
    return this.#context.attributes[ATTRIBUTE_INDEX[id]] ?? { id, values: [], indexOf: new Map() };
  }

  #every(): Box {
    return this.#context.attributes.map(() => undefined);
  }

  /** A set of names of one attribute. */
  #setOf(id: AttributeId, choice: Choice<string>, pointer: string): Uint8Array {
    const attribute = this.#attribute(id);
    const { items, isNot } = readChoice(choice, pointer);
    const set = new Uint8Array(attribute.values.length);
    for (const item of items) {
      const index = attribute.indexOf.get(item.name);
      if (index === undefined)
        reportUnknown(item, id.replace('.', ' '), attribute.values, this.#report);
      else set[index] = 1;
    }
    return isNot ? complementSet(set) : set;
  }

  /** Places by name; where `home` is among them, one reading per residency. */
  #placeBoxes(id: AttributeId, choice: Choice<string>, pointer: string): readonly Box[] {
    const { items, isNot } = readChoice(choice, pointer);
    if (!items.some((item) => item.name === HOME)) return this.#periodBoxes(id, items, isNot);
    const named = items.filter((item) => item.name !== HOME);
    const residencies = this.#attribute('data.residency').values;
    return residencies.flatMap((residency, index) => {
      const only = new Uint8Array(residencies.length);
      only[index] = 1;
      const places = [...named, ...(this.#context.territoryOf.get(residency) ?? [])];
      return this.#periodBoxes(id, places, isNot).map((box) =>
        narrowBox(box, ATTRIBUTE_INDEX['data.residency'], only),
      );
    });
  }

  /** A place at each period: boxes of places and the periods in which exactly these count. */
  #periodBoxes(id: AttributeId, items: readonly Item[], isNot: boolean): readonly Box[] {
    const key = [id, isNot, ...items.map((item) => item.name)].join(' ');
    const known = this.#known.get(key);
    if (known) return known;
    const boxes = this.#createPeriodBoxes(id, items, isNot);
    // What is unknown is reported wherever it stands.
    const isKnown = items.every((item) => this.#context.book.findMembers(item.name));
    if (isKnown) this.#known.set(key, boxes);
    return boxes;
  }

  #createPeriodBoxes(id: AttributeId, items: readonly Item[], isNot: boolean): readonly Box[] {
    const attribute = this.#attribute(id);
    const ends = new Float64Array(attribute.values.length);
    for (const item of items) {
      const members = this.#context.book.findMembers(item.name);
      if (!members) reportUnknown(item, 'place', this.#context.book.listNames(), this.#report);
      for (const [name, endsMs] of members ?? []) {
        const index = attribute.indexOf.get(name);
        if (index !== undefined) ends[index] = Math.max(ends[index] ?? 0, endsMs);
      }
    }
    const groups = new Map<string, { readonly set: Uint8Array; readonly periods: Uint8Array }>();
    const periodCount = this.#context.instantsMs.length + 1;
    for (let period = 0; period < periodCount; period += 1) {
      const startsMs =
        period === 0 ? Number.NEGATIVE_INFINITY : (this.#context.instantsMs[period - 1] ?? 0);
      const inForce = Uint8Array.from(ends, (endsMs) => (endsMs > 0 && startsMs < endsMs ? 1 : 0));
      const set = isNot ? complementSet(inForce) : inForce;
      const key = set.join('');
      const group = groups.get(key) ?? { set, periods: new Uint8Array(periodCount) };
      group.periods[period] = 1;
      groups.set(key, group);
    }
    return [...groups.values()].map((group) =>
      this.#every().map((_, index) => {
        if (index === ATTRIBUTE_INDEX[id]) return group.set;
        return index === ATTRIBUTE_INDEX.period && groups.size > 1 ? group.periods : undefined;
      }),
    );
  }

  #destinationBoxes(choice: Choice<string>, pointer: string): readonly Box[] {
    const { items, isNot } = readChoice(choice, pointer);
    const isHome = items.some((item) => item.name === HOME);
    const normal = items.map((item) => ({
      ...item,
      name: this.#attribute('to.id').indexOf.has(`${item.name}/main`)
        ? `${item.name}/main`
        : item.name,
    }));
    const own = normal.filter((item) => item.name !== HOME).map((item) => item.name);
    const known = new Set([...this.#attribute('to.id').values, HOME]);
    for (const item of normal) {
      if (!known.has(item.name)) reportUnknown(item, 'cell or provider', known, this.#report);
    }
    const ids = this.#attribute('to.id').values;
    const residencies = isHome ? this.#attribute('data.residency').values : [undefined];
    return residencies.map((residency, residencyIndex) => {
      const set = Uint8Array.from(ids, (id) => {
        const isNamed =
          own.includes(id) ||
          (residency !== undefined && this.#context.residencyOf.get(id) === residency);
        return isNamed === isNot ? 0 : 1;
      });
      const box = narrowBox(this.#every(), ATTRIBUTE_INDEX['to.id'], set);
      if (residency === undefined) return box;
      const only = new Uint8Array(this.#attribute('data.residency').values.length);
      only[residencyIndex] = 1;
      return narrowBox(box, ATTRIBUTE_INDEX['data.residency'], only);
    });
  }

  /**
   * A mechanism that does not hold (for another regime, expired, suspended) counts as none: otherwise a
   * dead mechanism's name would lead past a rule that forbids flows without one.
   */
  #mechanismBoxes(choice: Choice<string>, pointer: string): readonly Box[] {
    const attribute = this.#attribute('mechanism');
    const wanted = this.#setOf('mechanism', choice, pointer);
    const single = (name: string): Uint8Array =>
      attribute.values
        .map((value) => value)
        .reduce((set, value, index) => {
          set[index] = value === name ? 1 : 0;
          return set;
        }, new Uint8Array(attribute.values.length));
    const box = (name: string, regimes: ValueSet, periods: ValueSet): Box =>
      narrowBox(
        narrowBox(
          narrowBox(this.#every(), ATTRIBUTE_INDEX.mechanism, single(name)),
          ATTRIBUTE_INDEX['data.regime'],
          regimes,
        ),
        ATTRIBUTE_INDEX.period,
        periods,
      );
    const boxes: Box[] = [];
    const wantsNone = wanted[attribute.indexOf.get(NONE) ?? 0] === 1;
    if (wantsNone) boxes.push(box(NONE, undefined, undefined));
    for (const { id, regimes, periods } of this.#context.mechanisms) {
      if (wanted[attribute.indexOf.get(id) ?? -1] === 1) boxes.push(box(id, regimes, periods));
      if (!wantsNone) continue;
      if (regimes) boxes.push(box(id, complementSet(regimes), undefined));
      if (periods) boxes.push(box(id, regimes, complementSet(periods)));
    }
    return boxes;
  }

  #periodSet(clause: FlowClause, pointer: string): ValueSet {
    if (clause.from === undefined && clause.until === undefined) return undefined;
    const { instantsMs } = this.#context;
    const fromMs = toDayMs(clause.from) ?? Number.NEGATIVE_INFINITY;
    const untilMs = toDayMs(clause.until) ?? Number.POSITIVE_INFINITY;
    if (fromMs >= untilMs) {
      this.#report({
        code: 'CHARTER_PERIOD_INVALID',
        message: 'the end is not after the start',
        pointer: `${pointer}/until`,
        expected: 'a later day',
      });
    }
    return toPeriodSet(instantsMs, fromMs, untilMs);
  }

  #conditionBox(clause: FlowClause, pointer: string): Box {
    let box = this.#every();
    for (const [key, value] of [
      ['given', 1],
      ['unless', 0],
    ] as const) {
      const stated = clause[key];
      if (stated === undefined) continue;
      for (const item of listItems(stated, `${pointer}/${key}`)) {
        const index = this.#context.conditions.indexOf(item.name);
        if (index < 0) {
          reportUnknown(item, 'condition', this.#context.conditions, this.#report);
          continue;
        }
        box = narrowBox(box, CONDITION_INDEX_FIRST + index, Uint8Array.of(1 - value, value));
      }
    }
    return box;
  }

  /** Every box of a clause; none when it can never hold. */
  read(clause: FlowClause, pointer: string): readonly Box[] {
    const { actor, data, to } = clause;
    let simple = this.#conditionBox(clause, pointer);
    const narrow = (id: AttributeId, choice: Choice<string> | undefined, step: string): void => {
      if (choice !== undefined)
        simple = narrowBox(simple, ATTRIBUTE_INDEX[id], this.#setOf(id, choice, pointer + step));
    };
    narrow('actor.kind', actor?.kind, '/actor/kind');
    narrow('actor.role', actor?.role, '/actor/role');
    narrow('actor.employer', actor?.employer, '/actor/employer');
    narrow('actor.assurance', actor?.assurance, '/actor/assurance');
    narrow('action', clause.action, '/action');
    narrow('data.class', data?.class, '/data/class');
    narrow('data.category', data?.category, '/data/category');
    narrow('data.regime', data?.regime, '/data/regime');
    narrow('data.residency', data?.residency, '/data/residency');
    narrow('form', clause.form, '/form');
    narrow('to.kind', to?.kind, '/to/kind');
    narrow('purpose', clause.purpose, '/purpose');
    narrow('consent', clause.consent, '/consent');
    simple = narrowBox(simple, ATTRIBUTE_INDEX.period, this.#periodSet(clause, pointer));

    let boxes: readonly Box[] = [simple];
    const multiply = (others: readonly Box[] | undefined): void => {
      if (others)
        boxes = boxes
          .flatMap((box) => others.map((other) => intersectBoxes(box, other)))
          .filter((box) => !isEmptyBox(box));
    };
    const place = (id: AttributeId, choice: Choice<string> | undefined, step: string): void =>
      multiply(choice === undefined ? undefined : this.#placeBoxes(id, choice, pointer + step));
    place('actor.place', actor?.place, '/actor/place');
    place('data.origin', data?.origin, '/data/origin');
    place('to.location', to?.location, '/to/location');
    place('to.operator', to?.operator, '/to/operator');
    multiply(to?.id === undefined ? undefined : this.#destinationBoxes(to.id, `${pointer}/to/id`));
    multiply(
      clause.mechanism === undefined
        ? undefined
        : this.#mechanismBoxes(clause.mechanism, `${pointer}/mechanism`),
    );
    return boxes.filter((box) => !isEmptyBox(box));
  }
}

/** The periods between two instants, the end left out. */
export function toPeriodSet(
  instantsMs: readonly number[],
  fromMs: number,
  untilMs: number,
): Uint8Array {
  const set = new Uint8Array(instantsMs.length + 1);
  for (let period = 0; period < set.length; period += 1) {
    const startsMs = period === 0 ? Number.NEGATIVE_INFINITY : (instantsMs[period - 1] ?? 0);
    const isAfter = fromMs === Number.NEGATIVE_INFINITY || findPeriod(instantsMs, fromMs) <= period;
    set[period] = isAfter && startsMs < untilMs ? 1 : 0;
  }
  return set;
}
