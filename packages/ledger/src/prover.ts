// SPDX-License-Identifier: Apache-2.0
// Making proofs from tiles (RFC 6962 §2.1.1 and §2.1.2). The ranges that a proof names are worked out
// first, then the tiles that hold them are read at once.
import { LedgerError } from './errors.ts';
import { EMPTY_ROOT, HASH_SIZE_BYTES, toNodeHash, writeNodeHash } from './hash.ts';
import { hashAt, TILE_HEIGHT, TILE_WIDTH, type TileAddress, toPerfectRoot } from './tile.ts';

/** Gives the hashes of a tile: at least `width` of them (a tile that has grown since is as good). */
export type ReadTile = (address: TileAddress & { readonly level: number }) => Promise<Uint8Array>;

/** Full tiles kept with their inner hashes, 16 KB each. */
export const PROVER_TILES_COUNT_MAX = 1024;

export interface Prover {
  /** Hashes that lead from leaf `index` to the root of the tree of `size` leaves. */
  proveInclusion(options: { readonly index: number; readonly size: number }): Promise<Uint8Array[]>;
  /** Hashes that lead from the tree of `oldSize` leaves (at least 1) to that of `size`. */
  proveConsistency(options: {
    readonly oldSize: number;
    readonly size: number;
  }): Promise<Uint8Array[]>;
  /** Root of the tree of the first `size` leaves. */
  rootAt(size: number): Promise<Uint8Array>;
}

/** Leaves from `start` to `end`, exclusive. */
interface Range {
  readonly start: number;
  readonly end: number;
}

/** Largest power of two below `count` (at least 2): where RFC 6962 splits. */
function toSplit(count: number): number {
  let split = 1;
  while (split * 2 < count) split *= 2;
  return split;
}

function listInclusionRanges(index: number, { start, end }: Range): Range[] {
  if (end - start <= 1) return [];
  const middle = start + toSplit(end - start);
  return index < middle
    ? [...listInclusionRanges(index, { start, end: middle }), { start: middle, end }]
    : [...listInclusionRanges(index, { start: middle, end }), { start, end: middle }];
}

/** RFC 6962 §2.1.2, SUBPROOF: `isKnown` while the older tree's root itself would be the first hash. */
function listConsistencyRanges(oldSize: number, { start, end }: Range, isKnown: boolean): Range[] {
  if (oldSize === end) return isKnown ? [] : [{ start, end }];
  const middle = start + toSplit(end - start);
  return oldSize <= middle
    ? [...listConsistencyRanges(oldSize, { start, end: middle }, isKnown), { start: middle, end }]
    : [...listConsistencyRanges(oldSize, { start: middle, end }, false), { start, end: middle }];
}

/** The perfect subtrees of a range, left to right. */
function listPerfect({ start, end }: Range): Range[] {
  const parts: Range[] = [];
  let from = start;
  while (from < end) {
    let span = 1;
    while (span * 2 <= end - from && from % (span * 2) === 0) span *= 2;
    parts.push({ start: from, end: from + span });
    from += span;
  }
  return parts;
}

interface Place {
  readonly level: number;
  readonly index: number;
  readonly start: number;
  readonly count: number;
}

/** Where in the tiles the root of a perfect subtree is found. */
function toPlace({ start, end }: Range): Place {
  const height = Math.round(Math.log2(end - start));
  const level = Math.floor(height / TILE_HEIGHT);
  const first = start / TILE_WIDTH ** level;
  const index = Math.floor(first / TILE_WIDTH);
  return { level, index, start: first % TILE_WIDTH, count: 2 ** (height % TILE_HEIGHT) };
}

/** All hashes of a full tile's subtree as a heap: the root at 1, the tile's own hashes from 256. */
function toHeap(tile: Uint8Array): Uint8Array {
  const heap = Buffer.alloc(2 * TILE_WIDTH * HASH_SIZE_BYTES);
  heap.set(tile.subarray(0, TILE_WIDTH * HASH_SIZE_BYTES), TILE_WIDTH * HASH_SIZE_BYTES);
  for (let node = TILE_WIDTH - 1; node > 0; node -= 1) {
    const to = node * HASH_SIZE_BYTES;
    writeNodeHash(heap, { from: to * 2, to });
  }
  return heap;
}

type Lookup = (place: Place) => Uint8Array;

class TileProver implements Prover {
  readonly #readTile: ReadTile;
  readonly #heaps = new Map<string, Uint8Array>();
  readonly #countMax: number;

  constructor(readTile: ReadTile, countMax: number) {
    this.#readTile = readTile;
    this.#countMax = countMax;
  }

  async proveInclusion(options: { index: number; size: number }): Promise<Uint8Array[]> {
    const { index, size } = options;
    if (
      !(Number.isSafeInteger(size) && Number.isSafeInteger(index) && index >= 0 && index < size)
    ) {
      throw new LedgerError('LEDGER_PROOF_INVALID', 'index is not within the tree');
    }
    return this.#hashRanges(listInclusionRanges(index, { start: 0, end: size }), size);
  }

  async proveConsistency(options: { oldSize: number; size: number }): Promise<Uint8Array[]> {
    const { oldSize, size } = options;
    if (!(Number.isSafeInteger(size) && Number.isSafeInteger(oldSize) && oldSize > 0)) {
      throw new LedgerError('LEDGER_PROOF_INVALID', 'sizes must be counts, the older at least 1');
    }
    if (oldSize > size) {
      throw new LedgerError('LEDGER_PROOF_INVALID', 'the older tree is larger than the newer one');
    }
    return this.#hashRanges(listConsistencyRanges(oldSize, { start: 0, end: size }, true), size);
  }

  async rootAt(size: number): Promise<Uint8Array> {
    if (size === 0) return EMPTY_ROOT;
    const [root] = await this.#hashRanges([{ start: 0, end: size }], size);
    return root ?? EMPTY_ROOT;
  }

  async #hashRanges(ranges: readonly Range[], size: number): Promise<Uint8Array[]> {
    const parts = ranges.map((range) => listPerfect(range).map(toPlace));
    const lookup = await this.#load(parts.flat(), size);
    return parts.map((places) => {
      const [last, ...before] = places.map(lookup).reverse();
      if (last === undefined) throw new LedgerError('LEDGER_PROOF_INVALID', 'range is empty');
      return before.reduce((right, left) => toNodeHash(left, right), last);
    });
  }

  /** Reads what these places need, each tile once. */
  async #load(places: readonly Place[], size: number): Promise<Lookup> {
    const heaps = new Map<string, Uint8Array>();
    const partial = new Map<string, Uint8Array>();
    const wanted = new Map<string, TileAddress & { readonly level: number }>();
    for (const { level, index } of places) {
      const key = `${level}/${index}`;
      const heap = this.#heaps.get(key);
      if (heap !== undefined) heaps.set(key, heap);
      else {
        const count = Math.floor(size / TILE_WIDTH ** level) - index * TILE_WIDTH;
        wanted.set(key, { level, index, width: Math.min(TILE_WIDTH, count) });
      }
    }
    await Promise.all(
      [...wanted].map(async ([key, address]) => {
        const tile = await this.#readTile(address);
        if (tile.length < address.width * HASH_SIZE_BYTES) {
          throw new LedgerError('LEDGER_TILE_MISSING', 'a tile is shorter than the tree needs');
        }
        if (address.width < TILE_WIDTH) partial.set(key, tile);
        else heaps.set(key, this.#keep(key, toHeap(tile)));
      }),
    );
    return ({ level, index, start, count }) => {
      const key = `${level}/${index}`;
      const heap = heaps.get(key);
      if (heap !== undefined) return hashAt(heap, (TILE_WIDTH + start) / count);
      return toPerfectRoot(partial.get(key) ?? new Uint8Array(0), { start, count });
    };
  }

  /** Full tiles never change: the oldest one kept makes room for the newest. */
  #keep(key: string, heap: Uint8Array): Uint8Array {
    const [oldest] = this.#heaps.keys();
    if (this.#heaps.size >= this.#countMax && oldest !== undefined) this.#heaps.delete(oldest);
    this.#heaps.set(key, heap);
    return heap;
  }
}

/** Makes proofs from tiles; keeps up to `tilesCountMax` full tiles in memory. */
export function createProver(
  readTile: ReadTile,
  options: { readonly tilesCountMax?: number } = {},
): Prover {
  return new TileProver(readTile, options.tilesCountMax ?? PROVER_TILES_COUNT_MAX);
}
