// SPDX-License-Identifier: Apache-2.0
// Starts a new cell once, as it will run, and asks it what it is.
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { type Transport, unwrap } from '@bailiwick/sdk';
import type { Operator } from '../operator.ts';
import { type Child, startChild } from '../supervisor/child.ts';
import type { Blueprint } from './blueprint.ts';

const LAW_TIMEOUT_MS = 30_000;
const BACKUP_TIMEOUT_MS = 30_000;
const POLL_MS = 250;

/** One look at a new cell. */
export interface SelfTest {
  readonly what: string;
  readonly holds: boolean;
  readonly saw: string;
}

interface Health {
  readonly location: string;
  readonly hasCharter: boolean;
  readonly isFresh: boolean;
  readonly databaseMs: number;
}

/** Runs the self-tests; the processes are ended again. */
export async function testCell(options: {
  readonly blueprint: Blueprint;
  readonly directory: string;
  readonly configuration: string;
  readonly operator: Operator;
  readonly spiffeId: string;
}): Promise<readonly SelfTest[]> {
  const { blueprint, directory, configuration, operator, spiffeId } = options;
  const children: Child[] = [];
  const start = async (name: string, entry: string): Promise<void> => {
    const logFile = path.join(directory, 'logs', `${name}.out`);
    children.unshift(await startChild({ name, entry, configFile: configuration, logFile }));
  };
  try {
    await start('key-service', 'apps/cell/src/key-service/main.ts');
    await start('cell', 'apps/cell/src/main.ts');
    const internal = { host: blueprint.host, port: blueprint.ports.internal, spiffeId };
    return await look(operator.cell({ internal }), blueprint);
  } finally {
    for (const child of children) await child.stop();
  }
}

async function look(cell: Transport, blueprint: Blueprint): Promise<readonly SelfTest[]> {
  const tests: SelfTest[] = [
    { what: 'it starts, with its key service', holds: true, saw: 'ready' },
  ];
  const health = await awaitLaw(cell);
  tests.push({
    what: 'it stands where the blueprint says',
    holds: health.location === blueprint.jurisdiction,
    saw: health.location,
  });
  tests.push({
    what: 'it took the charter, which is fresh',
    holds: health.hasCharter && health.isFresh,
    saw: `charter ${health.hasCharter}, fresh ${health.isFresh}`,
  });
  tests.push({
    what: 'its database answers',
    holds: health.databaseMs < 1_000,
    saw: `${health.databaseMs} ms`,
  });
  tests.push(await tryBackup(cell));
  return tests;
}

async function awaitLaw(cell: Transport): Promise<Health> {
  const deadlineMs = performance.now() + LAW_TIMEOUT_MS;
  for (;;) {
    const health = unwrap(await cell.call<Health>({ method: 'GET', path: '/internal/v1/health' }));
    const isThere = health.hasCharter && health.isFresh;
    if (isThere || performance.now() > deadlineMs) return health;
    await wait(POLL_MS);
  }
}

async function tryBackup(cell: Transport): Promise<SelfTest> {
  const what = 'a backup is taken and read back';
  const deadlineMs = performance.now() + BACKUP_TIMEOUT_MS;
  for (;;) {
    const call = { method: 'POST', path: '/internal/v1/backups', body: { kind: 'full' } } as const;
    const answer = await cell.call<{ readonly backupId: string }>(call);
    if (answer.ok) return { what, holds: true, saw: answer.value.backupId };
    // The cell's own schedule was first.
    const isBusy = answer.problem.code === 'BACKUP_UNDER_WAY';
    if (!isBusy || performance.now() > deadlineMs) {
      return { what, holds: false, saw: answer.problem.code };
    }
    await wait(POLL_MS);
  }
}
