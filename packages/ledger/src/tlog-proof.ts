// SPDX-License-Identifier: Apache-2.0
// Proof files that need no network (c2sp.org/tlog-proof): index, inclusion proof and checkpoint in a text.
import { type SignedCheckpoint, verifyCheckpoint } from './checkpoint.ts';
import { LedgerError } from './errors.ts';
import { decodeBase64, decodeDecimal, toVerified, type Verified } from './hash.ts';
import type { VerifierKey } from './note.ts';
import { PROOF_HASHES_COUNT_MAX, verifyInclusion } from './proof.ts';

const HEADER = 'c2sp.org/tlog-proof@v1';

export interface TlogProof {
  /** Opaque and not authenticated. */
  readonly extra?: Uint8Array;
  readonly index: number;
  readonly hashes: readonly Uint8Array[];
  /** The signed note, verbatim. */
  readonly checkpoint: string;
}

function refuse(problem: string): never {
  throw new LedgerError('LEDGER_PROOF_INVALID', problem);
}

/** A proof file's text. */
export function toTlogProofText(proof: TlogProof): string {
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
  const lines = [
    HEADER,
    ...(proof.extra === undefined ? [] : [`extra ${base64(proof.extra)}`]),
    `index ${proof.index}`,
    ...proof.hashes.map(base64),
  ];
  return `${lines.join('\n')}\n\n${proof.checkpoint}`;
}

/** Reads a proof file; nothing in it is believed yet. @throws {LedgerError} `LEDGER_PROOF_INVALID` */
export function parseTlogProof(text: string): TlogProof {
  const split = text.indexOf('\n\n');
  if (split < 0) refuse('expected a proof, an empty line and a checkpoint');
  const [header, ...lines] = text.slice(0, split).split('\n');
  if (header !== HEADER) refuse(`expected \`${HEADER}\` on the first line`);
  const [first = ''] = lines;
  let extra: Uint8Array | undefined;
  if (first.startsWith('extra ')) {
    extra = decodeBase64(first.slice('extra '.length));
    if (extra === undefined) refuse('extra line is not base64');
    lines.shift();
  }
  const indexLine = lines.shift() ?? '';
  const index = indexLine.startsWith('index ') ? decodeDecimal(indexLine.slice(6)) : undefined;
  if (index === undefined) refuse('expected `index` and a decimal number');
  if (lines.length > PROOF_HASHES_COUNT_MAX) refuse('proof has more than 63 hashes');
  const hashes = lines.map((line) => {
    const bytes = decodeBase64(line);
    return bytes?.length === 32 ? bytes : refuse('a proof line is not 32 bytes of base64');
  });
  const checkpoint = text.slice(split + 2);
  return { index, hashes, checkpoint, ...(extra === undefined ? {} : { extra }) };
}

/**
 * Verifies that a leaf is in the log whose key this is, at the proof's index.
 *
 * @throws {LedgerError} `LEDGER_PROOF_INVALID` and the codes of `verifyCheckpoint`
 */
export function verifyTlogProof(
  proof: TlogProof,
  options: {
    readonly leafHash: Uint8Array;
    readonly log: VerifierKey;
    readonly witnesses?: readonly VerifierKey[];
  },
): Verified<{ readonly index: number; readonly checkpoint: SignedCheckpoint }> {
  const checkpoint = verifyCheckpoint(proof.checkpoint, options);
  const { size, root } = checkpoint;
  const { index, hashes } = proof;
  verifyInclusion({ leafHash: options.leafHash, index, size, hashes }, root);
  return toVerified({ index, checkpoint });
}
