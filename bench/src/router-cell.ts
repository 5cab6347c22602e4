// SPDX-License-Identifier: Apache-2.0
// The cell's side of the router benchmark, a process of its own: `router-cell.ts <certFile> <keyFile>`.
// Answers each request with 1 KB of JSON; `/bulk` streams 64 MB. Prints its port, ends with its parent.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import process from 'node:process';

const [certFile = '', keyFile = ''] = process.argv.slice(2);
const body = Buffer.from(JSON.stringify({ items: 'x'.repeat(1010) }));
const chunk = Buffer.alloc(65_536, 'x');
const BULK_CHUNKS = 1024;

const server = createServer(
  {
    cert: readFileSync(certFile),
    key: readFileSync(keyFile),
    minVersion: 'TLSv1.3',
    keepAliveTimeout: 120_000,
  },
  (request, response) => {
    request.resume();
    if (request.url !== '/bulk') {
      response.writeHead(200, { 'content-length': body.length });
      response.end(body);
      return;
    }
    response.writeHead(200, { 'content-length': chunk.length * BULK_CHUNKS });
    let left = BULK_CHUNKS;
    const push = (): void => {
      while (left > 0) {
        left -= 1;
        if (!response.write(chunk)) {
          response.once('drain', push);
          return;
        }
      }
      response.end();
    };
    push();
  },
);
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  process.stdout.write(`${JSON.stringify({ ready: true, port })}\n`);
});
process.stdin.on('end', () => process.exit(0)).resume();
