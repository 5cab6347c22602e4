// SPDX-License-Identifier: Apache-2.0
// Tiles in flat files: one for each level of an epoch, a hash at the place of its number. What stands at a place
// follows from the journal alone, so two that write the same place write the same bytes; and all of it can be
// written again.
import type { FileHandle } from 'node:fs/promises';
import { mkdir, open } from 'node:fs/promises';
import path from 'node:path';
import {
  HASH_SIZE_BYTES,
  LedgerError,
  type LogEdge,
  type LogHead,
  listEdgeTiles,
  TILE_WIDTH,
  type TileAddress,
  type TileWrite,
  toLogEdge,
} from '@bailiwick/ledger';

const TILE_SIZE_BYTES = TILE_WIDTH * HASH_SIZE_BYTES;

/** The tiles of one epoch. */
export class Tiles {
  readonly #folder: string;
  readonly #files = new Map<TileAddress['level'], Promise<FileHandle>>();

  constructor(directory: string, epoch: number) {
    this.#folder = path.join(directory, 'tiles', String(epoch));
  }

  async #open(level: TileAddress['level']): Promise<FileHandle> {
    const found = this.#files.get(level);
    if (found !== undefined) return found;
    const opened = mkdir(this.#folder, { recursive: true, mode: 0o700 }).then(() =>
      // Made when absent, never cut: `a+` would write at the end only.
      open(path.join(this.#folder, String(level)), 'r+').catch(() =>
        open(path.join(this.#folder, String(level)), 'w+', 0o600),
      ),
    );
    this.#files.set(level, opened);
    return opened;
  }

  async write(tiles: readonly TileWrite[]): Promise<void> {
    for (const { level, index, bytes } of tiles) {
      const handle = await this.#open(level);
      await handle.write(bytes, 0, bytes.length, index * TILE_SIZE_BYTES);
    }
  }

  async read({ level, index, width }: TileAddress): Promise<Uint8Array | undefined> {
    const handle = await this.#open(level);
    const bytes = Buffer.alloc(width * HASH_SIZE_BYTES);
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, index * TILE_SIZE_BYTES);
    return bytesRead === bytes.length ? bytes : undefined;
  }

  /** The edge of a log, held against its root. @throws {LedgerError} `LEDGER_HEAD_INVALID` */
  async readEdge(head: LogHead): Promise<LogEdge> {
    const tiles: TileWrite[] = [];
    for (const address of listEdgeTiles(head.size)) {
      const bytes = await this.read(address);
      if (bytes === undefined) throw new LedgerError('LEDGER_HEAD_INVALID', 'a tile is absent');
      tiles.push({ level: address.level, index: address.index, bytes });
    }
    return toLogEdge(head, tiles);
  }

  async sync(): Promise<void> {
    for (const opened of [...this.#files.values()]) await (await opened).datasync();
  }

  async close(): Promise<void> {
    const opened = [...this.#files.values()];
    this.#files.clear();
    for (const handle of opened) await (await handle).close();
  }
}
