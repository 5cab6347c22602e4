// SPDX-License-Identifier: Apache-2.0
// Chunks as files of lines for a provider to fetch: `<directory>/<provider>/<transfer>/part-000001.ndjson`,
// and a manifest that the cell has signed, which names each part with its SHA-256. Parts without a manifest
// are not an export yet: whoever fetches waits for `manifest.json`. Names hold ids and numbers only.
import { createHash } from 'node:crypto';
import { mkdir, open, rename, stat } from 'node:fs/promises';
import path from 'node:path';
import type { TransferChunk } from '@bailiwick/contracts';
import { CellError } from '../errors.ts';
import type { Sink } from './sink.ts';
import type { TransferRow } from './transfer-store.ts';

const PROVIDER = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/;

/** Makes a sink that writes below a directory which must exist. */
export function createFileSink(directory: string): Sink {
  const folderOf = ({ request, transferId }: TransferRow): string => {
    const { id = '' } = request.destination;
    // SECURITY: the charter knows the provider; a name with a path in it is none of its names.
    if (!PROVIDER.test(id)) throw new CellError('TRANSFER_INVALID', 'no provider of the charter');
    return path.join(directory, id, transferId);
  };
  return {
    async open(transfer) {
      await assertDirectory(directory);
      await mkdir(folderOf(transfer), { recursive: true, mode: 0o750 });
      return undefined;
    },
    async take(transfer, { chunk, contentHash }) {
      const name = `part-${String(chunk.chunk).padStart(6, '0')}.ndjson`;
      const text = toLines(chunk);
      // A part that is there already was never named by a manifest: it is replaced whole.
      await writeWhole(path.join(folderOf(transfer), name), text);
      return {
        contentHash,
        through: chunk.through,
        recordCount: chunk.records.length,
        refusedCount: 0,
        part: { name, sizeBytes: Buffer.byteLength(text), sha256: hashPart(text) },
      };
    },
    async close(transfer, end) {
      const text = `${JSON.stringify(end, null, 2)}\n`;
      await writeWhole(path.join(folderOf(transfer), 'manifest.json'), text);
      return undefined;
    },
  };
}

/** One record a line: what a provider gets of it. */
export function toLines({ records }: TransferChunk): string {
  return records
    .map(({ id, subject, origin, lawDate, fields }) =>
      JSON.stringify({
        id,
        ...(subject === undefined ? {} : { subject }),
        origin,
        lawDate,
        fields,
      }),
    )
    .map((line) => `${line}\n`)
    .join('');
}

/** SHA-256 of a part as it lies there, lower-case hex. */
const hashPart = (text: string): string => createHash('sha256').update(text).digest('hex');

async function assertDirectory(directory: string): Promise<void> {
  const found = await stat(directory).catch(() => undefined);
  if (found?.isDirectory() === true) return;
  throw new CellError('CELL_STATE_MISSING', 'the directory of exports does not exist');
}

/** All of a file or nothing, on the disk when it returns. */
async function writeWhole(file: string, text: string): Promise<void> {
  const temporary = `${file}.partial`;
  const handle = await open(temporary, 'w', 0o640);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, file);
  const folder = await open(path.dirname(file), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
