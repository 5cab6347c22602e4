// SPDX-License-Identifier: Apache-2.0
// For tests: the real command as a process, on ports of its own, over a directory of its own.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { setTimeout as wait } from 'node:timers/promises';
import { createLayout } from './supervisor/layout.ts';
import { assertPortsFree } from './supervisor/preflight.ts';

/** A command that takes longer hangs. */
const RUN_MS_MAX = 110_000;
// Not `bin/bailiwick.mjs`: it would install while the tests run. It has tests of its own.
const MAIN = path.resolve(import.meta.dirname, 'main.ts');

/** What a command did. */
export interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A place for a demonstration: a state directory and free ports. */
export interface Place {
  readonly state: string;
  readonly port: string;
  run(args: readonly string[], input?: string): Ran;
  /** Starts a command that goes on; `until` is what it says when it is there. */
  start(args: readonly string[], until: RegExp): Promise<Started>;
  /** Process ids whose command line names this place. */
  processes(): readonly number[];
  /** A process's command line. */
  commandOf(pid: number): string;
  /** Waits until no process of this place is left. */
  untilGone(timeoutMs: number): Promise<boolean>;
  remove(): void;
}

export interface Started {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  stdout(): string;
  stderr(): string;
}

async function findPorts(state: string): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    const firstPort = 20_000 + Math.floor(Math.random() * 200) * 60;
    try {
      await assertPortsFree(createLayout({ state, firstPort }));
      return firstPort;
    } catch {
      // Somebody else has one of them.
    }
  }
  throw new Error('no free ports were found');
}

/** Makes a place. */
export async function createPlace(): Promise<Place> {
  const state = mkdtempSync(path.join(tmpdir(), 'bailiwick-demo-'));
  // The databases' own account passes through; a directory nobody passes through would send its data elsewhere.
  chmodSync(state, 0o711);
  const port = String(await findPorts(state));
  const toArgs = (args: readonly string[]): string[] =>
    args.includes('--state') ? [MAIN, ...args] : [MAIN, ...args, '--state', state];
  const processes = (): readonly number[] =>
    readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
      .filter((name) => readCommand(name).includes(state))
      .map(Number);
  return {
    state,
    port,
    processes,
    commandOf: (pid) => readCommand(String(pid)),
    run(args, input) {
      const { status, stdout, stderr } = spawnSync(process.execPath, toArgs(args), {
        encoding: 'utf8',
        maxBuffer: 64 * 1024 * 1024,
        timeout: RUN_MS_MAX,
        ...(input === undefined ? {} : { input }),
      });
      return { status, stdout, stderr };
    },
    start: (args, until) => start(toArgs(args), until),
    async untilGone(timeoutMs) {
      const deadline = performance.now() + timeoutMs;
      while (processes().length > 0) {
        if (performance.now() > deadline) return false;
        await wait(50);
      }
      return true;
    },
    remove: () => rmSync(state, { recursive: true, force: true }),
  };
}

function readCommand(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

async function start(args: readonly string[], until: RegExp): Promise<Started> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  await new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
      if (until.test(stdout)) resolve();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
      if (until.test(stderr)) resolve();
    });
    void ended.then((code) => reject(new Error(`ended with ${code}: ${stderr.slice(-4000)}`)));
  });
  return { child, ended, stdout: () => stdout, stderr: () => stderr };
}
