// SPDX-License-Identifier: Apache-2.0
// Once a day: a run for each tenant of this cell, by the cell's own clock and on no account's word.
import { addTask } from '../jobs/jobs.ts';
import type { CellRuntime } from '../runtime.ts';
import { acceptRun } from './routes.ts';

/** Accepts a run for every active tenant; one that cannot be accepted now has its turn tomorrow. */
export async function startDailyRuns(runtime: CellRuntime): Promise<void> {
  for (const { tenantId, state } of runtime.law.find()?.bundle.tenants ?? []) {
    if (state !== 'active') continue;
    try {
      await acceptRun(runtime, {
        ...{ tenantId, isDry: false },
        addJob: (tx, id) => addTask(tx, { kind: 'retention', tenantId, id }),
      });
    } catch (error) {
      runtime.log.error('a run of retention could not be accepted', { error });
    }
  }
}
