// SPDX-License-Identifier: Apache-2.0
export { type AzureKeysOptions, openAzureKeysProvider } from './azure-keys.ts';
