// SPDX-License-Identifier: Apache-2.0
// A backup is a flow like any other: the charter says for each tenant whether its data may go into this
// store. A store elsewhere than the cell, or under another operator, is another destination, and a charter
// that keeps data at home then says no.
import type { CellId, Decision, TenantId } from '@bailiwick/kernel';
import { toResidency } from '@bailiwick/kernel';
import type { CellRuntime } from '../runtime.ts';
import type { Credential, FlowRequest } from '../services.ts';

const PURPOSE = 'operations';
const NOBODY = '00000000-0000-0000-0000-000000000000';

/** Where a store stands and whose law reaches who runs it. */
export interface StorePlace {
  readonly jurisdiction: string;
  readonly operator: string;
}

/** What the charter said about the tenants of a cell. */
export interface BackupPermits {
  readonly allowed: readonly TenantId[];
  readonly denied: readonly { readonly tenantId: TenantId; readonly decision: Decision }[];
}

/** The cell itself, as the one who keeps copies. */
function toCredential(tenantId: TenantId, cellId: CellId, place: string): Credential {
  return {
    tenantId,
    account: NOBODY,
    kind: 'workload',
    role: 'operator',
    employer: 'processor',
    assurance: 'high',
    place,
    purposes: [PURPOSE],
    residency: toResidency(cellId),
  };
}

/** Decides for each tenant that this cell serves; one origin that is denied denies the tenant. */
export function decideBackups(
  {
    cellId,
    config,
    law,
    enforcement,
  }: Pick<CellRuntime, 'cellId' | 'config' | 'law' | 'enforcement'>,
  place: StorePlace,
): BackupPermits {
  const { charter, bundle } = law.current();
  const allowed: TenantId[] = [];
  const denied: { tenantId: TenantId; decision: Decision }[] = [];
  const isAtHome =
    place.jurisdiction === config.location.jurisdiction &&
    place.operator === config.operator.jurisdiction;
  for (const { tenantId } of bundle.tenants) {
    const credential = toCredential(tenantId, cellId, config.location.jurisdiction);
    let refusal: Decision | undefined;
    for (const [origin, home] of charter.homes) {
      if (!home.ok || home.cellId !== cellId) continue;
      const request: FlowRequest = {
        action: 'backup',
        class: 'restricted',
        categories: charter.categories,
        regimes: home.regimes,
        origin,
        residency: toResidency(cellId),
        purpose: PURPOSE,
        to: {
          kind: isAtHome ? 'cell' : 'provider',
          ...(isAtHome ? { id: cellId } : {}),
          location: place.jurisdiction,
          operator: place.operator,
        },
      };
      const { decision } = enforcement.decide(credential, request);
      if (decision.outcome === 'deny') refusal ??= decision;
    }
    if (refusal === undefined) allowed.push(tenantId);
    else denied.push({ tenantId, decision: refusal });
  }
  return { allowed, denied };
}
