// SPDX-License-Identifier: Apache-2.0
import { setTimeout as wait } from 'node:timers/promises';
import { type Decisions, unwrap, type WireFlow } from '@bailiwick/sdk';
import type { Stage } from './stage.ts';

/** The lawful flow of step 3, as a question. */
const FIGURES: WireFlow = {
  actor: {
    kind: 'person',
    role: 'analyst',
    employer: 'controller',
    assurance: 'high',
    place: 'de',
  },
  action: 'transfer',
  data: {
    class: 'restricted',
    categories: ['transactional'],
    regimes: ['gdpr'],
    origin: 'de',
    residency: 'eu-de',
  },
  form: 'aggregated',
  to: { kind: 'cell', id: 'us-va/main', location: 'us-va', operator: 'us' },
  purpose: 'statistics',
};

const WAIT_MS_MAX = 20_000;
const POLL_MS = 200;

/** Step 5: without the control plane cells serve on; once the law is stale, borders close. */
export async function tellStale(stage: Stage): Promise<void> {
  const { narrator, actors, system } = stage;
  narrator.step('The control plane is stopped');
  const shop = await actors.in('eu-de', 'shop-service');
  const first = await askFigures(stage);
  narrator.claim(first.outcome === 'allow', 'with fresh law the figures may go to Virginia');
  await system.stopControl();
  narrator.say('control plane stopped');
  const stoppedAt = performance.now();
  const stale = await until(stage, ({ outcome }) => outcome === 'deny');
  const seconds = ((performance.now() - stoppedAt) / 1000).toFixed(1);
  narrator.say(
    `after ${seconds} s: ${JSON.stringify({ outcome: stale.outcome, cause: stale.cause })}`,
  );
  narrator.claim(stale.cause === 'charter-stale', 'once policy is stale, the same flow is refused');
  const local = await narrator.ask({
    cell: shop,
    call: { method: 'POST', path: '/v1/collections/orders/searches', body: { pageSize: 1 } },
    show: (page: { readonly items?: readonly unknown[] }) => ({
      items: `${page.items?.length ?? 0} record(s)`,
    }),
  });
  narrator.claim(local.ok, 'the cell serves its own customers on');
  const written = await narrator.ask<{ readonly recordId: string; readonly version: number }>({
    cell: shop,
    call: {
      method: 'POST',
      path: '/v1/collections/orders/records',
      body: {
        id: 'while-control-is-away',
        subject: 'C000001',
        origin: 'de',
        fields: {
          placedOn: '2026-11-20',
          itemCount: 1,
          total: 1,
          currency: 'EUR',
          country: 'de',
          month: '2026-11',
        },
      },
    },
    show: ({ recordId, version }) => ({ recordId, version }),
  });
  narrator.claim(written.ok, 'and takes new orders');
  const { recordId, version } = unwrap(written);
  unwrap(await shop.collection('orders').delete(recordId, { version }));
  await system.startControl();
  narrator.say('control plane started again');
  await until(stage, ({ outcome }) => outcome === 'allow');
  const last = await askFigures(stage);
  narrator.claim(last.outcome === 'allow', 'borders open again');
}

async function askFigures({ narrator, actors }: Stage): Promise<Decisions['items'][number]> {
  const cell = await actors.in('eu-de', 'analyst');
  const answer = await narrator.ask<Decisions>({
    cell,
    call: { method: 'POST', path: '/v1/decisions', body: { flows: [FIGURES] } },
    show: ({ items }) => items.map(({ outcome, cause, rules }) => ({ outcome, cause, rules })),
  });
  const [decision] = unwrap(answer).items;
  if (decision === undefined) throw new Error('assertion failed: one decision for one flow');
  return decision;
}

async function until(
  { actors, narrator }: Stage,
  isReached: (decision: Decisions['items'][number]) => boolean,
): Promise<Decisions['items'][number]> {
  const cell = await actors.in('eu-de', 'analyst');
  const deadline = performance.now() + WAIT_MS_MAX;
  for (;;) {
    const [decision] = unwrap(await cell.decide([FIGURES])).items;
    if (decision !== undefined && isReached(decision)) return decision;
    narrator.insist(
      performance.now() < deadline,
      'freshness follows the control plane within seconds',
    );
    await wait(POLL_MS);
  }
}
