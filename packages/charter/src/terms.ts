// SPDX-License-Identifier: Apache-2.0
// Contract terms: what a tenant agreed on top of the charter. They can only narrow: everything here
// becomes an extra rule that forbids, or a limit that is applied as the smaller of two.
import type { Variant } from './box.ts';
import type { CompiledCharter } from './compile.ts';
import type { FlowClause, Grounded } from './document.ts';
import { CharterError, type CharterProblem } from './errors.ts';
import { BoxReader } from './flow-box.ts';
import { PROBLEM_COUNT_MAX } from './limits.ts';
import type { CompiledRule } from './ruling.ts';
import { CONTRACT_TERMS_SCHEMA } from './schema.ts';
import { checkShape } from './shape.ts';

/** A tenant's overlay on the charter. */
export interface ContractTerms {
  readonly terms: 1;
  /** Grows with each signed version. */
  readonly version: number;
  /** Only in these residencies may the tenant's data live. */
  readonly residencies?: readonly string[];
  /** Only actors in these jurisdictions, groupings or places may touch it. */
  readonly supportPlaces?: readonly string[];
  /** Only these purposes. */
  readonly purposes?: readonly string[];
  /** Who must hold the key at the top. */
  readonly keyCustody?: 'cell' | 'customer' | 'hold-your-own';
  /** Longest staleness of a customer key, counted from its last use. */
  readonly keyStalenessMsMax?: number;
  /** Shorter freshness than the charter's. */
  readonly freshForMsMax?: number;
  /** Cells that may hold a standby. */
  readonly standbyCells?: readonly string[];
  /** Longest retention per category, days. */
  readonly retentionDaysMax?: Readonly<Record<string, number>>;
  /** The tenant's own issuer of bearer tokens (OpenID Connect). */
  readonly identity?: {
    readonly issuer: string;
    readonly audience: string;
    readonly jwksUri?: string;
  };
  /** Further flows that never happen. */
  readonly forbid?: readonly (FlowClause & Grounded & { readonly forbid: string })[];
}

/**
 * Reads contract terms from plain JSON.
 *
 * @throws {CharterError} `CHARTER_TERMS_INVALID` with `problems`
 */
export function parseTerms(value: unknown): ContractTerms {
  const problems: CharterProblem[] = [];
  checkShape(CONTRACT_TERMS_SCHEMA, value, '', (problem) => {
    if (problems.length < PROBLEM_COUNT_MAX) problems.push({ ...problem, line: 0, column: 0 });
  });
  refuseProblems(problems);
  return value as ContractTerms;
}

function refuseProblems(problems: readonly CharterProblem[]): void {
  const [first] = problems;
  if (!first) return;
  const message = `contract terms are not valid: at \`${first.pointer || '/'}\` ${first.message}`;
  throw new CharterError('CHARTER_TERMS_INVALID', message, { problems });
}

/** Terms as rules that forbid, with their boxes. */
export interface CompiledTerms {
  readonly rules: readonly CompiledRule[];
  /** `rule` counts from the first of `rules`. */
  readonly variants: readonly Variant[];
}

/**
 * Writes terms out against a charter. Every rule forbids; none can allow.
 *
 * @throws {CharterError} `CHARTER_TERMS_INVALID` when the terms name what the charter does not know.
 */
export function compileTerms(charter: CompiledCharter, terms: ContractTerms): CompiledTerms {
  const rules: CompiledRule[] = [];
  const boxes: Variant[] = [];
  const problems: CharterProblem[] = [];
  const reader = new BoxReader(charter.context, (problem) => {
    if (problems.length < PROBLEM_COUNT_MAX) problems.push({ ...problem, line: 0, column: 0 });
  });
  const add = (id: string, because: string, clause: FlowClause, pointer: string): void => {
    rules.push({
      id: `terms.${id}`,
      effect: 'forbid',
      because,
      source: 'contract terms',
      obligations: [],
      pointer,
      isException: false,
    });
    for (const box of reader.read(clause, pointer)) boxes.push({ rule: rules.length - 1, box });
  };
  const { residencies, supportPlaces, purposes, standbyCells } = terms;
  if (residencies) {
    add(
      'residency',
      'the contract names other residencies for this data',
      { data: { residency: { not: residencies } } },
      '/residencies',
    );
    const outside = toOutsideCells(charter, residencies);
    if (outside.length > 0)
      add(
        'place',
        'the contract keeps this data in other residencies',
        {
          data: { class: ['restricted', 'sensitive'] },
          form: ['plain', 'tokenised', 'pseudonymised'],
          to: { kind: 'cell', id: outside },
        },
        '/residencies',
      );
  }
  if (supportPlaces)
    add(
      'support-place',
      'the contract names the places from which this data may be touched',
      { actor: { place: { not: supportPlaces } } },
      '/supportPlaces',
    );
  if (purposes)
    add(
      'purpose',
      'the contract names the purposes of this data',
      { purpose: { not: purposes } },
      '/purposes',
    );
  if (standbyCells) {
    const others = charter.cells.map((cell) => cell.id).filter((id) => !standbyCells.includes(id));
    if (others.length > 0)
      add(
        'standby',
        'the contract names the cells that may hold a standby',
        { action: 'replicate', to: { kind: 'cell', id: others } },
        '/standbyCells',
      );
  }
  terms.forbid?.forEach((clause, index) => {
    const { forbid, because, source: _source, ...flow } = clause;
    add(forbid, because, flow, `/forbid/${index}`);
  });
  refuseProblems(problems);
  return { rules, variants: boxes };
}

function toOutsideCells(
  charter: CompiledCharter,
  residencies: readonly string[],
): readonly string[] {
  return charter.cells
    .filter((cell) => !residencies.includes(cell.residency))
    .map((cell) => cell.id);
}
