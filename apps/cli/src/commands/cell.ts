// SPDX-License-Identifier: Apache-2.0
// `bailiwick cell`: cells, as an operator makes them.
import path from 'node:path';
import { readBlueprint } from '../cells/blueprint.ts';
import { createNewCell } from '../cells/new-cell.ts';
import { toStateDirectory } from '../config.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit.ts';
import { openConfiguredOperator } from '../operator.ts';
import { argument } from './input.ts';
import type { Input } from './run.ts';

/** Runs `bailiwick cell new <blueprint>`. */
export async function runCellNew(context: Context, { args, options }: Input): Promise<void> {
  const blueprint = readBlueprint(path.resolve(argument(args, 0)));
  const operator = openConfiguredOperator(await context.config());
  context.closers.push(() => operator.close());
  const authority = options['authority'];
  const made = await createNewCell({
    blueprint,
    directory: path.resolve(String(options['output'])),
    authority:
      typeof authority === 'string'
        ? path.resolve(authority)
        : path.join(toStateDirectory(context.globals), 'identity'),
    pinsFrom: path.resolve(String(options['pinsFrom'])),
    operator,
  });
  context.output.result({ v: 1, ...made }, () =>
    [
      `${made.cell}: made, ${made.configuration}`,
      ...made.tests.map(
        ({ what, holds, saw }) => `${holds ? 'ok    ' : 'NOT SO'} ${what} (${saw})`,
      ),
      'for those who shall witness it (`witnesses.logs`):',
      `  ${made.ledgerKey}`,
      'for those whose ledgers it shall witness (`witnesses.cosigners`):',
      `  ${made.witnessKey}`,
      'next: name it in the charter, give tenants homes there, start its key service and the cell',
    ].join('\n'),
  );
  if (made.tests.some(({ holds }) => !holds)) process.exitCode = EXIT.failed;
}
