// SPDX-License-Identifier: Apache-2.0
import { type Decisions, unwrap, type WireFlow } from '@bailiwick/sdk';
import type { Stage } from './stage.ts';

/** What the analyst would like: German customers' e-mail addresses in Virginia. */
const WISH: WireFlow = {
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
    categories: ['contact'],
    regimes: ['gdpr'],
    origin: 'de',
    residency: 'eu-de',
  },
  form: 'plain',
  to: { kind: 'cell', id: 'us-va/main', location: 'us-va', operator: 'us' },
  purpose: 'analytics',
};

/** Step 2: a forbidden flow is denied, with rules, sources and what would be allowed. */
export async function tellForbidden({ narrator, actors }: Stage): Promise<void> {
  narrator.step('A forbidden flow: German customers’ e-mails to Virginia, for analytics');
  const cell = await actors.in('eu-de', 'analyst');
  const asked = await narrator.ask<Decisions>({
    cell,
    call: { method: 'POST', path: '/v1/decisions', body: { flows: [WISH] } },
    show: ({ items }) => items.map(({ outcome, cause, rules }) => ({ outcome, cause, rules })),
  });
  const decision = narrator.demand(unwrap(asked).items[0], 'the cell gives a decision');
  for (const { rule, because, source } of decision.reasons) {
    narrator.say(`${rule}: ${because} [${source}]`);
  }
  for (const { words } of decision.nearest) narrator.say(words);
  narrator.claim(decision.outcome === 'deny', 'the flow is denied');
  narrator.claim(
    decision.rules.includes('no-profiles-to-america'),
    'by a rule of the charter that names its legal source',
  );
  narrator.claim(
    decision.reasons.every(({ source }) => source !== ''),
    'every reason has a source',
  );
  narrator.claim(
    decision.nearest.some(({ change }) => change['form'] === 'aggregated'),
    'and the nearest allowed flow is told: as figures',
  );
  const tried = await narrator.ask({
    cell,
    call: {
      method: 'POST',
      path: '/v1/transfers',
      body: {
        kind: 'copy',
        selection: { collection: 'customers' },
        form: 'plain',
        destination: { kind: 'cell', id: 'us-va/main' },
        purpose: 'analytics',
      },
    },
  });
  narrator.claim(
    !tried.ok && tried.problem.status === 403,
    'trying it all the same is refused, and the refusal is on record',
  );
}
