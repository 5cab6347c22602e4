// SPDX-License-Identifier: Apache-2.0
// Goal: a backup from before keys were turned is still a backup: what it holds can be read after a restore,
// although the old shred keys and secrets are destroyed. Method: a real cell with backups; customer key and
// tenant key turned after the last backup; restored by the code that `bailiwick restore` runs.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { withTestDatabase } from '@bailiwick/postgres/testing';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { createSystemRandom, systemClock } from '../ports.ts';
import { CUSTOMERS } from '../records/testing/shop.ts';
import { newTenant, startTestCell, type TestAccount, type TestCell } from '../testing/test-cell.ts';
import { restoreCell } from './restore-cell.ts';
import { type Auditor, newLedgerKey, startAuditor, toLogKey } from './testing.ts';

const tenant = newTenant();
const ledgerKey = newLedgerKey();
const PEOPLE = ['erika', 'max', 'anna'];

let root: string;
let store: string;
let auditor: Auditor;
let cell: TestCell;
let shop: TestAccount;
let officer: TestAccount;

beforeAll(async () => {
  root = mkdtempSync(path.join(tmpdir(), 'bailiwick-rotated-'));
  store = mkdtempSync(path.join(root, 'store-'));
  auditor = await startAuditor([toLogKey('eu-de/main/ledger/1', ledgerKey)]);
  cell = await startTestCell({
    ...{ tenants: [tenant], backups: store, witnesses: auditor.section, ledgerKey },
  });
  shop = await cell.addAccount(tenant.tenantId);
  officer = await cell.addAccount(tenant.tenantId, {
    role: 'security-officer',
    kind: 'person',
    purposes: ['operations'],
    defaultPurpose: 'operations',
  });
  const route = '/v1/collections/customers';
  await cell.call({ method: 'PUT', path: route, body: CUSTOMERS, as: shop });
  for (const id of PEOPLE) {
    const fields = { name: `Name of ${id}`, email: `${id}@example.test`, orders: 7 };
    const body = { id, subject: id, origin: 'de', fields };
    const made = await cell.call({ method: 'POST', path: `${route}/records`, body, as: shop });
    expect(made.status, JSON.stringify(made.body)).toBe(201);
  }
});

afterAll(async () => {
  await cell?.stop();
  await auditor?.close();
  rmSync(root, { recursive: true, force: true });
});

async function rotate(kind: string): Promise<void> {
  const { body } = await cell.call({ path: '/v1/keys', as: officer });
  const { keyId } = body.items.filter((item: { kind: string }) => item.kind === kind).at(-1);
  const route = `/v1/keys/${keyId}/rotations`;
  const begun = await cell.call({ method: 'POST', path: route, body: {}, as: officer });
  expect(begun.status, JSON.stringify(begun.body)).toBe(200);
  await vi.waitFor(async () => {
    const at = `/v1/key-rotations/${begun.body.rotationId}`;
    expect((await cell.call({ path: at, as: officer })).body.state).toBe('done');
  }, 20_000);
}

it('is read after a restore, and the keys go on from where they were turned to', async () => {
  await cell.cell.backups?.take({ kind: 'full' });
  await rotate('tenant-key');
  await rotate('customer-key');
  await rotate('tenant-key');
  await vi.waitFor(async () => {
    expect(await cell.database.asOwner('SELECT FROM ledger.inbox')).toEqual([]);
  }, 10_000);
  await vi.waitFor(
    async () => expect(await cell.cell.witnesses.rounds.round()).toContain('auditor.example'),
    20_000,
  );
  const database = await withTestDatabase();
  const { config } = cell.cell.runtime;
  const urlFile = path.join(root, 'url');
  writeFileSync(urlFile, database.url);
  await restoreCell({
    config: { ...config, database: { ...config.database, urlFile } },
    ...{ clock: systemClock, random: createSystemRandom() },
    ownerUrl: database.ownerUrl,
  });
  const restored = await startTestCell({
    ...{ tenants: [tenant], database, ledgerKey, witnesses: auditor.section, backups: store },
    backupKey: readFileSync(path.join(cell.directory, 'backup.key'), 'utf8'),
    keysDirectory: cell.directory,
    sameTrustAs: cell,
  });
  try {
    restored.cell.gate.start();
    await restored.cell.gate.opened;
    for (const id of PEOPLE) {
      const { status, body } = await restored.call({
        method: 'POST',
        path: '/v1/collections/customers/searches',
        body: { where: { email: { eq: `${id}@example.test` } } },
        as: { ...shop },
      });
      expect(status, JSON.stringify(body)).toBe(200);
      expect(body.items, id).toHaveLength(1);
      expect(body.items[0].fields).toMatchObject({ name: `Name of ${id}` });
    }
    const { body } = await restored.call({ path: '/v1/keys', as: { ...officer } });
    const versions = body.items.map((item: { kind: string; version: number }) => [
      item.kind,
      item.version,
    ]);
    expect(versions).toEqual([
      ['customer-key', 2],
      ['tenant-key', 1],
      ['tenant-key', 2],
      ['tenant-key', 3],
    ]);
  } finally {
    await restored.stop();
  }
}, 120_000);
