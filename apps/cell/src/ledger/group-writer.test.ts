// SPDX-License-Identifier: Apache-2.0
// Goal: entries go out in groups, one at a time, in order; one that is refused harms nobody; what waits is
// bounded. The database is a function here: how it fails is the point. The real one is in the system test.
import type { LedgerError, NewEntry } from '@bailiwick/ledger';
import { createFakeClock } from '@bailiwick/testkit';
import { describe, expect, it } from 'vitest';
import { type AppendGroup, GroupWriter } from './group-writer.ts';
import { GROUP_ENTRIES_COUNT_MAX, GROUP_MS_MAX, QUEUE_ENTRIES_COUNT_MAX } from './limits.ts';

const anEntry = (body = '{}'): NewEntry => ({
  tenantId: undefined,
  entryId: '0198c0de-0000-7000-8000-000000000001' as NewEntry['entryId'],
  kind: 'read',
  commitment: new Uint8Array(32),
  salt: new Uint8Array(32),
  body,
});
const sqlError = (code: string): Error => Object.assign(new Error('refused'), { code });
const outcome = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'durable',
    (error: LedgerError) => error.code,
  );

describe('the group writer', () => {
  const clock = createFakeClock();

  it('sends what came together in one group, and the next when that returns', async () => {
    const groups: number[] = [];
    let inFlight = 0;
    const append: AppendGroup = async (entries) => {
      inFlight += 1;
      expect(inFlight).toBe(1);
      groups.push(entries.length);
      await new Promise((resolve) => setImmediate(resolve));
      inFlight -= 1;
      return String(groups.length);
    };
    const writer = new GroupWriter(append, clock);
    const first = Array.from({ length: 10 }, () => writer.add(anEntry()));
    while (groups.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const second = Array.from({ length: GROUP_ENTRIES_COUNT_MAX + 5 }, () => writer.add(anEntry()));
    expect(new Set(await Promise.all(first))).toEqual(new Set(['1']));
    await Promise.all(second);
    expect(groups).toEqual([10, GROUP_ENTRIES_COUNT_MAX, 5]);
  });

  it('finds the bad ones of a group and writes the others', async () => {
    const written: string[] = [];
    const append: AppendGroup = async (entries) => {
      if (entries.some(({ body }) => body.includes('bad'))) throw sqlError('23514');
      written.push(...entries.map(({ body }) => body));
      return '1';
    };
    const writer = new GroupWriter(append, clock);
    const bodies = Array.from({ length: 33 }, (_, n) => (n % 11 === 3 ? `bad ${n}` : `good ${n}`));
    const outcomes = await Promise.all(bodies.map((body) => outcome(writer.add(anEntry(body)))));
    expect(
      outcomes.map((one, n) => (one === 'durable' ? '' : `${n} ${one}`)).filter(Boolean),
    ).toEqual(['3 LEDGER_ENTRY_INVALID', '14 LEDGER_ENTRY_INVALID', '25 LEDGER_ENTRY_INVALID']);
    expect(written).toEqual(bodies.filter((body) => body.startsWith('good')));
  });

  it.each(['57P01', '08006', '53300', '40001', 'ECONNRESET'])(
    'tells all of a group that nothing is durable after %s',
    async (code) => {
      let calls = 0;
      const append: AppendGroup = async () => {
        calls += 1;
        if (calls === 1) throw sqlError(code);
        return '2';
      };
      const writer = new GroupWriter(append, clock);
      const outcomes = [writer.add(anEntry()), writer.add(anEntry())].map(outcome);
      expect(await Promise.all(outcomes)).toEqual([
        'LEDGER_ENTRY_NOT_DURABLE',
        'LEDGER_ENTRY_NOT_DURABLE',
      ]);
      expect(calls).toBe(1);
      expect(await outcome(writer.add(anEntry()))).toBe('durable');
    },
  );

  it('refuses what it cannot hold, and takes more once there is room', async () => {
    const gate = Promise.withResolvers<string>();
    const writer = new GroupWriter(() => gate.promise, clock);
    const waiting: Promise<string>[] = [];
    for (let count = 0; count < QUEUE_ENTRIES_COUNT_MAX; count += 1) {
      waiting.push(outcome(writer.add(anEntry())));
    }
    expect(await outcome(writer.add(anEntry()))).toBe('LEDGER_QUEUE_FULL');
    gate.resolve('1');
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(['durable']));
    expect(await outcome(writer.add(anEntry()))).toBe('durable');
    const large = 'x'.repeat(40 * 1_048_576);
    const [first, second] = [writer.add(anEntry(large)), writer.add(anEntry(large))].map(outcome);
    expect(await second).toBe('LEDGER_QUEUE_FULL');
    expect(await first).toBe('durable');
  });

  it('does not write what its caller no longer waits for', async () => {
    const slow = createFakeClock();
    const gate = Promise.withResolvers<string>();
    const written: number[] = [];
    const writer = new GroupWriter(async (entries) => {
      written.push(entries.length);
      return written.length === 1 ? gate.promise : '2';
    }, slow);
    const first = outcome(writer.add(anEntry()));
    while (written.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const late = outcome(writer.add(anEntry()));
    slow.advance(GROUP_MS_MAX + 1);
    const fresh = outcome(writer.add(anEntry()));
    gate.resolve('1');
    expect(await Promise.all([first, late, fresh])).toEqual([
      'durable',
      'LEDGER_ENTRY_NOT_DURABLE',
      'durable',
    ]);
    expect(written).toEqual([1, 1]);
  });

  it('sees what is queued through, and then takes nothing', async () => {
    const writer = new GroupWriter(async () => '1', clock);
    const queued = outcome(writer.add(anEntry()));
    await writer.close();
    expect(await queued).toBe('durable');
    expect(await outcome(writer.add(anEntry()))).toBe('LEDGER_ENTRY_NOT_DURABLE');
  });
});
