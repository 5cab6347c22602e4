// SPDX-License-Identifier: Apache-2.0
// Making a pack. Everything in it follows from its sources: statement, charter text, receipts and an export of
// the log. So a pack is made again to verify it, and the same sources are the same bytes.
import { parseInstant } from '@bailiwick/kernel';
import {
  EXPORT_FILES,
  LedgerError,
  parseCheckpoint,
  parseEntryBody,
  parseNote,
} from '@bailiwick/ledger';
import type { PackFiles } from './archive.ts';
import { EvidenceError } from './errors.ts';
import { FigureCounter, type Figures, type PlacedBody, type Registers, toCsv } from './figures.ts';
import { toAssessmentResults } from './oscal.ts';
import { toReadme } from './readme.ts';
import { parseReceipts } from './receipts.ts';
import { type ProvenCharter, proveText, toArticle30, toProof } from './reports.ts';
import { EVIDENCE_FORMAT, isStatementEntry, parseStatement, sha256 } from './statement.ts';

/** What a pack is made from. */
export interface PackSources {
  /** `toStatementText` of what the cell put on record. */
  readonly statement: string;
  readonly charter: string;
  /** `toReceiptsText` */
  readonly receipts: string;
  /** The log's verifier key as the pack brings it along: for convenience, not for trust. */
  readonly key: string;
  /** Files of an export of the log by their names in it. */
  readonly ledger: PackFiles;
}

/** Names of the sources in a pack. */
export const PACK_SOURCES = {
  statement: 'statement.json',
  charter: 'charter/charter.yaml',
  receipts: 'receipts.jsonl',
  key: 'log.vkey',
  /** Before the names of the export's files. */
  ledger: 'ledger/',
} as const;
const MANIFEST = 'pack.json';

/** What was read out of the entries on the way. */
export interface PackReading {
  readonly figures: Figures;
  readonly proven: ProvenCharter;
  /** Position of the entry that puts the statement on record. */
  readonly statementIndex: number;
  /** Hashes of receipts by the entry that commits to them. */
  readonly committed: ReadonlyMap<string, string>;
  /** Count and hash of the lines of bodies below the stated size. */
  readonly bodies: { readonly count: number; readonly sha256: string };
}

export interface MadePack extends PackReading {
  readonly files: PackFiles;
  readonly receiptsCount: number;
  readonly textHashes: { readonly charter: string; readonly receipts: string };
}

function invalid(problem: string, cause?: unknown): never {
  throw new EvidenceError('EVIDENCE_SOURCE_INVALID', problem, { cause });
}

function toText(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/**
 * Makes a pack's files.
 *
 * @throws {EvidenceError} `EVIDENCE_SOURCE_INVALID` when the sources do not belong together,
 * `EVIDENCE_PACK_MALFORMED` when one is not in its form
 */
export function makePack(sources: PackSources): MadePack {
  const statement = parseStatement(sources.statement);
  const receipts = parseReceipts(sources.receipts);
  const note =
    sources.ledger.get(EXPORT_FILES.checkpoint) ?? invalid('the export has no checkpoint');
  const { size, root } = readCheckpoint(note);
  const entries = readEntries(sources, statement.place.location);
  const { at, figures, registers } = entries;
  const proven = proveText(sources.charter);
  const { charter, proof } = proven;
  const seed = sha256(sources.statement);
  const files = new Map<string, Uint8Array>();
  const put = (name: string, text: string): void => void files.set(name, Buffer.from(text));
  for (const [name, bytes] of sources.ledger) files.set(`${PACK_SOURCES.ledger}${name}`, bytes);
  put(PACK_SOURCES.statement, sources.statement);
  put(PACK_SOURCES.charter, sources.charter);
  put(PACK_SOURCES.receipts, sources.receipts);
  put(PACK_SOURCES.key, sources.key);
  put('charter/proof.json', toText(toProof(proven)));
  put('charter/article-30.md', toArticle30(proven, parseInstant(at)));
  for (const [name, table] of Object.entries(registers)) put(`registers/${name}.csv`, toCsv(table));
  put('figures.json', toText({ format: EVIDENCE_FORMAT, ...figures }));
  const assessment = toAssessmentResults({
    ...{ seed, at, cell: statement.cell, tenant: statement.tenant, origin: statement.origin },
    ...{ size, root, figures, receiptsCount: receipts.length },
    charter: {
      name: charter.name,
      hash: charter.hash,
      holds: proof.holds,
      properties: proof.properties.length,
    },
  });
  put('oscal/assessment-results.json', toText(assessment));
  put('README.md', toReadme({ statement, at, size, root, figures, holds: proof.holds }));
  put(MANIFEST, toManifest(files));
  const textHashes = { charter: sha256(sources.charter), receipts: sha256(sources.receipts) };
  return { ...entries, proven, files, receiptsCount: receipts.length, textHashes };
}

function toManifest(files: PackFiles): string {
  const names = [...files.keys()].sort();
  const items = names.map((name) => {
    const bytes = files.get(name) ?? new Uint8Array(0);
    return { name, sizeBytes: bytes.length, sha256: sha256(bytes) };
  });
  return toText({ format: EVIDENCE_FORMAT, files: items });
}

function readCheckpoint(note: Uint8Array): { readonly size: number; readonly root: string } {
  try {
    const { size, root } = parseCheckpoint(parseNote(note).text);
    return { size, root: Buffer.from(root).toString('hex') };
  } catch (cause) {
    return invalid('the checkpoint cannot be read', cause);
  }
}

interface Entries extends Omit<PackReading, 'proven'> {
  readonly registers: Registers;
  /** Instant of the entry that puts the statement on record: the pack's own. */
  readonly at: string;
}

/** Reads the bodies once: counts, finds the statement's entry, and hashes the lines that it speaks of. */
function readEntries(sources: PackSources, location: string): Entries {
  const { size } = parseStatement(sources.statement);
  const bytes = sources.ledger.get(EXPORT_FILES.bodies) ?? invalid('the export has no bodies');
  const counter = new FigureCounter(location);
  const committed = new Map<string, string>();
  let statementIndex = -1;
  let at = '';
  let below = { count: 0, end: 0 };
  for (const { placed, end } of listBodies(bytes)) {
    const { index, body } = placed;
    if (index < size) below = { count: below.count + 1, end };
    // What came between the statement and its checkpoint is in the log and not what was stated.
    if (index < size) counter.add(placed);
    const receiptHash = body.facts?.['receiptHash'];
    if (typeof receiptHash === 'string') committed.set(body.id, receiptHash);
    if (index >= size && statementIndex < 0 && isStatementEntry(body, sources.statement)) {
      statementIndex = index;
      at = body.at;
    }
  }
  if (statementIndex < 0) invalid('no entry of the log puts this statement on record');
  const stated = Buffer.from(bytes.buffer, bytes.byteOffset, below.end);
  return {
    figures: counter.toFigures(),
    registers: counter.toRegisters(),
    statementIndex,
    committed,
    at,
    bodies: { count: below.count, sha256: sha256(stated) },
  };
}

function* listBodies(
  bytes: Uint8Array,
): Generator<{ readonly placed: PlacedBody; readonly end: number }> {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let start = 0; start < all.length; ) {
    const newline = all.indexOf(0x0a, start);
    const end = newline < 0 ? all.length : newline + 1;
    yield { placed: parseLine(all.toString('utf8', start, end)), end };
    start = end;
  }
}

function parseLine(line: string): PlacedBody {
  try {
    const { index, body } = JSON.parse(line) as {
      readonly index?: unknown;
      readonly body?: unknown;
    };
    if (typeof index === 'number' && typeof body === 'string') {
      return { index, body: parseEntryBody(body) };
    }
  } catch (cause) {
    if (cause instanceof SyntaxError || cause instanceof LedgerError) {
      return invalid('a body of the export cannot be read', cause);
    }
    throw cause;
  }
  return invalid('a line of the export holds no body');
}
