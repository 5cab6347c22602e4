// SPDX-License-Identifier: Apache-2.0
// The story: six things that this system does and others only say. Each step asks the running system and
// checks what comes back.
import type { Stage } from './stage.ts';
import { tellFigures } from './story-figures.ts';
import { tellForbidden } from './story-forbidden.ts';
import { tellHomes } from './story-homes.ts';
import { tellKey } from './story-key.ts';
import { tellLedger } from './story-ledger.ts';
import { tellStale } from './story-stale.ts';

/** Tells all six steps; the first that does not do what it says throws. */
export async function tellStory(stage: Stage): Promise<void> {
  await tellHomes(stage);
  await tellForbidden(stage);
  await tellFigures(stage);
  await tellKey(stage);
  await tellStale(stage);
  await tellLedger(stage);
}
