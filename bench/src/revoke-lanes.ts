// SPDX-License-Identifier: Apache-2.0
// From accepted to effective with four saturated processes: the key service in its own process, mTLS, a
// real database, statements signed by each.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  createUuidV7,
  parseCellId,
  parseKeyId,
  parseTenantId,
  type TenantId,
} from '@bailiwick/kernel';
import { createAuthority, type IdentityFiles } from '@bailiwick/pki';
import { findFreePort } from '@bailiwick/postgres';
import { withTestDatabase } from '@bailiwick/postgres/testing';
import { stringify } from 'yaml';
import { type OpenKeyRing, openKeyRing } from '../../apps/cell/src/keys/open-key-ring.ts';
import { type BenchResult, percentile } from './document.ts';

const DOMAIN = 'bailiwick.localhost';
const PROCESSES_COUNT = 4;
const PUSHES_COUNT = 100;
const PARTITIONS_COUNT = 6;
const PUSH_MS_MAX = 100;
const PARTITION_MS_MAX = 1_100;
const cellId = parseCellId('eu-de/main');
const clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };
const random = { bytes: (size: number) => randomBytes(size) };
const newId = (): string => createUuidV7({ clock, random });
const SERVICE = path.resolve(import.meta.dirname, '../../apps/cell/src/key-service/main.ts');
const USER = path.resolve(import.meta.dirname, 'key-user.ts');

async function start(entry: string, args: readonly string[]): Promise<ChildProcess> {
  const flags = ['--disable-warning=ExperimentalWarning'];
  const child = spawn(process.execPath, [...flags, entry, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let said = '';
  await new Promise<void>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`a process ended with ${code}`)));
    child.stdout?.on('data', (chunk) => {
      said += String(chunk);
      if (said.includes('"ready":true')) resolve();
    });
  });
  return child;
}

/** On a busy machine the first lease may take longer than an operation waits for it. */
async function untilOpen(ring: OpenKeyRing, tenantId: TenantId): Promise<void> {
  const endMs = performance.now() + 20_000;
  for (;;) {
    try {
      await ring.secrets(tenantId);
      return;
    } catch (error) {
      if (performance.now() > endMs) throw error;
    }
  }
}

interface Bench {
  readonly ring: OpenKeyRing;
  readonly users: readonly ChildProcess[];
  readonly change: (to: 'enabled' | 'disabled') => Promise<number>;
  stop(): Promise<void>;
}

async function open(): Promise<Bench> {
  const database = await withTestDatabase();
  const directory = mkdtempSync(path.join(tmpdir(), 'bailiwick-bench-keys-'));
  const at = (...parts: string[]): string => path.join(directory, ...parts);
  for (const name of ['keys', 'a', 'b', 'logs', 'state']) mkdirSync(at(name), { mode: 0o700 });
  writeFileSync(at('keys-url'), database.keysUrl, { mode: 0o600 });
  const filesOf = (name: string): IdentityFiles => ({
    certFile: at(`${name}.pem`),
    keyFile: at(`${name}.key`),
    bundleFile: at(`${name}.bundle.pem`),
  });
  const authority = await createAuthority(at('ca'), { trustDomain: DOMAIN });
  const spiffeId = `spiffe://${DOMAIN}/key-service/eu-de/main`;
  await authority.issueIdentity(filesOf('cell'), { spiffeId: `spiffe://${DOMAIN}/cell/${cellId}` });
  await authority.issueIdentity(filesOf('key-service'), { spiffeId });
  const port = await findFreePort();
  const config = {
    cell: cellId,
    location: { jurisdiction: 'de', observed: { kind: 'configured', jurisdiction: 'de' } },
    operator: { jurisdiction: 'de', name: 'bench' },
    public: { host: '127.0.0.1', port: 0, name: 'cell.test', certFile: at('x'), keyFile: at('x') },
    internal: { host: '127.0.0.1', port: 0 },
    identity: filesOf('cell'),
    database: { urlFile: at('keys-url'), keysUrlFile: at('keys-url') },
    keyService: {
      host: '127.0.0.1',
      port,
      customerKeys: { kind: 'file', directory: at('keys') },
      erasableStore: { replicas: [at('a'), at('b')] },
      identity: filesOf('key-service'),
    },
    control: {
      url: 'https://127.0.0.1:1',
      spiffeId: `spiffe://${DOMAIN}/control`,
      bundleKeys: [Buffer.alloc(32, 1).toString('base64')],
    },
    trust: { approvers: [], threshold: 2 },
    ledger: { keyFile: at('x'), epoch: 1 },
    state: at('state'),
    telemetry: { directory: at('logs') },
  };
  writeFileSync(at('cell.yaml'), stringify(config));
  const children = [
    await start(SERVICE, ['--config', at('cell.yaml'), '--parent-pid', `${process.pid}`]),
  ];
  const keyService = { host: '127.0.0.1', port, spiffeId };
  const ring = openKeyRing({
    ...{ cellId, clock, random, keyService },
    database: database.open(2),
    identity: filesOf('cell'),
  });
  const tenantId = parseTenantId(newId());
  await ring.administration.provisionTenant(tenantId);
  await untilOpen(ring, tenantId);
  const setup = JSON.stringify({
    ...{ tenantId, url: database.url, keyService },
    subjectId: newId(),
    identity: filesOf('cell'),
  });
  const users = await Promise.all(
    Array.from({ length: PROCESSES_COUNT }, () => start(USER, [setup])),
  );
  children.push(...users);
  const [customerKey] = await ring.administration.describeKeys(tenantId);
  return {
    ring,
    users,
    async change(to) {
      const changeId = newId();
      const keyId = parseKeyId(customerKey?.keyId ?? '');
      await ring.administration.changeState({ changeId, tenantId, keyId, to });
      const change = await ring.administration.awaitChange(changeId, { timeoutMs: 3_000 });
      if (change.effectiveAtMs === undefined) throw new Error('a change did not become effective');
      return change.effectiveAtMs - change.acceptedAtMs;
    },
    async stop() {
      await ring.close();
      for (const child of children) {
        if (child.exitCode !== null || child.signalCode !== null) continue;
        const ended = once(child, 'exit');
        child.kill('SIGKILL');
        await ended;
      }
      await database.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** A bare message to every process and its answer, in milliseconds: nothing dropped, nothing signed. */
async function ping(users: readonly ChildProcess[]): Promise<number> {
  const fromMs = performance.now();
  await Promise.all(
    users.map(async (user) => {
      const answered = user.stdout === null ? undefined : once(user.stdout, 'data');
      user.stdin?.write('ping\n');
      await answered;
    }),
  );
  return performance.now() - fromMs;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** `keys.revoke.push` and `keys.revoke.partition`. */
export async function measureRevocation(): Promise<readonly BenchResult[]> {
  const bench = await open();
  try {
    const [pushes, pings, partitions]: [number[], number[], number[]] = [[], [], []];
    for (let round = 0; round < PUSHES_COUNT; round += 1) {
      pushes.push(await bench.change('disabled'));
      await bench.change('enabled');
      // Everybody holds the keys again.
      await pause(20);
      pings.push(await ping(bench.users));
    }
    for (let round = 0; round < PARTITIONS_COUNT; round += 1) {
      for (const user of bench.users) user.kill('SIGSTOP');
      partitions.push(await bench.change('disabled'));
      for (const user of bench.users) user.kill('SIGCONT');
      await bench.change('enabled');
      await pause(300);
    }
    return [
      {
        id: 'keys.revoke.push',
        what: `p99 from accepted to effective of ${PUSHES_COUNT} disables as the key service states it, ${PROCESSES_COUNT} processes that seal and open all the time, each drops and signs (worst of so many); bar ${PUSH_MS_MAX} ms`,
        unit: 'ms',
        value: percentile(pushes, 0.99),
        p50: percentile(pushes, 0.5),
        p99: percentile(pushes, 0.99),
        baseline: {
          name: 'p99 of a bare message to the main threads of the same processes and back',
          value: percentile(pings, 0.99),
        },
        ratio: percentile(pushes, 0.99) / percentile(pings, 0.99),
      },
      {
        id: 'keys.revoke.partition',
        what: `longest of ${PARTITIONS_COUNT} disables while all ${PROCESSES_COUNT} processes are stopped: their leases run out`,
        unit: 'ms',
        value: Math.max(...partitions),
        p50: percentile(partitions, 0.5),
        baseline: { name: 'the bar', value: PARTITION_MS_MAX },
        ratio: Math.max(...partitions) / PARTITION_MS_MAX,
      },
    ];
  } finally {
    await bench.stop();
  }
}
