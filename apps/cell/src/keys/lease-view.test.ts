// SPDX-License-Identifier: Apache-2.0
// Goal: a lease is over as soon as any of three clocks says so, and nothing but an extension makes it
// longer. Method: clocks that are moved one by one, as a sleep, a pause or somebody's hand would.
import { isCoded } from '@bailiwick/kernel';
import { describe, expect, it } from 'vitest';
import {
  createLeaseMemory,
  LeaseView,
  readInstant,
  SLOT_CLOSED,
  SLOT_ENABLED,
} from './lease-view.ts';

function setUp() {
  const now = { monotonicMs: 1_000_000, bootMs: 2_000_000, wallMs: 3_000_000_000 };
  const clocks = {
    monotonicMs: () => now.monotonicMs,
    bootMs: () => now.bootMs,
    wallMs: () => now.wallMs,
  };
  const memory = createLeaseMemory();
  const view = new LeaseView(memory, clocks);
  const run = (ms: number): void => {
    now.monotonicMs += ms;
    now.bootMs += ms;
    now.wallMs += ms;
  };
  return { now, view, run, clocks, memory };
}

describe('a lease', () => {
  it('is dead until it is given', () => {
    const { view } = setUp();
    expect(view.isLive()).toBe(false);
    expect(() => view.assertLive()).toThrow(
      expect.objectContaining({ code: 'KEYS_LEASE_EXPIRED' }),
    );
  });

  it('lasts for its time and no longer, counted from before it was asked for', () => {
    const { view, run, clocks } = setUp();
    const from = readInstant(clocks);
    run(300); // the answer took its time
    view.extend(from, 1000);
    expect(view.isLive()).toBe(true);
    run(680);
    expect(view.isLive()).toBe(true);
    run(20);
    expect(view.isLive()).toBe(false);
  });

  it('is over after a sleep in which the monotonic clock stood still', () => {
    const { view, run, now, clocks } = setUp();
    view.extend(readInstant(clocks), 1000);
    expect(view.isLive()).toBe(true);
    now.bootMs += 5000;
    run(25); // at the latest when this much running time has passed
    expect(view.isLive()).toBe(false);
  });

  it('is over after a sleep at once when the wall clock tells of it', () => {
    const { view, now, clocks } = setUp();
    view.extend(readInstant(clocks), 1000);
    expect(view.isLive()).toBe(true);
    now.bootMs += 5000;
    now.wallMs += 500;
    expect(view.isLive()).toBe(false);
  });

  it('is shortened by a wall clock stepped forward and not lengthened by one stepped back', () => {
    const { view, run, now, clocks } = setUp();
    view.extend(readInstant(clocks), 1000);
    now.wallMs += 2000;
    expect(view.isLive()).toBe(false);
    now.wallMs -= 100_000;
    expect(view.isLive()).toBe(true);
    run(995);
    expect(view.isLive()).toBe(false);
  });

  it('is the same for every thread that shares the memory', () => {
    const { view, clocks, memory, run } = setUp();
    const other = new LeaseView(memory, clocks);
    view.extend(readInstant(clocks), 1000);
    view.setSlot(7, SLOT_ENABLED);
    expect([other.isLive(), other.slot(7)]).toEqual([true, SLOT_ENABLED]);
    view.reset();
    expect([other.isLive(), other.slot(7)]).toEqual([false, SLOT_CLOSED]);
    run(1);
    expect(other.isLive()).toBe(false);
  });

  it('wakes who waits for it, and lets nobody wait for ever', async () => {
    const memory = createLeaseMemory();
    const view = new LeaseView(memory);
    const waiting = view.awaitLive(5000);
    view.extend({ monotonicMs: Number.MAX_SAFE_INTEGER / 4096, bootMs: 1e12, wallMs: 9e12 }, 1000);
    await waiting;
    view.reset();
    const failed = await view.awaitLive(10).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(isCoded(failed, 'KEYS_LEASE_EXPIRED')).toBe(true);
  });
});
