// SPDX-License-Identifier: Apache-2.0
// Plants a canary in everything that a caller can fill, through every door, also where it is refused.
import { randomBytes } from 'node:crypto';
import { type Cell, unwrap } from '@bailiwick/sdk';
import type { DrillStage } from 'bailiwick/drill-stage';
import { until } from '../ask.ts';

const CELL = 'eu-de';

/** What was planted, and what came back where nothing of it should. */
export interface Planted {
  readonly token: string;
  /** Whole values: their unkeyed hashes are looked for. */
  readonly values: readonly string[];
  /** Answers to requests that were refused. */
  readonly refusals: readonly { readonly what: string; readonly text: string }[];
  readonly requestsCount: number;
}

/** A token that nothing else spells. */
export function createToken(): string {
  return `Kan${randomBytes(9).toString('base64url').replaceAll(/[-_]/g, 'Q')}Vo`;
}

/** Plants canaries by the retailer's accounts in one cell. */
export async function plantCanaries(stage: DrillStage): Promise<Planted> {
  const token = createToken();
  const shop = await stage.actors.in(CELL, 'shop-service');
  const values: string[] = [];
  const plant = (prefix: string, suffix = ''): string => {
    const value = `${prefix}${token}${suffix}`;
    values.push(value);
    return value;
  };
  const fields = {
    name: plant('Erika '),
    email: plant('erika.', '@post.example'),
    phone: plant('+49 '),
    address: plant('Hauptstr. 1 '),
    city: plant('Stadt '),
    postcode: plant('1'),
    country: 'de',
  };
  const good = { id: plant('customer-'), subject: plant('person-'), origin: 'de', fields };
  const refusals: { what: string; text: string }[] = [];
  let requestsCount = 0;
  const send = async (
    what: string,
    call: Parameters<Cell['call']>[0],
    expected: 'served' | 'refused',
  ): Promise<void> => {
    requestsCount += 1;
    const answer = await shop.call(call, { deadlineMs: 5_000 }).catch((error: unknown) => ({
      ok: false as const,
      problem: { words: error instanceof Error ? error.message : 'unknown' },
    }));
    if (expected === 'served' && !answer.ok) throw new Error(`${what} was not served`);
    if (!answer.ok) refusals.push({ what, text: JSON.stringify(answer.problem) });
  };
  const records = '/v1/collections/customers/records';
  const searches = '/v1/collections/customers/searches';
  await send('a record', { method: 'POST', path: records, body: good }, 'served');
  await send('the same again', { method: 'POST', path: records, body: good }, 'refused');
  const bad = (change: object): object => ({
    ...good,
    id: plant(`other-${requestsCount}-`),
    ...change,
  });
  const refused: readonly (readonly [string, object])[] = [
    ['a field of another type', bad({ fields: { ...fields, name: { text: plant('object ') } } })],
    [
      'a field that is not in the schema',
      bad({ fields: { ...fields, unknown: plant('unknown ') } }),
    ],
    ['a value without a normal form', bad({ fields: { ...fields, email: plant('no address ') } })],
    ['a value that is too long', bad({ fields: { ...fields, country: plant('land') } })],
    ['an origin that is refused', bad({ origin: 'bh' })],
    ['an origin that nobody knows', bad({ origin: plant('land-') })],
    ['no subject', bad({ subject: { deep: plant('subject ') } })],
  ];
  for (const [what, body] of refused) {
    await send(what, { method: 'POST', path: records, body }, 'refused');
  }
  const where = { email: { eq: fields.email } };
  await send('a search', { method: 'POST', path: searches, body: { where } }, 'served');
  await send(
    'a count',
    { method: 'POST', path: '/v1/collections/customers/counts', body: { where } },
    'served',
  );
  await send(
    'a search by a sealed field',
    { method: 'POST', path: searches, body: { where: { name: { eq: fields.name } } } },
    'refused',
  );
  await send(
    'an id in a path',
    { method: 'GET', path: `${records}/${encodeURIComponent(token)}` },
    'refused',
  );
  await send(
    'a route that is not there',
    { method: 'GET', path: `/v1/${token}?q=${token}` },
    'refused',
  );
  await send(
    'a key of its own',
    { method: 'POST', path: searches, body: {}, headers: { 'idempotency-key': plant('key-') } },
    'served',
  );
  await send(
    'a purpose',
    { method: 'POST', path: searches, body: {}, headers: { 'bailiwick-purpose': token } },
    'refused',
  );
  const lines = [good, { ...good, id: plant('line-'), origin: 'bh' }].map((one) =>
    JSON.stringify(one),
  );
  const broken = `{"id":"${token}", "fields": {"name": "${fields.name}`;
  await send(
    'an import with a broken line',
    {
      method: 'POST',
      path: '/v1/collections/customers/imports',
      body: [...lines, broken].join('\n'),
      contentType: 'application/x-ndjson',
    },
    'refused',
  );
  const seal = {
    collection: 'customers',
    fieldSet: 'contact',
    record: plant('row-'),
    subject: good.subject,
    origin: 'de',
    fields: { name: fields.name, email: fields.email },
  };
  await send('a seal', { method: 'POST', path: '/v1/seals', body: { values: [seal] } }, 'served');
  const index = { collection: 'customers', field: 'email', value: fields.email };
  await send('a blind index', { method: 'POST', path: '/v1/blind-indexes', body: index }, 'served');
  await send(
    'an opening of nothing',
    { method: 'POST', path: '/v1/openings', body: { values: [{ sealed: `bwk1.${token}` }] } },
    'refused',
  );
  await send(
    'an erasure',
    { method: 'POST', path: '/v1/erasures', body: { subject: plant('nobody-') } },
    'refused',
  );
  unwrap(await shop.collection('customers').search({ where }));
  await runTransfer(stage);
  return { token, values, refusals, requestsCount };
}

/** Figures leave the cell: what they are made of must not. */
async function runTransfer(stage: DrillStage): Promise<void> {
  const analyst = await stage.actors.in(CELL, 'analyst');
  const draft = {
    kind: 'aggregate',
    collection: 'orders',
    purpose: 'statistics',
    destination: { kind: 'cell', id: 'us-va/main' },
    aggregate: { groupBy: ['country'], measures: [{ function: 'count' }], minimumCount: 5 },
  };
  // Its shape is not this drill's concern: refused or carried out, it must say nothing of anybody.
  await analyst.call({ method: 'POST', path: '/v1/transfers', body: draft }, { deadlineMs: 5_000 });
  await until(
    async () => '',
    () => false,
    1_500,
  );
}
