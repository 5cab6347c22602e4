// SPDX-License-Identifier: Apache-2.0
// Whether data that lies in a cell may go on lying there under a charter, and what would heal it if not.
// Lying somewhere is a flow like any other: somebody must be allowed to have put it there. It may stay when
// its home is this cell, its regimes are the ones the charter derives, and anybody at all may keep it.
import { type CompiledCharter, type ContractTerms, findCell, homeOf } from '@bailiwick/charter';
import {
  ACTOR_KINDS,
  type Actor,
  ASSURANCES,
  type CellId,
  CONSENTS,
  type DataClass,
  type Flow,
  type FlowData,
  toResidency,
} from '@bailiwick/kernel';
import { createEngine, type Engine } from './engine.ts';

/** Data as it lies there: what its label says. */
export interface RestingData extends FlowData {
  readonly class: DataClass;
}

/** Why data may not stay. */
export type RestProblemKind =
  | 'home-elsewhere'
  | 'home-refused'
  | 'regimes-changed'
  | 'keeping-forbidden';

/** What would heal it; each is a flow of its own and is decided before anything happens. */
export type RestRemedy =
  | { readonly kind: 'move'; readonly to: CellId }
  | { readonly kind: 'relabel'; readonly regimes: readonly string[] }
  | { readonly kind: 'erase' };

/** Data that may not stay, by which rules, and what would heal it. */
export interface RestProblem {
  readonly kind: RestProblemKind;
  /** Rules that forbid it, or the charter's section where no rule speaks: `homes`. */
  readonly rules: readonly string[];
  readonly because: string;
  readonly remedy: RestRemedy;
}

export interface RestOptions {
  /** Where the data lies. */
  readonly cellId: CellId;
  readonly serial: number;
  readonly atMs: number;
  readonly terms?: ContractTerms;
}

/** Judges what lies in one cell; `undefined` may stay. */
export type RestJudge = (data: RestingData) => RestProblem | undefined;

const KEEPING = ['ingest', 'update', 'seal'] as const;
const RULES_TOLD_MAX = 5;

/**
 * Makes the judge of a charter for one cell.
 *
 * @throws {CharterError} `CHARTER_TERMS_INVALID` when the terms name what the charter does not know
 */
export function createRestJudge(charter: CompiledCharter, options: RestOptions): RestJudge {
  const { terms, serial } = options;
  const engine = createEngine(charter, { serial, ...(terms === undefined ? {} : { terms }) });
  return (data) =>
    findHomeProblem(charter, options, data) ?? findKeepingProblem(engine, charter, options, data);
}

function findHomeProblem(
  charter: CompiledCharter,
  { cellId }: RestOptions,
  data: RestingData,
): RestProblem | undefined {
  const home = homeOf(charter, data.origin);
  if (!home.ok) {
    const { because } = home;
    return { kind: 'home-refused', rules: ['homes'], because, remedy: { kind: 'erase' } };
  }
  const { because } = home;
  if (home.residency !== toResidency(cellId)) {
    const remedy = { kind: 'move', to: home.cellId } as const;
    return { kind: 'home-elsewhere', rules: ['homes'], because, remedy };
  }
  const same = [...data.regimes].sort().join(' ') === [...home.regimes].sort().join(' ');
  if (same) return undefined;
  const remedy = { kind: 'relabel', regimes: home.regimes } as const;
  return { kind: 'regimes-changed', rules: ['homes'], because, remedy };
}

/** Every actor and ground under which the data could be kept. */
function* listKeepings(
  charter: CompiledCharter,
  { cellId, atMs }: RestOptions,
  data: RestingData,
): Generator<Flow> {
  const cell = findCell(charter, cellId);
  if (cell === undefined) return;
  const { location, operator } = cell;
  const to = { kind: 'cell', id: cellId, location, operator } as const;
  const mechanisms = [undefined, ...charter.mechanisms.map(({ id }) => id)];
  for (const actor of listActors(charter, location)) {
    for (const action of KEEPING) {
      for (const purpose of charter.purposes) {
        for (const consent of CONSENTS) {
          for (const mechanism of mechanisms) {
            const by = mechanism === undefined ? {} : { mechanism };
            const flow = { actor, action, data, form: 'plain', to, purpose, consent } as const;
            yield { ...flow, ...by, conditions: [], atMs };
          }
        }
      }
    }
  }
}

function* listActors(charter: CompiledCharter, place: string): Generator<Actor> {
  for (const kind of ACTOR_KINDS)
    for (const role of charter.roles)
      for (const employer of charter.employers)
        for (const assurance of ASSURANCES) yield { kind, role, employer, assurance, place };
}

function findKeepingProblem(
  engine: Engine,
  charter: CompiledCharter,
  options: RestOptions,
  data: RestingData,
): RestProblem | undefined {
  let always: ReadonlySet<string> | undefined;
  const ever = new Set<string>();
  for (const flow of listKeepings(charter, options, data)) {
    const { outcome, cause, rules } = engine.decide(flow);
    if (outcome === 'allow') return undefined;
    if (cause === 'no-rule' || cause === 'unknown-value') continue;
    for (const rule of rules) ever.add(rule);
    always = new Set(always === undefined ? rules : rules.filter((rule) => always?.has(rule)));
  }
  // Rules that speak whoever asks are the reason; otherwise those that speak at all.
  const told = always !== undefined && always.size > 0 ? [...always] : [...ever];
  const rules = told.sort().slice(0, RULES_TOLD_MAX);
  const first = charter.rules.find(({ id }) => id === rules[0]);
  return {
    kind: 'keeping-forbidden',
    rules,
    because: first?.because ?? 'no rule lets anybody keep it here',
    remedy: { kind: 'erase' },
  };
}
