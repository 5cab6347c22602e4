// SPDX-License-Identifier: Apache-2.0
// Goal: a backup holds everything but what it must not, nothing of it can be read without the backup key,
// and whatever is done to its objects is found. What a restore makes of it: `../restores`.
import {
  chmodSync,
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type BackupManifest, hasObject } from '@bailiwick/backups';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CUSTOMERS } from '../records/testing/shop.ts';
import { newTenant, startTestCell, type TestAccount, type TestCell } from '../testing/test-cell.ts';
import type { CellBackups } from './backup-service.ts';

const tenant = newTenant();
let cell: TestCell;
let backups: CellBackups;
let shop: TestAccount;
let store: string;

beforeAll(async () => {
  store = mkdtempSync(path.join(tmpdir(), 'bailiwick-store-'));
  cell = await startTestCell({ tenants: [tenant], backups: store });
  const { backups: found } = cell.cell;
  if (found === undefined) throw new Error('no backups');
  backups = found;
  shop = await cell.addAccount(tenant.tenantId);
  const put = await cell.call({
    method: 'PUT',
    path: '/v1/collections/customers',
    body: CUSTOMERS,
    as: shop,
  });
  expect(put.status, JSON.stringify(put.body)).toBeLessThan(300);
  await create('erika');
});
afterAll(async () => {
  await cell.stop();
  rmSync(store, { recursive: true, force: true });
});

async function create(id: string): Promise<void> {
  const { status, body } = await cell.call({
    method: 'POST',
    path: '/v1/collections/customers/records',
    body: {
      id,
      subject: id,
      origin: 'de',
      fields: { name: `Name of ${id}`, email: `${id}@example.test`, orders: 7 },
    },
    as: shop,
  });
  expect(status, JSON.stringify(body)).toBe(201);
}

function filesOf(directory: string): readonly string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));
}

const tableOf = (manifest: BackupManifest, name: string): BackupManifest['tables'][number] => {
  const found = manifest.tables.find(({ table }) => table === name);
  if (found === undefined) throw new Error(`no table ${name}`);
  return found;
};

/** Does something to an object's file, sees what a verification says, and puts it back. */
async function whileChanged(
  object: string,
  change: (file: string) => void,
  work: () => Promise<void>,
): Promise<void> {
  const file = path.join(store, object);
  const kept = `${file}.kept`;
  copyFileSync(file, kept);
  try {
    chmodSync(file, 0o600);
    change(file);
    await work();
  } finally {
    copyFileSync(kept, file);
    rmSync(kept);
  }
}

describe('a backup', () => {
  it('takes every table of the database but those that are named with a reason', async () => {
    const manifest = await backups.take({ kind: 'full' });
    expect(manifest.kind).toBe('full');
    const taken = manifest.tables.map(({ table }) => table);
    const all = await cell.database.asOwner<{ name: string }>(
      `SELECT n.nspname || '.' || c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname IN ('cell', 'keys', 'ledger') AND c.relkind IN ('r', 'p') AND NOT c.relispartition`,
    );
    const left = all.map(({ name }) => name).filter((name) => !taken.includes(name));
    expect(left.sort()).toEqual([
      'cell.assertion_uses',
      'cell.idempotency_keys',
      'cell.removed_records',
      'cell.restores',
      'keys.services',
      'ledger.witnessed',
    ]);
    expect(tableOf(manifest, 'cell.records').rowsCount).toBe(1);
    expect(tableOf(manifest, 'keys.subject_keys').rowsCount).toBe(1);
    expect(tableOf(manifest, 'ledger.entries').rowsCount).toBeGreaterThan(2);
  });

  it('is on record', async () => {
    const [manifest] = await backups.list();
    const rows = await cell.database.asOwner<{ body: string }>(
      `SELECT body FROM ledger.entries WHERE kind = 'backup'`,
    );
    expect(rows.map(({ body }) => JSON.parse(body).facts)).toEqual([
      expect.objectContaining({
        backup: manifest?.backupId,
        backupKind: 'full',
        tenantsCount: 1,
        deniedCount: 0,
      }),
    ]);
  });

  it('leaves index values out: they tell who is equal to whom', async () => {
    const [row] = await cell.database.asOwner<{ blind: Buffer[] }>(
      'SELECT blind FROM cell.records',
    );
    const [index] = row?.blind ?? [];
    expect(index?.length).toBe(16);
    const [manifest] = await backups.list();
    if (manifest === undefined || index === undefined) throw new Error('nothing to look at');
    for (const { object } of manifest.tables.filter(hasObject)) {
      expect((await backups.vault.readAll(object)).includes(index), object).toBe(false);
    }
    // The look works: the sealed part of the row, which is in the backup, is found in the same way.
    const [sealed] = await cell.database.asOwner<{ sealed: Buffer }>(
      'SELECT sealed FROM cell.records',
    );
    const bytes = await backups.vault.readAll(tableOf(manifest, 'cell.records').object);
    expect(bytes.includes(sealed?.sealed ?? Buffer.alloc(1))).toBe(true);
  });

  it('holds no key of the erasable store', async () => {
    const objects = filesOf(path.join(cell.directory, 'erasable')).filter(
      (file) => statSync(file).size === 104,
    );
    expect(objects.length).toBeGreaterThanOrEqual(2);
    const [manifest] = await backups.list();
    for (const { object } of (manifest?.tables ?? []).filter(hasObject)) {
      const bytes = await backups.vault.readAll(object);
      for (const file of objects)
        expect(bytes.includes(readFileSync(file)), `${object} ${file}`).toBe(false);
    }
  });

  it('shows nothing on its disk: no id, no country, no plain field, no name of a table’s row', async () => {
    const [record] = await cell.database.asOwner<{ record_id: string }>(
      'SELECT record_id FROM cell.records',
    );
    const files = filesOf(store);
    expect(files.length).toBeGreaterThan(10);
    const wanted = [
      tenant.tenantId,
      record?.record_id ?? '-',
      'erika',
      '"orders"',
      'collectedAt',
      'PGCOPY',
    ];
    const found = files.flatMap((file) => {
      const bytes = readFileSync(file);
      const name = path.relative(store, file);
      return wanted
        .flatMap((text) => [Buffer.from(text), Buffer.from(text.replaceAll('-', ''), 'hex')])
        .filter((one) => one.length > 3 && (bytes.includes(one) || Buffer.from(name).includes(one)))
        .map((one) => `${name}: ${one.toString('hex')}`);
    });
    expect(found).toEqual([]);
  });

  it('takes only what changed the second time, and tells what is gone', async () => {
    await create('max');
    await create('anna');
    const first = await backups.take({ kind: 'incremental' });
    expect(first.kind).toBe('incremental');
    expect(tableOf(first, 'cell.records')).toMatchObject({ scope: 'changes', rowsCount: 2 });
    const [gone] = await cell.database.asOwner<{ record_id: string }>(
      'SELECT record_id FROM cell.records LIMIT 1',
    );
    const deleted = await cell.call({
      method: 'DELETE',
      path: `/v1/collections/customers/records/${gone?.record_id}`,
      as: shop,
      headers: { 'if-match': '"1"' },
    });
    expect(deleted.status, JSON.stringify(deleted.body)).toBeLessThan(300);
    const second = await backups.take({ kind: 'incremental' });
    expect(second.parent).toBe(first.backupId);
    expect(tableOf(second, 'cell.records').rowsCount).toBe(0);
    expect(tableOf(second, 'cell.removed_records').rowsCount).toBe(1);
    const third = await backups.take({ kind: 'incremental' });
    expect(tableOf(third, 'cell.removed_records').rowsCount).toBe(0);
  });

  it('is taken one at a time', async () => {
    const first = backups.take({ kind: 'incremental' });
    await expect(backups.take({ kind: 'full' })).rejects.toMatchObject({
      code: 'BACKUP_UNDER_WAY',
    });
    await first;
  });
});

describe('an object that is not what was written is found', () => {
  let manifest: BackupManifest;
  let other: BackupManifest;
  beforeAll(async () => {
    other = await backups.take({ kind: 'full' });
    manifest = await backups.take({ kind: 'full' });
  });
  const recordsOf = (): string => tableOf(manifest, 'cell.records').object;
  const flip = (at: (size: number) => number) => (file: string) => {
    const bytes = readFileSync(file);
    const index = at(bytes.length);
    bytes[index] = (bytes[index] ?? 0) ^ 1;
    writeFileSync(file, bytes);
  };
  const refused = { code: 'BACKUPS_OBJECT_DAMAGED' };

  it('verifies as it is', async () => {
    await expect(backups.verify(manifest.backupId)).resolves.toMatchObject({
      backupId: manifest.backupId,
    });
  });

  it.each([
    ['its first byte flipped', flip(() => 16)],
    ['a byte of its first frame’s length flipped', flip(() => 24)],
    ['a byte in the middle flipped', flip((size) => Math.floor(size / 2))],
    ['its last byte flipped', flip((size) => size - 1)],
    ['its end cut off', (file: string) => writeFileSync(file, readFileSync(file).subarray(0, -1))],
    [
      'all but its header cut off',
      (file: string) => writeFileSync(file, readFileSync(file).subarray(0, 21)),
    ],
    [
      'a byte added',
      (file: string) => writeFileSync(file, Buffer.concat([readFileSync(file), Buffer.alloc(1)])),
    ],
    [
      'a frame twice',
      (file: string) => {
        const bytes = readFileSync(file);
        writeFileSync(file, Buffer.concat([bytes, bytes.subarray(21)]));
      },
    ],
    [
      'another table’s object in its place',
      (file: string) =>
        copyFileSync(path.join(store, tableOf(manifest, 'keys.subject_keys').object), file),
    ],
    [
      'the same table of another backup in its place',
      (file: string) => copyFileSync(path.join(store, tableOf(other, 'cell.records').object), file),
    ],
  ])('with %s', async (_what, change) => {
    await whileChanged(recordsOf(), change, async () => {
      await expect(backups.verify(manifest.backupId)).rejects.toMatchObject(refused);
    });
    await expect(backups.verify(manifest.backupId)).resolves.toBeDefined();
  });

  it('when it is not there', async () => {
    await whileChanged(recordsOf(), rmSync, async () => {
      await expect(backups.verify(manifest.backupId)).rejects.toMatchObject({
        code: 'BACKUPS_OBJECT_MISSING',
      });
    });
  });

  it('when it is a manifest', async () => {
    const name = `manifests/${manifest.backupId}`;
    await whileChanged(
      name,
      flip((size) => size - 40),
      async () => {
        await expect(backups.verify(manifest.backupId)).rejects.toMatchObject(refused);
      },
    );
    await whileChanged(
      name,
      (file) => copyFileSync(path.join(store, `manifests/${other.backupId}`), file),
      async () => {
        await expect(backups.list()).rejects.toMatchObject(refused);
      },
    );
  });

  it('says that there is no such backup', async () => {
    await expect(backups.verify(cell.name)).rejects.toMatchObject({
      code: 'BACKUPS_POINT_MISSING',
    });
  });
});

describe('the charter', () => {
  it('lets no backup into a store elsewhere, and the refusal is on record', async () => {
    const elsewhere = mkdtempSync(path.join(tmpdir(), 'bailiwick-store-'));
    const far = await startTestCell({
      tenants: [newTenant()],
      backups: elsewhere,
      backupPlace: { jurisdiction: 'us', operator: 'us' },
    });
    try {
      await expect(far.cell.backups?.take({ kind: 'full' })).rejects.toMatchObject({
        code: 'BACKUP_DENIED',
      });
      expect(filesOf(elsewhere)).toEqual([]);
      const refusals = await far.database.asOwner<{ body: string }>(
        `SELECT body FROM ledger.entries WHERE kind = 'refusal'`,
      );
      expect(refusals.map(({ body }) => JSON.parse(body).facts)).toEqual([{ refused: 'backup' }]);
    } finally {
      await far.stop();
      rmSync(elsewhere, { recursive: true, force: true });
    }
  });

  it('lets no backup into a store that another law’s operator runs', async () => {
    const elsewhere = mkdtempSync(path.join(tmpdir(), 'bailiwick-store-'));
    const far = await startTestCell({
      tenants: [newTenant()],
      backups: elsewhere,
      backupPlace: { jurisdiction: 'de', operator: 'us' },
    });
    try {
      await expect(far.cell.backups?.take({ kind: 'full' })).rejects.toMatchObject({
        code: 'BACKUP_DENIED',
      });
      expect(filesOf(elsewhere)).toEqual([]);
    } finally {
      await far.stop();
      rmSync(elsewhere, { recursive: true, force: true });
    }
  });
});

describe('the role of backups', () => {
  it('reads every tenant’s rows and writes none', async () => {
    const client = new (await import('pg')).Client({ connectionString: cell.database.backupUrl });
    await client.connect();
    try {
      const { rows } = await client.query('SELECT 1 FROM cell.records');
      expect(rows.length).toBeGreaterThan(0);
      for (const statement of [
        `UPDATE cell.records SET version = version + 1`,
        'DELETE FROM cell.records',
        'DELETE FROM ledger.entries',
        `UPDATE keys.customer_keys SET state = 'enabled'`,
        'INSERT INTO keys.services (public_key) VALUES (NULL)',
        `UPDATE cell.restores SET state = 'served'`,
      ]) {
        await expect(client.query(statement), statement).rejects.toMatchObject({ code: '42501' });
      }
    } finally {
      await client.end();
    }
  });
});

describe('the copy of the ledger', () => {
  it('has every entry that has a position, without a gap, also after it was stopped', async () => {
    const { ledgerCopy } = backups;
    await create('copied');
    const { store: log, epoch } = cell.cell.ledger;
    await expect
      .poll(async () => (await cell.database.asOwner('SELECT FROM ledger.inbox')).length)
      .toBe(0);
    const { size } = await log.readHead(epoch);
    await ledgerCopy.reach(size);
    expect(ledgerCopy.size).toBeGreaterThanOrEqual(size);
    const names = readdirSync(path.join(store, 'ledger', String(epoch))).sort();
    let next = 0;
    for (const name of names) {
      const [first = -1, end = -1] = name.split('-').map(Number);
      expect(first).toBe(next);
      next = end;
    }
    expect(next).toBe(ledgerCopy.size);
  });
});
