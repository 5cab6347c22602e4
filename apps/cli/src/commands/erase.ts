// SPDX-License-Identifier: Apache-2.0
// `bailiwick erase`: a person's keys are destroyed; what they protected is noise in every copy.
import { writeFileSync } from 'node:fs';
import { type ErasureReceipt, unwrap } from '@bailiwick/sdk';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import { confirm } from './ask.ts';
import { argument } from './input.ts';
import type { Input } from './run.ts';
import { readSubject } from './subject.ts';

/** Runs `bailiwick erase <residency> --subject <file>`. */
export async function runErase(context: Context, { args, options }: Input): Promise<void> {
  const residency = argument(args, 0);
  const subject = readSubject(options);
  await confirm(`Erase this person in ${residency}? This cannot be taken back.`, {
    isYes: options['yes'] === true,
  });
  const cell = await context.cell(residency);
  const receipt = unwrap(await cell.erasures.create(subject, { deadlineMs: 60_000 }));
  report(context, receipt, options['receipt']);
}

/** Runs `bailiwick erasure show <residency> <erasureId>`. */
export async function runErasureShow(context: Context, { args, options }: Input): Promise<void> {
  const cell = await context.cell(argument(args, 0));
  report(context, unwrap(await cell.erasures.get(argument(args, 1))), options['receipt']);
}

function report({ output }: Context, receipt: ErasureReceipt, file: unknown): void {
  if (typeof file === 'string') writeReceipt(file, receipt);
  output.result({ v: 1, receipt }, () => tell(receipt));
}

function writeReceipt(file: string, receipt: ErasureReceipt): void {
  if (receipt.receipt === undefined) {
    throw new CliError('CLI_INPUT_REFUSED', 'the erasure is not done: there is no receipt yet');
  }
  try {
    writeFileSync(file, `${JSON.stringify(receipt.receipt, null, 2)}\n`, { flag: 'wx' });
  } catch (cause) {
    throw new CliError('CLI_FILE_UNREADABLE', `\`${file}\` cannot be written`, { cause });
  }
}

function tell(receipt: ErasureReceipt): string {
  const { kept, unreadableInServiceAt, unreadableInCopiesOn } = receipt;
  return [
    `erasure ${receipt.erasureId}: ${receipt.state}, subject ${receipt.subjectId}`,
    ...(unreadableInServiceAt === undefined
      ? []
      : [
          `unreadable in service since ${unreadableInServiceAt}`,
          `unreadable in every copy from ${unreadableInCopiesOn} on, when the last backup has ended`,
        ]),
    `${receipt.recordsCount} records deleted, ${receipt.keyIds.length} keys destroyed, ` +
      `signed ${receipt.statements.length} times`,
    ...kept.map(
      (one) =>
        `kept: ${one.fields.join(', ')} of ${one.recordsCount} in ${one.collection} (${one.reason}` +
        `${one.until === undefined ? '' : `, until ${one.until}`}): ${one.because} [${one.source}]`,
    ),
    ...receipt.caveats.map((one) => `only said: ${one}`),
    `entries ${receipt.entries.join(', ')}`,
  ].join('\n');
}
