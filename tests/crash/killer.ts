// SPDX-License-Identifier: Apache-2.0
// Kills processes at moments that the seed chooses, always by id and with SIGKILL, and waits until what was
// killed runs again.
import { setTimeout as wait } from 'node:timers/promises';
import { Client } from 'pg';
import { waitUntil } from '../system/wait-until.ts';
import { createDice, type Dice } from './load.ts';
import type { Rig, RigResidency } from './rig.ts';

const BACK_MS_MAX = 60_000;
const GAP_MS_MAX = 900;

/** Who is killed how often: places in the urn. */
const URN: readonly (readonly [what: string, places: number])[] = [
  ['cell eu-de', 8],
  ['key-service eu-de', 6],
  ['backend eu-de', 5],
  ['database eu-de', 4],
  ['cell uk-lon', 3],
  ['key-service uk-lon', 2],
  ['database uk-lon', 1],
  ['control', 2],
  ['database control', 1],
  ['router', 1],
];

/** Kills one process after the other. */
export interface Killer {
  /** Kills somebody and waits until everybody is there again; gives whom. */
  kill(): Promise<string>;
  counts(): Readonly<Record<string, number>>;
}

export function createKiller(rig: Rig, seed: string): Killer {
  const dice = createDice(`${seed}/killer`);
  const urn = URN.flatMap(([what, places]) => Array.from({ length: places }, () => what));
  const counts = new Map<string, number>();
  const everybody = rig.supervisor.processes().length;
  return {
    async kill() {
      await wait(dice.pick(GAP_MS_MAX));
      const what = urn[dice.pick(urn.length)] ?? 'cell eu-de';
      const pid = what.startsWith('backend ')
        ? await findBackend(rig, what.slice('backend '.length) as RigResidency, dice)
        : rig.supervisor.processes().find(({ name }) => name === what)?.pid;
      // Sometimes two at once: what one rests on is gone as well.
      const isDouble = dice.pick(5) === 0;
      if (pid !== undefined) kill(pid);
      if (isDouble) {
        const others = rig.supervisor.processes();
        const other = others[dice.pick(others.length)];
        if (other !== undefined && other.pid !== pid) kill(other.pid);
      }
      counts.set(what, (counts.get(what) ?? 0) + 1);
      await waitUntil(
        `everybody after ${what} was killed`,
        () => (rig.supervisor.processes().length === everybody ? true : undefined),
        { timeoutMs: BACK_MS_MAX, intervalMs: 20 },
      );
      return isDouble ? `${what} and another` : what;
    },
    counts: () => Object.fromEntries([...counts].sort()),
  };
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It was faster.
  }
}

/** A server process behind one of the cell's or the key service's connections, or one of PostgreSQL's own. */
async function findBackend(
  { system }: Rig,
  residency: RigResidency,
  dice: Dice,
): Promise<number | undefined> {
  const client = new Client({ connectionString: system.ownerUrl(residency) });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ pid: number }>(
      `SELECT pid FROM pg_stat_activity
        WHERE pid <> pg_backend_pid() AND (application_name ~ '^(cell|key-service)'
           OR backend_type IN ('walwriter', 'background writer', 'checkpointer'))
        ORDER BY pid`,
    );
    return rows[dice.pick(Math.max(1, rows.length))]?.pid;
  } catch {
    return undefined; // it is down already
  } finally {
    await client.end().catch(() => undefined);
  }
}
