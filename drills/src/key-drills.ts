// SPDX-License-Identifier: Apache-2.0
// The customer's key: revoked, and not to be had.
import { renameSync } from 'node:fs';
import path from 'node:path';
import { verifyStatement } from '@bailiwick/keys';
import { unwrap } from '@bailiwick/sdk';
import { type DrillStage, NEIGHBOUR } from 'bailiwick/drill-stage';
import { othersGoOn, readCustomers, until, wordOf, writeCustomer } from './ask.ts';
import type { Recorder } from './record.ts';

const CELL = 'eu-de';

/** The customer disables its key: nothing of its own opens any more, nobody else notices. */
export async function drillKeyRevoked(stage: DrillStage, recorder: Recorder): Promise<void> {
  const shop = await stage.actors.in(CELL, 'shop-service');
  const officer = await stage.actors.in(CELL, 'security-officer');
  const { items } = unwrap(await officer.keys.list());
  const key = items.find(({ kind }) => kind === 'customer-key');
  if (key === undefined) throw new Error('the tenant has no customer key');
  recorder.saw('the shop reads before', (await wordOf(readCustomers(shop))) === 'allowed');
  const startedMs = performance.now();
  const change = unwrap(await officer.keys.disable(key.keyId));
  recorder.did(`the security officer disabled the customer key in ${CELL}`);
  recorder.figure('revocation-ms', Math.round(performance.now() - startedMs));
  const read = await wordOf(readCustomers(shop));
  recorder.saw(`a read is refused: ${read}`, read === '423 KEYS_CUSTOMER_KEY_DISABLED');
  const write = await wordOf(writeCustomer(shop, 'while-revoked'));
  recorder.saw(`a write is refused: ${write}`, write.startsWith('423'));
  const proven = change.receipts.filter((receipt) => {
    try {
      verifyStatement(receipt, [receipt.publicKey]);
      return true;
    } catch {
      return false;
    }
  });
  recorder.saw(
    `${proven.length} of ${change.receipts.length} receipts verify`,
    proven.length > 0 && proven.length === change.receipts.length,
  );
  const neighbour = await wordOf(
    readCustomers(await stage.actors.in(CELL, 'shop-service', NEIGHBOUR)),
  );
  recorder.saw('the other tenant of the cell reads on', neighbour === 'allowed');
  const stopped = await othersGoOn(stage, { except: CELL });
  recorder.saw('the tenant’s other cells go on', stopped.length === 0);
  unwrap(await officer.keys.enable(key.keyId));
  recorder.did('the security officer enabled the key');
  const back = await until(
    () => wordOf(readCustomers(shop)),
    (word) => word === 'allowed',
    10_000,
  );
  recorder.saw(`the shop reads again after ${back.ms} ms`, back.isSo);
}

/** The provider of customer keys is gone: no other key is used, and no longer than the staleness. */
export async function drillKeyOutage(stage: DrillStage, recorder: Recorder): Promise<void> {
  const plan = stage.layout.cells.find(({ residency }) => residency === CELL);
  if (plan === undefined) throw new Error('there is no such cell');
  const shop = await stage.actors.in(CELL, 'shop-service');
  recorder.saw('the shop reads before', (await wordOf(readCustomers(shop))) === 'allowed');
  const keys = path.join(plan.directory, 'keys');
  renameSync(keys, `${keys}.away`);
  recorder.did(`the directory of customer keys of ${CELL} was taken away`);
  try {
    const closed = await until(
      () => wordOf(readCustomers(shop)),
      (word) => word !== 'allowed',
      90_000,
    );
    recorder.saw(`reads fail closed after ${closed.ms} ms: ${closed.word}`, closed.isSo);
    recorder.figure('closed-after-ms', closed.ms);
    const stopped = await othersGoOn(stage, { except: CELL });
    recorder.saw('other cells go on', stopped.length === 0);
  } finally {
    renameSync(`${keys}.away`, keys);
    recorder.did('the directory was put back');
  }
  const back = await until(
    () => wordOf(readCustomers(shop)),
    (word) => word === 'allowed',
    30_000,
  );
  recorder.saw(`the shop reads again after ${back.ms} ms, without anybody’s help`, back.isSo);
}
