// SPDX-License-Identifier: Apache-2.0
// Goal: the process says when it serves, ends when told or orphaned, and says in one line why it cannot
// start. Method: the real entry point as a child.
import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createAuthority } from '@bailiwick/pki';
import { type TestDatabase, withTestDatabase } from '@bailiwick/postgres/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';

const MAIN = path.resolve(import.meta.dirname, 'main.ts');
let directory: string;
let database: TestDatabase;
const children: ChildProcess[] = [];

const config = (change = ''): string => `listen: { host: 127.0.0.1, port: 0 }
identity: { certFile: id.pem, keyFile: id.key, bundleFile: bundle.pem }
database: { urlFile: url }
signing: { keyFile: key }
telemetry: { directory: logs }
${change}`;

const write = (name: string, text: string): string => {
  const file = path.join(directory, name);
  writeFileSync(file, text, { mode: 0o600 });
  return file;
};

beforeAll(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'bailiwick-control-main-'));
  database = await withTestDatabase({ kind: 'control' });
  const authority = await createAuthority(path.join(directory, 'ca'), { trustDomain: 'x.test' });
  await authority.issueIdentity(
    {
      certFile: path.join(directory, 'id.pem'),
      keyFile: path.join(directory, 'id.key'),
      bundleFile: path.join(directory, 'bundle.pem'),
    },
    { spiffeId: 'spiffe://x.test/control' },
  );
  mkdirSync(path.join(directory, 'logs'));
  write('url', `${database.url}\n`);
  const { privateKey } = generateKeyPairSync('ed25519');
  write('key', String(privateKey.export({ type: 'pkcs8', format: 'pem' })));
});
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await database?.close();
  rmSync(directory, { recursive: true, force: true });
});

function start(...args: readonly string[]): {
  child: ChildProcess;
  output: () => string;
  errors: () => string;
} {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  let output = '';
  let errors = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  child.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  return { child, output: () => output, errors: () => errors };
}

const waitForReady = (output: () => string) =>
  expect.poll(output, { timeout: 20_000 }).toMatch(/^\{"ready":true,"port":\d+\}\n$/);

it('says that it serves and ends on SIGTERM', async () => {
  const { child, output } = start('--config', write('control.yaml', config()));
  await waitForReady(output);
  const startedMs = performance.now();
  child.kill('SIGTERM');
  const [code] = await once(child, 'exit');
  expect(code).toBe(0);
  expect(performance.now() - startedMs).toBeLessThan(5000);
});

it('ends by itself when the process that it belongs to is gone', async () => {
  const parent = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  children.push(parent);
  const file = write('orphan.yaml', config());
  const { child, output } = start('--config', file, '--parent-pid', String(parent.pid));
  await waitForReady(output);
  parent.kill('SIGKILL');
  const [code] = await once(child, 'exit');
  expect(code).toBe(0);
});

it.each([
  ['without a configuration', [], /expected `--config/],
  ['with a file that is not there', ['--config', '/nowhere/control.yaml'], /cannot be read/],
  ['with an unknown key', 'surprise: 1\n', /not a valid control configuration/],
  ['with broken YAML', '  - : [', /not valid YAML/],
  ['with a key twice', 'telemetry: { directory: logs }\n', /not valid YAML/],
] as const)('says in one line why it cannot start %s', async (_, given, message) => {
  const args = typeof given === 'string' ? ['--config', write('bad.yaml', config(given))] : given;
  const { child, errors, output } = start(...args);
  const [code] = await once(child, 'exit');
  expect(code).toBe(args.length === 0 ? 2 : 1);
  expect(output()).toBe('');
  expect(errors()).toMatch(message);
  expect(errors().trim().split('\n')).toHaveLength(1);
});

it('says in one line that its database is away', async () => {
  write('away', 'postgres://x:y@127.0.0.1:1/none');
  const text = config().replace('urlFile: url', 'urlFile: away');
  const { child, errors } = start('--config', write('away.yaml', text));
  const [code] = await once(child, 'exit');
  expect(code).toBe(1);
  expect(errors()).toMatch(/^bailiwick: error: .*ECONNREFUSED\n$/);
});
