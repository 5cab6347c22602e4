// SPDX-License-Identifier: Apache-2.0
// What the `ingest` and `read` suites share: a cell in a process of its own, and a client that costs as
// little as it can, so that two cores measure the cell and not the client.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { connect, type TLSSocket } from 'node:tls';

const CELL_FILE = path.resolve(
  import.meta.dirname,
  '../../apps/cell/src/records/testing/bench-cell.ts',
);

/** Connections of the suites that measure single operations. */
export const LANES_COUNT = 32;

/** What a started cell says of itself. */
export interface CellProcess {
  readonly port: number;
  readonly name: string;
  readonly ca: string;
  readonly token: string;
  /** Of the tenant's privacy officer. */
  readonly officerToken: string;
  readonly claim: string;
  readonly tenantId: string;
  /** Signs in as the cell's role, for baselines on the same server. */
  readonly url: string;
  /** Superuser, for making and emptying the baselines' tables. */
  readonly ownerUrl: string;
  readonly schema: unknown;
  stop(): Promise<void>;
  residentBytes(): Promise<number>;
  /** Has the cell begin the work of its own: jobs among it. */
  startWork(): void;
}

/** Starts the cell. */
export async function startCellProcess(): Promise<CellProcess> {
  const child: ChildProcess = spawn(process.execPath, [CELL_FILE], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const { stdin, stdout } = child;
  if (!stdin || !stdout) throw new Error('assertion failed: pipes were asked for');
  const lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
  const parseLine = async () => {
    const { value, done } = await lines.next();
    if (done === true) throw new Error('the cell ended before it served');
    return JSON.parse(value);
  };
  const told = await parseLine();
  return {
    ...told,
    async residentBytes() {
      stdin.write('memory\n');
      return (await parseLine()).rssBytes;
    },
    startWork: () => void stdin.write('start\n'),
    async stop() {
      stdin.end();
      if (child.exitCode === null) await once(child, 'exit');
    },
  };
}

export interface LaneAnswer {
  readonly status: number;
  readonly body: string;
}

/** One connection that does one request at a time. */
export interface Lane {
  send(request: Buffer): Promise<LaneAnswer>;
  close(): void;
}

/** The bytes of a request. */
export function toRequest(
  cell: CellProcess,
  call: {
    readonly method: string;
    readonly path: string;
    readonly body?: string | Buffer;
    readonly contentType?: string;
    readonly key?: string;
  },
): Buffer {
  const body = Buffer.from(call.body ?? '');
  const head = [
    `${call.method} ${call.path} HTTP/1.1`,
    `host: ${cell.name}`,
    `authorization: Bearer ${cell.token}`,
    `bailiwick-residency: ${cell.claim}`,
    ...(call.key === undefined ? [] : [`idempotency-key: ${call.key}`]),
    ...(call.body === undefined
      ? []
      : [
          `content-type: ${call.contentType ?? 'application/json'}`,
          `content-length: ${body.length}`,
        ]),
    '',
    '',
  ].join('\r\n');
  return Buffer.concat([Buffer.from(head, 'latin1'), body]);
}

const END_OF_HEAD = Buffer.from('\r\n\r\n');
const LENGTH = /\r\ncontent-length: (\d+)\r\n/i;

/** Opens a connection; HTTP/1.1 with keep-alive, answers with a content length. */
export async function openLane(cell: CellProcess): Promise<Lane> {
  const socket: TLSSocket = connect({
    host: '127.0.0.1',
    port: cell.port,
    servername: cell.name,
    ca: cell.ca,
    minVersion: 'TLSv1.3',
  });
  await once(socket, 'secureConnect');
  socket.setNoDelay(true);
  let held: Buffer = Buffer.alloc(0);
  let waiting: { resolve(answer: LaneAnswer): void; reject(error: Error): void } | undefined;
  let isClosed = false;
  const fail = (error: Error): void => {
    waiting?.reject(error);
    waiting = undefined;
  };
  socket.on('error', fail);
  socket.on('close', () => {
    isClosed = true;
    fail(new Error('the connection was closed'));
  });
  socket.on('data', (chunk: Buffer) => {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    const at = held.indexOf(END_OF_HEAD);
    if (at < 0) return;
    const head = held.toString('latin1', 0, at + 2);
    const size = Number(LENGTH.exec(head)?.[1] ?? 0);
    const end = at + 4 + size;
    if (held.length < end) return;
    const answer = { status: Number(head.slice(9, 12)), body: held.toString('utf8', at + 4, end) };
    held = held.subarray(end);
    const { resolve } = waiting ?? {};
    waiting = undefined;
    resolve?.(answer);
  });
  return {
    send(request) {
      if (isClosed) return Promise.reject(new Error('the connection was closed while idle'));
      return new Promise((resolve, reject) => {
        waiting = { resolve, reject };
        socket.write(request);
      });
    },
    close: () => socket.destroy(),
  };
}

/** Opens as many connections as the suites use. */
export function openLanes(cell: CellProcess): Promise<Lane[]> {
  return Promise.all(Array.from({ length: LANES_COUNT }, () => openLane(cell)));
}

/** What a round of single operations gave. */
export interface Round {
  readonly ratePerSecond: number;
  readonly latenciesMs: number[];
}

/** Runs `work` on every lane, one after the other on each, until the time is over. */
export async function runLanes(
  count: number,
  options: {
    readonly ms: number;
    readonly work: (lane: number) => Promise<void>;
    /** Starts at most so many a second, evenly. */
    readonly ratePerSecondMax?: number;
  },
): Promise<Round> {
  const { ms, work, ratePerSecondMax } = options;
  const latenciesMs: number[] = [];
  const startedMs = performance.now();
  const untilMs = startedMs + ms;
  let started = 0;
  const lane = async (index: number): Promise<void> => {
    for (;;) {
      let nowMs = performance.now();
      if (nowMs >= untilMs) return;
      if (ratePerSecondMax !== undefined) {
        const dueMs = startedMs + (started * 1000) / ratePerSecondMax;
        started += 1;
        if (dueMs > nowMs) await new Promise((resolve) => setTimeout(resolve, dueMs - nowMs));
        nowMs = performance.now();
      }
      await work(index);
      latenciesMs.push(performance.now() - nowMs);
    }
  };
  await Promise.all(Array.from({ length: count }, (_, index) => lane(index)));
  return {
    ratePerSecond: (latenciesMs.length / (performance.now() - startedMs)) * 1000,
    latenciesMs,
  };
}
