// SPDX-License-Identifier: Apache-2.0
// Flows and charters for the policy suite: a seeded mixture that looks like a cell's day, a uniformly
// random one in which no flow resembles its neighbour, and a charter of any number of rules.

import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  type CharterDocument,
  type CompiledCharter,
  compileCharter,
  homeOf,
  parseCharter,
} from '@bailiwick/charter';
import { ACTIONS, type Action, type Flow, FORMS } from '@bailiwick/kernel';

const CHARTER = new URL('../../charters/retailer.yaml', import.meta.url);
/** An instant under the charter's first period, so that runs are alike. */
export const AT_MS: number = Date.UTC(2026, 10, 20);

export const retailerText = (): string => readFileSync(CHARTER, 'utf8');

export function compileText(text: string): CompiledCharter {
  return compileCharter(parseCharter(text), { sha256: (input) => hash('sha256', input, 'hex') });
}

/** A generator of numbers from 0 to 1 (mulberry32): the same seed, the same flows. */
export function createNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function createPick(seed: number): <Item>(items: readonly Item[]) => Item {
  const next = createNumbers(seed);
  return (items) => {
    const item = items[Math.floor(next() * items.length)];
    if (item === undefined) throw new Error('assertion failed: nothing to pick from');
    return item;
  };
}

interface Work {
  readonly role: string;
  readonly kind: 'workload' | 'person';
  readonly purposes: readonly string[];
  readonly actions: readonly Action[];
}

const WORKS: readonly Work[] = [
  {
    role: 'shop-service',
    kind: 'workload',
    purposes: ['order-fulfilment'],
    actions: ['ingest', 'read', 'update', 'search'],
  },
  {
    role: 'shop-service',
    kind: 'workload',
    purposes: ['order-fulfilment', 'fraud-prevention'],
    actions: ['read', 'seal', 'open'],
  },
  {
    role: 'support-agent',
    kind: 'person',
    purposes: ['customer-support'],
    actions: ['read', 'search', 'support'],
  },
  {
    role: 'analyst',
    kind: 'person',
    purposes: ['analytics', 'statistics'],
    actions: ['count', 'read', 'transfer'],
  },
  {
    role: 'privacy-officer',
    kind: 'person',
    purposes: ['legal-obligation'],
    actions: ['export', 'erase', 'read'],
  },
];
const ORIGINS = [
  'de',
  'fr',
  'ie',
  'es',
  'nl',
  'be',
  'pt',
  'no',
  'it',
  'uk',
  'ch',
  'jp',
  'us',
  'us-ca',
  'au',
  'nz',
];
const PLACES = ['de', 'fr', 'uk', 'us-va', 'au', 'in'];
const CATEGORIES = ['contact', 'transactional', 'behavioural', 'financial'];

interface FlowParts {
  readonly kind: Flow['actor']['kind'];
  readonly role: string;
  readonly employer: string;
  readonly assurance: Flow['actor']['assurance'];
  readonly place: string;
  readonly action: Action;
  readonly class: Flow['data']['class'];
  readonly category: string;
  readonly regime: string;
  readonly origin: string;
  readonly residency: string;
  readonly form: Flow['form'];
  readonly to: Flow['to'];
  readonly purpose: string;
  readonly mechanism: string;
  readonly consent: Flow['consent'];
}

/** Builds flows as an enforcement point does: in one place, so that all have one shape. */
function toFlow(parts: FlowParts): Flow {
  const { kind, role, employer, assurance, place, origin, residency, mechanism } = parts;
  const actor = { kind, role, employer, assurance, place };
  const data = {
    class: parts.class,
    categories: [parts.category],
    regimes: [parts.regime],
    origin,
    residency,
  };
  const { action, form, to, purpose, consent } = parts;
  const rest = { actor, action, data, form, to, purpose, consent, conditions: [], atMs: AT_MS };
  return mechanism === 'none' ? rest : { ...rest, mechanism };
}

/** A cell's day: few actors, the countries of the shop, a fifth of it across a border. */
export function createMixture(
  charter: CompiledCharter,
  count: number,
  seed: number,
): readonly Flow[] {
  const pick = createPick(seed);
  const flows: Flow[] = [];
  while (flows.length < count) {
    const work = pick(WORKS);
    const origin = pick(ORIGINS);
    const home = homeOf(charter, origin);
    if (!home.ok) continue;
    const own = charter.cells.find((cell) => cell.id === home.cellId);
    const action = pick(work.actions);
    const cell = pick([own, own, own, own, pick(charter.cells)]);
    const place = pick([own?.location ?? 'de', pick(PLACES)]);
    if (!own || !cell) continue;
    const isRead = ['read', 'search', 'count', 'open', 'support'].includes(action);
    flows.push(
      toFlow({
        kind: work.kind,
        role: work.role,
        employer: 'controller',
        assurance: 'substantial',
        place,
        action,
        class: 'restricted',
        category: pick(CATEGORIES),
        regime: home.regimes[0] ?? 'gdpr',
        origin,
        residency: home.residency,
        form: action === 'transfer' ? pick(['plain', 'aggregated'] as const) : 'plain',
        to: isRead
          ? { kind: 'reader', location: place, operator: place }
          : { kind: 'cell', id: cell.id, location: cell.location, operator: cell.operator },
        purpose: pick(work.purposes),
        mechanism: 'none',
        consent: 'absent',
      }),
    );
  }
  return flows;
}

/** Every attribute drawn from its whole closed set: nothing repeats, nearly everything is denied. */
export function createRandomFlows(
  charter: CompiledCharter,
  count: number,
  seed: number,
): readonly Flow[] {
  const pick = createPick(seed);
  const values = (id: string): readonly string[] =>
    charter.attributes.find((attribute) => attribute.id === id)?.values ?? [];
  const [places, origins] = [values('actor.place'), values('data.origin')];
  return Array.from({ length: count }, (): Flow => {
    const cell = pick(charter.cells);
    const mechanism = pick(['none', ...charter.mechanisms.map(({ id }) => id)]);
    const [kind, location, operator] = pick([
      ['cell', cell.location, cell.operator] as const,
      ['reader', pick(places), pick(places)] as const,
    ]);
    return toFlow({
      kind: pick(['workload', 'person'] as const),
      role: pick(charter.roles),
      employer: pick(charter.employers),
      assurance: pick(['low', 'substantial', 'high'] as const),
      place: pick(places),
      action: pick(ACTIONS),
      class: pick(['restricted', 'sensitive', 'operational', 'public'] as const),
      category: pick(charter.categories),
      regime: pick(charter.regimes),
      origin: pick(origins),
      residency: pick(charter.residencies),
      form: pick(FORMS),
      to:
        kind === 'cell' ? { kind, id: cell.id, location, operator } : { kind, location, operator },
      purpose: pick(charter.purposes),
      mechanism,
      consent: pick(['given', 'withdrawn', 'absent'] as const),
    });
  });
}

/** The retailer's charter with rules added until there are `count`, each about a narrow set of flows. */
export function createLargeCharter(count: number, seed: number): CharterDocument {
  const base = parseCharter(retailerText());
  const pick = createPick(seed);
  const next = createNumbers(seed + 1);
  const some = <Item>(items: readonly Item[], most: number): readonly Item[] => [
    ...new Set(Array.from({ length: 1 + Math.floor(next() * most) }, () => pick(items))),
  ];
  const rules = [...base.rules];
  const [purposes, roles] = [Object.keys(base.purposes), Object.keys(base.roles)];
  while (rules.length < count) {
    const id = `added-${rules.length}`;
    rules.push({
      ...(next() < 0.7 ? { allow: id } : { forbid: id }),
      actor: { role: some(roles, 3) },
      action: some(ACTIONS, 4),
      data: { category: some(CATEGORIES, 3), origin: some(ORIGINS, 4) },
      form: some(['plain', 'tokenised', 'pseudonymised'] as const, 2),
      to: { location: some(['eea', 'uk', 'us', 'au', 'in', 'eu-adequate'], 2) },
      purpose: some(purposes, 3),
      because: 'to measure many rules',
      source: 'benchmark',
    });
  }
  return { ...base, rules };
}
