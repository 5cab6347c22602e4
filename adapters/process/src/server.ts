// SPDX-License-Identifier: Apache-2.0
// The frame of a server process: its arguments, its one line when it serves or when it cannot, and its end.
import process from 'node:process';
import { CodedError } from '@bailiwick/kernel';

/** A server that serves. */
export interface Serving {
  /** What the line on standard output says besides `ready`. */
  readonly ready: Readonly<Record<string, string | number>>;
  /** Ends it in order; the process ends then. */
  close(): Promise<void>;
}

export interface ServerArguments {
  /** `--config <file>`. */
  readonly file: string;
  /** All other flags with a value: settings of the configuration. */
  readonly flags: Readonly<Record<string, string>>;
  /** Flags without a value that were given. */
  readonly switches: ReadonlySet<string>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Told of a failure that nobody expected, before the process ends because of it. */
  onFault(handler: (message: string, error?: unknown) => void): void;
}

/** Ends a process that hangs while stopping; who started it waits five seconds. */
const STOP_MS_MAX = 4_500;
const PARENT_POLL_MS = 500;

class UsageError extends Error {}

/**
 * Runs a server: `--config <file> [--parent-pid <pid>] [--<setting> <value>]… [--<switch>]…`.
 *
 * Prints one line of JSON once `open` has given something that serves; where it gives nothing, the work is
 * done and the process ends. Ends on SIGTERM and SIGINT, and by itself when its parent is gone.
 */
export function runServer(
  name: string,
  open: (given: ServerArguments) => Promise<Serving | undefined>,
  options: { readonly switches?: readonly string[] } = {},
): void {
  const tellFault = createFaults(name);
  start(open, { switches: options.switches ?? [], faults: tellFault }).catch((error: unknown) => {
    tellFault.tell('could not start', error);
    process.stderr.write(`bailiwick: error: ${name}: ${toMessage(error)}\n`);
    if (isUnexpected(error)) process.stderr.write(`${toPlaces(error)}\n`);
    process.exit(error instanceof UsageError ? 2 : 1);
  });
}

interface Faults {
  readonly handlers: ((message: string, error?: unknown) => void)[];
  tell(message: string, error?: unknown): void;
}

function createFaults(name: string): Faults {
  const handlers: Faults['handlers'] = [];
  const faults: Faults = {
    handlers,
    tell(message, error) {
      for (const handler of handlers) handler(message, error);
    },
  };
  let isEnding = false;
  process.once('exit', () => {
    isEnding = true;
  });
  process.on('uncaughtException', (error) => {
    // A log that was never written to objects to being closed: the end was decided before, and why was told.
    if (isEnding) process.exit();
    // A false assumption: going on could do harm.
    faults.tell('uncaught failure', error);
    process.stderr.write(`bailiwick: error: ${name}: uncaught failure\n${toPlaces(error)}\n`);
    process.exit(1);
  });
  return faults;
}

async function start(
  open: (given: ServerArguments) => Promise<Serving | undefined>,
  { switches, faults }: { readonly switches: readonly string[]; readonly faults: Faults },
): Promise<void> {
  const { config, parentPid, flags, given } = readArguments(process.argv.slice(2), switches);
  const serving = await open({
    file: config,
    flags,
    switches: given,
    environment: process.env,
    onFault: (handler) => void faults.handlers.push(handler),
  });
  if (serving === undefined) return;
  const stop = stopOnce(serving, faults);
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  if (parentPid !== undefined) followParent(parentPid, stop);
  process.stdout.write(`${JSON.stringify({ ready: true, ...serving.ready })}\n`);
}

interface Arguments {
  readonly config: string;
  readonly parentPid: number | undefined;
  readonly flags: Readonly<Record<string, string>>;
  readonly given: ReadonlySet<string>;
}

function readArguments(words: readonly string[], switches: readonly string[]): Arguments {
  const flags: Record<string, string> = {};
  const given = new Set<string>();
  for (let index = 0; index < words.length; index += 1) {
    const [, name, inline] = /^--([a-z][a-z0-9-]*)(?:=(.*))?$/s.exec(words[index] ?? '') ?? [];
    // What was given is not repeated: a secret could have been put there.
    if (name === undefined) throw new UsageError('expected `--<name> <value>`');
    if (switches.includes(name)) {
      given.add(name);
      continue;
    }
    if (inline === undefined) index += 1;
    const value = inline ?? words[index];
    if (value === undefined) throw new UsageError(`\`--${name}\` needs a value`);
    flags[name] = value;
  }
  const { config, 'parent-pid': parent, ...settings } = flags;
  if (config === undefined) throw new UsageError('expected `--config <file>`');
  const parentPid = parent === undefined ? undefined : Number(parent);
  if (parentPid !== undefined && !(Number.isInteger(parentPid) && parentPid > 1)) {
    throw new UsageError('`--parent-pid` needs a process id');
  }
  return { config, parentPid, flags: settings, given };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** Ends with the parent: a demonstration that was killed must leave nothing behind. */
function followParent(parentPid: number, end: () => void): void {
  // A dead parent can linger as a zombie, or its id be used again: being handed to another counts too.
  const isChild = process.ppid === parentPid;
  setInterval(() => {
    if (!isAlive(parentPid) || (isChild && process.ppid !== parentPid)) end();
  }, PARENT_POLL_MS).unref();
}

function stopOnce(serving: Serving, faults: Faults): () => void {
  let isStopping = false;
  return () => {
    if (isStopping) return;
    isStopping = true;
    setTimeout(() => {
      faults.tell('could not stop in time');
      process.exit(1);
    }, STOP_MS_MAX).unref();
    serving.close().then(
      () => process.exit(0),
      (error: unknown) => {
        faults.tell('stopping failed', error);
        process.exit(1);
      },
    );
  };
}

/** Why it could not start, in one line. Foreign messages can hold values: only their codes are told. */
function toMessage(error: unknown): string {
  if (error instanceof UsageError) return error.message;
  if (error instanceof CodedError) return `${error.code}: ${error.message}`;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'EADDRINUSE') return 'EADDRINUSE: the port is in use';
  return code === '' ? 'failed to start' : code;
}

/** Where it happened, without the message: a foreign one can hold values. */
function toPlaces({ stack = '' }: Error): string {
  return stack
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .join('\n');
}

function isUnexpected(error: unknown): error is Error {
  return !(error instanceof UsageError) && error instanceof Error && !('code' in error);
}
