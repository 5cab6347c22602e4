// SPDX-License-Identifier: Apache-2.0
// Entry point of the customer's key service.
//   main.ts init --directory <dir> --name <dns name> --library <so> --token-label <label> --pin-file <file> …
//   main.ts start (as `init`; sets up what is not there yet, then serves)
//   main.ts serve --config <key-proxy.yaml> [--parent-pid <pid>]
//   main.ts key list|create|rotate|disable|enable|destroy [<id>] --config <key-proxy.yaml> [--yes]
import { existsSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { isCoded } from '@bailiwick/kernel';
import { openPkcs11Keys } from '@bailiwick/kms-pkcs11';
import { loadKeyProxyConfig } from './config.ts';
import { openKeyProxy } from './key-proxy.ts';
import { type Enrolment, setUpKeyProxy } from './set-up.ts';

const PARENT_CHECK_MS = 500;
const STOP_TIMEOUT_MS = 4500;

class UsageError extends Error {}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    config: { type: 'string' },
    'parent-pid': { type: 'string' },
    directory: { type: 'string' },
    name: { type: 'string' },
    host: { type: 'string', default: '0.0.0.0' },
    port: { type: 'string', default: '443' },
    'client-cert': { type: 'string' },
    'client-ca': { type: 'string' },
    library: { type: 'string' },
    'token-label': { type: 'string' },
    'pin-file': { type: 'string' },
    environment: { type: 'string', multiple: true, default: [] },
    'key-id': { type: 'string' },
    path: { type: 'string', default: '' },
    yes: { type: 'boolean', default: false },
  },
});

type Name =
  | 'config'
  | 'directory'
  | 'name'
  | 'client-cert'
  | 'library'
  | 'token-label'
  | 'pin-file'
  | 'key-id';

function need(name: Name): string {
  const value = values[name];
  if (value === undefined) throw new UsageError(`expected \`--${name}\``);
  return value;
}

const say = (value: unknown): void => {
  process.stdout.write(`${JSON.stringify(value)}\n`);
};

async function init(): Promise<void> {
  say(await setUp());
}

/** One command for the customer: everything is made at the first start, and served at each. */
async function start(): Promise<void> {
  const directory = need('directory');
  const file = path.join(directory, 'key-proxy.yaml');
  if (!existsSync(file)) say(await setUp());
  await serve(file);
}

async function setUp(): Promise<Enrolment> {
  const clientCertFile = need('client-cert');
  const environment = Object.fromEntries(
    values.environment.map((pair): [string, string] => {
      const [name = '', ...rest] = pair.split('=');
      return [name, rest.join('=')];
    }),
  );
  return setUpKeyProxy({
    directory: need('directory'),
    serverName: need('name'),
    host: values.host,
    port: Number(values.port),
    clientCertFile,
    clientCaFile: values['client-ca'] ?? clientCertFile,
    library: need('library'),
    tokenLabel: need('token-label'),
    pinFile: need('pin-file'),
    environment,
    keyId: need('key-id'),
    uriPathPrefix: values.path,
  });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

async function serve(file: string): Promise<void> {
  const running = await openKeyProxy(loadKeyProxyConfig(file));
  let isStopping = false;
  const stop = (): void => {
    if (isStopping) return;
    isStopping = true;
    setTimeout(() => process.exit(1), STOP_TIMEOUT_MS).unref();
    running.close().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  const parentPid = Number(values['parent-pid'] ?? Number.NaN);
  if (Number.isInteger(parentPid) && parentPid > 0) {
    const isChild = process.ppid === parentPid;
    setInterval(() => {
      if (!isAlive(parentPid) || (isChild && process.ppid !== parentPid)) stop();
    }, PARENT_CHECK_MS).unref();
  }
  say({ ready: true, port: running.port });
}

async function key(verb: string | undefined, id: string | undefined): Promise<void> {
  const { token } = loadKeyProxyConfig(need('config'));
  const keys = openPkcs11Keys(token);
  try {
    if (verb === 'list') {
      for (const name of await keys.listKeys()) {
        say({ key: name, versions: await keys.listVersions(name) });
      }
      return;
    }
    if (id === undefined) throw new UsageError('expected the id of a key');
    if (verb === 'create') await keys.createKey(id);
    else if (verb === 'rotate') await keys.rotateKey(id);
    else if (verb === 'disable') await keys.permitUses(id, { encrypt: false, decrypt: false });
    else if (verb === 'enable') await keys.permitUses(id, { encrypt: true, decrypt: true });
    else if (verb === 'destroy') {
      // There is no way back from this, for anybody.
      if (!values.yes) throw new UsageError('all that was wrapped is lost for ever; add `--yes`');
      await keys.destroyKey(id);
    } else throw new UsageError('expected list, create, rotate, disable, enable or destroy');
    say({ key: id, versions: await keys.listVersions(id) });
  } finally {
    keys.close();
  }
}

async function main(): Promise<void> {
  const [command, verb, id] = positionals;
  if (command === 'init') return init();
  if (command === 'start') return start();
  if (command === 'serve') return serve(need('config'));
  if (command === 'key') return key(verb, id);
  throw new UsageError('expected start, init, serve or key');
}

main().catch((error: unknown) => {
  const isKnown = error instanceof Error && 'code' in error && /^KEY/.test(String(error.code));
  const message = isKnown || error instanceof UsageError ? error.message : 'key proxy failed';
  process.stderr.write(`bailiwick: error: ${message}\n`);
  process.exit(
    error instanceof UsageError ? 2 : isCoded(error, 'KEYS_PROVIDER_UNAVAILABLE') ? 5 : 1,
  );
});
