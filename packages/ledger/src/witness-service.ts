// SPDX-License-Identifier: Apache-2.0
// A witness put together (c2sp.org/tlog-witness): what it last cosigned is kept in a store, the decision is
// `decideCosign`, the answer goes out only when the store says that the new checkpoint is durable. Who
// listens, and where the store is, is left to processes: `apps/witness` and each cell use this one.
import { createHash } from 'node:crypto';
import type { Clock } from '@bailiwick/kernel';
import { parseCheckpoint, type SignedCheckpoint } from './checkpoint.ts';
import { LedgerError } from './errors.ts';
import { parseNote, toSignatureLine, type VerifierKey, verifyNote } from './note.ts';
import type { Cosigner } from './signer.ts';
import {
  type AddCheckpointRequest,
  decideCosign,
  parseAddCheckpoint,
  type WitnessedHead,
} from './witness.ts';

/** What a witness last cosigned for an origin. */
export interface WitnessedCheckpoint {
  /** 1 for the first; each that is kept has the next number. */
  readonly version: number;
  /** The checkpoint as a note, with the log's signature and the witness's own. */
  readonly note: string;
}

/**
 * Where a witness keeps what it cosigned.
 *
 * INVARIANT: of two that advance from one version, one at most is told `true`, and only when its note is
 * durable; from then on `find` never gives an older one, whatever is killed.
 */
export interface WitnessStore {
  find(origin: string): Promise<WitnessedCheckpoint | undefined>;
  advance(origin: string, next: WitnessedCheckpoint & { readonly size: number }): Promise<boolean>;
}

/** An answer as HTTP has it. */
export interface WitnessAnswer {
  readonly status: 200 | 400 | 403 | 404 | 409 | 422 | 503;
  readonly contentType: string;
  readonly body: string;
  /**
   * A checkpoint that the log did sign and that does not continue what was cosigned: with the kept one it
   * may prove that the log shows two histories. Whoever serves keeps it.
   */
  readonly evidence?: string;
}

export interface Witness {
  readonly verifierKey: VerifierKey;
  /** Answers `POST <prefix>/add-checkpoint`. @throws {LedgerError} `LEDGER_HEAD_INVALID` for a broken store */
  addCheckpoint(body: Uint8Array): Promise<WitnessAnswer>;
  /** Answers `GET <prefix>/<origin hash>/checkpoint`; `undefined` is 404. */
  findCheckpoint(originHash: string): Promise<string | undefined>;
}

export interface WitnessOptions {
  readonly cosigner: Cosigner;
  /** Keys of the origins that are witnessed; several of one origin while it changes its key. */
  readonly logs: readonly VerifierKey[];
  readonly store: WitnessStore;
  readonly clock: Clock;
}

/** Before this (2025-01-01) a clock was never set. */
export const TIME_SECONDS_MIN = 1_735_689_600;
/** A clock set back by no more than this goes on with the last time; further back, nothing is cosigned. */
export const CLOCK_STEP_SECONDS_MAX = 5;
/** How often a checkpoint is judged again because another request was faster. */
const ATTEMPTS_COUNT_MAX = 3;

const TEXT = 'text/plain; charset=utf-8';
const SIZE = 'text/x.tlog.size';

interface Kept extends WitnessedHead {
  readonly version: number;
  readonly atSeconds: number;
}

/** Makes a witness. */
export function createWitness(options: WitnessOptions): Witness {
  const { cosigner, logs, store } = options;
  const origins = new Map(logs.map(({ name }) => [toOriginHash(name), name]));
  return {
    verifierKey: cosigner.verifierKey,
    async addCheckpoint(body) {
      let request: AddCheckpointRequest;
      let origin: string;
      try {
        request = parseAddCheckpoint(decodeBody(body));
        origin = parseNote(request.checkpoint).text.split('\n', 1)[0] ?? '';
      } catch (error) {
        if (error instanceof LedgerError) return refuse(400, error.message);
        throw error;
      }
      for (let attempt = 0; attempt < ATTEMPTS_COUNT_MAX; attempt += 1) {
        const answer = await judge(options, request, origin);
        if (answer !== undefined) return answer;
      }
      return refuse(503, 'too many requests for this log at once');
    },
    async findCheckpoint(originHash) {
      const origin = origins.get(originHash);
      return origin === undefined ? undefined : (await store.find(origin))?.note;
    },
  };
}

/** One look and one attempt; `undefined` when another request was faster. */
async function judge(
  { cosigner, logs, store, clock }: WitnessOptions,
  request: AddCheckpointRequest,
  origin: string,
): Promise<WitnessAnswer | undefined> {
  const isKnown = logs.some(({ name }) => name === origin);
  const kept = isKnown ? await readKept(store, cosigner.verifierKey, origin) : undefined;
  const decision = decideCosign(request, { logs, latest: () => kept });
  if (decision.outcome === 'conflict') {
    return { status: 409, contentType: SIZE, body: `${decision.size}\n` };
  }
  if (decision.outcome === 'refuse') {
    const answer = refuse(decision.status, decision.because);
    return decision.status === 422 ? { ...answer, evidence: request.checkpoint } : answer;
  }
  const atSeconds = toTime(clock, kept?.atSeconds ?? 0);
  if (atSeconds === undefined) return refuse(503, 'the clock of the witness is wrong');
  const { checkpoint } = decision;
  const line = cosigner.cosign(checkpoint.note.text, { atSeconds });
  const note = `${checkpoint.note.text}\n${toLogLines(checkpoint)}${line}`;
  const next = { version: (kept?.version ?? 0) + 1, size: checkpoint.size, note };
  // INVARIANT: durable first, answered then. A cosignature that nobody was given harms nobody.
  const isKept = await store.advance(origin, next);
  return isKept ? { status: 200, contentType: TEXT, body: line } : undefined;
}

/**
 * Reads what was cosigned last.
 *
 * SECURITY: kept state counts only under the witness's own cosignature: a file or row that somebody
 * edited, cut or swapped stops the witness for this log, rather than let it sign a second history.
 */
async function readKept(
  store: WitnessStore,
  own: VerifierKey,
  origin: string,
): Promise<Kept | undefined> {
  const found = await store.find(origin);
  if (found === undefined) return undefined;
  try {
    const { text, signers } = verifyNote(parseNote(found.note), [own]);
    const { size, root, origin: keptOrigin } = parseCheckpoint(text);
    if (keptOrigin !== origin) {
      throw new LedgerError('LEDGER_HEAD_INVALID', 'what is kept is of another log');
    }
    const atSeconds = Math.max(...signers.map((signer) => signer.atSeconds ?? 0));
    return { version: found.version, size, root, atSeconds };
  } catch (cause) {
    const problem = 'what is kept is not what this witness cosigned';
    throw new LedgerError('LEDGER_HEAD_INVALID', problem, { cause });
  }
}

/**
 * The time to cosign with, or `undefined` when there is no honest one. Times of one log never go back: a
 * cosignature says that at its time no larger tree was known, so an earlier one for a larger tree would
 * belie the one before.
 */
function toTime(clock: Clock, lastSeconds: number): number | undefined {
  const nowSeconds = Math.floor(clock.nowMs() / 1000);
  if (nowSeconds < TIME_SECONDS_MIN) return undefined;
  if (nowSeconds >= lastSeconds) return nowSeconds;
  return lastSeconds - nowSeconds <= CLOCK_STEP_SECONDS_MAX ? lastSeconds : undefined;
}

/** The log's own signature lines, those of strangers left out. */
function toLogLines({ note, signers }: SignedCheckpoint): string {
  return note.signatures
    .filter(({ name, id }) => signers.some(({ key }) => key.name === name && key.id === id))
    .map(toSignatureLine)
    .join('');
}

function toOriginHash(origin: string): string {
  return createHash('sha256').update(origin, 'utf8').digest('hex');
}

function decodeBody(body: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body);
  } catch (cause) {
    throw new LedgerError('LEDGER_NOTE_INVALID', 'body is not UTF-8', { cause });
  }
}

function refuse(status: 400 | 403 | 404 | 422 | 503, because: string): WitnessAnswer {
  return { status, contentType: TEXT, body: `${because}\n` };
}
