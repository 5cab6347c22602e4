// SPDX-License-Identifier: Apache-2.0
// `bailiwick charter test`: runs the tests beside a charter.
import process from 'node:process';
import { CharterError, type CharterTests, parseCharterTests } from '@bailiwick/charter';
import { type CharterTestRun, runCharterTests } from '@bailiwick/policy';
import { readText } from '../connect.ts';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import { EXIT } from '../exit.ts';
import type { Paint } from '../output.ts';
import { load, toProblemText } from './charter.ts';
import { argument } from './input.ts';
import type { Input } from './run.ts';

/** `retailer.test.yaml` beside `retailer.yaml`. */
function toTestsFile(file: string): string {
  return file.replace(/\.ya?ml$/, (ending) => `.test${ending}`);
}

function loadTests(file: string): CharterTests {
  try {
    return parseCharterTests(readText(file, 'the tests'), { fileName: file });
  } catch (error) {
    const [problem] = error instanceof CharterError ? error.problems : [];
    if (problem === undefined) throw error;
    throw new CliError('CLI_INPUT_REFUSED', toProblemText(problem, file), { cause: error });
  }
}

/** Runs `bailiwick charter test <file>`. */
export async function runCharterTest({ output }: Context, { args, options }: Input): Promise<void> {
  const file = argument(args, 0);
  const charter = load(file, options);
  const testsFile = options['tests'] === undefined ? toTestsFile(file) : String(options['tests']);
  const tests = loadTests(testsFile);
  if (tests.charter !== charter.name) {
    throw new CliError(
      'CLI_INPUT_REFUSED',
      `\`${testsFile}\` tests \`${tests.charter}\`, and this is \`${charter.name}\``,
    );
  }
  const run = runCharterTests(charter, tests);
  output.result({ v: 1, file, testsFile, hash: charter.hash, ...run }, () =>
    toText(charter.name, testsFile, run, output.paint),
  );
  if (run.failedCount > 0) process.exitCode = EXIT.failed;
}

function toText(name: string, file: string, run: CharterTestRun, paint: Paint): string {
  const { results, failedCount, untested } = run;
  const failed = results.flatMap(({ case: words, line, problems }) =>
    problems.map((problem) => `${paint('red', 'failed')}  ${file}:${line}: ${words}: ${problem}`),
  );
  const passed = results.length - failedCount;
  return [
    ...failed,
    `${name}: ${passed} of ${results.length} cases passed`,
    ...(untested.length === 0 ? [] : [`no case makes these rules decide: ${untested.join(', ')}`]),
  ].join('\n');
}
