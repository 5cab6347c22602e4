// SPDX-License-Identifier: Apache-2.0
// Lets people sign in: the tenant's terms name its identity provider, two people approve them, and each
// cell is told what the provider's groups mean there.
import { createHash } from 'node:crypto';
import type { ApprovalStatement, TenantAnswer } from '@bailiwick/contracts';
import { type Json, parseTenantId, toCanonicalJson } from '@bailiwick/kernel';
import type { DsseEnvelope } from '@bailiwick/keys';
import { unwrap } from '@bailiwick/sdk';
import { toDemoSignIn } from '../identity-provider/people.ts';
import { listTenants, type Operator, putSignIn } from '../operator.ts';
import { toClientId } from './config-files.ts';
import type { CellPlan, Layout } from './layout.ts';

/** Audience of bearer tokens of the demonstration's provider. */
const AUDIENCE = 'bailiwick';

export interface PeopleWork {
  readonly layout: Layout;
  readonly operator: Operator;
  readonly approve: (statement: ApprovalStatement) => DsseEnvelope;
  /** Repeats until the cell has taken its tenants. */
  readonly untilTaken: (plan: CellPlan, work: () => Promise<void>) => Promise<void>;
}

/** Sets sign-in up for a tenant in all cells; changes nothing where it is so already. */
export async function preparePeople(work: PeopleWork, tenant: string): Promise<void> {
  const { layout, operator, untilTaken } = work;
  const known = (await listTenants(operator)).find(({ tenantId }) => tenantId === tenant);
  if (known !== undefined) await nameProvider(work, known);
  await Promise.all(
    layout.cells.map((plan) => {
      const internal = { host: '127.0.0.1', port: plan.ports.internal, spiffeId: plan.spiffeId };
      const signIn = toDemoSignIn({ place: plan.jurisdiction, clientId: toClientId(plan) });
      return untilTaken(plan, () => putSignIn(operator.cell({ internal }), { tenant, signIn }));
    }),
  );
}

function isNamed(terms: unknown, issuer: string): boolean {
  if (typeof terms !== 'object' || terms === null || !('identity' in terms)) return false;
  const { identity } = terms;
  return (
    typeof identity === 'object' &&
    identity !== null &&
    'issuer' in identity &&
    identity.issuer === issuer
  );
}

async function nameProvider(
  { layout, operator, approve }: PeopleWork,
  { tenantId, terms, termsSerial, homes }: TenantAnswer,
): Promise<void> {
  const { issuer } = layout.identityProvider;
  if (isNamed(terms, issuer)) return;
  const own = typeof terms === 'object' ? terms : {};
  const next: Json = JSON.parse(
    JSON.stringify({ ...own, identity: { issuer, audience: AUDIENCE } }),
  );
  const hash = createHash('sha256').update(toCanonicalJson(next), 'utf8').digest('hex');
  const approvals = [
    approve({
      v: 1,
      subject: 'terms',
      tenantId: parseTenantId(tenantId),
      serial: termsSerial + 1,
      hash,
    }),
  ];
  const body = { homes, terms: next, approvals };
  unwrap(await operator.control.call({ method: 'PUT', path: `/v1/tenants/${tenantId}`, body }));
}
