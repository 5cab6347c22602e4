// SPDX-License-Identifier: Apache-2.0
// Checkpoints (c2sp.org/tlog-checkpoint): origin, size and root of a log at one moment, as a signed note.
import { LedgerError } from './errors.ts';
import { decodeBase64, decodeDecimal, HASH_SIZE_BYTES, toVerified, type Verified } from './hash.ts';
import {
  parseNote,
  SIGNATURE_TYPES,
  type SignedNote,
  type Signer,
  type VerifierKey,
  verifyNote,
} from './note.ts';

export interface Checkpoint {
  /** `<cell>/ledger/<epoch>`. */
  readonly origin: string;
  /** Leaves in the tree. */
  readonly size: number;
  readonly root: Uint8Array;
  /** Lines behind the root; ours have none. */
  readonly extensions: readonly string[];
}

function refuse(problem: string): never {
  throw new LedgerError('LEDGER_CHECKPOINT_INVALID', problem);
}

/** The note text of a checkpoint. */
export function toCheckpointText(head: Omit<Checkpoint, 'extensions'>): string {
  return `${head.origin}\n${head.size}\n${Buffer.from(head.root).toString('base64')}\n`;
}

/** Reads a checkpoint's text; the length of the root is judged by whoever uses it. @throws {LedgerError} `LEDGER_CHECKPOINT_INVALID` */
export function parseCheckpoint(text: string): Checkpoint {
  if (!text.endsWith('\n')) refuse('text does not end with a newline');
  const [origin = '', sizeText = '', rootText = '', ...extensions] = text.slice(0, -1).split('\n');
  if (origin === '') refuse('origin is empty');
  const size = decodeDecimal(sizeText);
  if (size === undefined) refuse('size is not a decimal number up to 2^53 - 1');
  const root = decodeBase64(rootText);
  if (root === undefined || root.length === 0) refuse('root is not base64');
  if (extensions.includes('')) refuse('an extension line is empty');
  return { origin, size, root, extensions };
}

/** A checkpoint, its note, and who signed it. */
export interface SignedCheckpoint extends Checkpoint {
  readonly note: SignedNote;
  readonly signers: readonly Signer[];
}

/**
 * Verifies that a checkpoint is signed by the log whose key this is; signatures of the witnesses in
 * `witnesses` are verified as well, all others are passed over.
 *
 * @throws {LedgerError} `LEDGER_NOTE_INVALID`, `LEDGER_NOTE_UNSIGNED`, `LEDGER_SIGNATURE_INVALID`,
 * `LEDGER_CHECKPOINT_INVALID` (also when the origin is not the key's name)
 */
export function verifyCheckpoint(
  note: Uint8Array | string,
  options: {
    /** The log's key; several while it changes its key. */
    readonly log: VerifierKey | readonly VerifierKey[];
    readonly witnesses?: readonly VerifierKey[];
  },
): Verified<SignedCheckpoint> {
  const { witnesses = [] } = options;
  const logs = [options.log].flat();
  const parsed = parseNote(note);
  const { signers, text } = verifyNote(parsed, [...logs, ...witnesses]);
  const log = logs.find(
    (known) => known.type === SIGNATURE_TYPES.ed25519 && signers.some(({ key }) => key === known),
  );
  if (log === undefined)
    throw new LedgerError('LEDGER_NOTE_UNSIGNED', 'the log itself has not signed');
  const checkpoint = parseCheckpoint(text);
  if (checkpoint.origin !== log.name) refuse('origin is not the name of the key that signed');
  if (checkpoint.root.length !== HASH_SIZE_BYTES) refuse('root has not 32 bytes');
  return toVerified({ ...checkpoint, note: parsed, signers });
}
