// SPDX-License-Identifier: Apache-2.0
// What is odd about a charter although it is valid: rules that nothing meets, rules that never have their
// way, parts of a rule that another rule forbids whole, properties about nothing, and grounds that run
// out soon. Findings are for people to judge and never stop anything.
import { adequacyDecisions } from '@bailiwick/atlas';
import { isCoded, parseDate } from '@bailiwick/kernel';
import { ATTRIBUTE_INDEX } from './attribute.ts';
import { type Box, intersectBoxes, isEmptyBox, narrowBox } from './box.ts';
import type { CompiledCharter } from './compile.ts';
import type { Choice, ExceptionClause, FlowClause, RuleClause } from './document.ts';
import { createReachable, findOutside } from './escape.ts';
import { BoxReader, toPeriodSet } from './flow-box.ts';
import { findAdequacyEnd } from './places.ts';
import { toPointerStep } from './shape.ts';
import { toDate } from './words.ts';

/** What a finding is about. Public; meanings never change. */
export const FINDING_KINDS = [
  'rule-dead',
  'rule-over',
  'rule-shadowed',
  'rule-contradicted',
  'rule-idle',
  'property-empty',
  'exception-expiring',
  'mechanism-expiring',
  'adequacy-expiring',
  'adequacy-review-due',
] as const;
export type FindingKind = (typeof FINDING_KINDS)[number];

/** Something that its author should look at. */
export interface CharterFinding {
  readonly kind: FindingKind;
  /** Id of the rule, property, mechanism, or name of the place or home. */
  readonly subject: string;
  /** Lower case, without a full stop. */
  readonly words: string;
  /** Pointer to it in the document. */
  readonly pointer: string;
  /** Rules that have a part in it or rest on it. */
  readonly rules: readonly string[];
}

export interface FindingOptions {
  /** The instant from which on days are counted. */
  readonly nowMs: number;
  /** Grounds that end within so many days are told. */
  readonly withinDays: number;
}

const DAY_MS = 86_400_000;

interface Subject {
  readonly index: number;
  readonly id: string;
  readonly effect: 'allow' | 'forbid';
  readonly pointer: string;
  readonly boxes: readonly Box[];
  readonly clause: RuleClause | ExceptionClause;
}

/** Everything that several findings ask for. */
class Inspection {
  readonly charter: CompiledCharter;
  readonly subjects: readonly Subject[];
  readonly forbids: readonly Box[];
  readonly allows: readonly Box[];
  readonly toReachable: (box: Box) => readonly Box[];
  /** Periods that have not passed. */
  readonly ahead: Uint8Array;
  readonly reader: BoxReader;

  constructor(charter: CompiledCharter, nowMs: number) {
    this.charter = charter;
    this.toReachable = createReachable(charter);
    this.ahead = toPeriodSet(charter.instantsMs, nowMs, Number.POSITIVE_INFINITY);
    this.reader = new BoxReader(charter.context, () => undefined);
    const { rules, variants, document } = charter;
    const boxesOf = (effect: 'allow' | 'forbid'): readonly Box[] =>
      variants.filter(({ rule }) => rules[rule]?.effect === effect).map(({ box }) => box);
    this.forbids = boxesOf('forbid');
    this.allows = boxesOf('allow');
    const clauses = [...document.rules, ...(document.exceptions ?? [])];
    this.subjects = rules.flatMap(({ id, effect, pointer }, index) => {
      const clause = clauses[index];
      if (clause === undefined) return [];
      const boxes = variants.filter(({ rule }) => rule === index).map(({ box }) => box);
      return [{ index, id, effect, pointer, boxes, clause }];
    });
  }

  /** Boxes whose destinations stand where the charter says, from now on. */
  live(boxes: readonly Box[]): readonly Box[] {
    return boxes
      .map((box) => narrowBox(box, ATTRIBUTE_INDEX.period, this.ahead))
      .filter((box) => !isEmptyBox(box))
      .flatMap((box) => this.toReachable(box));
  }

  /** True when some flow of `boxes` is forbidden by none; also when that is too hard to tell. */
  isEverAllowed(boxes: readonly Box[]): boolean {
    return !this.#isCovered(boxes, this.forbids);
  }

  #isCovered(boxes: readonly Box[], forbids: readonly Box[]): boolean {
    try {
      return findOutside(boxes, forbids) === undefined;
    } catch (error) {
      if (!isCoded(error, 'CHARTER_SPACE_TOO_LARGE')) throw error;
      return false;
    }
  }

  /**
   * Rules that forbid all of `boxes`: those without which some of it would be allowed; where there are
   * none (it is forbidden twice), those that forbid all of it alone; otherwise whoever has a part in it.
   */
  listForbidding(boxes: readonly Box[]): readonly string[] {
    const meeting = this.subjects.filter(
      ({ effect, boxes: own }) =>
        effect === 'forbid' &&
        own.some((other) => boxes.some((box) => !isEmptyBox(intersectBoxes(box, other)))),
    );
    const needed = meeting.filter(
      (subject) =>
        !this.#isCovered(
          boxes,
          meeting.filter((other) => other !== subject).flatMap((other) => other.boxes),
        ),
    );
    const alone =
      needed.length > 0 ? needed : meeting.filter((one) => this.#isCovered(boxes, one.boxes));
    return (alone.length > 0 ? alone : meeting).map(({ id }) => id);
  }
}

const quote = (ids: readonly string[]): string => {
  const shown = ids.slice(0, 3).map((id) => `\`${id}\``);
  const rest = ids.length - shown.length;
  return shown.join(', ') + (rest > 0 ? ` and ${rest} more` : '');
};

function inspectRule(inspection: Inspection, subject: Subject): readonly CharterFinding[] {
  const { id, pointer, boxes, effect } = subject;
  const tell = (
    kind: FindingKind,
    words: string,
    rules: readonly string[] = [],
  ): readonly CharterFinding[] => [{ kind, subject: id, words, pointer, rules }];
  const reachable = boxes.flatMap((box) => inspection.toReachable(box));
  if (reachable.length === 0) return tell('rule-dead', `no flow ever meets \`${id}\``);
  const live = inspection.live(boxes);
  if (live.length === 0) return tell('rule-over', `the time of \`${id}\` has passed`);
  if (effect === 'forbid') {
    const meets = live.some((box) =>
      inspection.allows.some((other) => !isEmptyBox(intersectBoxes(box, other))),
    );
    return meets
      ? []
      : tell('rule-idle', `\`${id}\` forbids only what no rule allows: it is a second lock`);
  }
  if (!inspection.isEverAllowed(live)) {
    const others = inspection.listForbidding(live);
    return tell(
      'rule-shadowed',
      `\`${id}\` never decides: whatever it allows is forbidden by ${quote(others)}`,
      others,
    );
  }
  return inspectNames(inspection, subject);
}

interface NamedValue {
  readonly attribute: string;
  readonly value: string;
  readonly clause: FlowClause;
}

/** The names of a choice of several. */
function listNamed(choice: Choice<string> | undefined): readonly string[] {
  if (choice === undefined || typeof choice === 'string') return [];
  return 'not' in choice || choice.length < 2 ? [] : choice;
}

/** Every value that a clause names in a list, with the clause narrowed to it. */
function listNamedValues(clause: FlowClause): readonly NamedValue[] {
  const { actor, data, to } = clause;
  const found: NamedValue[] = [];
  const add = (
    attribute: string,
    choice: Choice<string> | undefined,
    narrow: (value: string) => object,
  ): void => {
    for (const value of listNamed(choice)) {
      found.push({ attribute, value, clause: { ...clause, ...narrow(value) } });
    }
  };
  for (const key of ['action', 'form', 'purpose', 'mechanism', 'consent'] as const)
    add(key, clause[key], (value) => ({ [key]: value }));
  for (const key of ['kind', 'role', 'employer', 'assurance', 'place'] as const)
    add(`actor ${key}`, actor?.[key], (value) => ({ actor: { ...actor, [key]: value } }));
  for (const key of ['class', 'category', 'regime', 'origin', 'residency'] as const)
    add(`data ${key}`, data?.[key], (value) => ({ data: { ...data, [key]: value } }));
  for (const key of ['kind', 'id', 'location', 'operator'] as const)
    add(`destination ${key}`, to?.[key], (value) => ({ to: { ...to, [key]: value } }));
  return found;
}

/** A rule names a value for which it never has its way: two sentences of the charter contradict. */
function inspectNames(inspection: Inspection, subject: Subject): readonly CharterFinding[] {
  const { id, pointer } = subject;
  return listNamedValues(subject.clause).flatMap(({ attribute, value, clause }) => {
    const live = inspection.live(inspection.reader.read(clause, pointer));
    if (live.length > 0 && inspection.isEverAllowed(live)) return [];
    const others = live.length === 0 ? [] : inspection.listForbidding(live);
    const words =
      live.length === 0
        ? `\`${id}\` names ${attribute} \`${value}\`, which cannot be together with the rest of it`
        : `\`${id}\` names ${attribute} \`${value}\`, and ${quote(others)} forbids all of that`;
    return [{ kind: 'rule-contradicted', subject: id, words, pointer, rules: others }] as const;
  });
}

function inspectProperties(inspection: Inspection): readonly CharterFinding[] {
  return inspection.charter.properties.flatMap(({ id, boxes }, index) =>
    boxes.some((box) => inspection.toReachable(box).length > 0)
      ? []
      : [
          {
            kind: 'property-empty',
            subject: id,
            words: `no flow can be what \`${id}\` speaks of: it proves nothing`,
            pointer: `/properties/${index}`,
            rules: [],
          } as const,
        ],
  );
}

/** Names that a clause gives under one of the keys. */
function doesName(clause: FlowClause, name: string): boolean {
  const lists = [
    clause.mechanism,
    clause.actor?.place,
    clause.data?.origin,
    clause.to?.location,
    clause.to?.operator,
  ];
  return lists.some((choice) => {
    if (choice === undefined) return false;
    if (typeof choice === 'string') return choice === name;
    return [('not' in choice ? choice.not : choice) ?? []].flat().includes(name);
  });
}

/** Grounds that end, with who rests on them. */
function inspectEnds(inspection: Inspection, options: FindingOptions): readonly CharterFinding[] {
  const { charter, subjects } = inspection;
  const { nowMs, withinDays } = options;
  const isSoon = (ms: number | undefined): ms is number =>
    ms !== undefined && Number.isFinite(ms) && ms <= nowMs + withinDays * DAY_MS;
  const when = (ms: number): string =>
    ms <= nowMs ? `ended on ${toDate(ms)}` : `ends on ${toDate(ms)}`;
  const resting = (name: string): readonly string[] =>
    subjects.filter(({ clause }) => doesName(clause, name)).map(({ id }) => id);
  const rest = (rules: readonly string[]): string =>
    rules.length === 0 ? '' : `; on it rest ${quote(rules)}`;
  const mechanisms = charter.mechanisms.flatMap(({ id, endsMs }): readonly CharterFinding[] => {
    if (!isSoon(endsMs)) return [];
    const rules = resting(id);
    const words = `\`${id}\` ${when(endsMs)}${rest(rules)}`;
    const pointer = `/mechanisms${toPointerStep(id)}`;
    return [{ kind: 'mechanism-expiring', subject: id, words, pointer, rules }];
  });
  const exceptions = subjects.flatMap((subject): readonly CharterFinding[] => {
    const { id, clause, pointer } = subject;
    if (!('exception' in clause)) return [];
    const endsMs = parseDate(clause.until);
    if (!isSoon(endsMs)) return [];
    const words = `the exception \`${id}\` ${when(endsMs)}`;
    return [{ kind: 'exception-expiring', subject: id, words, pointer, rules: [id] }];
  });
  return [
    ...mechanisms,
    ...exceptions,
    ...inspectAdequacy(inspection, { isSoon, when, resting, rest }),
  ];
}

interface Telling {
  readonly isSoon: (ms: number | undefined) => ms is number;
  readonly when: (ms: number) => string;
  readonly resting: (name: string) => readonly string[];
  readonly rest: (rules: readonly string[]) => string;
}

function inspectAdequacy(inspection: Inspection, telling: Telling): readonly CharterFinding[] {
  const { charter } = inspection;
  const { isSoon, when, resting, rest } = telling;
  const { atlas: onDate, places = {}, homes, cells } = charter.document;
  const found: CharterFinding[] = [];
  const add = (
    subject: string,
    pointer: string,
    rules: readonly string[],
    pair: { readonly by: string; readonly to: string; readonly endsMs: number | undefined },
  ): void => {
    const { by, to, endsMs } = pair;
    const tell = (kind: FindingKind, words: string): void => {
      found.push({ kind, subject, words: words + rest(rules), pointer, rules });
    };
    if (isSoon(endsMs)) {
      tell(
        'adequacy-expiring',
        `\`${subject}\`: adequacy of \`${to}\` in the eyes of \`${by}\` ${when(endsMs)}`,
      );
    }
    for (const { reviewBy, instrument } of adequacyDecisions({ by, to, onDate })) {
      if (reviewBy === undefined || !isSoon(parseDate(reviewBy))) continue;
      tell(
        'adequacy-review-due',
        `\`${subject}\`: ${instrument} on \`${to}\` asks for a review by ${reviewBy}`,
      );
    }
  };
  for (const [name, { adequacyBy: by }] of Object.entries(places)) {
    if (by === undefined) continue;
    for (const [to, endsMs] of charter.context.book.findMembers(name) ?? []) {
      add(name, `/places${toPointerStep(name)}`, resting(name), { by, to, endsMs });
    }
  }
  for (const [origin, { adequacyBy: by, cell }] of Object.entries(homes)) {
    if (by === undefined) continue;
    const to = cells[cell]?.location ?? cells[`${cell}/main`]?.location;
    if (to === undefined) continue;
    const endsMs = findAdequacyEnd({ by, to, onDate, acceptsPartial: true });
    add(origin, `/homes${toPointerStep(origin)}`, [], { by, to, endsMs });
  }
  return found;
}

/** Lists what a charter's author should look at. */
export function inspectCharter(
  charter: CompiledCharter,
  options: FindingOptions,
): readonly CharterFinding[] {
  const inspection = new Inspection(charter, options.nowMs);
  return [
    ...inspection.subjects.flatMap((subject) => inspectRule(inspection, subject)),
    ...inspectProperties(inspection),
    ...inspectEnds(inspection, options),
  ];
}
