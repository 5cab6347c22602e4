// SPDX-License-Identifier: Apache-2.0
// Reads a backup back as a restore would: every object is there, is the one that was written, opens under
// the backup key to its last frame, and has as many rows as the manifest says.
import { createHash } from 'node:crypto';
import { type BackupManifest, BackupsError, hasObject, type ObjectStore } from '@bailiwick/backups';
import { countRows } from './copy-rows.ts';
import type { BackupVault } from './sealed-object.ts';

export interface VerifiedBackup {
  readonly backupId: string;
  readonly tablesCount: number;
  readonly rowsCount: number;
  readonly sizeBytes: number;
}

/** @throws {BackupsError} `BACKUPS_OBJECT_MISSING`, `BACKUPS_OBJECT_DAMAGED` */
export async function verifyBackup(
  vault: BackupVault,
  manifest: BackupManifest,
): Promise<VerifiedBackup> {
  let rowsCount = 0;
  let sizeBytes = 0;
  for (const table of manifest.tables.filter(hasObject)) {
    const refuse = (problem: string): never => {
      throw new BackupsError('BACKUPS_OBJECT_DAMAGED', problem, {
        details: { object: table.object },
      });
    };
    const digest = createHash('sha256');
    const counted = await countRows(openHashing(vault, digest).read(table.object));
    if (counted !== table.rowsCount) refuse('the object has another number of rows');
    if (digest.digest('hex') !== table.sha256) refuse('the object is not the one of the manifest');
    rowsCount += counted;
    sizeBytes += table.sizeBytes;
  }
  const { backupId, tables } = manifest;
  return { backupId, tablesCount: tables.length, rowsCount, sizeBytes };
}

/** The same vault, which also hashes what it reads from the store. */
function openHashing(vault: BackupVault, digest: ReturnType<typeof createHash>): BackupVault {
  const { store } = vault;
  const hashing: ObjectStore = {
    kind: store.kind,
    put: (name, content, options) => store.put(name, content, options),
    list: (prefix) => store.list(prefix),
    remove: (name, options) => store.remove(name, options),
    async *read(name) {
      for await (const chunk of store.read(name)) {
        digest.update(chunk);
        yield chunk;
      }
    },
  };
  return vault.over(hashing);
}
