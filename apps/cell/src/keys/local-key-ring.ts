// SPDX-License-Identifier: Apache-2.0
// A key ring with the key service in the same process: the real hierarchy, leases, erasable store and
// file provider, without the other process and its mTLS. For tests and tools; a cell uses
// `openKeyRing`.
import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import type { CellConfig } from '@bailiwick/contracts';
import { createErasableStore, openErasableStore } from '@bailiwick/erasable-store';
import {
  type CellId,
  type Clock,
  createUuidV7,
  parseProcessId,
  type Random,
} from '@bailiwick/kernel';
import { createKeyDirectory, openFileProvider } from '@bailiwick/kms-file';
import {
  createPostgresKeyRequestStore,
  createPostgresKeyRotationStore,
  createPostgresKeyStateStore,
  createPostgresWrapStore,
  type Database,
  openDatabase,
} from '@bailiwick/postgres';
import {
  createSingleRegistry,
  type ProviderRegistry,
} from '../key-service/providers/provider-registry.ts';
import { type KeyService, startKeyService } from '../key-service/service.ts';
import { openRewrapCopy } from '../restores/rewraps.ts';
import type { KeyLink, LinkListener } from './key-link.ts';
import { createKeyRing } from './key-ring.ts';
import { LeaseKeeper } from './lease-keeper.ts';
import { createLeaseMemory, LeaseView, MACHINE_CLOCKS } from './lease-view.ts';
import type { OpenKeyRing } from './open-key-ring.ts';

export type { OpenKeyRing } from './open-key-ring.ts';

export interface LocalKeyRingOptions {
  readonly cellId: CellId;
  readonly clock: Clock;
  readonly random: Random;
  /** Signs in as `bailiwick_cell`; stays open. */
  readonly database: Database;
  /** `postgres://` URL that signs in as `bailiwick_keys`. */
  readonly keysUrl: string;
  /** Customer keys and erasable replicas lie below; made when absent. */
  readonly directory: string;
  /** Default: a file provider below `directory`. */
  readonly providers?: ProviderRegistry;
  readonly stalenessMsMax?: number;
  /** Where wraps go that an erasure writes anew; nowhere when absent. */
  readonly backups?: Pick<CellConfig, 'cell' | 'backups'>;
}

/** Links a ring to a keeper in the same thread. */
export function createLocalLink(
  keeperOf: (listener: LinkListener) => LeaseKeeper,
): KeyLink & { start(): void } {
  let listener: LinkListener = { onDrop: () => undefined, onReset: () => undefined };
  const keeper = keeperOf({
    onDrop: (drop) => listener.onDrop(drop),
    onReset: () => listener.onReset(),
  });
  return {
    openTenant: (tenantId) => keeper.openTenant(tenantId),
    openShredKeys: (tenantId, ids) => keeper.openShredKeys(tenantId, ids),
    reserve: (tenantId, count) => keeper.reserve(tenantId, count),
    openIndexKey: (tenantId, field) => keeper.openIndexKey(tenantId, field),
    listen: (next) => {
      listener = next;
    },
    start: () => keeper.start(),
    close: () => keeper.close(),
  };
}

async function startLocalService(
  options: LocalKeyRingOptions,
  keysDatabase: Database,
): Promise<KeyService> {
  const { cellId, clock, random, directory } = options;
  const customerKeys = path.join(directory, 'keys');
  const replicas = ['a', 'b'].map((name) => path.join(directory, 'erasable', name));
  if (!existsSync(customerKeys)) {
    createKeyDirectory(customerKeys);
    for (const replica of replicas) mkdirSync(replica, { recursive: true, mode: 0o700 });
    await createErasableStore({ replicas });
  }
  return startKeyService({
    cellId,
    clock,
    random,
    store: createPostgresKeyStateStore(keysDatabase),
    rotations: createPostgresKeyRotationStore(keysDatabase),
    requests: createPostgresKeyRequestStore(keysDatabase),
    providers:
      options.providers ??
      createSingleRegistry({ clock, random }, openFileProvider({ directory: customerKeys })),
    stalenessMsMax: options.stalenessMsMax ?? 60_000,
    erasable: await openErasableStore({ replicas, clock }),
    ...(options.backups === undefined
      ? {}
      : await openRewrapCopy(options.backups, { pool: keysDatabase.pool, clock })),
  });
}

/** Opens a key ring with its key service in this process. */
export async function openLocalKeyRing(options: LocalKeyRingOptions): Promise<OpenKeyRing> {
  const { cellId, clock, random, database, keysUrl } = options;
  const keysDatabase = openDatabase({ url: keysUrl, poolSize: 4, applicationName: 'key-service' });
  let service: KeyService;
  try {
    service = await startLocalService(options, keysDatabase);
  } catch (error) {
    await keysDatabase.close();
    throw error;
  }
  const view = new LeaseView(createLeaseMemory());
  const link = createLocalLink(
    (listener) =>
      new LeaseKeeper({
        service,
        view,
        clocks: MACHINE_CLOCKS,
        cellId,
        processId: parseProcessId(createUuidV7({ clock, random })),
        onDrop: async (drop) => listener.onDrop(drop),
        onReset: async () => listener.onReset(),
      }),
  );
  const wraps = createPostgresWrapStore(database);
  const ring = createKeyRing({ cellId, clock, random, wraps, link, view });
  link.start();
  return {
    sealingKeys: (tenantId, owners) => ring.sealingKeys(tenantId, owners),
    openingKeys: (tenantId, references) => ring.openingKeys(tenantId, references),
    secrets: (tenantId) => ring.secrets(tenantId),
    assertUsable: (tenantId) => ring.assertUsable(tenantId),
    administration: service,
    async close() {
      await link.close();
      await service.close();
      await keysDatabase.close();
    },
  };
}
