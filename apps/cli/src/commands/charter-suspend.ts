// SPDX-License-Identifier: Apache-2.0
// `bailiwick charter suspend`: the day a framework is struck down, one command. First it stops, then it is
// told what that touches.
import process from 'node:process';
import { suspendMechanism } from '@bailiwick/charter';
import type { AssessmentAnswer, CharterAnswer } from '@bailiwick/contracts';
import { unwrap } from '@bailiwick/sdk';
import type { ClientConfig } from '../config.ts';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import { EXIT } from '../exit.ts';
import { getCharter, type Operator, openConfiguredOperator } from '../operator.ts';
import { confirm } from './ask.ts';
import { awaitCells, type CellState, toCellLines, toWaitMs } from './charter-apply.ts';
import { assessCells, toAssessmentLines } from './charter-assess.ts';
import { argument } from './input.ts';
import type { Input } from './run.ts';

/** Runs `bailiwick charter suspend <mechanism>`. */
export async function runCharterSuspend(context: Context, { args, options }: Input): Promise<void> {
  const mechanism = argument(args, 0);
  const waitMs = toWaitMs(options['wait']);
  const config = await context.config();
  const operator = openConfiguredOperator(config);
  context.closers.push(() => operator.close());
  const { text: against } = await getCharter(operator);
  const isDry = options['dryRun'] === true;
  if (!isDry) {
    await confirm(`suspend \`${mechanism}\` in every cell, now?`, {
      isYes: options['yes'] === true,
    });
  }
  const suspended: Suspended = isDry
    ? { text: toSuspended(against, mechanism), cells: [] }
    : await suspend({ operator, config, mechanism, waitMs });
  const { serial, text, cells, tookMs } = suspended;
  // The mechanism has ended by now: what it touches is told afterwards and delays nothing.
  const touched = await assessAnswering(operator, config, { text, against });
  context.output.result({ v: 1, mechanism, serial, tookMs, cells, touched }, () =>
    [
      serial === undefined
        ? `\`${mechanism}\` is not suspended; this is what it would touch`
        : `\`${mechanism}\` is suspended: serial ${serial}`,
      ...toCellLines(cells),
      ...toAssessmentLines(touched, context.output.paint),
    ].join('\n'),
  );
  if (cells.some(({ isTaken }) => !isTaken)) process.exitCode = EXIT.unavailable;
}

function toSuspended(text: string, mechanism: string): string {
  const suspended = suspendMechanism(text, mechanism, new Date().toISOString());
  if (suspended !== undefined) return suspended;
  throw new CliError('CLI_INPUT_REFUSED', `the charter names no mechanism \`${mechanism}\``);
}

interface Suspended {
  readonly serial?: number;
  readonly text: string;
  readonly cells: readonly CellState[];
  readonly tookMs?: number;
}

async function suspend(work: {
  readonly operator: Operator;
  readonly config: ClientConfig;
  readonly mechanism: string;
  readonly waitMs: number;
}): Promise<Suspended> {
  const { operator, config, mechanism, waitMs } = work;
  const { serial } = unwrap(
    await operator.control.call<CharterAnswer>({
      method: 'POST',
      path: '/v1/mechanism-suspensions',
      body: { mechanism },
    }),
  );
  const started = performance.now();
  const cells = await awaitCells(operator, config, { serial, waitMs });
  const tookMs = Math.round(performance.now() - started);
  const { text } = await getCharter(operator);
  return { serial, text, cells, tookMs };
}

/** A cell that is away is asked when it is back; the others tell what they hold. */
async function assessAnswering(
  operator: Operator,
  config: ClientConfig,
  charters: { readonly text: string; readonly against: string },
): Promise<readonly AssessmentAnswer[]> {
  const answers = await Promise.allSettled(
    Object.values(config.cells).map((cell) => assessCells(operator, [cell], charters)),
  );
  return answers.flatMap((one) => (one.status === 'fulfilled' ? one.value : []));
}
