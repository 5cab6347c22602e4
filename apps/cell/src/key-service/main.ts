// SPDX-License-Identifier: Apache-2.0
// The key service's process: `node apps/cell/src/key-service/main.ts --config <cell.yaml>
// [--parent-pid <pid>]`. The only process with the provider's credential and the erasable store. Prints
// one line of JSON when it serves; ends on SIGTERM, with its parent, and when its fence is lost.
import { readdirSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import type { CellConfig } from '@bailiwick/contracts';
import { createErasableStore, openErasableStore } from '@bailiwick/erasable-store';
import { isCoded } from '@bailiwick/kernel';
import type { KeyStateStore } from '@bailiwick/keys';
import { openIdentity, toTrustDomain } from '@bailiwick/pki';
import {
  createPostgresKeyRequestStore,
  createPostgresKeyRotationStore,
  createPostgresKeyStateStore,
  type Database,
  openDatabase,
} from '@bailiwick/postgres';
import { runServer, type ServerArguments, type Serving } from '@bailiwick/process';
import { type Log, openLog } from '@bailiwick/telemetry';
import { loadCellConfig, readSecretFile } from '../config.ts';
import { createSystemRandom, systemClock } from '../ports.ts';
import { openRewrapCopy } from '../restores/rewraps.ts';
import type { CustodyPorts } from './custody.ts';
import { CustodyFiles } from './providers/custody-files.ts';
import { openProviderRegistry } from './providers/provider-registry.ts';
import { createKeyServer } from './server.ts';
import { type KeyService, startKeyService } from './service.ts';

/** How long a restart waits for the key service before it to be gone. */
const FENCE_WAIT_MS_MAX = 10_000;
const FENCE_POLL_MS = 100;

/**
 * Gives empty replica directories their identity at the very first start. SECURITY: only while the
 * database knows no key; otherwise an empty directory is a lost or unmounted replica, and a store made
 * anew would hide that.
 */
async function prepareErasableStore(
  store: KeyStateStore,
  replicas: readonly string[],
): Promise<void> {
  const isEmpty = (directory: string): boolean => {
    try {
      return readdirSync(directory).length === 0;
    } catch {
      return false;
    }
  };
  if (!replicas.every(isEmpty)) return;
  if ((await store.listCustomerKeys()).length > 0) return;
  await createErasableStore({ replicas });
}

async function openPorts(
  config: CellConfig,
  stores: Pick<CustodyPorts, 'store' | 'rotations' | 'requests'>,
  { workload, database }: { readonly workload: string; readonly database: Database },
): Promise<CustodyPorts> {
  const { customerKeys, custody, erasableStore, maxStalenessMs } = config.keyService;
  await prepareErasableStore(stores.store, erasableStore.replicas);
  const ports = { clock: systemClock, random: createSystemRandom() };
  const providers = openProviderRegistry({
    ...ports,
    own: customerKeys,
    files: new CustodyFiles(custody?.directory),
    surroundings: { workload, identity: config.keyService.identity ?? config.identity },
  });
  return {
    ...ports,
    ...stores,
    cellId: config.cell,
    providers,
    stalenessMsMax: maxStalenessMs,
    erasable: await openErasableStore({ replicas: erasableStore.replicas, clock: systemClock }),
    ...(await openRewrapCopy(config, { pool: database.pool, clock: systemClock })),
  };
}

/** Starts once the key service before this one is gone. */
async function startWhenFree(ports: CustodyPorts, log: Log): Promise<KeyService> {
  const endMs = systemClock.monotonicMs() + FENCE_WAIT_MS_MAX;
  for (;;) {
    try {
      return await startKeyService(ports, {
        onProblem: (message, error) => log.error(message, { error }),
        // SECURITY: the gate's name has a tenant's id in it; the log gets the fact alone.
        onMode: (_gateName, isAway) =>
          log.warn(isAway ? 'a provider of customer keys is away' : 'a provider is back'),
      });
    } catch (error) {
      const isHeld = isCoded(error, 'KEYS_SERVICE_REFUSED');
      if (!isHeld || systemClock.monotonicMs() > endMs) throw error;
      await wait(FENCE_POLL_MS);
    }
  }
}

/** Opens the key service of a cell. */
async function open(given: ServerArguments): Promise<Serving> {
  const { config } = loadCellConfig(given);
  const { directory, level } = config.telemetry;
  const log = openLog({ component: 'key-service', directory, level }).with({ cell: config.cell });
  given.onFault((message, error) => {
    log.error(message, { error });
    log.flush();
  });
  const identity = openIdentity(config.keyService.identity ?? config.identity);
  const database = openDatabase({
    url: readSecretFile(config.database.keysUrlFile),
    poolSize: 8,
    applicationName: `key-service ${config.cell}`,
    onIdleError: (code) => log.warn('database connection lost', { code }),
  });
  const stores = {
    store: createPostgresKeyStateStore(database),
    rotations: createPostgresKeyRotationStore(database),
    requests: createPostgresKeyRequestStore(database),
  };
  const around = { workload: identity.spiffeId, database };
  const service = await startWhenFree(await openPorts(config, stores, around), log);
  const server = createKeyServer(service, {
    identity,
    cellSpiffeId: `spiffe://${toTrustDomain(identity.spiffeId)}/cell/${config.cell}`,
    onProblem: (message, error) => log.error(message, { error }),
  });
  let isStopping = false;
  // Another instance may act from now on: nothing more may be handed out here.
  void service.lost.then(() => {
    if (isStopping) return;
    log.error('the fence is lost: stopping');
    log.flush();
    process.exit(1);
  });
  const { host, port } = config.keyService;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const bound = portOf(server.address());
  log.info('ready', { port: bound, generation: service.generation });
  return {
    ready: { port: bound },
    async close() {
      isStopping = true;
      server.close();
      server.closeAllConnections();
      await service.close();
      await database.close();
      log.flush();
    },
  };
}

function portOf(address: AddressInfo | string | null): number {
  return typeof address === 'object' && address !== null ? address.port : 0;
}

runServer('key service', open);
