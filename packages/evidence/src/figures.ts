// SPDX-License-Identifier: Apache-2.0
// Figures and registers out of the tenant's own entries. They are counted again when a pack is verified, so
// none of them is anybody's word. What cannot be counted from entries is named as not measured.
import { parseInstant } from '@bailiwick/kernel';
import type { EntryBody } from '@bailiwick/ledger';

/** An entry with its position. */
export interface PlacedBody {
  readonly index: number;
  readonly body: EntryBody;
}

type Counts = Record<string, number>;

/** A register as rows of texts, the first of them its head. */
export type Table = readonly (readonly string[])[];

/** What was counted. Names are sorted; instants are those of entries. */
export interface Figures {
  readonly entries: { readonly count: number; readonly first: string; readonly last: string };
  readonly kinds: Readonly<Counts>;
  readonly decisions: {
    readonly allowed: number;
    readonly denied: number;
    readonly denialsByRule: Readonly<Counts>;
    /** Charters that decided, by hash. */
    readonly charters: Readonly<Counts>;
  };
  /** Allowed flows by where they went, and by class how many went to the jurisdiction of the cell. */
  readonly flows: {
    readonly byLocation: Readonly<Counts>;
    readonly byClass: Readonly<
      Record<string, { readonly inPlace: number; readonly elsewhere: number }>
    >;
  };
  readonly transfers: { readonly byStep: Readonly<Counts>; readonly mechanisms: Readonly<Counts> };
  readonly keys: {
    readonly disabled: number;
    readonly enabled: number;
    /** Longest from accepted to effective of a disabling, in milliseconds. */
    readonly revokeMsMax: number | null;
    /** Disablings that were accepted and are not on record as effective. */
    readonly unfinished: number;
  };
  readonly erasures: {
    readonly asked: number;
    readonly done: number;
    readonly unfinished: readonly string[];
  };
  readonly incidents: {
    readonly refusals: Readonly<Counts>;
    readonly misdirected: number;
    readonly lateReleases: number;
  };
  readonly notMeasured: readonly string[];
}

/** Registers of a pack by file name. */
export interface Registers {
  readonly decisions: Table;
  readonly transfers: Table;
  readonly keys: Table;
  readonly erasures: Table;
  readonly violations: Table;
}

const NOT_MEASURED = [
  'data at rest by class and cell: entries tell of flows, not of what lies there',
  'rotation of keys',
  'drills',
] as const;

function add(counts: Counts, name: string, by = 1): void {
  counts[name] = (counts[name] ?? 0) + by;
}

function toSorted<T>(record: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function factOf({ facts }: EntryBody, name: string): string {
  const value = facts?.[name];
  if (value === undefined) return '';
  return Array.isArray(value) ? value.join(' ') : String(value);
}

interface Group {
  count: number;
  first: number;
  last: number;
}

/** Counts entries one by one; they come in the order of the log. */
export class FigureCounter {
  readonly #location: string;
  #count = 0;
  #first = '';
  #last = '';
  readonly #kinds: Counts = {};
  #allowed = 0;
  #denied = 0;
  readonly #denials: Counts = {};
  readonly #charters: Counts = {};
  readonly #locations: Counts = {};
  readonly #classes: Record<string, { inPlace: number; elsewhere: number }> = {};
  readonly #steps: Counts = {};
  readonly #mechanisms: Counts = {};
  readonly #refusals: Counts = {};
  readonly #groups = new Map<string, Group>();
  readonly #days = new Map<string, Counts>();
  readonly #transfers: PlacedBody[] = [];
  readonly #keys: PlacedBody[] = [];
  readonly #erasures: PlacedBody[] = [];

  /** `location` is the jurisdiction where the cell stands. */
  constructor(location: string) {
    this.#location = location;
  }

  add(placed: PlacedBody): void {
    const { body } = placed;
    this.#count += 1;
    if (this.#first === '') this.#first = body.at;
    this.#last = body.at;
    add(this.#kinds, body.kind);
    this.#addDecision(placed);
    if (body.kind === 'transfer' || body.kind === 'delivery') this.#transfers.push(placed);
    if (body.kind === 'key') this.#keys.push(placed);
    if (body.kind === 'erasure') this.#erasures.push(placed);
    if (body.kind === 'transfer') add(this.#steps, factOf(body, 'step') || 'told');
    if (body.kind === 'refusal') add(this.#refusals, factOf(body, 'code') || 'untold');
    if (['refusal', 'misdirected', 'late-release'].includes(body.kind))
      this.#addDay(body, body.kind);
  }

  #addDecision({ index, body }: PlacedBody): void {
    const { decision, flow } = body;
    if (decision === undefined) return;
    add(this.#charters, decision.charter);
    if (decision.outcome === 'deny') {
      this.#denied += 1;
      for (const rule of decision.rules) add(this.#denials, rule);
      this.#addDay(body, 'denied');
    } else this.#allowed += 1;
    if (flow === undefined) return;
    if (decision.outcome === 'allow') this.#addFlow(flow.data.class, flow.to.location);
    if (flow.mechanism !== undefined) add(this.#mechanisms, flow.mechanism);
    const key = JSON.stringify([
      ...[decision.outcome, flow.action, flow.purpose, flow.data.class, flow.form],
      ...[flow.to.kind, flow.to.location, body.actor?.role ?? '', decision.rules.join(' ')],
    ]);
    const group = this.#groups.get(key) ?? { count: 0, first: index, last: index };
    group.count += 1;
    group.last = index;
    this.#groups.set(key, group);
  }

  #addFlow(dataClass: string, location: string): void {
    add(this.#locations, location);
    const own = this.#classes[dataClass] ?? { inPlace: 0, elsewhere: 0 };
    this.#classes[dataClass] = own;
    if (location === this.#location) own.inPlace += 1;
    else own.elsewhere += 1;
  }

  #addDay({ at }: EntryBody, what: string): void {
    const day = at.slice(0, 10);
    const counts = this.#days.get(day) ?? {};
    this.#days.set(day, counts);
    add(counts, what);
  }

  /** What was counted so far. */
  toFigures(): Figures {
    return {
      entries: { count: this.#count, first: this.#first, last: this.#last },
      kinds: toSorted(this.#kinds),
      decisions: {
        allowed: this.#allowed,
        denied: this.#denied,
        denialsByRule: toSorted(this.#denials),
        charters: toSorted(this.#charters),
      },
      flows: { byLocation: toSorted(this.#locations), byClass: toSorted(this.#classes) },
      transfers: { byStep: toSorted(this.#steps), mechanisms: toSorted(this.#mechanisms) },
      keys: this.#countKeys(),
      erasures: this.#countErasures(),
      incidents: {
        refusals: toSorted(this.#refusals),
        misdirected: this.#kinds['misdirected'] ?? 0,
        lateReleases: this.#kinds['late-release'] ?? 0,
      },
      notMeasured: NOT_MEASURED,
    };
  }

  #countKeys(): Figures['keys'] {
    const done = this.#keys.filter(({ body }) => factOf(body, 'step') !== 'asked');
    const ofState = (to: string): readonly PlacedBody[] =>
      done.filter(({ body }) => factOf(body, 'to') === to);
    const waits = ofState('disabled').flatMap(({ body }) => {
      const [from, until] = [factOf(body, 'acceptedAt'), factOf(body, 'effectiveAt')];
      return from === '' || until === '' ? [] : [parseInstant(until) - parseInstant(from)];
    });
    return {
      disabled: ofState('disabled').length,
      enabled: ofState('enabled').length,
      revokeMsMax: waits.length === 0 ? null : Math.max(...waits),
      unfinished: ofState('disabled').filter(({ body }) => factOf(body, 'effectiveAt') === '')
        .length,
    };
  }

  #countErasures(): Figures['erasures'] {
    const steps = new Map<string, Set<string>>();
    for (const { body } of this.#erasures) {
      const id = factOf(body, 'erasure');
      if (id === '') continue;
      const own = steps.get(id) ?? new Set<string>();
      steps.set(id, own.add(factOf(body, 'step')));
    }
    const unfinished = [...steps].filter(([, own]) => own.has('asked') && !own.has('done'));
    return {
      asked: [...steps.values()].filter((own) => own.has('asked')).length,
      done: [...steps.values()].filter((own) => own.has('done')).length,
      unfinished: unfinished.map(([id]) => id).sort(),
    };
  }

  /** The registers, as far as counted. */
  toRegisters(): Registers {
    return {
      decisions: [
        [
          'outcome',
          'action',
          'purpose',
          'class',
          'form',
          'to',
          'location',
          'role',
          'rules',
          'count',
          'first position',
          'last position',
        ],
        ...[...this.#groups]
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([key, { count, first, last }]) => [
            ...(JSON.parse(key) as string[]),
            ...[count, first, last].map(String),
          ]),
      ],
      transfers: toTable(this.#transfers, [
        ...['step', 'transfer', 'transferKind', 'form', 'destination', 'from', 'code'],
        ...['groups', 'suppressed', 'leftOut', 'statement', 'remoteEntry'],
      ]),
      keys: toTable(this.#keys, [
        'step',
        'change',
        'key',
        'to',
        'acceptedAt',
        'effectiveAt',
        'receiptCount',
        'receiptHash',
      ]),
      erasures: toTable(this.#erasures, [
        'step',
        'erasure',
        'recordsCount',
        'survivorsCount',
        'replicas',
        'receiptCount',
        'receiptHash',
      ]),
      violations: [
        ['day', 'denied', 'refused', 'misdirected', 'late releases'],
        ...[...this.#days]
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([day, counts]) => [
            day,
            ...['denied', 'refusal', 'misdirected', 'late-release'].map((what) =>
              String(counts[what] ?? 0),
            ),
          ]),
      ],
    };
  }
}

function toTable(placed: readonly PlacedBody[], facts: readonly string[]): Table {
  return [
    ['position', 'entry', 'at', 'account', 'role', 'location', ...facts],
    ...placed.map(({ index, body }) => [
      ...[String(index), body.id, body.at, body.actor?.account ?? '', body.actor?.role ?? ''],
      ...[body.flow?.to.location ?? '', ...facts.map((name) => factOf(body, name))],
    ]),
  ];
}

/** RFC 4180; a text that a spreadsheet would run as a formula is made a text. */
export function toCsv(table: Table): string {
  const toField = (text: string): string => {
    const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return table.map((row) => `${row.map(toField).join(',')}\r\n`).join('');
}
