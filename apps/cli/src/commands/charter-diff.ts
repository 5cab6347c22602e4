// SPDX-License-Identifier: Apache-2.0
// `bailiwick charter diff`: what another charter would change, widenings first.
import process from 'node:process';
import {
  type CharterDifference,
  type CompiledCharter,
  diffCharters,
  type FlowDifference,
  isWider,
} from '@bailiwick/charter';
import type { AssessmentAnswer } from '@bailiwick/contracts';
import { isCoded } from '@bailiwick/kernel';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import { EXIT } from '../exit.ts';
import { openConfiguredOperator } from '../operator.ts';
import type { Paint } from '../output.ts';
import { load } from './charter.ts';
import { assessCells, pickCells, toAssessmentLines, writeHealingDraft } from './charter-assess.ts';
import { readCharterToSend } from './charter-text.ts';
import { argument } from './input.ts';
import type { Input } from './run.ts';

const LIMIT_MAX = 100_000;

function toLimit(text: string): number {
  const limit = Number(text);
  if (Number.isInteger(limit) && limit >= 0 && limit <= LIMIT_MAX) return limit;
  throw new CliError('CLI_USAGE_WRONG', `\`${text}\` is no limit`, {
    hint: `a whole number from 0 to ${LIMIT_MAX}`,
  });
}

/** What cannot be compared is not told as unchanged. */
function compare(before: CompiledCharter, after: CompiledCharter): CharterDifference {
  try {
    return diffCharters(before, after);
  } catch (error) {
    if (!isCoded(error, 'CHARTER_SPACE_TOO_LARGE')) throw error;
    throw new CliError('CLI_INPUT_REFUSED', `cannot compare: ${error.message}`, {
      hint: 'change fewer rules at a time; a cell takes this change only with approvals',
      cause: error,
    });
  }
}

/** Runs `bailiwick charter diff <old> <new>`. */
export async function runCharterDiff(context: Context, { args, options }: Input): Promise<void> {
  const { output } = context;
  const limit = toLimit(String(options['limit']));
  const [before, after] = [load(argument(args, 0), options), load(argument(args, 1), options)];
  const started = performance.now();
  const difference = compare(before, after);
  const tookMs = performance.now() - started;
  const assessments = await assess(context, { args, options }, { before, after });
  const { spaceSize, ...changes } = difference;
  const value = {
    v: 1,
    before: { name: before.name, hash: before.hash },
    after: { name: after.name, hash: after.hash },
    isWider: isWider(difference),
    space: { flows: String(spaceSize.flows), folded: String(spaceSize.folded) },
    tookMs: Math.round(tookMs),
    ...changes,
    ...(assessments === undefined ? {} : { cells: assessments }),
  };
  output.result(value, () =>
    [
      toText(difference, { limit, paint: output.paint }),
      ...toAssessmentLines(assessments ?? [], output.paint),
    ].join('\n'),
  );
  if (isWider(difference)) process.exitCode = EXIT.denied;
}

/** What running cells hold, where they are asked. */
async function assess(
  context: Context,
  { args, options }: Input,
  charters: { readonly before: CompiledCharter; readonly after: CompiledCharter },
): Promise<readonly AssessmentAnswer[] | undefined> {
  const { cells: wanted, draft } = options;
  if (wanted === undefined) {
    if (draft === undefined) return undefined;
    throw new CliError('CLI_USAGE_WRONG', '`--draft` needs `--cells`');
  }
  const config = await context.config();
  const cells = pickCells(config, String(wanted));
  const operator = openConfiguredOperator(config);
  context.closers.push(() => operator.close());
  const [against, { text }] = [
    readCharterToSend(argument(args, 0), options),
    readCharterToSend(argument(args, 1), options),
  ];
  const answers = await assessCells(operator, cells, { text, against: against.text });
  const { before, after } = charters;
  if (draft !== undefined) {
    writeHealingDraft(String(draft), answers, { before: before.hash, after: after.hash });
  }
  return answers;
}

interface Section {
  readonly title: string;
  readonly lines: readonly string[];
}

/** Flows that flip for the same rules, in words, with the rules. */
function toFlowLine({ words, before, after }: FlowDifference): string {
  const told = after.outcome === 'allow' ? after : before;
  const others = after.outcome === 'allow' ? before : after;
  const by = told.rules.length === 0 ? '' : ` [${told.rules.join(', ')}]`;
  const against = others.rules.length === 0 ? '' : ` [was for ${others.rules.join(', ')}]`;
  return `${words}${by}${after.outcome === 'allow' ? against.replace('was for', 'before:') : against.replace('was for', 'now:')}`;
}

function toText(
  difference: CharterDifference,
  { limit, paint }: { readonly limit: number; readonly paint: Paint },
): string {
  const { widenings, narrowings, homesChanged, loosened, tightened } = difference;
  const words = (items: readonly { readonly words: string }[]): readonly string[] =>
    items.map((item) => item.words);
  const sections: readonly Section[] = [
    { title: 'wider', lines: widenings.map(toFlowLine) },
    { title: 'asks less', lines: words(loosened) },
    {
      title: 'lives elsewhere',
      lines: homesChanged.map(
        ({ origin, before, after }) => `${origin}: ${after}, before ${before}`,
      ),
    },
    { title: 'narrower', lines: narrowings.map(toFlowLine) },
    { title: 'asks more', lines: words(tightened) },
  ];
  const told = sections.flatMap(({ title, lines }) => {
    if (lines.length === 0) return [];
    const rest = lines.length - limit;
    return [
      paint('bold', `${title} (${lines.length})`),
      ...lines.slice(0, limit).map((line) => `  ${line}`),
      ...(rest > 0 ? [`  and ${rest} more: --limit ${lines.length}`] : []),
    ];
  });
  const verdict = isWider(difference)
    ? 'wider: takes effect only with approvals'
    : told.length > 0
      ? 'not wider: takes effect at once'
      : 'no flow, home or demand differs';
  return [...told, verdict].join('\n');
}
