// SPDX-License-Identifier: Apache-2.0
// The last good bundle, in the cell's state directory: written whole or not at all.
import { open, readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { CellError } from '../errors.ts';
import { type Departed, NOBODY_DEPARTED } from './departed.ts';

export interface StoredLaw {
  /** DSSE envelope of the bundle. */
  readonly envelope: unknown;
  /** Keys that may sign the next one. */
  readonly bundleKeys: readonly string[];
  /** Tenants and homes that it does not name any more. */
  readonly departed?: Departed;
}

export interface LawStore {
  read(): Promise<StoredLaw | undefined>;
  write(law: StoredLaw): Promise<void>;
}

const FILE = 'law.json';

/** Keeps the law in a directory that exists. */
export function createLawStore(directory: string): LawStore {
  const file = path.join(directory, FILE);
  return {
    async read() {
      let text: string;
      try {
        text = await readFile(file, 'utf8');
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
        throw new CellError('CELL_STATE_MISSING', 'the stored bundle cannot be read', {
          cause: error,
        });
      }
      return parseStoredLaw(text);
    },
    async write(law) {
      const next = `${file}.next`;
      const handle = await open(next, 'w', 0o600);
      try {
        await handle.writeFile(JSON.stringify(law));
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(next, file);
      const folder = await open(directory, 'r');
      try {
        await folder.sync();
      } finally {
        await folder.close();
      }
    },
  };
}

function parseStoredLaw(text: string): StoredLaw {
  try {
    const value = JSON.parse(text) as Partial<StoredLaw>;
    const { envelope, bundleKeys, departed = NOBODY_DEPARTED } = value;
    const isRemembered = Array.isArray(departed.tenants) && Array.isArray(departed.homes);
    if (
      isRemembered &&
      Array.isArray(bundleKeys) &&
      bundleKeys.every((key) => typeof key === 'string')
    ) {
      return { envelope, bundleKeys, departed };
    }
  } catch {
    // Told below: a file that is not JSON and one of another shape are the same trouble.
  }
  throw new CellError('CELL_STATE_MISSING', 'the stored bundle is damaged');
}
