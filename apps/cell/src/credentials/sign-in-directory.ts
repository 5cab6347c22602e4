// SPDX-License-Identifier: Apache-2.0
// The tenants' own identity providers: issuer and audience from the contract terms, the meaning of their
// groups from the operators. An account's id is a keyed hash of issuer and subject: the subject's name at
// the provider is kept nowhere.
import { createHmac, type KeyObject } from 'node:crypto';
import type { ContractTerms } from '@bailiwick/charter';
import type { SignInRequest } from '@bailiwick/contracts';
import { type Clock, type TenantId, toUuid } from '@bailiwick/kernel';
import {
  createOidcVerifier,
  createSignInClient,
  type OidcPorts,
  type OidcVerifier,
  type SignInClient,
} from '@bailiwick/oidc';
import type { Database } from '@bailiwick/postgres';
import type { Log } from '@bailiwick/telemetry';
import { findSignIn } from '../tenants/tenant-store.ts';

export interface SignInPorts {
  readonly clock: Clock;
  readonly database: Database;
  readonly macKey: KeyObject;
  readonly log: Log;
  /** Where providers send browsers back to; absent: this cell serves no portal. */
  readonly redirectUri?: string;
}

/** The cell's client at a tenant's provider. */
export interface TenantSignIn extends SignInClient {
  readonly issuer: string;
}

export interface SignInDirectory {
  verifiersOf(tenantId: TenantId): readonly OidcVerifier[];
  /** Where the tenant's people sign in with a browser; nothing where that is not set up. */
  clientOf(tenantId: TenantId): TenantSignIn | undefined;
  /** Reads again what the operators set up for a tenant. */
  refresh(tenantId: TenantId, terms: ContractTerms | undefined): Promise<void>;
}

const NONE: readonly OidcVerifier[] = [];

/** Makes the directory; empty until tenants are refreshed. */
export function createSignInDirectory(ports: SignInPorts): SignInDirectory {
  const verifiers = new Map<TenantId, readonly OidcVerifier[]>();
  const clients = new Map<TenantId, TenantSignIn>();
  const texts = new Map<TenantId, string>();
  return {
    verifiersOf: (tenantId) => verifiers.get(tenantId) ?? NONE,
    clientOf: (tenantId) => clients.get(tenantId),
    async refresh(tenantId, terms) {
      const identity = terms?.identity;
      const signIn =
        identity === undefined ? undefined : await findSignIn(ports.database, tenantId);
      const text = JSON.stringify([identity, signIn]);
      // What is as it was keeps what it knows of its provider.
      if (texts.get(tenantId) === text) return;
      verifiers.delete(tenantId);
      clients.delete(tenantId);
      texts.set(tenantId, text);
      if (identity === undefined || signIn === undefined) return;
      const setUp = { tenantId, identity, signIn };
      verifiers.set(tenantId, [toVerifier(ports, setUp)]);
      const client = toClient(ports, setUp);
      if (client !== undefined) clients.set(tenantId, client);
    },
  };
}

interface SetUp {
  readonly tenantId: TenantId;
  readonly identity: NonNullable<ContractTerms['identity']>;
  readonly signIn: SignInRequest;
}

function toVerifier(ports: SignInPorts, { tenantId, identity, signIn }: SetUp): OidcVerifier {
  return createOidcVerifier(toOidcPorts(ports, tenantId), {
    ...signIn,
    tenantId,
    issuer: identity.issuer,
    audience: identity.audience,
  });
}

function toClient(
  ports: SignInPorts,
  { tenantId, identity, signIn: { portal, ...signIn } }: SetUp,
): TenantSignIn | undefined {
  const { redirectUri } = ports;
  if (portal === undefined || redirectUri === undefined) return undefined;
  const { issuer, audience } = identity;
  const terms = { ...signIn, ...portal, tenantId, issuer, audience, redirectUri };
  return { issuer, ...createSignInClient(toOidcPorts(ports, tenantId), terms) };
}

/** The same person has the same account, with a token of their own and in the portal. */
function toOidcPorts({ clock, macKey }: SignInPorts, tenantId: TenantId): OidcPorts {
  const accountOf = (issuer: string, subject: string): string => {
    const mac = createHmac('sha256', macKey).update('bailiwick/sign-in/v1\0');
    mac.update(JSON.stringify([tenantId, issuer, subject]));
    return toUuid(mac.digest().subarray(0, 16), 8);
  };
  return { clock, fetch, accountOf };
}
