// SPDX-License-Identifier: Apache-2.0
// `bailiwick decide`: a cell's decision on a flow. A denial is an answer, with exit code 3.
import process from 'node:process';
import type { Decision } from '@bailiwick/kernel';
import { unwrap, type WireFlow } from '@bailiwick/sdk';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import { EXIT } from '../exit.ts';
import type { Paint } from '../output.ts';
import { argument, readMapping } from './input.ts';
import type { Input } from './run.ts';

/** Runs `bailiwick decide <residency> --flow <file>`. */
export async function runDecide(context: Context, { args, options }: Input): Promise<void> {
  const flow = parseFlow(readMapping(String(options['flow']), 'the flow'));
  const cell = await context.cell(argument(args, 0));
  const [decision] = unwrap(await cell.decide([flow])).items;
  if (decision === undefined) throw new CliError('CLI_INPUT_REFUSED', 'the cell gave no decision');
  context.output.result({ v: 1, decision }, () => toDecisionText(decision, context.output.paint));
  if (decision.outcome === 'deny') process.exitCode = EXIT.denied;
}

/** A flow as a person writes it; the cell checks it against the charter's closed sets. */
export function parseFlow(value: Readonly<Record<string, unknown>>): WireFlow {
  for (const key of ['actor', 'action', 'data', 'form', 'to', 'purpose']) {
    if (value[key] === undefined) {
      throw new CliError('CLI_USAGE_WRONG', `the flow has no \`${key}\``, {
        hint: 'a flow says who (actor), what (action, data, form), where (to) and why (purpose)',
      });
    }
  }
  return value as unknown as WireFlow;
}

/** A decision as a paragraph. */
export function toDecisionText(decision: Decision, paint: Paint): string {
  const { outcome, cause, reasons, obligations, nearest, charter } = decision;
  const head =
    outcome === 'allow'
      ? paint('green', 'allow')
      : `${paint('red', 'deny')}${cause === undefined ? '' : ` (${cause})`}`;
  return [
    head,
    ...reasons.map(({ rule, because, source }) => `  ${rule}: ${because} [${source}]`),
    ...obligations.map(
      ({ kind, minimumCount, categories }) =>
        `  must ${kind}${minimumCount === undefined ? '' : ` to groups of at least ${minimumCount}`}${categories === undefined ? '' : `: ${categories.join(', ')}`}`,
    ),
    ...nearest.map(({ words }) => `  ${words}`),
    paint('dim', `  charter ${charter.hash.slice(0, 12)} serial ${charter.serial}`),
  ].join('\n');
}
