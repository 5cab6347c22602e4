// SPDX-License-Identifier: Apache-2.0
// Goal: whoever is killed at whatever moment, every acknowledged write is there once, every entry is there
// and provable, nothing is half done. Method: real processes under mixed load, kill -9 by seed, a checker
// that walks everything. `BAILIWICK_CRASH_KILLS` and `BAILIWICK_CRASH_SEED` make it the long form.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Rig, startRig } from './rig.ts';
import { runCrashes } from './run.ts';

const LONG_COUNT = Number(process.env['BAILIWICK_CRASH_KILLS'] ?? 0);
const SEED = process.env['BAILIWICK_CRASH_SEED'] ?? randomUUID().slice(0, 8);
// On a busy machine each start takes its time: a short run ends by the clock, but not before a few kills.
const SHORT = { killsCount: 40, killsCountMin: 5, runMsMax: 35_000, checkEvery: 3 };
const LONG = {
  killsCount: LONG_COUNT,
  killsCountMin: LONG_COUNT,
  runMsMax: 3_600_000,
  checkEvery: 1,
};

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
}, 120_000);
afterAll(async () => {
  await rig?.stop();
});

it(
  `survives kills of any process under mixed load (seed ${SEED})`,
  async () => {
    const report = await runCrashes(rig, {
      seed: SEED,
      workersCount: 6,
      ...(LONG_COUNT > 0 ? LONG : SHORT),
      say: (line) => console.info(line),
    });
    const { killsCount, kills, checksCount, tally, reports } = report;
    console.info(JSON.stringify({ seed: SEED, killsCount, kills, checksCount, ...tally, reports }));
    expect(killsCount).toBeGreaterThanOrEqual(LONG_COUNT > 0 ? LONG_COUNT : SHORT.killsCountMin);
    // A run in which nothing happened proves nothing.
    for (const what of ['create', 'read', 'update', 'import']) {
      expect(tally.done[what], what).toBeGreaterThan(0);
    }
    const opened = Object.values(reports).map(({ counts }) => counts['values opened'] ?? 0);
    expect(opened.reduce((sum, one) => sum + one, 0)).toBeGreaterThan(20);
  },
  LONG_COUNT > 0 ? 7_200_000 : 480_000,
);
