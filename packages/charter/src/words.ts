// SPDX-License-Identifier: Apache-2.0
// A set of flows in words: what a box narrows is said, what it leaves open is not.
import { ATTRIBUTE_INDEX, CONDITION_INDEX_FIRST, NONE } from './attribute.ts';
import type { Box } from './box.ts';

/** What names of periods and conditions are read against. */
export interface Calendar {
  readonly instantsMs: readonly number[];
  readonly conditions: readonly string[];
}

/** A name per attribute; absent where it does not matter. */
export type NameOfNarrowed = (attribute: number) => string | undefined;

function toDay(ms: number): string {
  // Days since 1970 to a calendar date, without a clock: Howard Hinnant, "chrono-compatible low-level
  // date algorithms", civil_from_days.
  const days = Math.floor(ms / 86_400_000) + 719_468;
  const era = Math.floor(days / 146_097);
  const ofEra = days - era * 146_097;
  const year = Math.floor(
    (ofEra - Math.floor(ofEra / 1460) + Math.floor(ofEra / 36_524) - Math.floor(ofEra / 146_096)) /
      365,
  );
  const ofYear = ofEra - (365 * year + Math.floor(year / 4) - Math.floor(year / 100));
  const shifted = Math.floor((5 * ofYear + 2) / 153);
  const day = ofYear - Math.floor((153 * shifted + 2) / 5) + 1;
  const month = shifted < 10 ? shifted + 3 : shifted - 9;
  const civil = year + era * 400 + (month <= 2 ? 1 : 0);
  return `${civil}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`;
}

/** An instant as the day on which it falls (UTC). */
export function toDate(ms: number): string {
  return toDay(ms);
}

const join = (...parts: readonly (string | undefined)[]): string =>
  parts.filter((part) => part !== undefined && part !== '').join(' ');

function article(name: string): string {
  if (name.startsWith('anything')) return name;
  return /^[aeiou]/.test(name) ? `an ${name}` : `a ${name}`;
}

function tellData(nameOf: NameOfNarrowed): string {
  const at = ATTRIBUTE_INDEX;
  const [category, regime] = [nameOf(at['data.category']), nameOf(at['data.regime'])];
  const origin = nameOf(at['data.origin']);
  const residency = nameOf(at['data.residency']);
  const isPlain = category !== undefined && category !== NONE && !category.includes(' ');
  const marks = [
    regime === undefined ? '' : regime === NONE ? 'under no regime' : `under ${regime}`,
    origin === undefined ? '' : `collected in ${origin}`,
    residency === undefined ? '' : `at home in ${residency}`,
  ].filter((mark) => mark !== '');
  return join(
    nameOf(at['data.class']),
    isPlain ? category : undefined,
    'data',
    category === NONE ? 'of no category' : undefined,
    category !== undefined && category !== NONE && !isPlain ? `of category ${category}` : undefined,
    marks.length === 0 ? undefined : `(${marks.join(', ')})`,
  );
}

function tellActor(nameOf: NameOfNarrowed): string {
  const at = ATTRIBUTE_INDEX;
  const [kind, role] = [nameOf(at['actor.kind']), nameOf(at['actor.role'])];
  const [employer, place] = [nameOf(at['actor.employer']), nameOf(at['actor.place'])];
  const assurance = nameOf(at['actor.assurance']);
  const isOne = role !== undefined && !role.includes(' ');
  const who = isOne ? join(kind, role) : (kind ?? '');
  const marks = join(
    isOne || role === undefined ? undefined : `in the role of ${role}`,
    employer === undefined ? undefined : `employed by the ${employer}`,
    place === undefined ? undefined : `in ${place}`,
    assurance === undefined ? undefined : `with ${assurance} assurance`,
  );
  if (who === '' && marks === '') return '';
  return join('by', who === '' ? 'somebody' : article(who), marks);
}

function tellDestination(nameOf: NameOfNarrowed): string {
  const at = ATTRIBUTE_INDEX;
  const [kind, id] = [nameOf(at['to.kind']), nameOf(at['to.id'])];
  const [location, operator] = [nameOf(at['to.location']), nameOf(at['to.operator'])];
  const name = id === undefined || id === NONE ? undefined : `\`${id}\``;
  const where = join(
    location === undefined ? undefined : `in ${location}`,
    operator === undefined || (name === undefined && kind === 'reader' && operator === location)
      ? undefined
      : `(operator ${operator})`,
  );
  if (kind === undefined && name === undefined && where === '') return '';
  const what = kind === undefined ? (name ?? 'a place') : join(article(kind), name);
  return join('to', what, where);
}

function tellRest(charter: Calendar, nameOf: NameOfNarrowed): string {
  const at = ATTRIBUTE_INDEX;
  const { instantsMs, conditions } = charter;
  const [purpose, mechanism] = [nameOf(at.purpose), nameOf(at.mechanism)];
  const [consent, period] = [nameOf(at.consent), nameOf(at.period)];
  const told = conditions.flatMap((condition, index) => {
    const value = nameOf(CONDITION_INDEX_FIRST + index);
    if (value === undefined) return [];
    return [value === 'true' ? `given ${condition}` : `without ${condition}`];
  });
  const fromMs = instantsMs[Number(period) - 1];
  const untilMs = instantsMs[Number(period)];
  return join(
    purpose === undefined ? undefined : `for ${purpose}`,
    mechanism === undefined
      ? undefined
      : mechanism === NONE
        ? 'under no mechanism'
        : `under ${mechanism}`,
    consent === undefined ? undefined : `with consent ${consent}`,
    ...told,
    period === undefined || fromMs === undefined ? undefined : `from ${toDay(fromMs)}`,
    period === undefined || untilMs === undefined ? undefined : `before ${toDay(untilMs)}`,
  );
}

/** One sentence without its full stop: what is done with which data, in which form, by whom, to where. */
export function tellFlow(charter: Calendar, nameOf: NameOfNarrowed): string {
  const at = ATTRIBUTE_INDEX;
  const form = nameOf(at.form);
  return join(
    nameOf(at.action) ?? 'any action',
    'of',
    tellData(nameOf),
    form === undefined ? undefined : `as ${form}`,
    tellActor(nameOf),
    tellDestination(nameOf),
    tellRest(charter, nameOf),
  );
}

/** How many attributes a box narrows. */
export function countNarrowed(box: Box): number {
  return box.filter((set) => set?.some((bit) => bit === 0) ?? false).length;
}

/** Names of a set in few words: up to three, all but up to three, or one of many. */
export function tellSet(values: readonly string[], set: Uint8Array): string | undefined {
  const inside = values.filter((_, index) => set[index] === 1);
  const outside = values.filter((_, index) => set[index] !== 1);
  if (outside.length === 0) return undefined;
  if (inside.length <= 3) return inside.join(' or ');
  if (outside.length <= 3) return `anything but ${outside.join(' or ')}`;
  return `${inside.slice(0, 2).join(' or ')} or ${inside.length - 2} others`;
}
