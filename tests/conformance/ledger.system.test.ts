// SPDX-License-Identifier: Apache-2.0
// Goal: who distrusts us finds every byte of an export that was changed (invariant 10), and a row that
// somebody with the database's own password put back is named. Method: the command's export of what the
// story did, bytes flipped at places drawn by a printed seed; rows forged in PostgreSQL as its superuser.
import { randomInt } from 'node:crypto';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type ExportReport, inspectExport, parseVerifierKey } from '@bailiwick/ledger/verify';
import { createSeededRandom } from '@bailiwick/testkit';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeClientFile } from '../system/client-file.ts';
import { aCustomer, CUSTOMERS } from '../system/collections.ts';
import { type Ended, runBailiwick, toJson } from '../system/command.ts';
import { type SharedSystem, useSystem } from '../system/shared.ts';
import { createTenant, type OwnTenant } from '../system/tenant.ts';

const FLIPS_COUNT = 250;
const SEED = randomInt(2 ** 31);

let system: SharedSystem;
let work: string;
let directory: string;
let files: ReadonlyMap<string, Buffer>;

const run = (...args: readonly string[]): Promise<Ended> =>
  runBailiwick(['--state', system.state, '--account', 'privacy-officer', '--json', ...args]);

function readFiles(folder: string, below = ''): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  for (const name of readdirSync(path.join(folder, below))) {
    const relative = below === '' ? name : `${below}/${name}`;
    const file = path.join(folder, relative);
    if (statSync(file).isDirectory()) {
      for (const [inner, bytes] of readFiles(folder, relative)) found.set(inner, bytes);
    } else {
      found.set(relative, readFileSync(file));
    }
  }
  return found;
}

function writeFiles(folder: string, contents: ReadonlyMap<string, Buffer>): string {
  for (const [name, bytes] of contents) {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), bytes);
  }
  return folder;
}

/** What a stranger finds who has the files and the key, and nothing else. */
const inspect = (contents: ReadonlyMap<string, Buffer>): Promise<ExportReport> =>
  inspectExport(
    {
      read: async (name) => contents.get(name),
      list: async () => [...contents.keys()],
    },
    { originKey: parseVerifierKey(system.cell('eu-de').ledgerKey) },
  );

beforeAll(async () => {
  system = await useSystem();
  work = mkdtempSync(path.join(tmpdir(), 'bailiwick-ledger-'));
  directory = path.join(work, 'export');
  toJson(await run('ledger', 'export', 'eu-de', '--output', directory));
  files = readFiles(directory);
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

/**
 * How much of a file is for everybody to check. Cosignatures behind the log's own signature are for those
 * who hold the witnesses' keys; who does not must pass over them (c2sp.org/signed-note).
 */
function sizeCovered(name: string, bytes: Buffer): number {
  if (name !== 'checkpoint') return bytes.length;
  const own = bytes.indexOf(`\n— ${system.cell('eu-de').cell}/ledger/1 `);
  expect(own).toBeGreaterThan(0);
  return bytes.indexOf('\n', own + 1) + 1;
}

describe('an export of what the story did', () => {
  it('verifies, with all of the tenant’s own entries opened', async () => {
    const report = toJson(await run('ledger', 'verify', directory));
    expect(report).toMatchObject({ isVerified: true, problems: [], origin: 'eu-de/main/ledger/1' });
    expect(report['bodiesCount']).toBeGreaterThan(50);
    // Without a policy nobody's key is known for the cosignatures: that they were not checked is said.
    expect(report['unchecked']).toEqual(
      expect.arrayContaining([expect.stringContaining('/witness')]),
    );
    const words = await runBailiwick(['--state', system.state, 'ledger', 'verify', directory]);
    expect(words.stdout).toContain('NOT checked');
    // The verifier that is called below is the one that the command runs.
    expect((await inspect(files)).problems).toEqual([]);
  });

  it('holds what the story did: writes, reads, decisions, the switched key, the transfers', () => {
    const kinds = new Set(
      (files.get('bodies.jsonl')?.toString() ?? '')
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(JSON.parse(line).body).kind),
    );
    for (const kind of ['write', 'read', 'decision', 'key', 'transfer', 'account']) {
      expect(kinds, kind).toContain(kind);
    }
  });

  it(`does not verify with any byte flipped (seed ${SEED})`, async () => {
    const random = createSeededRandom(SEED);
    const below = (count: number): number => Buffer.from(random.bytes(6)).readUIntBE(0, 6) % count;
    const names = [...files.keys()].sort();
    const missed: string[] = [];
    for (let index = 0; index < FLIPS_COUNT; index += 1) {
      // Each file in turn, so that the small ones are met as often as the large.
      const name = names[index % names.length] ?? '';
      const bytes = Buffer.from(files.get(name) ?? Buffer.alloc(0));
      if (bytes.length === 0) continue;
      const [at, bit] = [below(sizeCovered(name, bytes)), below(8)];
      bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
      const { problems } = await inspect(new Map(files).set(name, bytes));
      if (problems.length === 0) missed.push(`${name} at ${at}, bit ${bit}`);
    }
    expect(missed).toEqual([]);
  });

  it('is told wrong by the command, with exit 4 and the file’s name', async () => {
    for (const name of files.keys()) {
      const bytes = Buffer.from(files.get(name) ?? Buffer.alloc(0));
      const at = Math.floor(sizeCovered(name, bytes) / 2);
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      const copy = writeFiles(
        path.join(work, `flipped-${name.replaceAll('/', '-')}`),
        new Map(files).set(name, bytes),
      );
      const ended = await run('ledger', 'verify', copy, '--key', writeKey());
      expect(ended.code, name).toBe(4);
      expect(JSON.parse(ended.stdout).isVerified, name).toBe(false);
    }
  });

  it('does not verify with a file missing, cut short or too many', async () => {
    for (const [name, bytes] of files) {
      const without = new Map(files);
      without.delete(name);
      expect((await inspect(without)).problems.length, `without ${name}`).toBeGreaterThan(0);
      const cut = new Map(files).set(name, bytes.subarray(0, bytes.length - 1));
      expect((await inspect(cut)).problems.length, `cut ${name}`).toBeGreaterThan(0);
    }
    const more = new Map(files).set('tile/entries/999', Buffer.from('more'));
    expect((await inspect(more)).problems.length).toBeGreaterThan(0);
  });

  it('does not verify under another cell’s key', async () => {
    const key = path.join(work, 'other-key');
    writeFileSync(key, system.cell('uk-lon').ledgerKey);
    const ended = await run('ledger', 'verify', directory, '--key', key);
    expect(ended.code).toBe(4);
  });

  it('continues the log of an earlier checkpoint, and no other', async () => {
    const later = path.join(work, 'later');
    toJson(await run('ledger', 'export', 'eu-de', '--output', later));
    const earlier = path.join(directory, 'checkpoint');
    expect((await run('ledger', 'verify', later, '--earlier', earlier)).code).toBe(0);
    const foreign = path.join(work, 'foreign');
    toJson(await run('ledger', 'export', 'uk-lon', '--output', foreign));
    const other = path.join(foreign, 'checkpoint');
    expect((await run('ledger', 'verify', later, '--earlier', other)).code).toBe(4);
  });

  const writeKey = (): string => {
    const file = path.join(work, 'key');
    writeFileSync(file, system.cell('eu-de').ledgerKey);
    return file;
  };
});

describe('a row forged in the database by its superuser', () => {
  let tenant: OwnTenant;
  let clientFile: string;
  let database: Client;
  let recordId: string;
  const records = '/v1/collections/customers/records';
  type Row = Readonly<Record<string, unknown>>;

  const readRow = async (): Promise<Row> => {
    const { rows } = await database.query(
      'SELECT * FROM cell.records WHERE tenant_id = $1 AND record_id = $2',
      [tenant.tenantId, recordId],
    );
    return rows[0] ?? {};
  };
  const removeRow = (): Promise<unknown> =>
    database.query('DELETE FROM cell.records WHERE tenant_id = $1 AND record_id = $2', [
      tenant.tenantId,
      recordId,
    ]);
  const putBack = async (row: Row): Promise<void> => {
    await removeRow();
    const columns = Object.keys(row);
    const values = columns.map((name) =>
      name === 'plain' ? JSON.stringify(row[name]) : row[name],
    );
    const places = columns.map((_, index) => `$${index + 1}`);
    await database.query(
      `INSERT INTO cell.records (${columns.join(', ')}) VALUES (${places.join(', ')})`,
      values,
    );
  };
  const check = async (): Promise<{
    code: number | null;
    text: string;
    problems: readonly Row[];
  }> => {
    const ended = await runBailiwick([
      ...['--config', clientFile, '--account', 'privacy', '--json', 'ledger', 'check', 'eu-de'],
    ]);
    const { problems } = JSON.parse(ended.stdout) as { problems: readonly Row[] };
    return { code: ended.code, text: ended.stdout, problems };
  };

  beforeAll(async () => {
    const folder = path.join(work, 'own');
    mkdirSync(folder);
    tenant = await createTenant(system, { residencies: ['eu-de'] });
    clientFile = writeClientFile(system, { tenant, directory: folder });
    const [shop, admin] = [await tenant.as('shop', 'eu-de'), await tenant.as('admin', 'eu-de')];
    await admin.call('PUT', '/v1/collections/customers', CUSTOMERS);
    const made = await shop.call('POST', records, aCustomer('one', { name: 'First Name' }));
    expect(made.status, made.text).toBe(201);
    recordId = made.body.recordId;
    await shop.call('POST', records, aCustomer('two'));
    database = new Client({ connectionString: system.ownerUrl('eu-de') });
    await database.connect();
  });
  afterAll(() => database?.end());

  it('is named when it is a whole older one, which no cipher could refuse', async () => {
    const shop = await tenant.as('shop', 'eu-de');
    const older = await readRow();
    const changed = await shop.call(
      'PATCH',
      `${records}/${recordId}`,
      { fields: { name: 'Second Name' } },
      { 'if-match': '"1"' },
    );
    expect(changed.status, changed.text).toBe(200);
    const newer = await readRow();
    expect(await check()).toMatchObject({ code: 0, problems: [] });
    await putBack(older);
    const read = await shop.call('GET', `${records}/${recordId}`);
    expect(read.body.fields?.name, 'it opens: nothing about it is false by itself').toBe(
      'First Name',
    );
    const { code, problems } = await check();
    expect(code).toBe(4);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatchObject({ record: recordId, version: 1, entryVersion: 2 });
    await putBack(newer);
    expect(await check()).toMatchObject({ code: 0, problems: [] });
  });

  it('is named when it was removed', async () => {
    const row = await readRow();
    await removeRow();
    const { code, problems } = await check();
    expect(code).toBe(4);
    expect(problems).toEqual([expect.objectContaining({ record: recordId })]);
    await putBack(row);
    expect((await check()).code).toBe(0);
  });

  it('is named when its plain part was edited, and is not readable either', async () => {
    const row = await readRow();
    await database.query(
      `UPDATE cell.records SET plain = plain || '{"country": "fr"}' WHERE tenant_id = $1 AND record_id = $2`,
      [tenant.tenantId, recordId],
    );
    const shop = await tenant.as('shop', 'eu-de');
    const read = await shop.call('GET', `${records}/${recordId}`);
    expect(read.status, read.text).toBe(403);
    const { code, problems } = await check();
    expect(code).toBe(4);
    expect(problems).toEqual([expect.objectContaining({ record: recordId })]);
    await putBack(row);
  });

  it('is named when it was deleted by right and put back', async () => {
    const shop = await tenant.as('shop', 'eu-de');
    const row = await readRow();
    const gone = await shop.call('DELETE', `${records}/${recordId}`, undefined, {
      'if-match': '"2"',
    });
    expect(gone.status, gone.text).toBe(204);
    expect((await check()).code).toBe(0);
    await putBack(row);
    const { code, text, problems } = await check();
    expect(code).toBe(4);
    expect(problems).toEqual([expect.objectContaining({ record: recordId })]);
    expect(text, 'a report says nothing about anybody').not.toContain('Name');
  });
});
