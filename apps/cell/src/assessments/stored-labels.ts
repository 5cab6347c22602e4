// SPDX-License-Identifier: Apache-2.0
// How many records of which label lie in a tenant's collections. Labels are grouped in the database; no
// record is opened, and nothing but the groups and their counts comes out.
import type { CollectionId, TenantId } from '@bailiwick/kernel';
import { parseCollectionId } from '@bailiwick/kernel';
import type { RestingData } from '@bailiwick/policy';
import { collectionsOf } from '../collections/collection-store.ts';
import type { CellServices } from '../services.ts';

/** Records of one collection with one label; each class of their fields is data of its own. */
export interface StoredLabels {
  readonly collectionId: CollectionId;
  readonly records: number;
  readonly data: readonly RestingData[];
}

interface Row {
  readonly collection_id: string;
  readonly origin: string;
  readonly regimes: readonly string[];
  readonly residency: string;
  readonly records: string;
}

/** Labels of everything that a tenant has here. */
export async function countStoredLabels(
  services: Pick<CellServices, 'database'> & Parameters<typeof collectionsOf>[0],
  tenantId: TenantId,
): Promise<readonly StoredLabels[]> {
  const { rows } = await services.database.withTenant(tenantId, (tx) =>
    tx.query<Row>(
      `SELECT collection_id, label ->> 'origin' AS origin, label -> 'regimes' AS regimes,
         label ->> 'residency' AS residency, count(*)::text AS records
       FROM (SELECT r.collection_id, jsonb_build_object('origin', r.facts::jsonb -> 'origin',
               'regimes', r.facts::jsonb -> 'regimes', 'residency', r.facts::jsonb -> 'residency') AS label
             FROM cell.records r WHERE r.tenant_id = $1) labelled
       GROUP BY collection_id, label ORDER BY collection_id, label`,
      [tenantId],
    ),
  );
  const found: StoredLabels[] = [];
  for (const row of rows) {
    const collectionId = parseCollectionId(row.collection_id);
    const { classGroups } = await collectionsOf(services).get(tenantId, collectionId);
    const { origin, regimes, residency } = row;
    found.push({
      collectionId,
      records: Number(row.records),
      data: classGroups.map((group) => ({ ...group, origin, regimes, residency })),
    });
  }
  return found;
}
