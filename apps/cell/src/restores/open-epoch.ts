// SPDX-License-Identifier: Apache-2.0
// Begins the epoch after a forced restore, in the restore's own transaction. Its first leaf commits to where
// the old one ends and to who wanted it so; nothing can come before it.
import { createHash } from 'node:crypto';
import {
  type CellId,
  type Clock,
  createUuidV7,
  parseEntryId,
  type Random,
  toCanonicalJson,
  toInstant,
} from '@bailiwick/kernel';
import {
  commitEntry,
  EMPTY_EDGE,
  EMPTY_ROOT,
  HASH_SIZE_BYTES,
  type LogHead,
  toCanonicalBody,
} from '@bailiwick/ledger';
import type { ClientBase } from 'pg';
import { CELL_TENANT_ID } from '../backups/tables.ts';
import type { ForcedApproval } from './force.ts';
import { applyBatch } from './load-ledger.ts';

/** Writes the first leaf of the new epoch; the cell signs it when it starts. */
export async function openEpoch(
  client: ClientBase,
  ports: { readonly clock: Clock; readonly random: Random; readonly cellId: CellId },
  end: {
    readonly head: LogHead;
    readonly restoreId: string;
    readonly withheldCount: number;
    readonly forced: ForcedApproval;
  },
): Promise<void> {
  const { head, restoreId, withheldCount, forced } = end;
  const approvals = toCanonicalJson(JSON.parse(JSON.stringify(forced.approvals)));
  const entryId = parseEntryId(createUuidV7(ports));
  const body = toCanonicalBody({
    v: 1,
    id: entryId,
    at: toInstant(ports.clock.nowMs()),
    cell: ports.cellId,
    kind: 'epoch',
    facts: {
      restore: restoreId,
      oldEpoch: head.epoch,
      oldSize: head.size,
      oldRoot: Buffer.from(head.root).toString('hex'),
      approvedBy: forced.approvedBy,
      approvalsHash: createHash('sha256').update(approvals, 'utf8').digest('hex'),
      withheldCount,
    },
  });
  const salt = Buffer.from(ports.random.bytes(HASH_SIZE_BYTES));
  const { rows } = await client.query<{ batch: string }>(
    `SELECT nextval('ledger.batch_ids') AS batch`,
  );
  await client.query('INSERT INTO ledger.heads (epoch, size, root) VALUES ($1, 0, $2)', [
    forced.epoch,
    EMPTY_ROOT,
  ]);
  const tree = { head: { epoch: forced.epoch, size: 0, root: EMPTY_ROOT }, edge: EMPTY_EDGE };
  await applyBatch(client, tree, {
    batch: rows[0]?.batch ?? '',
    first: 0,
    commitments: Buffer.from(commitEntry(salt, body)).toString('base64'),
    entries: [
      {
        tenant: CELL_TENANT_ID,
        entry: entryId,
        kind: 'epoch',
        salt: salt.toString('base64'),
        body,
      },
    ],
  });
}
