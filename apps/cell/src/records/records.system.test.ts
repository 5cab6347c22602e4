// SPDX-License-Identifier: Apache-2.0
// Goal: records over the cell's routes: what a tenant's accounts may do and see, and above all what they
// may not. Real database, keys, ledger, charter; requests are injected.
import type { CollectionSchema } from '@bailiwick/contracts';
import { createUuidV7, parseSubjectId, type TenantId } from '@bailiwick/kernel';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Caller, createCaller } from './testing/caller.ts';
import { openRecordCell, type RecordCell } from './testing/record-cell.ts';
import { CUSTOMERS } from './testing/shop.ts';

let cell: RecordCell;
let tenantId: TenantId;
let shop: Caller;
let analyst: Caller;

const ERIKA = {
  id: 'erika@example.org',
  subject: 'erika@example.org',
  origin: 'Germany',
  fields: {
    name: 'Erika Mustermann',
    email: 'Erika@example.org',
    iban: 'DE02120300000000202051',
    orders: 3,
  },
};

/** Nothing but what is restricted. */
const ADDRESSES = {
  fieldSets: { contact: CUSTOMERS.fieldSets['contact'] },
  fields: { name: CUSTOMERS.fields['name'] },
};
const ADDRESS = { subject: 'erika', origin: 'de', fields: { name: 'Erika Mustermann' } };

beforeAll(async () => {
  cell = await openRecordCell();
  tenantId = await cell.createTenant();
  shop = createCaller(cell, cell.createAccount(tenantId));
  analyst = createCaller(
    cell,
    cell.createAccount(tenantId, { role: 'analyst', kind: 'person', defaultPurpose: 'analytics' }),
  );
  await shop('PUT', 'customers', CUSTOMERS);
  await shop('PUT', 'addresses', ADDRESSES);
});

afterAll(() => cell.close());

async function create(draft: object, collection = 'customers'): Promise<string> {
  const answer = await shop('POST', `${collection}/records`, draft);
  expect(answer.status, answer.text).toBe(201);
  return String(answer.body['recordId']);
}

async function countEntries(): Promise<number> {
  const [row] = await cell.testDatabase.asOwner<{ count: number }>(
    'SELECT count(*)::int AS count FROM ledger.entries',
  );
  return row?.count ?? 0;
}

describe('a record', () => {
  it('is created, read, changed and deleted, each with an entry', async () => {
    const before = await countEntries();
    const made = await shop('POST', 'customers/records', { ...ERIKA, id: 'crud', subject: 'crud' });
    expect(made.status).toBe(201);
    expect(made.body).toMatchObject({
      version: 1,
      label: { cell: 'eu-de/main', residency: 'eu-de', origin: 'de', regimes: ['gdpr'] },
      fields: ERIKA.fields,
    });
    const path = `customers/records/${made.body['recordId']}`;
    const read = await shop('GET', path);
    expect(read.body['fields']).toEqual(ERIKA.fields);
    expect(read.headers['etag']).toBe('"1"');
    const change = { fields: { orders: 4, iban: null } };
    const changed = await shop('PATCH', path, change, { 'if-match': '"1"' });
    expect(changed.body).toMatchObject({ version: 2, fields: { orders: 4 } });
    const { iban: _, ...rest } = ERIKA.fields;
    expect((await shop('GET', path)).body['fields']).toEqual({ ...rest, orders: 4 });
    expect((await shop('DELETE', path, undefined, { 'if-match': '"2"' })).status).toBe(204);
    expect((await shop('GET', path)).body['code']).toBe('RECORD_UNKNOWN');
    expect(await countEntries()).toBe(before + 5);
  });

  it('is answered as unchanged when it is created again, and as a conflict with other content', async () => {
    await create({ ...ERIKA, id: 'again' });
    const same = await shop('POST', 'customers/records', { ...ERIKA, id: 'again' });
    expect([same.status, same.body['version']]).toEqual([200, 1]);
    const other = { ...ERIKA, id: 'again', fields: { ...ERIKA.fields, orders: 9 } };
    expect((await shop('POST', 'customers/records', other)).body['code']).toBe('RECORD_CONFLICT');
    const { iban: _, ...fields } = ERIKA.fields;
    const less = { ...ERIKA, id: 'again', fields };
    expect((await shop('POST', 'customers/records', less)).body['code']).toBe('RECORD_CONFLICT');
    const person = { ...ERIKA, id: 'again', subject: 'somebody else' };
    expect((await shop('POST', 'customers/records', person)).body['code']).toBe('RECORD_CONFLICT');
    const place = { ...ERIKA, id: 'again', origin: 'fr' };
    expect((await shop('POST', 'customers/records', place)).body['code']).toBe('RECORD_CONFLICT');
  });

  it('without an id is one per Idempotency-Key and account', async () => {
    const { id: _, ...draft } = ERIKA;
    const key = { 'idempotency-key': 'one' };
    const first = await shop('POST', 'customers/records', draft, key);
    const again = await shop('POST', 'customers/records', draft, key);
    expect([first.status, again.status]).toEqual([201, 200]);
    expect(again.body['recordId']).toBe(first.body['recordId']);
    const other = { ...draft, fields: { name: 'Max' } };
    const reused = await shop('POST', 'customers/records', other, key);
    expect([reused.status, reused.body['code']]).toEqual([422, 'IDEMPOTENCY_KEY_REUSED']);
    const colleague = createCaller(cell, cell.createAccount(tenantId));
    const theirs = await colleague('POST', 'customers/records', draft, key);
    expect(theirs.body['recordId']).not.toBe(first.body['recordId']);
  });

  it.each([
    ['an unknown field', { fields: { ...ERIKA.fields, colour: 'red' } }, '/fields/colour'],
    ['a text for a number', { fields: { name: 'E', orders: '3' } }, '/fields/orders'],
    ['a fraction for a whole number', { fields: { name: 'E', orders: 1.5 } }, '/fields/orders'],
    ['no such day', { fields: { name: 'E', since: '2026-02-30' } }, '/fields/since'],
    ['a value outside the list', { fields: { name: 'E', tier: 'lead' } }, '/fields/tier'],
    ['NUL in a text', { fields: { name: 'E\u0000' } }, '/fields/name'],
    ['half a surrogate', { fields: { name: 'E\ud800' } }, '/fields/name'],
    ['an e-mail address without @', { fields: { name: 'E', email: 'none' } }, '/fields/email'],
    ['a required field left out', { fields: { orders: 1 } }, '/fields/name'],
    ['a required field that is null', { fields: { name: null } }, '/fields/name'],
  ])('is refused with its place: %s', async (_, change, pointer) => {
    const answer = await shop('POST', 'customers/records', { ...ERIKA, id: 'bad', ...change });
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({ code: 'RECORD_FIELD_INVALID', errors: [{ pointer }] });
    expect(answer.text).not.toContain('DE0212');
  });

  it.each([
    ['United Kingdom', 421, 'RECORD_HOME_ELSEWHERE', 'uk-lon/main'],
    ['Channel Islands', 421, 'RECORD_HOME_ELSEWHERE', 'uk-lon/main'],
    ['us-ca', 421, 'RECORD_HOME_ELSEWHERE', 'us-va/main'],
    ['Bahrain', 422, 'RECORD_HOME_ABSENT', undefined],
    ['Atlantis', 422, 'RECORD_HOME_ABSENT', undefined],
    ['G\u0435rmany', 422, 'RECORD_HOME_ABSENT', undefined],
  ])('from %s does not come in', async (origin, status, code, home) => {
    const answer = await shop('POST', 'customers/records', { ...ERIKA, id: 'far', origin });
    expect([answer.status, answer.body['code']]).toEqual([status, code]);
    if (home) expect(answer.body['home']).toMatchObject({ cell: home });
    expect(answer.text).not.toContain('Atlantis');
    expect(answer.text).not.toContain('Erika');
  });

  it.each(['Germany', 'EIRE', 'Norway', 'Iceland', 'Switzerland', 'Japan', 'Israel'])(
    'from %s has its home here',
    async (origin) => {
      await create({ ...ERIKA, id: `from-${origin}`, origin });
    },
  );

  it('is changed only by who says which version was read', async () => {
    const path = `customers/records/${await create({ ...ERIKA, id: 'versioned' })}`;
    const change = { fields: { orders: 5 } };
    const codeOf = async (headers: Record<string, string>): Promise<unknown> => {
      const answer = await shop('PATCH', path, change, headers);
      return [answer.status, answer.body['code']];
    };
    expect(await codeOf({})).toEqual([428, 'RECORD_VERSION_MISSING']);
    expect(await codeOf({ 'if-match': '*' })).toEqual([400, 'CELL_INPUT_INVALID']);
    expect(await codeOf({ 'if-match': '"2"' })).toEqual([412, 'RECORD_VERSION_STALE']);
    const both = await Promise.all([
      shop('PATCH', path, change, { 'if-match': '"1"' }),
      shop('PATCH', path, { fields: { orders: 6 } }, { 'if-match': '"1"' }),
    ]);
    expect(both.map(({ status }) => status).sort()).toEqual([200, 412]);
    const gone = await shop('DELETE', path, undefined, { 'if-match': '"1"' });
    expect(gone.body['code']).toBe('RECORD_VERSION_STALE');
    expect((await shop('DELETE', path)).body['code']).toBe('RECORD_VERSION_MISSING');
  });

  it('does not sink in a batch with bad ones', async () => {
    const before = await countEntries();
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, index) =>
        shop('POST', 'customers/records', {
          ...ERIKA,
          id: `batch-${index % 50}`,
          subject: `batch-${index}`,
          fields: { name: 'E', email: index % 7 === 0 ? 'no address' : `e${index}@example.org` },
        }),
      ),
    );
    const codes = answers.map(({ status, body }) => body['code'] ?? status);
    expect(codes.filter((code) => code === 'RECORD_FIELD_INVALID').length).toBe(9);
    // Ten ids come twice, about two people: one of each is refused, unless one of the two is malformed.
    const created = codes.filter((code) => code === 201).length;
    const conflicts = codes.filter((code) => code === 'RECORD_CONFLICT').length;
    expect(created + conflicts).toBe(51);
    expect(created).toBeGreaterThanOrEqual(42);
    // One entry for each write, one for each comparison.
    expect(await countEntries()).toBe(before + created + conflicts);
  });
});

describe('who asks', () => {
  it('sees masked what the role may not see, and nothing of it in the answer', async () => {
    const id = await create({ ...ERIKA, id: 'masked' });
    const seen = await analyst('GET', `customers/records/${id}`);
    expect(seen.status).toBe(200);
    expect(seen.body['fields']).toEqual({ orders: 3 });
    expect(seen.body['masked']).toEqual(['email', 'iban', 'name', 'phone']);
    expect(seen.text).not.toContain('Erika');
  });

  it('may not ask by what it may not see, whether there is such a record or not', async () => {
    await create({ ...ERIKA, id: 'asked', fields: { name: 'E', email: 'asked@example.org' } });
    for (const email of ['asked@example.org', 'nobody@example.org']) {
      const search = await analyst('POST', 'customers/searches', {
        where: { email: { eq: email } },
      });
      expect([search.status, search.body['code']]).toEqual([403, 'CELL_ROLE_FORBIDDEN']);
      const count = await analyst('POST', 'customers/counts', { where: { email: { eq: email } } });
      expect([count.status, count.body['code']]).toEqual([403, 'CELL_ROLE_FORBIDDEN']);
    }
    const sorted = await analyst('POST', 'customers/searches', { sort: [{ field: 'name' }] });
    expect(sorted.body['code']).toBe('RECORD_FIELD_UNSEARCHABLE');
  });

  it.each([
    ['from a third country', { place: 'in' }],
    ['with a purpose of analytics as the shop', { defaultPurpose: 'analytics' }],
    ['as an operator', { role: 'operator' }],
    ['signed in poorly', { kind: 'person', assurance: 'low', role: 'privacy-officer' }],
  ] as const)('is refused %s, with the rules and an entry', async (_, change) => {
    const id = await create({ ...ADDRESS, id: JSON.stringify(change) }, 'addresses');
    const before = await countEntries();
    const caller = createCaller(cell, cell.createAccount(tenantId, change));
    const answer = await caller('GET', `addresses/records/${id}`);
    expect(answer.status).toBe(403);
    expect(answer.body['code']).toBe('POLICY_FLOW_DENIED');
    expect(answer.text).not.toContain('Erika');
    expect(await countEntries()).toBe(before + 1);
  });

  it('may not write what its role may not', async () => {
    const draft = { ...ADDRESS, id: 'written by an analyst' };
    expect((await analyst('POST', 'addresses/records', draft)).status).toBe(403);
    const path = `addresses/records/${await create({ ...ADDRESS, id: 'kept' }, 'addresses')}`;
    const change = { fields: { name: 'Max' } };
    expect((await analyst('PATCH', path, change, { 'if-match': '"1"' })).status).toBe(403);
    expect((await analyst('DELETE', path, undefined, { 'if-match': '"1"' })).status).toBe(403);
    expect((await analyst('PUT', 'others', ADDRESSES)).status).toBe(403);
    expect((await shop('GET', path)).body['version']).toBe(1);
  });

  it('gets nothing of another tenant by any route', async () => {
    const id = await create({
      ...ERIKA,
      id: 'mine',
      fields: { name: 'E', email: 'mine@example.org' },
    });
    const stranger = createCaller(cell, cell.createAccount(await cell.createTenant()));
    const match = { 'if-match': '"1"' };
    expect((await stranger('GET', `customers/records/${id}`)).body['code']).toBe(
      'COLLECTION_UNKNOWN',
    );
    await stranger('PUT', 'customers', CUSTOMERS);
    expect((await stranger('GET', `customers/records/${id}`)).body['code']).toBe('RECORD_UNKNOWN');
    const change = { fields: { orders: 1 } };
    const changed = await stranger('PATCH', `customers/records/${id}`, change, match);
    expect(changed.body['code']).toBe('RECORD_UNKNOWN');
    const deleted = await stranger('DELETE', `customers/records/${id}`, undefined, match);
    expect(deleted.body['code']).toBe('RECORD_UNKNOWN');
    const where = { email: { eq: 'mine@example.org' } };
    expect((await stranger('POST', 'customers/searches', { where })).body['items']).toEqual([]);
    expect((await stranger('POST', 'customers/counts', {})).body['count']).toBe(0);
    // The same id of the caller's is another record there.
    const theirs = await stranger('POST', 'customers/records', { ...ERIKA, id: 'mine' });
    expect(theirs.status).toBe(201);
    expect(theirs.body['recordId']).not.toBe(id);
    expect(theirs.body['subjectId']).not.toBe(
      (await shop('GET', `customers/records/${id}`)).body['subjectId'],
    );
  });
});

describe('a search', () => {
  const people: { id: string; fields: Record<string, unknown> }[] = Array.from(
    { length: 25 },
    (_, index) => ({
      id: `p${index}`,
      fields: {
        name: `Person ${index}`,
        email: `p${index}@example.org`,
        orders: index % 5,
        ...(index % 3 === 0 ? {} : { total: index * 1.5 }),
        since: `2025-01-${String(index + 1).padStart(2, '0')}`,
        isActive: index % 2 === 0,
      },
    }),
  );

  beforeAll(async () => {
    await shop('PUT', 'people', CUSTOMERS);
    for (const person of people) await create({ ...person, origin: 'de' }, 'people');
  });

  const names = (items: unknown): unknown[] =>
    Array.isArray(items) ? items.map((item) => item.fields.name) : [];

  it.each([
    ['a blind index in another spelling', { email: { eq: ' P7@EXAMPLE.org' } }, ['Person 7']],
    ['several blind indexes', { email: { in: ['p1@example.org', 'x@example.org'] } }, ['Person 1']],
    ['what has no normal form', { email: { eq: 'nothing' } }, []],
    ['a range', { orders: { gt: 3 }, total: { lt: 20 } }, ['Person 4']],
    ['dates', { since: { gte: '2025-01-24' } }, ['Person 23', 'Person 24']],
    [
      'a boolean and a list',
      { isActive: { eq: true }, orders: { in: [4] } },
      ['Person 14', 'Person 24', 'Person 4'],
    ],
    ['both ends', { since: { gte: '2025-01-02', lte: '2025-01-02' } }, ['Person 1']],
  ])('finds by %s', async (_, where, expected) => {
    const answer = await shop('POST', 'people/searches', { where, count: true });
    expect(names(answer.body['items']).sort()).toEqual(expected);
    expect(answer.body['count']).toBe(expected.length);
    expect((await shop('POST', 'people/counts', { where })).body['count']).toBe(expected.length);
  });

  it.each([
    ['an unknown field', { where: { nothing: { eq: 1 } } }, 'RECORD_FIELD_UNSEARCHABLE'],
    ['a range over a sealed field', { where: { email: { gt: 'a' } } }, 'RECORD_FIELD_UNSEARCHABLE'],
    [
      'a sealed field without an index',
      { where: { name: { eq: 'a' } } },
      'RECORD_FIELD_UNSEARCHABLE',
    ],
    ['an order of a sealed field', { sort: [{ field: 'email' }] }, 'RECORD_FIELD_UNSEARCHABLE'],
    ['a value of another type', { where: { orders: { eq: 'three' } } }, 'RECORD_FIELD_INVALID'],
    ['no operator', { where: { orders: {} } }, 'CELL_INPUT_INVALID'],
    ['an unknown operator', { where: { orders: { like: '%' } } }, 'CELL_INPUT_INVALID'],
    ["SQL in a field's name", { where: { "x' OR true --": { eq: 1 } } }, 'CELL_INPUT_INVALID'],
    ['a page of a thousand', { pageSize: 1000 }, 'CELL_INPUT_INVALID'],
  ])('refuses %s', async (_, query, code) => {
    const answer = await shop('POST', 'people/searches', query);
    expect([answer.status, answer.body['code']]).toEqual([400, code]);
  });

  it.each([
    [[{ field: 'orders', direction: 'desc' }, { field: 'since' }]],
    [[{ field: 'total' }, { field: 'orders', direction: 'desc' }]],
    [[{ field: 'isActive', direction: 'desc' }]],
    [[]],
  ])('gives every record once over its pages, in order: %j', async (sort) => {
    const whole = await shop('POST', 'people/searches', { sort, pageSize: 100 });
    const expected = names(whole.body['items']);
    expect(new Set(expected).size).toBe(25);
    const found: unknown[] = [];
    let pageToken: unknown;
    do {
      const query = { sort, pageSize: 4, ...(pageToken === undefined ? {} : { pageToken }) };
      const answer = await shop('POST', 'people/searches', query);
      expect(answer.status, answer.text).toBe(200);
      found.push(...names(answer.body['items']));
      pageToken = answer.body['nextPageToken'];
    } while (pageToken !== undefined);
    expect(found).toEqual(expected);
  });

  it('takes a page token only for its own query, account, purpose, collection and tenant', async () => {
    const query = { where: { orders: { gte: 1 } }, sort: [{ field: 'since' }], pageSize: 3 };
    const { body, text } = await shop('POST', 'people/searches', query);
    const pageToken = String(body['nextPageToken']);
    expect(text).not.toContain('2025-01-05","');
    const codeOf = async (caller: Caller, change: object, headers = {}, path = 'people') => {
      const answer = await caller(
        'POST',
        `${path}/searches`,
        { ...query, pageToken, ...change },
        headers,
      );
      return answer.body['code'] ?? answer.status;
    };
    expect(await codeOf(shop, {})).toBe(200);
    const invalid = 'RECORD_PAGE_TOKEN_INVALID';
    expect(await codeOf(shop, { where: { orders: { gte: 0 } } })).toBe(invalid);
    expect(await codeOf(shop, { where: {} })).toBe(invalid);
    expect(await codeOf(shop, { sort: [] })).toBe(invalid);
    expect(await codeOf(shop, { pageSize: 4 })).toBe(invalid);
    expect(await codeOf(shop, {}, { 'bailiwick-purpose': 'customer-support' })).toBe(invalid);
    expect(await codeOf(shop, {}, {}, 'customers')).toBe(invalid);
    const colleague = createCaller(cell, cell.createAccount(tenantId));
    expect(await codeOf(colleague, {})).toBe(invalid);
    const stranger = createCaller(cell, cell.createAccount(await cell.createTenant()));
    await stranger('PUT', 'people', CUSTOMERS);
    expect(await codeOf(stranger, {})).toBe(invalid);
    for (const at of [0, 10, 40, pageToken.length - 1]) {
      const flipped = pageToken[at] === 'A' ? 'B' : 'A';
      const changed = pageToken.slice(0, at) + flipped + pageToken.slice(at + 1);
      expect(await codeOf(shop, { pageToken: changed })).toBe(invalid);
    }
    expect(await codeOf(shop, { pageToken: pageToken.slice(0, -4) })).toBe(invalid);
    expect(await codeOf(shop, { pageToken: `${pageToken}=` })).toBe(invalid);
    expect(await codeOf(shop, { pageToken: 'x' })).toBe(invalid);
  });
});

describe('a schema', () => {
  const change = (schema: CollectionSchema, edit: (copy: typeof CUSTOMERS) => object): object => ({
    ...schema,
    ...edit(schema),
  });

  it('grows, and what was there keeps its meaning', async () => {
    await shop('PUT', 'growing', CUSTOMERS);
    const id = await create({ ...ERIKA, id: 'old' }, 'growing');
    const grown = change(CUSTOMERS, ({ fields }) => ({
      fields: { ...fields, note: { fieldSet: 'contact', type: 'text' } },
    }));
    const answer = await shop('PUT', 'growing', grown);
    expect([answer.status, answer.body['version']]).toEqual([200, 2]);
    expect((await shop('PUT', 'growing', grown)).body['version']).toBe(2);
    expect((await shop('GET', `growing/records/${id}`)).body['fields']).toEqual(ERIKA.fields);
    await create({ id: 'new', origin: 'de', fields: { name: 'N', note: 'new' } }, 'growing');
  });

  it.each([
    ['a field taken away', { fields: { name: CUSTOMERS.fields['name'] } }],
    [
      'another type',
      { fields: { ...CUSTOMERS.fields, orders: { fieldSet: 'standing', type: 'text' } } },
    ],
    [
      'another class',
      {
        fieldSets: {
          ...CUSTOMERS.fieldSets,
          contact: { ...CUSTOMERS.fieldSets['contact'], class: 'operational' },
        },
      },
    ],
    [
      'a field moved to a plain field set',
      { fields: { ...CUSTOMERS.fields, name: { fieldSet: 'standing', type: 'text' } } },
    ],
  ])('does not change by %s', async (_, edit) => {
    const answer = await shop('PUT', 'customers', { ...CUSTOMERS, ...edit });
    expect([answer.status, [409, 400].includes(answer.status)]).toEqual([answer.status, true]);
    expect((await shop('GET', 'customers')).body['version']).toBe(1);
  });

  it.each([
    ['an unknown category', { category: 'gossip' }, 'COLLECTION_NAME_UNKNOWN'],
    ['an unknown purpose', { purpose: 'fun' }, 'COLLECTION_NAME_UNKNOWN'],
    ['restricted data in plain', { protection: 'plain' }, 'CONTRACT_VALUE_INVALID'],
    ['a category that the charter forbids', { category: 'health' }, 'POLICY_FLOW_DENIED'],
  ])('is refused with %s', async (_, edit, code) => {
    const contact = { ...CUSTOMERS.fieldSets['contact'], ...edit };
    const fieldSets = { ...CUSTOMERS.fieldSets, contact };
    const answer = await shop('PUT', 'refused', { ...CUSTOMERS, fieldSets });
    expect(answer.body['code']).toBe(code);
    expect((await shop('GET', 'refused')).body['code']).toBe('COLLECTION_UNKNOWN');
  });
});

describe('the customer key', () => {
  it('disabled: reads, writes and searches of its tenant fail closed, others go on; enabled: all is back', async () => {
    const other = await cell.createTenant();
    const theirs = createCaller(cell, cell.createAccount(other));
    await theirs('PUT', 'customers', CUSTOMERS);
    const made = await theirs('POST', 'customers/records', ERIKA);
    const path = `customers/records/${made.body['recordId']}`;
    const keys = await cell.keys.administration.describeKeys(other);
    const keyId = keys.find(({ kind }) => kind === 'customer-key')?.keyId;
    if (!keyId) throw new Error('no customer key');
    const set = async (to: 'disabled' | 'enabled'): Promise<void> => {
      const changeId = createUuidV7(cell.services);
      await cell.keys.administration.changeState({ changeId, tenantId: other, keyId, to });
      await cell.keys.administration.awaitChange(changeId, { timeoutMs: 5000 });
    };
    await set('disabled');
    await expect.poll(async () => (await theirs('GET', path)).status).toBe(423);
    expect((await theirs('POST', 'customers/records', { ...ERIKA, id: 'x' })).status).toBe(423);
    expect((await theirs('POST', 'customers/searches', {})).status).toBe(423);
    const line = `${JSON.stringify({ ...ERIKA, id: 'y' })}\n`;
    const ndjson = { 'content-type': 'application/x-ndjson' };
    expect((await theirs('POST', 'customers/imports', line, ndjson)).status).toBe(423);
    expect((await shop('POST', 'customers/searches', { pageSize: 1 })).status).toBe(200);
    await set('enabled');
    await expect.poll(async () => (await theirs('GET', path)).status).toBe(200);
    expect((await theirs('POST', 'customers/counts', {})).body['count']).toBe(1);
  });
});

describe('an erased person', () => {
  it('is gone from records that stay, and does not come back', async () => {
    const id = await create({ ...ERIKA, id: 'erased', subject: 'erased' });
    const path = `customers/records/${id}`;
    const subjectId = parseSubjectId(String((await shop('GET', path)).body['subjectId']));
    const erasureId = createUuidV7(cell.services);
    await cell.keys.administration.eraseSubject({ erasureId, tenantId, subjectId });
    const seen = await shop('GET', path);
    expect(seen.body['fields']).toEqual({ orders: 3 });
    expect(seen.body['erased']).toEqual(['contact', 'payment']);
    const again = await shop('POST', 'customers/records', {
      ...ERIKA,
      id: 'new',
      subject: 'erased',
    });
    // Who comes back as a customer gets a key of their own, which opens nothing of before.
    expect(again.status).toBe(201);
    const same = await shop('POST', 'customers/records', {
      ...ERIKA,
      id: 'erased',
      subject: 'erased',
    });
    expect([same.status, same.body['code']]).toEqual([410, 'RECORD_ERASED']);
    const change = { fields: { orders: 1 } };
    expect((await shop('PATCH', path, change, { 'if-match': '"1"' })).body['code']).toBe(
      'RECORD_ERASED',
    );
    const line = JSON.stringify({ ...ERIKA, id: 'erased', subject: 'erased' });
    const ndjson = { 'content-type': 'application/x-ndjson' };
    const taken = await shop('POST', 'customers/imports', line, ndjson);
    expect(taken.body).toMatchObject({
      accepted: 0,
      refused: [{ line: 1, code: 'RECORD_ERASED' }],
    });
    expect((await shop('DELETE', path, undefined, { 'if-match': '"1"' })).status).toBe(204);
  });
});
