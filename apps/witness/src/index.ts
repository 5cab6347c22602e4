// SPDX-License-Identifier: Apache-2.0
export { loadWitnessConfig } from './config.ts';
export { WitnessError, type WitnessErrorCode } from './errors.ts';
export { openFileWitnessStore, prepareStateDirectory } from './file-store.ts';
export { type SeenLog, type SeenLogs, showWitness } from './show.ts';
export { openWitnessProcess, readCosigner, type WitnessProcess } from './witness-process.ts';
