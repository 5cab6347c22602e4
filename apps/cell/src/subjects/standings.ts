// SPDX-License-Identifier: Apache-2.0
// What holds of people, in memory: a tenant with few such people is known whole, so that a read asks
// nothing; of a larger one the people that come by are remembered. A change is known here before its
// caller has an answer, and in the cell's other processes as soon as the database tells them.
import { createHmac, type KeyObject } from 'node:crypto';
import {
  type Clock,
  isCoded,
  parseSubjectId,
  type SubjectId,
  type TenantId,
  toUuid,
} from '@bailiwick/kernel';
import type { Database } from '@bailiwick/postgres';
import type { ChangeFeed } from '../changes/change-feed.ts';
import { CellError } from '../errors.ts';
import type { KeyRing, Standing, StandingQuestion, Standings } from '../services.ts';
import { type SubjectFacts, verifyStanding, WHOLE_TENANT } from './facts.ts';
import { toStanding, UNVERIFIED } from './standing.ts';
import { findStandings, listStandings, type StandingRow } from './standing-store.ts';

/** People of one tenant that are kept whole. */
const WHOLE_COUNT_MAX = 20_000;
/** People kept over all tenants. */
const KNOWN_COUNT_MAX = 100_000;
/** While changes of other processes are not heard, nothing older than this is believed. */
const UNHEARD_MS_MAX = 1_000;
const GENERATION_DOMAIN = 'bailiwick/subject-generation/v1\0';

interface Known {
  /** `undefined`: there are none. */
  readonly facts: SubjectFacts | undefined;
  readonly isUnverified: boolean;
  readonly answers: Map<string, Standing | undefined>;
}

interface Tenant {
  /** Everybody who is not in `known` has no standing. */
  readonly isWhole: boolean;
  readonly known: Map<SubjectId, Known>;
  /** Known to be out of date. */
  readonly stale: Set<SubjectId>;
  readonly loadedAtMs: number;
}

export interface StandingPorts {
  readonly database: Database;
  readonly clock: Clock;
  readonly keys: Pick<KeyRing, 'secrets'>;
  readonly feed: ChangeFeed;
}

/** The standings of a process, with what their own room may ask. */
export interface CellStandings extends Standings {
  /** Facts that were just read or written; synchronous, before anybody is told. */
  remember(tenantId: TenantId, subjectId: SubjectId, facts: SubjectFacts): void;
  /** Facts as prepared; `undefined` when there are none. */
  factsOf(tenantId: TenantId, subjectId: SubjectId): SubjectFacts | undefined;
}

/** Makes the standings of a process. */
export function createStandings(ports: StandingPorts): CellStandings {
  return new RememberedStandings(ports);
}

/** The subject that follows after so many erasures: nobody without the tenant's id key can tell. */
function toGeneration(idKey: KeyObject, named: SubjectId, generation: number): SubjectId {
  const mac = createHmac('sha256', idKey)
    .update(GENERATION_DOMAIN)
    .update(`${named}/${generation}`);
  return parseSubjectId(toUuid(mac.digest().subarray(0, 16), 8));
}

class RememberedStandings implements CellStandings {
  readonly #ports: StandingPorts;
  readonly #tenants = new Map<TenantId, Tenant>();
  readonly #loading = new Map<TenantId, Promise<void>>();

  constructor(ports: StandingPorts) {
    this.#ports = ports;
    ports.feed.listen({
      onChange: ({ kind, tenantId, id }) => {
        if (kind === 'standing') this.#tenants.get(tenantId)?.stale.add(parseSubjectId(id));
      },
      onReset: () => this.#tenants.clear(),
    });
  }

  #current(tenantId: TenantId): Tenant | undefined {
    const tenant = this.#tenants.get(tenantId);
    if (tenant === undefined || this.#ports.feed.isLive()) return tenant;
    const ageMs = this.#ports.clock.monotonicMs() - tenant.loadedAtMs;
    return ageMs < UNHEARD_MS_MAX ? tenant : undefined;
  }

  prepare(
    tenantId: TenantId,
    subjectIds: Iterable<SubjectId | undefined>,
  ): Promise<void> | undefined {
    const tenant = this.#current(tenantId);
    if (tenant === undefined) return this.#load(tenantId, [...subjectIds]);
    if (tenant.isWhole && tenant.stale.size === 0) return undefined;
    const missing = this.#missing(tenant, subjectIds);
    return missing.length === 0 ? undefined : this.#fetch(tenantId, tenant, missing);
  }

  #missing(tenant: Tenant, subjectIds: Iterable<SubjectId | undefined>): readonly SubjectId[] {
    const missing = new Set<SubjectId>();
    for (const id of [...subjectIds, WHOLE_TENANT]) {
      if (id === undefined) continue;
      const isUnknown = !tenant.isWhole && !tenant.known.has(id);
      if (isUnknown || tenant.stale.has(id)) missing.add(id);
    }
    return [...missing];
  }

  async #load(tenantId: TenantId, subjectIds: readonly (SubjectId | undefined)[]): Promise<void> {
    const underway = this.#loading.get(tenantId) ?? this.#start(tenantId);
    await underway;
    await this.prepare(tenantId, subjectIds);
  }

  #start(tenantId: TenantId): Promise<void> {
    const loading = this.#read(tenantId).finally(() => this.#loading.delete(tenantId));
    this.#loading.set(tenantId, loading);
    return loading;
  }

  async #read(tenantId: TenantId): Promise<void> {
    const { database, clock, keys } = this.#ports;
    const loadedAtMs = clock.monotonicMs();
    const { factsKey } = await keys.secrets(tenantId);
    // Changes that are told while the rows are read are taken in: the tenant is there before.
    const stale = new Set<SubjectId>();
    const placeholder: Tenant = { isWhole: false, known: new Map(), stale, loadedAtMs };
    this.#tenants.set(tenantId, placeholder);
    const rows = await database.withTenant(tenantId, (tx) =>
      listStandings(tx, tenantId, WHOLE_COUNT_MAX + 1),
    );
    if (this.#tenants.get(tenantId) !== placeholder) return this.#read(tenantId);
    const isWhole = rows.length <= WHOLE_COUNT_MAX;
    const known = new Map<SubjectId, Known>();
    if (isWhole) {
      for (const row of rows) known.set(row.subjectId, toKnown(factsKey, tenantId, row));
    }
    this.#makeRoom(tenantId, known.size);
    this.#tenants.set(tenantId, { isWhole, known, stale, loadedAtMs });
  }

  /** Forgets whole tenants, the longest known first, until there is room. */
  #makeRoom(tenantId: TenantId, count: number): void {
    let total = count;
    for (const { known } of this.#tenants.values()) total += known.size;
    for (const [oldest, { known }] of [...this.#tenants]) {
      if (total <= KNOWN_COUNT_MAX) return;
      if (oldest === tenantId) continue;
      this.#tenants.delete(oldest);
      total -= known.size;
    }
  }

  async #fetch(
    tenantId: TenantId,
    tenant: Tenant,
    subjectIds: readonly SubjectId[],
  ): Promise<void> {
    const { database, keys } = this.#ports;
    const { factsKey } = await keys.secrets(tenantId);
    for (const id of subjectIds) tenant.stale.delete(id);
    const rows = await database.withTenant(tenantId, (tx) =>
      findStandings(tx, tenantId, subjectIds),
    );
    const found = new Map(rows.map((row) => [row.subjectId, row]));
    this.#makeRoom(tenantId, subjectIds.length);
    // Dropped meanwhile: what was read may be from before a change that nobody heard of.
    if (this.#tenants.get(tenantId) !== tenant) return this.prepare(tenantId, subjectIds);
    for (const id of subjectIds) {
      const row = found.get(id);
      if (row !== undefined) tenant.known.set(id, toKnown(factsKey, tenantId, row));
      else if (tenant.isWhole) tenant.known.delete(id);
      else tenant.known.set(id, { facts: undefined, isUnverified: false, answers: new Map() });
    }
  }

  #knownOf(tenantId: TenantId, subjectId: SubjectId): Known | undefined {
    const tenant = this.#tenants.get(tenantId);
    const known = tenant?.known.get(subjectId);
    if (known === undefined && tenant?.isWhole !== true) throw forgotten();
    return known;
  }

  find(
    tenantId: TenantId,
    subjectId: SubjectId | undefined,
    question: StandingQuestion,
  ): Standing | undefined {
    if (this.isEmpty(tenantId)) return undefined;
    const whole = this.#knownOf(tenantId, WHOLE_TENANT);
    if (whole?.isUnverified === true) return UNVERIFIED;
    const known = subjectId === undefined ? whole : (this.#knownOf(tenantId, subjectId) ?? whole);
    if (known === undefined) return undefined;
    if (known.isUnverified) return UNVERIFIED;
    const { facts } = known;
    if (facts === undefined) return undefined;
    const { purpose, collection } = question;
    const holds = known === whole ? [] : (whole?.facts?.holds ?? []);
    const id = `${purpose} ${collection?.id ?? ''} ${collection?.version ?? 0}`;
    if (holds.length === 0 && known.answers.has(id)) return known.answers.get(id);
    const standing = toStanding(facts, holds, question);
    if (holds.length === 0) known.answers.set(id, standing);
    return standing;
  }

  isEmpty(tenantId: TenantId): boolean {
    const tenant = this.#tenants.get(tenantId);
    if (tenant === undefined) throw forgotten();
    return tenant.isWhole && tenant.known.size === 0;
  }

  factsOf(tenantId: TenantId, subjectId: SubjectId): SubjectFacts | undefined {
    return this.#knownOf(tenantId, subjectId)?.facts;
  }

  presentSubject(tenantId: TenantId, named: SubjectId, idKey: KeyObject): SubjectId {
    if (this.isEmpty(tenantId)) return named;
    const generation = this.#knownOf(tenantId, named)?.facts?.generation ?? 0;
    return generation === 0 ? named : toGeneration(idKey, named, generation);
  }

  remember(tenantId: TenantId, subjectId: SubjectId, facts: SubjectFacts): void {
    const tenant = this.#tenants.get(tenantId);
    if (tenant === undefined) return;
    tenant.known.set(subjectId, { facts, isUnverified: false, answers: new Map() });
    // What is being read may be from before this.
    if (this.#loading.has(tenantId)) tenant.stale.add(subjectId);
    if (tenant.known.size > 2 * WHOLE_COUNT_MAX) this.#tenants.delete(tenantId);
  }
}

/** The feed of changes broke off in the middle of a request: nothing that was known may be believed. */
function forgotten(): CellError {
  return new CellError('CELL_DATABASE_UNAVAILABLE', 'what people have said has to be read again');
}

function toKnown(factsKey: KeyObject, tenantId: TenantId, row: StandingRow): Known {
  const answers = new Map<string, Standing | undefined>();
  try {
    return { facts: verifyStanding(factsKey, { tenantId, ...row }), isUnverified: false, answers };
  } catch (error) {
    if (!isCoded(error, 'KEYS_FACTS_UNVERIFIED')) throw error;
    return { facts: undefined, isUnverified: true, answers };
  }
}
