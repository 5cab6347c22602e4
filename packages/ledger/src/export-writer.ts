// SPDX-License-Identifier: Apache-2.0
// Writing an export that `verifyExport` reads: the files one after the other, for whoever stores them.
import { type Checkpoint, parseCheckpoint } from './checkpoint.ts';
import { LedgerError } from './errors.ts';
import { EXPORT_FILES, type ExportedBody, toBodyLine, toManifestText } from './export.ts';
import { parseNote } from './note.ts';
import { listTiles, type TileAddress, toTilePath } from './tile.ts';

/** One file of an export; `bodies.jsonl` comes in several parts, to be appended. */
export interface ExportPart {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** Bytes of bodies put together before they go out. */
const PART_SIZE_BYTES = 1_048_576;

/**
 * Gives the files of an export in turn. `bodies` come in the order of the log; those at or behind the
 * checkpoint's size are left out.
 *
 * @throws {LedgerError} `LEDGER_TILE_MISSING`, `LEDGER_NOTE_INVALID`, `LEDGER_CHECKPOINT_INVALID`
 */
export async function* writeExport(source: {
  /** The signed note. */
  readonly checkpoint: string;
  readonly tenant: string | undefined;
  /** Tile or bundle as it is served: the bundle's entries behind their lengths. */
  readonly readTile: (address: TileAddress) => Promise<Uint8Array | undefined>;
  readonly bodies: AsyncIterable<ExportedBody>;
}): AsyncGenerator<ExportPart> {
  const { origin, size }: Checkpoint = parseCheckpoint(parseNote(source.checkpoint).text);
  yield { path: EXPORT_FILES.checkpoint, bytes: Buffer.from(source.checkpoint) };
  for (const address of listTiles(size)) {
    const bytes = await source.readTile(address);
    const path = toTilePath(address);
    if (bytes === undefined) {
      throw new LedgerError('LEDGER_TILE_MISSING', `the log has no \`${path}\``);
    }
    yield { path, bytes };
  }
  let bodies = 0;
  let text = '';
  for await (const body of source.bodies) {
    if (body.index >= size) continue;
    bodies += 1;
    text += toBodyLine(body);
    if (text.length < PART_SIZE_BYTES) continue;
    yield { path: EXPORT_FILES.bodies, bytes: Buffer.from(text) };
    text = '';
  }
  yield { path: EXPORT_FILES.bodies, bytes: Buffer.from(text) };
  const manifest = toManifestText({ origin, size, tenant: source.tenant, bodies });
  yield { path: EXPORT_FILES.manifest, bytes: Buffer.from(manifest) };
}
