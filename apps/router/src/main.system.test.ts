// SPDX-License-Identifier: Apache-2.0
// Goal: the router's process takes its settings from file, variables and flags, answers nobody it does not
// know, ends in order, and says in one line why it cannot start. Method: the real entry point as a child; the
// control plane is away, which must not keep a router from starting.
import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { connect } from 'node:tls';
import { toPublicKeyText } from '@bailiwick/keys';
import { createAuthority } from '@bailiwick/pki';
import { afterAll, beforeAll, expect, it } from 'vitest';

const MAIN = path.resolve(import.meta.dirname, 'main.ts');
const NAME = 'bailiwick.localhost';
let directory: string;
let text: string;
const children: ChildProcess[] = [];

const at = (name: string): string => path.join(directory, name);
const write = (name: string, content: string): string => {
  writeFileSync(at(name), content, { mode: 0o600 });
  return at(name);
};

beforeAll(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'bailiwick-router-main-'));
  const authority = await createAuthority(at('ca'), { trustDomain: 'x.test' });
  const files = (name: string) => ({
    certFile: at(`${name}.pem`),
    keyFile: at(`${name}.key`),
    bundleFile: at('bundle.pem'),
  });
  await authority.issueIdentity(files('id'), { spiffeId: 'spiffe://x.test/router' });
  await authority.issueIdentity(files('name'), { dnsNames: [NAME] });
  mkdirSync(at('state'));
  mkdirSync(at('logs'));
  const key = toPublicKeyText(generateKeyPairSync('ed25519').publicKey);
  text = `listen: { host: 127.0.0.1, port: 0 }
name: ${NAME}
certificate: { certFile: name.pem, keyFile: name.key }
identity: { certFile: id.pem, keyFile: id.key, bundleFile: bundle.pem }
control: { url: "https://127.0.0.1:1", spiffeId: "spiffe://x.test/control", bundleKeys: ["${key}"] }
state: state
telemetry: { directory: logs }
`;
});
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

function start(args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
  const child = spawn(process.execPath, [MAIN, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...environment },
  });
  children.push(child);
  let [output, errors] = ['', ''];
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  child.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  return { child, output: () => output, errors: () => errors };
}

async function portOf(started: ReturnType<typeof start>): Promise<number> {
  await expect.poll(started.output, { timeout: 20_000 }).toMatch(/^\{"ready":true,"port":\d+\}\n$/);
  return JSON.parse(started.output()).port;
}

/** What the router says to a request under a server name; nothing when it closes unread. */
function ask(port: number, servername: string, request: string): Promise<string> {
  return new Promise((resolve) => {
    const ca = readFileSync(at('bundle.pem'));
    const socket = connect({ host: '127.0.0.1', port, servername, ca });
    let answer = '';
    socket.on('data', (chunk) => {
      answer += chunk;
    });
    socket.on('error', () => resolve(answer));
    socket.on('close', () => resolve(answer));
    socket.write(request);
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

it('serves while the control plane is away, has no payload routes, and ends on SIGTERM', async () => {
  const started = start(['--config', write('router.yaml', text)]);
  const port = await portOf(started);
  const request = `POST /v1/collections/people/records HTTP/1.1\r\nhost: ${NAME}\r\ncontent-length: 2\r\n\r\n{}`;
  expect(await ask(port, NAME, request)).toMatch(/^HTTP\/1\.1 421 /);
  expect(await ask(port, 'nobody.cells.bailiwick.localhost', request)).toBe('');
  started.child.kill('SIGTERM');
  expect((await once(started.child, 'exit'))[0]).toBe(0);
});

it('takes a flag before a variable and a variable before its file', async () => {
  const [fromFlag, fromVariable] = [await freePort(), await freePort()];
  const file = write('order.yaml', text);
  const environment = { BAILIWICK_LISTEN_PORT: String(fromVariable) };
  const byVariable = start(['--config', file], environment);
  expect(await portOf(byVariable)).toBe(fromVariable);
  const byFlag = start(['--config', file, '--listen-port', String(fromFlag)], environment);
  expect(await portOf(byFlag)).toBe(fromFlag);
});

it.each([
  ['an unknown key', () => `${text}surprise: 1\n`, 'ROUTER_CONFIG_INVALID'],
  ['plain http to the control plane', () => text.replace('https:', 'http:'), '/control/url'],
  ['a state directory that is not there', () => text.replace('state: state', 'state: x'), 'state'],
  [
    'a key that is no key',
    () => text.replace(/bundleKeys: \["[^"]*/, 'bundleKeys: ["AAAA'),
    '/control/bundleKeys',
  ],
])('says in one line why it cannot start: %s', async (_, content, message) => {
  const { child, output, errors } = start(['--config', write('bad.yaml', content())]);
  expect((await once(child, 'close'))[0]).toBe(1);
  expect(output()).toBe('');
  expect(errors()).toContain(message);
  expect(errors().trim().split('\n')).toHaveLength(1);
});
