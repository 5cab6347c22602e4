// SPDX-License-Identifier: Apache-2.0
// Borders: between cells, between tenants, and when the law or who brings it is away.
import { createPrivateKey, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { toDsseKeyId } from '@bailiwick/keys';
import { CLIENT_ASSERTION_TYPE, signClientAssertion } from '@bailiwick/oidc';
import { openTransport, type Transport, unwrap, type WireFlow } from '@bailiwick/sdk';
import { type DrillStage, NEIGHBOUR } from 'bailiwick/drill-stage';
import { othersGoOn, readCustomers, until, wordOf, writeCustomer } from './ask.ts';
import type { Recorder } from './record.ts';

/** Router and names point to the wrong cell: nothing is read there, and it is on record. */
export async function drillMisrouted(stage: DrillStage, recorder: Recorder): Promise<void> {
  const { layout } = stage;
  const [home, wrong] = ['eu-de', 'uk-lon'].map((residency) =>
    layout.cells.find((one) => one.residency === residency),
  );
  if (home === undefined || wrong === undefined) throw new Error('there are no such cells');
  const ca = readFileSync(path.join(layout.authority, 'authority.pem'), 'utf8');
  const ask = async (name: string, headers: Record<string, string> = {}): Promise<string> => {
    const transport: Transport = openTransport({
      endpoint: { name, host: '127.0.0.1', port: wrong.ports.public },
      ca,
    });
    const body = { pageSize: 1 };
    const call = {
      method: 'POST',
      path: '/v1/collections/customers/searches',
      body,
      headers,
    } as const;
    return wordOf(transport.call({ ...call, deadlineMs: 2_000 })).finally(() => transport.close());
  };
  recorder.did(`the name of ${home.residency} was pointed at ${wrong.residency}`);
  const byName = await ask(home.name);
  recorder.saw(
    `the client does not speak to a cell that cannot show the name: ${byName}`,
    byName === 'SDK_CELL_UNREACHABLE' || byName === 'SDK_DEADLINE_EXCEEDED',
  );
  const before = await countMisdirected(stage, wrong.residency);
  const signedIn = {
    authorization: `Bearer ${await fetchToken(stage, wrong, ca)}`,
    'bailiwick-residency': await fetchClaim(stage, home, ca),
    'bailiwick-purpose': 'order-fulfilment',
  };
  recorder.did(
    `a request with a good token of ${wrong.residency} and a claim for ${home.residency} went to ${wrong.residency}`,
  );
  const misdirected = await ask(wrong.name, signedIn);
  recorder.saw(
    `the wrong cell refuses it: ${misdirected}`,
    misdirected.startsWith('421 CELL_MISDIRECTED'),
  );
  const entered = (await countMisdirected(stage, wrong.residency)) - before;
  recorder.saw(`and has put it on record (${entered} entries)`, entered >= 1);
}

type Plan = DrillStage['layout']['cells'][number];

async function postToken(plan: Plan, ca: string, form: Record<string, string>): Promise<string> {
  const transport = openTransport({
    endpoint: { name: plan.name, host: '127.0.0.1', port: plan.ports.public },
    ca,
  });
  try {
    const answer = await transport.call<{ readonly access_token: string }>({
      method: 'POST',
      path: '/v1/tokens',
      body: new URLSearchParams(form).toString(),
      contentType: 'application/x-www-form-urlencoded',
    });
    return unwrap(answer).access_token;
  } finally {
    await transport.close();
  }
}

/** Signs in as the shop's own account of that cell. */
async function fetchToken(stage: DrillStage, plan: Plan, ca: string): Promise<string> {
  const account = stage.config.accounts.find(({ name }) => name === 'shop-service');
  if (account === undefined) throw new Error('there is no such account');
  const privateKey = createPrivateKey(readFileSync(account.keyFile, 'utf8'));
  const clientId = account.ids[plan.residency] ?? '';
  const assertion = await signClientAssertion(
    {
      clock: { nowMs: () => Date.now(), monotonicMs: () => performance.now() },
      random: { bytes: (size: number) => randomBytes(size) },
    },
    { clientId, audience: plan.name, keyId: toDsseKeyId(privateKey), privateKey },
  );
  return postToken(plan, ca, {
    grant_type: 'client_credentials',
    tenant: stage.tenants.retailer,
    client_assertion_type: CLIENT_ASSERTION_TYPE,
    client_assertion: assertion,
  });
}

async function fetchClaim(stage: DrillStage, plan: Plan, ca: string): Promise<string> {
  return postToken(plan, ca, {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: await fetchToken(stage, plan, ca),
    subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    requested_token_type: 'urn:bailiwick:token-type:residency',
    resource: plan.residency,
  });
}

async function countMisdirected(stage: DrillStage, residency: string): Promise<number> {
  const cell = await stage.actors.in(residency, 'shop-service');
  const { items } = unwrap(await cell.entries.list({ pageSize: 100 }));
  return items.filter(({ body }) => body?.['kind'] === 'misdirected').length;
}

/** One tenant attacks another in the same cell, with the other's ids in hand. */
export async function drillIsolation(stage: DrillStage, recorder: Recorder): Promise<void> {
  for (const residency of ['eu-de']) {
    const victim = await stage.actors.in(residency, 'shop-service');
    const attacker = await stage.actors.in(residency, 'shop-service', NEIGHBOUR);
    const admin = await stage.actors.in(residency, 'tenant-admin', NEIGHBOUR);
    const officer = await stage.actors.in(residency, 'security-officer');
    const { items } = unwrap(await readCustomers(victim));
    const [record] = items;
    if (record === undefined) throw new Error('the victim has no records');
    recorder.did(
      `${NEIGHBOUR} took ids of the retailer’s records, keys and entries in ${residency}`,
    );
    const key = unwrap(await officer.keys.list()).items[0]?.keyId ?? '';
    const entry = unwrap(await victim.entries.list({ pageSize: 1 })).items[0]?.entry ?? '';
    const attempts = [
      [
        'reads a record',
        attacker,
        'GET',
        `/v1/collections/customers/records/${record.recordId}`,
        undefined,
      ],
      [
        'changes a record',
        attacker,
        'PATCH',
        `/v1/collections/customers/records/${record.recordId}`,
        { fields: { name: 'x' } },
      ],
      [
        'deletes a record',
        attacker,
        'DELETE',
        `/v1/collections/customers/records/${record.recordId}`,
        undefined,
      ],
      ['disables the key', admin, 'POST', `/v1/keys/${key}/disablements`, {}],
      ['reads an entry', attacker, 'GET', `/v1/entries/${entry}`, undefined],
    ] as const;
    for (const [what, cell, method, url, body] of attempts) {
      const headers = { 'if-match': '"1"' };
      const call = { method, path: url, headers, ...(body === undefined ? {} : { body }) };
      const word = await wordOf(cell.call(call, { deadlineMs: 3_000 }));
      recorder.saw(`${what}: ${word}`, /^(?:403|404)/.test(word));
    }
    const theirs = unwrap(await readCustomers(attacker)).items;
    const mine = new Set(items.map(({ recordId }) => recordId));
    recorder.saw(
      `a search shows ${theirs.length} of its own records and none of the other’s`,
      theirs.length > 0 && theirs.every(({ recordId }) => !mine.has(recordId)),
    );
    const still = unwrap(await readCustomers(victim)).items.find(
      ({ recordId }) => recordId === record.recordId,
    );
    recorder.saw('the record is as it was', still?.fields['name'] === record.fields['name']);
  }
}

const toFlow = (): WireFlow => ({
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
});

async function decide(stage: DrillStage, flow: WireFlow): Promise<string> {
  const cell = await stage.actors.in('eu-de', 'analyst');
  const [decision] = unwrap(await cell.decide([flow])).items;
  return decision === undefined ? 'nothing' : `${decision.outcome} ${decision.cause ?? ''}`.trim();
}

/** Addresses go to the mail platform of an American group, and only standard clauses let them. */
const MAIL: WireFlow = {
  actor: {
    kind: 'workload',
    role: 'shop-service',
    employer: 'controller',
    assurance: 'high',
    place: 'de',
  },
  action: 'export',
  data: {
    class: 'restricted',
    categories: ['contact'],
    regimes: ['gdpr'],
    origin: 'de',
    residency: 'eu-de',
  },
  form: 'plain',
  to: { kind: 'provider', id: 'mail-platform', location: 'ie', operator: 'us' },
  purpose: 'order-fulfilment',
  mechanism: 'scc',
};

/** A framework is struck down: the flows that rest on it stop, all others go on. */
export async function drillMechanismSuspended(
  stage: DrillStage,
  recorder: Recorder,
): Promise<void> {
  const before = await decide(stage, MAIL);
  recorder.saw(
    `addresses may go to the mail platform under clauses: ${before}`,
    before === 'allow',
  );
  const body = { mechanism: 'scc' };
  const call = { method: 'POST', path: '/v1/mechanism-suspensions', body } as const;
  unwrap(await stage.operator.control.call(call));
  recorder.did('the operator suspended `scc` in every cell');
  const stopped = await until(
    () => decide(stage, MAIL),
    // Stale law would refuse it as well: it must be this law that does.
    (word) => word.startsWith('deny') && !word.includes('stale'),
    15_000,
  );
  recorder.saw(`the same flow is refused after ${stopped.ms} ms: ${stopped.word}`, stopped.isSo);
  recorder.figure('suspended-after-ms', stopped.ms);
  const figures = await until(
    () => decide(stage, toFlow()),
    (word) => word.startsWith('allow'),
    10_000,
  );
  recorder.saw(`figures, which rest on nothing of the kind: ${figures.word}`, figures.isSo);
  recorder.saw('every cell reads and writes on', (await othersGoOn(stage)).length === 0);
}

/** The control plane is gone: cells serve on; once the law is stale, borders close. */
export async function drillControlPlaneLost(stage: DrillStage, recorder: Recorder): Promise<void> {
  const fresh = await until(
    () => decide(stage, toFlow()),
    (word) => word.startsWith('allow'),
    10_000,
  );
  recorder.saw('with fresh law the figures may cross', fresh.isSo);
  await stage.system.stopControl();
  recorder.did('the control plane was stopped');
  try {
    const stale = await until(
      () => decide(stage, toFlow()),
      (word) => word.startsWith('deny'),
      20_000,
    );
    recorder.saw(
      `borders close after ${stale.ms} ms: ${stale.word}`,
      stale.word.includes('charter-stale'),
    );
    recorder.figure('border-closed-after-ms', stale.ms);
    recorder.saw('every cell reads on', (await othersGoOn(stage)).length === 0);
    const shop = await stage.actors.in('eu-de', 'shop-service');
    const written = await wordOf(writeCustomer(shop, 'while-control-is-away'));
    recorder.saw('and takes writes', written === 'allowed');
  } finally {
    await stage.system.startControl();
    recorder.did('the control plane was started again');
  }
  const back = await until(
    () => decide(stage, toFlow()),
    (word) => word.startsWith('allow'),
    20_000,
  );
  recorder.saw(`borders open again after ${back.ms} ms`, back.isSo);
}
