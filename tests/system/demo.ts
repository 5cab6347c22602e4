// SPDX-License-Identifier: Apache-2.0
// A demonstration of its own for a test: real processes over a directory in the system's temporary space.
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type CommandOptions, type Running, startBailiwick } from './command.ts';
import { findFirstPort } from './ports.ts';
import { findFamily, type RunningProcess, stillRunning } from './processes.ts';
import { waitUntil } from './wait-until.ts';

export const RESIDENCIES = ['eu-de', 'uk-lon', 'us-va', 'au-syd'] as const;
export type ResidencyName = (typeof RESIDENCIES)[number];

/** Where a demonstration lies and listens. */
export interface Place {
  readonly state: string;
  readonly port: number;
}

/** A fresh place; `remove` it at the end. */
export async function createPlace(): Promise<Place & { remove(): void }> {
  const folder = mkdtempSync(path.join(tmpdir(), 'bailiwick-system-'));
  chmodSync(folder, 0o711); // the account of the database server passes through
  return {
    state: path.join(folder, 'state'),
    port: await findFirstPort(),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

export interface Demo extends Place {
  readonly running: Running;
  /** Supervisor, servers, databases and what watches over them, as they were when it was ready. */
  readonly family: readonly RunningProcess[];
  /** Ctrl-C in the terminal: to the group. Gives the exit code when it has ended. */
  interrupt(): Promise<number | null>;
  /** Kills the supervisor as a crash would, and nothing else. */
  kill(): Promise<void>;
}

const READY_TIMEOUT_MS = 110_000;
const STOP_TIMEOUT_MS = 40_000;

/** Starts a demonstration and waits until it says that it stays up. */
export async function startDemo(
  place: Place,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<Demo> {
  const { state, port } = place;
  const running = startBailiwick(['demo', '--state', state, '--port', String(port), ...args], {
    isGroup: true,
    ...options,
  });
  let ended = false;
  void running.ended.finally(() => {
    ended = true;
  });
  await waitUntil(
    'a demonstration that is ready',
    () => {
      if (ended) throw new Error(`the demonstration ended: ${running.stderr().slice(-2000)}`);
      return running.stdout().includes('Ctrl-C stops everything.') ? true : undefined;
    },
    { timeoutMs: READY_TIMEOUT_MS },
  ).catch(async (error: unknown) => {
    await endFamily(running);
    throw error;
  });
  return {
    state,
    port,
    running,
    family: findFamily(running.pid),
    async interrupt() {
      if (!ended) process.kill(-running.pid, 'SIGINT');
      const timer = setTimeout(() => running.child.kill('SIGKILL'), STOP_TIMEOUT_MS);
      const { code } = await running.ended;
      clearTimeout(timer);
      return code;
    },
    async kill() {
      running.child.kill('SIGKILL');
      await running.ended;
    },
  };
}

/** Ends what a failed start left: its own processes, by id. */
async function endFamily({ pid, child, ended }: Running): Promise<void> {
  const family = findFamily(pid);
  child.kill('SIGINT');
  const timer = setTimeout(() => {
    for (const one of stillRunning(family)) process.kill(one.pid, 'SIGKILL');
  }, STOP_TIMEOUT_MS);
  await ended;
  clearTimeout(timer);
}
