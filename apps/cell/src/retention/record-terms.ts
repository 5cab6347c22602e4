// SPDX-License-Identifier: Apache-2.0
// What the charter, the contract, holds and events say of one record, field set by field set: until when it
// is kept, whether it must be, and whether somebody holds it. One answer for expiry, erasure and the person
// who asks.
import {
  type CompiledCharter,
  type ContractTerms,
  findRetention,
  type RetentionTerm,
} from '@bailiwick/charter';
import { parseDate, parseInstant } from '@bailiwick/kernel';
import type { CompiledCollection, CompiledFieldSet } from '../collections/compiled-collection.ts';
import type { VerifiedRow } from '../records/open.ts';
import type { HoldFacts, SubjectFacts } from '../subjects/facts.ts';
import { isHeld } from '../subjects/standing.ts';

const DAY_MS = 86_400_000;

/** What holds of one field set of one record. */
export interface SetTerms {
  readonly fieldSet: CompiledFieldSet;
  /** Absent: nobody has set one. */
  readonly term: RetentionTerm | undefined;
  /** Absent: it has no end that is known. */
  readonly expiresAtMs: number | undefined;
  readonly hold: HoldFacts | undefined;
}

export interface TermsContext {
  readonly charter: CompiledCharter;
  readonly terms: ContractTerms | undefined;
  readonly collection: CompiledCollection;
  readonly nowMs: number;
  /** Terms by field set and origin, for one batch. */
  readonly known: Map<string, RetentionTerm | undefined>;
}

/** Who the record is about, as far as it decides here. */
export interface TermsPerson {
  readonly facts: SubjectFacts | undefined;
  readonly tenantHolds: readonly HoldFacts[];
}

function findTerm(
  { charter, terms, known }: TermsContext,
  fieldSet: CompiledFieldSet,
  origin: string,
): RetentionTerm | undefined {
  const id = `${fieldSet.at} ${origin}`;
  if (known.has(id)) return known.get(id);
  const { category } = fieldSet;
  const term = findRetention(charter, terms, { class: fieldSet.class, category, origin });
  known.set(id, term);
  return term;
}

/** The instant that a term counts from; `undefined`: it has not come. */
function findStart(
  { from }: RetentionTerm,
  { facts }: Pick<VerifiedRow, 'facts'>,
  events: SubjectFacts['events'],
): number | undefined {
  const lawDateMs = parseDate(facts.lawDate);
  switch (from) {
    case 'collection':
      return lawDateMs;
    case 'last-activity': {
      const event = events['last-activity'];
      const collectedMs = parseInstant(facts.collectedAt);
      return Math.max(lawDateMs, collectedMs, event === undefined ? 0 : parseInstant(event));
    }
    case 'contract-end': {
      const event = events['contract-end'];
      return event === undefined ? undefined : parseInstant(event);
    }
  }
}

/** Positions of the field sets that a record has a value in. */
export function listPresentSets(
  collection: CompiledCollection,
  { sealed, row }: Pick<VerifiedRow, 'sealed' | 'row'>,
): readonly CompiledFieldSet[] {
  const present = new Set(sealed.map(({ at }) => at));
  for (const name of Object.keys(row.plainFields)) {
    const field = collection.fields.get(name);
    if (field !== undefined) present.add(field.fieldSet.at);
  }
  return collection.fieldSets.filter(({ at }) => present.has(at));
}

/** The terms of each field set that the record has. */
export function toSetTerms(
  context: TermsContext,
  verified: VerifiedRow,
  person: TermsPerson,
): readonly SetTerms[] {
  const { collection } = context;
  const holds = [...(person.facts?.holds ?? []), ...person.tenantHolds];
  return listPresentSets(collection, verified).map((fieldSet) => {
    const term = findTerm(context, fieldSet, verified.facts.origin);
    const startMs = term && findStart(term, verified, person.facts?.events ?? {});
    const data = { collectionId: collection.id, categories: [fieldSet.category] };
    return {
      fieldSet,
      term,
      expiresAtMs: term && startMs !== undefined ? startMs + term.keepForDays * DAY_MS : undefined,
      hold: holds.find((hold) => isHeld(hold, data)),
    };
  });
}

/** True when the field set has served its time and nobody holds it. */
export function isExpired({ expiresAtMs, hold }: SetTerms, nowMs: number): boolean {
  return hold === undefined && expiresAtMs !== undefined && expiresAtMs <= nowMs;
}

/** True when an erasure must leave it: somebody holds it, or a law asks that it be kept. */
export function mustBeKept({ expiresAtMs, hold, term }: SetTerms, nowMs: number): boolean {
  if (hold !== undefined) return true;
  return term?.isRequired === true && (expiresAtMs === undefined || expiresAtMs > nowMs);
}
