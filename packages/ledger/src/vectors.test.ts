// SPDX-License-Identifier: Apache-2.0
// Goal: every public vector of the formats we speak gives the answer that its authors expect.
// Method: read from `../shared/vectors` beside the repository; where it is absent the suite says so, and
// with CI=true it fails.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  EMPTY_ROOT,
  LedgerError,
  parseCheckpoint,
  parseNote,
  parseTlogProof,
  parseVerifierKey,
  toCheckpointText,
  toLeafHash,
  toVerifierKeyText,
  verifyConsistency,
  verifyInclusion,
  verifyNote,
  verifySubtreeConsistency,
  verifySubtreeInclusion,
} from './index.ts';
import { toEdgeRoot } from './tile.ts';

const VECTORS = path.resolve(import.meta.dirname, '../../../../shared/vectors');
const isThere = existsSync(path.join(VECTORS, 'rfc6962-merkle'));
if (!isThere) {
  const message = `no vectors at ${VECTORS}: the ledger's formats are NOT checked against others`;
  if (process.env['CI'] === 'true') throw new Error(message);
  process.stderr.write(`${message}\n`);
}

const readJson = (file: string): unknown =>
  JSON.parse(readFileSync(path.join(VECTORS, file), 'utf8'));
const bytes = (text: string): Buffer => Buffer.from(text, 'base64');

interface MerkleCase {
  readonly file: string;
  readonly leafIdx: number;
  readonly treeSize: number;
  readonly size1: number;
  readonly size2: number;
  readonly size: number;
  readonly start: number;
  readonly end: number;
  readonly root: string;
  readonly root1: string;
  readonly root2: string;
  readonly leafHash: string;
  readonly proof: readonly string[] | null;
  readonly wantErr: boolean;
}

function readCases(kind: string): readonly MerkleCase[] {
  const folder = path.join(VECTORS, 'rfc6962-merkle/testdata', kind);
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.json'))
    .map((name) => {
      const item = readJson(path.join('rfc6962-merkle/testdata', kind, name)) as MerkleCase;
      return { ...item, file: `${kind}/${name}` };
    });
}

const CHECKS: Readonly<Record<string, (item: MerkleCase, hashes: readonly Buffer[]) => unknown>> = {
  inclusion: ({ leafHash, leafIdx, treeSize, root }, hashes) =>
    verifyInclusion(
      { leafHash: bytes(leafHash), index: leafIdx, size: treeSize, hashes },
      bytes(root),
    ),
  consistency: ({ size1, size2, root1, root2 }, hashes) =>
    verifyConsistency({
      oldSize: size1,
      oldRoot: bytes(root1),
      size: size2,
      root: bytes(root2),
      hashes,
    }),
  subtreeinclusion: ({ leafHash, leafIdx, start, end, root }, hashes) =>
    verifySubtreeInclusion(
      { leafHash: bytes(leafHash), index: leafIdx, start, end, hashes },
      bytes(root),
    ),
  subtreeconsistency: ({ start, end, size, root1, root2 }, hashes) =>
    verifySubtreeConsistency({
      start,
      end,
      size,
      subtreeRoot: bytes(root1),
      root: bytes(root2),
      hashes,
    }),
};

describe.skipIf(!isThere)('public vectors', () => {
  it('decides all cases of transparency-dev/merkle as their authors do', () => {
    let seen = 0;
    let refused = 0;
    for (const [kind, check] of Object.entries(CHECKS)) {
      for (const item of readCases(kind)) {
        const hashes = (item.proof ?? []).map(bytes);
        seen += 1;
        let error: unknown;
        try {
          check(item, hashes);
        } catch (thrown) {
          error = thrown;
        }
        expect(error !== undefined, item.file).toBe(item.wantErr);
        if (error === undefined) continue;
        refused += 1;
        expect(error, item.file).toBeInstanceOf(LedgerError);
        expect(error, item.file).toHaveProperty('code', 'LEDGER_PROOF_INVALID');
      }
    }
    expect(seen).toBeGreaterThanOrEqual(517);
    expect(refused).toBeGreaterThan(450);
  });

  it('reaches the reference roots of Certificate Transparency', () => {
    const { leaves_hex, roots_hex, empty_root } = readJson(
      'rfc6962-merkle/ct-reference-roots.json',
    ) as { leaves_hex: string[]; roots_hex: string[]; empty_root: string };
    expect(EMPTY_ROOT.toString('hex')).toBe(empty_root);
    const leaves = leaves_hex.map((hex) => toLeafHash(Buffer.from(hex, 'hex')));
    expect(leaves.length).toBe(8);
    for (const [index, root] of roots_hex.entries()) {
      const edge = Buffer.concat(leaves.slice(0, index + 1));
      expect(Buffer.from(toEdgeRoot([edge]) ?? []).toString('hex')).toBe(root);
    }
  });

  it('reads and refuses checkpoints, keys and proofs as transparency-dev/formats does', () => {
    const vectors = readJson('c2sp/checkpoint-parse-vectors.json') as {
      marshal: { origin: string; size: number; hash_utf8: string; want: string }[];
      valid: { m: string; rest?: string }[];
      invalid: string[];
      verifier_keys_valid: string[];
      tlog_proof_invalid: string[];
    };
    for (const { origin, size, hash_utf8, want } of vectors.marshal) {
      expect(toCheckpointText({ origin, size, root: Buffer.from(hash_utf8) })).toBe(want);
    }
    for (const { m, rest = '' } of vectors.valid) {
      const { extensions } = parseCheckpoint(m);
      expect(extensions.map((line) => `${line}\n`).join('')).toBe(rest);
    }
    expect(vectors.invalid.length).toBe(7);
    for (const text of vectors.invalid) {
      expect(() => parseCheckpoint(text), text).toThrow(
        expect.objectContaining({ code: 'LEDGER_CHECKPOINT_INVALID' }),
      );
    }
    expect(vectors.verifier_keys_valid.length).toBe(2);
    for (const text of vectors.verifier_keys_valid) {
      expect(toVerifierKeyText(parseVerifierKey(text))).toBe(text);
    }
    expect(vectors.tlog_proof_invalid.length).toBe(6);
    for (const text of vectors.tlog_proof_invalid) {
      expect(() => parseTlogProof(text), text).toThrow(
        expect.objectContaining({ code: 'LEDGER_PROOF_INVALID' }),
      );
    }
  });

  it('verifies the example of the signed-note specification', () => {
    const specification = readFileSync(path.join(VECTORS, 'c2sp/signed-note.md'), 'utf8');
    const key = /example\.com\/foo\+\S+/.exec(specification)?.[0] ?? '';
    const note =
      /(This is an example message\.\n\n— example\.com\/foo \S+\n)/.exec(specification)?.[1] ?? '';
    const { signers } = verifyNote(parseNote(note), [parseVerifierKey(key)]);
    expect(signers.map((signer) => signer.key.name)).toEqual(['example.com/foo']);
  });
});
