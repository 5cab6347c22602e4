// SPDX-License-Identifier: Apache-2.0
// Checking proofs of RFC 6962 with the procedures of RFC 9162 §2.1. Everything that comes in is
// attacker-controlled. Making proofs is elsewhere (`prover.ts`).
import { LedgerError } from './errors.ts';
import { HASH_SIZE_BYTES, isSameBytes, toNodeHash, toVerified, type Verified } from './hash.ts';

/** More hashes than any proof in a tree of up to 2^53 leaves has (c2sp.org/tlog-witness: 63). */
export const PROOF_HASHES_COUNT_MAX = 63;

export interface Inclusion {
  readonly leafHash: Uint8Array;
  /** From 0. */
  readonly index: number;
  /** Leaves in the tree. */
  readonly size: number;
  /** From the leaf's sibling up to the root's child; each 32 bytes. */
  readonly hashes: readonly Uint8Array[];
}

export interface Consistency {
  readonly oldSize: number;
  readonly oldRoot: Uint8Array;
  readonly size: number;
  readonly root: Uint8Array;
  readonly hashes: readonly Uint8Array[];
}

/** Throws `LEDGER_PROOF_INVALID`. */
export function refuseProof(problem: string): never {
  throw new LedgerError('LEDGER_PROOF_INVALID', problem);
}

const half = (value: number): number => Math.floor(value / 2);
const isOdd = (value: number): boolean => value % 2 === 1;

/** Refuses sizes that are not counts and hashes that are not 32 bytes. */
export function assertProofShape(sizes: readonly number[], hashes: readonly Uint8Array[]): void {
  if (!sizes.every((size) => Number.isSafeInteger(size) && size >= 0)) {
    refuseProof('sizes and indexes must be integers from 0 to 2^53 - 1');
  }
  if (hashes.length > PROOF_HASHES_COUNT_MAX) refuseProof('proof has more than 63 hashes');
  if (!hashes.every((item) => item.length === HASH_SIZE_BYTES)) {
    refuseProof('each hash of a proof has 32 bytes');
  }
}

/**
 * The root that an inclusion proof leads to. It says nothing by itself: compare it with a signed root.
 *
 * @throws {LedgerError} `LEDGER_PROOF_INVALID` when the proof's length does not fit index and size.
 * @see RFC 9162 §2.1.3.2
 */
export function toInclusionRoot(proof: Inclusion): Uint8Array {
  const { leafHash, index, size, hashes } = proof;
  assertProofShape([index, size], hashes);
  if (index >= size) refuseProof('index is not within the tree');
  if (leafHash.length !== HASH_SIZE_BYTES) refuseProof('a leaf hash has 32 bytes');
  let position = index;
  let last = size - 1;
  let root = leafHash;
  for (const sibling of hashes) {
    if (last === 0) refuseProof('proof is longer than the path to the root');
    if (isOdd(position) || position === last) {
      root = toNodeHash(sibling, root);
      while (!isOdd(position) && position !== 0) {
        position = half(position);
        last = half(last);
      }
    } else {
      root = toNodeHash(root, sibling);
    }
    position = half(position);
    last = half(last);
  }
  if (last !== 0) refuseProof('proof ends before the root');
  return root;
}

/**
 * Verifies that the leaf is at its index in the tree with this root.
 *
 * @throws {LedgerError} `LEDGER_PROOF_INVALID`
 * @see RFC 6962 §2.1.1
 */
export function verifyInclusion(proof: Inclusion, root: Uint8Array): Verified<Inclusion> {
  if (!isSameBytes(toInclusionRoot(proof), root)) refuseProof('proof does not lead to the root');
  return toVerified(proof);
}

/**
 * Verifies that the newer tree holds the older one as its beginning: nothing was changed, removed or
 * reordered. From an empty tree nothing follows, so `oldSize` 0 is refused.
 *
 * @throws {LedgerError} `LEDGER_PROOF_INVALID`
 * @see RFC 9162 §2.1.4.2
 */
export function verifyConsistency(proof: Consistency): Verified<Consistency> {
  const { oldSize, oldRoot, size, root, hashes } = proof;
  assertProofShape([oldSize, size], hashes);
  if (oldSize === 0) refuseProof('nothing can be proven from an empty tree');
  if (oldSize > size) refuseProof('the older tree is larger than the newer one');
  if (oldSize === size) {
    if (hashes.length > 0) refuseProof('a proof between equal sizes is empty');
    if (!isSameBytes(oldRoot, root)) refuseProof('two roots for one size');
    return toVerified(proof);
  }
  let position = oldSize - 1;
  let last = size - 1;
  while (isOdd(position)) {
    position = half(position);
    last = half(last);
  }
  // An old tree that is one perfect subtree needs no hash of its own in the proof.
  const path = position === 0 ? [oldRoot, ...hashes] : hashes;
  const [first, ...rest] = path;
  if (first === undefined || first.length !== HASH_SIZE_BYTES) refuseProof('proof is empty');
  let oldest: Uint8Array = first;
  let newest: Uint8Array = first;
  for (const sibling of rest) {
    if (last === 0) refuseProof('proof is longer than the path to the root');
    if (isOdd(position) || position === last) {
      oldest = toNodeHash(sibling, oldest);
      newest = toNodeHash(sibling, newest);
      while (!isOdd(position) && position !== 0) {
        position = half(position);
        last = half(last);
      }
    } else {
      newest = toNodeHash(newest, sibling);
    }
    position = half(position);
    last = half(last);
  }
  if (last !== 0) refuseProof('proof ends before the root');
  if (!isSameBytes(oldest, oldRoot)) refuseProof('proof does not lead to the older root');
  if (!isSameBytes(newest, root)) refuseProof('proof does not lead to the newer root');
  return toVerified(proof);
}
