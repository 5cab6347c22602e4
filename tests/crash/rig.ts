// SPDX-License-Identifier: Apache-2.0
// A small system of real processes that is kept alive: whatever ends is started again, as a service manager
// would. The supervisor is this process, so that a test knows every process by its id.
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Operator, openOperator } from '../../apps/cli/src/operator.ts';
import {
  awaitAnnouncedKeys,
  prepareTenancies,
  putCharter,
  registerCells,
  toDemoCharter,
} from '../../apps/cli/src/supervisor/bootstrap.ts';
import { toIdentityFiles } from '../../apps/cli/src/supervisor/identities.ts';
import { createLayout } from '../../apps/cli/src/supervisor/layout.ts';
import { type System, startSystem } from '../../apps/cli/src/supervisor/system.ts';
import { ROOT } from '../system/command.ts';
import { findFirstPort } from '../system/ports.ts';
import { openSystem, type SharedSystem } from '../system/shared.ts';

/** Two cells are enough for what happens between cells. */
export const RIG_RESIDENCIES: readonly ['eu-de', 'uk-lon'] = ['eu-de', 'uk-lon'];
export type RigResidency = (typeof RIG_RESIDENCIES)[number];

export interface Rig {
  readonly system: SharedSystem;
  readonly supervisor: System;
  readonly operator: Operator;
  /** Configuration of a cell, for a check. */
  cellConfig(residency: RigResidency): string;
  stop(): Promise<void>;
}

/** Starts control plane, router and two cells, with law and no tenant but the one that accounts need. */
export async function startRig(): Promise<Rig> {
  const folder = mkdtempSync(path.join(tmpdir(), 'bailiwick-crash-'));
  chmodSync(folder, 0o711); // the account of the database server passes through
  const state = path.join(folder, 'state');
  const port = await findFirstPort();
  const layout = createLayout({ state, firstPort: port, residencies: RIG_RESIDENCIES });
  const supervisor = await startSystem({ layout, isKeptAlive: true }).catch((error: unknown) => {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  });
  const operator = openOperator({
    identity: toIdentityFiles(layout.operator.directory),
    control: { host: '127.0.0.1', port: layout.control.port, spiffeId: layout.control.spiffeId },
  });
  const stop = async (): Promise<void> => {
    await operator.close();
    await supervisor.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await registerCells(supervisor, operator);
    const charter = toDemoCharter(path.join(ROOT, 'charters', 'retailer.yaml'));
    await putCharter(supervisor, operator, charter);
    await prepareTenancies(supervisor, operator, []);
    await awaitAnnouncedKeys(operator);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    system: openSystem({ state, port, story: '', pid: process.pid }),
    supervisor,
    operator,
    cellConfig: (residency) => path.join(state, 'cells', residency, 'cell.yaml'),
    stop,
  };
}
