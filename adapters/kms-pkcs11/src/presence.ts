// SPDX-License-Identifier: Apache-2.0
// What this adapter needs on the machine and may not find: the native module, which a set-up without a
// compiler does not build, and a PKCS#11 library.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const SOFTHSM_PATHS = [
  '/usr/lib/softhsm/libsofthsm2.so',
  '/usr/lib64/softhsm/libsofthsm2.so',
  '/usr/lib64/pkcs11/libsofthsm2.so',
  '/usr/local/lib/softhsm/libsofthsm2.so',
  '/opt/homebrew/lib/softhsm/libsofthsm2.so',
];

/** SoftHSM's library where packages put it. */
export function findSoftHsmLibrary(): string | undefined {
  return SOFTHSM_PATHS.find((file) => existsSync(file));
}

/** Why this adapter cannot work on this machine, in words; undefined when it can. Loads nothing. */
export function findPkcs11Problem(): string | undefined {
  try {
    const folder = path.dirname(createRequire(import.meta.url).resolve('pkcs11js/package.json'));
    if (existsSync(path.join(folder, 'build/Release/pkcs11.node'))) return undefined;
  } catch {
    // Not installed at all: the same answer.
  }
  return 'native module `pkcs11js` is not built: run the set-up again where a C++ compiler is';
}
