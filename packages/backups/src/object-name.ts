// SPDX-License-Identifier: Apache-2.0
// Names of objects. They hold ids, instants and numbers, never a personal value (invariant 7), and no part
// of one can step out of the store's place.
import { BackupsError } from './errors.ts';

const NAME_LENGTH_MAX = 255;
const NAME = /^[a-z0-9][a-z0-9._-]*(?:\/[a-z0-9][a-z0-9._-]*){0,7}$/;

/** @throws {BackupsError} `BACKUPS_NAME_INVALID` */
export function parseObjectName(text: string): string {
  if (text.length <= NAME_LENGTH_MAX && NAME.test(text) && !text.includes('..')) return text;
  throw new BackupsError(
    'BACKUPS_NAME_INVALID',
    'expected parts of lower-case letters, digits, dots and dashes, with slashes between them',
  );
}

/** Where a manifest lies: its instant first, so that names are in the order of time. */
export function toManifestName(backupId: string): string {
  return `manifests/${backupId}`;
}

const DIGITS = 16;

/** Where a piece of the ledger lies: entries from `first` up to, not including, `end`. */
export function toSegmentName(piece: {
  readonly epoch: number;
  readonly first: number;
  readonly end: number;
}): string {
  const pad = (value: number): string => String(value).padStart(DIGITS, '0');
  return `ledger/${piece.epoch}/${pad(piece.first)}-${pad(piece.end)}`;
}

/** Reads the name of a piece of the ledger; `undefined` for any other object. */
export function findSegment(
  name: string,
): { readonly epoch: number; readonly first: number; readonly end: number } | undefined {
  const found = /^ledger\/(\d{1,9})\/(\d{16})-(\d{16})$/.exec(name);
  if (found === null) return undefined;
  const [epoch = 0, first = 0, end = 0] = found.slice(1).map(Number);
  return end > first ? { epoch, first, end } : undefined;
}
