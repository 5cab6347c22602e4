// SPDX-License-Identifier: Apache-2.0
// How long data is kept: which clause of the charter speaks of it, and whether a contract is shorter. Pure:
// the instants that terms count from are the caller's.
import { isWithin } from '@bailiwick/atlas';
import type { DataClass } from '@bailiwick/kernel';
import type { CompiledCharter, CompiledRetention } from './compile.ts';
import type { ContractTerms } from './terms.ts';

/** What is asked about. */
export interface RetainedData {
  readonly class: DataClass;
  readonly category: string;
  /** Jurisdiction where it was collected. */
  readonly origin: string;
}

/** How long it is kept, and who says so. */
export interface RetentionTerm {
  readonly keepForDays: number;
  readonly from: CompiledRetention['from'];
  /** A law asks that it be kept so long: an erasure keeps it until then. */
  readonly isRequired: boolean;
  readonly setBy: 'charter' | 'contract';
  readonly because: string;
  readonly source: string;
}

function speaksOf(clause: CompiledRetention, data: RetainedData, onDate: string): boolean {
  if (clause.category !== data.category) return false;
  if (clause.class !== undefined && clause.class !== data.class) return false;
  return clause.jurisdiction === undefined || isWithin(data.origin, clause.jurisdiction, onDate);
}

const rank = ({ jurisdiction, class: dataClass }: CompiledRetention): number =>
  (jurisdiction === undefined ? 0 : 2) + (dataClass === undefined ? 0 : 1);

/**
 * The term of data under a charter and a tenant's contract; `undefined`: nobody has set one. The clause that
 * names the jurisdiction goes before one that names the class, and both before one that names neither; of
 * equals the shorter. A contract's shorter term wins, but over a duty to keep it does not.
 */
export function findRetention(
  charter: CompiledCharter,
  terms: ContractTerms | undefined,
  data: RetainedData,
): RetentionTerm | undefined {
  const { atlasDate } = charter;
  let found: CompiledRetention | undefined;
  for (const clause of charter.retention) {
    if (!speaksOf(clause, data, atlasDate)) continue;
    const isNearer = found === undefined || rank(clause) > rank(found);
    const isShorter =
      found !== undefined && rank(clause) === rank(found) && clause.keepForDays < found.keepForDays;
    if (isNearer || isShorter) found = clause;
  }
  const agreedDays = terms?.retentionDaysMax?.[data.category];
  const isDuty = found?.required === true;
  if (agreedDays !== undefined && !isDuty && agreedDays < (found?.keepForDays ?? Infinity)) {
    return {
      keepForDays: agreedDays,
      from: found?.from ?? 'collection',
      isRequired: false,
      setBy: 'contract',
      because: 'the contract with the tenant sets a shorter term',
      source: `contract terms, version ${terms?.version ?? 0}`,
    };
  }
  if (found === undefined) return undefined;
  const { keepForDays, from, because, source } = found;
  return { keepForDays, from, isRequired: isDuty, setBy: 'charter', because, source };
}
