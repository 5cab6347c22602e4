// SPDX-License-Identifier: Apache-2.0
// Takes over the tenants of a bundle before it comes into force: each has its row, its keys and an entry
// of what changed. A tenant whose keys cannot be made keeps the bundle out: better late than without keys.
import type { BundleTenant } from '@bailiwick/contracts';
import type { TenantId } from '@bailiwick/kernel';
import type { Database } from '@bailiwick/postgres';
import type { BundleInForce } from '../law/law-in-force.ts';
import type { EntryWriter } from '../services.ts';
import { findTenant, markKeyed, putTenant, type TenantRow } from './tenant-store.ts';

export interface TenantPorts {
  readonly database: Database;
  readonly entries: EntryWriter;
  /** Makes the tenant's keys where it has none; safe to repeat. */
  readonly provisionKeys: (tenantId: TenantId) => Promise<void>;
}

/** Brings the cell's tenants to what the bundle says. */
export async function takeTenants(ports: TenantPorts, law: BundleInForce): Promise<void> {
  for (const tenant of law.bundle.tenants) {
    const known = await findTenant(ports.database, tenant.tenantId);
    if (isChanged(known, tenant)) await writeTenant(ports, tenant, known);
    if (known?.isKeyed === true) continue;
    await ports.provisionKeys(tenant.tenantId);
    await ports.database.withTenant(tenant.tenantId, markKeyed);
  }
}

function isChanged(known: TenantRow | undefined, tenant: BundleTenant): boolean {
  return (
    known === undefined ||
    known.termsSerial !== tenant.termsSerial ||
    known.termsHash !== tenant.termsHash ||
    known.state !== tenant.state
  );
}

async function writeTenant(
  { database, entries }: TenantPorts,
  tenant: BundleTenant,
  known: TenantRow | undefined,
): Promise<void> {
  const entry = entries.prepare(tenant.tenantId, {
    kind: 'tenant',
    facts: {
      state: tenant.state,
      stateBefore: known?.state ?? 'none',
      termsSerial: tenant.termsSerial,
      termsHash: tenant.termsHash,
    },
  });
  await database.withTenant(tenant.tenantId, async (tx) => {
    await putTenant(tx, tenant);
    await entries.insertPrepared(tx, [entry]);
  });
}
