// SPDX-License-Identifier: Apache-2.0
// The backups that a store holds, by their manifests.
import {
  type BackupManifest,
  BackupsError,
  parseManifest,
  toManifestName,
} from '@bailiwick/backups';
import type { CellId } from '@bailiwick/kernel';
import type { BackupVault } from './sealed-object.ts';

/** Reads one manifest. @throws {BackupsError} `BACKUPS_OBJECT_MISSING`, `BACKUPS_MANIFEST_INVALID` */
export async function readManifest(
  vault: BackupVault,
  cellId: CellId,
  backupId: string,
): Promise<BackupManifest> {
  const text = (await vault.readAll(toManifestName(backupId))).toString('utf8');
  const manifest = parseManifest(text);
  if (manifest.cell === cellId && manifest.backupId === backupId) return manifest;
  throw new BackupsError('BACKUPS_MANIFEST_INVALID', 'the manifest is of another cell or backup');
}

/** All manifests, oldest first. @throws {BackupsError} when one of them is not what was written */
export async function listManifests(
  vault: BackupVault,
  cellId: CellId,
): Promise<readonly BackupManifest[]> {
  const objects = await vault.store.list('manifests/');
  const manifests: BackupManifest[] = [];
  for (const { name } of objects) {
    manifests.push(await readManifest(vault, cellId, name.slice('manifests/'.length)));
  }
  return manifests;
}
