// SPDX-License-Identifier: Apache-2.0
// Goal: nobody holds a tenant's keys past its staleness, whatever the provider does. Method: real wraps, a clock that moves when told, a provider
// that is slow, hangs, lies, goes and comes back.
import { LEASE_MARGIN_MS, LEASE_MS } from '@bailiwick/keys';
import { describe, expect, it } from 'vitest';
import { STALENESS_MS_MIN, toFreshUntil, toStalenessMs } from './staleness.ts';
import { createTestCustody, settle } from './testing.ts';

/** What is given up at this age is effective within the staleness, even by a lease that runs out. */
const EFFECTIVE_MS = LEASE_MS + LEASE_MARGIN_MS;
const disabled = { code: 'KEYS_CUSTOMER_KEY_DISABLED' };
const unavailable = { code: 'KEYS_PROVIDER_UNAVAILABLE' };

describe('the staleness of a tenant', () => {
  it.each([
    [undefined, undefined, 60_000],
    [30_000, undefined, 30_000],
    [undefined, 20_000, 20_000],
    [30_000, 20_000, 20_000],
    // Nobody but the cell’s configuration can make it longer.
    [90_000, undefined, 60_000],
    [undefined, 90_000, 60_000],
    [0, undefined, 0],
    // Shorter than leases can keep: asked for every use.
    [undefined, 4_999, 0],
    [undefined, 5_000, 5_000],
  ])('is the shortest of what the tenant wants (%s) and its terms ask (%s)', (own, terms, ms) => {
    expect(toStalenessMs({ stalenessMs: own, termsStalenessMs: terms }, 60_000)).toBe(ms);
  });

  it('leaves time for the slowest way before it ends, and to ask before that', () => {
    for (const stalenessMs of [STALENESS_MS_MIN, 60_000, 3_600_000]) {
      for (const share of [0, 0.5, 0.999]) {
        const fresh = toFreshUntil(1_000, stalenessMs, share);
        expect(fresh.giveUpAtMs + EFFECTIVE_MS).toBeLessThan(1_000 + stalenessMs);
        expect(fresh.refreshAtMs).toBeGreaterThan(1_000);
        expect(fresh.refreshAtMs).toBeLessThan(fresh.giveUpAtMs - stalenessMs / 5);
      }
    }
  });
});

describe('custody', () => {
  it('asks ahead of the staleness, so that callers never wait', async () => {
    const { custody, provider, addTenant, pass, lost } = createTestCustody();
    const tenantId = await addTenant();
    await custody.open(tenantId);
    const before = provider.asked.count;
    await pass(300_000);
    expect(lost).toEqual([]);
    const refreshes = provider.asked.count - before;
    expect(refreshes).toBeGreaterThanOrEqual(300_000 / 60_000);
    expect(refreshes).toBeLessThanOrEqual(300_000 / 20_000);
    await custody.open(tenantId);
    expect(provider.asked.count).toBe(before + refreshes);
  });

  it('asks once for callers who come together', async () => {
    const { custody, provider, addTenant } = createTestCustody();
    const tenantId = await addTenant();
    const before = provider.asked.count;
    await Promise.all(Array.from({ length: 100 }, () => custody.open(tenantId)));
    expect(provider.asked.count - before).toBe(1);
  });

  it('asks for every use, and keeps nothing, where the staleness is 0', async () => {
    const { custody, provider, addTenant, pass } = createTestCustody();
    const tenantId = await addTenant(0);
    const before = provider.asked.count;
    const opened = await Promise.all(Array.from({ length: 10 }, () => custody.open(tenantId)));
    expect(provider.asked.count - before).toBe(10);
    expect(opened.every(({ isSingleUse }) => isSingleUse)).toBe(true);
    expect(custody.openCount).toBe(0);
    provider.fault = 'disabled';
    await expect(custody.open(tenantId)).rejects.toMatchObject(disabled);
    provider.fault = 'none';
    await pass(2_000);
    provider.fault = 'away';
    await expect(custody.open(tenantId)).rejects.toMatchObject(unavailable);
  });

  it.each(['disabled', 'absent', 'lies'] as const)(
    'gives up at once what a provider that is asked again refuses (%s)',
    async (fault) => {
      const { custody, provider, clock, addTenant, pass, lost } = createTestCustody(10_000);
      const tenantId = await addTenant();
      const openedAtMs = clock.monotonicMs();
      await custody.open(tenantId);
      provider.fault = fault;
      await pass(10_000);
      expect(lost[0]?.tenantId).toBe(tenantId);
      const ageMs = (lost[0]?.atMs ?? Number.POSITIVE_INFINITY) - openedAtMs;
      expect(ageMs + EFFECTIVE_MS).toBeLessThan(10_000);
      expect(custody.openCount).toBe(0);
    },
  );

  it.each(['away', 'hangs'] as const)(
    'reads on until the staleness ends and not longer while the provider is gone (%s)',
    async (fault) => {
      const { custody, provider, clock, addTenant, pass, lost } = createTestCustody(20_000);
      const tenantId = await addTenant();
      await custody.open(tenantId);
      const openedAtMs = clock.monotonicMs();
      provider.fault = fault;
      await pass(15_000);
      expect(lost).toEqual([]);
      await custody.open(tenantId);
      await pass(5_000);
      expect(lost).toHaveLength(1);
      expect((lost[0]?.atMs ?? 0) - openedAtMs + EFFECTIVE_MS).toBeLessThanOrEqual(20_000);
      if (fault === 'away') await expect(custody.open(tenantId)).rejects.toMatchObject(unavailable);
    },
  );

  it('says that nothing may be sealed while the provider is away, and that it may again', async () => {
    const { custody, provider, addTenant, pass, modes } = createTestCustody(20_000);
    const tenantId = await addTenant();
    expect((await custody.open(tenantId)).canSeal).toBe(true);
    provider.fault = 'away';
    await pass(12_000);
    expect(modes).toEqual([true]);
    expect((await custody.open(tenantId)).canSeal).toBe(false);
    provider.fault = 'none';
    await pass(6_000);
    expect(modes).toEqual([true, false]);
    expect((await custody.open(tenantId)).canSeal).toBe(true);
  });

  it('counts from before the question was sent, however late the answer comes', async () => {
    const { custody, provider, clock, addTenant, pass, lost } = createTestCustody(10_000);
    const tenantId = await addTenant();
    // Each answer takes three seconds.
    provider.onQuestion = () => clock.advance(3_000);
    await custody.open(tenantId);
    provider.onQuestion = () => undefined;
    provider.fault = 'away';
    const startedAtMs = clock.monotonicMs() - 3_000;
    await pass(10_000);
    expect((lost[0]?.atMs ?? 0) - startedAtMs + EFFECTIVE_MS).toBeLessThanOrEqual(10_000);
  });

  it('does not take up an answer that comes after the keys were given up', async () => {
    const { custody, provider, addTenant, pass, lost } = createTestCustody(10_000);
    const tenantId = await addTenant();
    await custody.open(tenantId);
    provider.fault = 'hangs';
    await pass(10_000);
    expect(lost).toHaveLength(1);
    provider.fault = 'none';
    provider.release();
    await settle();
    expect(custody.openCount).toBe(0);
  });

  it('does not take up an answer that comes after the key was disabled here', async () => {
    const { custody, provider, addTenant } = createTestCustody();
    const tenantId = await addTenant();
    provider.fault = 'hangs';
    const opening = custody.open(tenantId);
    const refused = expect(opening).rejects.toMatchObject(disabled);
    await settle();
    custody.setState(tenantId, 'disabled');
    provider.fault = 'none';
    provider.release();
    await refused;
    expect(custody.openCount).toBe(0);
    await expect(custody.open(tenantId)).rejects.toMatchObject(disabled);
  });

  it('does not ask again and again for a key that the provider refuses', async () => {
    const { custody, provider, addTenant, pass } = createTestCustody();
    const tenantId = await addTenant();
    provider.fault = 'disabled';
    const before = provider.asked.count;
    for (let round = 0; round < 1_000; round += 1) {
      await expect(custody.open(tenantId)).rejects.toMatchObject(disabled);
    }
    expect(provider.asked.count - before).toBe(1);
    provider.fault = 'none';
    await pass(2_000);
    await custody.open(tenantId);
  });

  it('takes what contract terms ask, and lets go of what was open under others', async () => {
    const { custody, addTenant, lost } = createTestCustody();
    const tenantId = await addTenant();
    await custody.open(tenantId);
    await custody.provision(tenantId, { stalenessMsMax: 7_000 });
    expect(lost.map((one) => one.tenantId)).toEqual([tenantId]);
    expect(custody.stalenessMsOf(custody.assertEnabled(tenantId))).toBe(7_000);
    await custody.provision(tenantId, { stalenessMsMax: 7_000 });
    expect(lost).toHaveLength(1);
    await custody.provision(tenantId, {});
    expect(custody.stalenessMsOf(custody.assertEnabled(tenantId))).toBe(60_000);
  });

  it('makes no key where the contract asks for more than the provider is', async () => {
    const { custody, addTenant } = createTestCustody();
    const tenantId = await addTenant();
    const stricter = custody.provision(tenantId, { custody: 'hold-your-own' });
    // It has keys already: nothing is made.
    await expect(stricter).resolves.toBeUndefined();
    const { custody: other } = createTestCustody();
    await expect(other.provision(tenantId, { custody: 'customer' })).rejects.toMatchObject({
      code: 'KEYS_PROVIDER_MISCONFIGURED',
    });
    await expect(other.open(tenantId)).rejects.toMatchObject({ code: 'KEYS_TENANT_UNKNOWN' });
  });
});
