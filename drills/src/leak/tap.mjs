// SPDX-License-Identifier: Apache-2.0
// Loaded into the processes of a drill with `--import`: writes down what each of them hands to a socket, before
// TLS encrypts it, with the ports of both ends. This is a capture at the processes' sockets and not on a wire:
// what a process sent past Node's sockets would not be seen.
import { appendFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { threadId } from 'node:worker_threads';

const directory = process.env.BAILIWICK_DRILL_TAP;
if (directory !== undefined) {
  const file = path.join(directory, `${process.pid}-${threadId}.jsonl`);
  const original = net.Socket.prototype._writeGeneric;
  net.Socket.prototype._writeGeneric = function (isMany, data, encoding, done) {
    // While it connects, the same call comes again once it has.
    if (!this.connecting) {
      const chunks = isMany ? data : [{ chunk: data, encoding }];
      const bytes = Buffer.concat(
        chunks.map((one) =>
          typeof one.chunk === 'string'
            ? Buffer.from(one.chunk, one.encoding)
            : Buffer.from(one.chunk),
        ),
      );
      const line = {
        local: this.localPort ?? 0,
        remote: this.remotePort ?? 0,
        tls: this.encrypted === true,
        bytes: bytes.toString('base64'),
      };
      appendFileSync(file, `${JSON.stringify(line)}\n`);
    }
    return original.call(this, isMany, data, encoding, done);
  };
}
