// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { createAdmission, type Priority, type Release } from './backpressure.ts';

const LIMITS = { inFlightCountMax: 4, inFlightPerTenantCountMax: 2, queuePerTenantCountMax: 3 };
const SOON = { priority: 'interactive', waitMsMax: 5_000 } as const;
const BACKGROUND = { priority: 'background', waitMsMax: 5_000 } as const;
const BULK = { priority: 'bulk', waitMsMax: 5_000 } as const;

/** Lets every promise that can settle do so. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function take(release: Release | Promise<Release>): Release {
  if (typeof release !== 'function') throw new Error('expected a place at once');
  return release;
}

/** Who still waits when a test ends meets the deadline after it: nobody listens any more. */
function leaveWaiting(place: Release | Promise<Release>): void {
  void Promise.resolve(place).catch(() => undefined);
}

describe('admission', () => {
  it('lets work in at once up to the limit of a tenant, then makes it wait', async () => {
    const gate = createAdmission(LIMITS);
    const first = take(gate.admit('a', SOON));
    take(gate.admit('a', SOON));
    const third = gate.admit('a', SOON);
    expect(typeof third).not.toBe('function');
    expect(gate.waitingCount).toBe(1);
    first();
    await third;
    expect(gate.inFlightCount).toBe(2);
  });

  it('refuses when the queue of a tenant is full, and only that tenant', () => {
    const gate = createAdmission(LIMITS);
    for (let index = 0; index < 2; index += 1) take(gate.admit('a', SOON));
    for (let index = 0; index < 3; index += 1) leaveWaiting(gate.admit('a', SOON));
    expect(() => gate.admit('a', SOON)).toThrowError(
      expect.objectContaining({ code: 'CELL_OVERLOADED' }),
    );
    expect(() => take(gate.admit('b', SOON))).not.toThrow();
  });

  it('serves tenants in turn, however many requests one of them sends', async () => {
    const gate = createAdmission({ ...LIMITS, inFlightCountMax: 1, inFlightPerTenantCountMax: 1 });
    const order: string[] = [];
    const run = async (tenant: string): Promise<void> => {
      const release = await gate.admit(tenant, SOON);
      order.push(tenant);
      await settle();
      release();
    };
    const first = take(gate.admit('x', SOON));
    const all = [run('a'), run('a'), run('a'), run('b'), run('b'), run('c')];
    first();
    await Promise.all(all);
    expect(order).toEqual(['a', 'b', 'c', 'a', 'b', 'a']);
  });

  it('serves interactive work before bulk, and keeps places free of bulk', async () => {
    const gate = createAdmission({ ...LIMITS, inFlightPerTenantCountMax: 4 });
    take(gate.admit('a', BULK));
    take(gate.admit('a', BULK));
    const order: Priority[] = [];
    const bulk = gate.admit('a', BULK);
    expect(typeof bulk).not.toBe('function');
    const one = take(gate.admit('b', SOON));
    take(gate.admit('b', SOON));
    leaveWaiting(
      Promise.resolve(bulk).then((release) => {
        order.push('bulk');
        return release;
      }),
    );
    void Promise.resolve(gate.admit('c', SOON)).then(() => order.push('interactive'));
    one();
    await settle();
    expect(order).toEqual(['interactive']);
  });

  it('gives background work its own small share, and bulk what that leaves', () => {
    const gate = createAdmission({ ...LIMITS, inFlightCountMax: 8, inFlightPerTenantCountMax: 8 });
    take(gate.admit('jobs', BACKGROUND));
    leaveWaiting(gate.admit('jobs', BACKGROUND));
    expect(gate.waitingCount).toBe(1);
    for (let index = 0; index < 3; index += 1) take(gate.admit('a', BULK));
    leaveWaiting(gate.admit('a', BULK));
    expect(gate.waitingCount, 'half of all places is for both').toBe(2);
    for (let index = 0; index < 4; index += 1) take(gate.admit('b', SOON));
    expect(gate.inFlightCount).toBe(8);
  });

  it('sheds background first, bulk next, interactive last', async () => {
    const gate = createAdmission({
      ...{ inFlightCountMax: 1, inFlightPerTenantCountMax: 1 },
      ...{ queuePerTenantCountMax: 8, queueCountMax: 3 },
    });
    take(gate.admit('a', SOON));
    const shed: string[] = [];
    const wait = (tenant: string, priority: Priority): void => {
      void Promise.resolve(gate.admit(tenant, { priority, waitMsMax: 5_000 })).catch(
        (error: { readonly code: string }) => shed.push(`${priority} ${error.code}`),
      );
    };
    wait('b', 'interactive');
    wait('c', 'bulk');
    wait('jobs', 'background');
    // Full: each that comes pushes out the lowest that waits, if it matters more than that.
    wait('d', 'bulk');
    await settle();
    expect(shed).toEqual(['background CELL_OVERLOADED']);
    wait('e', 'interactive');
    wait('f', 'interactive');
    await settle();
    expect(shed.slice(1)).toEqual(['bulk CELL_OVERLOADED', 'bulk CELL_OVERLOADED']);
    for (const priority of ['interactive', 'bulk', 'background'] as const) {
      expect(() => gate.admit('g', { priority, waitMsMax: 5_000 })).toThrowError(
        expect.objectContaining({ code: 'CELL_OVERLOADED' }),
      );
    }
    expect(gate.waitingCount).toBe(3);
  });

  it('serves what was shed around in order, and loses no place to it', async () => {
    const gate = createAdmission({
      ...{ inFlightCountMax: 1, inFlightPerTenantCountMax: 1 },
      ...{ queuePerTenantCountMax: 8, queueCountMax: 2 },
    });
    let release = take(gate.admit('a', SOON));
    const first = gate.admit('b', BULK);
    leaveWaiting(gate.admit('c', BACKGROUND));
    const last = gate.admit('d', SOON);
    release();
    release = await last;
    expect(gate.waitingCount).toBe(1);
    release();
    (await first)();
    expect(gate.inFlightCount).toBe(0);
    expect(gate.waitingCount).toBe(0);
  });

  it('gives up a wait at its deadline and keeps the place for others', async () => {
    const gate = createAdmission({ ...LIMITS, inFlightPerTenantCountMax: 1 });
    const release = take(gate.admit('a', SOON));
    const late = gate.admit('a', { priority: 'interactive', waitMsMax: 5 });
    await expect(late).rejects.toMatchObject({ code: 'CELL_DEADLINE_EXCEEDED' });
    expect(gate.waitingCount).toBe(0);
    const next = gate.admit('a', SOON);
    release();
    await expect(next).resolves.toBeTypeOf('function');
  });

  it('counts a place given back twice once', () => {
    const gate = createAdmission(LIMITS);
    const release = take(gate.admit('a', SOON));
    take(gate.admit('a', SOON));
    release();
    release();
    expect(gate.inFlightCount).toBe(1);
  });

  it('refuses what waits and what comes while it drains, and ends with the last work', async () => {
    const gate = createAdmission({ ...LIMITS, inFlightPerTenantCountMax: 1 });
    const release = take(gate.admit('a', SOON));
    const waiting = gate.admit('a', SOON);
    const drained = gate.drain();
    await expect(waiting).rejects.toMatchObject({ code: 'CELL_SHUTTING_DOWN' });
    expect(() => gate.admit('b', SOON)).toThrowError(
      expect.objectContaining({ code: 'CELL_SHUTTING_DOWN' }),
    );
    release();
    await expect(drained).resolves.toBeUndefined();
  });
});
