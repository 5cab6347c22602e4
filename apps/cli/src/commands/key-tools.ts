// SPDX-License-Identifier: Apache-2.0
// `bailiwick key-proxy` (the customer's own key service), `bailiwick key-provider` and `bailiwick
// key-approver` (what a cell's operator notes beside the key service). Each is a process of its own; this
// starts it and passes its words on.
import { spawn } from 'node:child_process';
import path from 'node:path';
import process from 'node:process';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import { EXIT } from '../exit.ts';
import { argument } from './input.ts';
import type { Input } from './run.ts';

const PROXY = path.resolve(import.meta.dirname, '../../../key-proxy/src/main.ts');
const ENROL = path.resolve(import.meta.dirname, '../../../cell/src/key-service/enrol.ts');
/** Options of this command that are passed on under the same name. */
const PASSED = [
  'directory',
  'name',
  'host',
  'port',
  'clientCert',
  'clientCa',
  'library',
  'tokenLabel',
  'pinFile',
  'environment',
  'keyId',
  'path',
  'enrolment',
  'secretFile',
  'provider',
  'key',
] as const;

const toFlag = (name: string): string =>
  `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

function toFlags(options: Input['options']): readonly string[] {
  const valued = PASSED.flatMap((name) => {
    const value: unknown = options[name];
    const values = Array.isArray(value) ? value : value === undefined ? [] : [value];
    return values.flatMap((one) => [toFlag(name), String(one)]);
  });
  const set = ['home', 'withPlaceKey', 'yes'].filter((name) => options[name] === true);
  return [...valued, ...set.map(toFlag)];
}

/** Runs a program with our output until it ends or we are told to stop. */
async function run(entry: string, args: readonly string[]): Promise<void> {
  const flags = ['--disable-warning=ExperimentalWarning'];
  const child = spawn(process.execPath, [...flags, entry, ...args], { stdio: 'inherit' });
  const forward = (signal: NodeJS.Signals): void => void child.kill(signal);
  process.on('SIGINT', forward);
  process.on('SIGTERM', forward);
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  child.once('error', reject);
  child.once('close', (code) => resolve(code ?? EXIT.failed));
  process.exitCode = await promise;
}

/** Runs `bailiwick key-proxy start`: sets up what is not there yet, then serves until Ctrl-C. */
export async function runKeyProxyStart(_context: Context, { options }: Input): Promise<void> {
  await run(PROXY, ['start', ...toFlags(options), '--parent-pid', String(process.pid)]);
}

/** Runs `bailiwick key-proxy init`. */
export async function runKeyProxyInit(_context: Context, { options }: Input): Promise<void> {
  await run(PROXY, ['init', ...toFlags(options)]);
}

/** Runs `bailiwick key-proxy serve <directory>`. */
export async function runKeyProxyServe(_context: Context, { args }: Input): Promise<void> {
  const file = path.resolve(argument(args, 0), 'key-proxy.yaml');
  await run(PROXY, ['serve', '--config', file, '--parent-pid', String(process.pid)]);
}

/** Runs `bailiwick key-proxy key <verb> <directory> [id]`. */
export async function runKeyProxyKey(_context: Context, { args, options }: Input): Promise<void> {
  const [verb = '', directory = '', id] = args;
  const file = path.resolve(directory, 'key-proxy.yaml');
  const rest = [...(id === undefined ? [] : [id]), '--config', file, ...toFlags(options)];
  await run(PROXY, ['key', verb, ...rest]);
}

async function toPlace(context: Context, options: Input['options']): Promise<readonly string[]> {
  const given: unknown = options['cellConfig'];
  if (typeof given !== 'string') throw new CliError('CLI_USAGE_WRONG', 'expected `--cell-config`');
  const wanted: unknown = options['tenant'];
  if (typeof wanted !== 'string') throw new CliError('CLI_USAGE_WRONG', 'expected `--tenant`');
  const isId = /^[0-9a-f]{8}-[0-9a-f-]{27}$/.test(wanted);
  const named = isId
    ? undefined
    : (await context.config()).tenants.find(({ name }) => name === wanted);
  if (!isId && named === undefined) {
    throw new CliError('CLI_USAGE_WRONG', 'no tenant of this name in the configuration');
  }
  return ['--config', path.resolve(given), '--tenant', named?.id ?? wanted];
}

/** Runs `bailiwick key-provider add <name>`. */
export async function runKeyProviderAdd(context: Context, { args, options }: Input): Promise<void> {
  const place = await toPlace(context, options);
  await run(ENROL, ['provider', argument(args, 0), ...place, ...toFlags(options)]);
}

/** Runs `bailiwick key-approver add <name>`. */
export async function runKeyApproverAdd(context: Context, { args, options }: Input): Promise<void> {
  const place = await toPlace(context, options);
  await run(ENROL, ['approver', argument(args, 0), ...place, ...toFlags(options)]);
}
