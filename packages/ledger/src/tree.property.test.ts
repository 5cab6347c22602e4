// SPDX-License-Identifier: Apache-2.0
// Goal: however a log grows, its tiles and root are the same, and every path and proof has one form.
import { hash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toSlowRoot } from './a-log.ts';
import { EMPTY_ROOT, toLeafHash } from './hash.ts';
import { parseEntryBundle, parseTilePath, type TileAddress, toTilePath } from './tile.ts';
import {
  EMPTY_EDGE,
  extendLog,
  type LogHead,
  listEdgeTiles,
  type TileWrite,
  toEntryBundle,
  toLogEdge,
} from './tree.ts';

const commitments = (count: number): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, n) => hash('sha256', String(n), 'buffer')));
const EMPTY_HEAD: LogHead = { epoch: 1, size: 0, root: EMPTY_ROOT };

function grow(parts: readonly number[]): { head: LogHead; tiles: Map<string, string> } {
  const all = commitments(parts.reduce((sum, count) => sum + count, 0));
  const tiles = new Map<string, TileWrite>();
  let head = EMPTY_HEAD;
  let edge = EMPTY_EDGE;
  for (const count of parts) {
    const part = all.subarray(head.size * 32, (head.size + count) * 32);
    const extension = extendLog(head, edge, part);
    for (const tile of extension.tiles) tiles.set(`${tile.level}/${tile.index}`, tile);
    ({ head, edge } = extension);
    // What a process that has just started reads back from the store is the same edge.
    const stored = listEdgeTiles(head.size).map(({ level, index }) =>
      tiles.get(`${level}/${index}`),
    );
    const again = toLogEdge(
      head,
      stored.filter((tile) => tile !== undefined),
    );
    expect(Buffer.compare(again.bundle, edge.bundle)).toBe(0);
    const trimmed = edge.levels.map((bytes) => bytes.length);
    while (trimmed.at(-1) === 0) trimmed.pop();
    expect(again.levels.map((bytes) => bytes.length)).toEqual(trimmed);
  }
  const texts = [...tiles].map(
    ([key, { bytes }]) => [key, Buffer.from(bytes).toString('hex')] as const,
  );
  return { head, tiles: new Map(texts.sort()) };
}

describe('a growing log', () => {
  it('has the same tiles and root in whatever parts it grows', () => {
    const parts = fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(parts, (counts) => {
        const total = counts.reduce((sum, count) => sum + count, 0);
        const [piecewise, atOnce] = [grow(counts), grow([total])];
        expect(piecewise.tiles).toEqual(atOnce.tiles);
        expect(piecewise.head).toEqual(atOnce.head);
        const all = commitments(total);
        const leaves = Array.from({ length: total }, (_, n) =>
          toLeafHash(all.subarray(n * 32, n * 32 + 32)),
        );
        expect(Buffer.from(toSlowRoot(leaves)).equals(Buffer.from(piecewise.head.root))).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it('does not put an edge together from tiles that are not its own', () => {
    const { head, tiles } = grow([700]);
    const edge = listEdgeTiles(head.size).map(({ level, index }): TileWrite => {
      return { level, index, bytes: Buffer.from(tiles.get(`${level}/${index}`) ?? '', 'hex') };
    });
    expect(() => toLogEdge(head, edge)).not.toThrow();
    const flips = fc.record({ tile: fc.integer({ min: 1, max: edge.length - 1 }), at: fc.nat() });
    fc.assert(
      fc.property(flips, ({ tile, at }) => {
        const changed = edge.map((one, number) => {
          if (number !== tile) return one;
          const bytes = Buffer.from(one.bytes);
          bytes[at % bytes.length] = (bytes[at % bytes.length] ?? 0) ^ 1;
          return { ...one, bytes };
        });
        expect(() => toLogEdge(head, changed)).toThrow(
          expect.objectContaining({ code: 'LEDGER_HEAD_INVALID' }),
        );
      }),
    );
    expect(() => toLogEdge(head, edge.slice(1))).toThrow(
      expect.objectContaining({ code: 'LEDGER_HEAD_INVALID' }),
    );
  });
});

describe('the path of a tile', () => {
  const address: fc.Arbitrary<TileAddress> = fc.record({
    level: fc.oneof(fc.constant('entries' as const), fc.integer({ min: 0, max: 63 })),
    index: fc.maxSafeInteger().map((value) => Math.abs(value)),
    width: fc.integer({ min: 1, max: 256 }),
  });

  it('has one form', () => {
    fc.assert(
      fc.property(address, (one) => {
        expect(parseTilePath(toTilePath(one))).toEqual(one);
      }),
    );
    expect(toTilePath({ level: 0, index: 1_234_067, width: 256 })).toBe('tile/0/x001/x234/067');
  });

  it.each([
    '',
    'tile/0/1',
    'tile/00/001',
    'tile/64/001',
    'tile/-1/001',
    'tile/0/x000/001',
    'tile/0/001/002',
    'tile/0/x001',
    'tile/0/001.p/0',
    'tile/0/001.p/256',
    'tile/0/001.p/01',
    'tile/0/001.p/',
    'tile/0/001/',
    'Tile/0/001',
    'tile/data/001',
    'tile/0/../001',
    '/tile/0/001',
  ])('is not `%s`', (path) => {
    expect(() => parseTilePath(path)).toThrow(
      expect.objectContaining({ code: 'LEDGER_TILE_INVALID' }),
    );
  });
});

describe('an entry bundle', () => {
  it('comes back as it was made, and not when it is cut', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 256 }), fc.nat(), (count, cut) => {
        const all = commitments(count);
        const bundle = toEntryBundle(all);
        expect(Buffer.concat(parseEntryBundle(bundle)).equals(all)).toBe(true);
        const end = cut % bundle.length;
        if (end % 34 === 0) return;
        expect(() => parseEntryBundle(bundle.subarray(0, end))).toThrow(
          expect.objectContaining({ code: 'LEDGER_TILE_INVALID' }),
        );
      }),
      { numRuns: 50 },
    );
    expect(() => parseEntryBundle(toEntryBundle(commitments(257)))).toThrow(
      expect.objectContaining({ code: 'LEDGER_TILE_INVALID' }),
    );
  });
});
