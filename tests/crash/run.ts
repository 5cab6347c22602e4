// SPDX-License-Identifier: Apache-2.0
// A crash run: load, kills, a check after each, everything verified at the end.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Client } from 'pg';
import { checkCell } from '../../apps/cell/src/check/check-cell.ts';
import type { CheckReport } from '../../apps/cell/src/check/findings.ts';
import { loadCellConfig } from '../../apps/cell/src/config.ts';
import { waitUntil } from '../system/wait-until.ts';
import { createKiller } from './killer.ts';
import { startLoad, type Tally } from './load.ts';
import { RIG_RESIDENCIES, type Rig, type RigResidency } from './rig.ts';

export interface CrashRunOptions {
  readonly seed: string;
  readonly killsCount: number;
  readonly workersCount: number;
  /** Kills from one check to the next. */
  readonly checkEvery: number;
  /** Ends before `killsCount` when this much time has passed, but not before `killsCountMin`. */
  readonly runMsMax: number;
  readonly killsCountMin: number;
  readonly say: (line: string) => void;
}

export interface CrashRunReport {
  readonly killsCount: number;
  readonly kills: Readonly<Record<string, number>>;
  readonly checksCount: number;
  readonly tally: Tally;
  readonly reports: Readonly<Record<string, CheckReport>>;
}

/** Unfinished work counts as stuck after this long while everything is being killed. */
const BUSY_MS_MAX = 120_000;
const QUIET_MS_MAX = 60_000;

/** Runs load and kills; throws on the first thing that is wrong. */
export async function runCrashes(rig: Rig, options: CrashRunOptions): Promise<CrashRunReport> {
  const { seed, killsCount, killsCountMin, workersCount, checkEvery, runMsMax, say } = options;
  const load = await startLoad(rig, { seed, workersCount });
  const killer = createKiller(rig, seed);
  const deadline = performance.now() + runMsMax;
  let checksCount = 0;
  let kills = 0;
  try {
    while (kills < killsCount && (kills < killsCountMin || performance.now() < deadline)) {
      const whom = await Promise.race([killer.kill(), load.failed]);
      kills += 1;
      if (kills % checkEvery !== 0) continue;
      // In turn: cells are checked while they work.
      const residency = RIG_RESIDENCIES[checksCount % 3 === 2 ? 1 : 0];
      await expectOrder(rig, residency, {
        workMsMax: BUSY_MS_MAX,
        after: `kill ${kills}: ${whom}`,
      });
      checksCount += 1;
    }
  } catch (error) {
    say(`failed after ${kills} kills: ${JSON.stringify(load.tally())}`);
    await load.finish().catch(() => undefined);
    throw error;
  }
  const tally = await load.finish().catch(async (error: unknown) => {
    say(`failed at the end: ${await describeJobs(rig)}`);
    throw error;
  });
  const reports: Record<string, CheckReport> = {};
  for (const residency of RIG_RESIDENCIES) {
    reports[residency] = await expectOrder(rig, residency, { workMsMax: 0, after: 'the end' });
    checksCount += 1;
  }
  return { killsCount: kills, kills: killer.counts(), checksCount, tally, reports };
}

/** What waits, and what the cell said last of its jobs: for whoever looks into a failure. */
async function describeJobs({ system, cellConfig }: Rig): Promise<string> {
  const client = new Client({ connectionString: system.ownerUrl('eu-de') });
  await client.connect();
  const { rows } = await client.query(
    `SELECT id, attempts, run_at - now() AS due, locked_by, now() - locked_at AS locked_for, last_error,
            (SELECT json_agg(objid) FROM pg_locks WHERE locktype = 'advisory') AS locks
       FROM jobs.jobs`,
  );
  await client.end();
  const log = readFileSync(path.join(path.dirname(cellConfig('eu-de')), 'logs/cell.log'), 'utf8');
  const said = log.split('\n').filter((line) => line.includes('job'));
  return `${JSON.stringify(rows)}\n${said.slice(-12).join('\n')}`;
}

async function check(rig: Rig, residency: RigResidency, workMsMax: number): Promise<CheckReport> {
  const { config } = loadCellConfig({ file: rig.cellConfig(residency) });
  return checkCell(config, { workMsMax });
}

/** Work under way may still end; everything else must be right at once. */
async function expectOrder(
  rig: Rig,
  residency: RigResidency,
  { workMsMax, after }: { readonly workMsMax: number; readonly after: string },
): Promise<CheckReport> {
  let report: CheckReport | undefined;
  try {
    return await waitUntil(
      `${residency} in order`,
      async () => {
        report = await check(rig, residency, workMsMax).catch((error: unknown) => {
          if (isConnectionLost(error)) return undefined;
          throw error;
        });
        if (report === undefined || report.problemsCount === 0) return report;
        const isUnderWay = report.problems.every(({ problem }) => UNFINISHED.has(problem));
        if (!isUnderWay) throw new Error('not in order');
        return undefined;
      },
      { timeoutMs: QUIET_MS_MAX, intervalMs: 200 },
    );
  } catch (error) {
    const told = report === undefined ? String(error) : JSON.stringify(report, null, 1);
    throw new Error(`${residency} is not in order after ${after}: ${told}`, { cause: error });
  }
}

const UNFINISHED: ReadonlySet<string> = new Set([
  // Erased a moment ago: its rows go next.
  'row-of-erased',
  'transfer-unfinished',
  'erasure-unfinished',
  'key-change-unfinished',
  'request-unfinished',
  'job-stuck',
]);

/** The server itself was killed: asked again. */
function isConnectionLost(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = 'code' in error ? String(error.code) : '';
  return (
    /^(57P|08|ECONN|EPIPE)/.test(code) ||
    /terminated|Connection|closed|timeout|ECONN/i.test(error.message)
  );
}
