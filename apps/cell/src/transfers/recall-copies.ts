// SPDX-License-Identifier: Apache-2.0
// Asks other cells to erase their copies of a person who is erased here. The asking is written with the
// erasure itself, and goes on until each cell has answered with its entry; a transfer that still runs ends
// first, so that nothing comes after the asking.
import type { SubjectId, TenantId } from '@bailiwick/kernel';
import { createPseudonymiser } from '@bailiwick/keys';
import type { PoolClient } from 'pg';
import type { CellRuntime } from '../runtime.ts';
import { type Courier, toReceipt } from './courier.ts';
import { addTransferJob, type TransferRow } from './transfer-store.ts';

/** Notes, in the erasure's own transaction, which copies must go, and has their transfers run again. */
export async function queueRecalls(
  tx: PoolClient,
  { tenantId, subjectId }: { readonly tenantId: TenantId; readonly subjectId: SubjectId },
): Promise<void> {
  const { rows } = await tx.query<{ readonly transfer_id: string }>(
    `INSERT INTO cell.copy_recalls (tenant_id, transfer_id, subject_id)
     SELECT p.tenant_id, p.transfer_id, p.subject_id FROM cell.transfer_people p
       JOIN cell.transfers t ON t.tenant_id = p.tenant_id AND t.transfer_id = p.transfer_id
      WHERE p.tenant_id = $1 AND p.subject_id = $2 AND t.kind = 'copy'
     ON CONFLICT DO NOTHING RETURNING transfer_id`,
    [tenantId, subjectId],
  );
  for (const row of rows) await addTransferJob(tx, { tenantId, transferId: row.transfer_id });
}

/** Sends what is still to be asked back of a transfer that is over. */
export async function sendRecalls(
  { runtime, courier }: { readonly runtime: CellRuntime; readonly courier: Courier },
  transfer: TransferRow,
): Promise<void> {
  const { tenantId, transferId, request } = transfer;
  const open = await runtime.database.withTenant(tenantId, async (tx) => {
    const { rows } = await tx.query<{ readonly subject_id: string; readonly recall_id: string }>(
      'SELECT subject_id, recall_id FROM cell.copy_recalls WHERE transfer_id = $1 AND done_at IS NULL',
      [transferId],
    );
    return rows;
  });
  if (open.length === 0) return;
  const { idKey } = await runtime.keys.secrets(tenantId);
  const pseudonyms =
    request.form === 'pseudonymised' ? createPseudonymiser(idKey, transferId) : undefined;
  for (const { subject_id: own, recall_id: recallId } of open) {
    const subject = pseudonyms === undefined ? own : pseudonyms.id('subject', own);
    const path = `/internal/v1/tenants/${tenantId}/arrivals/${transferId}/recalls/${recallId}`;
    const cell = request.destination.id ?? '';
    const receipt = toReceipt(await courier.send(cell, { path, body: { subject } }));
    const entry = runtime.entries.prepare(tenantId, {
      kind: 'erasure',
      facts: {
        ...{ transfer: transferId, step: 'copy-erased', recall: recallId, cell },
        ...{ remoteEntry: receipt.entryId, remoteLeaf: receipt.leafHash },
      },
    });
    await runtime.database.withTenant(tenantId, async (tx) => {
      const { rowCount } = await tx.query(
        `UPDATE cell.copy_recalls SET done_at = now(), remote_entry_id = $2, remote_leaf_hash = $3
          WHERE recall_id = $1 AND done_at IS NULL`,
        [recallId, receipt.entryId, receipt.leafHash],
      );
      if (rowCount === 1) await runtime.entries.insertPrepared(tx, [entry]);
    });
  }
}
