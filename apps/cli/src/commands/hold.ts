// SPDX-License-Identifier: Apache-2.0
// `bailiwick hold` and `bailiwick order`: what courts and authorities ask.
import { type OrderAnswer, unwrap } from '@bailiwick/sdk';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import { openConfiguredOperator } from '../operator.ts';
import { toTable } from '../output.ts';
import { confirm } from './ask.ts';
import { argument, toList } from './input.ts';
import type { Input } from './run.ts';
import { readSubject } from './subject.ts';

/** Runs `bailiwick hold place <residency>`. */
export async function runHoldPlace(context: Context, { args, options }: Input): Promise<void> {
  const cell = await context.cell(argument(args, 0));
  const { collections, categories } = options;
  const hold = unwrap(
    await cell.rights.holds.place({
      reference: String(options['reference']),
      ...(options['subject'] === undefined ? {} : { subject: readSubject(options) }),
      ...(collections === undefined ? {} : { collections: toList(String(collections)) }),
      ...(categories === undefined ? {} : { categories: toList(String(categories)) }),
    }),
  );
  context.output.result({ v: 1, hold }, () => `hold ${hold.holdId} placed ${hold.placedAt}`);
}

/** Runs `bailiwick hold list <residency>`. */
export async function runHoldList(context: Context, { args }: Input): Promise<void> {
  const cell = await context.cell(argument(args, 0));
  const { items } = unwrap(await cell.rights.holds.list());
  context.output.result({ v: 1, items }, () =>
    toTable(
      ['hold', 'reference', 'on', 'collections', 'categories', 'placed'],
      items.map(({ holdId, reference, subjectId, collections, categories, placedAt }) => [
        holdId,
        reference,
        subjectId ?? 'everybody',
        collections?.join(' ') ?? 'all',
        categories?.join(' ') ?? 'all',
        placedAt,
      ]),
    ),
  );
}

/** Runs `bailiwick hold release <residency> <holdId>`. */
export async function runHoldRelease(context: Context, { args, options }: Input): Promise<void> {
  const holdId = argument(args, 1);
  await confirm(`Release hold ${holdId}? What it kept may then be deleted.`, {
    isYes: options['yes'] === true,
  });
  const cell = await context.cell(argument(args, 0));
  const hold = unwrap(await cell.rights.holds.release(holdId));
  context.output.result({ v: 1, hold }, () => `hold ${hold.holdId} released`);
}

function toMeasure(text: string): 'freeze' | 'read-only' | 'suspend' {
  if (text === 'freeze' || text === 'read-only' || text === 'suspend') return text;
  throw new CliError('CLI_USAGE_WRONG', 'the measure is freeze, read-only or suspend');
}

function reportOrder({ output }: Context, order: OrderAnswer): void {
  output.result({ v: 1, order }, () => `order ${order.orderId}: ${order.measure}, ${order.state}`);
}

/** Runs `bailiwick order place <residency>`; with `--as-operator` for a tenant or for everybody. */
export async function runOrderPlace(context: Context, { args, options }: Input): Promise<void> {
  const residency = argument(args, 0);
  const measure = toMeasure(String(options['measure']));
  const { jurisdiction, tenant } = options;
  const body = {
    measure,
    reference: String(options['reference']),
    ...(jurisdiction === undefined ? {} : { jurisdiction: String(jurisdiction) }),
  };
  await confirm(`Place this order (${measure}) in ${residency}? It holds at once.`, {
    isYes: options['yes'] === true,
  });
  if (options['asOperator'] === true) {
    const named = tenant === undefined ? body : { ...body, tenant: String(tenant) };
    return reportOrder(context, await askOperator(context, residency, '', named));
  }
  const cell = await context.cell(residency);
  const subject = options['subject'] === undefined ? {} : { subject: readSubject(options) };
  reportOrder(context, unwrap(await cell.rights.orders.place({ ...body, ...subject })));
}

/** Runs `bailiwick order revoke <residency> <orderId>`. */
export async function runOrderRevoke(context: Context, { args, options }: Input): Promise<void> {
  const [residency, orderId] = [argument(args, 0), argument(args, 1)];
  const { tenant } = options;
  if (options['asOperator'] === true) {
    const body = tenant === undefined ? {} : { tenant: String(tenant) };
    const path = `/${encodeURIComponent(orderId)}/revocations`;
    return reportOrder(context, await askOperator(context, residency, path, body));
  }
  const cell = await context.cell(residency);
  reportOrder(context, unwrap(await cell.rights.orders.revoke(orderId)));
}

async function askOperator(
  context: Context,
  residency: string,
  path: string,
  body: object,
): Promise<OrderAnswer> {
  const config = await context.config();
  const found = config.cells[residency];
  if (found === undefined) {
    throw new CliError('CLI_USAGE_WRONG', `the configuration names no cell of \`${residency}\``);
  }
  const operator = openConfiguredOperator(config);
  context.closers.push(() => operator.close());
  const call = { method: 'POST', path: `/internal/v1/orders${path}`, body } as const;
  return unwrap(await operator.cell(found).call(call));
}

/** Runs `bailiwick order list <residency>`. */
export async function runOrderList(context: Context, { args }: Input): Promise<void> {
  const cell = await context.cell(argument(args, 0));
  const { items } = unwrap(await cell.rights.orders.list());
  context.output.result({ v: 1, items }, () =>
    toTable(
      ['order', 'measure', 'state', 'reference', 'on', 'placed'],
      items.map(({ orderId, measure, state, reference, jurisdiction, subjectId, placedAt }) => [
        orderId,
        measure,
        state,
        reference,
        subjectId ?? jurisdiction ?? 'everything',
        placedAt,
      ]),
    ),
  );
}
