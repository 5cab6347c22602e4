// SPDX-License-Identifier: Apache-2.0
// One entry's proof as a file (c2sp.org/tlog-proof), under the cosigned checkpoint where it covers the entry.
import type { EntryId, TenantId } from '@bailiwick/kernel';
import { LedgerError, toTlogProofText } from '@bailiwick/ledger';
import { findEntries } from './entry-store.ts';
import type { ProofPorts } from './prove-entries.ts';

/** A checkpoint with cosignatures. */
export interface CosignedHead {
  readonly size: number;
  readonly note: string;
}

/** @throws {LedgerError} `LEDGER_ENTRY_UNKNOWN`, `LEDGER_CHECKPOINT_LATE` */
export async function proveEntryFile(
  { database, ledger }: ProofPorts,
  options: {
    readonly tenantId: TenantId;
    readonly entryId: EntryId;
    readonly cosigned: CosignedHead | undefined;
  },
): Promise<string> {
  const { tenantId, entryId, cosigned } = options;
  const { epoch } = ledger;
  const [entry] = await database.withTenant(tenantId, (tx) =>
    findEntries(tx, { epoch, entryIds: [entryId] }),
  );
  if (entry === undefined) {
    throw new LedgerError('LEDGER_ENTRY_UNKNOWN', 'the tenant has no such entry');
  }
  const { index } = entry;
  const isCovered = (head: CosignedHead | undefined): head is CosignedHead =>
    head !== undefined && index !== undefined && index < head.size;
  const head = isCovered(cosigned) ? cosigned : await ledger.store.readCheckpoint(epoch);
  if (index === undefined || !isCovered(head)) {
    throw new LedgerError('LEDGER_CHECKPOINT_LATE', 'no signed checkpoint covers the entry yet');
  }
  const hashes = await ledger.prover.proveInclusion({ index, size: head.size });
  return toTlogProofText({ index, hashes, checkpoint: head.note });
}
