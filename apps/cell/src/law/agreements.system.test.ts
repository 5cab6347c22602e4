// SPDX-License-Identifier: Apache-2.0
// Goal: what a customer signed holds until the customer signs something else, whoever has the control plane.
// Method: a whole cell; bundles by the right key with agreements that are forged in every part, and with a
// tenant that is left out and brought back.
import { generateKeyPairSync } from 'node:crypto';
import { AGREEMENT_PAYLOAD_TYPE, type AgreementStatement } from '@bailiwick/contracts';
import {
  type DsseEnvelope,
  type DsseSigner,
  signDsse,
  toDsseSigner,
  toPublicKeyText,
} from '@bailiwick/keys';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type BundleOverrides,
  newTenant,
  startTestCell,
  type TestCell,
  type TestTenant,
} from '../testing/test-cell.ts';

const newSigner = (): DsseSigner => toDsseSigner(generateKeyPairSync('ed25519').privateKey);
const customer = newSigner();
const tenant = newTenant();
const bystander = newTenant();
let test: TestCell;
let provider: DsseSigner;

const TERMS = { terms: 1, version: 1, purposes: ['order-fulfilment', 'customer-support'] };
const NARROWER = { terms: 1, version: 2, purposes: ['order-fulfilment'] };

function agree(
  change: Partial<AgreementStatement> = {},
  signers: readonly DsseSigner[] = [provider, customer],
): DsseEnvelope {
  const statement = {
    v: 1,
    tenantId: tenant.tenantId,
    serial: 2,
    terms: TERMS,
    provider: toPublicKeyText(provider.privateKey),
    customer: toPublicKeyText(customer.privateKey),
    ...change,
  };
  const payload = Buffer.from(JSON.stringify(statement));
  return signDsse({ payloadType: AGREEMENT_PAYLOAD_TYPE, payload }, signers);
}

const withTerms = (change: Partial<TestTenant>): BundleOverrides => ({
  tenants: [{ ...tenant, terms: TERMS, termsSerial: 2, ...change }, bystander],
});

const reasonOf = async (overrides: BundleOverrides): Promise<unknown> => {
  const { law } = test.cell.runtime;
  const before = law.serial();
  try {
    await law.take(test.signBundle(overrides));
  } catch (error) {
    expect(error).toMatchObject({ code: 'LAW_BUNDLE_REFUSED' });
    expect(law.serial()).toBe(before);
    return (error as { details: { reason: unknown } }).details.reason;
  }
  throw new Error('expected the bundle to be refused');
};

beforeAll(async () => {
  test = await startTestCell({ tenants: [tenant, bystander] });
  const [first] = test.approvers;
  if (first === undefined) throw new Error('there are approvers');
  provider = first;
});
afterAll(() => test?.stop());

describe('an agreement', () => {
  it.each<[string, () => unknown]>([
    ['that only the customer signed', () => agree({}, [customer])],
    ['that only the operator signed', () => agree({}, [provider])],
    ['that strangers signed', () => agree({}, [newSigner(), newSigner()])],
    ['for another tenant', () => agree({ tenantId: bystander.tenantId })],
    ['for another serial', () => agree({ serial: 3 })],
    ['of other terms', () => agree({ terms: NARROWER })],
    [
      'whose operator is not pinned here',
      () => {
        const stranger = newSigner();
        return agree({ provider: toPublicKeyText(stranger.privateKey) }, [stranger, customer]);
      },
    ],
    [
      'in which one key stands for both',
      () => agree({ customer: toPublicKeyText(provider.privateKey) }, [provider]),
    ],
    ['that is no agreement', () => ({ ...agree(), payloadType: 'application/json' })],
    [
      'with a byte changed',
      () => {
        const envelope = agree();
        const text = Buffer.from(envelope.payload, 'base64').toString();
        const forged = text.replace('customer-support', 'marketing');
        expect(forged).not.toBe(text);
        return { ...envelope, payload: Buffer.from(forged).toString('base64') };
      },
    ],
  ])('is refused %s', async (_what, toAgreement) => {
    expect(await reasonOf(withTerms({ agreement: toAgreement() }))).toBe('unsigned-terms');
  });

  it('carries terms into force', async () => {
    await test.deliver(withTerms({ agreement: agree() }));
    expect(test.cell.runtime.law.current().termsOf(tenant.tenantId)).toEqual(TERMS);
  });
});

describe('terms that were signed', () => {
  const next = { terms: NARROWER, termsSerial: 3 };

  it('do not change unsigned, not even to be narrower', async () => {
    expect(await reasonOf(withTerms({ ...next }))).toBe('unsigned-terms');
    expect(await reasonOf(withTerms({ ...next, agreement: agree() }))).toBe('unsigned-terms');
  });

  it('change with the key that signed before, and with no other', async () => {
    const other = newSigner();
    const key = toPublicKeyText(other.privateKey);
    const stranger = agree({ serial: 3, terms: NARROWER, customer: key }, [provider, other]);
    expect(await reasonOf(withTerms({ ...next, agreement: stranger }))).toBe('unsigned-terms');
    const handed = agree({ serial: 3, terms: NARROWER, customer: key }, [
      provider,
      other,
      customer,
    ]);
    await test.deliver(withTerms({ ...next, agreement: handed }));
    expect(test.cell.runtime.law.current().termsOf(tenant.tenantId)).toEqual(NARROWER);
    // The key before has handed over: it signs nothing any more.
    const late = agree({ serial: 4, terms: NARROWER });
    const again = { terms: NARROWER, termsSerial: 4, agreement: late };
    expect(await reasonOf(withTerms(again))).toBe('unsigned-terms');
  });

  it('are not forgotten when a bundle leaves the tenant out, nor over a restart', async () => {
    await test.deliver({ tenants: [bystander] });
    const loose = { ...tenant, terms: { terms: 1, version: 1 }, termsSerial: 4 };
    expect(await reasonOf({ tenants: [loose, bystander] })).toBe('unsigned-terms');
    await test.cell.runtime.law.restore();
    expect(await reasonOf({ tenants: [loose, bystander] })).toBe('unsigned-terms');
  });

  it('and neither are terms and homes that nobody signed', async () => {
    const plain = { terms: NARROWER, termsSerial: 2 };
    await test.deliver({ tenants: [{ ...bystander, ...plain }] });
    await test.deliver({ tenants: [] });
    const wider = { ...bystander, terms: TERMS, termsSerial: 3 };
    expect(await reasonOf({ tenants: [wider] })).toBe('unapproved-terms');
    const moved = { ...bystander, ...plain, homes: { 'eu-de': 'uk-lon/main' } };
    expect(await reasonOf({ tenants: [moved] })).toBe('unapproved-homes');
    await test.deliver({ tenants: [{ ...bystander, ...plain }] });
  });
});
