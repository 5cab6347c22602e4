// SPDX-License-Identifier: Apache-2.0
// `bailiwick witness`: a witness of one's own. The process itself is `apps/witness`; this makes its files,
// starts it and asks it what it has seen.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { parseVerifierKey } from '@bailiwick/ledger/verify';
import { stringify } from 'yaml';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import { EXIT } from '../exit.ts';
import { toTable } from '../output.ts';
import { prepareSigningKey } from '../supervisor/identities.ts';
import { argument } from './input.ts';
import type { Input } from './run.ts';

const ENTRY = path.resolve(import.meta.dirname, '../../../witness/src/main.ts');
const OUTPUT_LENGTH_MAX = 4_194_304;

interface Shown {
  readonly name: string;
  readonly verifierKey: string;
  readonly evidenceCount: number;
  readonly logs: readonly {
    readonly origin: string;
    readonly size?: number;
    readonly at?: string;
  }[];
}

/** Runs `bailiwick witness init <directory>`. */
export async function runWitnessInit(context: Context, { args, options }: Input): Promise<void> {
  const directory = path.resolve(argument(args, 0));
  const file = path.join(directory, 'witness.yaml');
  if (existsSync(file)) throw new CliError('CLI_USAGE_WRONG', `\`${file}\` is there already`);
  const logs = toFiles(options['log']).map((name) => readFileSync(name, 'utf8').trim());
  for (const key of logs) parseVerifierKey(key);
  mkdirSync(path.join(directory, 'logs'), { recursive: true, mode: 0o700 });
  prepareSigningKey(path.join(directory, 'witness-key.pem'));
  const config = {
    name: String(options['name']),
    keyFile: 'witness-key.pem',
    listen: { host: String(options['host']), port: Number(options['port']) },
    state: 'state',
    logs,
    telemetry: { directory: 'logs' },
  };
  const head = '# Configuration of a witness; made by `bailiwick witness init`\n';
  writeFileSync(file, head + stringify(config), { mode: 0o600, flag: 'wx' });
  await ask(['--config', file, '--init']);
  const shown = parseShown(await ask(['--config', file, '--show']));
  context.output.result({ v: 1, config: file, ...shown }, () =>
    [
      file,
      '',
      'Give this line to those who write trust policies:',
      `  witness ${shown.name} ${shown.verifierKey}`,
      'and to the cells that should ask it, the key and its address:',
      `  { kind: external, key: ${shown.verifierKey}, url: http://${config.listen.host}:${config.listen.port} }`,
      'Start it:',
      `  bailiwick witness run ${directory}`,
    ].join('\n'),
  );
}

function toFiles(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(String) : [String(value)];
}

/** Runs `bailiwick witness run <directory>`. */
export async function runWitnessRun(_context: Context, { args }: Input): Promise<void> {
  const child = start(['--config', toConfig(args)], 'inherit');
  const forward = (signal: NodeJS.Signals): void => void child.kill(signal);
  process.on('SIGINT', forward);
  process.on('SIGTERM', forward);
  process.exitCode = await toExit(child);
}

/** Runs `bailiwick witness show <directory>`. */
export async function runWitnessShow(context: Context, { args }: Input): Promise<void> {
  const shown = parseShown(await ask(['--config', toConfig(args), '--show']));
  context.output.result({ v: 1, ...shown }, () =>
    [
      `witness ${shown.name} ${shown.verifierKey}`,
      '',
      toTable(
        ['log', 'size', 'cosigned at'],
        shown.logs.map(({ origin, size, at }) => [
          origin,
          size === undefined ? '-' : String(size),
          at ?? 'never',
        ]),
      ),
      ...(shown.evidenceCount === 0
        ? []
        : [
            '',
            `${shown.evidenceCount} checkpoints contradict what was cosigned: see \`evidence\``,
          ]),
    ].join('\n'),
  );
}

function toConfig(args: Input['args']): string {
  return path.resolve(argument(args, 0), 'witness.yaml');
}

function start(args: readonly string[], stdout: 'inherit' | 'pipe'): ChildProcess {
  const flags = ['--disable-warning=ExperimentalWarning'];
  return spawn(process.execPath, [...flags, ENTRY, ...args, '--parent-pid', String(process.pid)], {
    stdio: ['ignore', stdout, 'inherit'],
  });
}

function toExit(child: ChildProcess): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  child.once('error', reject);
  child.once('close', (code) => resolve(code ?? EXIT.failed));
  return promise;
}

/** What a run that ends by itself writes. */
async function ask(args: readonly string[]): Promise<string> {
  const child = start(args, 'pipe');
  let text = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    if (text.length < OUTPUT_LENGTH_MAX) text += chunk.toString('utf8');
  });
  const code = await toExit(child);
  if (code === 0) return text;
  throw new CliError('CLI_CONFIG_INVALID', 'the witness cannot use this configuration');
}

function parseShown(text: string): Shown {
  return JSON.parse(text) as Shown;
}
