// SPDX-License-Identifier: Apache-2.0
// The receiving side of a copy, last step: both cells must have counted the same.
import { parseTransferManifest } from '@bailiwick/contracts';
import { parseEntryId } from '@bailiwick/kernel';
import type { CellRuntime } from '../runtime.ts';
import { findArrival, lockArrival, endArrival as writeEnd } from './arrival-store.ts';
import { toArrivalFacts } from './take-manifest.ts';
import { type ArrivalCall, refuse, verifyEnd } from './verify-arrival.ts';

const CHECKPOINT_MS_MAX = 10_000;

/** @throws {CellError} `DELIVERY_REFUSED` */
export async function endArrival(
  runtime: CellRuntime,
  call: ArrivalCall,
): Promise<{ readonly entryId: string; readonly leafHash: string }> {
  const { statement } = verifyEnd(runtime, call);
  const arrival = await findArrival(runtime.database, call);
  if (arrival === undefined || arrival.from !== call.from) return refuse('nothing was announced');
  const { outcome, chunkCount, recordCount, digest } = statement;
  const state = outcome === 'completed' ? 'completed' : 'ended';
  const isSame = arrival.digest === digest && arrival.chunkCount === chunkCount;
  if (outcome === 'completed' && (!isSame || arrival.recordCount !== recordCount)) {
    return refuse('the two cells have counted differently');
  }
  const { tenantId, transferId } = call;
  const { payload } = JSON.parse(arrival.manifest) as { readonly payload: string };
  const entry = runtime.entries.prepare(tenantId, {
    kind: 'delivery',
    facts: {
      ...toArrivalFacts(parseTransferManifest(Buffer.from(payload, 'base64'))),
      step: state,
      chunks: arrival.chunkCount,
      records: arrival.recordCount,
      digest: arrival.digest,
      agreed: isSame,
    },
  });
  const receipt = await runtime.database.withTenant(tenantId, async (tx) => {
    const now = await lockArrival(tx, { transferId });
    if (now?.endEntryId !== undefined && now.endLeafHash !== undefined) {
      if (now.state !== state) return refuse('the transfer has ended otherwise');
      return { entryId: now.endEntryId, leafHash: now.endLeafHash };
    }
    if (now?.chunkCount !== arrival.chunkCount) return refuse('a chunk is still coming in');
    const { entryId, leafHash } = entry;
    await writeEnd(tx, { transferId }, { state, entryId, leafHash });
    await runtime.entries.insertPrepared(tx, [entry]);
    return { entryId, leafHash };
  });
  await runtime.entries.awaitCheckpoint(parseEntryId(receipt.entryId), {
    timeoutMs: CHECKPOINT_MS_MAX,
  });
  return receipt;
}
