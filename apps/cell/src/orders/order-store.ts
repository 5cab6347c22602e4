// SPDX-License-Identifier: Apache-2.0
// Legal orders in the database.
import type { KeyObject } from 'node:crypto';
import type { TenantId } from '@bailiwick/kernel';
import type { PoolClient } from 'pg';
import { macOrder, type OrderFacts, toOrderText } from './order-facts.ts';

export interface OrderRow {
  readonly text: string;
  readonly mac: Buffer;
  readonly isRevoked: boolean;
}

interface Row {
  readonly facts: string;
  readonly facts_mac: Buffer;
  readonly is_revoked: boolean;
}

/** Orders of a tenant, the newest first; those in force or all. */
export async function listOrders(
  tx: PoolClient,
  tenantId: TenantId,
  options: { readonly countMax: number; readonly inForceOnly: boolean },
): Promise<readonly OrderRow[]> {
  const { rows } = await tx.query<Row>(
    `SELECT facts, facts_mac, is_revoked FROM cell.orders
      WHERE tenant_id = $1 AND (NOT is_revoked OR NOT $3) ORDER BY order_id DESC LIMIT $2`,
    [tenantId, options.countMax, options.inForceOnly],
  );
  return rows.map((row) => ({ text: row.facts, mac: row.facts_mac, isRevoked: row.is_revoked }));
}

/** Locks an order until the transaction ends. */
export async function lockOrder(
  tx: PoolClient,
  tenantId: TenantId,
  orderId: string,
): Promise<OrderRow | undefined> {
  const { rows } = await tx.query<Row>(
    `SELECT facts, facts_mac, is_revoked FROM cell.orders
      WHERE tenant_id = $1 AND order_id = $2 FOR UPDATE`,
    [tenantId, orderId],
  );
  const [row] = rows;
  return row && { text: row.facts, mac: row.facts_mac, isRevoked: row.is_revoked };
}

/** Writes an order, or its revocation. */
export async function putOrder(
  tx: PoolClient,
  macKey: KeyObject,
  order: { readonly tenantId: TenantId; readonly facts: OrderFacts },
): Promise<void> {
  const { tenantId, facts } = order;
  const text = toOrderText(facts);
  await tx.query(
    `INSERT INTO cell.orders (tenant_id, order_id, facts, facts_mac, is_revoked)
     VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (tenant_id, order_id)
     DO UPDATE SET facts = excluded.facts, facts_mac = excluded.facts_mac,
                   is_revoked = excluded.is_revoked`,
    [
      tenantId,
      facts.orderId,
      text,
      macOrder(macKey, tenantId, text),
      facts.revokedAt !== undefined,
    ],
  );
}
