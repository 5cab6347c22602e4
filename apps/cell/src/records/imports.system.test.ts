// SPDX-License-Identifier: Apache-2.0
// Goal: an import takes every good line once, tells every bad one with its number and never its content,
// and whatever is cut off in the middle can simply be sent again. Method: the Online Retail layout,
// damaged in every way, in chunks of every size; connections killed in the middle.
import { Readable } from 'node:stream';
import { parseCellId, parseCollectionId, parseResidency, type TenantId } from '@bailiwick/kernel';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { collectionsOf } from '../collections/collection-store.ts';
import { checkRows } from '../ledger/check-rows.ts';
import type { Credential } from '../services.ts';
import { createJsonReader } from './import-lines.ts';
import { Import } from './imports.ts';
import { type Answer, type Caller, createCaller } from './testing/caller.ts';
import { openRecordCell, type RecordCell } from './testing/record-cell.ts';
import { INVOICE_LINES } from './testing/shop.ts';

let cell: RecordCell;
let tenantId: TenantId;
let shop: Caller;
let collections = 0;

const CSV = { 'content-type': 'text/csv' };
const NDJSON = { 'content-type': 'application/x-ndjson' };
const HEADER = 'InvoiceNo,StockCode,Description,Quantity,UnitPrice,CustomerID,Country';

beforeAll(async () => {
  cell = await openRecordCell({ cellId: parseCellId('uk-lon/main') });
  tenantId = await cell.createTenant();
  shop = createCaller(cell, cell.createAccount(tenantId, { place: 'uk' }));
});

afterAll(() => cell.close());

async function newCollection(): Promise<string> {
  collections += 1;
  const name = `lines-${collections}`;
  expect((await shop('PUT', name, INVOICE_LINES)).status).toBe(201);
  return name;
}

async function countOf(name: string): Promise<unknown> {
  return (await shop('POST', `${name}/counts`, {})).body['count'];
}

const lineOf = (invoice: number, rest = '6,2.55,17850,United Kingdom'): string =>
  `${invoice},85123A,WHITE HANGING HEART,${rest}`;

const toJsonLine = (id: string, change: object = {}): string =>
  JSON.stringify({
    id,
    subject: `person-${id}`,
    origin: 'uk',
    fields: { customer: `c-${id}`, invoice: id, stockCode: 'S', quantity: 1, unitPrice: 2.5 },
    ...change,
  });

const summaryOf = ({ body }: Answer): unknown => ({
  accepted: body['accepted'],
  unchanged: body['unchanged'],
  refused: Array.isArray(body['refused'])
    ? body['refused'].map(({ line, code, pointer }) => `${line} ${code} ${pointer ?? ''}`.trim())
    : body,
});

/** Rows and ledger agree: nothing lost, nothing twice, nothing unrecorded. */
async function findProblems(): Promise<unknown> {
  return (await checkRows(cell, tenantId)).problems;
}

describe('a CSV import', () => {
  it('takes good lines, among them returns and lines about nobody, and tells the others', async () => {
    const name = await newCollection();
    const file = [
      HEADER,
      lineOf(1),
      lineOf(2, '-6,2.55,17850,United Kingdom'),
      lineOf(3, '6,2.55,,United Kingdom'),
      lineOf(4, '6,2.55,17850,Germany'),
      lineOf(5, '6,2.55,17850,Bahrain'),
      lineOf(6, '6,2.55,17850,Nowhere'),
      lineOf(7, 'six,2.55,17850,United Kingdom'),
      lineOf(8, '6,2.55,17850'),
      '9,"85123A,WHITE HANGING HEART,6,2.55,17850,United Kingdom',
      '10,85123A,"WHITE ""HANGING"", HEART",6,2.55,17850,United Kingdom',
      '',
      '11,,NO CODE,6,2.55,17850,United Kingdom',
      lineOf(12, '6,2.55,17850,'),
      lineOf(13, '6,2.55,17850,Channel Islands'),
    ].join('\r\n');
    const answer = await shop('POST', `${name}/imports`, file, CSV);
    expect(summaryOf(answer)).toEqual({
      accepted: 5,
      unchanged: 0,
      refused: [
        '5 RECORD_HOME_ELSEWHERE',
        '6 RECORD_HOME_ABSENT',
        '7 RECORD_HOME_ABSENT',
        '8 IMPORT_VALUE_INVALID /fields/quantity',
        '9 IMPORT_COLUMN_COUNT',
        '10 IMPORT_LINE_MALFORMED',
        '13 IMPORT_VALUE_MISSING /fields/stockCode',
        '14 IMPORT_VALUE_MISSING /origin',
      ],
    });
    expect(answer.text).not.toMatch(/HEART|17850|Nowhere/);
    const { body } = await shop('POST', `${name}/searches`, { where: { quantity: { lt: 0 } } });
    expect(body['items']).toMatchObject([{ fields: { invoice: '2', quantity: -6 } }]);
    const nobody = await shop('POST', `${name}/searches`, { where: { invoice: { eq: '3' } } });
    expect(Object.keys(Object(nobody.body['items'])[0])).not.toContain('subjectId');
    const again = await shop('POST', `${name}/imports`, file, CSV);
    expect(summaryOf(again)).toMatchObject({ accepted: 0, unchanged: 5 });
    expect(await countOf(name)).toBe(5);
  });

  it('keeps a line of ten megabytes out of memory and out of the way', async () => {
    const name = await newCollection();
    const long = `7,X,${'x'.repeat(10 * 1024 * 1024)},1,1,1,United Kingdom`;
    const before = process.memoryUsage().arrayBuffers;
    const file = [HEADER, lineOf(1), long, lineOf(2)].join('\n');
    const answer = await shop('POST', `${name}/imports`, Buffer.from(file), CSV);
    expect(summaryOf(answer)).toEqual({
      accepted: 2,
      unchanged: 0,
      refused: ['3 IMPORT_LINE_TOO_LONG'],
    });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 1024 * 1024);
  });

  it.each([
    ['a column that is not there', 'InvoiceNo,StockCode,Quantity', 400, 'IMPORT_HEADER_INVALID'],
    ['a header with a broken quote', '"InvoiceNo,StockCode', 400, 'IMPORT_HEADER_INVALID'],
  ])('refuses %s before anything is written', async (_, header, status, code) => {
    const name = await newCollection();
    const answer = await shop('POST', `${name}/imports`, `${header}\n${lineOf(1)}\n`, CSV);
    expect([answer.status, answer.body['code']]).toEqual([status, code]);
    expect(await countOf(name)).toBe(0);
  });

  it('refuses an unknown mapping, a bad first line and another content type', async () => {
    const name = await newCollection();
    const codeOf = async (headers: Record<string, string>): Promise<unknown> =>
      (await shop('POST', `${name}/imports`, `${HEADER}\n`, headers)).body['code'];
    expect(await codeOf({ ...CSV, 'bailiwick-mapping': 'other' })).toBe('IMPORT_MAPPING_UNKNOWN');
    expect(await codeOf({ ...CSV, 'bailiwick-first-line': '0' })).toBe('CELL_INPUT_INVALID');
    expect(await codeOf({ 'content-type': 'text/plain' })).toBe('CELL_MEDIA_UNSUPPORTED');
  });

  it('gives lines that are twice in the file an identity by their number, in whatever chunks', async () => {
    const name = await newCollection();
    const lines = [lineOf(1), lineOf(1), lineOf(2), lineOf(1)];
    const whole = [HEADER, ...lines].join('\n');
    expect(summaryOf(await shop('POST', `${name}/imports`, whole, CSV))).toMatchObject({
      accepted: 4,
    });
    for (const [from, to] of [
      [0, 1],
      [1, 3],
      [2, 4],
    ] as const) {
      const chunk = [HEADER, ...lines.slice(from, to)].join('\n');
      const headers = { ...CSV, 'bailiwick-first-line': String(2 + from) };
      expect(summaryOf(await shop('POST', `${name}/imports`, chunk, headers))).toMatchObject({
        accepted: 0,
        unchanged: to - from,
        refused: [],
      });
    }
    expect(await countOf(name)).toBe(4);
  });
});

describe('an NDJSON import', () => {
  it('tells malformed lines by the number that the caller gave', async () => {
    const name = await newCollection();
    const file = [
      toJsonLine('a', { line: 100 }),
      '{"id": "b"',
      '[]',
      '   ',
      toJsonLine('c', { colour: 'red' }),
      toJsonLine('d', { line: -1 }),
      toJsonLine('e', { line: 200, origin: 'Germany' }),
      toJsonLine('f', { id: undefined }),
      toJsonLine('g', { fields: [] }),
      toJsonLine('h', { subject: 7 }),
      toJsonLine('i', { id: 'x'.repeat(300) }),
      toJsonLine('j', { fields: { invoice: 'j' } }),
      '{"id":"k","origin":"uk","fields":{"__proto__":{"x":1},"invoice":"k"}}',
    ];
    const bad = Buffer.concat([
      Buffer.from(`${file.join('\n')}\n`),
      Buffer.from([0x7b, 0xff, 0xfe, 0x0a]),
      Buffer.from(toJsonLine('z')),
    ]);
    expect(summaryOf(await shop('POST', `${name}/imports`, bad, NDJSON))).toEqual({
      accepted: 2,
      unchanged: 0,
      refused: [
        '2 IMPORT_LINE_MALFORMED',
        '3 IMPORT_LINE_MALFORMED',
        '5 IMPORT_LINE_MALFORMED',
        '6 IMPORT_LINE_MALFORMED',
        '8 RECORD_FIELD_INVALID /id',
        '9 RECORD_FIELD_INVALID /fields',
        '10 RECORD_FIELD_INVALID /subject',
        '11 RECORD_FIELD_INVALID /id',
        '12 RECORD_FIELD_INVALID /fields/quantity',
        '13 RECORD_FIELD_INVALID /fields/__proto__',
        '14 IMPORT_LINE_MALFORMED',
        '200 RECORD_HOME_ELSEWHERE',
      ],
    });
  });

  it('tells the same line twice from two lines with one id', async () => {
    const name = await newCollection();
    const other = toJsonLine('a', { origin: 'Channel Islands' });
    const file = [toJsonLine('a'), toJsonLine('a'), other, toJsonLine('b')].join('\n');
    expect(summaryOf(await shop('POST', `${name}/imports`, file, NDJSON))).toEqual({
      accepted: 2,
      unchanged: 1,
      refused: ['3 RECORD_CONFLICT'],
    });
    const later = [other, toJsonLine('c')].join('\n');
    expect(summaryOf(await shop('POST', `${name}/imports`, later, NDJSON))).toEqual({
      accepted: 1,
      unchanged: 0,
      refused: ['1 RECORD_CONFLICT'],
    });
  });

  it('is refused line by line, and entered, for a role that may not', async () => {
    const name = await newCollection();
    const analyst = createCaller(
      cell,
      cell.createAccount(tenantId, { role: 'analyst', place: 'uk', defaultPurpose: 'analytics' }),
    );
    const answer = await analyst('POST', `${name}/imports`, toJsonLine('a'), NDJSON);
    expect(summaryOf(answer)).toMatchObject({ accepted: 0, refused: ['1 POLICY_FLOW_DENIED'] });
    expect(await countOf(name)).toBe(0);
  });

  it('is taken once by two who send it at the same time', async () => {
    const name = await newCollection();
    const file = Array.from({ length: 5000 }, (_, index) => toJsonLine(`p${index}`)).join('\n');
    const answers = await Promise.all(
      [1, 2, 3].map(() => shop('POST', `${name}/imports`, file, NDJSON)),
    );
    const sum = (member: string): number =>
      answers.reduce((total, { body }) => total + Number(body[member]), 0);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect([sum('accepted'), sum('unchanged'), sum('refusedCount')]).toEqual([5000, 10_000, 0]);
    expect(await countOf(name)).toBe(5000);
    expect(await findProblems()).toEqual([]);
  });

  it('in other orders at the same time as others never waits in a circle', async () => {
    const name = await newCollection();
    const lines = Array.from({ length: 3000 }, (_, index) => toJsonLine(`o${index}`));
    const singles = lines
      .slice(0, 40)
      .map((line) => shop('POST', `${name}/records`, JSON.parse(line)));
    const imports = [lines, lines.toReversed()].map((part) =>
      shop('POST', `${name}/imports`, part.join('\n'), NDJSON),
    );
    const answers = await Promise.all([...singles, ...imports]);
    expect([...new Set(answers.map(({ status }) => status))].sort()).toEqual(
      expect.arrayContaining([200]),
    );
    expect(answers.every(({ status }) => status === 200 || status === 201)).toBe(true);
    expect(await countOf(name)).toBe(3000);
    expect(await findProblems()).toEqual([]);
  });

  it('cut off anywhere and sent again ends with exactly the same records', async () => {
    const name = await newCollection();
    const file = Array.from({ length: 9000 }, (_, index) => `${toJsonLine(`k${index}`)}\n`).join(
      '',
    );
    const bytes = Buffer.from(file);
    const collection = await collectionsOf(cell.services).get(tenantId, parseCollectionId(name));
    let failures = 0;
    for (const share of [0.2, 0.5, 0.9]) {
      const cut = Math.floor(bytes.length * share);
      const body = Readable.from(cutOff(bytes, cut));
      const credential: Credential = {
        tenantId,
        account: '018f0000-0000-7000-8000-000000000009',
        kind: 'workload',
        role: 'shop-service',
        employer: 'controller',
        assurance: 'high',
        place: 'uk',
        purposes: ['order-fulfilment'],
        residency: parseResidency('uk-lon'),
      };
      const context = {
        asker: { credential, purpose: 'order-fulfilment' },
        collection,
        requestId: '018f0000-0000-7000-8000-00000000000a',
      };
      const run = new Import(cell.services, collectionsOf(cell.services), context);
      await run.run(body, createJsonReader({ firstLine: 1 })).catch(() => {
        failures += 1;
      });
      expect(await findProblems()).toEqual([]);
    }
    expect(failures).toBe(3);
    expect(Number(await countOf(name))).toBeGreaterThan(0);
    expect(Number(await countOf(name))).toBeLessThan(9000);
    const answer = await shop('POST', `${name}/imports`, file, NDJSON);
    expect(Number(answer.body['accepted']) + Number(answer.body['unchanged'])).toBe(9000);
    expect(await countOf(name)).toBe(9000);
    expect(await findProblems()).toEqual([]);
  });

  it('whose database connections are killed in the middle leaves whole batches or nothing', async () => {
    const name = await newCollection();
    const file = Array.from({ length: 9000 }, (_, index) => `${toJsonLine(`d${index}`)}\n`).join(
      '',
    );
    const importing = shop('POST', `${name}/imports`, file, NDJSON);
    await expect
      .poll(
        async () => {
          const rows = await cell.testDatabase.asOwner<{ count: number }>(
            'SELECT count(*)::int AS count FROM cell.records WHERE collection_id = $1',
            [name],
          );
          return rows[0]?.count;
        },
        { interval: 1, timeout: 10_000 },
      )
      .toBeGreaterThan(0);
    await cell.testDatabase.asOwner(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE usename = 'bailiwick_cell' AND datname = current_database()`,
    );
    const first = await importing;
    expect([200, 500, 503]).toContain(first.status);
    await expect
      .poll(async () => (await shop('POST', `${name}/imports`, file, NDJSON)).status, {
        timeout: 60_000,
      })
      .toBe(200);
    expect(await countOf(name)).toBe(9000);
    expect(await findProblems()).toEqual([]);
  });
});

async function* cutOff(bytes: Buffer, cut: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < cut; at += 65_536) yield bytes.subarray(at, Math.min(cut, at + 65_536));
  throw new Error('the client is gone');
}
