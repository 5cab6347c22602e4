// SPDX-License-Identifier: Apache-2.0
export { type CellWitnesses, openCellWitnesses, toWitnessName } from './cell-witnesses.ts';
export type { CosignedCheckpoint } from './cosigned-store.ts';
export { registerInternalWitnessRoutes, registerWitnessRoutes } from './routes.ts';
export type { RoundsState, WitnessRounds, WitnessStanding } from './witness-rounds.ts';
