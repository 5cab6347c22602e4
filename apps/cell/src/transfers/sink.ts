// SPDX-License-Identifier: Apache-2.0
// Where the chunks of a transfer go: another cell, or files for a provider. A sink may be asked the same
// thing any number of times; what it has taken it does not take again.
import type { ChunkReceipt, TransferChunk } from '@bailiwick/contracts';
import type { DsseEnvelope } from '@bailiwick/keys';
import type { RemoteReceipt } from './courier.ts';
import type { TransferRow } from './transfer-store.ts';

/** A chunk with the hash that its entry tells. */
export interface HashedChunk {
  readonly chunk: TransferChunk;
  readonly contentHash: string;
}

/** What a sink says of a chunk: its own entry where it is a cell, its file where it is one. */
export interface SinkReceipt
  extends Pick<ChunkReceipt, 'contentHash' | 'through' | 'recordCount' | 'refusedCount'> {
  readonly part?: { readonly name: string; readonly sizeBytes: number; readonly sha256: string };
}

export interface Sink {
  open(transfer: TransferRow, manifest: DsseEnvelope): Promise<RemoteReceipt | undefined>;
  take(transfer: TransferRow, chunk: HashedChunk): Promise<SinkReceipt>;
  /** The last word: all of it has been taken, or no more will come. */
  close(transfer: TransferRow, end: DsseEnvelope): Promise<RemoteReceipt | undefined>;
}
