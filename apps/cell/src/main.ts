// SPDX-License-Identifier: Apache-2.0
// A cell's process: `node apps/cell/src/main.ts --config <cell.yaml> [--parent-pid <pid>] [--<setting> …]`.
// Prints one line of JSON when it serves; ends on SIGTERM within five seconds, or with its parent.
import { CodedError } from '@bailiwick/kernel';
import { type Log, openLog } from '@bailiwick/telemetry';
import { assembleCell, type Cell } from './assemble.ts';
import { loadCellConfig } from './config.ts';
import { CellError } from './errors.ts';
import { openRemoteKeys } from './keys/open-remote-keys.ts';
import { createSystemRandom, systemClock } from './ports.ts';

const STOP_MS_MAX = 4_500;
const PARENT_POLL_MS = 500;

interface Arguments {
  readonly file: string;
  readonly parentPid: number | undefined;
  readonly flags: Readonly<Record<string, string>>;
}

/** Reads `--name value` and `--name=value`; there is nothing else. */
function readFlags(words: readonly string[]): Record<string, string> {
  const flags: Record<string, string> = {};
  for (let index = 0; index < words.length; index += 1) {
    const [, name, inline] = /^--([a-z][a-z0-9-]*)(?:=(.*))?$/s.exec(words[index] ?? '') ?? [];
    if (name === undefined)
      throw new CellError('CELL_CONFIG_INVALID', 'expected `--<name> <value>`');
    if (inline === undefined) index += 1;
    const value = inline ?? words[index];
    if (value === undefined)
      throw new CellError('CELL_CONFIG_INVALID', `\`--${name}\` needs a value`);
    flags[name] = value;
  }
  return flags;
}

function readArguments(): Arguments {
  const { config: file, 'parent-pid': parent, ...flags } = readFlags(process.argv.slice(2));
  if (file === undefined) throw new CellError('CELL_CONFIG_INVALID', 'expected `--config <file>`');
  const parentPid = parent === undefined ? undefined : Number(parent);
  if (parentPid !== undefined && !(Number.isInteger(parentPid) && parentPid > 1)) {
    throw new CellError('CELL_CONFIG_INVALID', '`--parent-pid` needs a process id');
  }
  return { file, parentPid, flags };
}

/** Ends with the parent: a demonstration that was killed must leave nothing behind. */
function followParent(parentPid: number, end: () => void): void {
  const timer = setInterval(() => {
    try {
      process.kill(parentPid, 0);
    } catch {
      clearInterval(timer);
      end();
    }
  }, PARENT_POLL_MS);
  timer.unref();
}

function stopOnce(cell: Cell, log: Log): () => void {
  let isStopping = false;
  return () => {
    if (isStopping) return;
    isStopping = true;
    const limit = setTimeout(() => {
      log.error('could not stop in time');
      log.flush();
      process.exit(1);
    }, STOP_MS_MAX);
    limit.unref();
    cell.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error('stopping failed', { error });
        log.flush();
        process.exit(1);
      },
    );
  };
}

async function run(): Promise<void> {
  const { file, parentPid, flags } = readArguments();
  const { config } = loadCellConfig({ file, flags, environment: process.env });
  const log = openLog({
    component: 'cell',
    directory: config.telemetry.directory,
    level: config.telemetry.level,
  }).with({ cell: config.cell });
  process.on('uncaughtException', (error) => {
    // A false assumption: going on could do harm.
    log.error('uncaught failure', { error });
    log.flush();
    process.exit(1);
  });
  const cell = await assembleCell({
    config,
    log,
    clock: systemClock,
    random: createSystemRandom(),
    openKeys: openRemoteKeys,
  });
  const stop = stopOnce(cell, log);
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  if (parentPid !== undefined) followParent(parentPid, stop);
  const { publicPort, internalPort } = await cell.listen();
  await cell.start();
  log.info('ready', { port: publicPort });
  process.stdout.write(`${JSON.stringify({ ready: true, port: publicPort, internalPort })}\n`);
}

run().catch((error: unknown) => {
  // One clear line for whoever started us; the log has the place.
  const message =
    error instanceof CodedError ? `${error.code}: ${error.message}` : 'failed to start';
  process.stderr.write(`bailiwick cell: error: ${message}\n`);
  if (!(error instanceof CodedError) && error instanceof Error) {
    process.stderr.write(`${error.stack ?? ''}\n`);
  }
  process.exit(1);
});
