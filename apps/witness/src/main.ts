// SPDX-License-Identifier: Apache-2.0
// Entry point: `main.ts --config <witness.yaml> [--parent-pid <pid>] [--init | --show]`. `--init` makes an
// empty state, `--show` prints what was cosigned; both end then.
import process from 'node:process';
import { runServer } from '@bailiwick/process';
import { openLog } from '@bailiwick/telemetry';
import { loadWitnessConfig } from './config.ts';
import { prepareStateDirectory } from './file-store.ts';
import { showWitness } from './show.ts';
import { openWitnessProcess } from './witness-process.ts';

runServer(
  'witness',
  async (given) => {
    const { config } = loadWitnessConfig(given);
    if (given.switches.has('init')) {
      await prepareStateDirectory(config.state);
      return undefined;
    }
    if (given.switches.has('show')) {
      process.stdout.write(`${JSON.stringify(await showWitness(config))}\n`);
      return undefined;
    }
    const log = openLog({ component: 'witness', ...config.telemetry });
    given.onFault((message, error) => {
      log.error(message, { error });
      log.flush();
    });
    const witness = await openWitnessProcess(config, log);
    const { port, verifierKey } = witness;
    log.info('ready', { port });
    return {
      ready: { port, verifierKey },
      async close() {
        await witness.close();
        log.flush();
      },
    };
  },
  { switches: ['init', 'show'] },
);
