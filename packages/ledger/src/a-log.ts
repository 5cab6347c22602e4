// SPDX-License-Identifier: Apache-2.0
// Builders for this room's tests: a log in memory with its key, and the slow definitions of RFC 6962 that
// the fast routines are held against.
import { createHash, createPrivateKey, type KeyObject } from 'node:crypto';
import type { ExportReader } from './export.ts';
import { writeExport } from './export-writer.ts';
import { commitEntry, EMPTY_ROOT, toLeafHash, toNodeHash } from './hash.ts';
import { createProver, type Prover } from './prover.ts';
import { createLogSigner, type LogSigner } from './signer.ts';
import type { TileAddress } from './tile.ts';
import { EMPTY_EDGE, extendLog, type LogEdge, type LogHead, toServedTile } from './tree.ts';

const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

/** The Ed25519 key of this seed. */
export function aPrivateKey(seed: string): KeyObject {
  const secret = createHash('sha256').update(seed).digest();
  const der = Buffer.concat([PKCS8_PREFIX, secret]);
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
}

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();

/** A body, its salt and its commitment, by number. */
export function anEntry(index: number): { body: string; salt: Buffer; commitment: Buffer } {
  const body = `{"n":${index},"tenant":"t"}`;
  const salt = sha256(`salt ${index}`);
  return { body, salt, commitment: commitEntry(salt, body) };
}

/** RFC 6962 §2.1, word by word. */
export function toSlowRoot(leaves: readonly Uint8Array[]): Uint8Array {
  const [only] = leaves;
  if (only === undefined) return EMPTY_ROOT;
  if (leaves.length === 1) return only;
  const split = toSplit(leaves.length);
  return toNodeHash(toSlowRoot(leaves.slice(0, split)), toSlowRoot(leaves.slice(split)));
}

/** RFC 6962 §2.1.1, word by word. */
export function toSlowPath(index: number, leaves: readonly Uint8Array[]): Uint8Array[] {
  if (leaves.length <= 1) return [];
  const split = toSplit(leaves.length);
  const [left, right] = [leaves.slice(0, split), leaves.slice(split)];
  return index < split
    ? [...toSlowPath(index, left), toSlowRoot(right)]
    : [...toSlowPath(index - split, right), toSlowRoot(left)];
}

/** RFC 6962 §2.1.2, word by word. */
export function toSlowConsistency(
  oldSize: number,
  leaves: readonly Uint8Array[],
  isKnown = true,
): Uint8Array[] {
  if (oldSize === leaves.length) return isKnown ? [] : [toSlowRoot(leaves)];
  const split = toSplit(leaves.length);
  const [left, right] = [leaves.slice(0, split), leaves.slice(split)];
  return oldSize <= split
    ? [...toSlowConsistency(oldSize, left, isKnown), toSlowRoot(right)]
    : [...toSlowConsistency(oldSize - split, right, false), toSlowRoot(left)];
}

function toSplit(count: number): number {
  let split = 1;
  while (split * 2 < count) split *= 2;
  return split;
}

/** A log in memory. */
export interface ALog {
  readonly signer: LogSigner;
  readonly head: LogHead;
  readonly prover: Prover;
  readonly leaves: readonly Uint8Array[];
  readonly checkpoint: string;
  readTile(address: TileAddress): Promise<Uint8Array | undefined>;
  /** An export of it with the bodies of every third entry. */
  exportFiles(): Promise<Map<string, Buffer>>;
}

/** A log of `size` entries; `change` replaces the entry at its index. */
export function aLog(
  size: number,
  options: { readonly origin?: string; readonly change?: number } = {},
): ALog {
  const { origin = 'eu-de/main/ledger/1', change } = options;
  const tiles = new Map<string, Uint8Array>();
  let head: LogHead = { epoch: 1, size: 0, root: EMPTY_ROOT };
  let edge: LogEdge = EMPTY_EDGE;
  const commitments: Buffer[] = [];
  for (let index = 0; index < size; index += 1) {
    commitments.push(anEntry(index === change ? index + 1_000_000 : index).commitment);
  }
  for (let start = 0; start < size; start += 777) {
    const part = Buffer.concat(commitments.slice(start, start + 777));
    const extension = extendLog(head, edge, part);
    ({ head, edge } = extension);
    for (const { level, index, bytes } of extension.tiles) tiles.set(`${level}/${index}`, bytes);
  }
  const signer = createLogSigner({ origin, privateKey: aPrivateKey('log') });
  const readTile: ALog['readTile'] = async ({ level, index, width }) => {
    const tile = tiles.get(`${level}/${index}`);
    return tile === undefined || tile.length < width * 32
      ? undefined
      : tile.subarray(0, width * 32);
  };
  const prover = createProver(async (address) => (await readTile(address)) ?? new Uint8Array(0));
  const checkpoint = signer.signCheckpoint(head);
  const leaves = commitments.map(toLeafHash);
  return {
    signer,
    head,
    prover,
    leaves,
    checkpoint,
    readTile,
    async exportFiles() {
      const files = new Map<string, Buffer>();
      const readServed: ALog['readTile'] = async (address) => {
        const tile = await readTile(address);
        return tile && toServedTile(address, tile);
      };
      async function* bodies(): AsyncGenerator<{ index: number; body: string; salt: Uint8Array }> {
        for (let index = 0; index < size; index += 3) {
          if (index !== change) yield { index, ...anEntry(index) };
        }
      }
      for await (const part of writeExport({
        checkpoint,
        tenant: 't',
        readTile: readServed,
        bodies: bodies(),
      })) {
        const before = files.get(part.path) ?? Buffer.alloc(0);
        files.set(part.path, Buffer.concat([before, part.bytes]));
      }
      return files;
    },
  };
}

/** Reads files in memory. */
export function toReader(files: ReadonlyMap<string, Uint8Array>): ExportReader {
  return { read: async (path) => files.get(path), list: async () => [...files.keys()] };
}
