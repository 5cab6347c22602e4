// SPDX-License-Identifier: Apache-2.0
// Entry point: `main.ts --config <control.yaml> [--parent-pid <pid>] [--<setting> <value>]…`.
import { runServer } from '@bailiwick/process';
import { loadControlConfig } from './config.ts';
import { openControl } from './control.ts';

runServer('control', async (sources) => {
  const control = await openControl(loadControlConfig(sources).config);
  return { ready: { port: control.port }, close: () => control.close() };
});
