// SPDX-License-Identifier: Apache-2.0
// The portal as the cells serve it: built when its sources are newer than what was built last.
import { spawn } from 'node:child_process';
import path from 'node:path';
import process from 'node:process';
import { CliError } from '../errors.ts';

const ROOT = path.resolve(import.meta.dirname, '../../../..');
const BUILD = path.join(ROOT, 'apps', 'portal', 'build.ts');
const OUTPUT_LENGTH_MAX = 16_384;

/** Gives the directory of the built portal, which is built first where it must be. @throws {CliError} `CLI_CHILD_ENDED` */
export function ensurePortal(): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', BUILD], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    let problem = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output = `${output}${chunk.toString('utf8')}`.slice(-OUTPUT_LENGTH_MAX);
    });
    child.stderr.on('data', (chunk: Buffer) => {
      problem = `${problem}${chunk.toString('utf8')}`.slice(-OUTPUT_LENGTH_MAX);
    });
    child.once('error', reject);
    child.once('close', (code) => {
      const directory = output.trim().split('\n').at(-1) ?? '';
      if (code === 0 && directory !== '') return resolve(directory);
      const hint = problem.trim().split('\n').slice(-3).join(' ');
      reject(new CliError('CLI_CHILD_ENDED', 'the portal could not be built', { hint }));
    });
  });
}
