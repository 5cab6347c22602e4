// SPDX-License-Identifier: Apache-2.0
// A tenant of a test's own whose people sign in at the demonstration's provider.
import type { ResidencyName } from './demo.ts';
import { sendAsOperator } from './http.ts';
import type { SharedSystem } from './shared.ts';
import { createTenant, type OwnTenant } from './tenant.ts';

const ROLES: Readonly<Record<string, string>> = {
  admins: 'tenant-admin',
  security: 'security-officer',
  privacy: 'privacy-officer',
  audit: 'auditor',
  operations: 'operator',
};

/** Makes the tenant and tells its cells what the provider's groups mean. */
export async function createTenantWithPeople(
  system: SharedSystem,
  { residencies }: { readonly residencies: readonly ResidencyName[] },
): Promise<OwnTenant> {
  const issuer = `http://127.0.0.1:${system.port + 3}`;
  const tenant = await createTenant(system, {
    residencies,
    terms: { terms: 1, version: 1, identity: { issuer, audience: 'bailiwick' } },
  });
  for (const residency of residencies) {
    const { internalPort, spiffeId } = system.cell(residency);
    const grants = Object.entries(ROLES).map(([group, role]) => {
      return [
        group,
        { role, employer: 'controller', purposes: ['operations'], defaultPurpose: 'operations' },
      ];
    });
    const answer = await sendAsOperator(
      system,
      { port: internalPort, spiffeId },
      {
        method: 'PUT',
        path: `/internal/v1/tenants/${tenant.tenantId}/sign-in`,
        body: {
          algorithms: ['RS256'],
          place: 'de',
          groupClaim: 'groups',
          grants: Object.fromEntries(grants),
          assurances: { substantial: 'substantial' },
          portal: { clientId: `portal-${residency}` },
        },
      },
    );
    if (answer.status !== 200) throw new Error(`no sign-in: ${answer.text}`);
  }
  return tenant;
}
