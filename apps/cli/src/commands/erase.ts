// SPDX-License-Identifier: Apache-2.0
// `bailiwick erase`: a person's keys are destroyed; what they protected is noise in every copy.
import { unwrap } from '@bailiwick/sdk';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import { confirm } from './ask.ts';
import { argument, readInput } from './input.ts';
import type { Input } from './run.ts';

/** Runs `bailiwick erase <residency> --subject <file>`. */
export async function runErase(context: Context, { args, options }: Input): Promise<void> {
  const residency = argument(args, 0);
  const subject = readInput(String(options['subject']), 'the subject’s id').trim();
  if (subject === '') throw new CliError('CLI_USAGE_WRONG', 'the subject’s id is empty');
  await confirm(`Erase this person in ${residency}? This cannot be taken back.`, {
    isYes: options['yes'] === true,
  });
  const cell = await context.cell(residency);
  const receipt = unwrap(await cell.erasures.create(subject));
  context.output.result({ v: 1, receipt }, () => JSON.stringify(receipt, null, 2));
}
