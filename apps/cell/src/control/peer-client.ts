// SPDX-License-Identifier: Apache-2.0
// Calls to the control plane and to other cells: mTLS, one expected SPIFFE id, bounded answers, bounded
// waits. Only ids, hashes, counters and signed aggregates go this way (invariant 6).
import { createMtlsConnector, type Identity } from '@bailiwick/pki';
import { Pool } from 'undici';
import { CellError } from '../errors.ts';

export interface PeerCall {
  readonly method: 'GET' | 'PUT' | 'POST';
  readonly path: string;
  readonly body?: unknown;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface PeerAnswer {
  readonly status: number;
  readonly body: Buffer;
}

export interface PeerClient {
  /** @throws {CellError} `PEER_UNREACHABLE` */
  call(call: PeerCall): Promise<PeerAnswer>;
  close(): Promise<void>;
}

const ANSWER_SIZE_BYTES_MAX = 16_777_216;

/** Opens a client to the one peer that has this SPIFFE id. */
export function openPeerClient(
  identity: Identity,
  peer: { readonly url: string; readonly spiffeId: string },
): PeerClient {
  const pool = new Pool(new URL(peer.url).origin, {
    connections: 4,
    pipelining: 1,
    connect: createMtlsConnector(identity, { expect: peer.spiffeId }),
  });
  return {
    async call({ method, path, body, timeoutMs, signal, headers }) {
      const timeout = AbortSignal.timeout(timeoutMs);
      try {
        const response = await pool.request({
          method,
          path,
          headersTimeout: timeoutMs,
          bodyTimeout: timeoutMs,
          signal: signal === undefined ? timeout : AbortSignal.any([timeout, signal]),
          headers: {
            accept: 'application/json',
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
            ...headers,
          },
          body: body === undefined ? null : JSON.stringify(body),
        });
        return { status: response.statusCode, body: await readBody(response.body) };
      } catch (cause) {
        throw new CellError('PEER_UNREACHABLE', 'the peer does not answer', { cause });
      }
    },
    close: () => pool.destroy(),
  };
}

async function readBody(body: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of body) {
    sizeBytes += chunk.length;
    if (sizeBytes > ANSWER_SIZE_BYTES_MAX) {
      throw new CellError('PEER_UNREACHABLE', 'the answer is larger than expected');
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, sizeBytes);
}
