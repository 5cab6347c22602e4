// SPDX-License-Identifier: Apache-2.0
import type { OptionValues } from 'commander';
import type { Context } from '../context.ts';

/** What a command is given beside its context. */
export interface Input {
  readonly args: readonly string[];
  readonly options: OptionValues;
}
/** A command's work. It writes its result and returns; failures are thrown. */
export type Run = (context: Context, input: Input) => Promise<void>;
