// SPDX-License-Identifier: Apache-2.0
// Runs named commands of the checkout and reports them in one shape.
import { spawn } from 'node:child_process';
import path from 'node:path';

export const ROOT: string = path.resolve(import.meta.dirname, '../..');

export interface Step {
  readonly name: string;
  /** A binary of node_modules/.bin or `node`, and its arguments. */
  readonly command: readonly [string, ...string[]];
  readonly env?: Readonly<Record<string, string>>;
  /** Shows the output as it comes instead of only on failure. */
  readonly live?: boolean;
}

interface Outcome {
  readonly ok: boolean;
  readonly seconds: number;
  readonly output: string;
}

function runStep({ command: [binary, ...args], env, live }: Step): Promise<Outcome> {
  const started = performance.now();
  const file =
    binary === 'node' ? process.execPath : path.join(ROOT, 'node_modules', '.bin', binary);
  return new Promise((resolve) => {
    const child = spawn(file, args, {
      cwd: ROOT,
      stdio: live ? ['ignore', 'inherit', 'inherit'] : ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    const chunks: Buffer[] = [];
    child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.stderr?.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.on('error', (error) => chunks.push(Buffer.from(`${error.message}\n`)));
    child.on('close', (code) => {
      const seconds = (performance.now() - started) / 1000;
      resolve({ ok: code === 0, seconds, output: Buffer.concat(chunks).toString() });
    });
  });
}

function report(step: Step, outcome: Outcome): void {
  const mark = outcome.ok ? 'ok    ' : 'FAILED';
  process.stdout.write(`${mark} ${step.name} (${outcome.seconds.toFixed(1)} s)\n`);
  if (!outcome.ok && !step.live) process.stdout.write(`${outcome.output}\n`);
}

/** Runs the steps side by side or in turn; 0 when all passed. In turn, the first failure ends it. */
export async function runSteps(
  steps: readonly Step[],
  options: { readonly together: boolean },
): Promise<0 | 1> {
  if (options.together) {
    const outcomes = await Promise.all(
      steps.map(async (step) => {
        const outcome = await runStep(step);
        report(step, outcome);
        return outcome.ok;
      }),
    );
    return outcomes.every(Boolean) ? 0 : 1;
  }
  for (const step of steps) {
    const outcome = await runStep(step);
    report(step, outcome);
    if (!outcome.ok) return 1;
  }
  return 0;
}
