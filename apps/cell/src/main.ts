// SPDX-License-Identifier: Apache-2.0
// A cell's process: `main.ts --config <cell.yaml> [--parent-pid <pid>] [--<setting> <value>]…`.
import { runServer } from '@bailiwick/process';
import { openLog } from '@bailiwick/telemetry';
import { assembleCell } from './assemble.ts';
import { loadCellConfig } from './config.ts';
import { openRemoteKeys } from './keys/open-remote-keys.ts';
import { createSystemRandom, systemClock } from './ports.ts';

runServer('cell', async (given) => {
  const { config } = loadCellConfig(given);
  const { directory, level } = config.telemetry;
  const log = openLog({ component: 'cell', directory, level }).with({ cell: config.cell });
  given.onFault((message, error) => {
    log.error(message, { error });
    log.flush();
  });
  const cell = await assembleCell({
    config,
    log,
    clock: systemClock,
    random: createSystemRandom(),
    openKeys: openRemoteKeys,
  });
  const { publicPort: port, internalPort } = await cell.listen();
  await cell.start();
  log.info('ready', { port });
  return { ready: { port, internalPort }, close: () => cell.stop() };
});
