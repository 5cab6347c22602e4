// SPDX-License-Identifier: Apache-2.0
// What erasures stand on.
import type { PoolClient } from 'pg';
import type { CellSecrets } from '../cell-secrets.ts';
import type { KeyAdministration } from '../key-service/api.ts';
import type { CellServices } from '../services.ts';
import type { StandingServices } from '../subjects/change-standing.ts';
import type { CellStandings } from '../subjects/standings.ts';
import type { ErasurePlace, ErasureStep } from './erasure-store.ts';

export type ErasureServices = CellServices &
  StandingServices & {
    readonly standings: CellStandings;
    readonly secrets: Pick<CellSecrets, 'keyId' | 'signingKey'>;
    readonly administration: Pick<KeyAdministration, 'eraseSubject'>;
    /** Adds the job that takes the erasure up, should this process not end it. */
    readonly addErasureJob?: (tx: PoolClient, place: ErasurePlace) => Promise<void>;
    /** Told before each step; what it throws ends the work there, as a crash would. */
    readonly onErasureStep?: (step: ErasureStep) => void;
  };
