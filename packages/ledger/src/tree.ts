// SPDX-License-Identifier: Apache-2.0
// Growing a log: what a sequencer writes when committed entries get their positions. Pure; the store
// makes it durable in one transaction.
import { LedgerError } from './errors.ts';
import { EMPTY_ROOT, HASH_SIZE_BYTES, isSameBytes, toLeafHash } from './hash.ts';
import { TILE_WIDTH, type TileAddress, toEdgeRoot, toPerfectRoot } from './tile.ts';

/** Where a log stands. */
export interface LogHead {
  readonly epoch: number;
  readonly size: number;
  readonly root: Uint8Array;
}

/** The last, not yet full tiles of a log: everything that an append needs to know of its past. */
export interface LogEdge {
  /** Leaf data (commitments) of the last bundle, 0 to 255. */
  readonly bundle: Uint8Array;
  /** Hashes of the last tile per level, 0 to 255 each. */
  readonly levels: readonly Uint8Array[];
}

/** A tile (hashes) or a bundle (commitments, without their length prefixes) as it is stored. */
export interface TileWrite {
  readonly level: number | 'entries';
  readonly index: number;
  readonly bytes: Uint8Array;
}

export interface LogExtension {
  readonly head: LogHead;
  readonly edge: LogEdge;
  readonly tiles: readonly TileWrite[];
}

export const EMPTY_EDGE: LogEdge = { bundle: new Uint8Array(0), levels: [] };

/** The tiles that hold the edge of a log of this size; the bundle is the first, empty ones are left out. */
export function listEdgeTiles(size: number): readonly TileAddress[] {
  const width = size % TILE_WIDTH;
  const index = Math.floor(size / TILE_WIDTH);
  const tiles: TileAddress[] = width === 0 ? [] : [{ level: 'entries', index, width }];
  for (let level = 0, count = size; count > 0; level += 1, count = Math.floor(count / TILE_WIDTH)) {
    const rest = count % TILE_WIDTH;
    if (rest > 0) tiles.push({ level, index: Math.floor(count / TILE_WIDTH), width: rest });
  }
  return tiles;
}

/**
 * Puts the edge of a log together from its stored tiles and holds it against the head.
 *
 * @throws {LedgerError} `LEDGER_HEAD_INVALID` when the tiles do not lead to the head's root: somebody has
 * written into the store, and nothing may be signed.
 */
export function toLogEdge(head: LogHead, tiles: readonly TileWrite[]): LogEdge {
  const find = ({ level, index, width }: TileAddress): Uint8Array => {
    const tile = tiles.find((item) => item.level === level && item.index === index);
    if (tile?.bytes.length === width * HASH_SIZE_BYTES) return tile.bytes;
    throw new LedgerError(
      'LEDGER_HEAD_INVALID',
      'a tile of the edge is absent or has another width',
    );
  };
  let bundle: Uint8Array = new Uint8Array(0);
  const levels: Uint8Array[] = [];
  for (const address of listEdgeTiles(head.size)) {
    if (address.level === 'entries') bundle = find(address);
    else levels[address.level] = find(address);
  }
  for (let level = 0; level < levels.length; level += 1) levels[level] ??= new Uint8Array(0);
  if (!isSameBytes(toEdgeRoot(levels) ?? EMPTY_ROOT, head.root)) {
    throw new LedgerError('LEDGER_HEAD_INVALID', 'the tiles do not lead to the root of the head');
  }
  return { bundle, levels };
}

/** A row of hashes that grows to one tile. */
class GrowingTile {
  readonly #bytes = Buffer.alloc(TILE_WIDTH * HASH_SIZE_BYTES);
  #size: number;

  constructor(start: Uint8Array) {
    this.#bytes.set(start);
    this.#size = start.length;
  }

  append(hash: Uint8Array): void {
    this.#bytes.set(hash, this.#size);
    this.#size += HASH_SIZE_BYTES;
  }

  isFull(): boolean {
    return this.#size === this.#bytes.length;
  }

  toBytes(): Uint8Array {
    return Buffer.from(this.#bytes.subarray(0, this.#size));
  }

  clear(): void {
    this.#size = 0;
  }
}

/**
 * Appends leaves to a log. `commitments` are concatenated, 32 bytes each; the tiles that come back are
 * the new full ones and every partial one that has changed.
 */
export function extendLog(head: LogHead, edge: LogEdge, commitments: Uint8Array): LogExtension {
  if (commitments.length % HASH_SIZE_BYTES !== 0) throw new RangeError('commitments have 32 bytes');
  const tiles: TileWrite[] = [];
  const levels = edge.levels.map((bytes) => new GrowingTile(bytes));
  const bundle = new GrowingTile(edge.bundle);
  const touched = new Set<number>();
  let size = head.size;
  // A tile that is full goes out, and its root goes into the level above.
  const push = (level: number, hash: Uint8Array): void => {
    const tile = levels[level] ?? new GrowingTile(new Uint8Array(0));
    levels[level] = tile;
    tile.append(hash);
    touched.add(level);
    if (!tile.isFull()) return;
    const bytes = tile.toBytes();
    const index = Math.floor(size / TILE_WIDTH ** (level + 1));
    tiles.push({ level, index, bytes });
    tile.clear();
    push(level + 1, toPerfectRoot(bytes, { start: 0, count: TILE_WIDTH }));
  };
  for (let offset = 0; offset < commitments.length; offset += HASH_SIZE_BYTES) {
    const commitment = commitments.subarray(offset, offset + HASH_SIZE_BYTES);
    bundle.append(commitment);
    if (bundle.isFull()) {
      const index = Math.floor(size / TILE_WIDTH);
      tiles.push({ level: 'entries', index, bytes: bundle.toBytes() });
      bundle.clear();
    }
    push(0, toLeafHash(commitment));
    size += 1;
  }
  const grown: LogEdge = {
    bundle: bundle.toBytes(),
    levels: levels.map((tile) => tile.toBytes()),
  };
  for (const { level, index } of listEdgeTiles(size)) {
    const bytes = level === 'entries' ? grown.bundle : grown.levels[level];
    const isChanged = level === 'entries' ? commitments.length > 0 : touched.has(level);
    if (bytes !== undefined && isChanged) tiles.push({ level, index, bytes });
  }
  const root = toEdgeRoot(grown.levels) ?? EMPTY_ROOT;
  return { head: { epoch: head.epoch, size, root }, edge: grown, tiles };
}

/** What is served of a stored tile: hashes as they are, commitments as an entry bundle. */
export function toServedTile(
  { level }: Pick<TileAddress, 'level'>,
  stored: Uint8Array,
): Uint8Array {
  return level === 'entries' ? toEntryBundle(stored) : stored;
}

/** A bundle as C2SP serves it: each entry with its length before it. */
export function toEntryBundle(commitments: Uint8Array): Uint8Array {
  const count = commitments.length / HASH_SIZE_BYTES;
  const bytes = Buffer.alloc(count * (2 + HASH_SIZE_BYTES));
  for (let index = 0; index < count; index += 1) {
    const at = index * (2 + HASH_SIZE_BYTES);
    bytes.writeUInt16BE(HASH_SIZE_BYTES, at);
    bytes.set(commitments.subarray(index * HASH_SIZE_BYTES, (index + 1) * HASH_SIZE_BYTES), at + 2);
  }
  return bytes;
}
