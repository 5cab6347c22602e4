// SPDX-License-Identifier: Apache-2.0
// One restore from its configuration: what `main.ts` runs, and tests run in their own process.
import type { CellConfig } from '@bailiwick/contracts';
import type { Clock, Random } from '@bailiwick/kernel';
import { openDirectoryStore } from '@bailiwick/object-store';
import { openVault, readBackupKey } from '../backups/sealed-object.ts';
import { CellError } from '../errors.ts';
import { verifyForce } from './force.ts';
import { type RestoreReport, runRestore } from './run-restore.ts';

export interface RestoreCellOptions {
  readonly config: CellConfig;
  readonly clock: Clock;
  readonly random: Random;
  readonly ownerUrl: string;
  readonly at?: string;
  readonly isReplayOnly?: boolean;
  /** Envelopes of `ApprovalStatement` about this restore: then witnesses are not asked. */
  readonly approvals?: readonly unknown[];
}

/**
 * Restores a cell's database. The cell must not run over it meanwhile.
 *
 * @throws {CellError} `RESTORE_TARGET_INVALID`, `RESTORE_LIST_WITHHELD`, `RESTORE_APPROVAL_INVALID`
 */
export async function restoreCell(options: RestoreCellOptions): Promise<RestoreReport> {
  const { config, clock, random, ownerUrl, approvals } = options;
  const { backups } = config;
  if (backups === undefined) {
    throw new CellError('CELL_CONFIG_INVALID', '`backups` must say where they are');
  }
  const store = await openDirectoryStore({ directory: backups.store.directory });
  const vault = openVault({ store, key: readBackupKey(backups.keyFile), cellId: config.cell });
  return runRestore(
    { config, clock, random, vault, ownerUrl },
    {
      ...(options.at === undefined ? {} : { at: options.at }),
      ...(options.isReplayOnly === true ? { isReplayOnly: true } : {}),
      ...(approvals === undefined ? {} : { force: (head) => verifyForce(config, head, approvals) }),
    },
  );
}
