// SPDX-License-Identifier: Apache-2.0
// What a charter asks beside its rules (who holds keys, how long data is kept, how old the law may be),
// and whether another charter asks less. SECURITY: whatever cannot be compared is taken for less.
import type { CompiledCharter } from './compile.ts';
import type { KeyClause } from './document.ts';

/** One demand that has changed. */
export interface DemandDifference {
  readonly section: 'keys' | 'retention' | 'freshFor';
  /** Class of data or category; for `freshFor` the charter's name. */
  readonly subject: string;
  readonly words: string;
}

export interface DemandDifferences {
  /** What the new charter asks less strictly, or no longer. */
  readonly loosened: readonly DemandDifference[];
  readonly tightened: readonly DemandDifference[];
}

const CUSTODIES = ['cell', 'customer', 'hold-your-own'] as const;

/** Demands of a key clause as a vector: each part can only be compared with its like. */
function toParts(clause: KeyClause | undefined): readonly number[] {
  if (clause === undefined) return [-1, 0, 0];
  return [
    CUSTODIES.indexOf(clause.custody),
    clause.doubleKey === true ? 1 : 0,
    clause.attestation === true ? 1 : 0,
  ];
}

function tellKey(clause: KeyClause | undefined): string {
  if (clause === undefined) return 'no demand';
  return [
    `custody \`${clause.custody}\``,
    ...(clause.doubleKey === true ? ['two keys'] : []),
    ...(clause.attestation === true ? ['attested processes'] : []),
  ].join(', ');
}

function diffKeys(before: CompiledCharter, after: CompiledCharter): DemandDifferences {
  const loosened: DemandDifference[] = [];
  const tightened: DemandDifference[] = [];
  for (const subject of new Set([...Object.keys(before.keys), ...Object.keys(after.keys)])) {
    const [old, next] = [before.keys[subject], after.keys[subject]];
    const [oldParts, nextParts] = [toParts(old), toParts(next)];
    const words = `keys of ${subject} data: ${tellKey(next)} instead of ${tellKey(old)}`;
    const difference = { section: 'keys', subject, words } as const;
    if (oldParts.some((part, index) => (nextParts[index] ?? 0) < part)) loosened.push(difference);
    if (oldParts.some((part, index) => (nextParts[index] ?? 0) > part)) tightened.push(difference);
  }
  return { loosened, tightened };
}

/** Shortest terms by category and by what they count from; terms that count from elsewhere differ. */
function toTerms(charter: CompiledCharter): ReadonlyMap<string, number> {
  const terms = new Map<string, number>();
  for (const clause of charter.retention) {
    const { category, from, keepForDays, jurisdiction } = clause;
    const where = `${clause.class === undefined ? '' : ` (${clause.class})`}${jurisdiction === undefined ? '' : ` of ${jurisdiction}`}`;
    const key = `${category}${where} from ${from}`;
    terms.set(key, Math.min(terms.get(key) ?? Number.POSITIVE_INFINITY, keepForDays));
  }
  return terms;
}

function tellTerm(days: number): string {
  return Number.isFinite(days) ? `for ${days} days` : 'without end';
}

function diffRetention(before: CompiledCharter, after: CompiledCharter): DemandDifferences {
  const loosened: DemandDifference[] = [];
  const tightened: DemandDifference[] = [];
  const [oldTerms, nextTerms] = [toTerms(before), toTerms(after)];
  for (const key of new Set([...oldTerms.keys(), ...nextTerms.keys()])) {
    const old = oldTerms.get(key) ?? Number.POSITIVE_INFINITY;
    const next = nextTerms.get(key) ?? Number.POSITIVE_INFINITY;
    const [subject = ''] = key.split(' ');
    const words = `${key}: kept ${tellTerm(next)} instead of ${tellTerm(old)}`;
    if (next > old) loosened.push({ section: 'retention', subject, words });
    if (next < old) tightened.push({ section: 'retention', subject, words });
  }
  return { loosened, tightened };
}

function diffFreshness(before: CompiledCharter, after: CompiledCharter): DemandDifferences {
  const [old, next] = [before.freshForMs, after.freshForMs];
  if (old === next) return { loosened: [], tightened: [] };
  const words = `the law may be ${next / 1000} s old instead of ${old / 1000} s`;
  const difference = { section: 'freshFor', subject: after.name, words } as const;
  return next > old
    ? { loosened: [difference], tightened: [] }
    : { loosened: [], tightened: [difference] };
}

/** Compares what two charters ask beside their rules. */
export function diffDemands(before: CompiledCharter, after: CompiledCharter): DemandDifferences {
  const all = [diffKeys(before, after), diffRetention(before, after), diffFreshness(before, after)];
  return {
    loosened: all.flatMap(({ loosened }) => loosened),
    tightened: all.flatMap(({ tightened }) => tightened),
  };
}
