// SPDX-License-Identifier: Apache-2.0
// Goal: the process keeps its promises to whoever starts it: one ready line, serving without anything from
// outside (invariant 5), an end on SIGTERM and with its parent, one clear line when it cannot start
// (invariant 12 among the reasons). Method: real processes over the state that a cell of this test left.
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { openAuthority } from '@bailiwick/pki';
import { findFreePort } from '@bailiwick/postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newTenant, startTestCell, type TestCell } from './testing/test-cell.ts';
import { TRUST_DOMAIN } from './testing/test-config.ts';

const CELL = path.resolve(import.meta.dirname, 'main.ts');
const KEY_SERVICE = path.resolve(import.meta.dirname, 'key-service/main.ts');

let test: TestCell;
let config: Record<string, unknown>;
const children: ChildProcess[] = [];

beforeAll(async () => {
  test = await startTestCell({ tenants: [newTenant()] });
  await test.cell.stop();
  const at = (file: string): string => path.join(test.directory, file);
  const identity = { certFile: at('ks.pem'), keyFile: at('ks.key'), bundleFile: at('bundle.pem') };
  const authority = await openAuthority(at('ca'));
  await authority.issueIdentity(identity, {
    spiffeId: `spiffe://${TRUST_DOMAIN}/key-service/eu-de/main`,
  });
  const { keyService, ...rest } = test.cell.runtime.config;
  config = { ...rest, keyService: { ...keyService, port: await findFreePort(), identity } };
  await startAndReady(KEY_SERVICE, writeConfig('service.yaml', config));
});
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await Promise.all(children.map(endOf));
  await test?.database.close();
  if (test) rmSync(test.directory, { recursive: true, force: true });
});

function writeConfig(name: string, value: unknown): string {
  const file = path.join(test.directory, name);
  // JSON is YAML.
  writeFileSync(file, JSON.stringify(value), { mode: 0o600 });
  return file;
}

function start(entry: string, file: string, ...more: string[]): ChildProcess {
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', entry, '--config', file, ...more],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  children.push(child);
  return child;
}

const endOf = (child: ChildProcess): Promise<number | null> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve(child.exitCode);
    else child.on('exit', (code) => resolve(code));
  });

async function readAll(stream: NodeJS.ReadableStream | null): Promise<string> {
  let text = '';
  for await (const chunk of stream ?? []) text += String(chunk);
  return text;
}

async function startAndReady(
  entry: string,
  file: string,
  ...more: string[]
): Promise<{ child: ChildProcess; port: number }> {
  const child = start(entry, file, ...more);
  const failed = readAll(child.stderr);
  if (child.stdout === null) throw new Error('expected an output');
  for await (const line of createInterface({ input: child.stdout })) {
    const said = JSON.parse(line);
    expect(said.ready).toBe(true);
    return { child, port: said.port };
  }
  throw new Error(`not ready: ${await failed}`);
}

function getHealth(port: number): Promise<{ status: number; body: unknown }> {
  const ca = readFileSync(path.join(test.directory, 'bundle.pem'));
  return new Promise((resolve, reject) => {
    const req = request(
      {
        host: '127.0.0.1',
        port,
        path: '/v1/health',
        servername: test.name,
        headers: { host: test.name },
        ca,
        agent: false,
      },
      (res) => {
        let body = '';
        res.setEncoding('utf8').on('data', (chunk) => {
          body += chunk;
        });
        res.on('end', () => resolve({ status: res.statusCode ?? 0, body: JSON.parse(body) }));
      },
    );
    req.on('error', reject);
    req.end();
  });
}

describe('a cell’s process', () => {
  it('serves from its own state with the control plane away, and ends on SIGTERM', async () => {
    const { child, port } = await startAndReady(CELL, writeConfig('cell.yaml', config));
    expect(await getHealth(port)).toEqual({
      status: 200,
      body: { cell: 'eu-de/main', isServing: true },
    });
    const startedAt = performance.now();
    child.kill('SIGTERM');
    expect(await endOf(child)).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });

  it('ends with its parent', async () => {
    const parent = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], {
      stdio: 'ignore',
    });
    children.push(parent);
    const { child } = await startAndReady(
      CELL,
      writeConfig('cell.yaml', config),
      '--parent-pid',
      String(parent.pid),
    );
    parent.kill('SIGKILL');
    expect(await endOf(child)).toBe(0);
  });

  it.each([
    ['an unknown key', () => ({ ...config, colour: 'red' }), 'CELL_CONFIG_INVALID'],
    [
      'a state directory that is not there',
      () => ({ ...config, state: '/nowhere/at/all' }),
      'CELL_STATE_MISSING',
    ],
    [
      'a place where it does not stand',
      () => ({
        ...config,
        location: { jurisdiction: 'de', observed: { kind: 'configured', jurisdiction: 'us-va' } },
      }),
      'CELL_LOCATION_MISMATCH',
    ],
    [
      'a cloud region of another country',
      () => {
        const file = path.join(test.directory, 'instance.json');
        writeFileSync(file, '{"provider":"aws","region":"us-east-1"}');
        return {
          ...config,
          location: { jurisdiction: 'de', observed: { kind: 'instance-identity', file } },
        };
      },
      'CELL_LOCATION_MISMATCH',
    ],
  ])('refuses to start with %s, in one line', async (_what, toConfig, code) => {
    const child = start(CELL, writeConfig('bad.yaml', toConfig()));
    const [out, problem] = await Promise.all([readAll(child.stdout), readAll(child.stderr)]);
    expect(await endOf(child)).toBe(1);
    expect(out).toBe('');
    expect(problem.trim().split('\n')).toHaveLength(1);
    expect(problem).toContain(code);
  });

  it('refuses a flag that it does not know', async () => {
    const child = start(CELL, writeConfig('cell.yaml', config), '--colour', 'red');
    expect(await readAll(child.stderr)).toContain('CELL_CONFIG_INVALID');
    expect(await endOf(child)).toBe(1);
  });
});
