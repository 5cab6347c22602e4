// SPDX-License-Identifier: Apache-2.0
// What a charter means: names looked up, rules written out as boxes. Everything that is wrong is reported
// with a pointer into the document; whoever calls decides whether that is an error.
import { ATLAS_DATES, findJurisdiction } from '@bailiwick/atlas';
import {
  type CellId,
  isCoded,
  parseCellId,
  parseDate,
  parseInstant,
  type Residency,
  toResidency,
} from '@bailiwick/kernel';
import { ATTRIBUTE_INDEX, type Attribute, createAttributes, listPlaces } from './attribute.ts';
import { type Box, intersectSets, isEmptySet, type Variant } from './box.ts';
import type { CharterDocument, MechanismClause } from './document.ts';
import {
  type BoxContext,
  BoxReader,
  HOME,
  type MechanismReach,
  type NamedPlace,
  toPeriodSet,
} from './flow-box.ts';
import { type Home, resolveHomes } from './home.ts';
import { checkMechanisms, checkRegimes } from './law-check.ts';
import { CONDITION_COUNT_MAX, INSTANT_COUNT_MAX } from './limits.ts';
import { checkPlaceNames, checkPlaces } from './place-check.ts';
import { createPlaceBook, type PlaceBook } from './places.ts';
import { type CompiledRule, checkAggregate, readRulings, toVariants } from './ruling.ts';
import { type Report, toPointerStep } from './shape.ts';
import { findNearest } from './suggest.ts';

export interface CompiledCell {
  readonly id: CellId;
  readonly residency: Residency;
  readonly location: string;
  readonly operator: string;
}

export interface CompiledProvider {
  readonly id: string;
  readonly location: string;
  readonly operator: string;
}

export interface CompiledMechanism {
  readonly id: string;
  /** Regime to the atlas's instrument. */
  readonly under: Readonly<Record<string, string>>;
  /** First instant; absent: always. */
  readonly fromMs?: number;
  /** First instant at which it no longer holds, by expiry or suspension; absent: no end. */
  readonly endsMs?: number;
}

/** A property to be proved: none of these flows is allowed. */
export interface CompiledProperty {
  readonly id: string;
  readonly because: string;
  readonly boxes: readonly Box[];
}

export interface Resolved {
  readonly cells: readonly CompiledCell[];
  readonly providers: readonly CompiledProvider[];
  readonly mechanisms: readonly CompiledMechanism[];
  readonly regimes: readonly string[];
  readonly homes: ReadonlyMap<string, Home>;
  readonly conditions: readonly string[];
  readonly instantsMs: readonly number[];
  readonly attributes: readonly Attribute[];
  readonly rules: readonly CompiledRule[];
  readonly variants: readonly Variant[];
  readonly properties: readonly CompiledProperty[];
  readonly context: BoxContext;
}

function toMoment(text: string): number {
  return text.includes('T') ? parseInstant(text) : parseDate(text);
}

/** Runs a parse of a date; a date that is no day of the calendar is reported. */
function readMoment(text: string, pointer: string, report: Report): number | undefined {
  try {
    return toMoment(text);
  } catch (error) {
    if (!isCoded(error, 'KERNEL_INSTANT_INVALID')) throw error;
    report({
      code: 'CHARTER_PERIOD_INVALID',
      message: `\`${text}\` is no day of the calendar`,
      pointer,
      expected: 'a date such as `2026-11-20`',
    });
    return undefined;
  }
}

function checkJurisdiction(id: string, pointer: string, report: Report): void {
  const found = findJurisdiction(id);
  if (found && found.id === id && found.kind !== 'grouping') return;
  const suggestion = found && found.kind !== 'grouping' ? found.id : findNearest(id, listPlaces());
  report({
    code: 'CHARTER_NAME_UNKNOWN',
    message: `\`${id}\` is no jurisdiction of the atlas${suggestion ? `: did you mean \`${suggestion}\`?` : ''}`,
    pointer,
    expected: 'a jurisdiction such as `de` or `us-va`',
    ...(suggestion === undefined ? {} : { suggestion }),
  });
}

/** Clauses that name nothing would keep nothing, and nobody would notice. */
function checkRetention(document: CharterDocument, report: Report): void {
  const categories = Object.keys(document.categories);
  for (const [index, { category, jurisdiction }] of (document.retention ?? []).entries()) {
    const pointer = `/retention/${index}`;
    if (!categories.includes(category)) {
      const suggestion = findNearest(category, categories);
      report({
        code: 'CHARTER_NAME_UNKNOWN',
        message: `\`${category}\` is no category of this charter`,
        pointer: `${pointer}/category`,
        expected: 'a name of `categories`',
        ...(suggestion === undefined ? {} : { suggestion }),
      });
    }
    if (jurisdiction === undefined || findJurisdiction(jurisdiction)?.id === jurisdiction) continue;
    report({
      code: 'CHARTER_NAME_UNKNOWN',
      message: `\`${jurisdiction}\` is no jurisdiction of the atlas`,
      pointer: `${pointer}/jurisdiction`,
      expected: 'a jurisdiction or a grouping such as `de` or `eea`',
    });
  }
}

function resolveCells(document: CharterDocument, report: Report): readonly CompiledCell[] {
  const cells = new Map<string, CompiledCell>();
  for (const [key, clause] of Object.entries(document.cells)) {
    const pointer = `/cells${toPointerStep(key)}`;
    const id = parseCellId(key);
    if (cells.has(id))
      report({
        code: 'CHARTER_KEY_DUPLICATE',
        message: `\`${id}\` is declared twice`,
        pointer,
        expected: 'each cell once',
      });
    checkJurisdiction(clause.location, `${pointer}/location`, report);
    checkJurisdiction(clause.operator, `${pointer}/operator`, report);
    cells.set(id, {
      id,
      residency: toResidency(id),
      location: clause.location,
      operator: clause.operator,
    });
  }
  const references: (readonly [cell: string, pointer: string])[] = [
    ...Object.entries(document.homes).map(
      ([key, home]) => [home.cell, `/homes${toPointerStep(key)}/cell`] as const,
    ),
    ...(document.otherwise ? [[document.otherwise.cell, '/otherwise/cell'] as const] : []),
  ];
  for (const [cell, pointer] of references) {
    if (cells.has(parseCellId(cell))) continue;
    const suggestion = findNearest(
      cell,
      [...cells.keys()].flatMap((id) => [id, toResidency(parseCellId(id))]),
    );
    report({
      code: 'CHARTER_NAME_UNKNOWN',
      message: `\`${cell}\` is no cell of this charter${suggestion ? `: did you mean \`${suggestion}\`?` : ''}`,
      pointer,
      expected: `one of ${[...cells.keys()].map((id) => `\`${id}\``).join(', ')}`,
      ...(suggestion === undefined ? {} : { suggestion }),
    });
  }
  return [...cells.values()];
}

function resolveMechanism(id: string, clause: MechanismClause, report: Report): CompiledMechanism {
  const pointer = `/mechanisms${toPointerStep(id)}`;
  const fromMs =
    clause.from === undefined ? undefined : readMoment(clause.from, `${pointer}/from`, report);
  const ends = (['until', 'suspendedFrom'] as const).flatMap((key) => {
    const text = clause[key];
    const ms = text === undefined ? undefined : readMoment(text, `${pointer}/${key}`, report);
    return ms === undefined ? [] : [ms];
  });
  return {
    id,
    under: { ...clause.under },
    ...(fromMs === undefined ? {} : { fromMs }),
    ...(ends.length === 0 ? {} : { endsMs: Math.min(...ends) }),
  };
}

function listInstants(
  document: CharterDocument,
  mechanisms: readonly CompiledMechanism[],
  book: PlaceBook,
  report: Report,
): readonly number[] {
  const instants = new Set<number>();
  const add = (ms: number | undefined): void => {
    if (ms !== undefined && Number.isFinite(ms)) instants.add(ms);
  };
  const clauses = [
    ...document.rules.map((clause, index) => [clause, `/rules/${index}`] as const),
    ...(document.exceptions ?? []).map(
      (clause, index) => [clause, `/exceptions/${index}`] as const,
    ),
    ...(document.properties ?? []).map(
      (clause, index) => [clause.never, `/properties/${index}/never`] as const,
    ),
  ];
  for (const [clause, pointer] of clauses) {
    for (const key of ['from', 'until'] as const) {
      const text = clause[key];
      if (text !== undefined) add(readMoment(text, `${pointer}/${key}`, report));
    }
  }
  for (const mechanism of mechanisms) {
    add(mechanism.fromMs);
    add(mechanism.endsMs);
  }
  for (const name of Object.keys(document.places ?? {})) {
    for (const endsMs of book.findMembers(name)?.values() ?? []) add(endsMs);
  }
  if (instants.size > INSTANT_COUNT_MAX) {
    report({
      code: 'CHARTER_PERIOD_INVALID',
      message: `the charter names ${instants.size} instants`,
      pointer: '',
      expected: `at most ${INSTANT_COUNT_MAX}`,
    });
  }
  return [...instants].sort((a, b) => a - b).slice(0, INSTANT_COUNT_MAX);
}

function checkNames(
  document: CharterDocument,
  homes: ReadonlyMap<string, Home>,
  report: Report,
): void {
  for (const [label, id] of Object.entries(document.names ?? {})) {
    if (homes.has(id)) continue;
    report({
      code: 'CHARTER_NAME_UNKNOWN',
      message: `\`${id}\` is no jurisdiction of the atlas`,
      pointer: `/names${toPointerStep(label)}`,
      expected: 'a jurisdiction such as `ie`',
    });
  }
  for (const key of Object.keys(document.places ?? {})) {
    if (findJurisdiction(key)) {
      report({
        code: 'CHARTER_NAME_LOOKALIKE',
        message: `\`${key}\` is a name of the atlas already`,
        pointer: `/places${toPointerStep(key)}`,
        expected: 'a name of its own',
      });
    }
  }
  for (const section of ['categories', 'mechanisms', 'providers', 'regimes', 'cells'] as const) {
    for (const key of Object.keys(document[section] ?? {})) {
      if (key === 'none' || key === HOME) {
        report({
          code: 'CHARTER_NAME_INVALID',
          message: `\`${key}\` has a meaning of its own in rules`,
          pointer: `/${section}${toPointerStep(key)}`,
          expected: 'another name',
        });
      }
    }
  }
}

function toReaches(
  mechanisms: readonly CompiledMechanism[],
  attributes: readonly Attribute[],
  instantsMs: readonly number[],
): readonly MechanismReach[] {
  const regimes = attributes[ATTRIBUTE_INDEX['data.regime']];
  return mechanisms.map(({ id, under, fromMs, endsMs }) => ({
    id,
    regimes: Uint8Array.from(regimes?.values ?? [], (regime) =>
      Object.hasOwn(under, regime) ? 1 : 0,
    ),
    periods:
      fromMs === undefined && endsMs === undefined
        ? undefined
        : toPeriodSet(
            instantsMs,
            fromMs ?? Number.NEGATIVE_INFINITY,
            endsMs ?? Number.POSITIVE_INFINITY,
          ),
  }));
}

/** The names of the places from which each residency's data is read day by day. */
function toTerritories(document: CharterDocument): ReadonlyMap<string, readonly NamedPlace[]> {
  const territories = new Map<string, NamedPlace[]>();
  for (const [key, { location, territory }] of Object.entries(document.cells)) {
    const names = territory === undefined ? [location] : [territory].flat();
    const residency = toResidency(parseCellId(key));
    const pointer = `/cells${toPointerStep(key)}/${territory === undefined ? 'location' : 'territory'}`;
    const places = names.map((name) => ({ name, pointer }));
    territories.set(residency, [...(territories.get(residency) ?? []), ...places]);
  }
  return territories;
}

/** Where the atlas has no such date the rest is read as of its newest, so that all problems are told. */
function withKnownDate(document: CharterDocument, report: Report): CharterDocument {
  if (ATLAS_DATES.includes(document.atlas)) return document;
  const newest = ATLAS_DATES.at(-1) ?? '';
  report({
    code: 'CHARTER_ATLAS_DATE_UNKNOWN',
    message: `there is no atlas of \`${document.atlas}\``,
    pointer: '/atlas',
    expected: `one of ${ATLAS_DATES.map((date) => `\`${date}\``).join(', ')}`,
    suggestion: newest,
  });
  return { ...document, atlas: newest };
}

/** Every regime that a datum can carry. */
function listCarried(
  document: CharterDocument,
  homes: ReadonlyMap<string, Home>,
): readonly string[] {
  const ofHomes = [...homes.values()].flatMap((home) => (home.ok ? home.regimes : []));
  return [...new Set([...ofHomes, ...Object.keys(document.regimes ?? {})])].sort();
}

function listConditions(document: CharterDocument, report: Report): readonly string[] {
  const conditions = Object.keys(document.conditions ?? {});
  if (conditions.length > CONDITION_COUNT_MAX) {
    report({
      code: 'CHARTER_SHAPE_INVALID',
      message: `the charter has ${conditions.length} conditions`,
      pointer: '/conditions',
      expected: `at most ${CONDITION_COUNT_MAX}`,
    });
  }
  return conditions.slice(0, CONDITION_COUNT_MAX);
}

function resolveProviders(document: CharterDocument, report: Report): readonly CompiledProvider[] {
  return Object.entries(document.providers ?? {}).map(([id, { location, operator }]) => {
    checkJurisdiction(location, `/providers${toPointerStep(id)}/location`, report);
    checkJurisdiction(operator, `/providers${toPointerStep(id)}/operator`, report);
    return { id, location, operator };
  });
}

/** Looks up every name and writes every rule out. */
export function resolveCharter(written: CharterDocument, report: Report): Resolved {
  const document = withKnownDate(written, report);
  const cells = resolveCells(document, report);
  checkRegimes(document, report);
  checkMechanisms(document, report);
  const providers = resolveProviders(document, report);
  const homes = resolveHomes(document, report);
  checkNames(document, homes, report);
  const mechanisms = Object.entries(document.mechanisms ?? {}).map(([id, clause]) =>
    resolveMechanism(id, clause, report),
  );
  const regimes = listCarried(document, homes);
  const origins = [...homes].filter(([, home]) => home.ok).map(([origin]) => origin);
  const book = createPlaceBook({
    onDate: document.atlas,
    candidates: [...new Set([...listPlaces(), ...origins])],
    places: document.places ?? {},
  });
  checkPlaces(document, book, report);
  checkPlaceNames([...toTerritories(document).values()].flat(), book, report);
  checkRetention(document, report);
  const instantsMs = listInstants(document, mechanisms, book, report);
  const conditions = listConditions(document, report);
  const attributes = createAttributes({
    roles: Object.keys(document.roles),
    employers: Object.keys(document.employers),
    categories: Object.keys(document.categories),
    regimes,
    origins,
    residencies: [...new Set(cells.map((cell) => cell.residency))],
    destinations: [...cells.map((cell) => cell.id), ...providers.map((provider) => provider.id)],
    purposes: Object.keys(document.purposes),
    mechanisms: mechanisms.map((mechanism) => mechanism.id),
    conditions,
    instantsMs,
  });
  const context: BoxContext = {
    attributes,
    book,
    instantsMs,
    mechanisms: toReaches(mechanisms, attributes, instantsMs),
    residencyOf: new Map(cells.map((cell) => [cell.id, cell.residency])),
    territoryOf: toTerritories(document),
    conditions,
  };
  const reader = new BoxReader(context, report);
  const rulings = readRulings(document, reader, report);
  for (const { rule, boxes, clause } of rulings)
    checkAggregate(rule, boxes, clause, attributes, report);
  const variants = toVariants(document, rulings, report);
  const properties = (document.properties ?? []).map((clause, index) => ({
    id: clause.property,
    because: clause.because,
    boxes: reader.read(clause.never, `/properties/${index}/never`),
  }));
  return {
    cells,
    providers,
    mechanisms,
    regimes,
    homes,
    conditions,
    instantsMs,
    attributes,
    rules: rulings.map((ruling) => ruling.rule),
    variants,
    properties,
    context,
  };
}

/** True when the set accepts nothing that the other does. */
export function areApart(left: Box, right: Box): boolean {
  return left.some((set, attribute) => isEmptySet(intersectSets(set, right[attribute])));
}
