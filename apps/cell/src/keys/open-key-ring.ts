// SPDX-License-Identifier: Apache-2.0
// The key ring of a cell's process: its lease kept by a worker over mTLS, its wraps in the cell's database.
import {
  type CellId,
  type Clock,
  createUuidV7,
  parseProcessId,
  type Random,
} from '@bailiwick/kernel';
import { type IdentityFiles, openIdentity } from '@bailiwick/pki';
import { createPostgresWrapStore, type Database } from '@bailiwick/postgres';
import type { KeyAdministration } from '../key-service/api.ts';
import type { KeyRing } from '../services.ts';
import { createKeyRing } from './key-ring.ts';
import { createLeaseMemory, LeaseView } from './lease-view.ts';
import { type KeyServiceAddress, openRemoteKeyService } from './remote-service.ts';
import { startLeaseWorker } from './worker-link.ts';

/** A key ring that must be closed, with what the cell's use cases ask of the key service. */
export interface OpenKeyRing extends KeyRing {
  readonly administration: KeyAdministration;
  close(): Promise<void>;
}

export interface KeyRingOptions {
  readonly cellId: CellId;
  readonly clock: Clock;
  readonly random: Random;
  /** Signs in as `bailiwick_cell`; stays open. */
  readonly database: Database;
  readonly identity: IdentityFiles;
  readonly keyService: KeyServiceAddress;
  /** Told the code of what failed while renewing. */
  readonly onProblem?: (code: string) => void;
}

/**
 * Opens the key ring. It does not wait for the key service: until the first lease is there, every
 * operation waits for it within bounds and then throws `KEYS_LEASE_EXPIRED`.
 */
export function openKeyRing(options: KeyRingOptions): OpenKeyRing {
  const { cellId, clock, random, database, onProblem } = options;
  const memory = createLeaseMemory();
  const link = startLeaseWorker(
    {
      memory,
      identity: { ...options.identity },
      address: { ...options.keyService },
      cellId,
      processId: parseProcessId(createUuidV7({ clock, random })),
    },
    onProblem ?? (() => undefined),
  );
  const identity = openIdentity(options.identity);
  const administration = openRemoteKeyService(identity, options.keyService);
  const ring = createKeyRing({
    cellId,
    clock,
    random,
    wraps: createPostgresWrapStore(database),
    link,
    view: new LeaseView(memory),
  });
  return {
    sealingKeys: (tenantId, owners) => ring.sealingKeys(tenantId, owners),
    openingKeys: (tenantId, references) => ring.openingKeys(tenantId, references),
    secrets: (tenantId) => ring.secrets(tenantId),
    assertUsable: (tenantId) => ring.assertUsable(tenantId),
    administration,
    async close() {
      await link.close();
      await administration.close();
      identity.close();
    },
  };
}
