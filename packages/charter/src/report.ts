// SPDX-License-Identifier: Apache-2.0
// Registers that a law asks for, written from what the rules really allow: a recipient stands in them only
// if some flow to it is allowed, and every such recipient does. What no charter knows (names and contacts
// of people) is left to be filled in, and said so.
import { transferInstruments } from '@bailiwick/atlas';
import { ATTRIBUTE_INDEX, type AttributeId, NONE } from './attribute.ts';
import { type Box, complementSet, isEmptyBox, narrowBox, toSingle } from './box.ts';
import type { CompiledCharter } from './compile.ts';
import { createReachable, findOutside } from './escape.ts';
import { toPeriodSet } from './flow-box.ts';
import { toDate } from './words.ts';

export const REPORT_KINDS = [
  'article-30-controller',
  'article-30-processor',
  'transfer-register',
] as const;
export type ReportKind = (typeof REPORT_KINDS)[number];

/** A register as a table; a cell of it is a list. */
export interface CharterReport {
  readonly kind: ReportKind;
  readonly title: string;
  readonly source: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (readonly string[])[])[];
  /** What its reader has to add or know. */
  readonly notes: readonly string[];
}

export interface ReportOptions {
  /** The register says how the law stands at this instant. */
  readonly nowMs: number;
}

/** Forms in which somebody can be recognised. */
const RECOGNISABLE = ['plain', 'tokenised', 'pseudonymised'] as const;
const FILL_IN = [
  'Name and contact of the controller, its representative and its data protection officer stand in no charter: add them.',
  'Categories of people stand in no charter: add them.',
  'Categories of data that the charter lets nobody take in are left out.',
] as const;

/** Asks what is allowed now, value by value. */
class Asker {
  readonly charter: CompiledCharter;
  readonly #toReachable: (box: Box) => readonly Box[];
  readonly #forbids: readonly Box[];
  readonly #now: Uint8Array;
  #takenIn: readonly string[] | undefined;

  constructor(charter: CompiledCharter, nowMs: number) {
    this.charter = charter;
    this.#toReachable = createReachable(charter);
    this.#now = toPeriodSet(charter.instantsMs, nowMs, nowMs + 1);
    this.#forbids = charter.variants
      .filter(({ rule }) => charter.rules[rule]?.effect === 'forbid')
      .map(({ box }) => box);
  }

  valuesOf(id: AttributeId): readonly string[] {
    return this.charter.attributes[ATTRIBUTE_INDEX[id]]?.values ?? [];
  }

  narrow(boxes: readonly Box[], id: AttributeId, names: readonly string[]): readonly Box[] {
    const set = Uint8Array.from(this.valuesOf(id), (value) => (names.includes(value) ? 1 : 0));
    return this.#cut(boxes, id, set);
  }

  /** Recognisable data about people, now, under rules that allow; all of them or one. */
  start(rule?: number): readonly Box[] {
    const { variants, rules } = this.charter;
    const own = variants
      .filter((variant) => rules[variant.rule]?.effect === 'allow')
      .filter((variant) => rule === undefined || variant.rule === rule)
      .flatMap(({ box }) => this.#toReachable(narrowBox(box, ATTRIBUTE_INDEX.period, this.#now)));
    const personal = this.narrow(
      this.narrow(own, 'data.class', ['restricted']),
      'form',
      RECOGNISABLE,
    );
    return this.#atHome(this.narrow(personal, 'data.category', this.#listTakenIn()));
  }

  /** Only data as there is: where it was collected, its home and its laws go together. */
  #atHome(boxes: readonly Box[]): readonly Box[] {
    const origins = new Map<string, string[]>();
    for (const [origin, home] of this.charter.homes) {
      if (!home.ok) continue;
      for (const regime of home.regimes) {
        const key = `${home.residency} ${regime}`;
        origins.set(key, [...(origins.get(key) ?? []), origin]);
      }
    }
    return [...origins].flatMap(([key, names]) => {
      const [residency = '', regime = ''] = key.split(' ');
      const own = this.narrow(boxes, 'data.residency', [residency]);
      return this.narrow(this.narrow(own, 'data.regime', [regime]), 'data.origin', names);
    });
  }

  /** Categories that may be taken in at all: what is never there is never processed. */
  #listTakenIn(): readonly string[] {
    this.#takenIn ??= this.list(
      this.narrow(
        this.charter.variants
          .filter(({ rule }) => this.charter.rules[rule]?.effect === 'allow')
          .flatMap(({ box }) => this.#toReachable(box)),
        'action',
        ['ingest', 'seal', 'update'],
      ).flatMap((box) => this.narrow([box], 'form', RECOGNISABLE)),
      'data.category',
    );
    return this.#takenIn;
  }

  /** Cells and providers, each as what it is: a reader who sits in a cell is a reader. */
  listRecipients(boxes: readonly Box[]): readonly string[] {
    const { cells, providers } = this.charter;
    const cellIds = new Set(cells.map(({ id }) => String(id)));
    const ofCells = this.list(this.narrow(boxes, 'to.kind', ['cell']), 'to.id');
    const ofProviders = this.list(this.narrow(boxes, 'to.kind', ['provider']), 'to.id');
    return [
      ...ofCells.filter((id) => cellIds.has(id)),
      ...ofProviders.filter((id) => providers.some((provider) => provider.id === id)),
    ];
  }

  isAllowed(boxes: readonly Box[]): boolean {
    return findOutside(boxes, this.#forbids) !== undefined;
  }

  /** Values of an attribute for which something of `boxes` is allowed. */
  list(boxes: readonly Box[], id: AttributeId): readonly string[] {
    return this.valuesOf(id).filter((_, index) => {
      const single = toSingle(this.valuesOf(id).length, index);
      const narrowed = this.#cut(boxes, id, single);
      return narrowed.length > 0 && this.isAllowed(narrowed);
    });
  }

  /** What of `boxes` leaves the territory of the data's own cell, or is run under another law. */
  leaving(boxes: readonly Box[]): readonly Box[] {
    const { cells, context } = this.charter;
    const locations = this.valuesOf('to.location');
    const residencies = this.valuesOf('data.residency');
    return residencies.flatMap((residency) => {
      const inside = new Set(
        cells
          .filter((cell) => cell.residency === residency)
          .flatMap((cell) => [
            cell.location,
            ...(context.territoryOf.get(residency) ?? []).flatMap(({ name }) => [
              ...(context.book.findMembers(name)?.keys() ?? []),
            ]),
          ]),
      );
      const outside = Uint8Array.from(locations, (place) => (inside.has(place) ? 0 : 1));
      const own = this.narrow(boxes, 'data.residency', [residency]);
      const away = this.#cut(own, 'to.location', outside);
      const here = this.#cut(own, 'to.location', complementSet(outside));
      const run = this.narrow(here, 'to.kind', ['cell', 'provider', 'control']);
      return [...away, ...this.#cut(run, 'to.operator', outside)];
    });
  }

  #cut(boxes: readonly Box[], id: AttributeId, set: Uint8Array): readonly Box[] {
    return boxes
      .map((box) => narrowBox(box, ATTRIBUTE_INDEX[id], set))
      .filter((box) => !isEmptyBox(box));
  }
}

/** Places by the narrowest name that the charter has for exactly these; else one by one. */
function tellPlaces(charter: CompiledCharter, places: readonly string[]): readonly string[] {
  const rest = new Set(places);
  if (rest.size === charter.attributes[ATTRIBUTE_INDEX['to.location']]?.values.length) {
    return ['anywhere'];
  }
  const names = [
    ...Object.keys(charter.document.places ?? {}),
    ...Object.values(charter.document.cells).flatMap(({ territory }) => territory ?? []),
    ...Object.keys(charter.document.homes),
  ];
  const groups = [...new Set(names)]
    .map((name) => [name, [...(charter.context.book.findMembers(name)?.keys() ?? [])]] as const)
    .filter(([, members]) => members.length > 1)
    .sort((a, b) => b[1].length - a[1].length);
  const told: string[] = [];
  for (const [name, members] of groups) {
    const known = members.filter((place) =>
      charter.attributes[ATTRIBUTE_INDEX['to.location']]?.indexOf.has(place),
    );
    if (known.length < 2 || !known.every((place) => rest.has(place))) continue;
    told.push(name);
    for (const place of known) rest.delete(place);
  }
  return [...told, ...rest];
}

const named = (values: readonly string[]): readonly string[] =>
  values.filter((value) => value !== NONE);

function tellInstrument(charter: CompiledCharter, mechanism: string, regime: string): string {
  if (regime === NONE || mechanism === NONE) return '';
  const id = charter.mechanisms.find((item) => item.id === mechanism)?.under[regime];
  const instrument = transferInstruments(regime, charter.atlasDate).find((item) => item.id === id);
  return instrument === undefined ? (id ?? '') : `${instrument.id} (${instrument.article})`;
}

function tellRetention(charter: CompiledCharter, categories: readonly string[]): readonly string[] {
  return categories.map((category) => {
    const terms = charter.document.retention?.filter((item) => item.category === category) ?? [];
    return terms.length === 0
      ? `${category}: no term set`
      : terms
          .map(
            ({ keepFor, from, jurisdiction, required }) =>
              `${category}${jurisdiction === undefined ? '' : ` of ${jurisdiction}`}: ${keepFor} from ${from}${required === true ? ' (must be kept)' : ''}`,
          )
          .join('; ');
  });
}

function tellSecurity(charter: CompiledCharter): readonly string[] {
  return Object.entries(charter.keys).map(([dataClass, { custody, doubleKey, attestation }]) =>
    [
      `${dataClass}: keys in custody of ${custody}`,
      ...(doubleKey === true ? ['two keys'] : []),
      ...(attestation === true ? ['attested processes only'] : []),
    ].join(', '),
  );
}

function listSafeguards(asker: Asker, leaving: readonly Box[]): readonly string[] {
  return named(asker.list(leaving, 'mechanism')).flatMap((mechanism) => {
    const under = asker.narrow(leaving, 'mechanism', [mechanism]);
    return named(asker.list(under, 'data.regime'))
      .map((regime) => tellInstrument(asker.charter, mechanism, regime))
      .filter((text) => text !== '');
  });
}

function toPurposeRow(
  asker: Asker,
  purpose: string,
  boxes: readonly Box[],
): readonly (readonly string[])[] {
  const { charter } = asker;
  const clause = charter.document.purposes[purpose];
  const categories = named(asker.list(boxes, 'data.category'));
  const leaving = asker.leaving(boxes);
  return [
    [purpose],
    [clause?.means ?? ''],
    clause?.basis ?? [],
    categories,
    asker.list(boxes, 'actor.role'),
    asker.listRecipients(boxes),
    tellPlaces(charter, asker.list(leaving, 'to.location')),
    [...new Set(listSafeguards(asker, leaving))],
    tellRetention(charter, categories),
    tellSecurity(charter),
  ];
}

const PURPOSE_COLUMNS = [
  'purpose',
  'what it is',
  'legal basis',
  'categories of data',
  'roles that act',
  'cells and providers that receive',
  'places beyond the home',
  'safeguards that are used',
  'erasure',
  'security',
] as const;

function toArticle30(
  asker: Asker,
  kind: 'article-30-controller' | 'article-30-processor',
): CharterReport {
  const { charter } = asker;
  const isProcessor = kind === 'article-30-processor';
  const start = isProcessor
    ? asker.narrow(asker.start(), 'actor.employer', ['processor'])
    : asker.start();
  const rows = charter.purposes.flatMap((purpose) => {
    const boxes = asker.narrow(start, 'purpose', [purpose]);
    return boxes.length > 0 && asker.isAllowed(boxes) ? [toPurposeRow(asker, purpose, boxes)] : [];
  });
  const who = isProcessor ? 'processing carried out for controllers' : 'processing activities';
  return {
    kind,
    title: `Record of ${who}: ${charter.document.title ?? charter.name}`,
    source: isProcessor ? 'GDPR Art. 30(2)' : 'GDPR Art. 30(1)',
    columns: PURPOSE_COLUMNS,
    rows,
    notes: [
      ...FILL_IN,
      ...(isProcessor && !charter.employers.includes('processor')
        ? ['The charter has no employer `processor`: nobody acts for a controller.']
        : []),
    ],
  };
}

function toTransferRegister(asker: Asker): CharterReport {
  const { charter } = asker;
  const rows = charter.rules.flatMap((rule, index) => {
    if (rule.effect === 'forbid') return [];
    const leaving = asker.leaving(asker.start(index));
    return asker.list(leaving, 'data.regime').flatMap((regime) => {
      const ofRegime = asker.narrow(leaving, 'data.regime', [regime]);
      const free = asker.narrow(ofRegime, 'mechanism', [NONE]);
      return asker.list(ofRegime, 'mechanism').flatMap((mechanism) => {
        // A mechanism is in the register where it is needed, and not where it may be stated as well.
        const isFree = free.length > 0 && asker.isAllowed(free);
        const places = isFree ? asker.list(free, 'to.location') : [];
        const needed = asker.valuesOf('to.location').filter((place) => !places.includes(place));
        const under = asker.narrow(ofRegime, 'mechanism', [mechanism]);
        const boxes = mechanism === NONE ? under : asker.narrow(under, 'to.location', needed);
        if (boxes.length === 0 || !asker.isAllowed(boxes)) return [];
        const endsMs = charter.mechanisms.find(({ id }) => id === mechanism)?.endsMs;
        const instrument = mechanism === NONE ? '' : tellInstrument(charter, mechanism, regime);
        return [
          [
            [rule.id],
            [regime],
            asker.list(boxes, 'data.residency'),
            named(asker.list(boxes, 'data.category')),
            asker.list(boxes, 'form'),
            [...asker.list(boxes, 'to.kind'), ...asker.listRecipients(boxes)],
            tellPlaces(charter, asker.list(boxes, 'to.location')),
            tellPlaces(charter, asker.list(boxes, 'to.operator')),
            asker.list(boxes, 'purpose'),
            [mechanism],
            instrument === '' ? [] : [instrument],
            endsMs === undefined ? [] : [toDate(endsMs)],
            [rule.because],
            [rule.source],
          ],
        ];
      });
    });
  });
  return {
    kind: 'transfer-register',
    title: `Register of transfers: ${charter.document.title ?? charter.name}`,
    source: 'GDPR Art. 30(1)(e), 44 ff., and their like',
    columns: [
      'rule',
      'regime',
      'from residency',
      'categories of data',
      'forms',
      'to',
      'places',
      'operators under the law of',
      'purposes',
      'mechanism',
      'instrument',
      'ends',
      'because',
      'source',
    ],
    rows,
    notes: [
      'A flow that leaves the territory of the data’s own cell stands in it, and one that stays there with an operator under another law.',
      'Categories that the charter lets nobody take in are left out.',
      'Data that nobody can be recognised in (aggregated, anonymised, synthetic) is left out.',
      'A mechanism stands in it where the flow needs one.',
    ],
  };
}

/**
 * Writes a register.
 *
 * @throws {CharterError} `CHARTER_SPACE_TOO_LARGE`
 */
export function toCharterReport(
  charter: CompiledCharter,
  kind: ReportKind,
  options: ReportOptions,
): CharterReport {
  const asker = new Asker(charter, options.nowMs);
  return kind === 'transfer-register' ? toTransferRegister(asker) : toArticle30(asker, kind);
}
