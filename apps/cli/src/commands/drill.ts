// SPDX-License-Identifier: Apache-2.0
// `bailiwick drill <name>`: runs drills as a process of their own (`drills/`), and reads their evidence.
import { spawn } from 'node:child_process';
import path from 'node:path';
import process from 'node:process';
import { toStateDirectory } from '../config.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit.ts';
import { argument } from './input.ts';
import type { Input } from './run.ts';

const ROOT = path.resolve(import.meta.dirname, '../../../..');
const ENTRY = path.join(ROOT, 'drills', 'src', 'main.ts');
const USAGE = 2;

/** Runs `bailiwick drill <name>`: one drill, `short` or `all`. */
export async function runDrill(context: Context, { args, options }: Input): Promise<void> {
  const stated = options['evidence'];
  const folder =
    typeof stated === 'string'
      ? path.resolve(stated)
      : path.join(toStateDirectory(context.globals), 'drills');
  const words = [argument(args, 0), '--evidence', folder];
  if (context.output.isJson) words.push('--json');
  const child = spawn(process.execPath, [ENTRY, ...words], { stdio: 'inherit' });
  // Ctrl-C at a terminal reaches the drill too, which ends its system in order: this one waits for it.
  const ignore = (): void => undefined;
  process.on('SIGINT', ignore);
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  process.off('SIGINT', ignore);
  process.exitCode = code === 0 ? EXIT.done : code === USAGE ? EXIT.usage : EXIT.failed;
}
