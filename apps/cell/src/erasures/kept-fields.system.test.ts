// SPDX-License-Identifier: Apache-2.0
// Goal: an erasure keeps what a hold or a law keeps, under a key that holds nothing else, and destroys the
// rest; it is taken up after a crash before any step and ends the same; who comes back is somebody new.
// Method: a record cell with the retailer's charter; the crash is an error thrown before a step.

import { createPublicKey } from 'node:crypto';
import type { TenantId } from '@bailiwick/kernel';
import { parsePinnedKey, toPublicKeyText, verifyDsse } from '@bailiwick/keys';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Asked, ask } from '../records/testing/ask.ts';
import { openRecordCell, type RecordCell } from '../records/testing/record-cell.ts';
import { acceptErasure, runErasure } from './erase-subject.ts';
import { ERASURE_STEPS, type ErasureStep } from './erasure-store.ts';
import { ERASURE_RECEIPT_PAYLOAD_TYPE } from './receipt.ts';

const SHOP = {
  fieldSets: {
    buyer: set('restricted', 'transactional'),
    contact: set('restricted', 'contact'),
    notes: set('restricted', 'content'),
  },
  fields: {
    invoice: { fieldSet: 'buyer', type: 'text', index: 'exact' },
    email: { fieldSet: 'contact', type: 'text', index: 'email' },
    note: { fieldSet: 'notes', type: 'text' },
  },
};
function set(dataClass: string, category: string): object {
  const purpose = 'order-fulfilment';
  return { class: dataClass, category, purpose, subject: 'record', protection: 'sealed' };
}

let cell: RecordCell;
beforeAll(async () => {
  cell = await openRecordCell();
});
afterAll(() => cell.close());

let tenantId: TenantId;
let shop: string;
let officer: string;
const to = (token: string, method: 'GET' | 'POST' | 'PUT', url: string, body?: object) =>
  ask(cell, token, method, url, body === undefined ? {} : { body });

beforeEach(async () => {
  tenantId = await cell.createTenant();
  shop = cell.createAccount(tenantId);
  officer = cell.createAccount(tenantId, { role: 'privacy-officer', kind: 'person' });
  const put = await to(shop, 'PUT', 'collections/orders', SHOP);
  expect(put.status, put.text).toBeLessThan(300);
});

async function order(id: string, subject: string, fields: object): Promise<string> {
  const draft = { id, subject, origin: 'de', fields };
  const made = await to(shop, 'POST', 'collections/orders/records', draft);
  expect(made.status, made.text).toBe(201);
  return made.body.recordId;
}

const erase = (subject: string): Promise<Asked> => to(shop, 'POST', 'erasures', { subject });
const search = async (): Promise<readonly { recordId: string; fields: object }[]> =>
  (await to(shop, 'POST', 'collections/orders/searches', { pageSize: 50 })).body.items;

async function kindsOf(erasureId: string): Promise<readonly string[]> {
  const rows = await cell.testDatabase.asOwner<{ body: string }>(
    'SELECT body FROM ledger.entries WHERE tenant_id = $1 AND body LIKE $2 ORDER BY entry_id',
    [tenantId, `%${erasureId}%`],
  );
  return rows.map(({ body }) => {
    const { kind, facts } = JSON.parse(body);
    return `${kind} ${facts.step ?? facts.change ?? ''}`.trim();
  });
}

describe('an erasure', () => {
  it('keeps what a law keeps, field by field, and nothing else of the person can be read', async () => {
    const id = await order('o-1', 'anna', {
      invoice: 'R-1',
      email: 'anna@x.example',
      note: 'blue',
    });
    await order('o-2', 'anna', { email: 'anna@x.example' });
    await order('o-3', 'bert', { invoice: 'R-3', email: 'bert@x.example' });
    const erased = await erase('anna');
    expect(erased.status, erased.text).toBe(200);
    expect(erased.body).toMatchObject({ state: 'done', recordsCount: 1, keptRecordsCount: 1 });
    const [kept] = erased.body.kept;
    expect(kept).toMatchObject({
      ...{ collection: 'orders', fieldSet: 'buyer', fields: ['invoice'] },
      ...{ reason: 'statutory-retention', recordsCount: 1 },
    });
    expect(kept.source).toContain('HGB § 257(4)');
    expect(kept.until).toMatch(/^203[67]-/);
    const found = await search();
    const own = found.find((one) => one.recordId === id);
    expect(own?.fields).toEqual({ invoice: 'R-1' });
    expect(found.map((one) => one.fields)).toContainEqual({
      invoice: 'R-3',
      email: 'bert@x.example',
    });
    // Neither the e-mail's value nor its index is left.
    const by = await to(shop, 'POST', 'collections/orders/searches', {
      where: { email: { eq: 'anna@x.example' } },
    });
    expect(by.body.items).toEqual([]);
    const invoice = await to(shop, 'POST', 'collections/orders/searches', {
      where: { invoice: { eq: 'R-1' } },
    });
    expect(invoice.body.items).toHaveLength(1);
    const check = await import('../ledger/check-rows.ts');
    const checked = await check.checkRows(
      { database: cell.database, ledger: cell.ledger },
      tenantId,
    );
    expect(checked.problems).toEqual([]);
  });

  it('keeps what a hold holds, under the hold, until it is released', async () => {
    await order('o-1', 'anna', { email: 'anna@x.example', note: 'blue' });
    const hold = await to(officer, 'POST', 'holds', {
      ...{ subject: 'anna', reference: 'h-1', categories: ['content'] },
    });
    const erased = await erase('anna');
    expect(erased.body.kept, erased.text).toMatchObject([{ reason: 'hold', fields: ['note'] }]);
    expect((await search()).map((one) => one.fields)).toEqual([{ note: 'blue' }]);
    const listed = await to(officer, 'GET', 'holds');
    expect(listed.body.items).toHaveLength(1);
    expect(listed.body.items[0].holdId).toBe(hold.body.holdId);
    // The pseudonym of what was kept is another one, and leads nobody back.
    expect(listed.body.items[0].subjectId).not.toBe(hold.body.subjectId);
    const [row] = await cell.testDatabase.asOwner<{ subject_id: string }>(
      'SELECT subject_id FROM cell.records WHERE tenant_id = $1',
      [tenantId],
    );
    expect(row?.subject_id).toBe(listed.body.items[0].subjectId);
    expect(row?.subject_id).not.toBe(erased.body.subjectId);
  });

  it('is denied under a hold on everything, and under a legal order', async () => {
    await order('o-1', 'anna', { email: 'anna@x.example' });
    const hold = await to(officer, 'POST', 'holds', { subject: 'anna', reference: 'h-2' });
    const denied = await erase('anna');
    expect(denied.body).toMatchObject({ code: 'POLICY_FLOW_DENIED' });
    expect(denied.body.rules).toContain('nothing-goes-under-a-hold');
    await to(officer, 'POST', `holds/${hold.body.holdId}/releases`, {});
    const placed = await to(officer, 'POST', 'orders', {
      ...{ measure: 'freeze', reference: 'o-1', subject: 'anna' },
    });
    expect((await erase('anna')).body).toMatchObject({ cause: 'legal-order' });
    await to(officer, 'POST', `orders/${placed.body.orderId}/revocations`, {});
    expect((await erase('anna')).body.state).toBe('done');
  });

  it('leaves whoever comes back as somebody new, with no word of the one before', async () => {
    await order('o-1', 'anna', { email: 'anna@x.example' });
    const purposes = ['order-fulfilment', 'marketing'];
    const asShop = cell.createAccount(tenantId, { purposes });
    const consent = { subject: 'anna', purpose: 'marketing', state: 'given' };
    const before = await to(asShop, 'POST', 'consents', consent);
    const first = await erase('anna');
    expect(first.body.subjectId).toBe(before.body.subjectId);
    await order('o-2', 'anna', { email: 'anna@new.example' });
    const [again] = await search();
    const standing = await to(officer, 'POST', 'standings/searches', { subject: 'anna' });
    expect(standing.body.subjectId).not.toBe(first.body.subjectId);
    expect(standing.body.consents).toEqual({});
    expect(again?.fields).toEqual({ email: 'anna@new.example' });
    const second = await erase('anna');
    expect(second.body).toMatchObject({ subjectId: standing.body.subjectId, recordsCount: 1 });
    const left = await cell.testDatabase.asOwner<{ facts: string }>(
      'SELECT facts FROM cell.standings WHERE tenant_id = $1',
      [tenantId],
    );
    expect(left).toHaveLength(1);
    expect(JSON.parse(left[0]?.facts ?? '{}')).toMatchObject({ generation: 2, consents: {} });
    const history = await cell.testDatabase.asOwner<{ kind: string }>(
      `SELECT DISTINCT kind FROM cell.standing_changes WHERE tenant_id = $1`,
      [tenantId],
    );
    expect(history).toEqual([{ kind: 'erasure' }]);
  });

  it('gives a receipt that the cell has signed, with two dates and what is only said', async () => {
    await order('o-1', 'anna', { invoice: 'R-1', email: 'anna@x.example' });
    const { body } = await erase('anna');
    const { signingKey } = cell.erasures.secrets;
    const keys = [parsePinnedKey(toPublicKeyText(createPublicKey(signingKey)))];
    const payloadType = ERASURE_RECEIPT_PAYLOAD_TYPE;
    const { payload } = verifyDsse(body.receipt, { payloadType, keys });
    const told = JSON.parse(payload.toString('utf8'));
    expect(told).toMatchObject({
      ...{ v: 1, erasureId: body.erasureId, subjectId: body.subjectId },
      reached: { records: {}, keyIds: body.keyIds },
      keptRecordsCount: 1,
    });
    expect(Date.parse(told.unreadableInCopiesOn)).toBeGreaterThan(
      Date.parse(told.unreadableInServiceAt) + 34 * 86_400_000,
    );
    expect(told.stated.length).toBeGreaterThan(1);
    expect(JSON.stringify(told)).not.toContain('anna');
    const tampered = { ...body.receipt, payload: Buffer.from('{"v":1}').toString('base64') };
    expect(() => verifyDsse(tampered, { payloadType, keys })).toThrow();
    const again = await to(officer, 'GET', `erasures/${body.erasureId}`);
    expect(again.body.receipt).toEqual(body.receipt);
  });
});

describe('a crash', () => {
  it.each(ERASURE_STEPS.filter((step) => step !== 'done'))(
    'before the step after %s is made good, and the end is the same',
    async (crashing: ErasureStep) => {
      await order('o-1', 'anna', { invoice: 'R-1', email: 'anna@x.example' });
      await order('o-2', 'anna', { email: 'anna@x.example' });
      let isCrashed = false;
      const services = {
        ...cell.erasures,
        onErasureStep: (step: ErasureStep): void => {
          if (step !== crashing || isCrashed) return;
          isCrashed = true;
          throw new Error('crashed');
        },
      };
      const credential = {
        ...{ tenantId, account: '01890a5d-ac96-774b-bcce-b302099a8057', role: 'shop-service' },
        ...{ kind: 'workload', employer: 'controller', assurance: 'high', place: 'de' },
        ...{ purposes: ['order-fulfilment'], residency: 'eu-de' },
      } as never;
      const wish = {
        ...{ credential, subject: 'anna', statedPurpose: 'order-fulfilment' },
        requestId: '01890a5d-ac96-774b-bcce-b302099a8058',
      };
      const place = await acceptErasure(services, wish);
      await expect(runErasure(services, place)).rejects.toThrow('crashed');
      // Who asks again meanwhile gets the same one.
      expect(await acceptErasure(services, wish)).toEqual(place);
      const done = await runErasure(services, place);
      expect(done.state).toBe('done');
      expect(done.progress).toMatchObject({ keptRecordsCount: 1, deleted: { orders: 1 } });
      expect((await search()).map((one) => one.fields)).toEqual([{ invoice: 'R-1' }]);
      const kinds = await kindsOf(place.erasureId);
      expect(kinds.filter((kind) => kind === 'erasure asked')).toHaveLength(1);
      expect(kinds.filter((kind) => kind === 'erasure done')).toHaveLength(1);
      expect(kinds.filter((kind) => kind === 'write kept')).toHaveLength(1);
    },
  );
});
