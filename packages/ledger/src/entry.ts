// SPDX-License-Identifier: Apache-2.0
// An entry's body: ids, hashes and decision facts, never a personal value; a subject appears as a keyed
// pseudonym (invariants 6 and 7). Its canonical JSON, under a salt, is what the leaf commits to.
import type { Actor, CellId, Decision, EntryId, Flow, Json, TenantId } from '@bailiwick/kernel';
import {
  CodedError,
  parseCellId,
  parseEntryId,
  parseInstant,
  parseTenantId,
  toCanonicalJson,
} from '@bailiwick/kernel';
import { LedgerError } from './errors.ts';

/** What an entry tells. */
export const ENTRY_KINDS = [
  'decision',
  'read',
  'write',
  'delete',
  'seal',
  'open',
  'transfer',
  'delivery',
  'key',
  'erasure',
  'bundle',
  'tenant',
  'account',
  'refusal',
  'misdirected',
  'late-release',
  'observation',
  'epoch',
  'backup',
  'restore',
  'standing',
  'order',
  'request',
  'retention',
] as const;
export type EntryKind = (typeof ENTRY_KINDS)[number];

/** Longest canonical body in bytes. */
export const ENTRY_SIZE_BYTES_MAX = 1_048_576;

/** Who acted: the flow's actor and the opaque account behind it. */
export interface EntryActor extends Actor {
  readonly account: string;
}

/** A flow as an entry tells it: the actor stands beside it, the instant is RFC 3339. */
export interface EntryFlow extends Omit<Flow, 'actor' | 'atMs'> {
  readonly at: string;
}

export interface EntryDecision {
  readonly outcome: Decision['outcome'];
  readonly rules: readonly string[];
  readonly cause?: string;
  readonly obligations: readonly string[];
  /** SHA-256 of the charter, lower-case hex. */
  readonly charter: string;
  readonly serial: number;
  /** The other charter that was asked as well, where a new one is being tried. */
  readonly also?: {
    readonly charter: string;
    readonly outcome: Decision['outcome'];
    readonly serial: number;
  };
}

/** Ids of a query's records: how many, and SHA-256 over them, lower-case hex. */
export interface EntryRecords {
  readonly count: number;
  readonly hash: string;
}

/** What was written; `items` is base64url of (record id 16 | version u32be | SHA-256 of the row 32)*. */
export interface EntryWrites extends EntryRecords {
  readonly items?: string;
}

/** Ids, hashes and counts only. */
export type EntryFacts = Readonly<Record<string, string | number | boolean | readonly string[]>>;

export interface EntryBody {
  readonly v: 1;
  readonly id: EntryId;
  /** RFC 3339 in UTC. */
  readonly at: string;
  readonly cell: CellId;
  /** Absent for what the cell did for no tenant. */
  readonly tenant?: TenantId;
  readonly kind: EntryKind;
  readonly actor?: EntryActor;
  readonly flow?: EntryFlow;
  readonly decision?: EntryDecision;
  /** Keyed pseudonym, lower-case hex. */
  readonly subject?: string;
  readonly records?: EntryRecords;
  readonly writes?: EntryWrites;
  readonly facts?: EntryFacts;
  /** The request's UUID. */
  readonly request?: string;
}

/** Names of facts; none of them looks like an array index. */
const FACT_NAME = /^[a-zA-Z][a-zA-Z0-9._-]{0,62}$/;

function refuse(problem: string, pointer?: string): never {
  throw new LedgerError('LEDGER_ENTRY_INVALID', problem, { details: { pointer } });
}

/**
 * The one text of a body that its leaf commits to (RFC 8785). Fields that a body does not have are left out.
 *
 * @throws {LedgerError} `LEDGER_ENTRY_INVALID` for a value that has no canonical text or is too long.
 */
export function toCanonicalBody(body: EntryBody): string {
  // RFC 8785 is ECMAScript's JSON with sorted keys: with the keys laid out in order, the engine's own
  // routine writes it, five times faster than one in JavaScript (`toSlowCanonicalBody` is its twin).
  const text = JSON.stringify({
    actor: sortActor(body.actor),
    at: body.at,
    cell: body.cell,
    decision: sortDecision(body.decision),
    facts: sortFacts(body.facts),
    flow: sortFlow(body.flow),
    id: body.id,
    kind: body.kind,
    records: sortRecords(body.records),
    request: body.request,
    subject: body.subject,
    tenant: body.tenant,
    v: body.v,
    writes: sortRecords(body.writes),
  });
  // A lone surrogate is written as an escape, which RFC 8785 refuses; the twin tells the two apart.
  return text.includes('\\ud') ? toSlowCanonicalBody(body) : bound(text);
}

/** The same text by the kernel's canonical JSON. */
export function toSlowCanonicalBody(body: EntryBody): string {
  try {
    return bound(toCanonicalJson(body as unknown as Json));
  } catch (cause) {
    if (cause instanceof LedgerError) throw cause;
    throw new LedgerError('LEDGER_ENTRY_INVALID', 'body has no canonical text', { cause });
  }
}

function bound(text: string): string {
  if (Buffer.byteLength(text) > ENTRY_SIZE_BYTES_MAX) refuse('body is too long');
  return text;
}

function finite(value: number): number {
  return Number.isFinite(value) ? value : refuse('a number is not finite');
}

function sortActor(actor: EntryActor | undefined): EntryActor | undefined {
  if (actor === undefined) return undefined;
  const { account, assurance, employer, kind, place, role } = actor;
  return { account, assurance, employer, kind, place, role };
}

function sortDecision(decision: EntryDecision | undefined): EntryDecision | undefined {
  if (decision === undefined) return undefined;
  const { also, cause, charter, obligations, outcome, rules, serial } = decision;
  const first = {
    ...(also === undefined
      ? {}
      : { also: { charter: also.charter, outcome: also.outcome, serial: finite(also.serial) } }),
    ...(cause === undefined ? {} : { cause }),
  };
  return { ...first, charter, obligations, outcome, rules, serial: finite(serial) };
}

function sortFlow(flow: EntryFlow | undefined): EntryFlow | undefined {
  if (flow === undefined) return undefined;
  const { action, at, conditions, consent, data, form, mechanism, purpose, to } = flow;
  const { categories, class: dataClass, origin, regimes, residency } = data;
  const { id, kind, location, operator } = to;
  return {
    action,
    at,
    conditions,
    consent,
    data: { categories, class: dataClass, origin, regimes, residency },
    form,
    ...(mechanism === undefined ? {} : { mechanism }),
    purpose,
    to: { ...(id === undefined ? {} : { id }), kind, location, operator },
  };
}

function sortRecords(records: EntryWrites | undefined): EntryWrites | undefined {
  if (records === undefined) return undefined;
  const { count, hash, items } = records;
  return { count: finite(count), hash, ...(items === undefined ? {} : { items }) };
}

/** A fact as it may stand in a body; types alone do not hold at the edge of a process. */
function parseFact(value: unknown): EntryFacts[string] {
  if (isText(value) || typeof value === 'boolean') return value;
  if (typeof value === 'number') return finite(value);
  if (Array.isArray(value) && value.every(isText)) return value;
  return refuse('a fact is a text, a number, a boolean or a list of texts', '/facts');
}

function sortFacts(facts: EntryFacts | undefined): EntryFacts | undefined {
  if (facts === undefined) return undefined;
  const sorted: Record<string, EntryFacts[string]> = {};
  for (const key of Object.keys(facts).sort()) {
    // An engine puts names that look like array indexes first, whatever order they come in.
    if (!FACT_NAME.test(key)) refuse('the name of a fact is not a name', '/facts');
    const value = facts[key];
    if (value !== undefined) sorted[key] = parseFact(value);
  }
  return sorted;
}

type Check = (value: unknown, pointer: string) => void;

const isText = (value: unknown): value is string => typeof value === 'string';
const HEX_HASH = /^[0-9a-f]{64}$/;

const text: Check = (value, pointer) => {
  if (!isText(value)) refuse('expected a text', pointer);
};
const hex: Check = (value, pointer) => {
  if (!isText(value) || !/^(?:[0-9a-f]{2}){8,64}$/.test(value)) refuse('expected hex', pointer);
};
const hash: Check = (value, pointer) => {
  if (!isText(value) || !HEX_HASH.test(value)) refuse('expected a hash as hex', pointer);
};
const count: Check = (value, pointer) => {
  if (!Number.isSafeInteger(value) || Number(value) < 0) refuse('expected a count', pointer);
};
const texts: Check = (value, pointer) => {
  if (!Array.isArray(value) || !value.every(isText)) refuse('expected a list of texts', pointer);
};
const oneOf =
  (items: readonly string[]): Check =>
  (value, pointer) => {
    if (!isText(value) || !items.includes(value)) refuse('expected a known word', pointer);
  };
const parsed =
  (parse: (text: string) => unknown): Check =>
  (value, pointer) => {
    if (!isText(value)) refuse('expected a text', pointer);
    try {
      parse(value);
    } catch (error) {
      if (!(error instanceof CodedError) && !(error instanceof LedgerError)) throw error;
      refuse(error.message, pointer);
    }
  };

const writeItems: Check = (value, pointer) => {
  if (!isText(value) || !/^[A-Za-z0-9_-]*$/.test(value)) refuse('expected base64url', pointer);
  if (Buffer.from(value, 'base64url').length % 52 !== 0)
    refuse('expected items of 52 bytes', pointer);
};

const facts: Check = (value, pointer) => {
  if (!isObject(value)) refuse('expected an object', pointer);
  for (const [key, item] of Object.entries(value)) {
    if (!FACT_NAME.test(key)) refuse('the name of a fact is not a name', pointer);
    const isScalar = isText(item) || typeof item === 'boolean' || Number.isFinite(item);
    if (!isScalar) texts(item, `${pointer}/${key}`);
  }
};

/** Fields of an object: a name that ends in `?` may be absent; any other name is refused. */
const shape =
  (fields: Readonly<Record<string, Check>>): Check =>
  (value, pointer) => {
    if (!isObject(value)) refuse('expected an object', pointer);
    for (const [name, check] of Object.entries(fields)) {
      const key = name.replace('?', '');
      if (value[key] !== undefined) check(value[key], `${pointer}/${key}`);
      else if (key === name) refuse('a field is absent', `${pointer}/${key}`);
    }
    for (const key of Object.keys(value)) {
      if (!(key in fields) && !(`${key}?` in fields)) refuse('unknown field', `${pointer}/${key}`);
    }
  };

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const BODY: Check = shape({
  v: (value, pointer) => {
    if (value !== 1) refuse('unknown version of body', pointer);
  },
  id: parsed(parseEntryId),
  at: parsed(parseInstant),
  cell: parsed(parseCellId),
  'tenant?': parsed(parseTenantId),
  kind: oneOf(ENTRY_KINDS),
  'actor?': shape({
    account: text,
    kind: text,
    role: text,
    employer: text,
    assurance: text,
    place: text,
  }),
  'flow?': shape({
    action: text,
    data: shape({ class: text, categories: texts, regimes: texts, origin: text, residency: text }),
    form: text,
    to: shape({ kind: text, 'id?': text, location: text, operator: text }),
    purpose: text,
    'mechanism?': text,
    consent: text,
    conditions: texts,
    at: parsed(parseInstant),
  }),
  'decision?': shape({
    outcome: oneOf(['allow', 'deny']),
    rules: texts,
    'cause?': text,
    obligations: texts,
    charter: text,
    serial: count,
    'also?': shape({ charter: text, outcome: oneOf(['allow', 'deny']), serial: count }),
  }),
  'subject?': hex,
  'records?': shape({ count, hash }),
  'writes?': shape({ count, hash, 'items?': writeItems }),
  'facts?': facts,
  'request?': text,
});

/**
 * Reads a canonical body. Names of charters long gone are kept as they are: only the shape is checked.
 *
 * @throws {LedgerError} `LEDGER_ENTRY_INVALID` with a pointer, also for a text that is not canonical.
 */
export function parseEntryBody(canonicalBody: string): EntryBody {
  bound(canonicalBody);
  let value: unknown;
  try {
    value = JSON.parse(canonicalBody);
  } catch (cause) {
    throw new LedgerError('LEDGER_ENTRY_INVALID', 'body is not JSON', { cause });
  }
  BODY(value, '');
  const body = value as EntryBody;
  if (toCanonicalBody(body) !== canonicalBody) refuse('body is not in its canonical text');
  return body;
}
