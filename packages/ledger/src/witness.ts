// SPDX-License-Identifier: Apache-2.0
// What a witness decides about a submitted checkpoint (c2sp.org/tlog-witness, add-checkpoint): a pure
// function. Whoever serves it persists the new checkpoint atomically with the check, and only then answers.
import { type SignedCheckpoint, verifyCheckpoint } from './checkpoint.ts';
import { LedgerError } from './errors.ts';
import { decodeBase64, decodeDecimal, EMPTY_ROOT, isSameBytes } from './hash.ts';
import { parseNote, type VerifierKey } from './note.ts';
import { PROOF_HASHES_COUNT_MAX, verifyConsistency } from './proof.ts';

export interface AddCheckpointRequest {
  readonly oldSize: number;
  readonly hashes: readonly Uint8Array[];
  /** The signed note, verbatim. */
  readonly checkpoint: string;
}

/** What the witness last cosigned for an origin. */
export interface WitnessedHead {
  readonly size: number;
  readonly root: Uint8Array;
}

/** The answer: persist and cosign, or the HTTP status that the specification names. */
export type CosignDecision =
  | { readonly outcome: 'cosign'; readonly checkpoint: SignedCheckpoint }
  | {
      readonly outcome: 'refuse';
      readonly status: 400 | 403 | 404 | 422;
      readonly because: string;
    }
  /** The client's old size is not ours; the body is ours and a newline. */
  | { readonly outcome: 'conflict'; readonly status: 409; readonly size: number };

/** A request's body. */
export function toAddCheckpointText(request: AddCheckpointRequest): string {
  const lines = request.hashes.map((hash) => `${Buffer.from(hash).toString('base64')}\n`);
  return `old ${request.oldSize}\n${lines.join('')}\n${request.checkpoint}`;
}

/** Reads a request's body. @throws {LedgerError} `LEDGER_NOTE_INVALID` (400) */
export function parseAddCheckpoint(body: string): AddCheckpointRequest {
  const refuse = (problem: string): never => {
    throw new LedgerError('LEDGER_NOTE_INVALID', problem);
  };
  const split = body.indexOf('\n\n');
  if (split < 0) refuse('expected an old size, a proof, an empty line and a checkpoint');
  const [first = '', ...lines] = body.slice(0, split).split('\n');
  const oldSize = first.startsWith('old ') ? decodeDecimal(first.slice(4)) : undefined;
  if (oldSize === undefined) return refuse('expected `old` and a decimal number');
  if (lines.length > PROOF_HASHES_COUNT_MAX) refuse('proof has more than 63 hashes');
  const hashes = lines.map((line) => {
    const bytes = decodeBase64(line);
    return bytes?.length === 32 ? bytes : refuse('a proof line is not 32 bytes of base64');
  });
  return { oldSize, hashes, checkpoint: body.slice(split + 2) };
}

/** Decides about a submitted checkpoint; `logs` are the keys of the origins that are witnessed. */
export function decideCosign(
  request: AddCheckpointRequest,
  known: {
    readonly logs: readonly VerifierKey[];
    readonly latest: (origin: string) => WitnessedHead | undefined;
  },
): CosignDecision {
  const refuse = (status: 400 | 403 | 404 | 422, because: string): CosignDecision => ({
    outcome: 'refuse',
    status,
    because,
  });
  let checkpoint: SignedCheckpoint;
  try {
    const origin = parseNote(request.checkpoint).text.split('\n', 1)[0];
    const log = known.logs.filter(({ name }) => name === origin);
    if (log.length === 0) return refuse(404, 'origin is unknown');
    checkpoint = verifyCheckpoint(request.checkpoint, { log });
  } catch (error) {
    if (!(error instanceof LedgerError)) throw error;
    const isUnsigned =
      error.code === 'LEDGER_NOTE_UNSIGNED' || error.code === 'LEDGER_SIGNATURE_INVALID';
    return refuse(isUnsigned ? 403 : 400, error.message);
  }
  const { origin, size, root } = checkpoint;
  const { oldSize, hashes } = request;
  if (oldSize > size) return refuse(400, 'old size is larger than the checkpoint');
  const latest = known.latest(origin) ?? { size: 0, root: EMPTY_ROOT };
  if (latest.size !== oldSize) return { outcome: 'conflict', status: 409, size: latest.size };
  if (size === 0 && !isSameBytes(root, EMPTY_ROOT)) {
    return refuse(422, 'the empty tree has another root');
  }
  if (oldSize === 0) {
    if (hashes.length > 0) return refuse(422, 'a proof from an empty tree is empty');
    return { outcome: 'cosign', checkpoint };
  }
  try {
    verifyConsistency({ oldSize, oldRoot: latest.root, size, root, hashes });
  } catch (error) {
    if (!(error instanceof LedgerError)) throw error;
    return refuse(422, error.message);
  }
  return { outcome: 'cosign', checkpoint };
}
