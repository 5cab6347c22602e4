// SPDX-License-Identifier: Apache-2.0
export {
  createPkcs11Provider,
  openPkcs11Keys,
  type Pkcs11Keys,
  type Pkcs11KeyVersion,
  type Pkcs11Options,
  type Pkcs11ProviderOptions,
} from './pkcs11-keys.ts';
export { findPkcs11Problem, findSoftHsmLibrary } from './presence.ts';
