// SPDX-License-Identifier: Apache-2.0
// What a name of a place means: a jurisdiction of the atlas, a grouping (`eea`) with everybody in it on
// the atlas date, or a group that the charter declares. Where a group rests on decisions of adequacy, its
// members belong to it only as long as their decision is in force.
import { adequacyDecisions, findJurisdiction, isWithin } from '@bailiwick/atlas';
import { parseDate } from '@bailiwick/kernel';
import type { PlaceClause } from './document.ts';

const DAY_MS = 86_400_000;

/** Until when somebody belongs to a place: for ever is infinity. */
export type Membership = ReadonlyMap<string, number>;

export interface PlaceBook {
  /** Every name that can stand for a place, for suggestions. */
  listNames(): readonly string[];
  /** Members among `candidates` with the instant at which each ends; absent when the name is unknown. */
  findMembers(name: string): Membership | undefined;
}

/**
 * Answers of the atlas by question. The atlas does not change while a process runs, and there are only so
 * many jurisdictions and dates, so this is bounded.
 */
const ends = new Map<string, number | undefined>();
const within = new Map<string, boolean>();

function isInside(inner: string, outer: string, onDate: string): boolean {
  const key = `${onDate} ${inner} ${outer}`;
  const known = within.get(key);
  if (known !== undefined) return known;
  const answer = inner === outer || isWithin(inner, outer, onDate);
  within.set(key, answer);
  return answer;
}

/** The instant at which adequacy of `to` in the eyes of `by` ends; absent when there is none now. */
export function findAdequacyEnd(options: {
  readonly by: string;
  readonly to: string;
  readonly onDate: string;
  readonly acceptsPartial: boolean;
}): number | undefined {
  const { by, to, onDate, acceptsPartial } = options;
  const key = `${onDate} ${by} ${to} ${acceptsPartial}`;
  if (ends.has(key)) return ends.get(key);
  const found = adequacyDecisions({ by, to, onDate })
    .filter((decision) => acceptsPartial || decision.reach === 'full')
    .map((decision) =>
      decision.until === undefined ? Number.POSITIVE_INFINITY : parseDate(decision.until) + DAY_MS,
    );
  const endsMs = found.length === 0 ? undefined : Math.max(...found);
  ends.set(key, endsMs);
  return endsMs;
}

/**
 * Looks places up, each once.
 *
 * A name of the charter wins over one of the atlas only if the atlas has none: validation refuses a
 * place that takes a jurisdiction's name.
 */
export function createPlaceBook(options: {
  readonly onDate: string;
  readonly candidates: readonly string[];
  readonly places: Readonly<Record<string, PlaceClause>>;
}): PlaceBook {
  const { onDate, candidates, places } = options;
  const known = new Map<string, Membership | undefined>();
  const pending = new Set<string>();

  const ofAtlas = (id: string): Membership => {
    const members = new Map<string, number>();
    for (const candidate of candidates) {
      if (isInside(candidate, id, onDate)) members.set(candidate, Number.POSITIVE_INFINITY);
    }
    return members;
  };

  const ofAdequacy = (by: string, only: readonly string[] | undefined): Membership => {
    const members = new Map<string, number>();
    for (const candidate of candidates) {
      const acceptsPartial = only?.some((name) => findMembers(name)?.has(candidate)) ?? false;
      if (only !== undefined && !acceptsPartial) continue;
      const endsMs = findAdequacyEnd({ by, to: candidate, onDate, acceptsPartial });
      if (endsMs !== undefined) members.set(candidate, endsMs);
    }
    return members;
  };

  const ofCharter = (clause: PlaceClause): Membership => {
    const members = new Map<string, number>();
    const add = (other: Membership): void => {
      for (const [id, endsMs] of other) members.set(id, Math.max(members.get(id) ?? 0, endsMs));
    };
    if (clause.adequacyBy !== undefined) add(ofAdequacy(clause.adequacyBy, clause.only));
    for (const name of clause.members ?? []) add(findMembers(name) ?? new Map());
    return members;
  };

  const find = (name: string): Membership | undefined => {
    if (findJurisdiction(name)?.id === name) return ofAtlas(name);
    const clause = Object.hasOwn(places, name) ? places[name] : undefined;
    return clause === undefined ? undefined : ofCharter(clause);
  };

  const findMembers = (name: string): Membership | undefined => {
    if (known.has(name)) return known.get(name);
    // A place that holds itself adds nobody new to itself.
    if (pending.has(name)) return new Map();
    pending.add(name);
    const members = find(name);
    pending.delete(name);
    known.set(name, members);
    return members;
  };

  return {
    findMembers,
    listNames: () => [...Object.keys(places), ...candidates, 'eu', 'eea', 'channel-islands'],
  };
}
