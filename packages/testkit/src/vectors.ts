// SPDX-License-Identifier: Apache-2.0
// Public test vectors. They lie beside the checkout and are not copied into it.
import { readFileSync } from 'node:fs';
import path from 'node:path';

const FOLDER = path.resolve(import.meta.dirname, '../../../../shared/vectors');

/** Reads a file of vectors as JSON: `wycheproof/aes_gcm_test.json`. `T` is what the caller says it is. */
export function parseVectors<T>(name: string): T {
  return JSON.parse(readFileSync(path.join(FOLDER, name), 'utf8')) as T;
}
