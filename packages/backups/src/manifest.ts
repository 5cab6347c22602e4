// SPDX-License-Identifier: Apache-2.0
// What a backup says of itself. It lies in the store sealed under the backup key, like everything else.
import type { CellId } from '@bailiwick/kernel';
import { parseCellId } from '@bailiwick/kernel';
import { BackupsError } from './errors.ts';

export type BackupKind = 'full' | 'incremental';

/** `all`: every row of the table then; `changes`: rows written since the backup before. */
export type TableScope = 'all' | 'changes';

/** One table of a backup, in one object. */
export interface BackedUpTable {
  /** `schema.table` */
  readonly table: string;
  readonly columns: readonly string[];
  readonly scope: TableScope;
  readonly rowsCount: number;
  /** Empty for a table without rows, which has no object. */
  readonly object: string;
  readonly sizeBytes: number;
  /** Of the object as it lies in the store. */
  readonly sha256: string;
}

/** Stands for the object of a table without rows: nothing, and the SHA-256 of nothing. */
export const NO_OBJECT: Pick<BackedUpTable, 'object' | 'sizeBytes' | 'sha256'> = {
  object: '',
  sizeBytes: 0,
  sha256: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
};

/** Whether a table's rows lie in an object. */
export const hasObject = ({ object }: Pick<BackedUpTable, 'object'>): boolean => object !== '';

/** What a backup is made of. */
export interface BackupManifest {
  readonly v: 1;
  readonly cell: CellId;
  readonly backupId: string;
  readonly kind: BackupKind;
  /** The backup that an incremental one continues. */
  readonly parent?: string;
  /** RFC 3339: the instant whose state this is. */
  readonly at: string;
  readonly finishedAt: string;
  readonly retainUntil: string;
  /** PostgreSQL's name for what was visible: `xmin:xmax:xip`. */
  readonly snapshot: string;
  /** What the ledger's tree held then; entries in the inbox are not in it. */
  readonly ledger: { readonly epoch: number; readonly size: number };
  /** Migrations that the tables are shaped by: name and SHA-256. */
  readonly migrations: readonly (readonly [name: string, sha256: string])[];
  readonly sequences: readonly (readonly [name: string, lastValue: string])[];
  readonly tables: readonly BackedUpTable[];
  /** `cell.yaml` without its secrets, as JSON. */
  readonly configuration: unknown;
}

function refuse(problem: string): never {
  throw new BackupsError('BACKUPS_MANIFEST_INVALID', problem);
}

const isText = (value: unknown): value is string => typeof value === 'string';

function isTable(value: unknown): value is BackedUpTable {
  if (typeof value !== 'object' || value === null) return false;
  const table = value as Record<string, unknown>;
  return (
    isText(table['table']) &&
    /^[a-z_]+\.[a-z_0-9]+$/.test(table['table']) &&
    Array.isArray(table['columns']) &&
    table['columns'].every((name) => isText(name) && /^[a-z_][a-z0-9_]*$/.test(name)) &&
    (table['scope'] === 'all' || table['scope'] === 'changes') &&
    Number.isSafeInteger(table['rowsCount']) &&
    isText(table['object']) &&
    (table['object'] !== '' || table['rowsCount'] === 0) &&
    Number.isSafeInteger(table['sizeBytes']) &&
    isText(table['sha256']) &&
    /^[0-9a-f]{64}$/.test(table['sha256'])
  );
}

const isPairs = (value: unknown): boolean =>
  Array.isArray(value) &&
  value.every((pair) => Array.isArray(pair) && pair.length === 2 && pair.every(isText));

function isHead(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { epoch, size } = value as Record<string, unknown>;
  return Number.isSafeInteger(epoch) && Number.isSafeInteger(size) && Number(size) >= 0;
}

/**
 * Reads a manifest that has been opened.
 *
 * @throws {BackupsError} `BACKUPS_MANIFEST_INVALID`
 */
export function parseManifest(text: string): BackupManifest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refuse('the manifest is not JSON');
  }
  if (typeof value !== 'object' || value === null) return refuse('the manifest is no object');
  const manifest = value as Record<string, unknown>;
  if (manifest['v'] !== 1) refuse('the manifest is of a version that is not known here');
  const texts = ['cell', 'backupId', 'at', 'finishedAt', 'retainUntil', 'snapshot'];
  if (!texts.every((name) => isText(manifest[name]))) refuse('the manifest lacks a field');
  const { kind, parent, tables } = manifest;
  const isChained = kind === 'full' ? parent === undefined : isText(parent);
  if ((kind !== 'full' && kind !== 'incremental') || !isChained) refuse('no such kind of backup');
  if (!Array.isArray(tables) || !tables.every(isTable)) refuse('a table is not described');
  if (!/^\d+:\d+:(?:\d+(?:,\d+)*)?$/.test(String(manifest['snapshot']))) refuse('no snapshot');
  if (!isHead(manifest['ledger'])) refuse('the manifest has no size of the ledger');
  if (!isPairs(manifest['migrations']) || !isPairs(manifest['sequences'])) refuse('not of pairs');
  parseCellId(String(manifest['cell']));
  return value as BackupManifest;
}
