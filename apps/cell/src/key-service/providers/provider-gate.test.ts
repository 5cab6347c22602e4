// SPDX-License-Identifier: Apache-2.0
// Goal: no stampede on a provider that is away or comes back. Method: a clock that moves when told, and
// questions that end when told.
import { isCoded } from '@bailiwick/kernel';
import { KeysError } from '@bailiwick/keys';
import { createFakeClock, createSeededRandom } from '@bailiwick/testkit';
import { describe, expect, it } from 'vitest';
import { GATE_IN_FLIGHT_COUNT_MAX, ProviderGate } from './provider-gate.ts';

const gone = (): KeysError => new KeysError('KEYS_PROVIDER_UNAVAILABLE', 'provider cannot be had');
const away = { code: 'KEYS_PROVIDER_UNAVAILABLE', details: { reason: 'away' } };
const caller = { isBackground: false };
const background = { isBackground: true };

function setUp() {
  const clock = createFakeClock();
  const modes: boolean[] = [];
  const gate = new ProviderGate({
    clock,
    random: createSeededRandom('gate'),
    onMode: (isAway) => modes.push(isAway),
  });
  const fail = (): Promise<unknown> =>
    gate.ask(() => Promise.reject(gone()), caller).catch((error: unknown) => error);
  return { clock, gate, modes, fail };
}

/** Questions that end when told. */
function held() {
  const ends: ((value: string) => void)[] = [];
  return {
    ends,
    work: () => new Promise<string>((resolve) => ends.push(resolve)),
  };
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('the gate of a provider', () => {
  it('is away after two failures in a row, and not after one', async () => {
    const { gate, modes, fail } = setUp();
    await fail();
    expect(gate.isAway).toBe(false);
    await gate.ask(async () => 'fine', caller);
    await fail();
    expect(gate.isAway).toBe(false);
    await fail();
    expect(gate.isAway).toBe(true);
    expect(modes).toEqual([true]);
  });

  it('does not count a refusal as an outage: who refuses is there', async () => {
    const { gate } = setUp();
    for (let round = 0; round < 5; round += 1) {
      const refused = gate.ask(
        () => Promise.reject(new KeysError('KEYS_CUSTOMER_KEY_DISABLED', 'no')),
        caller,
      );
      await expect(refused).rejects.toMatchObject({ code: 'KEYS_CUSTOMER_KEY_DISABLED' });
    }
    expect(gate.isAway).toBe(false);
  });

  it('refuses at once while away, says when to come again, and asks nothing', async () => {
    const { gate, fail, clock } = setUp();
    await fail();
    await fail();
    let asked = 0;
    for (let round = 0; round < 100; round += 1) {
      await expect(
        gate.ask(async () => {
          asked += 1;
        }, caller),
      ).rejects.toMatchObject(away);
    }
    expect(asked).toBe(0);
    clock.advance(100);
    await expect(gate.ask(async () => 1, caller)).rejects.toMatchObject(away);
  });

  it('lets one probe through at a time, ever more seldom, whoever asks', async () => {
    const { gate, fail, clock } = setUp();
    await fail();
    await fail();
    let probes = 0;
    for (let ms = 0; ms < 600_000; ms += 100) {
      clock.advance(100);
      const asking = Array.from({ length: 20 }, (_, index) =>
        gate
          .ask(
            async () => {
              probes += 1;
              throw gone();
            },
            index % 2 === 0 ? caller : background,
          )
          .catch((error: unknown) => isCoded(error, 'KEYS_PROVIDER_UNAVAILABLE')),
      );
      expect(await Promise.all(asking)).toEqual(asking.map(() => true));
    }
    // Ten minutes: a few at first, then one each 3.75 to 6.25 s.
    expect(probes).toBeGreaterThan(90);
    expect(probes).toBeLessThan(180);
  });

  it('begins with a few questions when the provider is back', async () => {
    const { gate, fail, clock, modes } = setUp();
    await fail();
    await fail();
    clock.advance(10_000);
    await gate.ask(async () => 'probe', caller);
    expect(modes).toEqual([true, false]);
    const { ends, work } = held();
    const asking = Array.from({ length: 500 }, () => gate.ask(work, caller));
    await settle();
    expect(ends.length).toBe(4);
    let most = 0;
    for (let at = 0; at < 500; at += 1) {
      ends[at]?.('ok');
      await settle();
      most = Math.max(most, gate.inFlightCount);
    }
    expect(await Promise.all(asking)).toHaveLength(500);
    expect(most).toBe(GATE_IN_FLIGHT_COUNT_MAX);
  });

  it('takes callers before background work, and leaves them half of the places', async () => {
    const { gate } = setUp();
    const { ends, work } = held();
    const late: string[] = [];
    for (let count = 0; count < 100; count += 1) {
      void gate.ask(work, background).then(() => late.push('background'));
    }
    await settle();
    expect(ends.length).toBe(GATE_IN_FLIGHT_COUNT_MAX / 2);
    for (let count = 0; count < 40; count += 1) {
      void gate.ask(work, caller).then(() => late.push('caller'));
    }
    await settle();
    expect(ends.length).toBe(GATE_IN_FLIGHT_COUNT_MAX);
    for (let at = 0; at < 8; at += 1) ends[at]?.('ok');
    await settle();
    // The eight places that fell free went to callers who waited.
    expect(ends.length).toBe(GATE_IN_FLIGHT_COUNT_MAX + 8);
    for (let at = 8; at < 140; at += 1) {
      ends[at]?.('ok');
      await settle();
    }
    expect(late).toHaveLength(140);
  });

  it('turns waiting questions away when the provider goes', async () => {
    const { gate } = setUp();
    const rejects: ((error: KeysError) => void)[] = [];
    const work = (): Promise<never> => new Promise((_resolve, reject) => rejects.push(reject));
    const asking = Array.from({ length: 200 }, () => gate.ask(work, caller));
    const codes = Promise.allSettled(asking);
    await settle();
    rejects[0]?.(gone());
    rejects[1]?.(gone());
    await settle();
    expect(gate.isAway).toBe(true);
    for (const reject of rejects.slice(2)) reject(gone());
    const results = await codes;
    expect(results.every(({ status }) => status === 'rejected')).toBe(true);
    // The one question that had taken the first one's place is the most that was asked besides.
    expect(rejects.length).toBeLessThanOrEqual(GATE_IN_FLIGHT_COUNT_MAX + 2);
  });
});
