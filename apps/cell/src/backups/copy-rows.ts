// SPDX-License-Identifier: Apache-2.0
// Counts the rows of PostgreSQL's binary COPY format as bytes pass by: header of 19 bytes and what its
// extension says, then for each row a count of fields and each field behind its length, then -1.
// Source: PostgreSQL documentation, COPY, "Binary Format".
import { BackupsError } from '@bailiwick/backups';

const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1');
const HEADER_SIZE_BYTES = SIGNATURE.length + 8;

function refuse(problem: string): never {
  throw new BackupsError('BACKUPS_OBJECT_DAMAGED', problem);
}

/** Reads to the end and gives how many rows there were. @throws {BackupsError} `BACKUPS_OBJECT_DAMAGED` */
export async function countRows(source: AsyncIterable<Uint8Array>): Promise<number> {
  let rows = 0;
  /** Bytes to pass over before the next number. */
  let skip = 0;
  let fields = 0;
  let rest: Buffer = Buffer.alloc(0);
  let isStarted = false;
  let isEnded = false;
  for await (const chunk of source) {
    const bytes = rest.length > 0 ? Buffer.concat([rest, chunk]) : Buffer.from(chunk);
    let at = 0;
    for (;;) {
      const step = Math.min(skip, bytes.length - at);
      at += step;
      skip -= step;
      if (skip > 0) break;
      if (!isStarted) {
        if (bytes.length - at < HEADER_SIZE_BYTES) break;
        if (!bytes.subarray(at, at + SIGNATURE.length).equals(SIGNATURE)) refuse('not a COPY');
        skip = bytes.readUInt32BE(at + HEADER_SIZE_BYTES - 4);
        at += HEADER_SIZE_BYTES;
        isStarted = true;
      } else if (fields > 0) {
        if (bytes.length - at < 4) break;
        skip = Math.max(0, bytes.readInt32BE(at));
        at += 4;
        fields -= 1;
      } else {
        if (bytes.length - at < 2) break;
        if (isEnded) refuse('bytes behind the end of a COPY');
        fields = bytes.readInt16BE(at);
        at += 2;
        if (fields < 0) isEnded = true;
        else rows += 1;
      }
    }
    rest = bytes.subarray(at);
  }
  if (!isEnded || rest.length > 0 || skip > 0) refuse('a COPY is cut short');
  return rows;
}
