// SPDX-License-Identifier: Apache-2.0
// A cell's database and processes are gone. What was acknowledged before the last backup is there again, who was
// erased is not, and the other cells never noticed.
import { mkdirSync, renameSync } from 'node:fs';
import path from 'node:path';
import { unwrap } from '@bailiwick/sdk';
import type { DrillStage } from 'bailiwick/drill-stage';
import { findCustomer, othersGoOn, readCustomers, until, wordOf, writeCustomer } from './ask.ts';
import type { Recorder } from './record.ts';

const CELL = 'eu-de';
const BACKUP_MS = 60_000;

function planOf(stage: DrillStage): DrillStage['layout']['cells'][number] {
  const plan = stage.layout.cells.find(({ residency }) => residency === CELL);
  if (plan === undefined) throw new Error('there is no such cell');
  return plan;
}

async function backUp(stage: DrillStage, kind: 'full' | 'incremental'): Promise<number> {
  const { ports, spiffeId } = planOf(stage);
  const internal = { host: '127.0.0.1', port: ports.internal, spiffeId };
  const call = { method: 'POST', path: '/internal/v1/backups', body: { kind } } as const;
  const taken = unwrap(
    await stage.operator
      .cell({ internal })
      .call<{ readonly rowsCount: number }>({ ...call, deadlineMs: BACKUP_MS }),
  );
  return taken.rowsCount;
}

/** Waits until whoever asked has a moment to think: a schedule may be at work. */
async function backUpPatiently(stage: DrillStage, kind: 'full' | 'incremental'): Promise<number> {
  let rows = 0;
  await until(
    async () => {
      try {
        rows = await backUp(stage, kind);
        return 'taken';
      } catch (error) {
        return error instanceof Error ? error.message : 'failed';
      }
    },
    (word) => word === 'taken',
    30_000,
  );
  return rows;
}

async function loseAndRestore(stage: DrillStage, recorder: Recorder): Promise<void> {
  const { directory } = planOf(stage);
  await stage.system.loseCell(CELL);
  renameSync(path.join(directory, 'postgres'), path.join(directory, `postgres.lost-${Date.now()}`));
  renameSync(path.join(directory, 'state'), path.join(directory, `state.lost-${Date.now()}`));
  recorder.did(`${CELL}: cell and key service killed, the disk of database and state gone`);
  const stopped = await othersGoOn(stage, { except: CELL });
  recorder.saw('every other cell goes on', stopped.length === 0);
  const down = await wordOf(readCustomers(await stage.actors.in(CELL, 'shop-service'), 1_000));
  recorder.saw(`${CELL} answers nobody: ${down}`, down !== 'allowed');
  const startedMs = performance.now();
  makeState(directory);
  await stage.system.startCell(CELL, async (ownerUrl) => {
    const report = await stage.restore(CELL, ownerUrl);
    recorder.did(
      `restored ${report.rowsCount} records as of ${report.backupAt}, replayed ${report.erasuresCount} erasures`,
    );
    recorder.figure('records-restored', report.rowsCount);
    recorder.figure('erasures-replayed', report.erasuresCount);
  });
  const shop = await stage.actors.in(CELL, 'shop-service');
  const back = await until(
    () => wordOf(readCustomers(shop)),
    (word) => word === 'allowed',
    60_000,
  );
  recorder.saw(`${CELL} serves again: ${back.word}`, back.isSo);
  recorder.figure('recovery-ms', Math.round(performance.now() - startedMs));
}

function makeState(directory: string): void {
  mkdirSync(path.join(directory, 'state'), { mode: 0o700 });
}

/** The machine of a cell burns. */
export async function drillCellLost(stage: DrillStage, recorder: Recorder): Promise<void> {
  const shop = await stage.actors.in(CELL, 'shop-service');
  unwrap(await writeCustomer(shop, 'before-the-backup'));
  recorder.did(`a backup of ${await backUpPatiently(stage, 'full')} rows was taken`);
  unwrap(await writeCustomer(shop, 'after-the-backup'));
  await loseAndRestore(stage, recorder);
  const kept = unwrap(await findCustomer(shop, 'before-the-backup@drill.example')).items.length;
  recorder.saw('a write from before the backup is there, found by its index', kept === 1);
  const lost = unwrap(await findCustomer(shop, 'after-the-backup@drill.example')).items.length;
  recorder.figure('writes-lost-since-the-backup', 1 - lost);
  const written = await wordOf(writeCustomer(shop, 'after-the-restore'));
  recorder.saw(`it takes writes: ${written}`, written === 'allowed');
}

/** Somebody is erased after the backup that is restored. */
export async function drillRestore(stage: DrillStage, recorder: Recorder): Promise<void> {
  const shop = await stage.actors.in(CELL, 'shop-service');
  for (const id of ['stays', 'goes']) unwrap(await writeCustomer(shop, id));
  recorder.did(`a backup of ${await backUpPatiently(stage, 'full')} rows was taken`);
  unwrap(await shop.erasures.create('goes'));
  recorder.did('a person was erased');
  // A checkpoint that covers the erasure is cosigned within two rounds; then the witnesses know of it.
  await until(
    async () => '',
    () => false,
    3_000,
  );
  await loseAndRestore(stage, recorder);
  const gone = unwrap(await findCustomer(shop, 'goes@drill.example')).items.length;
  recorder.saw('who was erased is not found', gone === 0);
  const page = unwrap(await readCustomers(shop));
  const isNowhere = !JSON.stringify(page).includes('goes@drill.example');
  recorder.saw('nor in any page of records', isNowhere);
  const stays = unwrap(await findCustomer(shop, 'stays@drill.example')).items.length;
  recorder.saw('who stayed, under a wrap that the erasure wrote anew, is read', stays === 1);
  const restored = unwrap(await shop.ledger.check({ deadlineMs: 60_000 }));
  recorder.saw(
    `rows and ledger agree but for what was lost (${restored.problems.length} rows differ)`,
    restored.problems.length <= 10,
  );
}
