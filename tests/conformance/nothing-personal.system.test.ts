// SPDX-License-Identifier: Apache-2.0
// Goal: invariants 6 and 7. After the demonstration and its story nothing about any of its people is in the
// middle, and nothing outside the sealed values: no log, figure, job, file or file name, and no byte of any
// database's own files, write-ahead logs included. Method: every generated person's name, e-mail, phone,
// street and id, in every shape in which a value leaks; and planted values, to see that the search finds.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { findPersonalTraces } from '@bailiwick/control';
import { type Customer, DEMO_SEED, generateCustomers } from 'bailiwick/demo/generate';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RESIDENCIES, type ResidencyName } from '../system/demo.ts';
import { sendAsOperator } from '../system/http.ts';
import { listProcesses } from '../system/processes.ts';
import { type SharedSystem, useSystem } from '../system/shared.ts';
import { createSearcher, type Searcher, toNeedles } from '../system/traces.ts';

let system: SharedSystem;
let values: readonly string[];
let searcher: Searcher;

/** What is said about a person in the demonstration. */
const toValues = ({ id, name, email, phone, address }: Customer): readonly string[] => [
  ...[id, name, email, phone, address],
];

beforeAll(async () => {
  system = await useSystem();
  const retailer = generateCustomers({ seed: DEMO_SEED, customersCount: 700 });
  const bookshop = generateCustomers({ seed: DEMO_SEED + 7, customersCount: 400 });
  // Two whom the story adds, and whom other tests of this run know.
  const others = ['niemand@post.example', 'while-control-is-away', 'Wilhelmina Testperson'];
  const all = [...retailer.flatMap(toValues), ...bookshop.flatMap(toValues), ...others];
  values = [...new Set(all)].filter((value) => value.length >= 6);
  searcher = createSearcher(values);
}, 120_000);

async function withDatabase<T>(
  of: ResidencyName | 'control',
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const client = new Client({ connectionString: system.ownerUrl(of) });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Every row of every table of a database as text, bytes as hex: what a dump would hold. */
async function dump(client: Client, schema = '%'): Promise<{ text: string; tablesCount: number }> {
  const { rows: tables } = await client.query(
    `SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_class c
     JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind = 'r' AND n.nspname NOT LIKE 'pg_%' AND n.nspname <> 'information_schema'
       AND n.nspname LIKE $1 ORDER BY 1`,
    [schema],
  );
  const parts: string[] = [];
  for (const { name } of tables) {
    const { rows } = await client.query({
      text: `SELECT t::text FROM ${name} t`,
      rowMode: 'array',
    });
    for (const [row] of rows) parts.push(String(row));
  }
  return { text: parts.join('\n'), tablesCount: tables.length };
}

const describeFound = (where: string, bytes: Uint8Array): readonly string[] =>
  // Which value it was stays out of the report as well: a number and a shape are enough to find it.
  searcher.find(bytes).map(({ valueIndex, form }) => `${where}: value ${valueIndex} (${form})`);

function listFiles(directory: string, isWanted: (file: string) => boolean): readonly string[] {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .filter(isWanted);
}
const isCluster = (file: string): boolean => file.includes('/postgres/cluster/');

function searchFiles(files: readonly string[]): { found: readonly string[]; sizeBytes: number } {
  let sizeBytes = 0;
  const found = files.flatMap((file) => {
    let bytes: Buffer;
    try {
      bytes = readFileSync(file);
    } catch (error) {
      // The database removes files of its own while we read.
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
      throw error;
    }
    sizeBytes += bytes.length;
    return describeFound(path.relative(system.state, file), bytes);
  });
  return { found, sizeBytes };
}

describe('the search itself', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'bailiwick-planted-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('knows everybody', () => {
    expect(values.length).toBeGreaterThan(4_000);
    expect(searcher.needlesCount).toBeGreaterThan(8 * values.length);
  });

  it('finds a planted value in every shape, at every alignment, in the middle of noise', () => {
    const [value = ''] = values.filter((one) => Buffer.byteLength(one) > one.length);
    const valueIndex = values.indexOf(value);
    const bytes = Buffer.from(value);
    const planted = new Map<string, Buffer>(
      toNeedles(value, 0).map(({ form, bytes: shape }, index) => [`${form}-${index}`, shape]),
    );
    for (const before of ['', 'x', 'xy', 'xyz']) {
      const text = Buffer.concat([Buffer.from(before), bytes, Buffer.from('behind')]);
      planted.set(`base64-whole-${before.length}`, Buffer.from(text.toString('base64')));
      planted.set(`base64url-whole-${before.length}`, Buffer.from(text.toString('base64url')));
      planted.set(`hex-whole-${before.length}`, Buffer.from(text.toString('hex')));
    }
    for (const [name, shape] of planted) {
      const noise = Buffer.from(`{"level":"info","msg":"${'noise '.repeat(40)}`);
      const file = path.join(folder, name);
      writeFileSync(file, Buffer.concat([noise, shape, noise]));
      const found = searcher.find(readFileSync(file)).map((needle) => needle.valueIndex);
      expect(found, name).toContain(valueIndex);
    }
  });

  it('finds nothing in noise', () => {
    expect(searcher.find(Buffer.from('a line about nobody in particular\n'.repeat(100)))).toEqual(
      [],
    );
  });

  it('finds every one of them by its own name', () => {
    const missed = values.filter(
      (value, index) =>
        !searcher.find(Buffer.from(`"${value}"`)).some((one) => one.valueIndex === index),
    );
    expect(missed).toEqual([]);
  });
});

describe('the control plane’s database', () => {
  it('holds nothing about anybody', async () => {
    const walk = await withDatabase('control', (client) => findPersonalTraces(client, values));
    expect(walk.traces).toEqual([]);
    expect(walk.tablesCount).toBeGreaterThan(8);
    expect(walk.rowsCount).toBeGreaterThan(50);
    expect(walk.charactersCount).toBeGreaterThan(20_000);
    const { text } = await withDatabase('control', (client) => dump(client));
    expect(describeFound('control', Buffer.from(text))).toEqual([]);
  });

  it('would be found out if it did', async () => {
    // Somebody of no list: what is planted reaches the write-ahead log, which is searched below.
    const planted = 'Florentine Eingepflanzt';
    const own = createSearcher([planted]);
    await withDatabase('control', async (client) => {
      await client.query('BEGIN');
      await client.query('CREATE SCHEMA planted');
      await client.query('CREATE TABLE planted.notes (note text)');
      await client.query('INSERT INTO planted.notes VALUES ($1)', [`met ${planted} today`]);
      const { traces } = await findPersonalTraces(client, [planted]);
      const { text } = await dump(client);
      await client.query('ROLLBACK');
      expect(traces).toEqual([{ schema: 'planted', table: 'notes', valueIndex: 0, form: 'plain' }]);
      expect(own.find(Buffer.from(text)).map(({ form }) => form)).toEqual(['plain']);
    });
  });
});

describe('what the system wrote', () => {
  it('has nobody in it outside the databases: logs, keys, states, configurations, file names', () => {
    const files = listFiles(system.state, (file) => !isCluster(file));
    expect(files.filter((file) => file.endsWith('.log')).length).toBeGreaterThanOrEqual(15);
    expect(files.length).toBeGreaterThan(100);
    const names = Buffer.from(files.join('\n'));
    const { found, sizeBytes } = searchFiles(files);
    expect(sizeBytes).toBeGreaterThan(50_000);
    expect([...found, ...describeFound('file names', names)]).toEqual([]);
  });

  it('has nobody in the databases’ own files either, nor in their write-ahead logs', () => {
    const files = listFiles(system.state, isCluster);
    expect(files.filter((file) => file.includes('/pg_wal/')).length).toBeGreaterThanOrEqual(5);
    const { found, sizeBytes } = searchFiles(files);
    expect(sizeBytes).toBeGreaterThan(100_000_000);
    expect(found).toEqual([]);
  });

  it.each(RESIDENCIES)(
    'has nobody in the rows of %s but sealed, and nobody in its jobs',
    async (of) => {
      const { all, jobs } = await withDatabase(of, async (client) => ({
        all: await dump(client),
        jobs: await dump(client, '%job%'),
      }));
      expect(all.tablesCount).toBeGreaterThan(20);
      expect(jobs.tablesCount).toBeGreaterThan(0);
      expect(describeFound(`${of} rows`, Buffer.from(all.text))).toEqual([]);
    },
  );

  it('has nobody in figures', async () => {
    for (const residency of RESIDENCIES) {
      const { internalPort: port, spiffeId } = system.cell(residency);
      const to = { port, spiffeId };
      const metrics = await sendAsOperator(system, to, {
        method: 'GET',
        path: '/internal/v1/metrics',
      });
      expect(metrics.status, metrics.text).toBe(200);
      expect(metrics.text).toContain('http.server.request.duration'.replaceAll('.', '_'));
      expect(describeFound(`${residency} figures`, Buffer.from(metrics.text))).toEqual([]);
    }
    for (const path of ['/v1/rollups', '/v1/deliveries', '/v1/cells', '/v1/tenants']) {
      const answer = await sendAsOperator(system, system.control, { method: 'GET', path });
      expect(answer.status, answer.text).toBe(200);
      expect(describeFound(path, Buffer.from(answer.text))).toEqual([]);
    }
  });

  it('has nobody in what the machine shows of its processes and statements', async () => {
    const commands = listProcesses()
      .map(({ command }) => command)
      .filter((command) => command.includes(system.state));
    expect(commands.length).toBeGreaterThan(10);
    expect(describeFound('commands', Buffer.from(commands.join('\n')))).toEqual([]);
    for (const of of RESIDENCIES) {
      const { rows } = await withDatabase(of, (client) =>
        client.query('SELECT a::text AS row FROM pg_stat_activity a'),
      );
      const text = rows.map(({ row }) => String(row)).join('\n');
      expect(describeFound(`${of} statements`, Buffer.from(text))).toEqual([]);
    }
  });
});
