// SPDX-License-Identifier: Apache-2.0
// Which backups a restore needs, and which the store may forget.
import { BackupsError } from './errors.ts';
import type { BackupManifest } from './manifest.ts';

type Link = Pick<BackupManifest, 'backupId' | 'kind' | 'parent' | 'at'>;

/**
 * The backups that lead to a state, the full one first: the newest, or the newest not after `at`
 * (RFC 3339 in UTC).
 *
 * @throws {BackupsError} `BACKUPS_POINT_MISSING` when there is none, or a link of its chain is gone
 */
export function findChain<T extends Link>(
  manifests: readonly T[],
  options: { readonly at?: string } = {},
): readonly T[] {
  const { at } = options;
  const eligible = manifests.filter((one) => at === undefined || one.at <= at);
  let link = newestOf(eligible);
  const chain: T[] = [];
  while (link !== undefined) {
    chain.unshift(link);
    const { kind, parent, backupId } = link;
    if (kind === 'full') return chain;
    const before = manifests.find((one) => one.backupId === parent);
    if (before === undefined || chain.length > manifests.length) {
      throw new BackupsError('BACKUPS_POINT_MISSING', 'a link of the chain of backups is absent', {
        details: { backupId },
      });
    }
    link = before;
  }
  throw new BackupsError('BACKUPS_POINT_MISSING', 'there is no backup of that time');
}

/** The newest of some backups. */
export function newestOf<T extends Link>(manifests: readonly T[]): T | undefined {
  return manifests.reduce<T | undefined>(
    (newest, one) =>
      newest === undefined || one.at > newest.at || (one.at === newest.at && isAfter(one, newest))
        ? one
        : newest,
    undefined,
  );
}

const isAfter = (one: Link, other: Link): boolean => one.backupId > other.backupId;

/**
 * Backups whose term has ended and that no backup within its term still needs. The newest chain always
 * stays: a term never leaves a cell without a backup.
 */
export function listExpired<T extends Link & Pick<BackupManifest, 'retainUntil'>>(
  manifests: readonly T[],
  options: { readonly now: string },
): readonly T[] {
  const kept = new Set<string>();
  const keep = (one: T): void => {
    for (const link of findWholeChain(manifests, one)) kept.add(link.backupId);
  };
  for (const one of manifests) if (one.retainUntil > options.now) keep(one);
  const newest = newestOf(manifests);
  if (newest !== undefined) keep(newest);
  return manifests.filter(({ backupId }) => !kept.has(backupId));
}

/** As much of a chain as there is. */
function findWholeChain<T extends Link>(manifests: readonly T[], from: T): readonly T[] {
  const chain: T[] = [];
  let link: T | undefined = from;
  while (link !== undefined && chain.length <= manifests.length) {
    chain.push(link);
    const { parent } = link as T;
    link = parent === undefined ? undefined : manifests.find((one) => one.backupId === parent);
  }
  return chain;
}
