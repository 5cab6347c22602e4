// SPDX-License-Identifier: Apache-2.0
// Puts on record what an evidence pack is made from: how far the log goes, how many entries of the tenant it
// has below that and their hash, the charter in force, the receipts. From then on the cell cannot say
// otherwise: the statement is an entry under the signed, cosigned root.
import { createHash } from 'node:crypto';
import type { EvidenceAnswer } from '@bailiwick/contracts';
import {
  EVIDENCE_FORMAT,
  EVIDENCE_OBSERVED,
  sha256,
  toReceiptsText,
  toStatementText,
} from '@bailiwick/evidence';
import { LedgerError, toBodyLine } from '@bailiwick/ledger';
import { CellError } from '../errors.ts';
import { toActor } from '../keys/change-key.ts';
import type { CellLedger } from '../ledger/cell-ledger.ts';
import { streamBodies } from '../ledger/entry-store.ts';
import type { CellRuntime } from '../runtime.ts';
import type { Credential } from '../services.ts';
import { listReceipts } from './receipt-store.ts';

const CHECKPOINT_TIMEOUT_MS = 5_000;
const ROLES: readonly string[] = ['privacy-officer', 'security-officer', 'tenant-admin', 'auditor'];

/** @throws {CellError} `CELL_ROLE_FORBIDDEN`; {LedgerError} `LEDGER_CHECKPOINT_LATE` */
export async function stateEvidence(
  { runtime, ledger }: { readonly runtime: CellRuntime; readonly ledger: CellLedger },
  options: { readonly credential: Credential; readonly requestId: string },
): Promise<EvidenceAnswer> {
  const { credential, requestId } = options;
  const { tenantId } = credential;
  if (!ROLES.includes(credential.role)) {
    throw new CellError('CELL_ROLE_FORBIDDEN', `only ${ROLES.join(', ')} may take evidence`);
  }
  const { bundle, charter, serial } = runtime.law.current();
  const checkpoint = await ledger.store.readCheckpoint(ledger.epoch);
  if (checkpoint === undefined) {
    throw new LedgerError('LEDGER_CHECKPOINT_LATE', 'the log has no signed checkpoint yet');
  }
  const { size } = checkpoint;
  const receipts = await listReceipts(runtime.database, tenantId);
  const receiptsText = toReceiptsText(receipts);
  const { location, operator } = runtime.config;
  const statement = toStatementText({
    format: EVIDENCE_FORMAT,
    tenant: tenantId,
    cell: runtime.cellId,
    origin: ledger.origin,
    size,
    bodies: await digestBodies(runtime, ledger, { credential, size }),
    charter: { hash: charter.hash, serial, sha256: sha256(bundle.charter.text) },
    receipts: { count: receipts.length, sha256: sha256(receiptsText) },
    place: { location: location.jurisdiction, operator: operator.jurisdiction },
  });
  const { entryId } = await runtime.entries.record(tenantId, {
    kind: 'observation',
    actor: toActor(credential),
    facts: { observed: EVIDENCE_OBSERVED, statement: sha256(statement) },
    request: requestId,
  });
  await runtime.entries.awaitCheckpoint(entryId, { timeoutMs: CHECKPOINT_TIMEOUT_MS });
  return { statement, entry: entryId, charter: bundle.charter.text, receipts: receiptsText };
}

/** Count and hash of the tenant's bodies below a size, as an export writes their lines. */
async function digestBodies(
  { database }: CellRuntime,
  { epoch }: CellLedger,
  { credential, size }: { readonly credential: Credential; readonly size: number },
): Promise<{ readonly count: number; readonly sha256: string }> {
  const digest = createHash('sha256');
  let count = 0;
  const { tenantId } = credential;
  for await (const body of streamBodies(database, { tenantId, epoch, size })) {
    digest.update(toBodyLine(body));
    count += 1;
  }
  return { count, sha256: digest.digest('hex') };
}
