// SPDX-License-Identifier: Apache-2.0
// Writes into a cell over HTTPS. `ingest.bulk`: CSV lines parsed, validated, labelled, decided, sealed,
// indexed, entered and durable under row security, beside the same server taking the same ready-made
// stored bytes by COPY through the same staging into the same table with the same indexes.
// `ingest.single`: records created one by one, beside a plain INSERT of the plain row through `pg`.
import { buffer } from 'node:stream/consumers';
import { Pool, type PoolClient } from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import {
  type BenchDocument,
  type BenchResult,
  median,
  percentile,
  toBenchDocument,
} from './document.ts';
import {
  type CellProcess,
  LANES_COUNT,
  type Lane,
  openLane,
  openLanes,
  runLanes,
  startCellProcess,
  toRequest,
} from './record-lanes.ts';

const LINES_COUNT = 30_000;
const CUSTOMERS_COUNT = 1_000;
/** Rows of one transaction, on both sides. */
const BATCH_COUNT = 2_000;
const BULK_ROUNDS_COUNT = 3;
const ROUND_MS = 2_500;
const ROUNDS_COUNT = 4;

const STAGING = `CREATE TEMPORARY TABLE IF NOT EXISTS staged_records (
  record_id uuid, subject_id uuid, facts text COLLATE "C", plain jsonb, sealed bytea,
  blind bytea[], facts_mac bytea, entry_id uuid
) ON COMMIT DELETE ROWS`;
const STAGED_COLUMNS = 'record_id, subject_id, facts, plain, sealed, blind, facts_mac, entry_id';
const INSERT_STAGED = `INSERT INTO cell.records
  (tenant_id, collection_id, record_id, version, schema_version, subject_id, facts, plain, sealed,
   blind, facts_mac, entry_id)
SELECT $1, 'copies', s.record_id, 1, 1, s.subject_id, s.facts, s.plain, s.sealed, s.blind,
       s.facts_mac, s.entry_id
  FROM pg_temp.staged_records s
 ORDER BY s.record_id
ON CONFLICT DO NOTHING`;
const PLAIN_INSERT = {
  name: 'plain-insert',
  text: `INSERT INTO bench.plain_lines
         (id, customer, invoice, stock_code, description, quantity, unit_price, country)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
};

function toCsv(first: number, count: number): Buffer {
  const lines = ['InvoiceNo,StockCode,Description,Quantity,UnitPrice,CustomerID,Country'];
  for (let index = first; index < first + count; index += 1) {
    const customer = 10_000 + (index % CUSTOMERS_COUNT);
    lines.push(
      `${536_365 + index},S${index % 500},WHITE HANGING HEART T-LIGHT HOLDER,${(index % 50) + 1},2.55,${customer},United Kingdom`,
    );
  }
  return Buffer.from(`${lines.join('\n')}\n`);
}

async function importLines(cell: CellProcess, lane: Lane, first: number): Promise<void> {
  const answer = await lane.send(
    toRequest(cell, {
      method: 'POST',
      path: '/v1/collections/lines/imports',
      body: toCsv(first, LINES_COUNT),
      contentType: 'text/csv',
      key: `bulk-${first}`,
    }),
  );
  const result = JSON.parse(answer.body);
  if (result.accepted !== LINES_COUNT) throw new Error(`an import failed: ${answer.body}`);
}

/** The stored bytes of an import, as binary COPY wants them, batch by batch. */
async function readBatches(owner: PoolClient): Promise<readonly Buffer[]> {
  const batches: Buffer[] = [];
  for (let offset = 0; offset < LINES_COUNT; offset += BATCH_COUNT) {
    const query = `SELECT ${STAGED_COLUMNS} FROM bench.stored ORDER BY place LIMIT ${BATCH_COUNT} OFFSET ${offset}`;
    batches.push(await buffer(owner.query(copyTo(`COPY (${query}) TO STDOUT (FORMAT binary)`))));
  }
  return batches;
}

/** Takes ready-made batches, each in a transaction of its own, as the cell's role under row security. */
async function copyBatches(
  client: PoolClient,
  tenantId: string,
  batches: readonly Buffer[],
): Promise<void> {
  let count = 0;
  for (const batch of batches) {
    await client.query(`BEGIN; SET LOCAL bailiwick.tenant = '${tenantId}'`);
    await client.query(STAGING);
    const stream = client.query(copyFrom('COPY pg_temp.staged_records FROM STDIN (FORMAT binary)'));
    const finished = new Promise((resolve, reject) => {
      stream.once('finish', resolve);
      stream.once('error', reject);
    });
    stream.end(batch);
    await finished;
    const insert = { name: 'staged', text: INSERT_STAGED, values: [tenantId] };
    count += (await client.query(insert)).rowCount ?? 0;
    await client.query('COMMIT');
  }
  if (count !== LINES_COUNT) throw new Error(`the copy took ${count} rows`);
}

interface Sides {
  readonly cell: CellProcess;
  readonly owner: PoolClient;
  readonly plain: Pool;
}

async function measureBulk({ cell, owner, plain }: Sides): Promise<BenchResult> {
  const lane = await openLane(cell);
  const empty = 'TRUNCATE cell.records';
  await importLines(cell, lane, 0);
  await owner.query(
    `CREATE TABLE bench.stored AS
     SELECT row_number() OVER () AS place, ${STAGED_COLUMNS} FROM cell.records`,
  );
  const batches = await readBatches(owner);
  const client = await plain.connect();
  const pairs: { ours: number; baseline: number }[] = [];
  for (let round = 0; round <= BULK_ROUNDS_COUNT; round += 1) {
    await owner.query(empty);
    const oursFromMs = performance.now();
    await importLines(cell, lane, (round + 1) * LINES_COUNT);
    const ours = (LINES_COUNT / (performance.now() - oursFromMs)) * 1000;
    await owner.query(empty);
    const copyFromMs = performance.now();
    await copyBatches(client, cell.tenantId, batches);
    const baseline = (LINES_COUNT / (performance.now() - copyFromMs)) * 1000;
    if (round > 0) pairs.push({ ours, baseline });
  }
  client.release();
  lane.close();
  await owner.query(empty);
  const rssBytes = await cell.residentBytes();
  return {
    id: 'ingest.bulk',
    what: `${LINES_COUNT} lines of CSV in one request: parsed, validated, labelled, decided, sealed, indexed, entered, durable in transactions of ${BATCH_COUNT}; one unrecorded round; the cell then held ${Math.round(rssBytes / 1e6)} MB`,
    unit: 'rows/s',
    value: median(pairs.map(({ ours }) => ours)),
    baseline: {
      name: 'the same stored bytes by COPY through the same staging',
      value: median(pairs.map(({ baseline }) => baseline)),
    },
    ratio: median(pairs.map(({ ours, baseline }) => ours / baseline)),
  };
}

async function measureSingle({ cell, owner, plain }: Sides): Promise<BenchResult> {
  const lanes = await openLanes(cell);
  await owner.query(
    `CREATE TABLE bench.plain_lines (id text PRIMARY KEY, customer text, invoice text,
       stock_code text, description text, quantity int, unit_price numeric, country text)`,
  );
  await owner.query('GRANT INSERT ON bench.plain_lines TO bailiwick_cell');
  const clients = await Promise.all(lanes.map(() => plain.connect()));
  let created = 0;
  const create = async (at: number): Promise<void> => {
    created += 1;
    const customer = `c${created % CUSTOMERS_COUNT}`;
    const fields = {
      customer,
      invoice: `I${created}`,
      stockCode: `S${created % 500}`,
      description: 'WHITE HANGING HEART T-LIGHT HOLDER',
      quantity: (created % 50) + 1,
      unitPrice: 2.55,
    };
    const body = JSON.stringify({
      id: `single-${created}`,
      subject: customer,
      origin: 'uk',
      fields,
    });
    const path = '/v1/collections/lines/records';
    const request = toRequest(cell, { method: 'POST', path, body, key: `single-${created}` });
    const answer = await lanes[at]?.send(request);
    if (answer?.status !== 201) throw new Error(`a write failed: ${answer?.body}`);
  };
  let inserted = 0;
  const insert = async (at: number): Promise<void> => {
    inserted += 1;
    const customer = `c${inserted % CUSTOMERS_COUNT}`;
    const goods = [`I${inserted}`, `S${inserted % 500}`, 'WHITE HANGING HEART T-LIGHT HOLDER'];
    const values = [`single-${inserted}`, customer, ...goods, (inserted % 50) + 1, 2.55, 'uk'];
    await clients[at]?.query({ ...PLAIN_INSERT, values });
  };
  await runLanes(LANES_COUNT, { ms: ROUND_MS, work: create });
  await runLanes(LANES_COUNT, { ms: ROUND_MS / 2, work: insert });
  const pairs: { ours: number; baseline: number }[] = [];
  const latenciesMs: number[] = [];
  for (let round = 0; round < ROUNDS_COUNT; round += 1) {
    const ours = await runLanes(LANES_COUNT, { ms: ROUND_MS, work: create });
    const baseline = await runLanes(LANES_COUNT, { ms: ROUND_MS, work: insert });
    latenciesMs.push(...ours.latenciesMs);
    pairs.push({ ours: ours.ratePerSecond, baseline: baseline.ratePerSecond });
  }
  for (const client of clients) client.release();
  for (const lane of lanes) lane.close();
  return {
    id: 'ingest.single',
    what: `records of ${CUSTOMERS_COUNT} customers created over HTTPS on ${LANES_COUNT} connections, each durable with an entry of its own; warmed up for one round`,
    unit: 'op/s',
    value: median(pairs.map(({ ours }) => ours)),
    p50: percentile(latenciesMs, 0.5),
    p99: percentile(latenciesMs, 0.99),
    baseline: {
      name: 'plain INSERT of the plain row through pg',
      value: median(pairs.map(({ baseline }) => baseline)),
    },
    ratio: median(pairs.map(({ ours, baseline }) => ours / baseline)),
  };
}

/** Runs the suite. */
export async function run(): Promise<BenchDocument> {
  const cell = await startCellProcess();
  const options = { idleTimeoutMillis: 0 };
  const owners = new Pool({ ...options, connectionString: cell.ownerUrl, max: 1 });
  const plain = new Pool({ ...options, connectionString: cell.url, max: LANES_COUNT });
  const owner = await owners.connect();
  try {
    await owner.query('CREATE SCHEMA bench');
    await owner.query('GRANT USAGE ON SCHEMA bench TO bailiwick_cell');
    const sides = { cell, owner, plain };
    const results = [await measureBulk(sides), await measureSingle(sides)];
    return toBenchDocument('ingest', results);
  } finally {
    owner.release();
    await plain.end();
    await owners.end();
    await cell.stop();
  }
}
