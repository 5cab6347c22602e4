// SPDX-License-Identifier: Apache-2.0
// `bailiwick ledger`: take the log out, check it without trusting anybody, look at its end.
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import { type ExportedBody, toTilePath, writeExport } from '@bailiwick/ledger';
import {
  type ExportReport,
  inspectExport,
  LedgerError,
  parseCheckpoint,
  parseNote,
  parseVerifierKey,
} from '@bailiwick/ledger/verify';
import { type Cell, unwrap } from '@bailiwick/sdk';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import { EXIT } from '../exit.ts';
import { toTable } from '../output.ts';
import { argument } from './input.ts';
import { findLogKey, readPolicy } from './ledger-key.ts';
import { judgeWitnesses, toWitnessText, type WitnessReport } from './ledger-witnesses.ts';
import type { Input } from './run.ts';

/** File of an export directory in which the log's key is noted beside it: for convenience, not for trust. */
export const KEY_FILE = 'verifier-key';

/** Runs `bailiwick ledger export <residency> --output <directory>`. */
export async function runLedgerExport(context: Context, { args, options }: Input): Promise<void> {
  const residency = argument(args, 0);
  const directory = path.resolve(String(options['output']));
  const cell = await context.cell(residency);
  const config = await context.config();
  const written = await exportLedger(cell, { directory, tenant: config.tenant.value.id });
  context.output.result(
    { v: 1, directory, ...written },
    () =>
      `${written.filesCount} files in ${directory}; ${written.isCosigned ? 'the checkpoint is cosigned' : 'no witness has cosigned the checkpoint'}`,
  );
}

/** Writes a cell's log and this tenant's bodies into an empty directory. */
export async function exportLedger(
  cell: Cell,
  { directory, tenant }: { readonly directory: string; readonly tenant: string },
): Promise<{ readonly filesCount: number; readonly isCosigned: boolean }> {
  mkdirSync(directory, { recursive: true });
  if (readdirSync(directory).length > 0) {
    throw new CliError('CLI_USAGE_WRONG', `\`${directory}\` is not empty`);
  }
  const { checkpoint, isCosigned } = await readCosigned(cell);
  const { size } = parseCheckpoint(parseNote(checkpoint).text);
  const files = new Set<string>();
  const parts = writeExport({
    checkpoint,
    tenant,
    readTile: async (address) => unwrap(await cell.ledger.tile(toTilePath(address))),
    bodies: listBodies(cell, size),
  });
  for await (const { path: name, bytes } of parts) {
    const file = path.join(directory, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, bytes, { flag: 'a' });
    files.add(name);
  }
  return { filesCount: files.size, isCosigned };
}

/** Longest wait for witnesses, and the pause between two looks. */
const COSIGNED_MS_MAX = 5_000;
const COSIGNED_POLL_MS = 200;

/** The newest checkpoint, with cosignatures where there are witnesses: they are a moment behind. */
export async function readCosigned(
  cell: Cell,
  { sizeMin }: { readonly sizeMin?: number } = {},
): Promise<{ readonly checkpoint: string; readonly isCosigned: boolean }> {
  const newest = unwrap(await cell.ledger.checkpoint());
  const size = sizeMin ?? parseCheckpoint(parseNote(newest).text).size;
  const deadlineMs = performance.now() + COSIGNED_MS_MAX;
  let found: string | undefined;
  while (performance.now() < deadlineMs) {
    const answer = await cell.ledger.cosignedCheckpoint({ deadlineMs: 2_000 });
    if (answer.ok) {
      found = answer.value;
      if (parseCheckpoint(parseNote(found).text).size >= size) break;
    } else if (answer.problem.status === 404) break;
    await pause(COSIGNED_POLL_MS);
  }
  if (found === undefined || !isCovering(found, sizeMin ?? 0)) {
    return { checkpoint: newest, isCosigned: false };
  }
  return { checkpoint: found, isCosigned: true };
}

function isCovering(note: string, sizeMin: number): boolean {
  return parseCheckpoint(parseNote(note).text).size >= sizeMin;
}

/** The tenant's bodies, in the order of the log, some megabytes at a time. */
export async function* listBodies(cell: Cell, size: number): AsyncGenerator<ExportedBody> {
  for (let from = 0; ; ) {
    const part = unwrap(await cell.ledger.bodies(size, { deadlineMs: 120_000, from }));
    if (part === undefined || part.length === 0) return;
    for (const line of part.toString('utf8').split('\n')) {
      if (line === '') continue;
      const body = parseBodyLine(line);
      yield body;
      from = body.index + 1;
    }
  }
}

/** A line as the cell wrote it; what is wrong with it the verifier finds. */
function parseBodyLine(line: string): ExportedBody {
  const { index, salt, body } = JSON.parse(line) as Record<'salt' | 'body', string> & {
    readonly index: number;
  };
  return { index, salt: Buffer.from(salt, 'base64url'), body };
}

/** Runs `bailiwick ledger verify <directory>`. */
export async function runLedgerVerify(context: Context, { args, options }: Input): Promise<void> {
  const directory = path.resolve(argument(args, 0));
  const policy = readPolicy(options['policy']);
  const origin = readFileSync(path.join(directory, 'checkpoint'), 'utf8').split('\n')[0] ?? '';
  const key = await findLogKey(context, { origin, stated: options['key'], policy });
  const stated: unknown = options['earlier'];
  const earlier = typeof stated === 'string' ? readFileSync(stated) : undefined;
  const witnessed =
    policy === undefined
      ? undefined
      : judgeWitnesses(readFileSync(path.join(directory, 'checkpoint')), {
          policy,
          earlier,
          nowSeconds: Math.floor(Date.now() / 1000),
        });
  const report = await verifyDirectory(directory, {
    key,
    witnessed,
    ...(earlier === undefined ? {} : { earlier }),
  });
  const isVerified = report.problems.length === 0 && witnessed?.isQuorumMet !== false;
  const unchecked = policy === undefined ? listOthers(directory, report.origin) : [];
  const value = {
    v: 1,
    isVerified,
    ...report,
    ...(witnessed === undefined ? { unchecked } : { witnessed }),
  };
  const witnesses =
    witnessed === undefined ? toUncheckedText(unchecked) : [toWitnessText(witnessed)];
  context.output.result(value, () => [toReportText(report), ...witnesses].join('\n'));
  if (!isVerified) process.exitCode = EXIT.unverified;
}

/** Names on signature lines that are not the log's own: without a policy nobody's key is known for them. */
function listOthers(directory: string, origin: string): readonly string[] {
  const note = readFileSync(path.join(directory, 'checkpoint'));
  try {
    const { signatures } = parseNote(note);
    return signatures.map(({ name }) => name).filter((name) => name !== origin);
  } catch (error) {
    if (error instanceof LedgerError) return []; // told as a problem of the checkpoint
    throw error;
  }
}

function toUncheckedText(names: readonly string[]): readonly string[] {
  if (names.length === 0) return ['no witness has cosigned this checkpoint'];
  return [
    `NOT checked: ${names.length} cosignatures (${names.join(', ')}): a changed one would not be seen without --policy`,
  ];
}

/** Checks an export offline: nothing but the directory and the log's key is used. */
export function verifyDirectory(
  directory: string,
  options: {
    readonly key: string;
    readonly earlier?: Uint8Array;
    readonly witnessed?: WitnessReport | undefined;
  },
): Promise<ExportReport> {
  return inspectExport(
    {
      async read(name) {
        try {
          return readFileSync(path.join(directory, name));
        } catch {
          return undefined;
        }
      },
      list: async () => listFiles(directory),
    },
    {
      originKey: parseVerifierKey(options.key),
      ...(options.earlier === undefined ? {} : { earlier: options.earlier }),
      ...(options.witnessed === undefined ? {} : { cosigned: options.witnessed.cosigned }),
    },
  );
}

function listFiles(directory: string, below = ''): string[] {
  return readdirSync(path.join(directory, below)).flatMap((name) => {
    const relative = below === '' ? name : `${below}/${name}`;
    return statSync(path.join(directory, relative)).isDirectory()
      ? listFiles(directory, relative)
      : [relative];
  });
}

/** One damaged file can change hundreds of entries: a person needs the first few and their number. */
const PROBLEMS_SHOWN_MAX = 10;

/** A report in words. */
export function toReportText(report: ExportReport): string {
  const { origin, size, root, tilesCount, bodiesCount, problems } = report;
  return [
    problems.length === 0 ? 'verified' : 'NOT verified',
    `${origin}: ${size.toLocaleString('en')} entries, root ${root.slice(0, 16)}…, ${tilesCount} tiles, ${bodiesCount.toLocaleString('en')} bodies opened`,
    ...problems
      .slice(0, PROBLEMS_SHOWN_MAX)
      .map(({ code, path: file, because }) => `  ${code}: ${file}: ${because}`),
    ...(problems.length > PROBLEMS_SHOWN_MAX
      ? [`  … and ${problems.length - PROBLEMS_SHOWN_MAX} more (\`--json\` lists all)`]
      : []),
  ].join('\n');
}

/** Runs `bailiwick ledger tail <residency>`. */
export async function runLedgerTail(context: Context, { args, options }: Input): Promise<void> {
  const count = Number(options['count']);
  if (!Number.isInteger(count) || count < 1) {
    throw new CliError('CLI_USAGE_WRONG', 'expected `--count` as a number from 1');
  }
  const cell = await context.cell(argument(args, 0));
  const { items } = unwrap(await cell.entries.list({ pageSize: count }));
  const rows = items.map(({ entry, index, body }) => ({ entry, index, body: body ?? {} }));
  context.output.result({ v: 1, items: rows }, () =>
    toTable(
      ['entry', 'index', 'at', 'kind', 'outcome', 'purpose'],
      rows.map(({ entry, index, body }) => [
        entry,
        index === undefined ? '-' : String(index),
        String(body['at'] ?? ''),
        String(body['kind'] ?? ''),
        toInner(body, 'decision', 'outcome'),
        toInner(body, 'flow', 'purpose'),
      ]),
    ),
  );
}

function toInner(body: Readonly<Record<string, unknown>>, key: string, inner: string): string {
  const value = body[key];
  if (typeof value !== 'object' || value === null) return '';
  return String(Object.entries(value).find(([name]) => name === inner)?.[1] ?? '');
}

/** Runs `bailiwick ledger check <residency>`. */
export async function runLedgerCheck(context: Context, { args }: Input): Promise<void> {
  const cell = await context.cell(argument(args, 0));
  const report = unwrap(await cell.ledger.check({ deadlineMs: 300_000 }));
  const { problems } = report;
  context.output.result({ v: 1, ...report }, () =>
    [
      problems.length === 0 ? 'every row is what the ledger says' : 'rows differ from the ledger',
      ...problems.map((problem) => `  ${JSON.stringify(problem)}`),
    ].join('\n'),
  );
  if (problems.length > 0) process.exitCode = EXIT.unverified;
}
