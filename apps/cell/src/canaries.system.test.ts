// SPDX-License-Identifier: Apache-2.0
// Goal: no telemetry of a cell holds anything of what callers send (invariant 7): no log line, no metric, no
// span, whichever route, header or error. Method: every route of the cell's own document is sent canaries in its
// path, query, headers and body: as a valid account, as a wrong one, as none, as JSON that is none, and as what
// the database, the queue and the workers choke on; then everything that the cell has told is searched for them
// in every encoding. A canary that is planted into each channel must be found, or the search is no search.
import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { CUSTOMERS } from './records/testing/shop.ts';
import { newTenant, startTestCell, type TestAccount, type TestCell } from './testing/test-cell.ts';

const CANARY = 'Kanarienvogel-Ottilie-4711';
const tenant = newTenant();
const ROLES = ['shop-service', 'privacy-officer', 'tenant-admin', 'security-officer', 'analyst'];

let test: TestCell;
let collector: Server;
const received: string[] = [];
const accounts: TestAccount[] = [];
let routes: readonly (readonly [method: string, template: string])[];

beforeAll(async () => {
  collector = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    received.push(Buffer.concat(chunks).toString());
    response.writeHead(200).end();
  });
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
  const { port } = collector.address() as AddressInfo;
  const otlp = { url: `http://127.0.0.1:${port}`, place: 'de' };
  test = await startTestCell({ tenants: [tenant], traces: { share: 1, isFiled: true, otlp } });
  await test.cell.listen(); // jobs begin once the cell may serve
  await test.cell.start();
  for (const role of ROLES) accounts.push(await test.addAccount(tenant.tenantId, { role }));
  const document = (await test.call({ path: '/openapi.json' })).body;
  routes = Object.entries(document.paths as Record<string, object>).flatMap(([template, methods]) =>
    Object.keys(methods).map((method) => [method.toUpperCase(), template] as const),
  );
});
afterAll(async () => {
  await test?.stop();
  collector?.close();
});

/** The ways in which a text can hide. */
function encodingsOf(text: string): readonly string[] {
  const bytes = Buffer.from(text);
  // Of base64, what does not depend on what stands around it.
  const base64 = [0, 1, 2].map((shift) =>
    Buffer.concat([Buffer.alloc(shift, 0x20), bytes])
      .toString('base64')
      .slice(4, -4),
  );
  return [
    text,
    text.toLowerCase(),
    encodeURIComponent(text),
    bytes.toString('hex'),
    bytes.toString('utf16le'),
    ...base64,
    ...base64.map((one) => one.replaceAll('+', '-').replaceAll('/', '_')),
    JSON.stringify(text).slice(1, -1),
  ];
}

function findCanary(told: string): readonly string[] {
  const all = told.toLowerCase();
  return encodingsOf(CANARY).filter((one) => all.includes(one.toLowerCase()));
}

/** Everything that the cell has told: its log and trace files, what the collector got, and its figures. */
async function readTelemetry(): Promise<Readonly<Record<string, string>>> {
  const { directory } = test.cell.runtime.config.telemetry;
  test.cell.runtime.log.flush();
  const files = Object.fromEntries(
    readdirSync(directory).map((name) => [name, readFileSync(path.join(directory, name), 'utf8')]),
  );
  const { internalServer } = test.cell;
  const figures = await internalServer.inject({ url: '/internal/v1/metrics' });
  return { ...files, collector: received.join('\n'), metrics: figures.body };
}

const HEADERS = {
  'user-agent': CANARY,
  'bailiwick-purpose': CANARY,
  'bailiwick-deadline-ms': CANARY,
  'bailiwick-first-line': CANARY,
  'idempotency-key': CANARY,
  'if-match': `"${CANARY}"`,
  tracestate: `vendor=${CANARY}`,
  baggage: `user=${CANARY}`,
  traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
  'x-request-id': CANARY,
  cookie: `session=${CANARY}`,
};
const BODY = {
  ...{ value: CANARY, values: [CANARY], fields: { name: CANARY }, where: { name: { eq: CANARY } } },
  ...{ subject: CANARY, id: CANARY, record: CANARY, origin: CANARY, collection: CANARY },
  ...{ entries: [{ facts: { name: CANARY } }], flows: [{ purpose: CANARY }], [CANARY]: CANARY },
};

async function sendAll(method: string, template: string): Promise<number> {
  const to = (replacement: string): string => template.replace(/\{[^}]+\}/g, replacement);
  const isBodied = method !== 'GET' && method !== 'DELETE';
  const bodies: readonly (readonly [string, unknown])[] = isBodied
    ? [
        ['application/json', BODY],
        ['application/json', `{"broken": "${CANARY}`],
        ['application/json', '{}'],
        ['text/csv', `name,email\n${CANARY},${CANARY}\n`],
        ['application/x-ndjson', `${JSON.stringify(BODY)}\n{"${CANARY}\n`],
        ['application/x-www-form-urlencoded', `grant_type=${CANARY}&${CANARY}=${CANARY}`],
        ['application/octet-stream', gzipSync(CANARY)],
      ]
    : [['application/json', undefined]];
  let count = 0;
  const ask = async (as: TestAccount | undefined, at: string, headers: object): Promise<void> => {
    for (const [type, body] of bodies) {
      const call = {
        method: method as 'GET',
        path: at,
        headers: { ...headers, ...(body === undefined ? {} : { 'content-type': type }) },
        ...(body === undefined ? {} : { body }),
      };
      await test.call({ ...call, ...(as === undefined ? {} : { as }) }).catch(() => undefined);
      count += 1;
    }
  };
  const id = '0198c0de-0000-7000-8000-0000000000ff';
  for (const as of accounts.slice(0, 2)) {
    await ask(as, `${to(CANARY)}?name=${CANARY}&pageToken=${CANARY}`, HEADERS);
    // A purpose that is granted, so that the request gets as far as it can.
    const { 'bailiwick-purpose': _, ...rest } = HEADERS;
    await ask(as, to(id), rest);
  }
  await ask(undefined, to(CANARY), { ...HEADERS, authorization: `Bearer ${CANARY}` });
  await ask(undefined, to(CANARY), { ...HEADERS, host: `${CANARY}.example` });
  return count;
}

describe('canaries', () => {
  it('are found in every channel where one is planted', async () => {
    const { directory } = test.cell.runtime.config.telemetry;
    const told = await readTelemetry();
    expect(Object.keys(told).sort()).toEqual(
      expect.arrayContaining(['collector', 'metrics', 'test.log']),
    );
    expect(directory).toBeTruthy();
    for (const [channel, text] of Object.entries(told)) {
      for (const encoding of encodingsOf(CANARY)) {
        expect(findCanary(`${text} ... ${encoding} ...`), `${channel}: ${encoding}`).not.toEqual(
          [],
        );
      }
    }
  });

  it('come through no route and no error path into any telemetry', async () => {
    expect(routes.length).toBeGreaterThan(40);
    let count = 0;
    for (const [method, template] of routes) count += await sendAll(method, template);
    expect(count).toBeGreaterThan(1_000);
    // What the database and the handlers choke on, beside what the schemas refuse.
    const [shop] = accounts;
    if (shop === undefined) throw new Error('no account');
    const choke = `CREATE FUNCTION public.choke() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN RAISE EXCEPTION '${CANARY}' USING DETAIL = '${CANARY}', HINT = '${CANARY}'; END $$`;
    await test.database.asOwner(choke);
    for (const table of ['ledger.entries', 'cell.collections']) {
      await test.database.asOwner(
        `CREATE TRIGGER choke BEFORE INSERT ON ${table} EXECUTE FUNCTION public.choke()`,
      );
    }
    const admin = accounts[2];
    const refused = [
      await test.call({
        method: 'POST',
        path: '/v1/entries',
        as: shop,
        body: { entries: [{ facts: { count: 1 } }] },
      }),
      await test.call({
        method: 'PUT',
        path: '/v1/collections/customers',
        ...(admin === undefined ? {} : { as: admin }),
        body: CUSTOMERS,
      }),
    ];
    for (const table of ['ledger.entries', 'cell.collections']) {
      await test.database.asOwner(`DROP TRIGGER choke ON ${table}`);
    }
    expect(refused.map(({ status }) => status)).toEqual([503, 500]);
    await vi.waitFor(
      async () => {
        const told = await readTelemetry();
        expect(told['collector']).toContain('/v1/entries');
        expect(told['cell-traces.jsonl']).toContain('/v1/entries');
        expect(told['test.log']).toContain('request failed inside');
      },
      { timeout: 20_000, interval: 100 },
    );
    for (const [channel, text] of Object.entries(await readTelemetry())) {
      expect(findCanary(text), channel).toEqual([]);
    }
  });

  it('come through no worker: what is queued and fails tells a code and nothing else', async () => {
    const analyst = accounts.at(-1);
    if (analyst === undefined) throw new Error('no account');
    for (const selection of [
      { collection: CANARY },
      { collection: 'customers', where: { name: { eq: CANARY } } },
    ]) {
      await test.call({
        method: 'POST',
        path: '/v1/transfers',
        as: analyst,
        body: {
          ...{ kind: 'aggregate', selection, form: 'aggregated', purpose: 'statistics' },
          destination: { kind: 'cell', id: 'us-va/main' },
          aggregate: { groupBy: [CANARY], measures: [CANARY], minimumCount: 10 },
        },
      });
    }
    // A job of the queue's own that no worker understands.
    await test.database.asOwner(
      `SELECT jobs.add_job('transfer', json_build_object('tenantId', '${CANARY}', 'transferId', '${CANARY}'))`,
    );
    await vi.waitFor(
      async () => expect((await readTelemetry())['test.log']).toContain('job will be tried again'),
      { timeout: 20_000, interval: 100 },
    );
    for (const [channel, text] of Object.entries(await readTelemetry())) {
      expect(findCanary(text), channel).toEqual([]);
    }
  });

  it('joins the trace of who asked', async () => {
    await vi.waitFor(() => expect(received.join('')).toContain('a'.repeat(32)), { timeout: 5_000 });
    const spans = received.flatMap((text) => JSON.parse(text).resourceSpans[0].scopeSpans[0].spans);
    const joined = spans.filter(({ traceId }: { traceId: string }) => traceId === 'a'.repeat(32));
    expect(joined.length).toBeGreaterThan(500);
    expect(joined[0]).toMatchObject({ parentSpanId: 'b'.repeat(16), kind: 2 });
    expect(JSON.parse(received[0] ?? '{}').resourceSpans[0].resource.attributes).toContainEqual({
      key: 'bailiwick.cell',
      value: { stringValue: 'eu-de/main' },
    });
  });
});

describe('a collector', () => {
  it('in another jurisdiction stops the start', async () => {
    const otlp = { url: 'http://127.0.0.1:9', place: 'us' };
    await expect(
      startTestCell({ tenants: [tenant], traces: { share: 1, isFiled: false, otlp } }),
    ).rejects.toMatchObject({
      code: 'CELL_CONFIG_INVALID',
    });
  });
});
