// SPDX-License-Identifier: Apache-2.0
// Walks everything that a cell keeps, in one snapshot of its database: log, entries, rows, seals, keys and
// unfinished work. It writes nothing. The cell may run or stand; what it does meanwhile is not in the
// snapshot. It needs the cell's secrets and the key service's, so it runs where they are.

import { createPrivateKey } from 'node:crypto';
import type { CellConfig } from '@bailiwick/contracts';
import { openErasableStore } from '@bailiwick/erasable-store';
import { createLogSigner, toOrigin } from '@bailiwick/ledger';
import { openIdentity } from '@bailiwick/pki';
import {
  createPostgresKeyRequestStore,
  createPostgresKeyRotationStore,
  createPostgresKeyStateStore,
  type Database,
  openDatabase,
} from '@bailiwick/postgres';
import type { Pool, PoolClient } from 'pg';
import { readSecretFile } from '../config.ts';
import { CellError } from '../errors.ts';
import { Custody } from '../key-service/custody.ts';
import { CustodyFiles } from '../key-service/providers/custody-files.ts';
import { openProviderRegistry } from '../key-service/providers/provider-registry.ts';
import { createSystemRandom, systemClock } from '../ports.ts';
import { checkKeys, type KeyPorts } from './check-keys.ts';
import { checkLedger } from './check-ledger.ts';
import { checkAllRows, WritesByTenant } from './check-rows.ts';
import { checkJobs, checkStates } from './check-states.ts';
import { type CheckReport, Findings } from './findings.ts';

/** How long work may stand in the middle before it counts as stuck. */
export const WORK_MS_MAX = 60_000;
const STATEMENT_MS_MAX = 600_000;

export interface CheckOptions {
  /** Default `WORK_MS_MAX`. */
  readonly workMsMax?: number;
}

/**
 * Checks a cell by its configuration.
 *
 * @throws {CellError} `CELL_CONFIG_INVALID` without a role that may read everything
 */
export async function checkCell(
  config: CellConfig,
  { workMsMax = WORK_MS_MAX }: CheckOptions = {},
): Promise<CheckReport> {
  if (config.backups === undefined) {
    throw new CellError(
      'CELL_CONFIG_INVALID',
      'a check reads with the role of backups: configure `backups`',
    );
  }
  const findings = new Findings();
  const limits = { workMsMax };
  const open = (file: string, statementTimeoutMs?: number): Database =>
    openDatabase({
      url: readSecretFile(file),
      poolSize: 2,
      applicationName: 'check',
      ...(statementTimeoutMs === undefined ? {} : { statementTimeoutMs }),
    });
  const reader = open(config.backups.urlFile, STATEMENT_MS_MAX);
  const keysDatabase = open(config.database.keysUrlFile);
  const cellDatabase = open(config.database.urlFile);
  try {
    const ports = await openKeys(config, keysDatabase);
    await inSnapshot(reader.pool, async (tx) => {
      const writes = new WritesByTenant(findings);
      const place = {
        cell: config.cell,
        epoch: config.ledger.epoch,
        verifierKey: toVerifierKey(config),
      };
      await checkLedger(tx, findings, place, (body) => writes.add(body));
      const tenants = await checkKeys(tx, findings, ports, limits);
      await checkAllRows(tx, findings, { cellId: config.cell, writes, tenants });
      await checkStates(tx, findings, limits);
    });
    await checkJobs(cellDatabase.pool, findings, limits);
  } finally {
    await Promise.all([reader.close(), keysDatabase.close(), cellDatabase.close()]);
  }
  return findings.toReport({ cell: config.cell, epoch: config.ledger.epoch });
}

function toVerifierKey({
  cell,
  ledger,
}: CellConfig): ReturnType<typeof createLogSigner>['verifierKey'] {
  const privateKey = createPrivateKey(readSecretFile(ledger.keyFile));
  return createLogSigner({ origin: toOrigin(cell, ledger.epoch), privateKey }).verifierKey;
}

async function openKeys(config: CellConfig, database: Database): Promise<KeyPorts> {
  const { customerKeys, custody: place, erasableStore, maxStalenessMs } = config.keyService;
  const files = config.keyService.identity ?? config.identity;
  const identity = openIdentity(files);
  identity.close();
  const ports = { clock: systemClock, random: createSystemRandom() };
  const erasable = await openErasableStore({
    replicas: erasableStore.replicas,
    clock: systemClock,
  });
  const custody = new Custody(
    {
      ...ports,
      cellId: config.cell,
      store: createPostgresKeyStateStore(database),
      rotations: createPostgresKeyRotationStore(database),
      requests: createPostgresKeyRequestStore(database),
      providers: openProviderRegistry({
        ...ports,
        own: customerKeys,
        files: new CustodyFiles(place?.directory),
        surroundings: { workload: identity.spiffeId, identity: files },
      }),
      stalenessMsMax: maxStalenessMs,
      erasable,
    },
    () => undefined,
  );
  await custody.load();
  return { cellId: config.cell, custody, erasable, live: database.pool };
}

async function inSnapshot(pool: Pool, work: (tx: PoolClient) => Promise<void>): Promise<void> {
  const tx = await pool.connect();
  let isBroken = true;
  try {
    await tx.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    await work(tx);
    await tx.query('COMMIT');
    isBroken = false;
  } finally {
    tx.release(isBroken);
  }
}
