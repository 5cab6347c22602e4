// SPDX-License-Identifier: Apache-2.0
// COPY into a table, for bulk. It fails on tables under row security: copy into a temporary table.
import { Readable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import type { ClientBase, PoolClient } from 'pg';
import { from, to } from 'pg-copy-streams';

/** Runs `COPY … FROM STDIN` in the caller's transaction with these bytes, in the statement's format. */
export async function copyInto(
  tx: PoolClient,
  statement: string,
  bytes: Uint8Array,
): Promise<void> {
  const stream = tx.query(from(statement));
  stream.end(bytes);
  await finished(stream);
}

/** What `copyOut` gives: the bytes as they come, and how many rows they were once all have come. */
export interface CopyOut extends AsyncIterable<Buffer> {
  readonly rowsCount: number;
}

/** Runs `COPY … TO STDOUT`; read it to its end before the connection is used again. */
export function copyOut(client: ClientBase, statement: string): CopyOut {
  const stream = client.query(to(statement));
  return {
    [Symbol.asyncIterator]: () => stream[Symbol.asyncIterator](),
    get rowsCount() {
      return stream.rowCount ?? 0;
    },
  };
}

/** Runs `COPY … FROM STDIN` with bytes as they come; gives how many rows they were. */
export async function copyIn(
  client: ClientBase,
  statement: string,
  source: AsyncIterable<Uint8Array>,
): Promise<number> {
  const stream = client.query(from(statement));
  await pipeline(Readable.from(source, { objectMode: false }), stream);
  return stream.rowCount ?? 0;
}
