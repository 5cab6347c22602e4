// SPDX-License-Identifier: Apache-2.0
// Point reads of a cell over HTTPS: found, verified, decided, opened, masked, entered durably, told; beside
// a plain SELECT of the plain row by primary key through `pg`, on the same server and as many connections.
import { Pool } from 'pg';
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
  openLanes,
  runLanes,
  startCellProcess,
  toRequest,
} from './record-lanes.ts';

const RECORDS_COUNT = 20_000;
const CUSTOMERS_COUNT = 1_000;
const ROUND_MS = 3_000;
const ROUNDS_COUNT = 4;

const SELECT = {
  name: 'plain-select',
  text: `SELECT id, customer, invoice, stock_code, description, quantity, unit_price
         FROM bench.plain_lines WHERE id = $1`,
};

function toLine(index: number): string {
  const customer = `c${index % CUSTOMERS_COUNT}`;
  return JSON.stringify({
    id: `line-${index}`,
    subject: customer,
    origin: 'uk',
    fields: {
      customer,
      invoice: `I${index}`,
      stockCode: `S${index % 500}`,
      description: 'WHITE HANGING HEART T-LIGHT HOLDER',
      quantity: (index % 50) + 1,
      unitPrice: 2.55,
    },
  });
}

/** Fills the cell and the plain table; gives the records' ids. */
async function fill(cell: CellProcess, lane: Lane, owner: Pool): Promise<readonly string[]> {
  const body = Array.from({ length: RECORDS_COUNT }, (_, index) => toLine(index)).join('\n');
  const path = '/v1/collections/lines/imports';
  const call = { method: 'POST', path, body, contentType: 'application/x-ndjson', key: 'fill' };
  const answer = await lane.send(toRequest(cell, call));
  if (answer.status !== 200) throw new Error(`the cell could not be filled: ${answer.body}`);
  await owner.query(
    `CREATE TABLE bench.plain_lines AS
     SELECT record_id AS id, 'c' || (row_number() OVER () % ${CUSTOMERS_COUNT}) AS customer,
            plain ->> 'invoice' AS invoice, plain ->> 'stockCode' AS stock_code,
            plain ->> 'description' AS description, (plain ->> 'quantity')::int AS quantity,
            (plain ->> 'unitPrice')::numeric AS unit_price
     FROM cell.records`,
  );
  await owner.query('ALTER TABLE bench.plain_lines ADD PRIMARY KEY (id)');
  await owner.query('GRANT USAGE ON SCHEMA bench TO bailiwick_cell');
  await owner.query('GRANT SELECT ON bench.plain_lines TO bailiwick_cell');
  await owner.query('VACUUM ANALYZE bench.plain_lines');
  await owner.query('VACUUM ANALYZE cell.records');
  const { rows } = await owner.query<{ id: string }>('SELECT id FROM bench.plain_lines');
  return rows.map(({ id }) => id);
}

/** A generator of record numbers that is the same on both sides. */
function createPicker(count: number): () => number {
  let state = 12_345;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return state % count;
  };
}

/** Runs the suite. */
export async function run(): Promise<BenchDocument> {
  const cell = await startCellProcess();
  const owner = new Pool({ connectionString: cell.ownerUrl, max: 1, idleTimeoutMillis: 0 });
  const plain = new Pool({ connectionString: cell.url, max: LANES_COUNT, idleTimeoutMillis: 0 });
  const lanes = await openLanes(cell);
  try {
    await owner.query('CREATE SCHEMA bench');
    const [first] = lanes;
    if (!first) throw new Error('no lane');
    const ids = await fill(cell, first, owner);
    const requests = ids.map((id) =>
      toRequest(cell, { method: 'GET', path: `/v1/collections/lines/records/${id}` }),
    );
    return await measure({ lanes, plain, ids, requests });
  } finally {
    for (const lane of lanes) lane.close();
    await plain.end();
    await owner.end();
    await cell.stop();
  }
}

async function measure(sides: {
  readonly lanes: readonly Lane[];
  readonly plain: Pool;
  readonly ids: readonly string[];
  readonly requests: readonly Buffer[];
}): Promise<BenchDocument> {
  const { lanes, plain, ids, requests } = sides;
  const pick = createPicker(ids.length);
  const clients = await Promise.all(lanes.map(() => plain.connect()));
  const read = async (lane: number): Promise<void> => {
    const request = requests[pick()];
    const answer = request && (await lanes[lane]?.send(request));
    if (answer?.status !== 200) throw new Error(`a read failed: ${answer?.body}`);
  };
  const select = async (lane: number): Promise<void> => {
    const found = await clients[lane]?.query({ ...SELECT, values: [ids[pick()]] });
    if (found?.rowCount !== 1) throw new Error('a select failed');
  };
  const pairs: { ours: number; baseline: number }[] = [];
  const latenciesMs: number[] = [];
  await runLanes(LANES_COUNT, { ms: ROUND_MS, work: read });
  await runLanes(LANES_COUNT, { ms: ROUND_MS / 2, work: select });
  for (let round = 0; round < ROUNDS_COUNT; round += 1) {
    const ours = await runLanes(LANES_COUNT, { ms: ROUND_MS, work: read });
    const baseline = await runLanes(LANES_COUNT, { ms: ROUND_MS, work: select });
    latenciesMs.push(...ours.latenciesMs);
    pairs.push({ ours: ours.ratePerSecond, baseline: baseline.ratePerSecond });
  }
  const value = median(pairs.map(({ ours }) => ours));
  const plainValue = median(pairs.map(({ baseline }) => baseline));
  const third = { ms: ROUND_MS, work: read, ratePerSecondMax: value / 3 };
  const calm = await runLanes(LANES_COUNT, third);
  const plainCalm = await runLanes(LANES_COUNT, { ...third, work: select });
  for (const client of clients) client.release();
  const p99 = percentile(calm.latenciesMs, 0.99);
  const plainP99 = percentile(plainCalm.latenciesMs, 0.99);
  const results: BenchResult[] = [
    {
      id: 'read.point',
      what: `records read by id over HTTPS on ${LANES_COUNT} connections: verified, decided, opened, masked, each entered durably before its answer; warmed up for one round`,
      unit: 'op/s',
      value,
      p50: percentile(latenciesMs, 0.5),
      p99: percentile(latenciesMs, 0.99),
      baseline: { name: 'plain SELECT by primary key through pg', value: plainValue },
      ratio: median(pairs.map(({ ours, baseline }) => ours / baseline)),
    },
    {
      id: 'read.point.calm',
      what: 'latency of the same reads at a third of that load (p99 is the value)',
      unit: 'ms',
      value: p99,
      p50: percentile(calm.latenciesMs, 0.5),
      p99,
      baseline: { name: 'plain SELECT at the same rate', value: plainP99 },
      ratio: p99 / plainP99,
    },
  ];
  return toBenchDocument('read', results);
}
