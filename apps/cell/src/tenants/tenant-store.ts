// SPDX-License-Identifier: Apache-2.0
// What this cell did with the tenants that bundles bring.
import type { BundleTenant, SignInRequest } from '@bailiwick/contracts';
import { parseSignIn } from '@bailiwick/contracts';
import type { TenantId } from '@bailiwick/kernel';
import type { Database } from '@bailiwick/postgres';
import type { PoolClient } from 'pg';

/** A tenant as this cell last took it over. */
export interface TenantRow {
  readonly termsSerial: number;
  readonly termsHash: string;
  readonly state: string;
  readonly isKeyed: boolean;
}

interface Row {
  readonly terms_serial: string;
  readonly terms_hash: string;
  readonly state: string;
  readonly is_keyed: boolean;
}

export function findTenant(database: Database, tenantId: TenantId): Promise<TenantRow | undefined> {
  return database.withTenant(tenantId, async (tx) => {
    const { rows } = await tx.query<Row>(
      `SELECT terms_serial, terms_hash, state, keyed_at IS NOT NULL AS is_keyed FROM cell.tenants`,
    );
    const [row] = rows;
    if (row === undefined) return undefined;
    return {
      termsSerial: Number(row.terms_serial),
      termsHash: row.terms_hash,
      state: row.state,
      isKeyed: row.is_keyed,
    };
  });
}

/** Writes a tenant as its bundle has it, in the caller's transaction, which has the tenant set. */
export async function putTenant(tx: PoolClient, tenant: BundleTenant): Promise<void> {
  await tx.query(
    `INSERT INTO cell.tenants (tenant_id, terms_serial, terms_hash, state) VALUES ($1, $2, $3, $4)
     ON CONFLICT (tenant_id) DO UPDATE SET terms_serial = excluded.terms_serial,
       terms_hash = excluded.terms_hash, state = excluded.state, updated_at = now()`,
    [tenant.tenantId, tenant.termsSerial, tenant.termsHash, tenant.state],
  );
}

/** Notes that the tenant has its keys here. */
export async function markKeyed(tx: PoolClient): Promise<void> {
  await tx.query('UPDATE cell.tenants SET keyed_at = coalesce(keyed_at, now())');
}

/** What the groups of the tenant's identity provider mean here. */
export function findSignIn(
  database: Database,
  tenantId: TenantId,
): Promise<SignInRequest | undefined> {
  return database.withTenant(tenantId, async (tx) => {
    const { rows } = await tx.query<{ sign_in: unknown }>('SELECT sign_in FROM cell.tenants');
    const value = rows[0]?.sign_in ?? undefined;
    return value === undefined ? undefined : parseSignIn(value);
  });
}

export async function putSignIn(tx: PoolClient, signIn: SignInRequest): Promise<void> {
  await tx.query('UPDATE cell.tenants SET sign_in = $1, updated_at = now()', [
    JSON.stringify(signIn),
  ]);
}
