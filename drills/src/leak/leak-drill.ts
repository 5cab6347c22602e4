// SPDX-License-Identifier: Apache-2.0
// Plants canaries, lets the whole system work on them, and looks for them in everything that left a cell and on
// every disk. Bytes are captured at the processes' sockets before TLS (`tap.mjs`); the record says so.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { unwrap } from '@bailiwick/sdk';
import type { DrillStage } from 'bailiwick/drill-stage';
import { until, wordOf } from '../ask.ts';
import type { Recorder } from '../record.ts';
import { type Planted, plantCanaries } from './canaries.ts';
import { toHashPatterns, toTokenPatterns } from './patterns.ts';
import { createScanner, type Scanner } from './scanner.ts';

const CELL = 'eu-de';
const FILE_SIZE_BYTES_MAX = 1024 * 1024 * 1024;
const SHOWN_MAX = 10;

interface Message {
  readonly local: number;
  readonly remote: number;
  readonly tls: boolean;
  readonly bytes: string;
}

/** Where a canary was found. */
interface Place {
  readonly where: string;
  readonly kind: string;
}

/** The drill. */
export async function drillLeak(stage: DrillStage, recorder: Recorder): Promise<void> {
  const planted = await plantCanaries(stage);
  recorder.did(
    `planted a canary in every field through ${planted.requestsCount} requests in ${CELL}; ${planted.refusals.length} answers were refusals`,
  );
  await work(stage, recorder);
  const scanner = createScanner([
    ...toTokenPatterns(planted.token),
    ...toHashPatterns(planted.values),
  ]);
  checkTap(stage, recorder, { scanner, planted });
  const leaks: Place[] = [
    ...scanRefusals(scanner, planted),
    ...scanTraffic(stage, recorder, scanner),
    ...scanDisks(stage, recorder, scanner),
  ];
  for (const { where, kind } of leaks.slice(0, SHOWN_MAX))
    recorder.saw(`${kind} in ${where}`, false);
  recorder.figure('leaks', leaks.length);
  recorder.saw(
    `${leaks.length} canaries in what left a cell, in answers of refusal, and on all disks`,
    leaks.length === 0,
  );
}

/** Backups, metrics, witness rounds, roll-ups: whatever a system does with what it has. */
async function work(stage: DrillStage, recorder: Recorder): Promise<void> {
  for (const { ports, spiffeId, residency } of stage.layout.cells) {
    const internal = { host: '127.0.0.1', port: ports.internal, spiffeId };
    const cell = stage.operator.cell({ internal });
    if (residency === CELL) {
      const body = { kind: 'full' };
      const call = {
        method: 'POST',
        path: '/internal/v1/backups',
        body,
        deadlineMs: 60_000,
      } as const;
      const word = await until(
        () => wordOf(cell.call(call)),
        (one) => one === 'allowed',
        20_000,
      );
      recorder.saw(`a backup was taken: ${word.word}`, word.isSo);
    }
    unwrap(await cell.call({ method: 'GET', path: '/internal/v1/health' }));
    await wordOf(cell.call({ method: 'GET', path: '/internal/v1/metrics' }));
  }
  // Two rounds of witnesses and of roll-ups.
  await until(
    async () => '',
    () => false,
    3_000,
  );
  recorder.did('a backup, metrics of every cell, rounds of witnesses');
}

function readTaps(stage: DrillStage): readonly Message[] {
  return readdirSync(stage.taps).flatMap((name) =>
    readFileSync(path.join(stage.taps, name), 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Message),
  );
}

/** Ports whose traffic stays within one cell, or goes to a caller who may read. */
function listInsidePorts(stage: DrillStage): ReadonlySet<number> {
  const { layout } = stage;
  return new Set([
    layout.control.postgresPort,
    ...layout.cells.flatMap(({ ports }) => [ports.postgres, ports.keyService, ports.public]),
  ]);
}

/** The capture sees what it must: the canary on its way back to the caller who asked for it. */
function checkTap(
  stage: DrillStage,
  recorder: Recorder,
  { scanner, planted }: { readonly scanner: Scanner; readonly planted: Planted },
): void {
  const publicPort = stage.layout.cells.find(({ residency }) => residency === CELL)?.ports.public;
  const answers = readTaps(stage).filter(({ local }) => local === publicPort);
  const isSeen = answers.some(({ bytes }) => scanner.scan(Buffer.from(bytes, 'base64')).length > 0);
  recorder.saw(
    `the capture sees the canary where it may be: in an answer to its owner (${answers.length} messages)`,
    isSeen && planted.values.length > 0,
  );
}

function scanRefusals(scanner: Scanner, { refusals }: Planted): readonly Place[] {
  return refusals.flatMap(({ what, text }) =>
    scanner.scan(Buffer.from(text)).map(({ kind }) => ({ where: `the refusal of ${what}`, kind })),
  );
}

function scanTraffic(stage: DrillStage, recorder: Recorder, scanner: Scanner): readonly Place[] {
  const inside = listInsidePorts(stage);
  const places: Place[] = [];
  const streams = new Map<string, Buffer[]>();
  let sizeBytes = 0;
  for (const { local, remote, bytes } of readTaps(stage)) {
    if (inside.has(local) || inside.has(remote)) continue;
    const message = Buffer.from(bytes, 'base64');
    sizeBytes += message.length;
    const stream = `${local} → ${remote}`;
    streams.set(stream, [...(streams.get(stream) ?? []), message]);
    const bodyAt = message.indexOf('\r\n\r\n');
    const body = bodyAt >= 0 ? message.subarray(bodyAt + 4) : message;
    for (const { kind } of scanner.scan(body, { isWhole: true })) {
      places.push({ where: `the traffic ${stream}`, kind });
    }
  }
  // What stands across two messages.
  for (const [stream, messages] of streams) {
    for (const { kind } of scanner.scan(Buffer.concat(messages))) {
      places.push({ where: `the traffic ${stream}`, kind });
    }
  }
  recorder.saw(
    `${streams.size} flows between cells, control plane, router and witnesses were captured at the processes’ sockets`,
    streams.size > 0,
  );
  recorder.figure('captured-bytes', sizeBytes);
  return places;
}

function listFiles(directory: string): readonly string[] {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));
}

/** Every file of every cell, its own as well: at rest there is no plaintext anywhere. */
function scanDisks(stage: DrillStage, recorder: Recorder, scanner: Scanner): readonly Place[] {
  const { state } = stage.layout;
  const places: Place[] = [];
  let sizeBytes = 0;
  let filesCount = 0;
  for (const file of listFiles(state)) {
    const relative = path.relative(state, file);
    if (relative.startsWith('taps/')) continue;
    for (const { kind } of scanner.scan(Buffer.from(relative))) {
      places.push({ where: `the name of a file below ${path.dirname(relative)}`, kind });
    }
    const found = statSync(file, { throwIfNoEntry: false });
    if (found === undefined || found.size > FILE_SIZE_BYTES_MAX) continue;
    const bytes = readFileSync(file);
    sizeBytes += bytes.length;
    filesCount += 1;
    for (const { kind } of scanner.scan(bytes, { isWhole: bytes.length < 1_000_000 })) {
      places.push({ where: relative, kind });
    }
  }
  recorder.figure('files-searched', filesCount);
  recorder.figure('bytes-searched', sizeBytes);
  recorder.saw(
    `${filesCount} files: databases, WAL, logs, backups, ledgers, keys of all`,
    filesCount > 100,
  );
  return places;
}
