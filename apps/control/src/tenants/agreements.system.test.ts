// SPDX-License-Identifier: Apache-2.0
// Goal: terms that both sides signed reach the cells as they were signed, and a mistake shows here at once.
// Method: a real control plane; agreements wrong in every part; the bundle read as the cell would.
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { AGREEMENT_PAYLOAD_TYPE, type AgreementStatement } from '@bailiwick/contracts';
import { parseTenantId } from '@bailiwick/kernel';
import { type DsseSigner, signDsse, toDsseSigner, toPublicKeyText } from '@bailiwick/keys';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestControl, type TestControl } from '../testing.ts';

const CHARTER = readFileSync(
  path.resolve(import.meta.dirname, '../../../../charters/retailer.yaml'),
  'utf8',
);
const TENANT = parseTenantId('01890a5d-ac96-774b-bcce-b302099a8057');
const newSigner = (): DsseSigner => toDsseSigner(generateKeyPairSync('ed25519').privateKey);
const [provider, customer] = [newSigner(), newSigner()];
const TERMS = { terms: 1, version: 1, purposes: ['analytics'] };
const HOMES = [{ residency: 'eu-de', cell: 'eu-de/main' }];
let control: TestControl;

beforeAll(async () => {
  control = await startTestControl();
  const headers = { 'idempotency-key': randomUUID() };
  const body = { tenantId: TENANT, homes: HOMES };
  await control.call('operator/ann', 'PUT', '/v1/charter', { text: CHARTER, serial: 1 });
  const made = await control.call('operator/ann', 'POST', '/v1/tenants', body, headers);
  expect(made.status).toBe(201);
});
afterAll(() => control?.stop());

function agree(
  change: Partial<AgreementStatement> = {},
  signers: readonly DsseSigner[] = [provider, customer],
) {
  const statement = {
    v: 1,
    tenantId: TENANT,
    serial: 2,
    terms: TERMS,
    provider: toPublicKeyText(provider.privateKey),
    customer: toPublicKeyText(customer.privateKey),
    ...change,
  };
  const payload = Buffer.from(JSON.stringify(statement));
  return signDsse({ payloadType: AGREEMENT_PAYLOAD_TYPE, payload }, signers);
}
const put = (body: object) =>
  control.call('operator/ann', 'PUT', `/v1/tenants/${TENANT}`, { homes: HOMES, ...body });

describe('an agreement', () => {
  it.each([
    ['that one side signed', () => agree({}, [customer])],
    ['for another tenant', () => agree({ tenantId: parseTenantId(randomUUID()) })],
    ['for another serial', () => agree({ serial: 7 })],
    ['of other terms', () => agree({ terms: { ...TERMS, version: 9 } })],
    ['that is none', () => ({ ...agree(), payloadType: 'text/plain' })],
    ['with something more in it', () => agree(Object.fromEntries([['note', 'x']]))],
  ])('%s is refused', async (_what, toAgreement) => {
    const { status, body } = await put({ terms: TERMS, agreement: toAgreement() });
    expect([status, body.code]).toEqual([422, 'CONTROL_AGREEMENT_INVALID']);
  });

  it('travels as it was signed, and stays when something else changes', async () => {
    const agreement = agree();
    expect((await put({ terms: TERMS, agreement })).status).toBe(200);
    expect((await put({ state: 'active' })).body.agreement).toEqual(agreement);
    const bundle = await control.bundleOf('eu-de/main');
    expect(bundle.tenants).toMatchObject([{ terms: TERMS, termsSerial: 2, agreement }]);
  });

  it('cannot be left behind: the next terms need one too', async () => {
    const bare = await put({ terms: { ...TERMS, version: 2 } });
    expect([bare.status, bare.body.code]).toEqual([422, 'CONTROL_AGREEMENT_INVALID']);
    const terms = { ...TERMS, version: 2 };
    expect((await put({ terms, agreement: agree({ serial: 3, terms }) })).status).toBe(200);
  });
});
