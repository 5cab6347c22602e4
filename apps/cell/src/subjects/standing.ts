// SPDX-License-Identifier: Apache-2.0
// From facts to what a flow says of the person: consent for its purpose, and the conditions that hold.
import type { Consent } from '@bailiwick/kernel';
import type { Standing, StandingCondition, StandingQuestion } from '../services.ts';
import type { HoldFacts, SubjectFacts } from './facts.ts';

const STANDINGS_COUNT_MAX = 4_096;
/** Equal standings are one object, so that a decision can be remembered by it. */
const interned = new Map<string, Standing>();

function intern(
  consent: Consent,
  conditions: readonly StandingCondition[],
  isUnverified: boolean,
): Standing {
  const id = `${consent} ${conditions.join()}${isUnverified ? ' unverified' : ''}`;
  const known = interned.get(id);
  if (known !== undefined) return known;
  if (interned.size >= STANDINGS_COUNT_MAX) interned.clear();
  const standing = { id, consent, conditions, isUnverified };
  interned.set(id, standing);
  return standing;
}

/** Of somebody whose facts are not what this cell wrote: everything about them is denied. */
export const UNVERIFIED: Standing = intern('absent', [], true);
/** Of somebody of whom nothing is known but consent: what a search for such people asks by. */
export const CONSENTING: Standing = intern('given', [], false);

/** True when a hold speaks of this data. */
export function isHeld(
  { collections, categories }: HoldFacts,
  data: { readonly collectionId?: string; readonly categories?: readonly string[] },
): boolean {
  const { collectionId } = data;
  const isCollection =
    collections === undefined || collectionId === undefined || collections.includes(collectionId);
  const isCategory =
    categories === undefined ||
    data.categories === undefined ||
    data.categories.some((one) => categories.includes(one));
  return isCollection && isCategory;
}

function toConsent({ consents, objections }: SubjectFacts, purpose: string): Consent {
  // An objection is a word against the purpose, whatever was agreed to before.
  if (objections[purpose] !== undefined) return 'withdrawn';
  return consents[purpose]?.state ?? 'absent';
}

/** What facts mean for a purpose and a collection; `undefined`: nothing that a flow would tell. */
export function toStanding(
  facts: SubjectFacts,
  tenantHolds: readonly HoldFacts[],
  { purpose, collection }: StandingQuestion,
): Standing | undefined {
  const data =
    collection === undefined
      ? {}
      : { collectionId: collection.id, categories: collection.categories };
  const conditions: StandingCondition[] = [];
  const holds = [...facts.holds, ...tenantHolds];
  if (holds.some((hold) => isHeld(hold, data))) conditions.push('legal-hold');
  if (facts.objections[purpose] !== undefined) conditions.push('objected');
  if (facts.restriction !== undefined) conditions.push('processing-restricted');
  const consent = toConsent(facts, purpose);
  if (consent === 'absent' && conditions.length === 0) return undefined;
  return intern(consent, conditions, false);
}

/** A standing as a query works it out of stored facts; its MAC is not looked at, so it only counts. */
export interface StoredStanding {
  readonly consent: Consent;
  readonly objected: boolean;
  readonly restricted: boolean;
}

/** Brings the facts of a record's person (`r`) in as `st.f`. */
export const STANDING_JOIN = `LEFT JOIN LATERAL (
  SELECT s.facts::jsonb AS f FROM cell.standings s
   WHERE s.tenant_id = r.tenant_id AND s.subject_id = r.subject_id) st ON true`;

/** SQL of a `StoredStanding` for the purpose in this parameter; NULL for people of whom nothing is known. */
export function toStandingSql(purpose: string): string {
  return `CASE WHEN st.f IS NOT NULL THEN jsonb_build_object(
    'consent', CASE WHEN st.f -> 'objections' ? ${purpose}::text THEN 'withdrawn'
      ELSE coalesce(st.f -> 'consents' -> ${purpose}::text ->> 'state', 'absent') END,
    'objected', st.f -> 'objections' ? ${purpose}::text,
    'restricted', st.f ? 'restriction') END`;
}

/** The standing that a query has worked out. */
export function fromStoredStanding(stored: StoredStanding): Standing {
  const conditions: StandingCondition[] = [];
  if (stored.objected) conditions.push('objected');
  if (stored.restricted) conditions.push('processing-restricted');
  return intern(stored.consent, conditions, false);
}
