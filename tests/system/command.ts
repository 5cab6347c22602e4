// SPDX-License-Identifier: Apache-2.0
// Runs the `bailiwick` command as a person would: its own process, its own output, its exit code.
import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';

export const ROOT: string = path.resolve(import.meta.dirname, '../..');
const BINARY = path.join(ROOT, 'apps/cli/bin/bailiwick.mjs');

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command under way. */
export interface Running {
  readonly pid: number;
  readonly child: ChildProcess;
  /** What it has said so far. */
  stdout(): string;
  stderr(): string;
  readonly ended: Promise<Ended>;
}

export interface CommandOptions {
  readonly input?: string;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** A process group of its own, as a terminal gives each command. */
  readonly isGroup?: boolean;
  readonly timeoutMs?: number;
  readonly uid?: number;
}

/** The environment without what could point the command at another system. */
function toEnvironment(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(
    ([name]) =>
      !name.startsWith('BAILIWICK_') && !name.startsWith('XDG_') && name !== 'NODE_OPTIONS',
  );
  return { ...Object.fromEntries(own), XDG_CONFIG_HOME: '/nonexistent', NO_COLOR: '1', ...extra };
}

/** Starts a program of the checkout. */
export function startProgram(
  file: string,
  args: readonly string[],
  options: CommandOptions = {},
): Running {
  const child = spawn(file, args, {
    cwd: options.cwd ?? ROOT,
    env: toEnvironment(options.env),
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: options.isGroup === true,
    ...(options.timeoutMs === undefined
      ? {}
      : { timeout: options.timeoutMs, killSignal: 'SIGKILL' }),
    ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
  });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  child.stdin.on('error', () => undefined); // it may end before it has read
  child.stdin.end(options.input ?? '');
  const stdout = (): string => Buffer.concat(out).toString();
  const stderr = (): string => Buffer.concat(err).toString();
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) =>
      resolve({ code, signal, stdout: stdout(), stderr: stderr() }),
    );
  });
  return { pid: child.pid ?? 0, child, stdout, stderr, ended };
}

/** Starts `bailiwick …`. */
export function startBailiwick(args: readonly string[], options: CommandOptions = {}): Running {
  return startProgram(process.execPath, [BINARY, ...args], options);
}

/** Runs `bailiwick …` to its end. */
export function runBailiwick(
  args: readonly string[],
  options: CommandOptions = {},
): Promise<Ended> {
  return startBailiwick(args, { timeoutMs: 110_000, ...options }).ended;
}

/** The JSON that a command printed. @throws when it did not end well, with what it said */
export function toJson(ended: Ended): Record<string, unknown> {
  if (ended.code !== 0) throw new Error(`exit ${ended.code}: ${ended.stderr.slice(-2000)}`);
  return JSON.parse(ended.stdout) as Record<string, unknown>;
}
