// SPDX-License-Identifier: Apache-2.0
// `bailiwick check`: walks everything that a cell keeps. It reads the cell's own configuration and secrets,
// so it runs on the cell's machine; the cell may run or stand, its database must run.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { toStateDirectory } from '../config.ts';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import { EXIT } from '../exit.ts';
import { toTable } from '../output.ts';
import { argument } from './input.ts';
import type { Input } from './run.ts';

const ENTRY = path.resolve(import.meta.dirname, '../../../cell/src/check/main.ts');
const RESIDENCY = /^[a-z]{2}-[a-z0-9]{2,8}$/;
const OUTPUT_LENGTH_MAX = 1_048_576;

interface Report {
  readonly v: 1;
  readonly cell: string;
  readonly counts: Readonly<Record<string, number>>;
  readonly problemsCount: number;
  readonly problems: readonly { readonly problem: string; readonly about: string }[];
}

/** Runs `bailiwick check <residency>`; a problem exits with 4. */
export async function runCheck(context: Context, { args, options }: Input): Promise<void> {
  const report = await check(toConfigFile(context, argument(args, 0), options['cellConfig']));
  context.output.result(report, () => toText(report));
  if (report.problemsCount > 0) process.exitCode = EXIT.unverified;
}

function toConfigFile({ globals }: Context, residency: string, stated: unknown): string {
  if (!RESIDENCY.test(residency)) {
    throw new CliError('CLI_USAGE_WRONG', 'expected a residency such as `eu-de`');
  }
  const file =
    typeof stated === 'string'
      ? path.resolve(stated)
      : path.join(toStateDirectory(globals), 'cells', residency, 'cell.yaml');
  if (existsSync(file)) return file;
  throw new CliError('CLI_USAGE_WRONG', `\`${file}\` is not there`, {
    hint: 'name the cell’s configuration with `--cell-config <file>`',
  });
}

/** The cell's own code does it, in a process of its own: a cell's secrets have no business in this one. */
function check(configFile: string): Promise<Report> {
  return new Promise((resolve, reject) => {
    const args = ['--disable-warning=ExperimentalWarning', ENTRY, '--config', configFile];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let problem = '';
    child.stdout.on('data', (chunk: Buffer) => {
      if (output.length < OUTPUT_LENGTH_MAX) output += chunk.toString('utf8');
    });
    child.stderr.on('data', (chunk: Buffer) => {
      problem = `${problem}${chunk.toString('utf8')}`.slice(-4_096);
    });
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === EXIT.done || code === EXIT.unverified) {
        resolve(JSON.parse(output) as Report);
        return;
      }
      const words = problem.trim().split('\n').at(-1)?.replace('bailiwick cell: error: ', '') ?? '';
      reject(new CliError('CLI_CHILD_ENDED', words === '' ? 'the check ended early' : words));
    });
  });
}

function toText({ cell, counts, problemsCount, problems }: Report): string {
  const walked = Object.entries(counts)
    .map(([what, count]) => `${count} ${what}`)
    .join(', ');
  const head = `${cell}: ${problemsCount === 0 ? 'in order' : `${problemsCount} problems`}\n${walked}`;
  if (problemsCount === 0) return head;
  return `${head}\n\n${toTable(
    ['problem', 'about'],
    problems.map(({ problem, about }) => [problem, about]),
  )}`;
}
