// SPDX-License-Identifier: Apache-2.0
export { createKeyDirectory, openFileProvider } from './file-provider.ts';
export { createRecovery, type Recovery, restoreKeys, writeRecovery } from './recovery.ts';
