// SPDX-License-Identifier: Apache-2.0
// The receiving side of a transfer between cells: who signed it is checked against the bundle, what it
// says against its closed format, whether it may rest here against the charter; it is stored and entered
// once, and told again when it comes again.
import { createHash } from 'node:crypto';
import {
  DELIVERY_PAYLOAD_TYPE,
  type Delivery,
  EnvelopeSchema,
  findProblems,
  parseDelivery,
} from '@bailiwick/contracts';
import { type CellId, type Flow, isCoded, toResidency } from '@bailiwick/kernel';
import { parsePinnedKey, verifyDsse } from '@bailiwick/keys';
import { CellError, DenialError } from '../errors.ts';
import type { CellRuntime } from '../runtime.ts';
import type { EntryReceipt } from '../services.ts';
import { findDelivery, insertDelivery } from './delivery-store.ts';

export interface TakenDelivery extends EntryReceipt {
  readonly deliveryId: string;
  readonly isNew: boolean;
}

function refuse(detail: string, cause?: unknown): never {
  throw new CellError('DELIVERY_REFUSED', detail, cause === undefined ? {} : { cause });
}

/**
 * Takes a delivery of another cell.
 *
 * @throws {CellError} `DELIVERY_REFUSED`; {DenialError}
 */
export async function takeDelivery(
  runtime: CellRuntime,
  from: CellId,
  envelope: unknown,
): Promise<TakenDelivery> {
  const { delivery, payload } = verifyDelivery(runtime, from, envelope);
  const { tenantId, deliveryId } = delivery;
  const statementHash = createHash('sha256').update(payload).digest('hex');
  const known = await findDelivery(runtime.database, { tenantId, deliveryId });
  if (known !== undefined) return toKnown(known, { deliveryId, statementHash });
  const preparing = runtime.orders.prepare(delivery.tenantId);
  if (preparing) await preparing;
  const decided = decide(runtime, from, delivery);
  const entry = runtime.entries.prepare(tenantId, {
    kind: 'delivery',
    ...decided,
    facts: {
      from,
      transfer: deliveryId,
      series: delivery.series,
      statement: statementHash,
      groups: delivery.groups.length,
    },
  });
  const isNew = await runtime.database.withTenant(tenantId, async (tx) => {
    const statement = JSON.stringify(envelope);
    const row = {
      ...delivery,
      statement,
      statementHash,
      entryId: entry.entryId,
      leafHash: entry.leafHash,
    };
    const isInserted = await insertDelivery(tx, row);
    if (isInserted) await runtime.entries.insertPrepared(tx, [entry]);
    return isInserted;
  });
  if (isNew) return { deliveryId, isNew, entryId: entry.entryId, leafHash: entry.leafHash };
  // Another request was first: what it stored holds.
  const first = await findDelivery(runtime.database, { tenantId, deliveryId });
  return first === undefined
    ? refuse('another cell has delivered under this id')
    : toKnown(first, { deliveryId, statementHash });
}

function toKnown(
  known: NonNullable<Awaited<ReturnType<typeof findDelivery>>>,
  { deliveryId, statementHash }: { readonly deliveryId: string; readonly statementHash: string },
): TakenDelivery {
  if (known.statementHash !== statementHash) refuse('another delivery has this id');
  return { deliveryId, isNew: false, entryId: known.entryId, leafHash: known.leafHash };
}

function verifyDelivery(
  runtime: CellRuntime,
  from: CellId,
  envelope: unknown,
): { readonly delivery: Delivery; readonly payload: Buffer } {
  const law = runtime.law.current();
  const key = law.findCell(from)?.signingKey;
  if (key === undefined) return refuse('the bundle in force has no signing key of this cell');
  if (findProblems(EnvelopeSchema, envelope).length > 0) return refuse('not a signed statement');
  try {
    const keys = [parsePinnedKey(key)];
    const { payload } = verifyDsse(envelope, { payloadType: DELIVERY_PAYLOAD_TYPE, keys });
    const delivery = parseDelivery(payload);
    // SECURITY: the connection's identity and the signed statement must name the same cell.
    if (delivery.from !== from) return refuse('the statement names another cell');
    if (law.findTenant(delivery.tenantId)?.state !== 'active') {
      return refuse('the tenant is not served here');
    }
    return { delivery, payload };
  } catch (cause) {
    if (isCoded(cause, 'DELIVERY_REFUSED')) throw cause;
    return refuse('the statement does not verify', cause);
  }
}

/** Figures rest here as operational data of the tenant, brought by a workload of the other cell. */
function decide(
  runtime: CellRuntime,
  from: CellId,
  delivery: Delivery,
): Omit<ReturnType<CellRuntime['enforcement']['toDraft']>, 'actor'> {
  const law = runtime.law.current();
  const sender = law.findCell(from);
  const here = law.charter.cells.find(({ id }) => id === runtime.cellId);
  if (sender === undefined || here === undefined)
    return refuse('the charter does not know the cells');
  const flow: Flow = {
    actor: {
      kind: 'workload',
      role: 'operator',
      employer: 'processor',
      assurance: 'high',
      place: sender.location,
    },
    action: 'ingest',
    data: {
      class: 'operational',
      categories: [],
      regimes: [],
      origin: sender.location,
      residency: toResidency(runtime.cellId),
    },
    form: 'aggregated',
    to: { kind: 'cell', id: here.id, location: here.location, operator: here.operator },
    purpose: delivery.purpose,
    consent: 'absent',
    conditions: [],
    atMs: runtime.clock.nowMs(),
  };
  const decision = runtime.enforcement.answer(delivery.tenantId, flow);
  if (decision.outcome === 'deny') throw new DenialError(decision);
  const credential = {
    ...flow.actor,
    tenantId: delivery.tenantId,
    account: delivery.deliveryId,
    purposes: [],
    residency: toResidency(runtime.cellId),
  };
  const { actor: _actor, ...draft } = runtime.enforcement.toDraft(credential, { flow, decision });
  return draft;
}
