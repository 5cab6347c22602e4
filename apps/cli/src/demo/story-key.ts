// SPDX-License-Identifier: Apache-2.0
import { type KeyChange, unwrap } from '@bailiwick/sdk';
import { DEMO_SEED, generateCustomers } from './generate.ts';
import type { Stage } from './stage.ts';
import { NEIGHBOUR } from './tenancies.ts';

const SEARCH = '/v1/collections/customers/searches';

/** Step 4: the customer's switch. Off means off for this tenant here, and for nobody else. */
export async function tellKey(stage: Stage): Promise<void> {
  const { narrator, actors } = stage;
  narrator.step('The customer’s key in eu-de is disabled, and enabled again');
  const shop = await actors.in('eu-de', 'shop-service');
  const officer = await actors.in('eu-de', 'security-officer');
  const before = await narrator.ask({
    cell: shop,
    call: { method: 'POST', path: SEARCH, body: { pageSize: 1 } },
    show: toCount,
  });
  narrator.claim(before.ok, 'the shop reads its customers');
  const { items } = unwrap(await officer.keys.list());
  const key = narrator.demand(
    items.find(({ kind }) => kind === 'customer-key'),
    'the security officer sees the key at the top',
  );
  const switched = await turn(stage, key.keyId, 'disablements');
  narrator.claim(switched, 'the disable is accepted');
  await claimClosed(stage);
  await claimOthersGoOn(stage);
  const enabled = await turn(stage, key.keyId, 'enablements');
  narrator.claim(enabled, 'the enable is accepted');
  const after = await narrator.ask({
    cell: shop,
    call: { method: 'POST', path: SEARCH, body: { pageSize: 1 } },
    options: { deadlineMs: 5_000 },
    show: toCount,
  });
  narrator.claim(after.ok, 'all is back');
}

const toCount = (page: { readonly items?: readonly unknown[] }): unknown => ({
  items: `${page.items?.length ?? 0} record(s)`,
});

async function turn(
  { narrator, actors }: Stage,
  keyId: string,
  action: 'disablements' | 'enablements',
): Promise<boolean> {
  const officer = await actors.in('eu-de', 'security-officer');
  const answer = await narrator.ask<KeyChange>({
    cell: officer,
    call: { method: 'POST', path: `/v1/keys/${keyId}/${action}`, body: {} },
    options: { deadlineMs: 10_000 },
    show: ({ state, acceptedAt, effectiveAt, receipts }) => ({
      state,
      acceptedAt,
      effectiveAt,
      receipts: `${receipts.length} signed`,
    }),
  });
  return answer.ok;
}

async function claimClosed({ narrator, actors }: Stage): Promise<void> {
  const cell = await actors.in('eu-de', 'shop-service');
  const options = { deadlineMs: 3_000 };
  const read = await narrator.ask({
    cell,
    call: { method: 'POST', path: SEARCH, body: { pageSize: 1 } },
    options,
  });
  narrator.claim(
    !read.ok && read.problem.code === 'KEYS_CUSTOMER_KEY_DISABLED',
    'reads fail closed, and the problem says why',
  );
  const [customer] = generateCustomers({ seed: DEMO_SEED, customersCount: 1 });
  const write = await narrator.ask({
    cell,
    call: {
      method: 'POST',
      path: '/v1/collections/customers/records',
      body: {
        id: 'key-is-off',
        subject: 'key-is-off',
        origin: 'de',
        fields: {
          name: 'Niemand',
          email: 'niemand@post.example',
          country: customer?.country ?? 'de',
        },
      },
    },
    options,
  });
  narrator.claim(!write.ok && write.problem.status === 423, 'so do writes');
}

async function claimOthersGoOn({ narrator, actors }: Stage): Promise<void> {
  const neighbour = await actors.in('eu-de', 'shop-service', NEIGHBOUR);
  const theirs = await narrator.ask<{ readonly items?: readonly unknown[] }>({
    cell: neighbour,
    call: { method: 'POST', path: SEARCH, body: { pageSize: 1 } },
    show: toCount,
  });
  narrator.claim(
    theirs.ok && (theirs.value.items?.length ?? 0) > 0,
    'the other tenant of the same cell goes on',
  );
  const elsewhere = await actors.in('uk-lon', 'shop-service');
  const other = await narrator.ask({
    cell: elsewhere,
    call: { method: 'POST', path: SEARCH, body: { pageSize: 1 } },
    show: toCount,
  });
  narrator.claim(other.ok, 'and so does this tenant in its other cells');
}
