// SPDX-License-Identifier: Apache-2.0
// The tenants' own identity providers: issuer and audience from the contract terms, the meaning of their
// groups from the operators. An account's id is a keyed hash of issuer and subject: the subject's name at
// the provider is kept nowhere.
import { createHmac, type KeyObject } from 'node:crypto';
import type { ContractTerms } from '@bailiwick/charter';
import type { SignInRequest } from '@bailiwick/contracts';
import { type Clock, type TenantId, toUuid } from '@bailiwick/kernel';
import { createOidcVerifier, type OidcVerifier } from '@bailiwick/oidc';
import type { Database } from '@bailiwick/postgres';
import type { Log } from '@bailiwick/telemetry';
import { findSignIn } from '../tenants/tenant-store.ts';

export interface SignInPorts {
  readonly clock: Clock;
  readonly database: Database;
  readonly macKey: KeyObject;
  readonly log: Log;
}

export interface SignInDirectory {
  verifiersOf(tenantId: TenantId): readonly OidcVerifier[];
  /** Reads again what the operators set up for a tenant. */
  refresh(tenantId: TenantId, terms: ContractTerms | undefined): Promise<void>;
}

const NONE: readonly OidcVerifier[] = [];

/** Makes the directory; empty until tenants are refreshed. */
export function createSignInDirectory(ports: SignInPorts): SignInDirectory {
  const verifiers = new Map<TenantId, readonly OidcVerifier[]>();
  return {
    verifiersOf: (tenantId) => verifiers.get(tenantId) ?? NONE,
    async refresh(tenantId, terms) {
      const identity = terms?.identity;
      const signIn =
        identity === undefined ? undefined : await findSignIn(ports.database, tenantId);
      if (identity === undefined || signIn === undefined) verifiers.delete(tenantId);
      else verifiers.set(tenantId, [toVerifier(ports, { tenantId, identity, signIn })]);
    },
  };
}

function toVerifier(
  { clock, macKey }: SignInPorts,
  options: {
    readonly tenantId: TenantId;
    readonly identity: NonNullable<ContractTerms['identity']>;
    readonly signIn: SignInRequest;
  },
): OidcVerifier {
  const { tenantId, identity, signIn } = options;
  const accountOf = (issuer: string, subject: string): string => {
    const mac = createHmac('sha256', macKey).update('bailiwick/sign-in/v1\0');
    mac.update(JSON.stringify([tenantId, issuer, subject]));
    return toUuid(mac.digest().subarray(0, 16), 8);
  };
  return createOidcVerifier(
    { clock, fetch, accountOf },
    { ...signIn, tenantId, issuer: identity.issuer, audience: identity.audience },
  );
}
