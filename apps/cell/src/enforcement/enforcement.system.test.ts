// SPDX-License-Identifier: Apache-2.0
// Goal: the enforcement point lets nothing through on a promise it cannot keep, nor across a border on law
// that is out of date; and it enters what it refuses. Method: a whole cell's own enforcement over the
// retailer's charter.
import type { Residency } from '@bailiwick/kernel';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Credential, FlowRequest } from '../services.ts';
import { newTenant, startTestCell, type TestCell } from '../testing/test-cell.ts';
import { crossesBorder, toCountry } from './border.ts';

const tenant = newTenant();
let test: TestCell;
beforeAll(async () => {
  test = await startTestCell({ tenants: [tenant] });
  await test.cell.runtime.orders.prepare(tenant.tenantId);
});
afterAll(() => test?.stop());

const credential = (change: Partial<Credential> = {}): Credential => ({
  tenantId: tenant.tenantId,
  account: '01890a5d-ac96-774b-bcce-b302099a8057',
  kind: 'person',
  role: 'support-agent',
  employer: 'processor',
  assurance: 'high',
  place: 'in',
  purposes: ['customer-support'],
  defaultPurpose: 'customer-support',
  residency: 'eu-de' as Residency,
  ...change,
});
const REQUEST: FlowRequest = {
  action: 'read',
  class: 'restricted',
  categories: ['transactional'],
  regimes: ['gdpr'],
  origin: 'de',
  residency: 'eu-de',
  purpose: 'customer-support',
  mechanism: 'scc',
};

describe('obligations', () => {
  it('turn an allow into a denial when this cell cannot fulfil one of them', () => {
    // Night support is allowed under clauses, with the obligation to notify, which no cell can yet.
    const { decision } = test.cell.runtime.enforcement.decide(credential(), REQUEST);
    expect(decision).toMatchObject({ outcome: 'deny', cause: 'obligation-unfulfillable' });
    expect(decision.rules).toContain('night-support-under-clauses');
  });

  it('are told, and left to whoever asked, at the door for decisions', () => {
    const { flow } = test.cell.runtime.enforcement.decide(credential(), REQUEST);
    const decision = test.cell.runtime.enforcement.answer(tenant.tenantId, flow);
    expect(decision.outcome).toBe('allow');
    expect(decision.obligations.map(({ kind }) => kind)).toContain('notify');
  });
});

describe('a refusal', () => {
  it('is entered before it is thrown, with flow, decision and account', async () => {
    await expect(
      test.cell.runtime.enforcement.require(credential(), REQUEST),
    ).rejects.toMatchObject({
      code: 'POLICY_FLOW_DENIED',
      decision: { cause: 'obligation-unfulfillable' },
    });
    const rows = await test.database.asOwner<{ body: string }>('SELECT body FROM ledger.entries');
    const refusal = rows.map(({ body }) => JSON.parse(body)).find(({ kind }) => kind === 'refusal');
    expect(refusal).toMatchObject({
      tenant: tenant.tenantId,
      actor: { account: credential().account, role: 'support-agent' },
      flow: { action: 'read', to: { kind: 'reader', location: 'in' } },
      decision: { outcome: 'deny', cause: 'obligation-unfulfillable' },
    });
  });

  it.each([
    ['an unknown category', { categories: ['star-sign'] }],
    ['an unknown regime', { regimes: ['moon-law'] }],
    ['an unknown origin', { origin: 'atlantis' }],
    ['an unknown residency', { residency: 'xx-nowhere' }],
    ['an unknown purpose', { purpose: 'curiosity' }],
    ['an unknown mechanism', { mechanism: 'handshake' }],
    [
      'an unknown destination',
      { to: { kind: 'cell', id: 'cn-bj/main', location: 'cn', operator: 'cn' } },
    ],
    ['an unknown condition', { conditions: ['full-moon'] }],
  ] as const)('is the answer to %s', (_what, change) => {
    const { decision } = test.cell.runtime.enforcement.decide(credential(), {
      ...REQUEST,
      ...change,
    });
    expect(decision).toMatchObject({ outcome: 'deny', cause: 'unknown-value' });
  });
});

describe('purposes', () => {
  it('must be granted and known; the default stands in for silence', () => {
    const { enforcement } = test.cell.runtime;
    expect(enforcement.purposeOf(credential(), undefined)).toBe('customer-support');
    expect(enforcement.purposeOf(credential(), 'customer-support')).toBe('customer-support');
    const codeOf = (change: Partial<Credential>, stated?: string): unknown => {
      try {
        return enforcement.purposeOf(credential(change), stated);
      } catch (error) {
        return error instanceof Error && 'code' in error ? error.code : error;
      }
    };
    expect(codeOf({}, 'marketing')).toBe('CELL_PURPOSE_FORBIDDEN');
    expect(codeOf({ purposes: ['curiosity'] }, 'curiosity')).toBe('CELL_PURPOSE_FORBIDDEN');
    expect(codeOf({ purposes: [] })).toBe('CELL_PURPOSE_FORBIDDEN');
  });
});

describe('borders', () => {
  const site = { cellId: 'us-va/main' as never, jurisdiction: 'us-va', operator: 'us' };
  const flow = (change: object) => ({
    ...test.cell.runtime.enforcement.decide(credential({ place: 'us-ca' }), REQUEST).flow,
    ...change,
  });

  it('run between countries, not within one', () => {
    expect(toCountry('us-va')).toBe('us');
    expect(toCountry('us')).toBe('us');
    expect(toCountry('je')).toBe('je');
    expect(toCountry('atlantis')).toBe('atlantis');
  });

  it.each([
    [
      false,
      'a reader in another state',
      { to: { kind: 'reader', location: 'us-ca', operator: 'us-ca' } },
    ],
    [
      false,
      'a write into this cell',
      { to: { kind: 'cell', id: 'us-va/main', location: 'us-va', operator: 'us' } },
    ],
    [
      true,
      'a reader in another country',
      { to: { kind: 'reader', location: 'ca', operator: 'ca' } },
    ],
    [
      true,
      'another cell, even of the same country',
      { to: { kind: 'cell', id: 'us-va/bank', location: 'us-va', operator: 'us' } },
    ],
    [true, 'the control plane', { to: { kind: 'control', location: 'us', operator: 'us' } }],
    [
      true,
      'a provider here that another country’s law can reach',
      { to: { kind: 'provider', id: 'p', location: 'us', operator: 'de' } },
    ],
  ] as const)('crossing is %s for %s', (expected, _what, change) => {
    expect(crossesBorder(flow(change) as never, site)).toBe(expected);
  });
});
