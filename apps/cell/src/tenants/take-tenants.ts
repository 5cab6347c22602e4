// SPDX-License-Identifier: Apache-2.0
// Takes over the tenants of a bundle before it comes into force: each has its row, its keys and an entry
// of what changed. A tenant whose provider of customer keys cannot be had is taken without keys, and all
// its requests fail closed until there are some; any other failure to make keys keeps the bundle out.
import type { BundleTenant } from '@bailiwick/contracts';
import { isCoded, type TenantId } from '@bailiwick/kernel';
import type { Database } from '@bailiwick/postgres';
import type { KeyTerms } from '../key-service/api.ts';
import type { BundleInForce } from '../law/law-in-force.ts';
import type { EntryWriter } from '../services.ts';
import { findTenant, markKeyed, putTenant, type TenantRow } from './tenant-store.ts';

export interface TenantPorts {
  readonly database: Database;
  readonly entries: EntryWriter;
  /** Makes the tenant's keys where it has none, and takes over what its terms say; safe to repeat. */
  readonly provisionKeys: (tenantId: TenantId, terms: KeyTerms) => Promise<void>;
  /** Told the code of what kept a tenant without keys. */
  readonly onKeyless: (code: string) => void;
}

/** What another tenant's bundle must not wait for. */
const KEYLESS_CODES = [
  'KEYS_CUSTOMER_KEY_DISABLED',
  'KEYS_CUSTOMER_KEY_UNKNOWN',
  'KEYS_PROVIDER_MISCONFIGURED',
  'KEYS_PROVIDER_UNAVAILABLE',
] as const;

/** Brings the cell's tenants to what the bundle says. */
export async function takeTenants(ports: TenantPorts, law: BundleInForce): Promise<void> {
  for (const tenant of law.bundle.tenants) {
    const known = await findTenant(ports.database, tenant.tenantId);
    const isKeyed = known?.isKeyed === true;
    // What the terms say of keys holds before they count as taken: a failure is tried again.
    if (isKeyed && known.termsHash !== tenant.termsHash) {
      await provision(ports, law, tenant.tenantId);
    }
    if (isChanged(known, tenant)) await writeTenant(ports, tenant, known);
    if (isKeyed) continue;
    if (!(await provision(ports, law, tenant.tenantId))) continue;
    await ports.database.withTenant(tenant.tenantId, markKeyed);
  }
}

async function provision(
  ports: TenantPorts,
  law: BundleInForce,
  tenantId: TenantId,
): Promise<boolean> {
  const terms = law.termsOf(tenantId);
  try {
    await ports.provisionKeys(tenantId, {
      ...(terms?.keyCustody === undefined ? {} : { custody: terms.keyCustody }),
      ...(terms?.keyStalenessMsMax === undefined
        ? {}
        : { stalenessMsMax: terms.keyStalenessMsMax }),
    });
    return true;
  } catch (error) {
    const code = KEYLESS_CODES.find((one) => isCoded(error, one));
    if (code === undefined) throw error;
    ports.onKeyless(code);
    return false;
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
