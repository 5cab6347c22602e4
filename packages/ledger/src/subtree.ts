// SPDX-License-Identifier: Apache-2.0
// Proofs about subtrees [start, end), which witnesses that sign subtrees speak
// (draft-ietf-plants-merkle-tree-certs §4). Not needed to check an entry, so not in the verifier.
import { EMPTY_ROOT, isSameBytes, toNodeHash, toVerified, type Verified } from './hash.ts';
import { assertProofShape, type Inclusion, refuseProof, verifyInclusion } from './proof.ts';

/** A range of leaves, `end` exclusive. */
export interface Subtree {
  readonly start: number;
  readonly end: number;
}

export interface SubtreeConsistency extends Subtree {
  readonly subtreeRoot: Uint8Array;
  readonly size: number;
  readonly root: Uint8Array;
  readonly hashes: readonly Uint8Array[];
}

/** True when `start` is a multiple of the smallest power of two that is not less than the range. */
export function isSubtree({ start, end }: Subtree): boolean {
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end)) return false;
  if (start < 0 || end < start) return false;
  let span = 1;
  while (span < end - start) span *= 2;
  return start % span === 0;
}

/** Verifies that a leaf is in the subtree with this root. @throws {LedgerError} `LEDGER_PROOF_INVALID` */
export function verifySubtreeInclusion(
  proof: Omit<Inclusion, 'size'> & Subtree,
  subtreeRoot: Uint8Array,
): Verified<Inclusion> {
  const { start, end, index, ...rest } = proof;
  if (!isSubtree(proof)) refuseProof('range is not a subtree');
  if (!Number.isSafeInteger(index) || index < start) refuseProof('index is not within the range');
  return verifyInclusion({ ...rest, index: index - start, size: end - start }, subtreeRoot);
}

/** Verifies that a subtree is part of the tree. @throws {LedgerError} `LEDGER_PROOF_INVALID` */
export function verifySubtreeConsistency(proof: SubtreeConsistency): Verified<SubtreeConsistency> {
  const { start, end, size, subtreeRoot, root, hashes } = proof;
  assertProofShape([start, end, size], hashes);
  if (!isSubtree(proof) || end > size) refuseProof('range is not a subtree of the tree');
  if (start === end) {
    if (hashes.length > 0 || !isSameBytes(subtreeRoot, EMPTY_ROOT)) {
      refuseProof('an empty subtree has the empty root and no proof');
    }
    return toVerified(proof);
  }
  let [from, to, last] = [start, end - 1, size - 1];
  const up = (): void => {
    from = Math.floor(from / 2);
    to = Math.floor(to / 2);
    last = Math.floor(last / 2);
  };
  const isAtEdge = to === last;
  while (from !== to && (isAtEdge || to % 2 === 1)) up();
  const path = from === to ? [subtreeRoot, ...hashes] : hashes;
  const [first, ...rest] = path;
  if (first === undefined) refuseProof('proof is empty');
  let inner: Uint8Array = first;
  let outer: Uint8Array = first;
  for (const sibling of rest) {
    if (last === 0) refuseProof('proof is longer than the path to the root');
    if (to % 2 === 1 || to === last) {
      if (from < to) inner = toNodeHash(sibling, inner);
      outer = toNodeHash(sibling, outer);
      while (to % 2 === 0 && to !== 0) up();
    } else {
      outer = toNodeHash(outer, sibling);
    }
    up();
  }
  if (last !== 0) refuseProof('proof ends before the root');
  if (!isSameBytes(inner, subtreeRoot)) refuseProof('proof does not lead to the subtree');
  if (!isSameBytes(outer, root)) refuseProof('proof does not lead to the root');
  return toVerified(proof);
}
