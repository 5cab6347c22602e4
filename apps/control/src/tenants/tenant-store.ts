// SPDX-License-Identifier: Apache-2.0
import type { TenantAnswer, TenantHome, TenantState } from '@bailiwick/contracts';
import {
  type CellId,
  parseCellId,
  parseResidency,
  parseTenantId,
  type TenantId,
} from '@bailiwick/kernel';
import type { Transaction } from '../services.ts';

interface TenantRow {
  readonly tenant_id: string;
  readonly state: TenantState;
  readonly terms: unknown;
  readonly terms_serial: string;
  readonly terms_hash: string;
  readonly agreement: unknown;
  readonly homes: readonly { readonly residency: string; readonly cell: string }[];
}

const SELECT = `
  SELECT t.tenant_id, t.state, t.terms, t.terms_serial::text, t.terms_hash, t.agreement,
    (SELECT coalesce(jsonb_agg(jsonb_build_object('residency', h.residency, 'cell', h.cell)
       ORDER BY h.residency), '[]') FROM control.tenant_homes h
     WHERE h.tenant_id = t.tenant_id) AS homes
  FROM control.tenants t`;

function toTenant(row: TenantRow): TenantAnswer {
  return {
    tenantId: parseTenantId(row.tenant_id),
    state: row.state,
    homes: row.homes.map(({ residency, cell }) => ({
      residency: parseResidency(residency),
      cell: parseCellId(cell),
    })),
    terms: row.terms,
    termsSerial: Number(row.terms_serial),
    termsHash: row.terms_hash,
    ...(row.agreement === null ? {} : { agreement: row.agreement }),
  };
}

export async function findTenant(
  tx: Transaction,
  tenantId: TenantId,
): Promise<TenantAnswer | undefined> {
  const { rows } = await tx.query<TenantRow>(`${SELECT} WHERE t.tenant_id = $1`, [tenantId]);
  return rows[0] === undefined ? undefined : toTenant(rows[0]);
}

/** All tenants with a home in this cell; all tenants at all when none is named. */
export async function listTenants(
  tx: Transaction,
  cell?: CellId,
): Promise<readonly TenantAnswer[]> {
  const { rows } = await tx.query<TenantRow>(
    `${SELECT} WHERE $1::text IS NULL OR EXISTS (SELECT FROM control.tenant_homes h
       WHERE h.tenant_id = t.tenant_id AND h.cell = $1) ORDER BY t.tenant_id`,
    [cell ?? null],
  );
  return rows.map(toTenant);
}

/** Writes a tenant whole. */
export async function putTenant(tx: Transaction, tenant: TenantAnswer): Promise<void> {
  await tx.query(
    `INSERT INTO control.tenants (tenant_id, state, terms, terms_serial, terms_hash, agreement)
     VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (tenant_id) DO UPDATE SET state = excluded.state, terms = excluded.terms,
       terms_serial = excluded.terms_serial, terms_hash = excluded.terms_hash,
       agreement = excluded.agreement`,
    [
      tenant.tenantId,
      tenant.state,
      JSON.stringify(tenant.terms),
      tenant.termsSerial,
      tenant.termsHash,
      tenant.agreement === undefined ? null : JSON.stringify(tenant.agreement),
    ],
  );
  await tx.query('DELETE FROM control.tenant_homes WHERE tenant_id = $1', [tenant.tenantId]);
  for (const { residency, cell } of tenant.homes)
    await insertHome(tx, tenant.tenantId, { residency, cell });
}

async function insertHome(tx: Transaction, tenantId: TenantId, home: TenantHome): Promise<void> {
  await tx.query(
    'INSERT INTO control.tenant_homes (tenant_id, residency, cell) VALUES ($1, $2, $3)',
    [tenantId, home.residency, home.cell],
  );
}
