// SPDX-License-Identifier: Apache-2.0
// Reads the console blocks of a Markdown page: lines that start with `$ ` are commands, the lines behind
// them are what must be printed, in that order. `…` stands for any text within a line; a line that is only
// `…` for any number of lines.
import { spawn } from 'node:child_process';

export interface ConsoleStep {
  readonly command: string;
  readonly expected: readonly string[];
  /** Exit status; `# exits with 3` behind the command asks for another than 0. */
  readonly exitCode: number;
  readonly line: number;
}

export function readConsoleSteps(markdown: string): readonly ConsoleStep[] {
  const steps: ConsoleStep[] = [];
  let inside = false;
  let current: { command: string; expected: string[]; exitCode: number; line: number } | undefined;
  const finish = (): void => {
    if (current) steps.push(current);
    current = undefined;
  };
  for (const [index, line] of markdown.split('\n').entries()) {
    if (line.startsWith('```')) {
      finish();
      inside = line === '```console';
    } else if (inside && line.startsWith('$ ')) {
      finish();
      const [, command = '', code = '0'] = /^\$ (.*?)(?:\s+# exits with (\d+))?$/.exec(line) ?? [];
      current = { command, expected: [], exitCode: Number(code), line: index + 1 };
    } else if (inside && current) {
      current.expected.push(line);
    }
  }
  finish();
  return steps;
}

/** The first expected line that the output does not hold in order; undefined when it holds all. */
export function findMissingLine(expected: readonly string[], output: string): string | undefined {
  const lines = output.split('\n').map((line) => line.trimEnd());
  let at = 0;
  for (const wanted of expected
    .map((line) => line.trimEnd())
    .filter((line) => line !== '…' && line !== '')) {
    const pattern = new RegExp(
      `^${wanted
        .split('…')
        .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/\s+/g, '\\s+'))
        .join('.*')}$`,
    );
    const found = lines.findIndex((line, index) => index >= at && pattern.test(line));
    if (found < 0) return wanted;
    at = found + 1;
  }
  return undefined;
}

export interface Ran {
  readonly code: number | null;
  readonly output: string;
}

/** Runs a command of the docs in a shell, stdout and stderr together, within a time limit. */
export function runCommand(
  command: string,
  options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv; readonly timeoutMs: number },
): Promise<Ran> {
  return new Promise((resolve) => {
    const child = spawn('bash', ['-c', command], {
      cwd: options.cwd,
      env: options.env,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: options.timeoutMs,
    });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.on('close', (code) => resolve({ code, output: Buffer.concat(chunks).toString() }));
  });
}
