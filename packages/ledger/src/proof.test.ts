// SPDX-License-Identifier: Apache-2.0
// Goal: the proofs made from tiles are those of RFC 6962, and each of their bits counts. Method: all
// positions of small trees against the slow definitions; sizes around tiles' edges for the large ones.
import { describe, expect, it } from 'vitest';
import { aLog, toSlowConsistency, toSlowPath, toSlowRoot } from './a-log.ts';
import { verifyConsistency, verifyInclusion } from './proof.ts';

const hex = (hashes: readonly Uint8Array[]): string[] =>
  hashes.map((hash) => Buffer.from(hash).toString('hex'));
const INVALID = expect.objectContaining({ code: 'LEDGER_PROOF_INVALID' });

describe('proofs', () => {
  it('are those of RFC 6962 for every leaf and size up to 20, from one log', async () => {
    const { prover, leaves } = aLog(20);
    for (let size = 1; size <= 20; size += 1) {
      const part = leaves.slice(0, size);
      const root = toSlowRoot(part);
      expect(hex([await prover.rootAt(size)])).toEqual(hex([root]));
      for (let index = 0; index < size; index += 1) {
        const hashes = await prover.proveInclusion({ index, size });
        expect(hex(hashes)).toEqual(hex(toSlowPath(index, part)));
        verifyInclusion({ leafHash: leaves[index] ?? root, index, size, hashes }, root);
      }
      for (let oldSize = 1; oldSize <= size; oldSize += 1) {
        const hashes = await prover.proveConsistency({ oldSize, size });
        expect(hex(hashes)).toEqual(hex(toSlowConsistency(oldSize, part)));
        const oldRoot = toSlowRoot(leaves.slice(0, oldSize));
        verifyConsistency({ oldSize, oldRoot, size, root, hashes });
      }
    }
  });

  it('hold across the edges of tiles and three levels of them', async () => {
    const { prover, leaves, head } = aLog(66_200);
    expect(hex([toSlowRoot(leaves)])).toEqual(hex([head.root]));
    for (const size of [255, 256, 257, 65_535, 65_536, 65_537, 65_792, 66_048, 66_200]) {
      const root = await prover.rootAt(size);
      for (const index of [0, 255, 256, 32_768, 65_535, 65_536, 66_199]) {
        if (index >= size) continue;
        const hashes = await prover.proveInclusion({ index, size });
        verifyInclusion({ leafHash: leaves[index] ?? root, index, size, hashes }, root);
      }
      for (const oldSize of [1, 255, 256, 257, 65_535, 65_536, 65_537]) {
        if (oldSize > size) continue;
        const oldRoot = await prover.rootAt(oldSize);
        const hashes = await prover.proveConsistency({ oldSize, size });
        verifyConsistency({ oldSize, oldRoot, size, root, hashes });
      }
    }
  });

  it('fail with any changed field', async () => {
    const { prover, leaves, head } = aLog(11);
    const { root, size } = head;
    const index = 6;
    const leafHash = leaves[index] ?? root;
    const hashes = await prover.proveInclusion({ index, size });
    const proof = { leafHash, index, size, hashes };
    const flip = (bytes: Uint8Array, at: number): Uint8Array => {
      const copy = Buffer.from(bytes);
      copy[at] = (copy[at] ?? 0) ^ 1;
      return copy;
    };
    const broken = [
      ...hashes.map((_, at) => ({
        ...proof,
        hashes: hashes.map((hash, other) => (other === at ? flip(hash, 31) : hash)),
      })),
      { ...proof, leafHash: flip(leafHash, 0) },
      { ...proof, leafHash: leafHash.subarray(1) },
      { ...proof, index: 7 },
      { ...proof, index: -1 },
      { ...proof, index: 0.5 },
      { ...proof, index: size },
      { ...proof, size: 6 },
      { ...proof, size: 2 ** 53 },
      { ...proof, size: Number.NaN },
      { ...proof, hashes: hashes.slice(1) },
      { ...proof, hashes: hashes.slice(0, -1) },
      { ...proof, hashes: [...hashes, leafHash] },
      { ...proof, hashes: [...hashes].reverse() },
      { ...proof, hashes: [...hashes.slice(1), Buffer.alloc(31)] },
      { ...proof, hashes: Array.from({ length: 64 }, () => leafHash) },
    ];
    for (const one of broken) expect(() => verifyInclusion(one, root)).toThrow(INVALID);
    expect(() => verifyInclusion(proof, flip(root, 3))).toThrow(INVALID);
    expect(() => verifyInclusion(proof, root.subarray(0, 31))).toThrow(INVALID);
    verifyInclusion(proof, root);
  });

  it('of a fork cannot be made consistent', async () => {
    const honest = aLog(40);
    const forked = aLog(60, { change: 20 });
    const hashes = await forked.prover.proveConsistency({ oldSize: 40, size: 60 });
    const claim = { oldSize: 40, oldRoot: honest.head.root, size: 60, root: forked.head.root };
    expect(() => verifyConsistency({ ...claim, hashes })).toThrow(INVALID);
    expect(() => verifyConsistency({ ...claim, size: 40, hashes: [] })).toThrow(INVALID);
    expect(() => verifyConsistency({ ...claim, oldSize: 0, hashes: [] })).toThrow(INVALID);
    expect(() => verifyConsistency({ ...claim, oldSize: 61, hashes })).toThrow(INVALID);
  });

  it.each([
    [{ index: 5, size: 5 }],
    [{ index: -1, size: 5 }],
    [{ index: 0, size: 0 }],
    [{ index: 0.5, size: 5 }],
    [{ index: 0, size: Number.NaN }],
  ])('are not made for %o', async (options) => {
    await expect(aLog(5).prover.proveInclusion(options)).rejects.toThrow(INVALID);
  });

  it('are not made beyond the tiles that are there', async () => {
    const { prover } = aLog(5);
    await expect(prover.proveInclusion({ index: 0, size: 6 })).rejects.toMatchObject({
      code: 'LEDGER_TILE_MISSING',
    });
    await expect(prover.proveConsistency({ oldSize: 0, size: 5 })).rejects.toThrow(INVALID);
    await expect(prover.proveConsistency({ oldSize: 6, size: 5 })).rejects.toThrow(INVALID);
  });
});
