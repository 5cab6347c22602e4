// SPDX-License-Identifier: Apache-2.0
// `bailiwick evidence create|verify`: one archive with everything that a stranger needs, made and checked.
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import {
  inspectPack,
  makePack,
  PACK_SOURCES,
  type PackFiles,
  type PackReport,
  parseArchive,
  parseStatement,
  writeArchive,
} from '@bailiwick/evidence';
import { EXPORT_FILES, parseVerifierKey, toTilePath, writeExport } from '@bailiwick/ledger';
import { parseCheckpoint, parseNote } from '@bailiwick/ledger/verify';
import { type Cell, unwrap } from '@bailiwick/sdk';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import { EXIT } from '../exit.ts';
import { argument } from './input.ts';
import { listBodies, readCosigned } from './ledger.ts';
import { findLogKey, readPolicy } from './ledger-key.ts';
import { judgeWitnesses, toWitnessText, type WitnessReport } from './ledger-witnesses.ts';
import type { Input } from './run.ts';

/** Time for the cell to hash all of a tenant's entries. */
const STATE_MS_MAX = 120_000;

interface Stated {
  readonly statement: string;
  readonly charter: string;
  readonly receipts: string;
  readonly checkpoint: string;
  readonly key: string;
}

/** Runs `bailiwick evidence create <residency> --output <file>`. */
export async function runEvidenceCreate(context: Context, { args, options }: Input): Promise<void> {
  const file = path.resolve(String(options['output']));
  const cell = await context.cell(argument(args, 0));
  const like: unknown = options['like'];
  const startedMs = performance.now();
  const stated = typeof like === 'string' ? readStated(like) : await state(context, cell);
  const { tenant } = parseStatement(stated.statement);
  const { checkpoint, ...sources } = stated;
  const ledger = await readLedger(cell, { checkpoint, tenant });
  const { files, figures } = makePack({ ...sources, ledger });
  const sizeBytes = writeParts(file, writeArchive(files));
  const value = {
    v: 1,
    file,
    filesCount: files.size,
    sizeBytes,
    entriesCount: figures.entries.count,
    tookMs: Math.round(performance.now() - startedMs),
  };
  context.output.result(
    value,
    () =>
      `${file}: ${value.entriesCount.toLocaleString('en')} entries in ${value.filesCount} files, ${sizeBytes.toLocaleString('en')} bytes\ncheck it with \`bailiwick evidence verify ${path.basename(file)}\``,
  );
}

function writeParts(file: string, parts: Iterable<Uint8Array>): number {
  const descriptor = openSync(file, 'w');
  let sizeBytes = 0;
  try {
    for (const part of parts) {
      for (let start = 0; start < part.length; ) start += writeSync(descriptor, part, start);
      sizeBytes += part.length;
    }
  } finally {
    closeSync(descriptor);
  }
  return sizeBytes;
}

/** Has the cell put a statement on record, and takes the checkpoint that covers it. */
async function state(context: Context, cell: Cell): Promise<Stated> {
  const { statement, entry, charter, receipts } = unwrap(
    await cell.evidence.state({ deadlineMs: STATE_MS_MAX }),
  );
  const { index = 0 } = unwrap(await cell.entries.get(entry));
  const { checkpoint } = await readCosigned(cell, { sizeMin: index + 1 });
  const { origin } = parseStatement(statement);
  const key = await findLogKey(context, { origin, stated: undefined, policy: undefined });
  return { statement, charter, receipts, checkpoint, key: `${key}\n` };
}

/** What an earlier pack was made from: the same again gives the same bytes. */
function readStated(like: string): Stated {
  const files = parseArchive(readFileSync(like));
  const read = (name: string): string => Buffer.from(files.get(name) ?? []).toString('utf8');
  const { statement, charter, receipts, key, ledger } = PACK_SOURCES;
  return {
    ...{ statement: read(statement), charter: read(charter), receipts: read(receipts) },
    ...{ key: read(key), checkpoint: read(`${ledger}${EXPORT_FILES.checkpoint}`) },
  };
}

async function readLedger(
  cell: Cell,
  { checkpoint, tenant }: { readonly checkpoint: string; readonly tenant: string },
): Promise<PackFiles> {
  const { size } = parseCheckpoint(parseNote(checkpoint).text);
  const parts = new Map<string, Uint8Array[]>();
  for await (const { path: name, bytes } of writeExport({
    checkpoint,
    tenant,
    readTile: async (address) => unwrap(await cell.ledger.tile(toTilePath(address))),
    bodies: listBodies(cell, size),
  })) {
    const own = parts.get(name) ?? [];
    parts.set(name, own);
    own.push(bytes);
  }
  return new Map([...parts].map(([name, own]) => [name, Buffer.concat(own)]));
}

/** Runs `bailiwick evidence verify <file>`. */
export async function runEvidenceVerify(context: Context, { args, options }: Input): Promise<void> {
  const bytes = readBytes(argument(args, 0));
  const stated: unknown = options['key'];
  const policy = readPolicy(options['policy']);
  const earlierFile: unknown = options['earlier'];
  const earlier = typeof earlierFile === 'string' ? readFileSync(earlierFile) : undefined;
  const checkpoint = findCheckpoint(bytes);
  const origin =
    Buffer.from(checkpoint ?? [])
      .toString('utf8')
      .split('\n')[0] ?? '';
  const isPinned = stated !== undefined || policy !== undefined;
  const witnessed =
    policy === undefined || checkpoint === undefined
      ? undefined
      : judgeWitnesses(checkpoint, {
          policy,
          earlier,
          nowSeconds: Math.floor(Date.now() / 1000),
        });
  const key = isPinned ? await findLogKey(context, { origin, stated, policy }) : undefined;
  const report = await inspectPack(bytes, {
    ...(key === undefined ? {} : { originKey: parseVerifierKey(key) }),
    ...(earlier === undefined ? {} : { earlier }),
    ...(witnessed === undefined ? {} : { cosigned: witnessed.cosigned }),
  });
  const isVerified = report.problems.length === 0 && witnessed?.isQuorumMet !== false;
  const value = { v: 1, isVerified, ...report, ...(witnessed === undefined ? {} : { witnessed }) };
  context.output.result(value, () => toReportText(report, { isVerified, witnessed }));
  if (!isVerified) process.exitCode = EXIT.unverified;
}

function readBytes(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new CliError('CLI_FILE_UNREADABLE', `cannot read the pack \`${file}\``, { cause });
  }
}

/** The pack's checkpoint, as far as there is one; what is wrong with the pack is told by its inspection. */
function findCheckpoint(bytes: Uint8Array): Uint8Array | undefined {
  try {
    return parseArchive(bytes).get(`${PACK_SOURCES.ledger}${EXPORT_FILES.checkpoint}`);
  } catch {
    return undefined;
  }
}

const PROBLEMS_SHOWN_MAX = 10;

function toReportText(
  report: PackReport,
  {
    isVerified,
    witnessed,
  }: { readonly isVerified: boolean; readonly witnessed: WitnessReport | undefined },
): string {
  const { problems, proven, stated, cell, tenant, size, root = '', entriesCount } = report;
  const list = (lines: readonly string[]): readonly string[] => lines.map((line) => `  - ${line}`);
  const witnesses =
    witnessed === undefined
      ? ['no policy was given: cosignatures in the pack were NOT checked']
      : [toWitnessText(witnessed)];
  const about =
    cell === undefined
      ? []
      : [
          `cell ${cell}, tenant ${tenant ?? ''}: ${(entriesCount ?? 0).toLocaleString('en')} entries of ${(size ?? 0).toLocaleString('en')} in the log, root ${root.slice(0, 16)}…`,
        ];
  return [
    isVerified ? 'verified' : 'NOT verified',
    ...about,
    ...witnesses,
    ...problems
      .slice(0, PROBLEMS_SHOWN_MAX)
      .map(({ code, file, because }) => `  ${code}: ${file}: ${because}`),
    ...(problems.length > PROBLEMS_SHOWN_MAX
      ? [`  … and ${problems.length - PROBLEMS_SHOWN_MAX} more`]
      : []),
    ...(proven.length === 0 ? ['nothing in this pack is proven'] : ['proven:', ...list(proven)]),
    'only stated:',
    ...list(stated),
  ].join('\n');
}
