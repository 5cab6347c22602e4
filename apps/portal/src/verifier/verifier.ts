// SPDX-License-Identifier: Apache-2.0
// Verifies in this very browser what the cell says of its ledger, with the sources of the verifier package.
// The cell is not believed: an entry counts as proved only when its text leads, hash by hash, to a root that
// the log's key signed, and when that key is the one that this browser remembers.
import './buffer-global.ts';
import {
  commitEntry,
  LedgerError,
  parseNote,
  parseVerifierKey,
  toLeafHash,
  type VerifierKey,
  verifyCheckpoint,
  verifyInclusion,
} from '@bailiwick/ledger/verify';
import { ed25519 } from '@noble/curves/ed25519.js';
import type { EntryAnswer, SignedStatement } from '../api/types.ts';

/** A step of a proof and how it went. */
export interface Step {
  readonly words: string;
  readonly state: 'done' | 'failed' | 'waiting';
  readonly detail?: string;
}

export interface EntryVerdict {
  readonly verdict: 'proved' | 'broken' | 'waiting';
  readonly steps: readonly Step[];
}

/** Where a log's key came from. */
export interface TrustedLog {
  readonly key: VerifierKey;
  readonly text: string;
  /** False: the cell now states another key than the one remembered here. */
  readonly isSame: boolean;
  readonly rememberedAt: string;
}

const toBytes = (text: string, encoding: 'base64' | 'hex'): Uint8Array =>
  Uint8Array.from(Buffer.from(text, encoding));
const fromBase64Url = (text: string): Uint8Array =>
  toBytes(text.replaceAll('-', '+').replaceAll('_', '/'), 'base64');

const toMemoryName = (origin: string): string => `bailiwick-log ${origin}`;

/**
 * The key under which this browser knows a log: what it remembers, or, the first time, what the cell states.
 * A log cannot vouch for itself; a reader who has the key from elsewhere compares the two.
 */
export function trustLog(origin: string, stated: string): TrustedLog {
  const name = toMemoryName(origin);
  const now = new Date().toISOString();
  let text = stated;
  let rememberedAt = now;
  try {
    const [knownAt, known] = (localStorage.getItem(name) ?? '').split(' ');
    if (knownAt !== undefined && known !== undefined) [rememberedAt, text] = [knownAt, known];
    else localStorage.setItem(name, `${now} ${stated}`);
  } catch {
    // A browser that keeps nothing trusts anew at each visit.
  }
  return { key: parseVerifierKey(text), text, isSame: text === stated, rememberedAt };
}

/** Takes a key that the reader has compared. */
export function rememberLog(origin: string, stated: string): void {
  localStorage.setItem(toMemoryName(origin), `${new Date().toISOString()} ${stated}`);
}

function explain(error: unknown): string {
  return error instanceof LedgerError ? `${error.code}: ${error.message}` : 'it cannot be read';
}

/** Runs one check; what throws has failed. */
function check(words: string, detail: string, run: () => void): Step {
  try {
    run();
    return { words, state: 'done', detail };
  } catch (error) {
    return { words, state: 'failed', detail: explain(error) };
  }
}

const refuse = (problem: string): never => {
  throw new LedgerError('LEDGER_PROOF_INVALID', problem);
};

/** Verifies one entry from its text up to the signature. */
export function verifyEntry(entry: EntryAnswer, log: TrustedLog): EntryVerdict {
  const { canonicalBody, salt, leafHash, proof, body } = entry;
  if (proof === undefined || leafHash === undefined) {
    return {
      verdict: 'waiting',
      steps: [{ words: 'No signed checkpoint covers it yet: about a second', state: 'waiting' }],
    };
  }
  const leaf = toBytes(leafHash, 'hex');
  const steps: Step[] = [];
  if (canonicalBody === undefined || salt === undefined) {
    steps.push({ words: 'Its body is past its term: the leaf stands', state: 'waiting' });
  } else {
    const words = 'Text and salt are what the leaf commits to';
    steps.push(
      check(words, `leaf ${leafHash.slice(0, 16)}…`, () => {
        const found = toLeafHash(commitEntry(fromBase64Url(salt), canonicalBody));
        if (Buffer.compare(found, Buffer.from(leaf)) !== 0) refuse('the text was changed');
        if (JSON.stringify(JSON.parse(canonicalBody)) !== JSON.stringify(body)) {
          refuse('what is shown is not what was proved');
        }
      }),
    );
  }
  let root: Uint8Array | undefined;
  const signed = check('The checkpoint is signed by the log', log.key.name, () => {
    if (!log.isSame) refuse('the cell states another key than the one remembered here');
    const checkpoint = verifyCheckpoint(proof.checkpoint, { log: log.key });
    if (checkpoint.size !== proof.size) refuse('the proof is of another size');
    root = checkpoint.root;
  });
  steps.push(
    check(
      `Leaf ${proof.index} leads to the root of ${proof.size} entries`,
      `${proof.hashes.length} hashes`,
      () => {
        const { index, size } = proof;
        const hashes = proof.hashes.map((hash) => toBytes(hash, 'base64'));
        if (root === undefined) refuse('there is no signed root to lead to');
        else verifyInclusion({ leafHash: leaf, index, size, hashes }, root);
      },
    ),
    signed,
  );
  const isBroken = steps.some(({ state }) => state === 'failed');
  return { verdict: isBroken ? 'broken' : 'proved', steps };
}

/** Who signed a checkpoint, as far as keys for it are known. */
export interface NamedSignature {
  readonly name: string;
  readonly isVerified: boolean;
  /** RFC 3339; cosignatures only. */
  readonly at?: string;
}

export interface CheckpointView {
  readonly origin: string;
  readonly size: number;
  readonly root: string;
  readonly signatures: readonly NamedSignature[];
  readonly problem?: string;
}

/** Reads a cosigned checkpoint; signatures of the given keys are verified. */
export function viewCheckpoint(
  note: string,
  keys: { readonly log?: string | undefined; readonly witnesses: readonly string[] },
): CheckpointView {
  const parsed = parseNote(note);
  const [origin = '', size = '0', root = ''] = parsed.text.split('\n');
  const view = { origin, size: Number(size), root };
  const unverified = parsed.signatures.map(({ name }) => ({ name, isVerified: false }));
  if (keys.log === undefined) return { ...view, signatures: unverified };
  try {
    const log = parseVerifierKey(keys.log);
    const witnesses = keys.witnesses.map(parseVerifierKey);
    const { signers } = verifyCheckpoint(note, { log, witnesses });
    const signatures = parsed.signatures.map(({ name, id }): NamedSignature => {
      const signer = signers.find(({ key }) => key.name === name && key.id === id);
      if (signer === undefined) return { name, isVerified: false };
      const { atSeconds } = signer;
      const at = atSeconds === undefined ? undefined : new Date(atSeconds * 1000).toISOString();
      return { name, isVerified: true, ...(at === undefined ? {} : { at }) };
    });
    return { ...view, signatures };
  } catch (error) {
    return { ...view, signatures: unverified, problem: explain(error) };
  }
}

/** SHA-256 of a log's name, as witnesses file it. */
export async function toOriginHash(origin: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(origin));
  return Buffer.from(new Uint8Array(digest)).toString('hex');
}

/** What a receipt says, and whether the key that it names signed it. */
export interface ReceiptView {
  readonly kind: string;
  readonly process: string;
  readonly at: string;
  readonly isSigned: boolean;
}

const STATEMENT_DOMAIN = 'bailiwick/statement/v1\0';

/** Reads and verifies a receipt of a process that held keys. */
export function viewReceipt(statement: SignedStatement): ReceiptView {
  const body = JSON.parse(statement.body) as Partial<Record<'kind' | 'process' | 'at', string>>;
  const message = new TextEncoder().encode(`${STATEMENT_DOMAIN}${statement.body}`);
  let isSigned = false;
  try {
    const [signature, key] = [
      toBytes(statement.signature, 'base64'),
      toBytes(statement.publicKey, 'base64'),
    ];
    isSigned = ed25519.verify(signature, message, key, { zip215: false });
  } catch {
    // A key or signature of the wrong shape: not signed.
  }
  return { kind: body.kind ?? '', process: body.process ?? '', at: body.at ?? '', isSigned };
}
