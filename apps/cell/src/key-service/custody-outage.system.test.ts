// SPDX-License-Identifier: Apache-2.0
// Goal: an outage of the provider of ten thousand tenants, and its return, is no stampede. Method: real
// wraps and the real gate over memory; ten minutes pass in steps of a clock that moves when told.
import type { TenantId } from '@bailiwick/kernel';
import { LEASE_MARGIN_MS, LEASE_MS } from '@bailiwick/keys';
import { describe, expect, it } from 'vitest';
import { createTestCustody } from './testing.ts';

const EFFECTIVE_MS = LEASE_MS + LEASE_MARGIN_MS;

describe('ten thousand tenants', () => {
  const TENANTS_COUNT = 10_000;

  it('have their keys asked for evenly, and an outage of ten minutes is no stampede', async () => {
    const { custody, provider, addTenant, pass, lost, clock } = createTestCustody();
    const tenants: TenantId[] = [];
    while (tenants.length < TENANTS_COUNT) tenants.push(await addTenant());
    for (const tenantId of tenants) await custody.open(tenantId);
    const perSecond: number[] = [];
    const watch = async (seconds: number): Promise<void> => {
      for (let second = 0; second < seconds; second += 1) {
        const before = provider.asked.count;
        await pass(1_000);
        perSecond.push(provider.asked.count - before);
      }
    };
    await watch(90);
    expect(lost).toEqual([]);
    // Opened in one instant, asked for again over a quarter of their time and never all at once.
    expect(Math.max(...perSecond)).toBeLessThan(TENANTS_COUNT / 10);

    provider.fault = 'away';
    perSecond.length = 0;
    const goneAtMs = clock.monotonicMs();
    await watch(600);
    // The first second has what was under way; then one probe at a time.
    expect(perSecond[0] ?? 0).toBeLessThanOrEqual(64);
    expect(Math.max(...perSecond.slice(1))).toBeLessThanOrEqual(4);
    expect(perSecond.slice(30).reduce((sum, count) => sum + count, 0)).toBeLessThan(250);
    expect(lost).toHaveLength(TENANTS_COUNT);
    const longestMs = Math.max(...lost.map(({ atMs }) => atMs - goneAtMs));
    expect(longestMs + EFFECTIVE_MS).toBeLessThanOrEqual(60_000);

    provider.fault = 'none';
    await pass(6_000);
    provider.asked.most = 0;
    // Everybody at once: all are served, and the provider never sees more than its share.
    let served = 0;
    let turnedAway = 0;
    for (let round = 0; served < TENANTS_COUNT && round < 20; round += 1) {
      const asking = tenants.map((tenantId) => custody.open(tenantId));
      const results = await Promise.allSettled(asking);
      served = results.filter(({ status }) => status === 'fulfilled').length;
      turnedAway += TENANTS_COUNT - served;
      await pass(1_000);
    }
    expect(served).toBe(TENANTS_COUNT);
    expect(provider.asked.most).toBeLessThanOrEqual(64);
    // Who found the queue full was told to come again, and did.
    expect(turnedAway).toBeLessThan(3 * TENANTS_COUNT);
  }, 60_000);
});
