// SPDX-License-Identifier: Apache-2.0
// `bailiwick ledger search|inclusion`: find one's own entries by what they tell, and hold one against the log.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { parseEntryBody, toOcsfEvent } from '@bailiwick/ledger';
import {
  commitEntry,
  LedgerError,
  parseTlogProof,
  parseVerifierKey,
  toLeafHash,
  verifyTlogProof,
} from '@bailiwick/ledger/verify';
import { type EntryAnswer, type EntrySearch, unwrap } from '@bailiwick/sdk';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import { EXIT } from '../exit.ts';
import { toTable } from '../output.ts';
import { argument, readInput, toList } from './input.ts';
import { findLogKey, readPolicy } from './ledger-key.ts';
import { judgeWitnesses, toWitnessText } from './ledger-witnesses.ts';
import type { Input } from './run.ts';

type Options = Input['options'];

const PAGE_SIZE_MAX = 200;
const FORMATS = ['table', 'jsonl', 'ocsf'] as const;
type Format = (typeof FORMATS)[number];

function text(options: Options, name: string): string | undefined {
  const value = options[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** Only what was stated: an absent condition is none. */
function given<T extends object>(
  values: {
    readonly [K in keyof T]: T[K] | undefined;
  },
): { [K in keyof T]?: T[K] } {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]?: T[K] };
}

function toSearch(options: Options): EntrySearch {
  const kinds = text(options, 'kind');
  const subjectFile = text(options, 'subject');
  const flow = given<NonNullable<EntrySearch['flow']>>({
    action: text(options, 'action'),
    purpose: text(options, 'flowPurpose'),
    location: text(options, 'location'),
    destination: text(options, 'destination'),
    class: text(options, 'class'),
    category: text(options, 'category'),
  });
  const outcome = text(options, 'outcome');
  if (outcome !== undefined && outcome !== 'allow' && outcome !== 'deny') {
    throw new CliError('CLI_USAGE_WRONG', 'expected `--outcome` as allow or deny');
  }
  return given<EntrySearch>({
    kinds: kinds === undefined ? undefined : toList(kinds),
    subject: subjectFile && readInput(subjectFile, 'the id of the person').trim(),
    subjectId: text(options, 'subjectId'),
    flow: Object.keys(flow).length === 0 ? undefined : flow,
    outcome,
    rule: text(options, 'rule'),
    key: text(options, 'key'),
    account: text(options, 'actor'),
    role: text(options, 'role'),
    collection: text(options, 'collection'),
    code: text(options, 'code'),
    from: text(options, 'from'),
    to: text(options, 'to'),
    order: options['oldest'] === true ? 'oldest' : undefined,
    proofs: options['proofs'] === true ? true : undefined,
    pageToken: text(options, 'pageToken'),
  });
}

function toFormat(options: Options): Format {
  const stated = text(options, 'format') ?? 'table';
  const format = FORMATS.find((one) => one === stated);
  if (format !== undefined) return format;
  throw new CliError('CLI_USAGE_WRONG', `expected \`--format\` as one of ${FORMATS.join(', ')}`);
}

/** Runs `bailiwick ledger search <residency>`. */
export async function runLedgerSearch(context: Context, { args, options }: Input): Promise<void> {
  const format = toFormat(options);
  const count = Number(options['count']);
  if (!Number.isInteger(count) || count < 1 || count > PAGE_SIZE_MAX) {
    throw new CliError('CLI_USAGE_WRONG', `expected \`--count\` from 1 to ${PAGE_SIZE_MAX}`);
  }
  const search = toSearch(options);
  const cell = await context.cell(argument(args, 0));
  if (format !== 'table') {
    const isAll = options['all'] === true;
    const pageSize = isAll ? PAGE_SIZE_MAX : count;
    let left = isAll ? Number.POSITIVE_INFINITY : count;
    for await (const item of cell.entries.searchAll({ ...search, pageSize })) {
      const line = format === 'ocsf' ? toOcsf(item) : { v: 1, ...item };
      context.output.item(line, () => JSON.stringify(line));
      left -= 1;
      if (left === 0) return;
    }
    return;
  }
  if (options['all'] === true) {
    throw new CliError('CLI_USAGE_WRONG', '`--all` goes with `--format jsonl` or `--format ocsf`');
  }
  const page = unwrap(await cell.entries.search({ ...search, pageSize: count }));
  context.output.result({ v: 1, ...page }, () => toPageText(page));
}

function toOcsf({ entry, index, leafHash, canonicalBody }: EntryAnswer): object {
  if (canonicalBody === undefined) {
    // Its term is over: what is left is that there was an entry.
    return { unmapped: { entry, index, leafHash } };
  }
  return toOcsfEvent(parseEntryBody(canonicalBody), {
    ...(index === undefined ? {} : { index }),
    ...(leafHash === undefined ? {} : { leafHash }),
  });
}

function toPageText(page: {
  readonly items: readonly EntryAnswer[];
  readonly size: number;
  readonly nextPageToken?: string;
}): string {
  const rows = page.items.map(({ entry, index, body = {} }) => [
    String(index ?? '-'),
    String(body['at'] ?? ''),
    String(body['kind'] ?? '(its term is over)'),
    inner(body, 'decision', 'outcome'),
    inner(body, 'flow', 'purpose'),
    inner(body, 'actor', 'role'),
    entry,
  ]);
  const lines = [
    toTable(['position', 'at', 'kind', 'outcome', 'purpose', 'role', 'entry'], rows),
    `${page.items.length} of the entries below position ${page.size.toLocaleString('en')}`,
  ];
  if (page.nextPageToken !== undefined) {
    lines.push(`there may be more: add --page-token ${page.nextPageToken}`);
  }
  return lines.join('\n');
}

function inner(body: Readonly<Record<string, unknown>>, key: string, name: string): string {
  const value = body[key];
  if (typeof value !== 'object' || value === null) return '';
  return String(Object.entries(value).find(([own]) => own === name)?.[1] ?? '');
}

/** Runs `bailiwick ledger inclusion <residency> <entry>`. */
export async function runLedgerInclusion(
  context: Context,
  { args, options }: Input,
): Promise<void> {
  const cell = await context.cell(argument(args, 0));
  const entryId = argument(args, 1);
  const file = unwrap(await cell.entries.proof(entryId));
  const { body, canonicalBody, salt, leafHash: told } = unwrap(await cell.entries.get(entryId));
  const proof = parseTlogProof(file);
  const policy = readPolicy(options['policy']);
  const origin = proof.checkpoint.split('\n')[0] ?? '';
  const key = await findLogKey(context, { origin, stated: options['key'], policy });
  const opened = canonicalBody !== undefined && salt !== undefined;
  const leafHash = opened
    ? toLeafHash(commitEntry(Buffer.from(salt, 'base64url'), canonicalBody))
    : Buffer.from(told ?? '', 'hex');
  const witnessed =
    policy === undefined
      ? undefined
      : judgeWitnesses(Buffer.from(proof.checkpoint), {
          policy,
          earlier: undefined,
          nowSeconds: Math.floor(Date.now() / 1000),
        });
  const problem = findProblem(() =>
    verifyTlogProof(proof, { leafHash, log: parseVerifierKey(key) }),
  );
  const isVerified = problem === undefined && witnessed?.isQuorumMet !== false;
  const output = text(options, 'output');
  if (output !== undefined) writeFileSync(path.resolve(output), file);
  const size = Number(proof.checkpoint.split('\n')[1]);
  const result = {
    v: 1,
    isVerified,
    entry: entryId,
    index: proof.index,
    size,
    origin,
    leafHash: leafHash.toString('hex'),
    ...(problem === undefined ? {} : { problem }),
    ...(body === undefined ? {} : { body }),
    ...(witnessed === undefined ? {} : { witnessed }),
    proof: file,
  };
  context.output.result(result, () =>
    [
      isVerified
        ? `verified: entry ${entryId} is at position ${proof.index} of ${origin}, which has ${size.toLocaleString('en')} entries`
        : `NOT verified: ${problem ?? 'the policy is not met'}`,
      opened
        ? 'its body and salt are what the leaf commits to'
        : 'its body is gone: the leaf alone is proven',
      ...(witnessed === undefined
        ? ['without --policy no witness was asked for']
        : [toWitnessText(witnessed)]),
      ...(output === undefined ? [] : [`proof written to ${output}`]),
    ].join('\n'),
  );
  if (!isVerified) process.exitCode = EXIT.unverified;
}

function findProblem(verify: () => unknown): string | undefined {
  try {
    verify();
    return undefined;
  } catch (error) {
    if (error instanceof LedgerError) return error.message;
    throw error;
  }
}
