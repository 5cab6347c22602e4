// SPDX-License-Identifier: Apache-2.0
// Entry point: `main.ts --config <control.yaml> [--parent-pid <pid>]`. Prints one line of JSON when it
// serves; ends on SIGTERM and SIGINT, and by itself when its parent is gone.
import process from 'node:process';
import { parseArgs } from 'node:util';
import { loadControlConfig } from './config.ts';
import { type Control, openControl } from './control.ts';
import { ControlError } from './errors.ts';

const PARENT_CHECK_MS = 500;
const STOP_TIMEOUT_MS = 4500;

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

async function start(): Promise<void> {
  const { values } = parseArgs({
    options: { config: { type: 'string' }, 'parent-pid': { type: 'string' } },
  });
  if (values.config === undefined) {
    throw new ControlError('CONTROL_CONFIG_INVALID', 'expected `--config <control.yaml>`');
  }
  const control: Control = await openControl(loadControlConfig(values.config));
  let isStopping = false;
  const stop = (): void => {
    if (isStopping) return;
    isStopping = true;
    setTimeout(() => process.exit(1), STOP_TIMEOUT_MS).unref();
    control.close().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  const parentPid = Number(values['parent-pid'] ?? Number.NaN);
  if (Number.isInteger(parentPid) && parentPid > 0) {
    // A dead parent can linger as a zombie, or its id be used again: being handed to another counts too.
    const isChild = process.ppid === parentPid;
    setInterval(() => {
      if (!isAlive(parentPid) || (isChild && process.ppid !== parentPid)) stop();
    }, PARENT_CHECK_MS).unref();
  }
  process.stdout.write(`${JSON.stringify({ ready: true, port: control.port })}\n`);
}

start().catch((error: unknown) => {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  const isOurs = error instanceof ControlError;
  process.stderr.write(`bailiwick: error: ${isOurs ? error.message : `control: ${code}`}\n`);
  process.exit(1);
});
