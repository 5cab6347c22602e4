// SPDX-License-Identifier: Apache-2.0
// `bailiwick charter apply`: what becomes law everywhere, and how long it took.
import process from 'node:process';
import { setTimeout as wait } from 'node:timers/promises';
import type { CharterAnswer } from '@bailiwick/contracts';
import { unwrap } from '@bailiwick/sdk';
import type { ClientConfig } from '../config.ts';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import { EXIT } from '../exit.ts';
import { type Operator, openConfiguredOperator } from '../operator.ts';
import { confirm } from './ask.ts';
import { compareWithLaw, readApprovals, readCharterToSend, toSummary } from './charter-text.ts';
import { argument } from './input.ts';
import type { Input } from './run.ts';

const POLL_MS = 50;
const WAIT_SECONDS_MAX = 3_600;
const NO_APPROVALS_HINT =
  'two people sign it: `bailiwick charter approve <file> --key-file <key> --output <approval>`, then `--approval <approval>`';

/** How long a command waits for the cells. @throws {CliError} `CLI_USAGE_WRONG` */
export function toWaitMs(text: unknown): number {
  const seconds = Number(text);
  if (Number.isFinite(seconds) && seconds >= 0 && seconds <= WAIT_SECONDS_MAX) {
    return seconds * 1_000;
  }
  throw new CliError('CLI_USAGE_WRONG', `\`${String(text)}\` is no number of seconds`);
}

/** What one cell holds to. */
export interface CellState {
  readonly cell: string;
  readonly charterSerial: number | undefined;
  readonly isTaken: boolean;
}

interface Health {
  readonly charterSerial: number;
}

async function findSerial(operator: Operator, cell: ClientConfig['cells'][string]) {
  try {
    const answer = await operator.cell(cell).call<Health>({
      method: 'GET',
      path: '/internal/v1/health',
      deadlineMs: 2_000,
    });
    return unwrap(answer).charterSerial;
  } catch {
    // A cell that is away is told as such: it takes the charter when it is back.
    return undefined;
  }
}

/** Waits until every configured cell holds to this serial or a later one; says which do not. */
export async function awaitCells(
  operator: Operator,
  config: ClientConfig,
  { serial, waitMs }: { readonly serial: number; readonly waitMs: number },
): Promise<readonly CellState[]> {
  const deadline = performance.now() + waitMs;
  return await Promise.all(
    Object.values(config.cells).map(async (cell): Promise<CellState> => {
      for (;;) {
        const charterSerial = await findSerial(operator, cell);
        const isTaken = (charterSerial ?? 0) >= serial;
        if (isTaken || performance.now() >= deadline) {
          return { cell: cell.cell, charterSerial, isTaken };
        }
        await wait(POLL_MS);
      }
    }),
  );
}

/** One line a cell. */
export function toCellLines(states: readonly CellState[]): readonly string[] {
  return states.map(({ cell, charterSerial, isTaken }) => {
    if (isTaken) return `  ${cell}: holds to serial ${charterSerial}`;
    return charterSerial === undefined
      ? `  ${cell}: does not answer; takes it when it is back`
      : `  ${cell}: still holds to serial ${charterSerial}; its log says why`;
  });
}

/** Runs `bailiwick charter apply <file>`. */
export async function runCharterApply(context: Context, { args, options }: Input): Promise<void> {
  const next = readCharterToSend(argument(args, 0), options);
  const waitMs = toWaitMs(options['wait']);
  const approvals = readApprovals(options['approval']);
  const config = await context.config();
  const operator = openConfiguredOperator(config);
  context.closers.push(() => operator.close());
  const comparison = await compareWithLaw(operator, next);
  const { current } = comparison;
  if (current.text === next.text) {
    context.output.result(
      { v: 1, serial: current.serial, isNew: false, cells: [] },
      () => `already law as serial ${current.serial}`,
    );
    return;
  }
  const summary = toSummary(comparison);
  if (comparison.isWider && approvals.length === 0) {
    throw new CliError('CLI_APPROVAL_MISSING', summary, { hint: NO_APPROVALS_HINT });
  }
  if (options['dryRun'] === true) {
    context.output.result(
      { v: 1, serial: current.nextSerial, isNew: true, summary, cells: [] },
      () => `would become serial ${current.nextSerial}; ${summary}`,
    );
    return;
  }
  await confirm(`make this charter law in every cell? ${summary}`, {
    isYes: options['yes'] === true,
  });
  const body = { text: next.text, serial: current.nextSerial, approvals };
  const { serial } = unwrap(
    await operator.control.call<CharterAnswer>({ method: 'PUT', path: '/v1/charter', body }),
  );
  const started = performance.now();
  const cells = await awaitCells(operator, config, { serial, waitMs });
  const tookMs = Math.round(performance.now() - started);
  context.output.result({ v: 1, serial, isNew: true, summary, tookMs, cells }, () =>
    [`serial ${serial}; ${summary}`, ...toCellLines(cells)].join('\n'),
  );
  if (cells.some(({ isTaken }) => !isTaken)) process.exitCode = EXIT.unavailable;
}
