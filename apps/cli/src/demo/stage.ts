// SPDX-License-Identifier: Apache-2.0
import type { Operator } from '../operator.ts';
import type { System } from '../supervisor/system.ts';
import type { Actors } from './actors.ts';
import type { Loaded } from './load.ts';
import type { Narrator } from './narrator.ts';

/** Everything that a step of the story may use. */
export interface Stage {
  readonly narrator: Narrator;
  readonly actors: Actors;
  readonly operator: Operator;
  readonly system: System;
  readonly loaded: Loaded;
  /** The retailer's tenant id. */
  readonly tenant: string;
}
