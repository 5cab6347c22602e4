// SPDX-License-Identifier: Apache-2.0
// Each client assertion is good once, in all processes of the cell and across restarts: its id is kept,
// as a hash, until it has expired.
import { createHash } from 'node:crypto';
import type { TenantId } from '@bailiwick/kernel';
import type { ReplayGuard } from '@bailiwick/oidc';
import type { Database } from '@bailiwick/postgres';

/** The guard of one tenant's assertions. */
export function createReplayStore(database: Database, tenantId: TenantId): ReplayGuard {
  return {
    claim: (key, expiresAtMs) =>
      database.withTenant(tenantId, async (tx) => {
        const hash = createHash('sha256').update('bailiwick/assertion/v1\0').update(key).digest();
        await tx.query('DELETE FROM cell.assertion_uses WHERE expires_at < now()');
        const { rowCount } = await tx.query(
          `INSERT INTO cell.assertion_uses (tenant_id, jti_hash, expires_at)
           VALUES ($1, $2, to_timestamp($3::double precision / 1000)) ON CONFLICT DO NOTHING`,
          [tenantId, hash, expiresAtMs],
        );
        return rowCount === 1;
      }),
  };
}
