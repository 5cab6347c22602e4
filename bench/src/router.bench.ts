// SPDX-License-Identifier: Apache-2.0
// Pass-through by server name beside the same connection made directly: the same client, the same cell,
// the same requests over TLS 1.3; the router is a process of its own that reads the hello and splices.
// Client, router and cell share the machine's cores, so the router's work also takes from the others.
import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { ROUTER_DIRECTORY_PAYLOAD_TYPE } from '@bailiwick/contracts';
import { signDsse, toDsseSigner, toPublicKeyText } from '@bailiwick/keys';
import { type Authority, createAuthority, type IdentityFiles } from '@bailiwick/pki';
import { stringify } from 'yaml';
import {
  type BenchDocument,
  type BenchResult,
  measureRounds,
  percentile,
  toBenchDocument,
} from './document.ts';

const GLOBAL_NAME = 'bailiwick.localhost';
const CELL_NAME = 'eu-de.cells.bailiwick.localhost';
const CONNECTIONS_COUNT = 32;
const ROUND_MS = 2000;
const STALL_MS = 5000;
const ROOT = path.resolve(import.meta.dirname, '../..');
const REQUEST = `GET / HTTP/1.1\r\nHost: ${CELL_NAME}\r\n\r\n`;

interface Place {
  readonly directory: string;
  readonly ca: string;
  readonly directPort: number;
  readonly routerPort: number;
  close(): void;
}

const filesOf = (directory: string, name: string): IdentityFiles => ({
  certFile: path.join(directory, `${name}.pem`),
  keyFile: path.join(directory, `${name}.key`),
  bundleFile: path.join(directory, 'bundle.pem'),
});

/** Starts a process and reads the port out of its ready line. */
async function startProcess(
  script: string,
  args: readonly string[],
): Promise<{ readonly child: ChildProcess; readonly port: number }> {
  const child = spawn(process.execPath, [path.join(ROOT, script), ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let text = '';
  for await (const chunk of child.stdout) {
    text += chunk;
    if (text.includes('\n')) break;
  }
  const { port } = JSON.parse(text) as { readonly port: number };
  return { child, port };
}

/** A directory with this one cell, signed and kept where the router looks first; control is away. */
function writeRouterFiles(directory: string, cellPort: number): string {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const content = {
    v: 1,
    serial: 1,
    issuedAt: '2026-11-20T12:00:00Z',
    cells: [
      {
        cell: 'eu-de/main',
        residency: 'eu-de',
        name: CELL_NAME,
        addresses: [{ host: '127.0.0.1', port: cellPort }],
      },
    ],
    claimKeys: [],
    entries: [],
  };
  const payload = Buffer.from(JSON.stringify(content));
  const message = { payloadType: ROUTER_DIRECTORY_PAYLOAD_TYPE, payload };
  const envelope = signDsse(message, [toDsseSigner(privateKey)]);
  for (const name of ['state', 'logs']) mkdirSync(path.join(directory, name));
  writeFileSync(path.join(directory, 'state/directory.json'), JSON.stringify(envelope));
  const { certFile, keyFile } = filesOf(directory, 'global');
  const file = path.join(directory, 'router.yaml');
  const config = {
    listen: { host: '127.0.0.1', port: 0 },
    name: GLOBAL_NAME,
    certificate: { certFile, keyFile },
    identity: filesOf(directory, 'router'),
    control: {
      url: 'https://127.0.0.1:1',
      spiffeId: 'spiffe://bailiwick.localhost/control',
      bundleKeys: [toPublicKeyText(publicKey)],
      pollMs: 5000,
    },
    state: 'state',
    telemetry: { directory: 'logs' },
  };
  writeFileSync(file, stringify(config));
  return file;
}

async function openPlace(): Promise<Place> {
  const directory = mkdtempSync(path.join(tmpdir(), 'bailiwick-bench-router-'));
  const children: ChildProcess[] = [];
  const close = (): void => {
    for (const child of children) child.kill('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    const authority: Authority = await createAuthority(path.join(directory, 'ca'), {
      trustDomain: 'bailiwick.localhost',
    });
    const issue = authority.issueIdentity;
    await issue(filesOf(directory, 'cell'), { dnsNames: [CELL_NAME] });
    await issue(filesOf(directory, 'global'), { dnsNames: [GLOBAL_NAME] });
    const spiffeId = 'spiffe://bailiwick.localhost/router';
    await issue(filesOf(directory, 'router'), { spiffeId });
    const { certFile, keyFile } = filesOf(directory, 'cell');
    const cell = await startProcess('bench/src/router-cell.ts', [certFile, keyFile]);
    children.push(cell.child);
    const config = writeRouterFiles(directory, cell.port);
    const parent = ['--parent-pid', String(process.pid)];
    const router = await startProcess('apps/router/src/main.ts', ['--config', config, ...parent]);
    children.push(router.child);
    const ports = { directPort: cell.port, routerPort: router.port };
    return { directory, ca: authority.bundle, ...ports, close };
  } catch (error) {
    close();
    throw error;
  }
}

async function open(place: Place, port: number): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port, servername: CELL_NAME, ca: place.ca });
  await once(socket, 'secureConnect');
  socket.setNoDelay(true);
  // A connection that stalls fails the run; it does not hang it.
  socket.setTimeout(STALL_MS, () => socket.destroy(new Error('a connection stalled')));
  return socket;
}

/** Size of a whole answer, found from its head. */
function toAnswerSize(answer: Buffer): number {
  const end = answer.indexOf('\r\n\r\n');
  if (end < 0) return Number.POSITIVE_INFINITY;
  const head = answer.subarray(0, end).toString('latin1').toLowerCase();
  return end + 4 + Number(/content-length: (\d+)/.exec(head)?.[1] ?? Number.NaN);
}

/** Asks over connections that stay, one question at a time each, and gives answers a second. */
async function measureRequests(place: Place, port: number, times: number[]): Promise<number> {
  const sockets = await Promise.all(
    Array.from({ length: CONNECTIONS_COUNT }, () => open(place, port)),
  );
  let count = 0;
  const startedMs = performance.now();
  const endMs = startedMs + ROUND_MS;
  const ask = (socket: TLSSocket): Promise<void> =>
    new Promise((resolve, reject) => {
      let answer: Buffer = Buffer.alloc(0);
      let askedMs = performance.now();
      socket.on('error', reject);
      socket.on('data', (chunk: Buffer) => {
        answer = answer.length === 0 ? chunk : Buffer.concat([answer, chunk]);
        if (answer.length < toAnswerSize(answer)) return;
        answer = Buffer.alloc(0);
        const nowMs = performance.now();
        times.push(nowMs - askedMs);
        count += 1;
        if (nowMs >= endMs) return resolve();
        askedMs = nowMs;
        socket.write(REQUEST);
      });
      socket.write(REQUEST);
    });
  await Promise.all(sockets.map(ask));
  const elapsedMs = performance.now() - startedMs;
  for (const socket of sockets) socket.destroy();
  return (count / elapsedMs) * 1000;
}

/** Reads one large answer and gives megabytes a second. */
async function measureBulk(place: Place, port: number): Promise<number> {
  const socket = await open(place, port);
  const startedMs = performance.now();
  socket.write(REQUEST.replace('GET /', 'GET /bulk'));
  let size = 0;
  let expected = Number.POSITIVE_INFINITY;
  await new Promise<void>((resolve, reject) => {
    socket.on('error', reject);
    socket.on('data', (chunk: Buffer) => {
      if (size === 0) expected = toAnswerSize(chunk);
      size += chunk.length;
      if (size >= expected) resolve();
    });
  });
  socket.destroy();
  return size / 1e6 / ((performance.now() - startedMs) / 1000);
}

async function benchRequests(place: Place): Promise<BenchResult> {
  const times: number[] = [];
  const { value, baseline, ratio } = await measureRounds({
    ours: () => measureRequests(place, place.routerPort, times),
    baseline: () => measureRequests(place, place.directPort, []),
  });
  return {
    id: 'router.passthrough',
    what: `1 KB JSON over ${CONNECTIONS_COUNT} TLS 1.3 connections through the router, spliced by server name; client, router and cell are three processes on the same cores; one unrecorded round of each first`,
    unit: 'op/s',
    value,
    p50: percentile(times, 0.5),
    p99: percentile(times, 0.99),
    baseline: { name: 'the same client straight to the same cell', value: baseline },
    ratio,
  };
}

async function benchBulk(place: Place): Promise<BenchResult> {
  const { value, baseline, ratio } = await measureRounds({
    ours: () => measureBulk(place, place.routerPort),
    baseline: () => measureBulk(place, place.directPort),
  });
  return {
    id: 'router.bulk',
    what: 'one answer of 64 MB over one TLS 1.3 connection through the router',
    unit: 'MB/s',
    value,
    baseline: { name: 'the same client straight to the same cell', value: baseline },
    ratio,
  };
}

export async function run(): Promise<BenchDocument> {
  const place = await openPlace();
  try {
    return toBenchDocument('router', [await benchRequests(place), await benchBulk(place)]);
  } finally {
    place.close();
  }
}
