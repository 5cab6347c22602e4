// SPDX-License-Identifier: Apache-2.0
// Stops a transfer for good, at once: the next chunk is not entered, so it does not leave. What has left
// lawfully stays where it is; the other cell is told that no more will come.
import { CellError } from '../errors.ts';
import type { CellRuntime } from '../runtime.ts';
import type { Credential } from '../services.ts';
import { addTransferJob, findTransfer, takeStep } from './transfer-store.ts';

/** Who may stop what somebody else has asked for. */
const STOPPING: readonly string[] = ['privacy-officer', 'tenant-admin', 'security-officer'];
const OPEN = ['awaiting-approval', 'accepted', 'running', 'prepared'] as const;

/** @throws {CellError} `TRANSFER_UNKNOWN`, `TRANSFER_STATE_PASSED`, `CELL_ROLE_FORBIDDEN` */
export async function stopTransfer(
  runtime: CellRuntime,
  credential: Credential,
  transferId: string,
): Promise<void> {
  const { tenantId, account, kind, role, employer, assurance, place } = credential;
  const transfer = await findTransfer(runtime.database, { tenantId, transferId });
  if (transfer === undefined) {
    throw new CellError('TRANSFER_UNKNOWN', 'there is no such transfer of this tenant');
  }
  if (account !== transfer.credential.account && !STOPPING.includes(role)) {
    const who = `only whoever asked and ${STOPPING.join(', ')} may stop a transfer`;
    throw new CellError('CELL_ROLE_FORBIDDEN', who);
  }
  if (transfer.state === 'stopped') return;
  const entry = runtime.entries.prepare(tenantId, {
    kind: 'transfer',
    actor: { account, kind, role, employer, assurance, place },
    facts: { transfer: transferId, step: 'stopped', chunks: transfer.chunkCount },
  });
  const isStopped = await runtime.database.withTenant(tenantId, async (tx) => {
    for (const from of OPEN) {
      if (!(await takeStep(tx, transferId, { from, to: 'stopped', receipt: entry }))) continue;
      await runtime.entries.insertPrepared(tx, [entry]);
      // The job tells the other cell.
      await addTransferJob(tx, { tenantId, transferId });
      return true;
    }
    return false;
  });
  if (!isStopped) throw new CellError('TRANSFER_STATE_PASSED', 'the transfer is over already');
}
