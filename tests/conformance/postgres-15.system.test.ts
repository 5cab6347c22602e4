// SPDX-License-Identifier: Apache-2.0
// Goal: a cell's stores keep their promises on the oldest PostgreSQL that is supported, as a package of the
// operating system brings it, and not only on the embedded one. Method: the very suites of records,
// ledger, keys and transfers once more, in a run of their own, on that server's URL.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT, startProgram } from '../system/command.ts';
import {
  DEBIAN_BINARIES,
  hasDebianPostgres,
  type OutsideServer,
  startDebianPostgres,
} from '../system/debian-postgres.ts';

/** Suites that take a database, and how many tests each has at least. */
const SUITES: Readonly<Record<string, number>> = {
  'adapters/postgres/src/migrate.system.test.ts': 5,
  'adapters/postgres/src/log-store.system.test.ts': 15,
  'apps/cell/src/records/records.system.test.ts': 20,
  'apps/cell/src/records/imports.system.test.ts': 8,
  'apps/cell/src/records/tampering.system.test.ts': 8,
  'apps/cell/src/ledger/check-rows.system.test.ts': 2,
  'apps/cell/src/key-service/key-service.system.test.ts': 8,
  'apps/cell/src/erasures/erasures.system.test.ts': 3,
  'apps/cell/src/transfers/transfers.system.test.ts': 5,
};

if (!hasDebianPostgres()) {
  const problem = `there is no PostgreSQL 15 at ${DEBIAN_BINARIES}: the stores are NOT tested on it`;
  if (process.env['CI'] === 'true') throw new Error(problem);
  console.warn(problem);
}

interface Results {
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message: string;
    readonly assertionResults: readonly {
      readonly status: string;
      readonly fullName: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

describe.skipIf(!hasDebianPostgres())('the stores on PostgreSQL 15', () => {
  let server: OutsideServer;
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'bailiwick-postgres-15-'));
    server = await startDebianPostgres();
  });
  afterAll(async () => {
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it('is that version', async () => {
    const client = new Client({ connectionString: server.url });
    await client.connect();
    const { rows } = await client.query('SHOW server_version_num');
    await client.end();
    expect(rows[0].server_version_num).toMatch(/^15\d{4}$/);
  });

  it('keep every promise that they keep on the embedded server', async () => {
    const output = path.join(folder, 'results.json');
    const { ended } = startProgram(
      process.execPath,
      [
        path.join(ROOT, 'node_modules/vitest/vitest.mjs'),
        ...['run', '--project', 'system', '--maxWorkers', '1', '--no-file-parallelism'],
        ...['--reporter=json', `--outputFile=${output}`],
        ...Object.keys(SUITES),
      ],
      {
        env: { BAILIWICK_TEST_POSTGRES_URL: server.url, VITEST: '', NO_COLOR: '1' },
        timeoutMs: 230_000,
      },
    );
    const { code, stderr } = await ended;
    const results = JSON.parse(readFileSync(output, 'utf8')) as Results;
    const failed = results.testResults.flatMap(({ assertionResults, status, message, name }) => [
      ...assertionResults
        .filter((one) => one.status === 'failed')
        .map(({ fullName, failureMessages }) => `${fullName}: ${failureMessages[0] ?? ''}`),
      ...(status === 'failed' && assertionResults.length === 0 ? [`${name}: ${message}`] : []),
    ]);
    expect(failed).toEqual([]);
    expect(code, stderr.slice(-2000)).toBe(0);
    // A run that saw nothing, or another server, proves nothing.
    const client = new Client({ connectionString: server.url });
    await client.connect();
    const { rows } = await client.query(
      "SELECT rolname FROM pg_roles WHERE rolname LIKE 'bailiwick%' ORDER BY 1",
    );
    await client.end();
    expect(rows.map(({ rolname }) => rolname)).toEqual(
      expect.arrayContaining(['bailiwick_cell', 'bailiwick_keys']),
    );
    for (const [suite, countMin] of Object.entries(SUITES)) {
      const found = results.testResults.find(({ name }) => name.endsWith(suite));
      const passed =
        found?.assertionResults.filter(({ status }) => status === 'passed').length ?? 0;
      expect(passed, suite).toBeGreaterThanOrEqual(countMin);
    }
  }, 240_000);
});
