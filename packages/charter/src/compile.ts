// SPDX-License-Identifier: Apache-2.0
// A charter made ready to decide by: closed sets with their indexes, rules as masks, homes, terms.
import { findJurisdiction } from '@bailiwick/atlas';
import {
  type CellId,
  type DataClass,
  type Json,
  type Residency,
  toCanonicalJson,
} from '@bailiwick/kernel';
import type { Attribute } from './attribute.ts';
import { type Masks, toMasks, type Variant } from './box.ts';
import type { CharterDocument, KeyClause, RetentionClause } from './document.ts';
import { CharterError, type CharterProblem } from './errors.ts';
import type { BoxContext } from './flow-box.ts';
import type { Home } from './home.ts';
import {
  type CompiledCell,
  type CompiledMechanism,
  type CompiledProperty,
  type CompiledProvider,
  resolveCharter,
} from './resolve.ts';
import type { CompiledRule } from './ruling.ts';
import { toSkeleton } from './suggest.ts';

/** SHA-256 of a UTF-8 text in lower-case hex: `(text) => hash('sha256', text, 'hex')` of `node:crypto`. */
export type Sha256Hex = (text: string) => string;

export interface CompileOptions {
  readonly sha256: Sha256Hex;
}

/** How long a category is kept. */
export interface CompiledRetention {
  readonly category: string;
  /** Absent: data of any class, collected anywhere. */
  readonly class?: DataClass;
  readonly jurisdiction?: string;
  /** A law asks that it be kept so long. */
  readonly required?: boolean;
  /** Days, a month counted as 31 and a year as 366, so that nothing is deleted too early. */
  readonly keepForDays: number;
  readonly from: RetentionClause['from'];
  readonly because: string;
  readonly source: string;
}

/** A charter that decides. Everything in it is derived from `document`. */
export interface CompiledCharter {
  readonly document: CharterDocument;
  readonly name: string;
  /** SHA-256 of the canonical charter, lower-case hex. */
  readonly hash: string;
  readonly atlasDate: string;
  /** Age of the law past which borders close. */
  readonly freshForMs: number;
  readonly cells: readonly CompiledCell[];
  readonly providers: readonly CompiledProvider[];
  readonly residencies: readonly Residency[];
  readonly purposes: readonly string[];
  readonly roles: readonly string[];
  readonly employers: readonly string[];
  readonly categories: readonly string[];
  readonly regimes: readonly string[];
  readonly conditions: readonly string[];
  readonly mechanisms: readonly CompiledMechanism[];
  readonly retention: readonly CompiledRetention[];
  readonly keys: Readonly<Record<string, KeyClause>>;
  /** Labels of the charter to jurisdictions, as written. */
  readonly names: ReadonlyMap<string, string>;
  /** Every origin that the atlas knows, with its home or the reason why it has none. */
  readonly homes: ReadonlyMap<string, Home>;
  /** Instants at which the law changes, ascending. */
  readonly instantsMs: readonly number[];
  readonly attributes: readonly Attribute[];
  readonly rules: readonly CompiledRule[];
  /** The rules written out as conjunctions: bit n of every mask is variant n. */
  readonly variants: readonly Variant[];
  readonly masks: Masks;
  readonly properties: readonly CompiledProperty[];
  /** What further clauses (contract terms) are read against. */
  readonly context: BoxContext;
}

const DOMAIN = 'bailiwick/charter/v1\0';
const MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000 };
const DAYS: Readonly<Record<string, number>> = { d: 1, m: 31, y: 366 };
const FRESH_FOR_DEFAULT = '60s';

/** Amount and unit of a text such as `60s`; the shape was checked before. */
function toAmount(text: string, units: Readonly<Record<string, number>>): number {
  return Number(text.slice(0, -1)) * (units[text.slice(-1)] ?? 0);
}

/** `undefined` values left out and prototypes made plain, so that equal documents hash equally. */
function toJson(document: CharterDocument): Json {
  return JSON.parse(JSON.stringify(document));
}

/**
 * Compiles a charter that `parseCharter` has read.
 *
 * @throws {CharterError} `CHARTER_DOCUMENT_INVALID` for a document that did not come from there and is
 * not valid.
 */
export function compileCharter(
  document: CharterDocument,
  options: CompileOptions,
): CompiledCharter {
  const problems: CharterProblem[] = [];
  const resolved = resolveCharter(document, (problem) => {
    if (problems.length < 100) problems.push({ ...problem, line: 0, column: 0 });
  });
  const [first] = problems;
  if (first) {
    throw new CharterError('CHARTER_DOCUMENT_INVALID', `charter is not valid: ${first.message}`, {
      problems,
    });
  }
  const { cells, attributes, variants } = resolved;
  return {
    document,
    name: document.name,
    hash: options.sha256(DOMAIN + toCanonicalJson(toJson(document))),
    atlasDate: document.atlas,
    freshForMs: toAmount(document.freshFor ?? FRESH_FOR_DEFAULT, MS),
    cells,
    providers: resolved.providers,
    residencies: [...new Set(cells.map((cell) => cell.residency))],
    purposes: Object.keys(document.purposes),
    roles: Object.keys(document.roles),
    employers: Object.keys(document.employers),
    categories: Object.keys(document.categories),
    regimes: resolved.regimes,
    conditions: resolved.conditions,
    mechanisms: resolved.mechanisms,
    retention: (document.retention ?? []).map((clause) => ({
      ...clause,
      keepForDays: toAmount(clause.keepFor, DAYS),
    })),
    keys: { ...document.keys },
    names: new Map(Object.entries(document.names ?? {})),
    homes: resolved.homes,
    instantsMs: resolved.instantsMs,
    attributes,
    rules: resolved.rules,
    variants,
    masks: toMasks(
      variants.map((variant) => variant.box),
      attributes.map((attribute) => attribute.values.length),
    ),
    properties: resolved.properties,
    context: resolved.context,
  };
}

const ABSENT: Home = {
  ok: false,
  code: 'CHARTER_ORIGIN_UNKNOWN',
  because: 'the atlas knows no such jurisdiction',
};

/** Where data collected in `origin` (a jurisdiction's id) lives. A denial is a value. */
export function homeOf(charter: CompiledCharter, origin: string): Home {
  return charter.homes.get(origin) ?? ABSENT;
}

/** The cell's declaration in the charter. */
export function findCell(charter: CompiledCharter, cellId: CellId): CompiledCell | undefined {
  return charter.cells.find((cell) => cell.id === cellId);
}

const toLabel = (text: string): string =>
  text.normalize('NFKC').trim().replaceAll(/\s+/g, ' ').toLowerCase();

/**
 * The jurisdiction that a label in somebody's data means: by the charter's `names`, then by the atlas.
 * `undefined` when nobody knows it; whether it has a home is `homeOf`'s answer.
 */
export function findOrigin(charter: CompiledCharter, text: string): string | undefined {
  if (text.length > 100) return undefined;
  const label = toLabel(text);
  for (const [name, id] of charter.names) if (toLabel(name) === label) return id;
  const found = findJurisdiction(text.trim());
  return found && charter.homes.has(found.id) ? found.id : undefined;
}

/** Labels that look like a known one and are not: `Gеrmany` with a Cyrillic letter. */
export function suggestOrigin(charter: CompiledCharter, text: string): string | undefined {
  return text.length > 100 ? undefined : findOrigin(charter, toSkeleton(text));
}
