// SPDX-License-Identifier: Apache-2.0
// Keeps what processes and replicas signed beside the entry that commits to it, under the tenant's row
// security. The answer to an action carries the same; this is for whoever asks later.
import { RECEIPTS_COUNT_MAX, type Receipt } from '@bailiwick/evidence';
import type { EntryId, TenantId } from '@bailiwick/kernel';
import type { SignedStatement } from '@bailiwick/keys';
import type { Database } from '@bailiwick/postgres';

/** Keeps the statements behind an entry; once is enough. */
export async function keepReceipt(
  database: Database,
  receipt: {
    readonly tenantId: TenantId;
    readonly entryId: EntryId;
    readonly statements: readonly SignedStatement[];
  },
): Promise<void> {
  const { tenantId, entryId, statements } = receipt;
  if (statements.length === 0) return;
  await database.withTenant(tenantId, (tx) =>
    tx.query(
      `INSERT INTO ledger.receipts (tenant_id, entry_id, statements) VALUES ($1, $2, $3)
       ON CONFLICT DO NOTHING`,
      [tenantId, entryId, JSON.stringify(statements)],
    ),
  );
}

/** The tenant's newest receipts in the order of their entries. */
export async function listReceipts(
  database: Database,
  tenantId: TenantId,
): Promise<readonly Receipt[]> {
  const { rows } = await database.withTenant(tenantId, (tx) =>
    tx.query<{ entry_id: string; statements: string }>(
      `SELECT entry_id, statements FROM ledger.receipts WHERE tenant_id = $1
        ORDER BY entry_id DESC LIMIT $2`,
      [tenantId, RECEIPTS_COUNT_MAX],
    ),
  );
  return rows.toReversed().map(({ entry_id, statements }) => ({
    entry: entry_id,
    statements: JSON.parse(statements) as readonly SignedStatement[],
  }));
}
