// SPDX-License-Identifier: Apache-2.0
// `bailiwick request`: what people ask for under their rights, from receipt to answer.
import { writeFileSync } from 'node:fs';
import { type Cell, type RightsRequest, type RightsRequestDraft, unwrap } from '@bailiwick/sdk';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import { toTable } from '../output.ts';
import { confirm } from './ask.ts';
import { argument, readMapping } from './input.ts';
import type { Input } from './run.ts';
import { readSubject } from './subject.ts';

const KINDS = ['access', 'rectification', 'restriction', 'objection', 'erasure'] as const;
const GROUNDS = ['accuracy-contested', 'unlawful', 'claims', 'objection-pending'] as const;

function oneOf<T extends string>(known: readonly T[], text: string, what: string): T {
  const found = known.find((one) => one === text);
  if (found !== undefined) return found;
  throw new CliError('CLI_USAGE_WRONG', `the ${what} is one of ${known.join(', ')}`);
}

/** Runs `bailiwick request create <residency> --kind <kind> --subject <file>`. */
export async function runRequestCreate(context: Context, { args, options }: Input): Promise<void> {
  const cell = await context.cell(argument(args, 0));
  const { ground } = options;
  const draft: RightsRequestDraft = {
    kind: oneOf(KINDS, String(options['kind']), 'kind'),
    subject: readSubject(options),
    ...(options['against'] === undefined ? {} : { purpose: String(options['against']) }),
    ...(ground === undefined ? {} : { ground: oneOf(GROUNDS, String(ground), 'ground') }),
  };
  report(context, unwrap(await cell.requests.create(draft)));
}

type Verb = 'show' | 'verify' | 'extend' | 'execute';

const CALLS: Readonly<
  Record<Verb, (cell: Cell, id: string) => ReturnType<Cell['requests']['get']>>
> = {
  show: (cell, id) => cell.requests.get(id),
  verify: (cell, id) => cell.requests.verify(id),
  extend: (cell, id) => cell.requests.extend(id),
  execute: (cell, id) => cell.requests.execute(id, { deadlineMs: 60_000 }),
};

/** Runs `bailiwick request show|verify|extend|execute <residency> <requestId>`. */
export function runRequestStep(verb: Verb) {
  return async (context: Context, { args, options }: Input): Promise<void> => {
    const requestId = argument(args, 1);
    const cell = await context.cell(argument(args, 0));
    if (verb === 'execute') {
      const { kind } = unwrap(await cell.requests.get(requestId));
      const isYes = options['yes'] === true || kind !== 'erasure';
      await confirm('Erase this person? This cannot be taken back.', { isYes });
    }
    report(context, unwrap(await CALLS[verb](cell, requestId)));
  };
}

/** Runs `bailiwick request refuse <residency> <requestId> --ground <ground>`. */
export async function runRequestRefuse(context: Context, { args, options }: Input): Promise<void> {
  const cell = await context.cell(argument(args, 0));
  const { reference } = options;
  const refusal = {
    ground: String(options['ground']),
    ...(reference === undefined ? {} : { reference: String(reference) }),
  };
  report(context, unwrap(await cell.requests.refuse(argument(args, 1), refusal)));
}

/** Runs `bailiwick request rectify <residency> <requestId> --change <file>`. */
export async function runRequestRectify(context: Context, { args, options }: Input): Promise<void> {
  const { collection, recordId, fields } = readMapping(String(options['change']), 'the change');
  if (typeof collection !== 'string' || typeof recordId !== 'string' || !isFields(fields)) {
    throw new CliError('CLI_USAGE_WRONG', 'the change has `collection`, `recordId` and `fields`');
  }
  const cell = await context.cell(argument(args, 0));
  const change = { collection, recordId, fields };
  report(context, unwrap(await cell.requests.rectify(argument(args, 1), change)));
}

function isFields(
  value: unknown,
): value is Readonly<Record<string, string | number | boolean | null>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Runs `bailiwick request export <residency> <requestId> --output <file>`. */
export async function runRequestExport(context: Context, { args, options }: Input): Promise<void> {
  const requestId = argument(args, 1);
  const file = String(options['output']);
  const cell = await context.cell(argument(args, 0));
  const isReadable = options['format'] === 'markdown';
  const document = isReadable
    ? unwrap(await cell.requests.exportReadable(requestId))
    : unwrap(await cell.requests.export(requestId));
  const text = typeof document === 'string' ? document : `${JSON.stringify(document, null, 2)}\n`;
  try {
    // A person's data: readable by whoever ran this, and never over another file.
    writeFileSync(file, text, { flag: 'wx', mode: 0o600 });
  } catch (cause) {
    throw new CliError('CLI_FILE_UNREADABLE', `\`${file}\` cannot be written`, { cause });
  }
  const sizeBytes = Buffer.byteLength(text);
  context.output.result({ v: 1, file, sizeBytes }, () => `${sizeBytes} bytes in ${file}`);
}

/** Runs `bailiwick request list <residency>`. */
export async function runRequestList(context: Context, { args }: Input): Promise<void> {
  const cell = await context.cell(argument(args, 0));
  const { items } = unwrap(await cell.requests.list());
  context.output.result({ v: 1, items }, () =>
    toTable(
      ['request', 'right', 'state', 'due', 'overdue', 'subject'],
      items.map(({ requestId, kind, state, dueOn, isOverdue, subjectId }) => [
        requestId,
        kind,
        state,
        dueOn,
        isOverdue ? 'OVERDUE' : '',
        subjectId,
      ]),
    ),
  );
}

function report({ output }: Context, request: RightsRequest): void {
  output.result({ v: 1, request }, () => tell(request));
}

function tell(request: RightsRequest): string {
  const { deadlines, steps, refusal } = request;
  return [
    `request ${request.requestId}: ${request.kind}, ${request.state}, due ${request.dueOn}${request.isOverdue ? ' (OVERDUE)' : ''}`,
    ...deadlines.map(
      ({ regime, dueOn, extendedTo, article, isConfirmed }) =>
        `  ${regime}: ${extendedTo ?? dueOn} [${article ?? 'thirty days assumed'}]${isConfirmed ? '' : ' (unconfirmed)'}`,
    ),
    ...steps.map(
      ({ step, state, attempts, code = '', facts = {} }) =>
        `  ${step}: ${state}${code === '' ? '' : ` (${code}, attempt ${attempts})`} ${Object.entries(
          facts,
        )
          .map(([name, value]) => `${name} ${value}`)
          .join(', ')}`,
    ),
    ...(refusal === undefined ? [] : [`  refused: ${refusal.ground} ${refusal.reference ?? ''}`]),
    ...(request.erasureId === undefined
      ? []
      : [`  receipt: bailiwick erasure show <residency> ${request.erasureId}`]),
  ].join('\n');
}
