// SPDX-License-Identifier: Apache-2.0
// For `npm run bench -- backup`: a database of sealed records, backed up and restored by the cell's own code, beside
// COPY of the same rows out to a file and in from it. Prints one line of JSON: rates in MB/s of what COPY gives.
// Both sides write through to the disk; ours also seals, and reads everything back before it counts.
import { randomBytes } from 'node:crypto';
import { createReadStream, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseCellId } from '@bailiwick/kernel';
import { openDirectoryStore } from '@bailiwick/object-store';
import { copyIn, copyOut, openDatabase } from '@bailiwick/postgres';
import { type TestDatabase, withTestDatabase } from '@bailiwick/postgres/testing';
import { Client } from 'pg';
import { createSystemRandom, systemClock } from '../../ports.ts';
import { runRestore } from '../../restores/run-restore.ts';
import { openVault, readBackupKey } from '../sealed-object.ts';
import { takeBackup } from '../take-backup.ts';

const ROWS_COUNT = 60_000;
const SEALED_SIZE_BYTES = 1_200;
const ROUNDS_COUNT = 3;
const BYTES_PER_MEGABYTE = 1_000_000;
const cellId = parseCellId('eu-de/main');
const ports = { cellId, clock: systemClock, random: createSystemRandom() };

const FILL = `INSERT INTO cell.records
  (tenant_id, collection_id, record_id, version, schema_version, subject_id, facts, plain, sealed, blind,
   facts_mac, entry_id)
SELECT '0198c0de-0000-7000-8000-000000000001', 'customers', gen_random_uuid(), 1, 1, gen_random_uuid(),
       '{"collectedAt":"2026-11-20T12:00:00.000Z","lawDate":"2026-11-20","origin":"de","regimes":["gdpr"],"residency":"eu-de"}',
       '{"country":"de"}',
       (SELECT string_agg(sha256((g * 1000 + i)::text::bytea), '') FROM generate_series(1, $2 / 32) i),
       '{}', sha256(g::text::bytea), gen_random_uuid()
  FROM generate_series(1, $1) g`;

async function asOwner<T>(
  database: TestDatabase,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const client = new Client({ connectionString: database.ownerUrl });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

async function copyFromFile(file: string): Promise<number> {
  const database = await withTestDatabase();
  try {
    const startedMs = performance.now();
    await asOwner(database, async (client) => {
      await client.query('BEGIN');
      await copyIn(client, 'COPY cell.records FROM STDIN (FORMAT binary)', createReadStream(file));
      await client.query('COMMIT');
      await client.query('ANALYZE cell.records');
    });
    return performance.now() - startedMs;
  } finally {
    await database.close();
  }
}

async function run(): Promise<void> {
  const root = mkdtempSync(path.join(tmpdir(), 'bailiwick-bench-backup-'));
  const source = await withTestDatabase();
  const database = openDatabase({ url: source.backupUrl, poolSize: 2, applicationName: 'bench' });
  try {
    await source.asOwner(FILL, [ROWS_COUNT, SEALED_SIZE_BYTES]);
    await source.asOwner('VACUUM ANALYZE');
    const keyFile = path.join(root, 'key');
    writeFileSync(keyFile, randomBytes(32).toString('base64'));
    const file = path.join(root, 'copy');
    await copyToFile(source, file);
    const megabytes = statSync(file).size / BYTES_PER_MEGABYTE;
    const toRate = (ms: number): number => megabytes / (ms / 1000);
    const rounds: Record<'backup' | 'copyOut' | 'restore' | 'copyIn', number>[] = [];
    for (let round = 0; round <= ROUNDS_COUNT; round += 1) {
      const directory = mkdtempSync(path.join(root, 'store-'));
      const store = await openDirectoryStore({ directory });
      const vault = openVault({ store, key: readBackupKey(keyFile), cellId });
      let startedMs = performance.now();
      await takeBackup(
        { ...ports, database, vault },
        { kind: 'full', keepDays: 1, exceptTenants: [], configuration: {} },
      );
      const backup = toRate(performance.now() - startedMs);
      const out = toRate(await copyToFile(source, file));
      const target = await withTestDatabase();
      startedMs = performance.now();
      await runRestore(
        { ...ports, vault, ownerUrl: target.ownerUrl, config: { cell: cellId } },
        {},
      );
      const restore = toRate(performance.now() - startedMs);
      await target.close();
      const copyInRate = toRate(await copyFromFile(file));
      // The first round warms up.
      if (round > 0) rounds.push({ backup, copyOut: out, restore, copyIn: copyInRate });
      rmSync(directory, { recursive: true });
    }
    process.stdout.write(`${JSON.stringify({ megabytes, rounds })}\n`);
  } finally {
    await database.close();
    await source.close();
    rmSync(root, { recursive: true, force: true });
  }
}

/** Plain COPY of the records out to a file, written through. */
async function copyToFile(database: TestDatabase, file: string): Promise<number> {
  const startedMs = performance.now();
  await asOwner(database, async (client) => {
    const target = await open(file, 'w');
    const select = 'SELECT * FROM cell.records';
    for await (const chunk of copyOut(client, `COPY (${select}) TO STDOUT (FORMAT binary)`)) {
      await target.write(chunk);
    }
    await target.sync();
    await target.close();
  });
  return performance.now() - startedMs;
}

await run();
