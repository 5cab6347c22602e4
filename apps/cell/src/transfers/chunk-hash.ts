// SPDX-License-Identifier: Apache-2.0
// What both cells write of a chunk. The salt goes with the chunk and is kept nowhere: a hash of few values
// would otherwise be an answer to a guess. The chain over the hashes is how both ledgers agree.
import { createHash } from 'node:crypto';
import type { TransferChunk } from '@bailiwick/contracts';

const CONTENT_DOMAIN = 'bailiwick/transfer-chunk/v1\0';
const CHAIN_DOMAIN = 'bailiwick/transfer-chain/v1\0';

/** The chain before the first chunk. */
export function firstDigest(transferId: string): string {
  return createHash('sha256').update(`${CHAIN_DOMAIN}${transferId}`).digest('hex');
}

export function hashChunk(chunk: TransferChunk): string {
  return createHash('sha256').update(CONTENT_DOMAIN).update(JSON.stringify(chunk)).digest('hex');
}

/** The chain after one chunk more. */
export function nextDigest(digest: string, contentHash: string): string {
  return createHash('sha256').update(`${CHAIN_DOMAIN}${digest}${contentHash}`).digest('hex');
}
