// SPDX-License-Identifier: Apache-2.0
// Entry point: `main.ts --config <router.yaml> [--parent-pid <pid>] [--<setting> <value>]…`.
import { runServer } from '@bailiwick/process';
import { loadRouterConfig } from './config.ts';
import { openRouter } from './router.ts';

runServer('router', async (sources) => {
  const router = await openRouter(loadRouterConfig(sources).config);
  return { ready: { port: router.port }, close: () => router.close() };
});
