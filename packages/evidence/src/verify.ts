// SPDX-License-Identifier: Apache-2.0
// Verifying a pack offline: the archive byte by byte, the log under its key, the statement in the log, the
// receipts under their entries, and everything derived made again. What holds is named, and what is merely
// said. Every byte of a pack is attacker-controlled.
import { isCoded } from '@bailiwick/kernel';
import {
  type CosignedTime,
  type ExportProblem,
  inspectExport,
  parseVerifierKey,
  type VerifierKey,
} from '@bailiwick/ledger';
import { type PackFiles, parseArchive } from './archive.ts';
import { PROBLEMS_COUNT_MAX } from './limits.ts';
import { type MadePack, makePack, PACK_SOURCES, type PackSources } from './pack.ts';
import { PROVEN, STATED } from './readme.ts';
import { describeReceipt, parseReceipts } from './receipts.ts';
import { parseStatement } from './statement.ts';

/** What somebody holds a pack against. */
export interface PackOptions {
  /** The log's key, known from elsewhere. Without it the pack's own is taken, which shows damage only. */
  readonly originKey?: VerifierKey;
  /** A checkpoint of this log kept from before. */
  readonly earlier?: Uint8Array;
  /** Cosigned times that the caller has verified under a policy. */
  readonly cosigned?: readonly CosignedTime[];
}

/** One thing that is wrong. */
export interface PackProblem {
  readonly code:
    | 'archive-malformed'
    | 'source-invalid'
    | 'log-unverified'
    | 'statement-contradicted'
    | 'receipt-unverified'
    | 'file-changed';
  readonly file: string;
  readonly because: string;
}

/** What was found. It holds when `problems` is empty. */
export interface PackReport {
  readonly problems: readonly PackProblem[];
  readonly proven: readonly string[];
  readonly stated: readonly string[];
  readonly origin?: string;
  readonly size?: number;
  readonly root?: string;
  readonly cell?: string;
  readonly tenant?: string;
  readonly entriesCount?: number;
  readonly charterHash?: string;
  /** False where the log's key came with the pack. */
  readonly isKeyFromElsewhere: boolean;
}

class Problems {
  readonly list: PackProblem[] = [];

  tell(code: PackProblem['code'], file: string, because: string): void {
    if (this.list.length < PROBLEMS_COUNT_MAX) this.list.push({ code, file, because });
  }
}

/** Looks at everything in a pack and tells what is wrong; content never makes it throw. */
export async function inspectPack(
  bytes: Uint8Array,
  options: PackOptions = {},
): Promise<PackReport> {
  const problems = new Problems();
  const isKeyFromElsewhere = options.originKey !== undefined;
  const opened = attempt(problems, { code: 'archive-malformed', file: 'pack' }, () => {
    const files = parseArchive(bytes);
    return { files, sources: toSources(files) };
  });
  if (opened === undefined) return toReport(problems, { isKeyFromElsewhere });
  const { files, sources } = opened;
  const made = attempt(problems, { code: 'source-invalid', file: 'pack' }, () => makePack(sources));
  const key = attempt(
    problems,
    { code: 'source-invalid', file: PACK_SOURCES.key },
    () => options.originKey ?? parseVerifierKey(sources.key.trim()),
  );
  const log = key && (await inspectLog(problems, { ...options, sources, key }));
  if (made !== undefined) {
    compareFiles(problems, files, made.files);
    checkStatement(problems, { sources, made, origin: log?.origin });
    checkReceipts(problems, sources, made);
  }
  return toReport(problems, { isKeyFromElsewhere, made, log, sources });
}

/** Runs what reads untrusted bytes; a typed failure becomes a problem. */
function attempt<T>(
  problems: Problems,
  place: Pick<PackProblem, 'code' | 'file'>,
  read: () => T,
): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error;
    const isMalformed = isCoded(error, 'EVIDENCE_PACK_MALFORMED');
    problems.tell(isMalformed ? 'archive-malformed' : place.code, place.file, error.message);
    return undefined;
  }
}

function toSources(files: PackFiles): PackSources {
  const read = (name: string): string => Buffer.from(files.get(name) ?? []).toString('utf8');
  const ledger = new Map<string, Uint8Array>();
  for (const [name, bytes] of files) {
    const { ledger: folder } = PACK_SOURCES;
    if (name.startsWith(folder)) ledger.set(name.slice(folder.length), bytes);
  }
  return {
    statement: read(PACK_SOURCES.statement),
    charter: read(PACK_SOURCES.charter),
    receipts: read(PACK_SOURCES.receipts),
    key: read(PACK_SOURCES.key),
    ledger,
  };
}

interface Log {
  readonly origin: string;
  readonly size: number;
  readonly root: string;
}

async function inspectLog(
  problems: Problems,
  options: PackOptions & { readonly sources: PackSources; readonly key: VerifierKey },
): Promise<Log> {
  const { ledger } = options.sources;
  const report = await inspectExport(
    { read: async (name) => ledger.get(name), list: async () => [...ledger.keys()] },
    {
      originKey: options.key,
      ...(options.earlier === undefined ? {} : { earlier: options.earlier }),
      ...(options.cosigned === undefined ? {} : { cosigned: options.cosigned }),
    },
  );
  for (const { code, path, because } of report.problems as readonly ExportProblem[]) {
    problems.tell('log-unverified', `${PACK_SOURCES.ledger}${path}`, `${code}: ${because}`);
  }
  return report;
}

/** Every file must be what the sources give, and no other may be there. */
function compareFiles(problems: Problems, files: PackFiles, made: PackFiles): void {
  for (const [name, bytes] of made) {
    const own = files.get(name);
    if (own === undefined) problems.tell('file-changed', name, 'the file is not there');
    else if (Buffer.compare(own, bytes) !== 0) {
      problems.tell('file-changed', name, 'it is not what the sources of this pack give');
    }
  }
  for (const name of files.keys()) {
    if (!made.has(name)) problems.tell('file-changed', name, 'a pack has no such file');
  }
}

function checkStatement(
  problems: Problems,
  context: {
    readonly sources: PackSources;
    readonly made: MadePack;
    readonly origin: string | undefined;
  },
): void {
  const { sources, made, origin } = context;
  const statement = parseStatement(sources.statement);
  const tell = (because: string): void =>
    problems.tell('statement-contradicted', PACK_SOURCES.statement, because);
  const { bodies, charter, receipts } = statement;
  if (origin !== undefined && statement.origin !== origin) tell('it speaks of another log');
  if (bodies.count !== made.bodies.count || bodies.sha256 !== made.bodies.sha256) {
    tell(`it speaks of ${bodies.count} entries below ${statement.size}: others are here`);
  }
  if (charter.sha256 !== made.textHashes.charter) tell('it speaks of another text of the charter');
  if (charter.hash !== made.proven.charter.hash) tell('the charter does not compile to its hash');
  if (receipts.sha256 !== made.textHashes.receipts || receipts.count !== made.receiptsCount) {
    tell('it speaks of other receipts');
  }
}

function checkReceipts(problems: Problems, sources: PackSources, made: MadePack): void {
  for (const receipt of parseReceipts(sources.receipts)) {
    const because = describeReceipt(receipt, made.committed.get(receipt.entry));
    if (because !== undefined) problems.tell('receipt-unverified', PACK_SOURCES.receipts, because);
  }
}

function toReport(
  { list }: Problems,
  found: {
    readonly isKeyFromElsewhere: boolean;
    readonly made?: MadePack | undefined;
    readonly log?: Log | undefined;
    readonly sources?: PackSources;
  },
): PackReport {
  const { isKeyFromElsewhere, made, log } = found;
  const holds = list.length === 0;
  const base = { problems: list, proven: holds ? PROVEN : [], isKeyFromElsewhere };
  const stated = isKeyFromElsewhere
    ? STATED
    : [
        'that the key in the pack is the log’s: give `--key` to hold it against one you know',
        ...STATED,
      ];
  if (made === undefined || log === undefined || found.sources === undefined)
    return { ...base, stated };
  const { cell, tenant, charter } = parseStatement(found.sources.statement);
  const { origin, size, root } = log;
  const others = Object.entries(made.figures.decisions.charters).filter(
    ([hash]) => hash !== charter.hash,
  );
  const older = others.reduce((sum, [, count]) => sum + count, 0);
  return {
    ...base,
    stated:
      older === 0
        ? stated
        : [
            ...stated,
            `what ${others.length} other charters said, under which ${older} decisions were made: their texts are not in the pack`,
          ],
    ...{ origin, size, root, cell, tenant, charterHash: charter.hash },
    entriesCount: made.figures.entries.count,
  };
}
