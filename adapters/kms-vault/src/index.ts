// SPDX-License-Identifier: Apache-2.0
export {
  openVaultProvider,
  type VaultAuth,
  type VaultOptions,
  type VaultProvider,
} from './vault-keys.ts';
