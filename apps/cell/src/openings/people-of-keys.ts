// SPDX-License-Identifier: Apache-2.0
// Whose keys sealed values name. A seal names the key and not the person; where nothing is known of
// anybody, nobody is looked for.
import { type KeyId, parseSubjectId, type SubjectId, type TenantId } from '@bailiwick/kernel';
import type { CellServices } from '../services.ts';

/** The people, by key id, with their standings prepared; keys of collections are of nobody. */
export async function findPeopleOfKeys(
  services: Pick<CellServices, 'database' | 'standings' | 'orders'>,
  tenantId: TenantId,
  keyIds: Iterable<KeyId>,
): Promise<ReadonlyMap<string, SubjectId>> {
  const { standings, orders } = services;
  const preparing = standings.prepare(tenantId, []);
  if (preparing) await preparing;
  if (standings.isEmpty(tenantId) && orders.peopleOf(tenantId).size === 0) return new Map();
  const { rows } = await services.database.withTenant(tenantId, (tx) =>
    tx.query<{ key_id: string; subject_id: string }>(
      `SELECT DISTINCT key_id, subject_id FROM keys.subject_keys
        WHERE tenant_id = $1 AND key_id = ANY ($2::uuid[])`,
      [tenantId, [...new Set(keyIds)]],
    ),
  );
  const people = new Map(rows.map((row) => [row.key_id, parseSubjectId(row.subject_id)]));
  await standings.prepare(tenantId, people.values());
  return people;
}
