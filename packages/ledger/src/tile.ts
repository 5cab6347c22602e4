// SPDX-License-Identifier: Apache-2.0
// Where tiles lie and what they hold (c2sp.org/tlog-tiles): 256 hashes wide, 8 levels of the tree high,
// and bundles of the entries themselves.
import { LedgerError } from './errors.ts';
import { decodeDecimal, HASH_SIZE_BYTES, toNodeHash, writeNodeHash } from './hash.ts';

/** Hashes in a full tile and entries in a full bundle. */
export const TILE_WIDTH = 256;
/** Levels of the tree that one tile spans. */
export const TILE_HEIGHT = 8;
export const TILE_SIZE_BYTES: number = TILE_WIDTH * HASH_SIZE_BYTES;
/** Highest level of tiles (c2sp.org/tlog-tiles); trees of 2^53 leaves end at level 6. */
export const TILE_LEVEL_MAX = 63;

/** Names a tile or a bundle; `width` 256 is a full one. */
export interface TileAddress {
  readonly level: number | 'entries';
  readonly index: number;
  readonly width: number;
}

/** `tile/0/x001/234`, `tile/entries/007.p/12`. */
export function toTilePath({ level, index, width }: TileAddress): string {
  let path = String(index % 1000).padStart(3, '0');
  for (let rest = Math.floor(index / 1000); rest > 0; rest = Math.floor(rest / 1000)) {
    path = `x${String(rest % 1000).padStart(3, '0')}/${path}`;
  }
  return `tile/${level}/${path}${width === TILE_WIDTH ? '' : `.p/${width}`}`;
}

const TILE_PATH = /^tile\/(entries|\d{1,2})\/((?:x\d{3}\/){0,5}\d{3})(?:\.p\/([1-9]\d{0,2}))?$/;

/** Reads a tile's path; each address has one. @throws {LedgerError} `LEDGER_TILE_INVALID` */
export function parseTilePath(path: string): TileAddress {
  const [, levelText = '', indexText = '', widthText] = TILE_PATH.exec(path) ?? [];
  const index = Number(indexText.replaceAll(/[x/]/g, ''));
  const width = widthText === undefined ? TILE_WIDTH : Number(widthText);
  const level: TileAddress['level'] =
    levelText === 'entries' ? 'entries' : (decodeDecimal(levelText) ?? -1);
  const isBounded = level === 'entries' || (level >= 0 && level <= TILE_LEVEL_MAX);
  // A full tile has no width in its path, so a width of 256 or more never comes back the same.
  if (isBounded && Number.isSafeInteger(index) && width <= TILE_WIDTH) {
    const address: TileAddress = { level, index, width };
    if (toTilePath(address) === path) return address;
  }
  throw new LedgerError('LEDGER_TILE_INVALID', 'expected a path such as `tile/0/x001/234.p/5`');
}

/** Every tile and bundle of a tree of this size, bundles first, then level by level. */
export function* listTiles(size: number): Generator<TileAddress> {
  for (let index = 0; index * TILE_WIDTH < size; index += 1) {
    yield { level: 'entries', index, width: Math.min(TILE_WIDTH, size - index * TILE_WIDTH) };
  }
  for (let level = 0, count = size; count > 0; level += 1, count = Math.floor(count / TILE_WIDTH)) {
    for (let index = 0; index * TILE_WIDTH < count; index += 1) {
      yield { level, index, width: Math.min(TILE_WIDTH, count - index * TILE_WIDTH) };
    }
  }
}

/** The hash at `index` of concatenated hashes. */
export function hashAt(hashes: Uint8Array, index: number): Uint8Array {
  return hashes.subarray(index * HASH_SIZE_BYTES, (index + 1) * HASH_SIZE_BYTES);
}

/** Root of the perfect subtree over `count` (a power of two) hashes from `start`. */
export function toPerfectRoot(
  hashes: Uint8Array,
  { start, count }: { readonly start: number; readonly count: number },
): Uint8Array {
  if (count === 1) return hashAt(hashes, start);
  const row = Buffer.from(hashes.slice(start * HASH_SIZE_BYTES, (start + count) * HASH_SIZE_BYTES));
  for (let width = count / 2; width >= 1; width /= 2) {
    for (let index = 0; index < width; index += 1) {
      const to = index * HASH_SIZE_BYTES;
      writeNodeHash(row, { from: to * 2, to });
    }
  }
  return row.subarray(0, HASH_SIZE_BYTES);
}

/**
 * Root of a tree from its right edge: per level, from 0 up, the hashes of the last, not yet full tile.
 *
 * The hashes of a level are perfect subtrees; what lies to their right is the root of the levels below.
 * `undefined` for a tree without leaves.
 */
export function toEdgeRoot(edge: readonly Uint8Array[]): Uint8Array | undefined {
  let right: Uint8Array | undefined;
  for (const hashes of edge) {
    let end = hashes.length / HASH_SIZE_BYTES;
    for (let span = 1; end > 0; span *= 2) {
      if (Math.floor(end / span) % 2 === 0) continue;
      const peak = toPerfectRoot(hashes, { start: end - span, count: span });
      right = right === undefined ? peak : toNodeHash(peak, right);
      end -= span;
    }
  }
  return right;
}

/** Entries of a bundle: each a big-endian 16-bit length and the bytes. @throws {LedgerError} `LEDGER_TILE_INVALID` */
export function parseEntryBundle(bytes: Uint8Array): Uint8Array[] {
  const entries: Uint8Array[] = [];
  let offset = 0;
  while (offset < bytes.length) {
    const size = (bytes[offset] ?? 0) * 256 + (bytes[offset + 1] ?? 0);
    const end = offset + 2 + size;
    if (end > bytes.length || entries.length === TILE_WIDTH) {
      throw new LedgerError('LEDGER_TILE_INVALID', 'entry bundle is cut short or too long');
    }
    entries.push(bytes.subarray(offset + 2, end));
    offset = end;
  }
  return entries;
}
