// SPDX-License-Identifier: Apache-2.0
// The end of data: erasing a person with 1,000 records, receipt included, and removing records that have
// served their time, with the latency of reads meanwhile beside that of an idle cell; next to plain DELETEs
// of as many rows through `pg`, on the same server and as durable.
import { Pool } from 'pg';
import { type BenchDocument, type BenchResult, percentile, toBenchDocument } from './document.ts';
import {
  type CellProcess,
  type Lane,
  openLane,
  runLanes,
  startCellProcess,
  toRequest,
} from './record-lanes.ts';

const PEOPLE_COUNT = 8;
const RECORDS_PER_PERSON = 1_000;
const EXPIRED_COUNT = 30_000;
const READ_LANES_COUNT = 4;
const READS_PER_SECOND = 100;
const IDLE_MS = 3_000;
const RUN_MS_MAX = 30_000;
const BATCH_COUNT = 1_000;

const restricted = {
  class: 'restricted',
  category: 'behavioural',
  purpose: 'order-fulfilment',
  subject: 'record',
  protection: 'sealed',
};
/** Kept for thirteen months from `day` under the retailer's charter: all of a record goes at once. */
const VISITS = {
  lawDateField: 'day',
  fieldSets: {
    visit: restricted,
    time: { ...restricted, class: 'operational', subject: 'none', protection: 'plain' },
  },
  fields: {
    path: { fieldSet: 'visit', type: 'text' },
    visitor: { fieldSet: 'visit', type: 'text', index: 'exact' },
    day: { fieldSet: 'time', type: 'date' },
  },
};

function toLine(id: string, subject: string, day: string): string {
  const fields = { path: '/shop/lamps/white-hanging-heart', visitor: subject, day };
  return JSON.stringify({ id, subject, origin: 'uk', fields });
}

interface Client {
  readonly cell: CellProcess;
  readonly lane: Lane;
  ask(
    method: string,
    path: string,
    options?: { readonly body?: string; readonly asOfficer?: boolean; readonly lines?: boolean },
  ): Promise<string>;
}

async function openClient(cell: CellProcess): Promise<Client> {
  const lane = await openLane(cell);
  let calls = 0;
  return {
    cell,
    lane,
    async ask(method, path, { body, asOfficer = false, lines = false } = {}) {
      calls += 1;
      const token = asOfficer ? cell.officerToken : cell.token;
      const call = {
        method,
        path: `/v1/${path}`,
        key: `lifecycle-${calls}`,
        ...(body === undefined ? {} : { body }),
        ...(lines ? { contentType: 'application/x-ndjson' } : {}),
      };
      const answer = await lane.send(toRequest({ ...cell, token }, call));
      if (answer.status < 300) return answer.body;
      throw new Error(`${method} ${path}: ${answer.status} ${answer.body}`);
    },
  };
}

async function fill(client: Client, collection: string, lines: readonly string[]): Promise<void> {
  await client.ask('PUT', `collections/${collection}`, { body: JSON.stringify(VISITS) });
  const body = lines.join('\n');
  await client.ask('POST', `collections/${collection}/imports`, { body, lines: true });
}

/** As many rows for the baseline, with the index that a DELETE by person needs. */
async function fillPlain(owner: Pool): Promise<void> {
  await owner.query('CREATE SCHEMA bench');
  await owner.query(
    `CREATE TABLE bench.plain_visits AS
     SELECT gen_random_uuid() AS id, 'p-' || (n % ${PEOPLE_COUNT}) AS visitor,
            '/shop/lamps/white-hanging-heart' AS path, date '2026-11-01' AS day
       FROM generate_series(1, ${PEOPLE_COUNT * RECORDS_PER_PERSON}) AS n`,
  );
  await owner.query(
    `CREATE TABLE bench.plain_expired AS
     SELECT gen_random_uuid() AS id, 'p-' || n AS visitor,
            '/shop/lamps/white-hanging-heart' AS path, date '2024-01-01' AS day
       FROM generate_series(1, ${EXPIRED_COUNT}) AS n`,
  );
  for (const table of ['plain_visits', 'plain_expired']) {
    await owner.query(`ALTER TABLE bench.${table} ADD PRIMARY KEY (id)`);
    await owner.query(`CREATE INDEX ON bench.${table} (visitor)`);
    await owner.query(`VACUUM ANALYZE bench.${table}`);
  }
  await owner.query('VACUUM ANALYZE cell.records');
}

async function timeMs(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return performance.now() - startedMs;
}

async function measureErasures(client: Client, owner: Pool): Promise<BenchResult> {
  const ours: number[] = [];
  const plain: number[] = [];
  for (let person = 0; person < PEOPLE_COUNT; person += 1) {
    const body = JSON.stringify({ subject: `p-${person}` });
    let answer = '';
    ours.push(
      await timeMs(async () => {
        answer = await client.ask('POST', 'erasures', { body });
      }),
    );
    const { recordsCount, state } = JSON.parse(answer);
    if (recordsCount !== RECORDS_PER_PERSON || state !== 'done') throw new Error('not erased');
    plain.push(
      await timeMs(() =>
        owner.query('DELETE FROM bench.plain_visits WHERE visitor = $1', [`p-${person}`]),
      ),
    );
  }
  // The first of each is the warm-up.
  const [times, baseline] = [ours.slice(1), plain.slice(1)];
  const value = percentile(times, 0.99);
  const plainMs = percentile(baseline, 0.99);
  return {
    id: 'lifecycle.erasure',
    what: `a person with ${RECORDS_PER_PERSON} records erased over HTTPS: decided, entered, shred key destroyed in two replicas on disk, survivors wrapped anew, rows deleted with their entries, receipt signed, checkpoint awaited; p99 of ${times.length} after one warm-up; baseline: one DELETE of ${RECORDS_PER_PERSON} plain rows by an indexed column`,
    unit: 'ms',
    value,
    p50: percentile(times, 0.5),
    p99: value,
    baseline: { name: 'plain DELETE', value: plainMs },
    ratio: value / plainMs,
  };
}

async function deletePlain(owner: Pool): Promise<number> {
  const spentMs = await timeMs(async () => {
    for (let left = EXPIRED_COUNT; left > 0; left -= BATCH_COUNT) {
      await owner.query(
        `DELETE FROM bench.plain_expired WHERE id IN
           (SELECT id FROM bench.plain_expired ORDER BY id LIMIT ${BATCH_COUNT})`,
      );
    }
  });
  return (EXPIRED_COUNT / spentMs) * 1000;
}

async function awaitRun(client: Client, runId: string): Promise<void> {
  const untilMs = performance.now() + RUN_MS_MAX;
  for (;;) {
    const run = JSON.parse(await client.ask('GET', `retention-runs/${runId}`, { asOfficer: true }));
    if (run.state === 'done' && run.counts.deleted === EXPIRED_COUNT) return;
    if (performance.now() > untilMs) throw new Error(`too slow: ${JSON.stringify(run.counts)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function measureExpiry(client: Client, owner: Pool): Promise<readonly BenchResult[]> {
  const { cell } = client;
  const found = await client.ask('POST', 'collections/lines/searches', {
    body: JSON.stringify({ pageSize: 50 }),
  });
  const ids: readonly string[] = JSON.parse(found).items.map(
    (one: { readonly recordId: string }) => one.recordId,
  );
  const lanes = await Promise.all(Array.from({ length: READ_LANES_COUNT }, () => openLane(cell)));
  let reads = 0;
  const read = async (at: number): Promise<void> => {
    reads += 1;
    const path = `/v1/collections/lines/records/${ids[reads % ids.length]}`;
    const answer = await lanes[at]?.send(toRequest(cell, { method: 'GET', path }));
    if (answer?.status !== 200) throw new Error(`a read failed: ${answer?.status}`);
  };
  const round = (ms: number): ReturnType<typeof runLanes> =>
    runLanes(READ_LANES_COUNT, { ms, work: read, ratePerSecondMax: READS_PER_SECOND });
  await round(500);
  const idle = await round(IDLE_MS);
  cell.startWork();
  let isOver = false;
  const busy: number[] = [];
  const reading = (async () => {
    while (!isOver) busy.push(...(await round(500)).latenciesMs);
  })();
  const spentMs = await timeMs(async () => {
    const body = JSON.stringify({ isDryRun: false, collection: 'expired' });
    const asked = await client.ask('POST', 'retention-runs', { body, asOfficer: true });
    await awaitRun(client, JSON.parse(asked).runId);
  });
  isOver = true;
  await reading;
  for (const lane of lanes) lane.close();
  const rate = (EXPIRED_COUNT / spentMs) * 1000;
  const plain = await deletePlain(owner);
  const [idleMs, busyMs] = [percentile(idle.latenciesMs, 0.99), percentile(busy, 0.99)];
  return [
    {
      id: 'lifecycle.expiry',
      what: `${EXPIRED_COUNT} records past their term removed by a run: asked for over HTTPS, taken from the queue (start of its work included), each row's MAC verified and its terms worked out, deleted in transactions of ${BATCH_COUNT} with their entries, ${READS_PER_SECOND} reads a second meanwhile; baseline: DELETEs of ${BATCH_COUNT} plain rows with nobody reading`,
      unit: 'records/s',
      value: rate,
      baseline: { name: 'plain DELETE', value: plain },
      ratio: rate / plain,
    },
    {
      id: 'lifecycle.expiry.reads',
      what: `point reads over HTTPS, ${READS_PER_SECOND} a second on ${READ_LANES_COUNT} connections, while the run goes on; baseline: the same reads on the idle cell`,
      unit: 'ms',
      value: busyMs,
      p50: percentile(busy, 0.5),
      p99: busyMs,
      baseline: { name: 'idle p99', value: idleMs },
      ratio: busyMs / idleMs,
    },
  ];
}

/** Runs the suite. */
export async function run(): Promise<BenchDocument> {
  const cell = await startCellProcess();
  const owner = new Pool({ connectionString: cell.ownerUrl, max: 1, idleTimeoutMillis: 0 });
  try {
    const client = await openClient(cell);
    const people = Array.from({ length: PEOPLE_COUNT * RECORDS_PER_PERSON }, (_, index) =>
      toLine(`v-${index}`, `p-${index % PEOPLE_COUNT}`, '2026-11-01'),
    );
    const expired = Array.from({ length: EXPIRED_COUNT }, (_, index) =>
      toLine(`e-${index}`, `x-${index % 3_000}`, '2024-01-01'),
    );
    await fill(client, 'people', people);
    await fill(client, 'expired', expired);
    const lines = Array.from({ length: 100 }, (_, index) =>
      JSON.stringify({
        id: `l-${index}`,
        subject: `c-${index}`,
        origin: 'uk',
        fields: { customer: `c-${index}`, invoice: 'I', stockCode: 'S', quantity: 1, unitPrice: 2 },
      }),
    );
    const body = lines.join('\n');
    await client.ask('POST', 'collections/lines/imports', { body, lines: true });
    await fillPlain(owner);
    const results = [await measureErasures(client, owner), ...(await measureExpiry(client, owner))];
    client.lane.close();
    return toBenchDocument('lifecycle', results);
  } finally {
    await owner.end();
    await cell.stop();
  }
}
