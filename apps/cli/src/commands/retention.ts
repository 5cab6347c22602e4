// SPDX-License-Identifier: Apache-2.0
// `bailiwick retention`: how long data is kept, and removing what has served its time.
import { setTimeout as wait } from 'node:timers/promises';
import { type Cell, type RetentionRun, unwrap } from '@bailiwick/sdk';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import { toTable } from '../output.ts';
import { confirm } from './ask.ts';
import { argument } from './input.ts';
import type { Input } from './run.ts';

const POLL_MS = 250;

/** Runs `bailiwick retention show <residency>`. */
export async function runRetentionShow(context: Context, { args }: Input): Promise<void> {
  const cell = await context.cell(argument(args, 0));
  const { items } = unwrap(await cell.retention.terms());
  context.output.result({ v: 1, items }, () =>
    toTable(
      ['collection', 'fields', 'category', 'kept for', 'from', 'duty', 'set by', 'of data from'],
      items.map((one) => [
        one.collection,
        one.fieldSet,
        one.category,
        one.keepForDays === undefined ? 'no term' : `${one.keepForDays} days`,
        one.from ?? '',
        one.isRequired === true ? 'must be kept' : '',
        one.setBy ?? '',
        one.origins.length > 3 ? `${one.origins.length} jurisdictions` : one.origins.join(' '),
      ]),
    ),
  );
}

/** Runs `bailiwick retention run <residency>`; `--dry-run` tells what would go. */
export async function runRetentionRun(context: Context, { args, options }: Input): Promise<void> {
  const residency = argument(args, 0);
  const isDryRun = options['dryRun'] === true;
  if (!isDryRun) {
    await confirm(`Remove what has served its time in ${residency}? This cannot be taken back.`, {
      isYes: options['yes'] === true,
    });
  }
  const cell = await context.cell(residency);
  const { collection } = options;
  const wanted = collection === undefined ? {} : { collection: String(collection) };
  const { runId } = unwrap(await cell.retention.run({ isDryRun, ...wanted }));
  const run = await awaitRun(cell, runId, Number(options['wait'] ?? 600) * 1000);
  context.output.result({ v: 1, run }, () => tell(run));
}

async function awaitRun(cell: Cell, runId: string, waitMsMax: number): Promise<RetentionRun> {
  const untilMs = performance.now() + waitMsMax;
  for (;;) {
    const run = unwrap(await cell.retention.get(runId));
    if (run.state === 'done') return run;
    if (performance.now() > untilMs) {
      throw new CliError('CLI_USAGE_WRONG', `run ${runId} is still going`, {
        hint: 'it goes on by itself; look again with `bailiwick retention runs`',
      });
    }
    await wait(POLL_MS);
  }
}

function tell(run: RetentionRun): string {
  const { scanned, deleted, reduced, held, ordered, unverified, byCategory } = run.counts;
  const would = run.isDryRun ? 'would be ' : '';
  return [
    `${scanned} records looked at: ${deleted} ${would}deleted, ${reduced} ${would}reduced`,
    `kept past their term: ${held} by holds, ${ordered} by orders; ${unverified} do not verify`,
    ...Object.entries(byCategory).map(([name, count]) => `  ${name}: ${count} field sets`),
    `run ${run.runId}`,
  ].join('\n');
}

/** Runs `bailiwick retention runs <residency>`. */
export async function runRetentionRuns(context: Context, { args }: Input): Promise<void> {
  const cell = await context.cell(argument(args, 0));
  const { items } = unwrap(await cell.retention.list());
  context.output.result({ v: 1, items }, () =>
    toTable(
      ['run', 'state', 'dry', 'scanned', 'deleted', 'reduced', 'held', 'when'],
      items.map(({ runId, state, isDryRun, counts, createdAt }) => [
        runId,
        state,
        isDryRun ? 'yes' : 'no',
        counts.scanned,
        counts.deleted,
        counts.reduced,
        counts.held,
        createdAt,
      ]),
    ),
  );
}
