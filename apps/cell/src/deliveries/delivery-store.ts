// SPDX-License-Identifier: Apache-2.0
import { type EntryId, parseEntryId, type TenantId } from '@bailiwick/kernel';
import type { Database } from '@bailiwick/postgres';
import type { PoolClient } from 'pg';

export interface DeliveryRow {
  readonly deliveryId: string;
  readonly from: string;
  readonly statementHash: string;
  readonly entryId: EntryId;
  readonly leafHash: string;
  readonly receivedAt: Date;
}

interface Row {
  readonly transfer_id: string;
  readonly from_cell: string;
  readonly statement: string;
  readonly statement_hash: string;
  readonly entry_id: string;
  readonly leaf_hash: string;
  readonly received_at: Date;
}

const toDelivery = (row: Row): DeliveryRow => ({
  deliveryId: row.transfer_id,
  from: row.from_cell,
  statementHash: row.statement_hash,
  entryId: parseEntryId(row.entry_id),
  leafHash: row.leaf_hash,
  receivedAt: row.received_at,
});

export function findDelivery(
  database: Database,
  { tenantId, deliveryId }: { readonly tenantId: TenantId; readonly deliveryId: string },
): Promise<(DeliveryRow & { readonly statement: string }) | undefined> {
  return database.withTenant(tenantId, async (tx) => {
    const { rows } = await tx.query<Row>('SELECT * FROM cell.deliveries WHERE transfer_id = $1', [
      deliveryId,
    ]);
    return rows[0] === undefined
      ? undefined
      : { ...toDelivery(rows[0]), statement: rows[0].statement };
  });
}

/** Newest first. */
export function listDeliveries(
  database: Database,
  tenantId: TenantId,
  { count }: { readonly count: number },
): Promise<readonly DeliveryRow[]> {
  return database.withTenant(tenantId, async (tx) => {
    const { rows } = await tx.query<Row>(
      'SELECT * FROM cell.deliveries ORDER BY received_at DESC, transfer_id LIMIT $1',
      [count],
    );
    return rows.map(toDelivery);
  });
}

/** False when the id is there already. */
export async function insertDelivery(
  tx: PoolClient,
  row: Omit<DeliveryRow, 'receivedAt'> & {
    readonly tenantId: TenantId;
    readonly statement: string;
  },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `INSERT INTO cell.deliveries
       (tenant_id, transfer_id, from_cell, statement, statement_hash, entry_id, leaf_hash)
     VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`,
    [
      row.tenantId,
      row.deliveryId,
      row.from,
      row.statement,
      row.statementHash,
      row.entryId,
      row.leafHash,
    ],
  );
  return rowCount === 1;
}
