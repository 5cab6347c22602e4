// SPDX-License-Identifier: Apache-2.0
// A command's work is loaded when the command runs: `--help` stays quick.
import type { Command } from 'commander';
import { createContext } from '../context.ts';
import { createOutput } from '../output.ts';
import type { Run } from './run.ts';

/** Loads a command’s work when it runs. */
export function lazy(load: () => Promise<Run>): (...parameters: unknown[]) => Promise<void> {
  return async (...parameters) => {
    const command = parameters.at(-1);
    if (!isCommand(command)) throw new Error('assertion failed: commander passes the command last');
    const options = command.optsWithGlobals();
    const output = createOutput({ isJson: options['json'] === true });
    const context = createContext(output, options);
    try {
      const run = await load();
      await run(context, { args: command.args, options });
    } finally {
      for (const close of context.closers.reverse()) await close();
    }
  };
}

function isCommand(value: unknown): value is Command {
  return typeof value === 'object' && value !== null && 'optsWithGlobals' in value;
}
