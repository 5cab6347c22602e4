// SPDX-License-Identifier: Apache-2.0
// Signatures that the charter wants on a transfer before it runs: by keys of the place that the data would
// leave. `transfer-approved`: as many of the keys pinned in this cell as its trust asks for.
// `tenant-instructed`: a key of another of the tenant's administrators than whoever asked.
import {
  parseTransferApproval,
  TRANSFER_APPROVAL_PAYLOAD_TYPE,
  type TransferApproval,
} from '@bailiwick/contracts';
import { isCoded } from '@bailiwick/kernel';
import { type DsseEnvelope, type DssePinnedKey, parsePinnedKey, verifyDsse } from '@bailiwick/keys';
import type { PoolClient } from 'pg';
import { CellError } from '../errors.ts';
import type { CellRuntime } from '../runtime.ts';
import type { Credential } from '../services.ts';
import { listAccounts } from '../tenants/account-store.ts';
import { addTransferJob, findTransfer, type TransferRow } from './transfer-store.ts';

/** A key that has signed, and what its signature makes true. */
interface Signature {
  readonly keyId: string;
  readonly condition: string;
}

/** Takes an approval; with the last one that is missing the transfer runs. @throws {CellError} */
export async function approveTransfer(
  runtime: CellRuntime,
  credential: Credential,
  wanted: { readonly transferId: string; readonly approval: DsseEnvelope },
): Promise<void> {
  const { tenantId } = credential;
  const { transferId, approval } = wanted;
  const transfer = await findTransfer(runtime.database, { tenantId, transferId });
  if (transfer === undefined) {
    throw new CellError('TRANSFER_UNKNOWN', 'there is no such transfer of this tenant');
  }
  if (transfer.state !== 'awaiting-approval') {
    throw new CellError('TRANSFER_STATE_PASSED', 'the transfer waits for no approval');
  }
  const signatures = await findSignatures(runtime, transfer, approval);
  if (signatures.length === 0) {
    throw new CellError(
      'TRANSFER_APPROVAL_REFUSED',
      'no key that this transfer waits for has signed exactly this request',
    );
  }
  const entry = runtime.entries.prepare(tenantId, {
    kind: 'transfer',
    facts: {
      transfer: transferId,
      step: 'approved',
      request: transfer.requestHash ?? '',
      keys: signatures.map(({ keyId }) => keyId),
      conditions: [...new Set(signatures.map(({ condition }) => condition))].sort(),
    },
  });
  await runtime.database.withTenant(tenantId, async (tx) => {
    await insertApprovals(tx, { transfer, signatures, approval, entryId: entry.entryId });
    await settle(tx, transfer, runtime.config.trust.threshold);
    await runtime.entries.insertPrepared(tx, [entry]);
  });
}

/** Which of the keys that count have signed this very request. */
async function findSignatures(
  runtime: CellRuntime,
  transfer: TransferRow,
  approval: DsseEnvelope,
): Promise<readonly Signature[]> {
  const { config } = runtime;
  const signatures: Signature[] = [];
  for (const { condition, keys } of [
    { condition: 'transfer-approved', keys: config.trust.approvers.map(({ key }) => key) },
    { condition: 'tenant-instructed', keys: await listAdministratorKeys(runtime, transfer) },
  ]) {
    if (!transfer.missing.includes(condition)) continue;
    for (const pinned of keys.map(parsePinnedKey)) {
      if (isSigned(runtime, transfer, { approval, pinned })) {
        signatures.push({ keyId: pinned.keyId, condition });
      }
    }
  }
  return signatures;
}

/** Keys of the tenant's administrators but whoever asked: nobody instructs themselves. */
async function listAdministratorKeys(
  { database }: CellRuntime,
  { tenantId, credential }: TransferRow,
): Promise<readonly string[]> {
  const accounts = await listAccounts(database, tenantId);
  return accounts
    .filter(({ role, isDisabled }) => role === 'tenant-admin' && isDisabled !== true)
    .filter(({ account }) => account !== credential.account)
    .flatMap(({ publicKeys }) => publicKeys);
}

function isSigned(
  { cellId }: CellRuntime,
  transfer: TransferRow,
  { approval, pinned }: { readonly approval: DsseEnvelope; readonly pinned: DssePinnedKey },
): boolean {
  let said: TransferApproval;
  try {
    const payloadType = TRANSFER_APPROVAL_PAYLOAD_TYPE;
    const { payload } = verifyDsse(approval, { payloadType, keys: [pinned] });
    said = parseTransferApproval(payload);
  } catch (error) {
    const isBad = ['KEYS_DSSE_UNTRUSTED', 'KEYS_DSSE_MALFORMED', 'CONTRACT_VALUE_INVALID'];
    if (isBad.some((code) => isCoded(error, code))) return false;
    throw error;
  }
  // SECURITY: one cell, one tenant, one transfer, one request; nothing signed for another passes here.
  return (
    said.cell === cellId &&
    said.tenantId === transfer.tenantId &&
    said.transferId === transfer.transferId &&
    said.requestHash === transfer.requestHash
  );
}

async function insertApprovals(
  tx: PoolClient,
  options: {
    readonly transfer: TransferRow;
    readonly signatures: readonly Signature[];
    readonly approval: DsseEnvelope;
    readonly entryId: string;
  },
): Promise<void> {
  const { transfer, signatures, approval, entryId } = options;
  for (const { keyId, condition } of signatures) {
    await tx.query(
      `INSERT INTO cell.transfer_approvals
         (tenant_id, transfer_id, key_id, condition, envelope, entry_id)
       VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
      [transfer.tenantId, transfer.transferId, keyId, condition, JSON.stringify(approval), entryId],
    );
  }
}

/** What has enough signatures is true from now on; with nothing missing any more the transfer may run. */
async function settle(tx: PoolClient, transfer: TransferRow, threshold: number): Promise<void> {
  const { transferId, missing, conditions } = transfer;
  // The row is held: two approvals at once count each other.
  await tx.query('SELECT 1 FROM cell.transfers WHERE transfer_id = $1 FOR UPDATE', [transferId]);
  const { rows } = await tx.query<{ readonly condition: string; readonly count: number }>(
    `SELECT condition, count(*)::integer AS count FROM cell.transfer_approvals
      WHERE transfer_id = $1 GROUP BY condition`,
    [transferId],
  );
  const needed = (condition: string): number => (condition === 'transfer-approved' ? threshold : 1);
  const settled = missing.filter((condition) =>
    rows.some((row) => row.condition === condition && row.count >= needed(condition)),
  );
  const left = missing.filter((condition) => !settled.includes(condition));
  const { rowCount } = await tx.query(
    `UPDATE cell.transfers SET conditions = $2, missing = $3, updated_at = now(),
            state = CASE WHEN $4 THEN 'accepted' ELSE state END
      WHERE transfer_id = $1 AND state = 'awaiting-approval'`,
    [transferId, [...new Set([...conditions, ...settled])].sort(), left, left.length === 0],
  );
  if (rowCount === 1 && left.length === 0) await addTransferJob(tx, transfer);
}
