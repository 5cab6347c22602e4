// SPDX-License-Identifier: Apache-2.0
// Goal: an export lies whole under a signed manifest, once, whatever dies in between; what the charter does
// not give to this provider is in no file. Method: one whole cell and a real directory.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { verifyDsse } from '@bailiwick/keys';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newTenant, startTestCell, type TestAccount, type TestCell } from '../testing/test-cell.ts';
import type { Courier } from './courier.ts';
import { EXPORT_MANIFEST_PAYLOAD_TYPE } from './export-manifest.ts';
import { RECORD_STEPS, type RecordStep } from './run-records.ts';
import { runTransfer } from './run-transfer.ts';

const tenant = newTenant();
const PEOPLE = 5;
const contact = {
  class: 'restricted',
  category: 'contact',
  purpose: 'order-fulfilment',
  subject: 'record',
  protection: 'sealed',
};
const CUSTOMERS = {
  fieldSets: { contact, money: { ...contact, category: 'financial' } },
  fields: {
    name: { fieldSet: 'contact', type: 'text', required: true },
    street: { fieldSet: 'contact', type: 'text' },
    limit: { fieldSet: 'money', type: 'number' },
  },
};
const EXPORT = {
  kind: 'export',
  selection: { collection: 'customers', fields: ['name', 'street'] },
  form: 'plain',
  destination: { kind: 'provider', id: 'parcel-carrier' },
  purpose: 'order-fulfilment',
};
/** Nothing of an export goes to another cell. */
const NOBODY: Courier = {
  deliver: () => Promise.reject(new Error('nobody is called')),
  send: () => Promise.reject(new Error('nobody is called')),
  close: async () => undefined,
};

let exports: string;
let eu: TestCell;
let shop: TestAccount;

beforeAll(async () => {
  exports = mkdtempSync(path.join(tmpdir(), 'bailiwick-exports-'));
  eu = await startTestCell({ tenants: [tenant], exports });
  shop = await eu.addAccount(tenant.tenantId);
  const admin = await eu.addAccount(tenant.tenantId, { role: 'tenant-admin' });
  const put = { path: '/v1/collections/customers', as: admin, body: CUSTOMERS };
  expect((await eu.call({ method: 'PUT', ...put })).status).toBeLessThan(300);
  for (let at = 0; at < PEOPLE; at += 1) {
    const created = await eu.call({
      method: 'POST',
      path: '/v1/collections/customers/records',
      as: shop,
      body: {
        ...{ id: `c-${at}`, subject: `p-${at}`, origin: 'de' },
        fields: { name: `Erika ${at}`, street: `Hauptstr. ${at}`, limit: 500 + at },
      },
    });
    expect(created.status).toBe(201);
  }
});
afterAll(async () => {
  await eu?.stop();
  rmSync(exports, { recursive: true, force: true });
});

const ask = (body: unknown) => eu.call({ method: 'POST', path: '/v1/transfers', as: shop, body });
const stateOf = async (id: string) =>
  (await eu.call({ path: `/v1/transfers/${id}`, as: shop })).body;
const run = (transferId: string, onStep?: (step: RecordStep) => void) =>
  runTransfer(
    {
      runtime: eu.cell.runtime,
      courier: NOBODY,
      chunkCount: 2,
      ...(onStep === undefined ? {} : { onStep }),
    },
    { tenantId: tenant.tenantId, transferId },
  );
const folderOf = (id: string) => path.join(exports, 'parcel-carrier', id);

/** Reads an export as whoever fetches it should: the signature first, then each part against its hash. */
function fetchExport(id: string): readonly { fields: Record<string, unknown> }[] {
  const envelope = JSON.parse(readFileSync(path.join(folderOf(id), 'manifest.json'), 'utf8'));
  const keys = [{ keyId: 'eu', publicKey: eu.cell.runtime.secrets.verificationKey }];
  const { payload } = verifyDsse(envelope, { payloadType: EXPORT_MANIFEST_PAYLOAD_TYPE, keys });
  const manifest = JSON.parse(payload.toString());
  expect(manifest).toMatchObject({ exportId: id, provider: 'parcel-carrier', records: PEOPLE });
  return manifest.parts.flatMap((part: { name: string; sha256: string }) => {
    const bytes = readFileSync(path.join(folderOf(id), part.name));
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(part.sha256);
    const lines = bytes.toString().trimEnd().split('\n');
    return lines.map((line) => JSON.parse(line));
  });
}

describe('an export', () => {
  it('lies under a signed manifest with the fields that were asked for, and no others', async () => {
    const { status, body } = await ask(EXPORT);
    expect([status, body.state]).toEqual([202, 'accepted']);
    await run(body.transferId);
    const done = await stateOf(body.transferId);
    expect(done).toMatchObject({ state: 'completed', chunkCount: 3, recordCount: PEOPLE });
    const records = fetchExport(body.transferId);
    expect(records.map(({ fields }) => fields['name']).sort()).toEqual(
      Array.from({ length: PEOPLE }, (_, at) => `Erika ${at}`),
    );
    for (const { fields } of records) expect(Object.keys(fields)).toEqual(['name', 'street']);
    const entries = await eu.database.asOwner<{ body: string }>(
      'SELECT body FROM ledger.entries WHERE body LIKE $1',
      [`%${body.transferId}%`],
    );
    expect(entries).toHaveLength(5);
    expect(JSON.stringify(entries)).not.toMatch(/Erika|Hauptstr/);
  });

  it.each(RECORD_STEPS)('lies there once though the process died after %s', async (step) => {
    const { body } = await ask(EXPORT);
    let isDead = false;
    await expect(
      run(body.transferId, (now) => {
        if (now !== step || isDead) return;
        isDead = true;
        throw new Error('the process has died');
      }),
    ).rejects.toThrow('died');
    // Nobody takes half of an export for a whole one.
    const isOver = step === 'closed' || step === 'completed';
    expect(existsSync(path.join(folderOf(body.transferId), 'manifest.json'))).toBe(isOver);
    await run(body.transferId);
    expect((await stateOf(body.transferId)).state).toBe('completed');
    expect(fetchExport(body.transferId)).toHaveLength(PEOPLE);
  });

  it.each([
    [
      'all fields, where one is not for this provider',
      { selection: { collection: 'customers' } },
      403,
    ],
    ['another purpose', { purpose: 'customer-support' }, 403],
    [
      'a provider that the charter does not know',
      { destination: { kind: 'provider', id: 'evil' } },
      400,
    ],
    ['a path as a provider', { destination: { kind: 'provider', id: 'a/../../b' } }, 400],
    ['a cell as a provider', { destination: { kind: 'cell', id: 'eu-de/main' } }, 403],
  ])('is refused for %s', async (_what, change, status) => {
    const before = readdirSync(path.join(exports, 'parcel-carrier'));
    expect((await ask({ ...EXPORT, ...change })).status).toBe(status);
    expect(readdirSync(path.join(exports, 'parcel-carrier'))).toEqual(before);
  });

  it('waits while its directory is gone, and goes on when it is back', async () => {
    const { body } = await ask(EXPORT);
    rmSync(exports, { recursive: true });
    await expect(run(body.transferId)).rejects.toMatchObject({ code: 'CELL_STATE_MISSING' });
    mkdirSync(exports);
    await run(body.transferId);
    expect(fetchExport(body.transferId)).toHaveLength(PEOPLE);
  });
});
