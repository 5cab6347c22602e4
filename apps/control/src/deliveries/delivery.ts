// SPDX-License-Identifier: Apache-2.0
// Aggregates from cells. What may stand in one is closed (contracts, `delivery.ts`); the detector stands
// behind it, and the signature says which cell has computed it.
import { createHash } from 'node:crypto';
import {
  ContractError,
  DELIVERY_PAYLOAD_TYPE,
  type Delivery,
  parseDelivery,
} from '@bailiwick/contracts';
import type { CellId } from '@bailiwick/kernel';
import { DsseError, parsePinnedKey, verifyDsse } from '@bailiwick/keys';
import { findCell } from '../cells/cell-store.ts';
import { ControlError } from '../errors.ts';
import { refusePersonalData } from '../guard/refuse.ts';
import type { ControlServices, Transaction } from '../services.ts';

/** Verifies who signed it and reads it. @throws {ControlError} `CONTROL_DELIVERY_REFUSED` */
async function verifyDelivery(
  tx: Transaction,
  cell: CellId,
  envelope: unknown,
): Promise<{ readonly delivery: Delivery; readonly payloadHash: string }> {
  const refuse = (problem: string, cause?: unknown): never => {
    throw new ControlError('CONTROL_DELIVERY_REFUSED', problem, { cause });
  };
  const key = (await findCell(tx, cell))?.signingKey;
  if (key === undefined) return refuse('the cell has announced no signing key');
  try {
    const keys = [parsePinnedKey(key)];
    const { payload } = verifyDsse(envelope, { payloadType: DELIVERY_PAYLOAD_TYPE, keys });
    const payloadHash = createHash('sha256').update(payload).digest('hex');
    return { delivery: parseDelivery(payload), payloadHash };
  } catch (cause) {
    const isOurs = cause instanceof DsseError || cause instanceof ContractError;
    return isOurs ? refuse(cause.message, cause) : refuse('it cannot be read', cause);
  }
}

/** The cell may speak for this tenant only if it is a home of it. */
async function assertHome(tx: Transaction, cell: CellId, delivery: Delivery): Promise<void> {
  const { rows } = await tx.query(
    'SELECT FROM control.tenant_homes WHERE tenant_id = $1 AND cell = $2',
    [delivery.tenantId, cell],
  );
  if (delivery.from !== cell) {
    throw new ControlError('CONTROL_DELIVERY_REFUSED', 'it names another cell as its origin');
  }
  if (rows.length === 0) {
    throw new ControlError('CONTROL_DELIVERY_REFUSED', 'the cell is no home of this tenant');
  }
}

async function insertDelivery(
  tx: Transaction,
  delivery: Delivery,
  payloadHash: string,
): Promise<boolean> {
  const { deliveryId, from, tenantId, series, purpose, at, minimumCount, groups } = delivery;
  const inserted = await tx.query(
    `INSERT INTO control.deliveries (delivery_id, cell, tenant_id, series, purpose, delivered_at,
       minimum_count, group_by, measures, payload_hash)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (delivery_id) DO NOTHING`,
    [
      ...[deliveryId, from, tenantId, series, purpose, at, minimumCount],
      ...[delivery.groupBy, delivery.measures, payloadHash],
    ],
  );
  if (inserted.rowCount !== 1) return false;
  await tx.query(
    `INSERT INTO control.delivery_groups (delivery_id, position, group_values, group_count, sums)
     SELECT $1, (g.ordinality - 1)::int,
       ARRAY(SELECT jsonb_array_elements_text(g.value -> 'values')),
       (g.value ->> 'count')::bigint,
       ARRAY(SELECT jsonb_array_elements_text(g.value -> 'sums')::double precision)
     FROM jsonb_array_elements($2::jsonb) WITH ORDINALITY AS g`,
    [deliveryId, JSON.stringify(groups)],
  );
  return true;
}

/**
 * Takes a delivery once; the same again changes nothing, another under its id is refused.
 *
 * @throws {ControlError} `CONTROL_DELIVERY_REFUSED`, `CONTROL_PERSONAL_DATA_REFUSED`
 */
export async function takeDelivery(
  services: ControlServices,
  cell: CellId,
  envelope: unknown,
): Promise<{ readonly deliveryId: string; readonly isNew: boolean }> {
  return await services.database.withTransaction(async (tx) => {
    const { delivery, payloadHash } = await verifyDelivery(tx, cell, envelope);
    refusePersonalData(delivery, {
      profile: 'closed',
      // Opaque ids of the middle itself.
      except: ['/deliveryId', '/tenantId'],
    });
    await assertHome(tx, cell, delivery);
    const isNew = await insertDelivery(tx, delivery, payloadHash);
    if (!isNew) {
      const { rows } = await tx.query<{ payload_hash: string }>(
        'SELECT payload_hash FROM control.deliveries WHERE delivery_id = $1',
        [delivery.deliveryId],
      );
      if (rows[0]?.payload_hash !== payloadHash) {
        throw new ControlError('CONTROL_DELIVERY_REFUSED', 'another delivery has this id');
      }
    }
    return { deliveryId: delivery.deliveryId, isNew };
  });
}
