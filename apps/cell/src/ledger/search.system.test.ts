// SPDX-License-Identifier: Apache-2.0
// Goal: a tenant finds exactly its own entries by what they tell, in the order of the log, page by page, each
// provable; nobody finds another's, and only some may ask by person. Method: the real log and index; what is
// found is held against a plain filter over the same entries.
import { createSecretKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import type { EntryAnswer, EntrySearch, EntrySearchPage } from '@bailiwick/contracts';
import type { Clock, Random, SubjectId, TenantId } from '@bailiwick/kernel';
import { parseCellId, parseSubjectId, parseTenantId } from '@bailiwick/kernel';
import { deriveSubjectId } from '@bailiwick/keys';
import {
  commitEntry,
  type EntryBody,
  parseTlogProof,
  toLeafHash,
  verifyCheckpoint,
  verifyInclusion,
  verifyTlogProof,
} from '@bailiwick/ledger';
import type { Database } from '@bailiwick/postgres';
import { type TestDatabase, withTestDatabase } from '@bailiwick/postgres/testing';
import { openLog } from '@bailiwick/telemetry';
import { TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox';
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { toProblem } from '../problem.ts';
import type { CellServices, Credential, EntryDraft } from '../services.ts';
import { type CellLedger, createCellLedger } from './cell-ledger.ts';
import { createEntryIndexer, stepEntryIndex } from './entry-index.ts';
import { registerEntrySearchRoutes } from './search-routes.ts';

const clock: Clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };
const random: Random = { bytes: (size) => randomBytes(size) };
const log = openLog({ component: 'test' });
const A_TENANT = parseTenantId('0198c0de-0000-7000-8000-00000000000a');
const B_TENANT = parseTenantId('0198c0de-0000-7000-8000-00000000000b');
const idKey = createSecretKey(Buffer.alloc(32, 7));
const ERIKA = deriveSubjectId(idKey, 'erika');
const toPseudonym = (subjectId: SubjectId): string => subjectId.replaceAll('-', '');
const KEY = '0198c0de-0000-7000-8000-0000000000cc';
const KINDS = ['read', 'write', 'decision', 'seal', 'refusal'] as const;
const PURPOSES = ['order-fulfilment', 'analytics', 'customer-support'];

/** Entries that differ in everything that can be asked for, by their number. */
function aDraft(index: number): EntryDraft {
  const kind = KINDS[index % KINDS.length] ?? 'read';
  return {
    kind,
    actor: {
      account: `0198c0de-0000-7000-8000-${String(index % 3).padStart(12, '0')}`,
      kind: 'workload',
      role: index % 4 === 0 ? 'analyst' : 'shop-service',
      employer: 'controller',
      assurance: 'high',
      place: 'de',
    },
    flow: {
      action: index % 2 === 0 ? 'read' : 'export',
      at: '2026-11-20T08:00:00.000Z',
      conditions: [],
      consent: 'absent',
      data: {
        categories: index % 7 === 0 ? ['contact', 'health'] : ['contact'],
        class: 'restricted',
        origin: 'de',
        regimes: ['gdpr'],
        residency: 'eu-de',
      },
      form: 'plain',
      purpose: PURPOSES[index % PURPOSES.length] ?? '',
      to: {
        kind: 'provider',
        id: 'parcel-carrier',
        location: index % 5 === 0 ? 'us' : 'de',
        operator: 'de',
      },
    },
    decision: {
      charter: '0'.repeat(64),
      obligations: [],
      outcome: index % 6 === 0 ? 'deny' : 'allow',
      rules: [`rule-${index % 11}`, 'everywhere'],
      serial: 1,
    },
    ...(index % 50 === 3 ? { subject: toPseudonym(ERIKA) } : {}),
    facts: {
      collection: index % 3 === 0 ? 'customers' : 'orders',
      ...(index % 40 === 1 ? { key: KEY } : {}),
      ...(kind === 'refusal' ? { code: 'CELL_ROLE_FORBIDDEN' } : {}),
    },
  };
}

describe('the search of entries', () => {
  let test: TestDatabase;
  let database: Database;
  let ledger: CellLedger;
  let app: FastifyInstance;
  /** Bodies of tenant A by position. */
  const bodies = new Map<number, EntryBody>();

  beforeAll(async () => {
    test = await withTestDatabase();
    database = test.open(8);
    ledger = createCellLedger({
      cellId: parseCellId('eu-de/main'),
      epoch: 1,
      privateKey: generateKeyPairSync('ed25519').privateKey,
      database,
      clock,
      random,
      log,
    });
    ledger.start();
    app = Fastify().setValidatorCompiler(TypeBoxValidatorCompiler);
    app.decorateRequest('credential', {
      getter(this: FastifyRequest): Credential {
        const tenantId = this.headers['x-tenant'] === 'b' ? B_TENANT : A_TENANT;
        const role = String(this.headers['x-role'] ?? 'auditor');
        const account = String(this.headers['x-account'] ?? 'somebody');
        return {
          ...{ tenantId, role, account, kind: 'person', employer: 'controller' },
          ...{ assurance: 'high', place: 'de', purposes: [], residency: 'eu-de' as never },
        };
      },
    });
    app.setErrorHandler(async (error, _request, reply) => {
      const problem = toProblem(error);
      return reply.code(problem.status).serializer(JSON.stringify).send(problem);
    });
    const keys = { secrets: async () => ({ idKey }) } as unknown as CellServices['keys'];
    const services = { database, clock, keys, entries: ledger.entries } as CellServices;
    const tokenKey = createSecretKey(Buffer.alloc(32, 3));
    const findCosigned = async (): Promise<undefined> => undefined;
    registerEntrySearchRoutes(app, services, { ledger, tokenKey, findCosigned });
    await Promise.all([
      ...Array.from({ length: 2_600 }, (_, at) => record(A_TENANT, aDraft(at))),
      ...Array.from({ length: 300 }, (_, at) => record(B_TENANT, aDraft(at))),
    ]);
    const { entryId } = await ledger.entries.record(A_TENANT, aDraft(2_601));
    await ledger.entries.awaitCheckpoint(entryId, { timeoutMs: 10_000 });
    for await (const page of pagesOf({ pageSize: 200 })) {
      for (const { index = -1, body } of page.items)
        bodies.set(index, body as unknown as EntryBody);
    }
  });
  afterAll(async () => {
    await app.close();
    await ledger.stop();
    await test.close();
  });

  const record = (tenantId: TenantId, draft: EntryDraft) => ledger.entries.record(tenantId, draft);
  const ask = (payload: object, headers: Record<string, string> = {}) =>
    app.inject({ method: 'POST', url: '/v1/entries/searches', payload, headers });
  const find = async (search: EntrySearch, headers = {}): Promise<EntrySearchPage> => {
    const answer = await ask(search, headers);
    expect(answer.statusCode, answer.body).toBe(200);
    return answer.json();
  };
  async function* pagesOf(search: EntrySearch, headers = {}): AsyncGenerator<EntrySearchPage> {
    let pageToken: string | undefined;
    do {
      const next = pageToken === undefined ? search : { ...search, pageToken };
      const page: EntrySearchPage = await find(next, headers);
      yield page;
      pageToken = page.nextPageToken;
    } while (pageToken !== undefined);
  }
  const findAll = async (search: EntrySearch, headers = {}): Promise<readonly EntryAnswer[]> => {
    const items: EntryAnswer[] = [];
    for await (const page of pagesOf(search, headers)) items.push(...page.items);
    return items;
  };
  const indexesOf = (items: readonly EntryAnswer[]): readonly number[] =>
    items.map(({ index = -1 }) => index);
  const expected = (isWanted: (body: EntryBody) => boolean): readonly number[] =>
    [...bodies].flatMap(([index, body]) => (isWanted(body) ? [index] : [])).sort((a, b) => b - a);

  it('finds all of the tenant’s entries and none twice, newest first', () => {
    expect(bodies.size).toBe(2_601);
    expect([...bodies.values()].every(({ tenant }) => tenant === A_TENANT)).toBe(true);
    const order = [...bodies.keys()];
    expect(order).toEqual([...order].sort((a, b) => b - a));
  });

  it.each<[string, EntrySearch, (body: EntryBody) => boolean, number]>([
    ['a kind', { kinds: ['seal'] }, (b) => b.kind === 'seal', 520],
    ['kinds', { kinds: ['seal', 'read'] }, (b) => ['seal', 'read'].includes(b.kind), 1_040],
    ['an action', { flow: { action: 'export' } }, (b) => b.flow?.action === 'export', 1_301],
    ['a purpose', { flow: { purpose: 'analytics' } }, (b) => b.flow?.purpose === 'analytics', 867],
    ['a location', { flow: { location: 'us' } }, (b) => b.flow?.to.location === 'us', 520],
    [
      'a category',
      { flow: { category: 'health' } },
      (b) => b.flow?.data.categories.includes('health') === true,
      372,
    ],
    [
      'a destination',
      { flow: { destination: 'parcel-carrier' }, outcome: 'deny' },
      (b) => b.decision?.outcome === 'deny',
      434,
    ],
    ['a rule', { rule: 'rule-4' }, (b) => b.decision?.rules.includes('rule-4') === true, 236],
    ['a key', { key: KEY }, (b) => b.facts?.['key'] === KEY, 66],
    [
      'an account',
      { account: `0198c0de-0000-7000-8000-${'1'.padStart(12, '0')}` },
      (b) => b.actor?.account.endsWith('1') === true,
      867,
    ],
    ['a role', { role: 'analyst' }, (b) => b.actor?.role === 'analyst', 650],
    [
      'a collection',
      { collection: 'customers' },
      (b) => b.facts?.['collection'] === 'customers',
      868,
    ],
    ['a code', { code: 'CELL_ROLE_FORBIDDEN' }, (b) => b.facts?.['code'] !== undefined, 520],
    [
      'much at once',
      { kinds: ['read'], rule: 'rule-0', outcome: 'deny', role: 'analyst' },
      (b) =>
        b.kind === 'read' &&
        b.decision?.rules.includes('rule-0') === true &&
        b.decision.outcome === 'deny' &&
        b.actor?.role === 'analyst',
      4,
    ],
  ])('finds by %s', async (_what, search, isWanted, count) => {
    const found = await findAll({ ...search, pageSize: 200 });
    const wanted = expected(isWanted);
    expect(wanted.length).toBe(count);
    expect(indexesOf(found)).toEqual(wanted);
    const oldest = await findAll({ ...search, pageSize: 37, order: 'oldest' });
    expect(indexesOf(oldest)).toEqual([...wanted].reverse());
  });

  it('finds by time, the first instant in and the last out', async () => {
    const all = expected(() => true).toReversed();
    const at = (place: number): string => bodies.get(all[place] ?? -1)?.at ?? '';
    const [from, to] = [at(700), at(1_900)];
    const wanted = expected((body) => body.at >= from && body.at < to);
    expect(wanted.length).toBeGreaterThan(100);
    expect(indexesOf(await findAll({ from, to, pageSize: 200 }))).toEqual(wanted);
    expect(await findAll({ from: '2030-01-01T00:00:00.000Z' })).toEqual([]);
    expect(await findAll({ to: '2020-01-01T00:00:00.000Z', rule: 'everywhere' })).toEqual([]);
  });

  it('finds nothing where nothing is, without a token that leads nowhere', async () => {
    const page = await find({ rule: 'rule-99' });
    expect(page.items).toEqual([]);
    expect(page.nextPageToken).toBeUndefined();
    expect(page.size).toBeGreaterThanOrEqual(2_900);
  });

  it('finds by person for those who may, and has it on record that somebody looked', async () => {
    const wanted = expected((body) => body.subject === toPseudonym(ERIKA));
    expect(wanted.length).toBe(52);
    const kinds = [...KINDS];
    const found = await findAll({ subject: 'erika', kinds, pageSize: 200 });
    expect(indexesOf(found)).toEqual(wanted);
    const same = await findAll({ subjectId: ERIKA, kinds, pageSize: 200 });
    expect(indexesOf(same)).toEqual(wanted);
    const looks = await vi.waitFor(
      async () => {
        const looked = await findAll({ kinds: ['observation'], pageSize: 200 });
        expect(looked.length).toBeGreaterThanOrEqual(2);
        return looked;
      },
      { timeout: 10_000, interval: 20 },
    );
    expect(looks[0]?.body).toMatchObject({
      subject: toPseudonym(ERIKA),
      actor: { role: 'auditor' },
      facts: { observed: 'entries-searched-by-subject' },
    });
    const nobody = parseSubjectId('0198c0de-0000-8000-8000-000000000099');
    expect(await findAll({ subjectId: nobody, kinds })).toEqual([]);
  });

  it.each(['shop-service', 'analyst', 'support-agent', 'security-officer', 'operator'])(
    'does not let a %s ask by person',
    async (role) => {
      for (const search of [{ subject: 'erika' }, { subjectId: ERIKA }]) {
        const answer = await ask(search, { 'x-role': role });
        expect(answer.statusCode).toBe(403);
        expect(answer.json()).toMatchObject({ code: 'CELL_ROLE_FORBIDDEN' });
      }
    },
  );

  it('shows another tenant its own entries and nothing else', async () => {
    const found = await findAll({ pageSize: 200 }, { 'x-tenant': 'b' });
    expect(found.length).toBe(300);
    for (const { body } of found) expect(body).toMatchObject({ tenant: B_TENANT });
    const byRule = await findAll({ rule: 'everywhere', pageSize: 200 }, { 'x-tenant': 'b' });
    expect(byRule.length).toBe(300);
  });

  it('takes a page token of the same query, account and tenant only', async () => {
    const { nextPageToken: pageToken = '' } = await find({ rule: 'everywhere', pageSize: 10 });
    expect((await find({ rule: 'everywhere', pageSize: 10, pageToken })).items.length).toBe(10);
    const flipped = `${pageToken.slice(0, 20)}${pageToken[20] === 'A' ? 'B' : 'A'}${pageToken.slice(21)}`;
    for (const [search, headers] of [
      [{ rule: 'rule-1', pageSize: 10, pageToken }, {}],
      [{ rule: 'everywhere', pageSize: 11, pageToken }, {}],
      [{ rule: 'everywhere', pageSize: 10, pageToken }, { 'x-tenant': 'b' }],
      [{ rule: 'everywhere', pageSize: 10, pageToken }, { 'x-account': 'other' }],
      [{ rule: 'everywhere', pageSize: 10, pageToken: flipped }, {}],
      [{ rule: 'everywhere', pageSize: 10, pageToken: 'x' }, {}],
    ] as const) {
      const answer = await ask(search, headers);
      expect(answer.statusCode).toBe(400);
      expect(answer.json()).toMatchObject({ code: 'RECORD_PAGE_TOKEN_INVALID' });
    }
  });

  it.each([
    [{ pageSize: 0 }],
    [{ pageSize: 201 }],
    [{ from: 'yesterday' }],
    [{ from: '2026-13-01T00:00:00Z' }],
    [{ kinds: [] }],
    [{ unknown: 'x' }],
    [{ flow: { unknown: 'x' } }],
    [{ outcome: 'perhaps' }],
    [{ subjectId: 'nobody' }],
  ])('refuses %j', async (search) => {
    expect((await ask(search)).statusCode).toBe(400);
  });

  it('gives each entry its proof when asked', async () => {
    const { items } = await find({ key: KEY, proofs: true, pageSize: 5 });
    for (const { proof, leafHash = '', index = -1, salt = '', canonicalBody = '' } of items) {
      if (proof === undefined) throw new Error('no proof');
      const { root, size } = verifyCheckpoint(proof.checkpoint, { log: ledger.verifierKey });
      const leaf = toLeafHash(commitEntry(Buffer.from(salt, 'base64url'), canonicalBody));
      expect(leaf.toString('hex')).toBe(leafHash);
      const hashes = proof.hashes.map((hash) => Buffer.from(hash, 'base64'));
      verifyInclusion({ leafHash: leaf, index, size, hashes }, root);
    }
    expect(items.length).toBe(5);
  });

  it('gives the proof of an entry as a file, to its tenant only', async () => {
    const { items } = await find({ pageSize: 1 });
    const [{ entry = '', salt = '', canonicalBody = '', index = -1 } = {}] = items;
    const url = `/v1/entries/${entry}/proof`;
    const file = await app.inject({ url });
    expect(file.statusCode, file.body).toBe(200);
    const leafHash = toLeafHash(commitEntry(Buffer.from(salt, 'base64url'), canonicalBody));
    const proof = parseTlogProof(file.body);
    expect(verifyTlogProof(proof, { leafHash, log: ledger.verifierKey }).index).toBe(index);
    leafHash[0] = (leafHash[0] ?? 0) ^ 1;
    expect(() => verifyTlogProof(proof, { leafHash, log: ledger.verifierKey })).toThrow();
    const other = await app.inject({ url, headers: { 'x-tenant': 'b' } });
    expect(other.statusCode).toBe(404);
    const absent = await app.inject({
      url: '/v1/entries/0198c0de-0000-7000-8000-0000000000ff/proof',
    });
    expect({ ...absent.json() }).toEqual({ ...other.json() });
  });

  it('finds what was entered a moment ago, once it has its position', async () => {
    const { entryId } = await record(A_TENANT, { kind: 'erasure', facts: { key: 'new-key' } });
    await ledger.entries.awaitCheckpoint(entryId, { timeoutMs: 10_000 });
    const { items } = await find({ key: 'new-key' });
    expect(items.map(({ entry }) => entry)).toEqual([entryId]);
  });

  it('makes the same index however many make it at once, and again from nothing', async () => {
    const read = () =>
      test.asOwner(`SELECT tenant_id, mark, page, encode(positions, 'hex') AS positions
                      FROM ledger.entry_postings ORDER BY 1, 2, 3`);
    for (const tenantId of [A_TENANT, B_TENANT])
      await stepEntryIndex(database, { tenantId, epoch: 1 });
    const before = await read();
    await test.asOwner('TRUNCATE ledger.entry_marked, ledger.entry_pages, ledger.entry_postings');
    const indexers = Array.from({ length: 3 }, () =>
      createEntryIndexer({
        database,
        epoch: 1,
        readHeadSize: async () => (await ledger.store.readHead(1)).size,
        listTenants: () => [A_TENANT, B_TENANT],
        log,
      }),
    );
    const steps = [A_TENANT, B_TENANT].flatMap((tenantId) =>
      Array.from({ length: 4 }, () => stepEntryIndex(database, { tenantId, epoch: 1 })),
    );
    for (const indexer of indexers) indexer.start();
    await Promise.all(steps);
    for (const indexer of indexers) await indexer.stop();
    expect(await read()).toEqual(before);
  });

  it('hides the index of one tenant from another in the database itself', async () => {
    for (const table of ['entry_marked', 'entry_pages', 'entry_postings']) {
      const count = await database.withTenant(B_TENANT, async (tx) => {
        const { rows } = await tx.query<{ count: number }>(
          `SELECT count(*)::int AS count FROM ledger.${table} WHERE tenant_id = $1`,
          [A_TENANT],
        );
        return rows[0]?.count;
      });
      expect(count).toBe(0);
      const none = await database.withTransaction(
        async (tx) => (await tx.query(`SELECT FROM ledger.${table}`)).rowCount,
      );
      expect(none).toBe(0);
    }
  });
});
