// SPDX-License-Identifier: Apache-2.0
// The demonstration's people and what their groups mean. They are made up; a real tenant has its own
// provider, which knows its own people.
import type { SignInGrant, SignInRequest } from '@bailiwick/contracts';

export interface DemoPerson {
  /** Its subject at the provider. */
  readonly id: string;
  readonly name: string;
  readonly group: string;
  /** What it does, for whoever chooses. */
  readonly task: string;
}

/** Who can sign in to the retailer's portal. */
export const DEMO_PEOPLE: readonly DemoPerson[] = [
  { id: 'p-1', name: 'Amara Okafor', group: 'admins', task: 'tenant administrator' },
  {
    id: 'p-2',
    name: 'Sven Lindqvist',
    group: 'security',
    task: 'security officer: holds the keys',
  },
  { id: 'p-3', name: 'Marie Keller', group: 'privacy', task: 'privacy officer' },
  { id: 'p-4', name: 'Tomás Rivera', group: 'audit', task: 'auditor: reads, changes nothing' },
  { id: 'p-5', name: 'Ines Duarte', group: 'operations', task: 'operator' },
  { id: 'p-6', name: 'Jonas Weber', group: 'visitors', task: 'no role: is not let in' },
];

const grant = (role: string, purposes: readonly string[]): SignInGrant => {
  const [defaultPurpose] = purposes;
  return {
    role,
    employer: 'controller',
    purposes,
    ...(defaultPurpose === undefined ? {} : { defaultPurpose }),
  };
};

/** What a cell of this place makes of them. */
export function toDemoSignIn(plan: {
  readonly place: string;
  readonly clientId: string;
}): SignInRequest {
  return {
    algorithms: ['RS256'],
    place: plan.place,
    groupClaim: 'groups',
    grants: {
      admins: grant('tenant-admin', ['operations', 'order-fulfilment']),
      security: grant('security-officer', ['operations']),
      privacy: grant('privacy-officer', ['legal-obligation', 'order-fulfilment']),
      audit: grant('auditor', ['legal-obligation']),
      operations: grant('operator', ['operations']),
    },
    assurances: { substantial: 'substantial' },
    portal: { clientId: plan.clientId },
  };
}
