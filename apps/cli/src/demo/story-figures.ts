// SPDX-License-Identifier: Apache-2.0
import { setTimeout as wait } from 'node:timers/promises';
import type { Delivery } from '@bailiwick/contracts';
import { type TransferAnswer, unwrap } from '@bailiwick/sdk';
import type { Stage } from './stage.ts';

const MINIMUM_COUNT = 10;
const WAIT_MS_MAX = 20_000;
const POLL_MS = 100;

/** Step 3: order counts and totals per country and month, to head office and to Virginia. */
export async function tellFigures(stage: Stage): Promise<void> {
  const { narrator } = stage;
  narrator.step(
    'A lawful flow: figures per country and month, to the control plane and to Virginia',
  );
  const toControl = await transfer(stage, { kind: 'control' });
  const toVirginia = await transfer(stage, { kind: 'cell', id: 'us-va/main' });
  await claimFigures(stage, toControl);
  await claimBothLedgers(stage, toVirginia);
}

async function transfer(
  { narrator, actors }: Stage,
  destination: { readonly kind: string; readonly id?: string },
): Promise<TransferAnswer> {
  const cell = await actors.in('eu-de', 'analyst');
  const created = await narrator.ask<TransferAnswer>({
    cell,
    call: {
      method: 'POST',
      path: '/v1/transfers',
      body: {
        kind: 'aggregate',
        selection: { collection: 'orders' },
        form: 'aggregated',
        destination,
        purpose: 'statistics',
        aggregate: {
          groupBy: ['country', 'month'],
          measures: ['total'],
          minimumCount: MINIMUM_COUNT,
        },
      },
    },
  });
  const { transferId } = unwrap(created);
  const deadline = performance.now() + WAIT_MS_MAX;
  for (;;) {
    const now = unwrap(await cell.transfers.get(transferId));
    if (now.state === 'completed') {
      await narrator.ask<TransferAnswer>({
        cell,
        call: { method: 'GET', path: `/v1/transfers/${transferId}` },
      });
      narrator.claim(
        true,
        `decided, transformed and executed to ${destination.id ?? destination.kind}`,
      );
      return now;
    }
    narrator.insist(
      now.state !== 'failed' && now.state !== 'refused' && performance.now() < deadline,
      `the transfer completes (it is \`${now.state}\`)`,
    );
    await wait(POLL_MS);
  }
}

/** What arrived at head office is what the generated orders add up to, small groups left out. */
async function claimFigures(
  { narrator, operator, loaded, tenant }: Stage,
  { transferId }: TransferAnswer,
): Promise<void> {
  const answer = await operator.control.call<{ readonly items: readonly Delivery[] }>({
    method: 'GET',
    path: '/v1/deliveries',
  });
  const delivery = narrator.demand(
    unwrap(answer).items.find(({ deliveryId }) => deliveryId === transferId),
    'the control plane holds the figures',
  );
  narrator.claim(delivery.tenantId === tenant, 'under the opaque id of the tenant');
  const expected = new Map<string, { count: number; total: number }>();
  for (const { order, residency } of loaded.housed) {
    if (residency !== 'eu-de') continue;
    const key = `${order.customer.country.slice(0, 2)} ${order.month}`;
    const group = expected.get(key) ?? { count: 0, total: 0 };
    group.count += 1;
    group.total += order.total;
    expected.set(key, group);
  }
  const large = [...expected].filter(([, { count }]) => count >= MINIMUM_COUNT);
  const sample = delivery.groups[0];
  narrator.say(
    `${delivery.groups.length} groups, for example ${JSON.stringify(sample ?? {})}; ${expected.size - large.length} were too small`,
  );
  narrator.claim(
    delivery.groups.every(({ count }) => count >= MINIMUM_COUNT),
    `no group is about fewer than ${MINIMUM_COUNT}`,
  );
  narrator.claim(
    delivery.groups.length > 0 && delivery.groups.length <= large.length,
    'no small group is among them',
  );
  narrator.claim(
    large.length < expected.size,
    'small ones there were: Iceland has too few orders in a month',
  );
  narrator.claim(
    delivery.groups.every(({ values, count, sums }) => {
      const group = expected.get(values.join(' '));
      const [sum = Number.NaN] = sums;
      return group?.count === count && Math.abs(group.total - sum) < 0.01 * count;
    }),
    'and each adds up to what was loaded',
  );
}

async function claimBothLedgers(
  { narrator, actors }: Stage,
  transfer: TransferAnswer,
): Promise<void> {
  const { entryId, remoteEntryId } = transfer;
  narrator.claim(
    typeof entryId === 'string' && typeof remoteEntryId === 'string',
    'the transfer names an entry in each ledger',
  );
  for (const [residency, entry] of [
    ['eu-de', entryId],
    ['us-va', remoteEntryId],
  ] as const) {
    const cell = await actors.in(residency, 'privacy-officer');
    const answer = await narrator.ask<{ readonly body?: Readonly<Record<string, unknown>> }>({
      cell,
      call: { method: 'GET', path: `/v1/entries/${entry}` },
      show: ({ body }) => ({ kind: body?.['kind'], at: body?.['at'] }),
    });
    narrator.claim(answer.ok, `it is on record in ${residency}`);
  }
}
