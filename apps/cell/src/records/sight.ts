// SPDX-License-Identifier: Apache-2.0
// What a credential sees of records with one label: each field set is a flow of its own, decided by
// itself; what is denied, or allowed under an obligation that hides it, is masked. Everything masked: the
// whole is refused.
import type { Decision, Destination, Flow, Obligation, SubjectId } from '@bailiwick/kernel';
import { type Action, assertNever } from '@bailiwick/kernel';
import {
  type CompiledCollection,
  type CompiledFieldSet,
  toClassGroups,
} from '../collections/compiled-collection.ts';
import { CellError } from '../errors.ts';
import type {
  CellServices,
  Credential,
  EntryDraft,
  FlowRequest,
  LawInForce,
  Standing,
} from '../services.ts';
import type { HomeLabel } from './label.ts';

type Services = Pick<CellServices, 'cellId' | 'clock' | 'law' | 'enforcement' | 'orders'>;
type Decided = { readonly flow: Flow; readonly decision: Decision };

/** Who asks for what. */
export interface Asker {
  readonly credential: Credential;
  readonly purpose: string;
}

/** The person whom a record is about, as far as it decides; empty for nobody of whom anything is known. */
export interface Person {
  readonly standing?: Standing;
  /** Where a legal order is about somebody. */
  readonly subjectId?: SubjectId;
}

const NOBODY: Person = {};

/** What decides of a person; their standing was prepared. */
export function findPerson(
  services: Pick<CellServices, 'standings' | 'orders'>,
  asker: Asker,
  record: {
    readonly collection: Pick<CompiledCollection, 'id' | 'version' | 'categories'>;
    readonly subjectId: SubjectId | undefined;
  },
): Person {
  const { tenantId } = asker.credential;
  const { collection, subjectId } = record;
  const { purpose } = asker;
  const standing = services.standings.find(tenantId, subjectId, { purpose, collection });
  const isNamed = subjectId !== undefined && services.orders.peopleOf(tenantId).has(subjectId);
  if (standing === undefined && !isNamed) return NOBODY;
  return {
    ...(standing === undefined ? {} : { standing }),
    ...(isNamed ? { subjectId } : {}),
  };
}

/** What is seen of records with one label. */
export interface Sight {
  /** By position of the field set. */
  readonly isVisible: readonly boolean[];
  /** The flow of the strictest class that is visible, of which an entry tells. */
  readonly request: FlowRequest | undefined;
  /** What an entry says was seen. */
  readonly facts: { readonly collection: string; readonly fieldSets: readonly string[] };
  /** What to ask to have the refusal stated and entered. */
  readonly refusedRequest: FlowRequest | undefined;
}

function toRequest(
  asker: Asker,
  group: Pick<FlowRequest, 'action' | 'class' | 'categories'>,
  { label, person = NOBODY }: { readonly label: HomeLabel; readonly person?: Person },
): FlowRequest {
  const { origin, regimes, residency } = label;
  return { ...group, ...person, origin, regimes, residency, purpose: asker.purpose };
}

/** True when an obligation lets the field set be seen as it is. */
function isKept(obligation: Obligation, fieldSet: CompiledFieldSet): boolean {
  switch (obligation.kind) {
    case 'mask':
    case 'redact':
      return obligation.categories?.includes(fieldSet.category) === false;
    case 'log':
      return true;
    // Other obligations change what is seen; a reader of single records cannot fulfil them: fail closed.
    case 'tokenise':
    case 'pseudonymise':
    case 'aggregate':
    case 'noise':
    case 'notify':
    case 'checkpoint':
      return false;
    default:
      return assertNever(obligation.kind);
  }
}

interface SightQuestion {
  readonly asker: Asker;
  readonly action: Action;
  readonly collection: CompiledCollection;
  readonly label: HomeLabel;
  readonly person?: Person;
}

/** What a sight was decided under; it holds for as long as all of it does. */
interface RememberedSight {
  readonly sight: Sight;
  readonly isFresh: boolean;
  /** Of the legal orders. */
  readonly revision: number;
  /** First instant at which the charter may say something else. */
  readonly untilMs: number;
}

const SIGHTS_COUNT_MAX = 4096;
const remembered = new WeakMap<LawInForce, Map<string, RememberedSight>>();

/** All of a question that a flow is made of. */
function toQuestionId({ asker, action, collection, label, person }: SightQuestion): string {
  const { tenantId, kind, role, employer, assurance, place } = asker.credential;
  const { origin, residency, regimes } = label;
  return (
    `${tenantId} ${kind} ${role} ${employer} ${assurance} ${place} ${action} ${asker.purpose} ` +
    `${collection.id} ${collection.version} ${origin} ${residency} ${regimes.join()} ` +
    `${person?.standing?.id ?? ''} ${person?.subjectId ?? ''}`
  );
}

/**
 * As `decideSight`, but remembers. A decision is a function of flow, law, freshness and the period between
 * two instants that the charter names, so remembering changes nothing; what goes into an entry is decided
 * anew, for its instant.
 */
export function findSight(services: Services, question: SightQuestion): Sight {
  const law = services.law.current();
  // A candidate decides a share of questions, and a counsel may change its mind: nothing to remember.
  if (!services.enforcement.isRepeatable()) return decideSight(services, question);
  const isFresh = services.law.isFresh();
  const nowMs = services.clock.nowMs();
  const sights = remembered.get(law) ?? new Map<string, RememberedSight>();
  const id = toQuestionId(question);
  const { revision } = services.orders;
  const known = sights.get(id);
  const isCurrent = known?.isFresh === isFresh && known.revision === revision;
  if (isCurrent && nowMs < known.untilMs) return known.sight;
  const sight = decideSight(services, question);
  const untilMs = law.charter.instantsMs.find((instantMs) => instantMs > nowMs) ?? Infinity;
  if (sights.size >= SIGHTS_COUNT_MAX) sights.clear();
  sights.set(id, { sight, isFresh, revision, untilMs });
  remembered.set(law, sights);
  return sight;
}

/** The flow that an entry tells of, decided for this instant; absent when nothing is visible. */
export function decideAgain(services: Services, asker: Asker, sight: Sight): Decided | undefined {
  if (!sight.request) return undefined;
  const decided = services.enforcement.decide(asker.credential, sight.request);
  return decided.decision.outcome === 'allow' ? decided : undefined;
}

/** Decides what is seen of the collection's records with this label. */
export function decideSight(services: Services, options: SightQuestion): Sight {
  const { asker, action, collection, label, person } = options;
  const about = { label, ...(person === undefined ? {} : { person }) };
  const { enforcement } = services;
  const seen: CompiledFieldSet[] = [];
  let refusedRequest: FlowRequest | undefined;
  const isVisible = collection.fieldSets.map((fieldSet) => {
    const group = { action, class: fieldSet.class, categories: [fieldSet.category] };
    const request = toRequest(asker, group, about);
    const { decision } = enforcement.decide(asker.credential, request);
    const isAllowed = decision.outcome === 'allow';
    if (!isAllowed) refusedRequest ??= request;
    if (!isAllowed || !decision.obligations.every((one) => isKept(one, fieldSet))) return false;
    seen.push(fieldSet);
    return true;
  });
  const [strictest] = toClassGroups(seen);
  const request = strictest && toRequest(asker, { action, ...strictest }, about);
  if (request && enforcement.decide(asker.credential, request).decision.outcome !== 'allow') {
    // Together the categories are denied although each is allowed alone: nothing is seen.
    const hidden = collection.fieldSets.map(() => false);
    const facts = { collection: collection.id, fieldSets: [] };
    return { isVisible: hidden, request: undefined, facts, refusedRequest: request };
  }
  const facts = { collection: collection.id, fieldSets: seen.map(({ name }) => name) };
  return { isVisible, request, facts, refusedRequest };
}

/** Throws the refusal of a sight in which nothing is visible; the refusal is entered. */
export async function refuseSight(services: Services, asker: Asker, sight: Sight): Promise<never> {
  if (sight.refusedRequest) {
    await services.enforcement.require(asker.credential, sight.refusedRequest);
  }
  throw new CellError('CELL_ROLE_FORBIDDEN', 'every field is masked for this role and purpose');
}

/** Where writes go: this cell, as the charter declares it. */
function toThisCell({ cellId, law }: Services): Destination {
  const declared = law.current().charter.cells.find(({ id }) => id === cellId);
  if (!declared) throw new CellError('CELL_ROLE_FORBIDDEN', 'the charter does not know this cell');
  return {
    kind: 'cell',
    id: cellId,
    location: declared.location,
    operator: declared.operator,
  };
}

/** What a write may do, and what its entry says. */
export type WritePermit = Pick<EntryDraft, 'actor' | 'flow' | 'decision'>;

/** The requests of a write: one for each class of the collection, strictest first. */
export function toWriteRequests(
  services: Services,
  options: {
    readonly asker: Asker;
    readonly action: 'ingest' | 'update' | 'delete';
    readonly collection: CompiledCollection;
    readonly label: HomeLabel;
    readonly person?: Person;
  },
): readonly FlowRequest[] {
  const { asker, action, collection } = options;
  const to = toThisCell(services);
  return collection.classGroups.map((group) => ({
    ...toRequest(asker, { action, ...group }, options),
    to,
  }));
}

/** Obligations that a write into this cell fulfils by being what it is: it is entered with its write. */
function isFulfilledByWrite({ kind }: Obligation): boolean {
  return kind === 'log' || kind === 'mask' || kind === 'redact';
}

/**
 * Decides a write. All classes must be allowed; the strictest one's flow goes into the entry.
 * `undefined`: refused, ask `requireWrite` for the reasons.
 */
export function decideWrite(
  services: Services,
  asker: Asker,
  requests: readonly FlowRequest[],
): WritePermit | undefined {
  let permit: WritePermit | undefined;
  for (const request of requests) {
    const decided = services.enforcement.decide(asker.credential, request);
    if (decided.decision.outcome !== 'allow') return undefined;
    if (!decided.decision.obligations.every(isFulfilledByWrite)) return undefined;
    permit ??= services.enforcement.toDraft(asker.credential, decided);
  }
  return permit;
}

/** As `decideWrite`; a refusal is entered and thrown. */
export async function requireWrite(
  services: Services,
  asker: Asker,
  requests: readonly FlowRequest[],
): Promise<WritePermit> {
  const permit = decideWrite(services, asker, requests);
  if (permit) return permit;
  for (const request of requests) await services.enforcement.require(asker.credential, request);
  throw new CellError(
    'CELL_ROLE_FORBIDDEN',
    'the charter allows this write only under an obligation that a write cannot fulfil',
  );
}
