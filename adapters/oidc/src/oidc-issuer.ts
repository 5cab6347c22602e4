// SPDX-License-Identifier: Apache-2.0
// Bearer tokens of a tenant's own OpenID provider. The issuer, its audience, its algorithms and what its
// groups mean are fixed by the tenant's terms; the provider is of the same place as the cell, so no
// sign-in crosses a border. Its subject ids never leave this module: `accountOf` turns them into keyed
// hashes.
import { type Assurance, assert, type Clock, isName, type TenantId } from '@bailiwick/kernel';
import type { JWTPayload } from 'jose';
import type { AccountClaims } from './account.ts';
import { createDiscovery, parseEndpoint } from './discovery.ts';
import { OidcError, toInvalidToken } from './errors.ts';
import { verifyJwt } from './jwt.ts';
import { TOKEN_LENGTH_MAX } from './limits.ts';
import type { VerifiedAccess } from './tokens.ts';
import { createVerifiedCache } from './verified-cache.ts';

/** Algorithms that an issuer may be pinned to; never `none`, never a shared secret. */
export const OIDC_ALGORITHMS = ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA'] as const;
export type OidcAlgorithm = (typeof OIDC_ALGORITHMS)[number];

/** What membership of a group means here. */
export interface OidcGrant {
  readonly role: string;
  readonly employer: string;
  readonly purposes: readonly string[];
  readonly defaultPurpose?: string;
}

/** One OpenID provider of one tenant, as its terms state it. */
export interface OidcIssuerTerms {
  readonly tenantId: TenantId;
  /** Issuer URL, exactly as tokens name it. */
  readonly issuer: string;
  readonly audience: string;
  readonly algorithms: readonly OidcAlgorithm[];
  /** Jurisdiction where the provider stands and its people are. */
  readonly place: string;
  /** `typ` of its access tokens; RFC 9068 says `at+jwt`. */
  readonly tokenType?: string;
  /** The claim with the groups, and what each group means. The first group in this order decides. */
  readonly groupClaim: string;
  readonly grants: Readonly<Record<string, OidcGrant>>;
  /** `acr` values to assurance; anything else is `low`. */
  readonly assurances?: Readonly<Record<string, Assurance>>;
  readonly validForMsMax?: number;
}

export interface OidcPorts {
  readonly clock: Clock;
  readonly fetch: typeof fetch;
  /** Turns issuer and subject into an opaque account id: a keyed hash. */
  readonly accountOf: (issuer: string, subject: string) => string | Promise<string>;
}

/** Verifies bearer tokens of one issuer. */
export interface OidcVerifier {
  /**
   * @throws {OidcError} `OIDC_TOKEN_INVALID`, `OIDC_TOKEN_EXPIRED`, `OIDC_ACCOUNT_UNMAPPED`,
   *   `OIDC_ISSUER_INVALID`, `OIDC_ISSUER_UNAVAILABLE`
   */
  verify(token: string): Promise<VerifiedAccess>;
}

const VALID_FOR_MS_MAX = 3_600_000;
const TOLERANCE_MS = 5000;

/** Refuses terms that no verifier may be made of. */
export function assertTerms(terms: OidcIssuerTerms): void {
  parseEndpoint(terms.issuer, 'url');
  assert(terms.algorithms.length > 0, 'an issuer is pinned to algorithms');
  for (const algorithm of terms.algorithms) {
    assert(OIDC_ALGORITHMS.includes(algorithm), 'an issuer signs with a public-key algorithm');
  }
  assert(isName(terms.place), 'an issuer has a place');
}

/** Picks what the token's groups mean: the first granted group in the order of the terms. */
function findGrant(terms: OidcIssuerTerms, payload: JWTPayload): OidcGrant | undefined {
  const value = payload[terms.groupClaim];
  const groups = new Set<unknown>(Array.isArray(value) ? value : [value]);
  const name = Object.keys(terms.grants).find((group) => groups.has(group));
  return name === undefined ? undefined : terms.grants[name];
}

/** The account that a verified token of this issuer stands for. @throws {OidcError} `OIDC_ACCOUNT_UNMAPPED` */
export async function toAccount(
  ports: OidcPorts,
  terms: OidcIssuerTerms,
  payload: JWTPayload,
): Promise<AccountClaims> {
  const { sub, acr } = payload;
  if (typeof sub !== 'string' || sub === '' || sub.length > 255) throw toInvalidToken('claims');
  const grant = findGrant(terms, payload);
  if (grant === undefined) {
    throw new OidcError('OIDC_ACCOUNT_UNMAPPED', 'no group of this account means anything here');
  }
  const levels = terms.assurances ?? {};
  const assurance = typeof acr === 'string' && Object.hasOwn(levels, acr) ? levels[acr] : undefined;
  return {
    tenantId: terms.tenantId,
    account: await ports.accountOf(terms.issuer, sub),
    kind: 'person',
    role: grant.role,
    employer: grant.employer,
    assurance: assurance ?? 'low',
    place: terms.place,
    purposes: grant.purposes,
    ...(grant.defaultPurpose === undefined ? {} : { defaultPurpose: grant.defaultPurpose }),
  };
}

/** Makes the verifier for one provider of one tenant. */
export function createOidcVerifier(ports: OidcPorts, terms: OidcIssuerTerms): OidcVerifier {
  assertTerms(terms);
  const cache = createVerifiedCache<VerifiedAccess>(ports.clock);
  const discover = createDiscovery(ports, terms.issuer);
  return {
    async verify(token) {
      if (token.length > TOKEN_LENGTH_MAX) throw toInvalidToken('malformed');
      const known = cache.find(token);
      if (known !== undefined) return known;
      const { keys } = await discover();
      const payload = await verifyJwt(token, keys, {
        clock: ports.clock,
        type: terms.tokenType ?? 'at+jwt',
        algorithms: terms.algorithms,
        issuer: terms.issuer,
        audience: terms.audience,
        validForMsMax: terms.validForMsMax ?? VALID_FOR_MS_MAX,
        toleranceMs: TOLERANCE_MS,
        requiredClaims: ['sub'],
      });
      const account = await toAccount(ports, terms, payload);
      const verified = { account, expiresAtMs: payload.exp * 1000 };
      cache.remember(token, verified, verified.expiresAtMs);
      return verified;
    },
  };
}
