// SPDX-License-Identifier: Apache-2.0
// COPY into a table, for bulk. It fails on tables under row security: copy into a temporary table.
import { finished } from 'node:stream/promises';
import type { PoolClient } from 'pg';
import { from } from 'pg-copy-streams';

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
