// SPDX-License-Identifier: Apache-2.0
// A legal order as it is stored: what it asks, of what, on whose word. Its MAC is under the cell's own key,
// so that an order holds while a customer's key is disabled.
import type { KeyObject } from 'node:crypto';
import {
  type Json,
  parseTenantId,
  type SubjectId,
  type TenantId,
  toCanonicalJson,
} from '@bailiwick/kernel';
import { macFacts, verifyFacts } from '@bailiwick/keys';
import type { OrderMeasure } from '../services.ts';

/** Stands for all tenants of the cell. */
export const EVERY_TENANT: TenantId = parseTenantId('00000000-0000-8000-8000-000000000000');

export const ORDER_MEASURES: readonly OrderMeasure[] = ['freeze', 'read-only', 'suspend'];

export interface OrderFacts {
  readonly orderId: string;
  readonly measure: OrderMeasure;
  /** File number of the court or authority; never a name. */
  readonly reference: string;
  /** Data collected in this jurisdiction; absent: from anywhere. */
  readonly jurisdiction?: string;
  /** One person's data; absent: everybody's. */
  readonly subject?: SubjectId;
  /** RFC 3339. */
  readonly placedAt: string;
  readonly revokedAt?: string;
}

export function toOrderText(facts: OrderFacts): string {
  return toCanonicalJson(JSON.parse(JSON.stringify(facts)) as Json);
}

const toCovered = (tenantId: TenantId, text: string): string =>
  `{"order":${text},"tenant":"${tenantId}"}`;

/** MAC over an order of a tenant, or of the whole cell. */
export function macOrder(macKey: KeyObject, tenantId: TenantId, text: string): Buffer {
  return macFacts(macKey, [], 1, toCovered(tenantId, text));
}

/** @throws {KeysError} `KEYS_FACTS_UNVERIFIED` */
export function verifyOrder(
  macKey: KeyObject,
  row: { readonly tenantId: TenantId; readonly text: string; readonly mac: Buffer },
): OrderFacts {
  verifyFacts(macKey, {
    sealDigests: [],
    serial: 1,
    canonicalFacts: toCovered(row.tenantId, row.text),
    mac: row.mac,
  });
  return JSON.parse(row.text) as OrderFacts;
}
