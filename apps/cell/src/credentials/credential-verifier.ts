// SPDX-License-Identifier: Apache-2.0
// From two headers to a `Credential`: the bearer token says who asks, the residency claim says whose data
// of which place it is about. Both are verified; nothing else a caller sends about itself counts.
import type { IncomingHttpHeaders } from 'node:http';
import { type CellId, isCoded, type Residency, type TenantId } from '@bailiwick/kernel';
import type {
  AccessTokenVerifier,
  AccountClaims,
  OidcVerifier,
  ResidencyClaim,
  ResidencyClaimVerifier,
} from '@bailiwick/oidc';
import { CellError } from '../errors.ts';
import type { Credential } from '../services.ts';

/** What the cell knows of tenants and homes; from the bundle in force. */
export interface TenantDirectory {
  findTenant(tenantId: TenantId): KnownTenant | undefined;
  /** True when the charter has a cell of this residency. */
  isResidency(residency: Residency): boolean;
  homeOf(
    tenantId: TenantId,
    residency: Residency,
  ): { readonly cell: CellId; readonly name?: string } | undefined;
}

export interface KnownTenant {
  readonly tenantId: TenantId;
  readonly state: 'active' | 'suspended' | 'leaving';
  readonly residencies: readonly Residency[];
  /** Verifiers of the tenant's own identity providers. */
  readonly issuers: readonly OidcVerifier[];
}

export interface CredentialVerifier {
  /**
   * The credential of a request: at once where both tokens were verified before and still hold.
   *
   * @throws {CellError} `CELL_CREDENTIAL_*` (401), `CELL_TENANT_*` (403), `RESIDENCY_*` (400, 403),
   *   `CELL_MISDIRECTED` (421) with the home in `details`
   */
  verify(headers: IncomingHttpHeaders): Credential | Promise<Credential>;
  /** The account alone, for the exchange of a token. */
  verifyAccess(token: string, tenantId?: TenantId): Promise<AccountClaims>;
}

export interface CredentialPorts {
  readonly cellId: CellId;
  readonly access: AccessTokenVerifier;
  readonly claims: ResidencyClaimVerifier;
  readonly tenants: TenantDirectory;
}

const BEARER = /^Bearer ([A-Za-z0-9._~+/=-]{1,8192})$/i;

/** Makes the verifier of one cell. */
export function createCredentialVerifier(ports: CredentialPorts): CredentialVerifier {
  const verifyAccess = async (token: string, tenantId?: TenantId): Promise<AccountClaims> => {
    try {
      return (await ports.access.verify(token)).account;
    } catch (error) {
      // A token of another issuer can be one of the tenant's own identity provider.
      const isOther = isCoded(error, 'OIDC_TOKEN_INVALID');
      const issuers =
        tenantId === undefined ? [] : (ports.tenants.findTenant(tenantId)?.issuers ?? []);
      if (isOther && issuers.length > 0) return verifyAtIssuers(issuers, token);
      throw toCredentialError(error);
    }
  };
  const verifyAnew = async (bearer: string, claimText: string | undefined): Promise<Credential> => {
    const claim = claimText === undefined ? undefined : await verifyClaim(ports, claimText);
    const account = await verifyAccess(bearer, claim?.tenantId);
    return toCredential(ports, account, claim);
  };
  return {
    verifyAccess,
    verify(headers) {
      const authorization = headers.authorization ?? '';
      const claimText = readClaimText(headers);
      if (authorization.startsWith('Bearer ')) {
        const known = ports.access.cache.find(authorization.slice('Bearer '.length));
        const claim = claimText === undefined ? undefined : ports.claims.cache.find(claimText);
        const isKnown = claimText === undefined || claim !== undefined;
        if (known !== undefined && isKnown) return toCredential(ports, known.account, claim);
      }
      const bearer = BEARER.exec(authorization)?.[1];
      if (bearer === undefined) {
        throw new CellError('CELL_CREDENTIAL_MISSING', 'expected `Authorization: Bearer <token>`');
      }
      return verifyAnew(bearer, claimText);
    },
  };
}

/** What the charter and the bundle in force say of a verified account, on each request anew. */
function toCredential(
  ports: CredentialPorts,
  account: AccountClaims,
  claim: ResidencyClaim | undefined,
): Credential {
  assertTenant(ports, account.tenantId);
  if (claim === undefined) {
    throw new CellError('RESIDENCY_CLAIM_MISSING', 'expected `Bailiwick-Residency: <claim>`');
  }
  assertResidency(ports, account.tenantId, claim);
  return { ...account, residency: claim.residency };
}

function readClaimText(headers: IncomingHttpHeaders): string | undefined {
  const value = headers['bailiwick-residency'];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

async function verifyAtIssuers(
  issuers: readonly OidcVerifier[],
  token: string,
): Promise<AccountClaims> {
  let last: unknown;
  for (const issuer of issuers) {
    try {
      return (await issuer.verify(token)).account;
    } catch (error) {
      last = error;
    }
  }
  throw toCredentialError(last);
}

function toCredentialError(cause: unknown): unknown {
  if (isCoded(cause, 'OIDC_TOKEN_EXPIRED')) {
    return new CellError('CELL_CREDENTIAL_EXPIRED', 'the token has run out', { cause });
  }
  if (isCoded(cause, 'OIDC_TOKEN_INVALID')) {
    return new CellError('CELL_CREDENTIAL_INVALID', 'the token is not one for this cell', {
      cause,
    });
  }
  return cause;
}

async function verifyClaim(ports: CredentialPorts, text: string): Promise<ResidencyClaim> {
  try {
    return await ports.claims.verify(text);
  } catch (cause) {
    if (isCoded(cause, 'OIDC_TOKEN_EXPIRED') || isCoded(cause, 'OIDC_TOKEN_INVALID')) {
      throw new CellError('RESIDENCY_CLAIM_INVALID', 'the residency claim does not verify', {
        cause,
      });
    }
    throw cause;
  }
}

function assertTenant({ tenants }: CredentialPorts, tenantId: TenantId): void {
  const tenant = tenants.findTenant(tenantId);
  if (tenant === undefined) {
    throw new CellError('CELL_TENANT_UNKNOWN', 'no bundle has brought this tenant here');
  }
  if (tenant.state === 'suspended') {
    throw new CellError('CELL_TENANT_SUSPENDED', 'the tenant is suspended in this cell', {
      details: { tenantId },
    });
  }
}

/** Refusals name the tenant in `details`: the account is verified by then, and they are its entries. */
function assertResidency(ports: CredentialPorts, tenantId: TenantId, claim: ResidencyClaim): void {
  const { tenants, cellId } = ports;
  const refuse = (
    code: 'RESIDENCY_CLAIM_INVALID' | 'RESIDENCY_UNSUPPORTED' | 'RESIDENCY_FORBIDDEN',
    problem: string,
  ): never => {
    throw new CellError(code, problem, { details: { tenantId } });
  };
  // SECURITY: without this a claim of one tenant would open another tenant's place.
  if (claim.tenantId !== tenantId) {
    refuse('RESIDENCY_CLAIM_INVALID', 'the residency claim is of another tenant');
  }
  if (!tenants.isResidency(claim.residency)) {
    refuse('RESIDENCY_UNSUPPORTED', 'the charter has no cell of this residency');
  }
  if (tenants.findTenant(tenantId)?.residencies.includes(claim.residency) !== true) {
    refuse('RESIDENCY_FORBIDDEN', 'the contract does not name this residency');
  }
  const home =
    tenants.homeOf(tenantId, claim.residency) ??
    refuse('RESIDENCY_FORBIDDEN', 'the tenant has no home of this residency');
  if (home.cell !== cellId) {
    throw new CellError('CELL_MISDIRECTED', `the home is \`${home.cell}\``, {
      details: {
        tenantId,
        homeCell: home.cell,
        ...(home.name === undefined ? {} : { homeName: home.name }),
      },
    });
  }
}
