// SPDX-License-Identifier: Apache-2.0
// One process of the demonstration: started from its entry point, ready when it says so, ended by id.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { CliError } from '../errors.ts';

const READY_TIMEOUT_MS = 60_000;
/** A process has five seconds for an orderly end; then it is ended. */
const STOP_TIMEOUT_MS = 8_000;
const READY_LINE_LENGTH_MAX = 64 * 1024;

export interface ChildPlan {
  /** What it is called in messages and for its log file. */
  readonly name: string;
  /** Entry point, from the root of the checkout. */
  readonly entry: string;
  readonly configFile: string;
  readonly logFile: string;
  /** What a drill loads into the process to see what it does. */
  readonly instrument?: Instrument | undefined;
}

/** Flags and variables of a drill's processes. */
export interface Instrument {
  readonly flags: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/** A running process. */
export interface Child {
  readonly plan: ChildPlan;
  readonly pid: number;
  /** What its ready line said. */
  readonly ready: Readonly<Record<string, unknown>>;
  /** Resolves when it has ended, for whatever reason. */
  readonly ended: Promise<void>;
  /** Orderly end, then the hard one. Safe to call twice. */
  stop(): Promise<void>;
  /** Ends it at once, as a crash would. */
  kill(): Promise<void>;
}

// A heap that is collected before it spreads: what a cell keeps is a fraction of this.
const RUNTIME_FLAGS = [
  '--disable-warning=ExperimentalWarning',
  '--max-old-space-size=128',
  '--max-semi-space-size=4',
];
/** SECURITY: a core dump of a cell would hold plaintext and keys under lease; there is none. */
const NO_CORE_DUMP = 'ulimit -c 0 && exec "$0" "$@"';

const ROOT = path.resolve(import.meta.dirname, '../../../..');

/**
 * Starts a process and waits until it serves.
 *
 * @throws {CliError} `CLI_CHILD_ENDED` or `CLI_CHILD_LATE`, with its last words and its log's path.
 */
export async function startChild(plan: ChildPlan): Promise<Child> {
  mkdirSync(path.dirname(plan.logFile), { recursive: true, mode: 0o700 });
  const log = openSync(plan.logFile, 'a', 0o600);
  let child: ChildProcess;
  try {
    const script = path.join(ROOT, plan.entry);
    const args = ['--config', plan.configFile, '--parent-pid', String(process.pid)];
    child = spawn(
      '/bin/sh',
      [
        '-c',
        NO_CORE_DUMP,
        process.execPath,
        ...RUNTIME_FLAGS,
        ...(plan.instrument?.flags ?? []),
        script,
        ...args,
      ],
      {
        cwd: path.dirname(plan.configFile),
        stdio: ['ignore', 'pipe', log],
        // A group of its own: Ctrl-C at the terminal reaches the supervisor alone, which ends all in order.
        detached: true,
        env: { ...toEnvironment(), ...plan.instrument?.environment },
      },
    );
  } finally {
    closeSync(log);
  }
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  const ready = await awaitReady(child, plan, ended);
  return {
    plan,
    pid: child.pid ?? 0,
    ready,
    ended,
    stop: () => stopChild(child, ended),
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** Servers load no environment but what a process needs to run at all. */
function toEnvironment(): NodeJS.ProcessEnv {
  const { PATH, HOME, TZ, NODE_EXTRA_CA_CERTS } = process.env;
  return {
    PATH,
    HOME,
    TZ: TZ ?? 'UTC',
    // Buffers come and go on several threads: few arenas and fixed thresholds (glibc would raise them)
    // give what they leave behind back to the system.
    MALLOC_ARENA_MAX: '1',
    MALLOC_MMAP_THRESHOLD_: '65536',
    MALLOC_TRIM_THRESHOLD_: '131072',
    // Eleven processes would otherwise strip the types of the same sources eleven times.
    NODE_COMPILE_CACHE: path.join(ROOT, 'node_modules', '.cache', 'bailiwick'),
    ...(NODE_EXTRA_CA_CERTS === undefined ? {} : { NODE_EXTRA_CA_CERTS }),
  };
}

function awaitReady(
  child: ChildProcess,
  plan: ChildPlan,
  ended: Promise<void>,
): Promise<Readonly<Record<string, unknown>>> {
  return new Promise((resolve, reject) => {
    let text = '';
    const fail = (code: 'CLI_CHILD_ENDED' | 'CLI_CHILD_LATE', problem: string): void => {
      clearTimeout(timer);
      const words = readLastWords(plan.logFile);
      reject(
        new CliError(code, `${plan.name} ${problem}${words === '' ? '' : `: ${words}`}`, {
          hint: `its log is \`${plan.logFile}\``,
        }),
      );
    };
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      fail('CLI_CHILD_LATE', 'was not ready in time');
    }, READY_TIMEOUT_MS);
    child.stdout?.on('data', (chunk: Buffer) => {
      // After the ready line nothing is expected; reading on keeps the pipe from filling up.
      if (text.length > READY_LINE_LENGTH_MAX) return;
      text += chunk.toString('utf8');
      const ready = findReadyLine(text);
      if (ready === undefined) return;
      clearTimeout(timer);
      text = ' '.repeat(READY_LINE_LENGTH_MAX + 1);
      resolve(ready);
    });
    void ended.then(() => fail('CLI_CHILD_ENDED', 'ended while starting'));
  });
}

function findReadyLine(text: string): Readonly<Record<string, unknown>> | undefined {
  for (const line of text.split('\n').slice(0, -1)) {
    if (!line.startsWith('{')) continue;
    try {
      const value: unknown = JSON.parse(line);
      if (typeof value === 'object' && value !== null && 'ready' in value && value.ready === true) {
        return { ...value };
      }
    } catch {
      // Not our line.
    }
  }
  return undefined;
}

/** The last error a process wrote, as one line. */
function readLastWords(logFile: string): string {
  try {
    const lines = readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-40);
    const line =
      lines.findLast((one) => /error|fatal/i.test(one) && !one.trimStart().startsWith('at ')) ??
      lines.at(-1) ??
      '';
    return toMessage(line).slice(0, 300);
  } catch {
    return '';
  }
}

function toMessage(line: string): string {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === 'object' && value !== null && 'msg' in value) return String(value.msg);
  } catch {
    // A plain line.
  }
  return line.replace(/^bailiwick: error: /, '').trim();
}

async function stopChild(child: ChildProcess, ended: Promise<void>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  await ended;
  clearTimeout(timer);
}
