// SPDX-License-Identifier: Apache-2.0
// The command's frame: names, options and help are here; what a command does is loaded when it runs, so
// that `--help` answers at once.
import { enableCompileCache } from 'node:module';
import process from 'node:process';
import { Command, CommanderError } from 'commander';
import { registerCommands } from './commands/register.ts';
import { type Ending, EXIT, toEnding } from './exit.ts';
import { createOutput, type Output } from './output.ts';

enableCompileCache();

function createProgram(): Command {
  const program = new Command('bailiwick');
  program
    .description('Keeps data where the law says, and proves it.')
    .version('0.1.0', '--version', 'print the version')
    .helpOption('--help', 'print this help')
    .option('--json', 'print the result as JSON')
    .option('--config <file>', 'client configuration (default: XDG, or the demo of this checkout)')
    .option('--tenant <id>', 'tenant id, or a name from the configuration')
    .option('--account <name>', 'account of the configuration to act as')
    .option('--purpose <name>', 'purpose of the request')
    .option('--state <directory>', 'state directory of the demo (default: .bailiwick)')
    .addHelpText('before', 'Example: bailiwick ingest orders.csv --mapping orders.yaml\n')
    .showHelpAfterError('bailiwick: hint: try `bailiwick --help`')
    .configureOutput({
      outputError: (text, write) => write(text.replace(/^error: /, 'bailiwick: error: ')),
    })
    .exitOverride();
  registerCommands(program);
  return program;
}

function tell(ending: Ending, output: Output): void {
  if (output.isJson) {
    const { code, message, hint, errorCode, problem } = ending;
    process.stderr.write(
      `${JSON.stringify({ error: { exitCode: code, code: errorCode, message, hint, problem } })}\n`,
    );
    return;
  }
  process.stderr.write(`bailiwick: error: ${ending.message}\n`);
  for (const note of ending.notes ?? []) process.stderr.write(`bailiwick: note: ${note}\n`);
  if (ending.hint !== undefined) process.stderr.write(`bailiwick: hint: ${ending.hint}\n`);
}

/** Runs the command with these arguments and sets the exit code of the process. */
export async function run(args: readonly string[]): Promise<void> {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // `bailiwick … | head`: the reader has seen enough.
    if (error.code === 'EPIPE') process.exit(EXIT.done);
  });
  try {
    await createProgram().parseAsync([...args], { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.usage;
      return;
    }
    const ending = toEnding(error);
    tell(ending, createOutput({ isJson: args.includes('--json') }));
    process.exitCode = ending.code;
  }
}

// Started as a program (by bin/bailiwick.mjs, with a Node that can run this), not imported.
if (process.argv[1] === import.meta.filename) await run(process.argv.slice(2));
