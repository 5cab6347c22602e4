// SPDX-License-Identifier: Apache-2.0
// Entry point: `main.ts --config <witness.yaml> [--parent-pid <pid>] [--init | --show]`. Prints one line of
// JSON when it serves; ends on SIGTERM and SIGINT, and by itself when its parent is gone. `--init` makes an
// empty state, `--show` prints what was cosigned; both end then.
import process from 'node:process';
import { parseArgs } from 'node:util';
import { openLog } from '@bailiwick/telemetry';
import { loadWitnessConfig } from './config.ts';
import { WitnessError } from './errors.ts';
import { prepareStateDirectory } from './file-store.ts';
import { showWitness } from './show.ts';
import { openWitnessProcess } from './witness-process.ts';

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
    options: {
      config: { type: 'string' },
      'parent-pid': { type: 'string' },
      init: { type: 'boolean' },
      show: { type: 'boolean' },
    },
  });
  if (values.config === undefined) {
    throw new WitnessError('WITNESS_CONFIG_INVALID', 'expected `--config <witness.yaml>`');
  }
  const config = loadWitnessConfig(values.config);
  if (values.init === true) return prepareStateDirectory(config.state);
  if (values.show === true) {
    process.stdout.write(`${JSON.stringify(await showWitness(config))}\n`);
    return;
  }
  const log = openLog({ component: 'witness', ...config.telemetry });
  const witness = await openWitnessProcess(config, log);
  let isStopping = false;
  const stop = (): void => {
    if (isStopping) return;
    isStopping = true;
    setTimeout(() => process.exit(1), STOP_TIMEOUT_MS).unref();
    void witness.close().then(() => {
      log.flush();
      process.exit(0);
    });
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
  const { port, verifierKey } = witness;
  log.info('ready', { port });
  process.stdout.write(`${JSON.stringify({ ready: true, port, verifierKey })}\n`);
}

start().catch((error: unknown) => {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  const isOurs = error instanceof WitnessError;
  process.stderr.write(`bailiwick: error: ${isOurs ? error.message : `witness: ${code}`}\n`);
  process.exit(1);
});
