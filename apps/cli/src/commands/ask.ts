// SPDX-License-Identifier: Apache-2.0
// Before something that cannot be taken back, or stops somebody's work: ask, or be told `--yes`.
import process from 'node:process';
import { createInterface } from 'node:readline/promises';
import { CliError } from '../errors.ts';

/** Asks on the terminal; without one, `--yes` is needed. @throws {CliError} `CLI_USAGE_WRONG` */
export async function confirm(
  question: string,
  { isYes }: { readonly isYes: boolean },
): Promise<void> {
  if (isYes) return;
  if (process.stdin.isTTY !== true) {
    throw new CliError('CLI_USAGE_WRONG', 'this asks first, and there is no terminal to ask on', {
      hint: 'say `--yes` when you mean it',
    });
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await terminal.question(`${question} [y/N] `);
  terminal.close();
  if (!/^y(es)?$/i.test(answer.trim())) throw new CliError('CLI_INTERRUPTED', 'nothing was done');
}
