// SPDX-License-Identifier: Apache-2.0
// `bailiwick key`: the customer's switch.
import { type Cell, type KeyChange, unwrap } from '@bailiwick/sdk';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import { toTable } from '../output.ts';
import { confirm } from './ask.ts';
import { argument } from './input.ts';
import type { Input } from './run.ts';

/** Runs `bailiwick key show <residency>`. */
export async function runKeyShow(context: Context, { args }: Input): Promise<void> {
  const cell = await context.cell(argument(args, 0));
  const { items } = unwrap(await cell.keys.list());
  context.output.result({ v: 1, items }, () =>
    toTable(
      ['key', 'kind', 'version', 'state', 'provider', 'people'],
      items.map(({ keyId, kind, version, state, provider, subjectsCount }) => [
        keyId,
        kind,
        version,
        state,
        provider,
        subjectsCount,
      ]),
    ),
  );
}

/** Runs `bailiwick key disable <residency> [keyId]`. */
export async function runKeyDisable(context: Context, input: Input): Promise<void> {
  const residency = argument(input.args, 0);
  const cell = await context.cell(residency);
  const keyId = await chooseKey(cell, input.args[1]);
  await confirm(
    `Disable key ${keyId}? Nothing of this tenant can be read or written in ${residency}.`,
    {
      isYes: input.options['yes'] === true,
    },
  );
  report(context, unwrap(await cell.keys.disable(keyId)));
}

/** Runs `bailiwick key enable <residency> [keyId]`. */
export async function runKeyEnable(context: Context, input: Input): Promise<void> {
  const cell = await context.cell(argument(input.args, 0));
  const keyId = await chooseKey(cell, input.args[1]);
  report(context, unwrap(await cell.keys.enable(keyId)));
}

function report({ output }: Context, change: KeyChange): void {
  output.result({ v: 1, ...change }, () =>
    [
      `${change.keyId}: ${change.state}, accepted ${change.acceptedAt}${change.effectiveAt === undefined ? '' : `, effective ${change.effectiveAt}`}`,
      `${change.receipts.length} signed receipts, entries ${change.entries.join(', ')}`,
    ].join('\n'),
  );
}

/** The key named, or the customer key. */
async function chooseKey(cell: Cell, stated: string | undefined): Promise<string> {
  if (stated !== undefined) return stated;
  const { items } = unwrap(await cell.keys.list());
  const customer = items.find(({ kind }) => kind === 'customer-key');
  if (customer !== undefined) return customer.keyId;
  throw new CliError('CLI_USAGE_WRONG', 'the cell lists no customer key', {
    hint: 'name one: `bailiwick key show <residency>`',
  });
}
