// SPDX-License-Identifier: Apache-2.0
// Entry point: `main.ts --config <router.yaml> [--parent-pid <pid>]`. Prints one line of JSON when it
// serves; ends on SIGTERM and SIGINT, and by itself when its parent is gone.
import process from 'node:process';
import { parseArgs } from 'node:util';
import { loadRouterConfig } from './config.ts';
import { RouterError } from './errors.ts';
import { openRouter, type Router } from './router.ts';

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
    throw new RouterError('ROUTER_CONFIG_INVALID', 'expected `--config <router.yaml>`');
  }
  const router: Router = await openRouter(loadRouterConfig(values.config));
  let isStopping = false;
  const stop = (): void => {
    if (isStopping) return;
    isStopping = true;
    setTimeout(() => process.exit(1), STOP_TIMEOUT_MS).unref();
    router.close().then(
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
  process.stdout.write(`${JSON.stringify({ ready: true, port: router.port })}\n`);
}

start().catch((error: unknown) => {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  const isOurs = error instanceof RouterError;
  process.stderr.write(`bailiwick: error: ${isOurs ? error.message : `router: ${code}`}\n`);
  process.exit(1);
});
