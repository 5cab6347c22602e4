// SPDX-License-Identifier: Apache-2.0
// Wires a router: identity, directory, discovery, front. Used by `main.ts` and by tests.
import { existsSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import type { RouterConfig } from '@bailiwick/contracts';
import type { Clock } from '@bailiwick/kernel';
import { followMaterial, openIdentity } from '@bailiwick/pki';
import { openLog } from '@bailiwick/telemetry';
import { createDirectoryPuller } from './directory-puller.ts';
import { createDiscoveryServer } from './discovery.ts';
import { RouterError } from './errors.ts';
import { createFront, type FrontCounts } from './front.ts';

/** A router that serves. */
export interface Router {
  readonly port: number;
  /** Serial of the directory in force; 0 before the first. */
  serial(): number;
  counts(): FrontCounts;
  close(): Promise<void>;
}

const systemClock: Clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };

/** Opens everything and listens. */
export async function openRouter(config: RouterConfig): Promise<Router> {
  if (!existsSync(config.state)) {
    throw new RouterError('ROUTER_CONFIG_INVALID', 'the state directory must exist already');
  }
  const { directory, level } = config.telemetry;
  const log = openLog({ component: 'router', directory, level });
  const onProblem = (error: Error): void =>
    log.error('a renewed certificate cannot be used', { error });
  const identity = openIdentity(config.identity, { onProblem });
  const material = followMaterial(config.certificate, { onProblem });
  const puller = createDirectoryPuller({ identity, log }, config);
  const discovery = createDiscoveryServer(
    {
      clock: systemClock,
      routes: puller.routes,
      count: (code) => log.debug('a discovery was answered', { code }),
    },
    { name: config.name, material },
  );
  const front = createFront(
    { routes: puller.routes, log, discover: (socket) => discovery.emit('connection', socket) },
    { name: config.name, limits: config.limits },
  );
  const close = async (): Promise<void> => {
    puller.stop();
    const closed = new Promise<void>((resolve) => front.server.close(() => resolve()));
    front.closeAll();
    if (front.server.listening) await closed;
    discovery.close();
    identity.close();
    material.close();
    log.info('the router has ended');
    log.flush();
  };
  try {
    await new Promise<void>((resolve, reject) => {
      front.server.once('error', reject);
      front.server.listen(config.listen.port, config.listen.host, resolve);
    });
  } catch (error) {
    await close();
    throw error;
  }
  puller.start();
  const { port } = front.server.address() as AddressInfo;
  log.info('the router serves', { port });
  return { port, serial: () => puller.routes().serial, counts: front.counts, close };
}
