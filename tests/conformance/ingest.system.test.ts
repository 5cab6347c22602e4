// SPDX-License-Identifier: Apache-2.0
// Goal: real order data ends in the cells that the charter names, each line once, whatever is killed on the
// way; a line that cannot be kept is told with its number and reason and holds nothing up. Method: the
// command as a person runs it, over the Online Retail data set (UCI, CC BY 4.0), which lies beside the
// checkout and not in it.
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Ended, ROOT, runBailiwick, startBailiwick, toJson } from '../system/command.ts';
import type { ResidencyName } from '../system/demo.ts';
import { listProcesses, readResidentBytes } from '../system/processes.ts';
import { type SharedSystem, useSystem } from '../system/shared.ts';
import { waitUntil } from '../system/wait-until.ts';

const FILE = path.resolve(ROOT, '../shared/data/online-retail/OnlineRetail.csv');
const MAPPING = path.join(ROOT, 'examples/mappings/online-retail.yaml');
const COLUMNS = 'InvoiceNo,StockCode,Description,Quantity,UnitPrice,CustomerID,Country';
const RESIDENT_BYTES_MAX = 300 * 1024 * 1024;

let system: SharedSystem;
let work: string;
beforeAll(async () => {
  system = await useSystem();
  work = mkdtempSync(path.join(tmpdir(), 'bailiwick-ingest-'));
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

/** What a cell holds of a collection: how many records, and one digest over all their ids. */
async function readStored(
  residency: ResidencyName,
  collection: string,
): Promise<{ readonly count: number; readonly digest: string }> {
  const client = new Client({ connectionString: system.ownerUrl(residency) });
  await client.connect();
  try {
    const { rows } = await client.query(
      `SELECT count(*)::int AS count, count(DISTINCT record_id)::int AS ids,
         md5(coalesce(string_agg(record_id::text, ',' ORDER BY record_id), '')) AS digest
       FROM cell.records WHERE tenant_id = $1 AND collection_id = $2`,
      [system.tenant('retailer'), collection],
    );
    expect(rows[0].ids).toBe(rows[0].count);
    return { count: rows[0].count, digest: rows[0].digest };
  } finally {
    await client.end();
  }
}

const ingest = (file: string, ...more: readonly string[]): Promise<Ended> =>
  runBailiwick(['--state', system.state, '--json', 'ingest', file, ...more]);

interface Report {
  readonly lineCount: number;
  readonly refusedCount: number;
  readonly withoutSubjectCount: number;
  readonly cells: readonly { cell: string; accepted: number; unchanged: number; refused: number }[];
  readonly refused: readonly { code: string; count: number; lines: readonly number[] }[];
}
const toReport = (ended: Ended): Report => toJson(ended) as unknown as Report;

const WHOLE = { 'eu-de/main': 2_876, 'uk-lon/main': 47_101, 'au-syd/main': 83 } as const;

if (!existsSync(FILE)) {
  const problem = `the Online Retail data is not at ${FILE}: its ingest is NOT tested`;
  if (process.env['CI'] === 'true') throw new Error(problem);
  console.warn(problem);
}

describe.skipIf(!existsSync(FILE))('the whole file', () => {
  it('survives a client that is killed, and is complete after the next run', async () => {
    const killed = startBailiwick(['--state', system.state, 'ingest', FILE]);
    const before = await waitUntil(
      'a part of the file in uk-lon',
      async () => {
        const { count } = await readStored('uk-lon', 'invoice-lines');
        return count > 4_000 ? count : undefined;
      },
      { timeoutMs: 60_000, intervalMs: 20 },
    );
    killed.child.kill('SIGKILL');
    expect((await killed.ended).signal).toBe('SIGKILL');
    expect(before, 'killed in the middle').toBeLessThan(WHOLE['uk-lon/main']);

    const report = toReport(await ingest(FILE));
    expect(report.lineCount).toBe(50_062);
    const totals = report.cells.map(({ cell, accepted, unchanged, refused }) => [
      cell,
      accepted + unchanged,
      refused,
    ]);
    expect(Object.fromEntries(totals.map(([cell, total]) => [cell, total]))).toEqual(WHOLE);
    expect(totals.every(([, , refused]) => refused === 0)).toBe(true);
    const london = report.cells.find(({ cell }) => cell === 'uk-lon/main');
    expect(london?.unchanged, 'what was there is not written again').toBeGreaterThanOrEqual(4_000);
  });

  it('leaves the cell of uk-lon under 300 MB resident', () => {
    const cells = listProcesses().filter(
      ({ command }) =>
        command.includes('apps/cell/src/main.ts') &&
        command.includes(path.join(system.state, 'cells/uk-lon/')),
    );
    expect(cells).toHaveLength(1);
    const residentBytes = readResidentBytes(cells[0]?.pid ?? 0);
    console.info(
      `uk-lon after the whole file: ${Math.round(residentBytes / 1024 / 1024)} MB resident`,
    );
    expect(residentBytes).toBeGreaterThan(50 * 1024 * 1024);
    expect(residentBytes).toBeLessThan(RESIDENT_BYTES_MAX);
  });

  it('has no home for Bahrain, and names the lines', async () => {
    const report = toReport(await ingest(FILE, '--dry-run'));
    expect(report.refusedCount).toBe(2);
    expect(report.refused).toEqual([
      expect.objectContaining({ code: 'ORIGIN_WITHOUT_HOME', count: 2, lines: [38_315, 44_154] }),
    ]);
    // The numbers are the file's own: an editor finds Bahrain there.
    const lines = readFileSync(FILE, 'latin1').split('\n');
    for (const number of [38_315, 44_154]) expect(lines[number - 1]).toMatch(/,Bahrain\r?$/);
  });

  it('changes nothing when it comes again', async () => {
    const before = await Promise.all(
      (['eu-de', 'uk-lon', 'au-syd', 'us-va'] as const).map((one) =>
        readStored(one, 'invoice-lines'),
      ),
    );
    expect(before.map(({ count }) => count)).toEqual([2_876, 47_101, 83, 0]);
    const report = toReport(await ingest(FILE));
    // Every line's own record was found, and there is none besides: the same set, none lost, none twice.
    for (const { cell, accepted, unchanged } of report.cells) {
      expect({ cell, accepted, unchanged }).toEqual({
        cell,
        accepted: 0,
        unchanged: WHOLE[cell as keyof typeof WHOLE],
      });
    }
    const after = await Promise.all(
      (['eu-de', 'uk-lon', 'au-syd', 'us-va'] as const).map((one) =>
        readStored(one, 'invoice-lines'),
      ),
    );
    expect(after).toEqual(before);
  });
});

/** The shipped mapping into a collection of the test's own. */
function writeMapping(change: (text: string) => string = (text) => text): {
  readonly file: string;
  readonly collection: string;
} {
  const collection = `lines-${randomBytes(4).toString('hex')}`;
  const text = readFileSync(MAPPING, 'utf8').replace(
    'collection: invoice-lines',
    `collection: ${collection}`,
  );
  const file = path.join(work, `${collection}.yaml`);
  writeFileSync(file, change(text));
  return { file, collection };
}

function writeLines(lines: readonly string[]): string {
  const file = path.join(work, `${randomBytes(4).toString('hex')}.csv`);
  writeFileSync(file, `${[COLUMNS, ...lines].join('\r\n')}\r\n`, 'latin1');
  return file;
}

describe('a line that cannot be kept', () => {
  it('is told with its number and its reason, and the rest goes on', async () => {
    const { file: mapping, collection } = writeMapping();
    const secret = 'Hildegard-Geheim';
    const lines: readonly (readonly [line: string, code?: string])[] = [
      ['1,A,THING,1,2.5,77,Germany'],
      [`2,A,"${secret},1,2.5,77,Germany`, 'IMPORT_LINE_MALFORMED'],
      [`3,A,${secret},1,2.5,Germany`, 'IMPORT_COLUMN_COUNT'],
      [`4,A,${secret},1,2.5,77,Germany,more`, 'IMPORT_COLUMN_COUNT'],
      [`5,A,${secret},several,2.5,77,Germany`, 'IMPORT_VALUE_INVALID'],
      [`6,A,${secret},1.5,2.5,77,Germany`, 'IMPORT_VALUE_INVALID'],
      [`7,A,${secret},1,free,77,Germany`, 'IMPORT_VALUE_INVALID'],
      [`8,,${secret},1,2.5,77,Germany`, 'IMPORT_VALUE_MISSING'],
      [`9,A,${secret},1,2.5,77,Bahrain`, 'ORIGIN_WITHOUT_HOME'],
      [`10,A,${secret},1,2.5,77,${secret}`, 'ORIGIN_UNKNOWN'],
      [`11,A,${secret},1,2.5,77,`, 'IMPORT_VALUE_MISSING'],
      [`12,A,${'x'.repeat(10 * 1024 * 1024)},1,2.5,77,Germany`, 'IMPORT_LINE_TOO_LONG'],
      [`13,A,${'x'.repeat(300)},1,2.5,77,Germany`, 'RECORD_FIELD_INVALID'],
      ['C14,A,A RETURN,-12,2.5,77,Germany'],
      ['15,A,FOR NOBODY KNOWN,1,2.5,,Norway'],
      ['16,A,"SAID ""NO"", THEN YES",1,2.5,78,Channel Islands'],
      ['17,A,LAST,1,2.5,78,Australia'],
    ];
    const refusedFile = path.join(work, 'refused.ndjson');
    const file = writeLines(lines.map(([line]) => line));
    const ended = await ingest(file, '--mapping', mapping, '--refused', refusedFile);
    const report = toReport(ended);
    const wanted = lines.flatMap(([, code], index) =>
      code === undefined ? [] : [[index + 2, code] as const],
    );
    const told = report.refused.flatMap(({ code, lines: numbers }) =>
      numbers.map((number) => [number, code] as const),
    );
    expect([...told].sort(([one], [other]) => one - other)).toEqual(wanted);
    expect(report).toMatchObject({
      lineCount: lines.length,
      refusedCount: wanted.length,
      withoutSubjectCount: 1,
    });
    const counts = await Promise.all(
      (['eu-de', 'uk-lon', 'au-syd'] as const).map((one) => readStored(one, collection)),
    );
    expect(counts.map(({ count }) => count)).toEqual([3, 1, 1]);
    const written = readFileSync(refusedFile, 'utf8');
    expect(written.trimEnd().split('\n')).toHaveLength(wanted.length);
    // What stands in a line may be about somebody: it is never repeated.
    for (const text of [ended.stdout, ended.stderr, written]) expect(text).not.toContain(secret);
  });

  it('keeps returns negative and what they say intact', async () => {
    const { file: mapping, collection } = writeMapping();
    const file = writeLines(['C1,A,"A ""RETURN"", £5",-12,2.5,77,Germany']);
    expect(toReport(await ingest(file, '--mapping', mapping)).refusedCount).toBe(0);
    const args = ['--state', system.state, '--json', 'record', 'search', 'eu-de', collection];
    const found = toJson(await runBailiwick(args)) as { items: { fields: unknown }[] };
    expect(found.items.map(({ fields }) => fields)).toEqual([
      {
        invoice: 'C1',
        stockCode: 'A',
        description: 'A "RETURN", £5',
        quantity: -12,
        unitPrice: 2.5,
      },
    ]);
  });
});

describe('a file that does not fit', () => {
  it('is refused before anything is sent when a column is missing', async () => {
    const { file: mapping, collection } = writeMapping((text) =>
      text.replace('column: UnitPrice', 'column: Price'),
    );
    const ended = await ingest(writeLines(['1,A,THING,1,2.5,77,Germany']), '--mapping', mapping);
    expect(ended.code).toBe(2);
    expect(ended.stderr).toContain('CLI_MAPPING_INVALID');
    expect(ended.stderr).toContain('`Price`');
    expect((await readStored('eu-de', collection)).count).toBe(0);
  });

  it.each([
    ['is absent', '/nonexistent/orders.csv', /cannot read `\/nonexistent\/orders\.csv`/],
    ['is a directory', '/tmp', /`\/tmp` is not a file/],
  ])('is told in one line when it %s', async (_what, file, problem) => {
    const ended = await runBailiwick(['--state', system.state, 'ingest', file]);
    expect(ended.code).toBeGreaterThan(0);
    expect(ended.stderr).toMatch(problem);
    expect(ended.stderr.trimEnd().split('\n').length).toBeLessThanOrEqual(2);
  });

  it('is asked for a mapping when no shipped one fits', async () => {
    const file = path.join(work, 'other.csv');
    writeFileSync(file, 'a,b\n1,2\n');
    const ended = await runBailiwick(['--state', system.state, 'ingest', file]);
    expect(ended.code).toBe(2);
    expect(ended.stderr).toMatch(/error: .*\nbailiwick: hint: .*--mapping/);
  });
});
