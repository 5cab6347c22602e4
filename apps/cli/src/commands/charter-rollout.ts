// SPDX-License-Identifier: Apache-2.0
// `bailiwick charter rollout`: a charter on its way into force, from one cell to all, and back.
import process from 'node:process';
import type {
  CanaryFigures,
  RolloutAnswer,
  RolloutRequest,
  RolloutStepRequest,
} from '@bailiwick/contracts';
import { parseCellId } from '@bailiwick/kernel';
import { unwrap } from '@bailiwick/sdk';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import { EXIT } from '../exit.ts';
import { getCharter, type Operator, openConfiguredOperator } from '../operator.ts';
import { confirm } from './ask.ts';
import { awaitCells, toCellLines, toWaitMs } from './charter-apply.ts';
import { compareWithLaw, readApprovals, readCharterToSend, toSummary } from './charter-text.ts';
import { argument } from './input.ts';
import type { Input } from './run.ts';

const STEPS = ['canary-everywhere', 'first-cell', 'promoted'] as const;

function toNumber(
  text: unknown,
  {
    name,
    max,
    factor = 1,
  }: { readonly name: string; readonly max: number; readonly factor?: number },
): number | undefined {
  if (text === undefined) return undefined;
  const value = Math.round(Number(text) * factor);
  if (Number.isSafeInteger(value) && value >= 0 && value <= max) return value;
  throw new CliError('CLI_USAGE_WRONG', `\`${String(text)}\` is no value of \`${name}\``);
}

async function openOperatorOf(context: Context): Promise<Operator> {
  const operator = openConfiguredOperator(await context.config());
  context.closers.push(() => operator.close());
  return operator;
}

async function listRollouts({ control }: Operator): Promise<readonly RolloutAnswer[]> {
  const answer = await control.call<{ readonly items: readonly RolloutAnswer[] }>({
    method: 'GET',
    path: '/v1/rollouts',
  });
  return unwrap(answer).items;
}

/** The newest rollout. @throws {CliError} `CLI_INPUT_REFUSED` */
async function getNewest(operator: Operator): Promise<RolloutAnswer> {
  const [newest] = await listRollouts(operator);
  if (newest !== undefined) return newest;
  throw new CliError('CLI_INPUT_REFUSED', 'there has been no rollout', {
    hint: 'begin one: `bailiwick charter rollout start <file> --first <cell>`',
  });
}

/** Runs `bailiwick charter rollout start <file> --first <cell>`. */
export async function runRolloutStart(context: Context, { args, options }: Input): Promise<void> {
  const next = readCharterToSend(argument(args, 0), options);
  const limits = {
    errorsCountMax: toNumber(options['maxErrors'], { name: '--max-errors', max: 1e9 }),
    stricterBasisPointsMax: toNumber(options['maxStricter'], {
      name: '--max-stricter',
      max: 10_000,
      factor: 100,
    }),
    latencyMicrosMax: toNumber(options['maxMicros'], { name: '--max-micros', max: 60_000_000 }),
    decidedCountMin: toNumber(options['minDecisions'], { name: '--min-decisions', max: 1e9 }),
  };
  const stated = Object.entries(limits).filter(([, value]) => value !== undefined);
  const share = toNumber(options['share'], { name: '--share', max: 10_000, factor: 100 });
  const operator = await openOperatorOf(context);
  const comparison = await compareWithLaw(operator, next);
  const body: RolloutRequest = {
    text: next.text,
    serial: comparison.current.nextSerial,
    firstCell: parseCellId(String(options['first'])),
    ...(share === undefined ? {} : { shareBasisPoints: share }),
    limits: Object.fromEntries(stated),
    approvals: readApprovals(options['approval']),
    returnApprovals: readApprovals(options['wayBack']),
  };
  const rollout = unwrap(
    await operator.control.call<RolloutAnswer>({ method: 'POST', path: '/v1/rollouts', body }),
  );
  const summary = toSummary(comparison);
  context.output.result({ v: 1, rollout, summary }, () => [toText(rollout), summary].join('\n'));
}

/** Runs `bailiwick charter rollout show`. */
export async function runRolloutShow(context: Context, { options }: Input): Promise<void> {
  const operator = await openOperatorOf(context);
  const items = await listRollouts(operator);
  const told = options['all'] === true ? items : items.slice(0, 1);
  context.output.result({ v: 1, items: told }, () =>
    told.length === 0 ? 'there has been no rollout' : told.map(toText).join('\n\n'),
  );
}

/** Runs `bailiwick charter rollout advance`. */
export async function runRolloutAdvance(context: Context, { options }: Input): Promise<void> {
  const operator = await openOperatorOf(context);
  const rollout = await getNewest(operator);
  const stated = options['to'];
  const following = rollout.phase === 'canary' ? 0 : [...STEPS, ''].indexOf(rollout.phase) + 1;
  const to = stated === undefined ? STEPS[following] : STEPS.find((step) => step === stated);
  if (to === undefined) {
    throw new CliError(
      'CLI_USAGE_WRONG',
      `the rollout is \`${rollout.phase}\`: no such step from there`,
      {
        hint: `one of ${STEPS.join(', ')}`,
      },
    );
  }
  const approvals = readApprovals(options['approval']);
  await step(context, { operator, rollout, body: { to, approvals } }, options);
}

/** Runs `bailiwick charter rollout back`. */
export async function runRolloutBack(context: Context, { options }: Input): Promise<void> {
  const operator = await openOperatorOf(context);
  const rollout = await getNewest(operator);
  const approvals = readApprovals(options['approval']);
  await step(context, { operator, rollout, body: { to: 'rolled-back', approvals } }, options);
}

async function step(
  context: Context,
  work: {
    readonly operator: Operator;
    readonly rollout: RolloutAnswer;
    readonly body: RolloutStepRequest;
  },
  options: Input['options'],
): Promise<void> {
  const { operator, rollout, body } = work;
  const waitMs = toWaitMs(options['wait']);
  const question = `take the rollout of serial ${rollout.serial} from \`${rollout.phase}\` to \`${body.to}\`?`;
  await confirm(question, { isYes: options['yes'] === true });
  const after = unwrap(
    await operator.control.call<RolloutAnswer>({
      method: 'POST',
      path: `/v1/rollouts/${rollout.rolloutId}/steps`,
      body,
    }),
  );
  const config = await context.config();
  const started = performance.now();
  const serial = body.to === 'first-cell' ? after.serial : (await getCharter(operator)).serial;
  const cells = Object.fromEntries(
    Object.entries(config.cells).filter(
      ([, { cell }]) => body.to !== 'first-cell' || cell === after.firstCell,
    ),
  );
  const isLaw = body.to !== 'canary-everywhere';
  const states = isLaw ? await awaitCells(operator, { ...config, cells }, { serial, waitMs }) : [];
  const tookMs = Math.round(performance.now() - started);
  context.output.result({ v: 1, rollout: after, tookMs, cells: states }, () =>
    [toText(after), ...toCellLines(states)].join('\n'),
  );
  if (states.some(({ isTaken }) => !isTaken)) process.exitCode = EXIT.unavailable;
}

const toPercent = (basisPoints: number): string => `${basisPoints / 100} %`;

function toFigureText({ decided, stricter, looser, errors, latencyMicros }: CanaryFigures): string {
  const mean = decided === 0 ? 0 : Math.round(latencyMicros / decided);
  return `${decided} decided by both, ${stricter} stricter, ${looser} looser, ${errors} errors, ${mean} µs on average`;
}

function toText(rollout: RolloutAnswer): string {
  const { serial, phase, firstCell, shareBasisPoints, limits, figures, cells, stoppedBy } = rollout;
  const rules = (ids: readonly string[]): string => (ids.length === 0 ? 'no rule' : ids.join(', '));
  return [
    `serial ${serial}: ${phase}${stoppedBy === undefined ? '' : ` by the limit of ${stoppedBy}`}, first ${firstCell}, share ${toPercent(shareBasisPoints)}`,
    `stops beyond ${limits.errorsCountMax} errors, ${toPercent(limits.stricterBasisPointsMax)} stricter, ${limits.latencyMicrosMax} µs, from ${limits.decidedCountMin} decisions on`,
    toFigureText(figures),
    ...cells.map(({ cell, ...own }) => `  ${cell}: ${toFigureText(own)}`),
    ...figures.kinds.map(
      ({ change, action, class: dataClass, before, after, count }) =>
        `  ${count} × ${change}: ${action} of ${dataClass} data, was for ${rules(before)}, now for ${rules(after)}`,
    ),
  ].join('\n');
}
