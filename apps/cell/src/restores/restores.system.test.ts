// SPDX-License-Identifier: Apache-2.0
// Invariant 9 through a restore. Goal: whoever was erased after a backup is nowhere after it was restored;
// with the list of erasures withheld, cut or tampered with, the cell does not serve. Method: a real cell with
// backups and a witness that is not its own; its backups restored into new databases by the code that
// `bailiwick restore` runs; real cells started over those.
import {
  chmodSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { APPROVAL_PAYLOAD_TYPE } from '@bailiwick/contracts';
import { parseEntryId } from '@bailiwick/kernel';
import { type DsseSigner, signDsse } from '@bailiwick/keys';
import { commitEntry, toCanonicalBody } from '@bailiwick/ledger';
import { openDirectoryStore } from '@bailiwick/object-store';
import { type TestDatabase, withTestDatabase } from '@bailiwick/postgres/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { openVault, readBackupKey } from '../backups/sealed-object.ts';
import { readSegment, toSegmentContent } from '../backups/segment.ts';
import { createSystemRandom, systemClock } from '../ports.ts';
import { CUSTOMERS } from '../records/testing/shop.ts';
import { newTenant, startTestCell, type TestAccount, type TestCell } from '../testing/test-cell.ts';
import { newKey } from '../testing/test-config.ts';
import { toForcedEnd } from './force.ts';
import { restoreCell } from './restore-cell.ts';
import type { RestoreReport } from './run-restore.ts';
import { type Auditor, newLedgerKey, startAuditor, toLogKey } from './testing.ts';

const tenant = newTenant();
const ledgerKey = newLedgerKey();
const NOBODY = '00000000-0000-0000-0000-000000000000';
const ORIGIN = 'eu-de/main/ledger/1';

let root: string;
let store: string;
let auditor: Auditor;
let cell: TestCell;
let shop: TestAccount;
/** Instant after the full backup and before the second one. */
let early: string;
let erikas: { readonly subjectId: string; readonly sealed: Buffer; readonly recordId: string };

async function create(id: string): Promise<void> {
  const { status, body } = await cell.call({
    method: 'POST',
    path: '/v1/collections/customers/records',
    body: {
      ...{ id, subject: id, origin: 'de' },
      fields: { name: `Name of ${id}`, email: `${id}@example.test`, orders: 7 },
    },
    as: shop,
  });
  expect(status, JSON.stringify(body)).toBe(201);
}

async function settle(of: TestCell): Promise<void> {
  await vi.waitFor(async () => {
    expect(await of.database.asOwner('SELECT FROM ledger.inbox')).toEqual([]);
    const { ledger } = of.cell;
    const { size } = await ledger.store.readHead(ledger.epoch);
    expect((await ledger.store.readCheckpoint(ledger.epoch))?.size).toBe(size);
  }, 10_000);
}

beforeAll(async () => {
  root = mkdtempSync(path.join(tmpdir(), 'bailiwick-restores-'));
  store = path.join(root, 'store');
  cpSync(mkdtempSync(path.join(root, 'empty-')), store, { recursive: true });
  auditor = await startAuditor([toLogKey(ORIGIN, ledgerKey)]);
  cell = await startTestCell({
    ...{ tenants: [tenant], backups: store, witnesses: auditor.section, ledgerKey },
  });
  shop = await cell.addAccount(tenant.tenantId);
  const put = await cell.call({
    method: 'PUT',
    path: '/v1/collections/customers',
    body: CUSTOMERS,
    as: shop,
  });
  expect(put.status, JSON.stringify(put.body)).toBeLessThan(300);
  for (const id of ['erika', 'max', 'anna']) await create(id);
  await cell.cell.backups?.take({ kind: 'full' });
  early = new Date().toISOString();
  await create('late');
  await cell.cell.backups?.take({ kind: 'incremental' });
  const [row] = await cell.database.asOwner<{
    subject_id: string;
    sealed: Buffer;
    record_id: string;
  }>(
    `SELECT r.subject_id, r.sealed, r.record_id FROM cell.records r
       JOIN keys.subject_keys k USING (tenant_id, subject_id) ORDER BY k.created_at LIMIT 1`,
  );
  if (row === undefined) throw new Error('no record');
  erikas = { subjectId: row.subject_id, sealed: row.sealed, recordId: row.record_id };
  const erased = await cell.call({
    method: 'POST',
    path: '/v1/erasures',
    body: { subject: 'erika' },
    as: shop,
  });
  expect(erased.status, JSON.stringify(erased.body)).toBe(200);
  expect(erased.body).toMatchObject({ survivorsCount: 3, recordsCount: 1 });
  for (const body of [
    { subject: 'max', purpose: 'marketing', state: 'given' },
    { subject: 'max', purpose: 'marketing', state: 'withdrawn' },
  ]) {
    const said = await cell.call({ method: 'POST', path: '/v1/consents', body, as: shop });
    expect(said.status, JSON.stringify(said.body)).toBe(200);
  }
  await settle(cell);
  expect(await cell.cell.witnesses.rounds.round()).toContain('auditor.example');
});

const opened: TestCell[] = [];
const databases: TestDatabase[] = [];
afterEach(async () => {
  auditor.isSilent = false;
  for (const one of opened.splice(0)) await one.stop();
  for (const one of databases.splice(0)) await one.close();
});
afterAll(async () => {
  await cell.stop();
  await auditor.close();
  rmSync(root, { recursive: true, force: true });
});

interface Target {
  /** Directory of the store to restore from. */
  readonly from?: string;
  readonly at?: string;
  readonly approvals?: readonly unknown[];
  readonly epoch?: number;
}

/** Restores into a new database. */
async function restore(
  target: Target = {},
): Promise<{ database: TestDatabase; report: RestoreReport }> {
  const database = await withTestDatabase();
  databases.push(database);
  const { config } = cell.cell.runtime;
  const { backups } = config;
  if (backups === undefined) throw new Error('no backups');
  const urlFile = path.join(root, `url-${databases.length}-${Math.random()}`);
  writeFileSync(urlFile, database.url);
  const report = await restoreCell({
    config: {
      ...config,
      database: { ...config.database, urlFile },
      ledger: { ...config.ledger, epoch: target.epoch ?? 1 },
      backups: { ...backups, store: { kind: 'directory', directory: target.from ?? store } },
    },
    ...{ clock: systemClock, random: createSystemRandom() },
    ownerUrl: database.ownerUrl,
    ...(target.at === undefined ? {} : { at: target.at }),
    ...(target.approvals === undefined ? {} : { approvals: target.approvals }),
  });
  return { database, report };
}

/** Starts a cell over a restored database; its listener is not needed, its checks are. */
async function start(database: TestDatabase, target: Target = {}): Promise<TestCell> {
  databases.splice(databases.indexOf(database), 1);
  const started = await startTestCell({
    ...{ tenants: [tenant], database, ledgerKey, witnesses: auditor.section },
    backups: target.from ?? store,
    backupKey: readFileSync(path.join(cell.directory, 'backup.key'), 'utf8'),
    keysDirectory: cell.directory,
    sameTrustAs: cell,
    ...(target.epoch === undefined ? {} : { epoch: target.epoch }),
  });
  opened.push(started);
  started.cell.gate.start();
  return started;
}

function problemOf(one: TestCell): string | undefined {
  try {
    one.cell.gate.assertServing();
    return undefined;
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  }
}

const search = (one: TestCell, email: string): ReturnType<TestCell['call']> =>
  one.call({
    method: 'POST',
    path: '/v1/collections/customers/searches',
    body: { where: { email: { eq: email } } },
    as: { ...shop },
  });

/** Every table of a database that shows a person, as text. */
async function findEverywhere(
  database: TestDatabase,
  needles: readonly string[],
): Promise<readonly string[]> {
  const tables = await database.asOwner<{ name: string }>(
    `SELECT n.nspname || '.' || c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname IN ('cell', 'keys', 'ledger', 'jobs', 'bailiwick') AND c.relkind IN ('r', 'p') AND NOT c.relispartition`,
  );
  expect(tables.length).toBeGreaterThan(20);
  const found: string[] = [];
  for (const { name } of tables) {
    for (const needle of needles) {
      const rows = await database.asOwner(`SELECT FROM ${name} t WHERE t::text ILIKE $1`, [
        `%${needle}%`,
      ]);
      if (rows.length > 0) found.push(`${name}: ${rows.length}`);
    }
  }
  return found;
}

/** A copy of the store that a test may harm. */
function copyStore(): string {
  const target = mkdtempSync(path.join(root, 'copy-'));
  cpSync(store, target, { recursive: true });
  return target;
}
const segmentsOf = (directory: string): readonly string[] =>
  readdirSync(path.join(directory, 'ledger/1'))
    .sort()
    .map((name) => `ledger/1/${name}`);

function vaultOf(store_: Awaited<ReturnType<typeof openDirectoryStore>>) {
  const key = readBackupKey(path.join(cell.directory, 'backup.key'));
  return openVault({ store: store_, key, cellId: cell.cell.runtime.cellId });
}

describe('a restore', () => {
  it('brings everybody back but who was erased since, and serves once its witness agrees', async () => {
    const { database, report } = await restore();
    expect(report).toMatchObject({ erasuresCount: 1, recordsRemovedCount: 1, withheldCount: 0 });
    const restored = await start(database);
    expect(problemOf(restored)).toMatch(/^RESTORE_/);
    await restored.cell.gate.opened;
    for (const id of ['max', 'anna', 'late']) {
      const { status, body } = await search(restored, `${id}@example.test`);
      expect(status, JSON.stringify(body)).toBe(200);
      expect(body.items, id).toHaveLength(1);
      expect(body.items[0].fields).toMatchObject({ name: `Name of ${id}`, orders: 7 });
    }
    const gone = await search(restored, 'erika@example.test');
    expect(gone.body.items).toEqual([]);
    const { sealed, recordId, subjectId } = erikas;
    const rows = await findEverywhere(database, [sealed.toString('hex'), recordId]);
    expect(rows).toEqual([]);
    const keys = await database.asOwner(
      'SELECT wrap FROM keys.subject_keys WHERE subject_id = $1',
      [subjectId],
    );
    expect(keys).toEqual([{ wrap: null }]);
    // The look works: the same is found where nobody was erased.
    const [other] = await database.asOwner<{ sealed: Buffer; record_id: string }>(
      'SELECT * FROM cell.records LIMIT 1',
    );
    expect((await findEverywhere(database, [other?.sealed.toString('hex') ?? '-'])).length).toBe(1);
  });

  it('puts rows back that are what the ledger says, index values and all', async () => {
    const { database } = await restore();
    const restored = await start(database);
    await restored.cell.gate.opened;
    const columns = 'record_id, version, facts, plain, sealed, blind, facts_mac, entry_id';
    const sql = `SELECT ${columns} FROM cell.records ORDER BY record_id`;
    expect(await database.asOwner(sql)).toEqual(await cell.database.asOwner(sql));
    const { body } = await restored.call({
      method: 'POST',
      path: '/v1/ledger/row-checks',
      body: {},
      as: { ...shop },
    });
    if (body?.problems !== undefined) expect(body.problems).toEqual([]);
  });

  it('knows a consent that was withdrawn after the newest backup', async () => {
    const { database } = await restore();
    for (const table of ['cell.standings', 'cell.standing_changes']) {
      const sql = `SELECT t::text AS row FROM ${table} t ORDER BY 1`;
      const rows = await database.asOwner(sql);
      expect(rows.length, table).toBeGreaterThan(0);
      expect(rows, table).toEqual(await cell.database.asOwner(sql));
    }
  });

  it('is on record in the ledger that goes on, with what it did', async () => {
    const { database, report } = await restore();
    const restored = await start(database);
    await restored.cell.gate.opened;
    const rows = await database.asOwner<{ body: string }>(
      `SELECT body FROM ledger.entries WHERE kind = 'restore'`,
    );
    expect(rows.map(({ body }) => JSON.parse(body).facts)).toEqual([
      expect.objectContaining({
        restore: report.restoreId,
        erasuresCount: 1,
        recordsRemovedCount: 1,
        forced: false,
      }),
    ]);
    await settle(restored);
    const head = await restored.cell.ledger.store.readHead(1);
    expect(head.size).toBeGreaterThan(report.head.size);
  });

  it('keeps row security forced and the roles as they were', async () => {
    const { database } = await restore();
    const [open] = await database.asOwner<{ count: string }>(
      `SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname IN ('cell', 'keys', 'ledger') AND c.relrowsecurity AND NOT c.relforcerowsecurity`,
    );
    expect(open?.count).toBe('0');
  });

  it('to an earlier instant brings the records of then and the erasures of now', async () => {
    const { database, report } = await restore({ at: early });
    expect(report).toMatchObject({ erasuresCount: 1, recordsRemovedCount: 1 });
    const restored = await start(database);
    await restored.cell.gate.opened;
    expect((await search(restored, 'max@example.test')).body.items).toHaveLength(1);
    expect((await search(restored, 'late@example.test')).body.items).toEqual([]);
    expect((await search(restored, 'erika@example.test')).body.items).toEqual([]);
    expect(await findEverywhere(database, [erikas.recordId])).toEqual([]);
  });

  it.each([
    ['a time before the first backup', { at: '2020-01-01T00:00:00.000Z' }, 'BACKUPS_POINT_MISSING'],
  ])('to %s is refused', async (_what, target, code) => {
    await expect(restore(target)).rejects.toMatchObject({ code });
  });

  it('into a database that is not empty is refused, and changes nothing', async () => {
    const { database } = await restore();
    const before = await database.asOwner('SELECT restore_id FROM cell.restores');
    const { config } = cell.cell.runtime;
    await expect(
      restoreCell({
        ...{
          config,
          clock: systemClock,
          random: createSystemRandom(),
        },
        ownerUrl: database.ownerUrl,
      }),
    ).rejects.toMatchObject({ code: 'RESTORE_TARGET_INVALID' });
    expect(await database.asOwner('SELECT restore_id FROM cell.restores')).toEqual(before);
  });

  it('with the cell’s own role is refused', async () => {
    const database = await withTestDatabase();
    databases.push(database);
    const { config } = cell.cell.runtime;
    await expect(
      restoreCell({
        ...{
          config,
          clock: systemClock,
          random: createSystemRandom(),
        },
        ownerUrl: database.url,
      }),
    ).rejects.toMatchObject({ code: 'RESTORE_TARGET_INVALID' });
  });
});

describe('without the whole list of erasures', () => {
  it('does not serve when the witness does not answer', async () => {
    auditor.isSilent = true;
    const { database } = await restore();
    const restored = await start(database);
    await expect.poll(() => problemOf(restored)).toBe('RESTORE_UNWITNESSED');
    const { status, body } = await search(restored, 'max@example.test');
    expect([status, body.code]).toEqual([503, 'RESTORE_UNWITNESSED']);
    auditor.isSilent = false;
    await restored.cell.gate.opened;
    expect((await search(restored, 'max@example.test')).status).toBe(200);
  });

  it('does not serve when its end is withheld', async () => {
    const from = copyStore();
    for (const name of segmentsOf(from).slice(-1)) rmSync(path.join(from, name));
    const { database, report } = await restore({ from });
    expect(report.erasuresCount).toBe(0);
    const restored = await start(database, { from });
    await expect.poll(() => problemOf(restored)).toBe('RESTORE_NOT_REPLAYED');
    const { status, body } = await search(restored, 'erika@example.test');
    expect([status, body.code]).toEqual([503, 'RESTORE_NOT_REPLAYED']);
  });

  it('does not serve when all of it is withheld', async () => {
    const from = copyStore();
    rmSync(path.join(from, 'ledger'), { recursive: true });
    const { database } = await restore({ from });
    const restored = await start(database, { from });
    await expect.poll(() => problemOf(restored)).toBe('RESTORE_NOT_REPLAYED');
  });

  it.each([
    ['cut', (file: string) => writeFileSync(file, readFileSync(file).subarray(0, -30))],
    [
      'changed',
      (file: string) => {
        const bytes = readFileSync(file);
        bytes[bytes.length - 50] = (bytes[bytes.length - 50] ?? 0) ^ 1;
        writeFileSync(file, bytes);
      },
    ],
  ])('is not restored at all when a piece of it is %s', async (_what, change) => {
    const from = copyStore();
    const file = path.join(from, segmentsOf(from).at(-1) ?? '');
    chmodSync(file, 0o600);
    change(file);
    await expect(restore({ from })).rejects.toMatchObject({ code: 'BACKUPS_OBJECT_DAMAGED' });
  });

  /** What whoever holds the backup key can do: write pieces anew. */
  async function rewrite(
    from: string,
    change: (line: Awaited<ReturnType<typeof readSegment>>[number]) => object | undefined,
  ): Promise<void> {
    const vault = vaultOf(await openDirectoryStore({ directory: from }));
    for (const name of segmentsOf(from)) {
      const batches = await readSegment(vault, name);
      rmSync(path.join(from, name));
      const changed = batches.flatMap((batch) => change(batch) ?? []) as typeof batches;
      await vault.put(name, toSegmentContent(changed), { retainUntilMs: 0 });
    }
  }

  it('is not restored when an erasure’s entry says something else', async () => {
    const from = copyStore();
    await rewrite(from, (batch) => ({
      ...batch,
      entries: batch.entries.map((entry) => ({
        ...entry,
        body: entry.body?.replaceAll('erasure', 'nothing') ?? null,
      })),
    }));
    await expect(restore({ from })).rejects.toMatchObject({ code: 'BACKUPS_OBJECT_DAMAGED' });
  });

  it('is not restored when an erasure’s entry comes without its body', async () => {
    const from = copyStore();
    await rewrite(from, (batch) => ({
      ...batch,
      entries: batch.entries.map((entry) =>
        entry.kind === 'erasure' ? { ...entry, salt: null, body: null } : entry,
      ),
    }));
    await expect(restore({ from })).rejects.toMatchObject({ code: 'BACKUPS_OBJECT_DAMAGED' });
  });

  it('is not restored when an erasure passes for another kind of entry', async () => {
    const from = copyStore();
    await rewrite(from, (batch) => ({
      ...batch,
      entries: batch.entries.map((entry) => ({
        ...entry,
        kind: entry.kind === 'erasure' ? 'read' : entry.kind,
      })),
    }));
    await expect(restore({ from })).rejects.toMatchObject({ code: 'BACKUPS_OBJECT_DAMAGED' });
  });

  it('does not serve over another history, whole and well-formed, that has no erasure in it', async () => {
    const from = copyStore();
    const vault = vaultOf(await openDirectoryStore({ directory: from }));
    const names = segmentsOf(from);
    const all = (await Promise.all(names.map((name) => readSegment(vault, name)))).flat();
    const kept = all.filter(({ entries }) => entries.every(({ kind }) => kind !== 'erasure'));
    expect(kept.length).toBeLessThan(all.length);
    let next = all[0]?.first ?? 0;
    const renumbered = kept.map((batch) => {
      const first = next;
      next += batch.entries.length;
      return { ...batch, first };
    });
    // Padded with harmless entries, so that even the length is right.
    const end = (all.at(-1)?.first ?? 0) + (all.at(-1)?.entries.length ?? 0);
    let number = 9_000_000_000;
    while (next < end) {
      number += 1;
      const id = parseEntryId(`00000000-0000-7000-8000-${String(number).padStart(12, '0')}`);
      const { cellId } = cell.cell.runtime;
      const at = '2026-01-01T00:00:00.000Z';
      const body = toCanonicalBody({ v: 1, id, at, cell: cellId, kind: 'observation' });
      const salt = Buffer.alloc(32, number);
      renumbered.push({
        batch: String(number),
        first: next,
        commitments: Buffer.from(commitEntry(salt, body)).toString('base64'),
        entries: [
          { tenant: NOBODY, entry: id, kind: 'observation', salt: salt.toString('base64'), body },
        ],
      });
      next += 1;
    }
    for (const name of names) rmSync(path.join(from, name));
    const pad = (value: number): string => String(value).padStart(16, '0');
    await vault.put(
      `ledger/1/${pad(all[0]?.first ?? 0)}-${pad(next)}`,
      toSegmentContent(renumbered),
      { retainUntilMs: 0 },
    );
    const { database, report } = await restore({ from });
    expect(report.erasuresCount).toBe(0);
    const restored = await start(database, { from });
    await expect.poll(() => problemOf(restored)).toBe('RESTORE_NOT_REPLAYED');
  });
});

describe('two people', () => {
  const approve = (
    signers: readonly DsseSigner[],
    end: { epoch: number; hash: string },
    subject = 'restore',
  ): unknown =>
    signDsse(
      {
        payloadType: APPROVAL_PAYLOAD_TYPE,
        payload: Buffer.from(JSON.stringify({ v: 1, subject, serial: end.epoch, hash: end.hash })),
      },
      signers,
    );

  async function cutStore(): Promise<{ from: string; end: { epoch: number; hash: string } }> {
    const from = copyStore();
    for (const name of segmentsOf(from).slice(-1)) rmSync(path.join(from, name));
    const { report } = await restore({ from });
    const { epoch, size, root: hex } = report.head;
    return { from, end: toForcedEnd('eu-de/main', { epoch, size, root: Buffer.from(hex, 'hex') }) };
  }

  it('may let it serve, in a new epoch that begins with their names', async () => {
    const { from, end } = await cutStore();
    auditor.isSilent = true;
    const approvals = [approve(cell.approvers, end)];
    const { database } = await restore({ from, approvals, epoch: 2 });
    const restored = await start(database, { from, epoch: 2 });
    await restored.cell.gate.opened;
    expect((await search(restored, 'max@example.test')).body.items).toHaveLength(1);
    // What nobody replayed: the person's key is gone all the same, so the record cannot be shown.
    const erika = await search(restored, 'erika@example.test');
    expect(JSON.stringify(erika.body)).not.toContain('Name of erika');
    const [first] = await database.asOwner<{ body: string }>(
      `SELECT e.body FROM ledger.batches b JOIN ledger.entries e USING (batch_id)
        WHERE b.epoch = 2 AND b.first_index = 0 AND e.batch_offset = 0`,
    );
    const body = JSON.parse(first?.body ?? '{}');
    expect(body).toMatchObject({ kind: 'epoch', facts: { oldEpoch: 1 } });
    expect(body.facts.approvedBy).toHaveLength(2);
  });

  it.each([
    [
      'one of them',
      (end: { epoch: number; hash: string }) => [approve(cell.approvers.slice(0, 1), end)],
    ],
    [
      'one of them twice',
      (end: { epoch: number; hash: string }) => [
        approve(cell.approvers.slice(0, 1), end),
        approve(cell.approvers.slice(0, 1), end),
      ],
    ],
    [
      'strangers',
      (end: { epoch: number; hash: string }) => [
        approve(
          [newKey(), newKey()].map((privateKey) => ({ keyId: 'x'.repeat(32), privateKey })),
          end,
        ),
      ],
    ],
    [
      'two who meant another head',
      (end: { epoch: number; hash: string }) => [
        approve(cell.approvers, { ...end, hash: '0'.repeat(64) }),
      ],
    ],
    [
      'two who meant another epoch',
      (end: { epoch: number; hash: string }) => [approve(cell.approvers, { ...end, epoch: 3 })],
    ],
    [
      'two who approved a charter',
      (end: { epoch: number; hash: string }) => [approve(cell.approvers, end, 'charter')],
    ],
    ['nobody', () => []],
  ])('it is not %s', async (_what, make) => {
    const { from, end } = await cutStore();
    await expect(restore({ from, approvals: make(end), epoch: 2 })).rejects.toMatchObject({
      code: 'RESTORE_APPROVAL_INVALID',
    });
  });
});
