// SPDX-License-Identifier: Apache-2.0
// Accounts in the cell's database, under the tenant's row security.
import type { Account } from '@bailiwick/contracts';
import type { TenantId } from '@bailiwick/kernel';
import type { Database } from '@bailiwick/postgres';
import type { PoolClient } from 'pg';

interface Row {
  readonly account: string;
  readonly kind: Account['kind'];
  readonly role: string;
  readonly employer: string;
  readonly assurance: Account['assurance'];
  readonly place: string;
  readonly purposes: readonly string[];
  readonly default_purpose: string | null;
  readonly public_keys: readonly string[];
  readonly is_disabled: boolean;
}

const COLUMNS = `account, kind, role, employer, assurance, place, purposes, default_purpose,
  public_keys, is_disabled`;

/** An account of a tenant, disabled ones too. */
export function findAccount(
  database: Database,
  { tenantId, account }: { readonly tenantId: TenantId; readonly account: string },
): Promise<Account | undefined> {
  return database.withTenant(tenantId, async (tx) => {
    const { rows } = await tx.query<Row>(
      `SELECT ${COLUMNS} FROM cell.accounts WHERE account = $1`,
      [account],
    );
    return rows[0] === undefined ? undefined : toAccount(rows[0]);
  });
}

/** All accounts of a tenant. */
export function listAccounts(database: Database, tenantId: TenantId): Promise<readonly Account[]> {
  return database.withTenant(tenantId, async (tx) => {
    const { rows } = await tx.query<Row>(`SELECT ${COLUMNS} FROM cell.accounts ORDER BY account`);
    return rows.map(toAccount);
  });
}

/** Adds or changes accounts in the caller's transaction, which has the tenant set. */
export async function putAccounts(
  tx: PoolClient,
  tenantId: TenantId,
  accounts: readonly Account[],
): Promise<void> {
  for (const one of accounts) {
    await tx.query(
      `INSERT INTO cell.accounts (tenant_id, ${COLUMNS})
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
       ON CONFLICT (tenant_id, account) DO UPDATE SET
         kind = excluded.kind, role = excluded.role, employer = excluded.employer,
         assurance = excluded.assurance, place = excluded.place, purposes = excluded.purposes,
         default_purpose = excluded.default_purpose, public_keys = excluded.public_keys,
         is_disabled = excluded.is_disabled, updated_at = now()`,
      [
        tenantId,
        one.account,
        one.kind,
        one.role,
        one.employer,
        one.assurance,
        one.place,
        [...one.purposes],
        one.defaultPurpose ?? null,
        [...one.publicKeys],
        one.isDisabled ?? false,
      ],
    );
  }
}

function toAccount(row: Row): Account {
  return {
    account: row.account,
    kind: row.kind,
    role: row.role,
    employer: row.employer,
    assurance: row.assurance,
    place: row.place,
    purposes: row.purposes,
    ...(row.default_purpose === null ? {} : { defaultPurpose: row.default_purpose }),
    publicKeys: row.public_keys,
    isDisabled: row.is_disabled,
  };
}
