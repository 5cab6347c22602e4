// SPDX-License-Identifier: Apache-2.0
// Bearer tokens of a tenant's own OpenID provider. The issuer, its audience, its algorithms and what its
// groups mean are fixed by the tenant's terms; the provider is of the same place as the cell, so no
// sign-in crosses a border. Its subject ids never leave this module: `accountOf` turns them into keyed
// hashes.
import { type Assurance, assert, type Clock, isName, type TenantId } from '@bailiwick/kernel';
import {
  createRemoteJWKSet,
  customFetch,
  errors,
  type JWTPayload,
  type JWTVerifyGetKey,
} from 'jose';
import type { AccountClaims } from './account.ts';
import { OidcError, toInvalidToken } from './errors.ts';
import { fetchBounded } from './fetch-bounded.ts';
import { verifyJwt } from './jwt.ts';
import {
  ISSUER_CACHE_MS,
  ISSUER_COOLDOWN_MS,
  ISSUER_KEYS_COUNT_MAX,
  ISSUER_TIMEOUT_MS,
  TOKEN_LENGTH_MAX,
} from './limits.ts';
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

/** SECURITY: tokens and keys come over TLS; plain HTTP is for a provider on this very machine. */
function parseEndpoint(text: unknown, what: string): URL {
  const url = typeof text === 'string' ? URL.parse(text) : null;
  const isLoopback = url?.hostname === '127.0.0.1' || url?.hostname === 'localhost';
  const isSafe = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback);
  if (url === null || !isSafe || url.username !== '' || url.password !== '' || url.hash !== '') {
    throw new OidcError('OIDC_ISSUER_INVALID', `the issuer's ${what} is not an https url`);
  }
  return url;
}

function assertTerms(terms: OidcIssuerTerms): void {
  parseEndpoint(terms.issuer, 'url');
  assert(terms.algorithms.length > 0, 'an issuer is pinned to algorithms');
  for (const algorithm of terms.algorithms) {
    assert(OIDC_ALGORITHMS.includes(algorithm), 'an issuer signs with a public-key algorithm');
  }
  assert(isName(terms.place), 'an issuer has a place');
}

/**
 * Finds the issuer's keys: discovery once, key set cached, both asked for again at most every half
 * minute, whatever key ids callers invent.
 */
function createKeySource(ports: OidcPorts, terms: OidcIssuerTerms): () => Promise<JWTVerifyGetKey> {
  let found: { readonly keys: JWTVerifyGetKey; readonly untilMs: number } | undefined;
  let inFlight: Promise<JWTVerifyGetKey> | undefined;
  let failedUntilMs = Number.NEGATIVE_INFINITY;
  const boundedFetch = (url: string, init: { headers: Headers; signal: AbortSignal }) =>
    fetchBounded(ports.fetch, url, { signal: init.signal });
  const discover = async (): Promise<JWTVerifyGetKey> => {
    const base = terms.issuer.endsWith('/') ? terms.issuer.slice(0, -1) : terms.issuer;
    const response = await fetchBounded(ports.fetch, `${base}/.well-known/openid-configuration`, {
      signal: AbortSignal.timeout(ISSUER_TIMEOUT_MS),
    });
    const document: unknown = response.ok ? await response.json() : undefined;
    if (typeof document !== 'object' || document === null) {
      throw new OidcError('OIDC_ISSUER_INVALID', 'the issuer has no discovery document');
    }
    const { issuer, jwks_uri: keysUrl } = document as { issuer?: unknown; jwks_uri?: unknown };
    // SECURITY: OpenID Connect Discovery §4.3: a document that names another issuer is somebody else's.
    if (issuer !== terms.issuer) {
      throw new OidcError('OIDC_ISSUER_INVALID', 'the discovery document names another issuer');
    }
    const remote = createRemoteJWKSet(parseEndpoint(keysUrl, 'key set'), {
      timeoutDuration: ISSUER_TIMEOUT_MS,
      cooldownDuration: ISSUER_COOLDOWN_MS,
      cacheMaxAge: ISSUER_CACHE_MS,
      [customFetch]: boundedFetch,
    });
    return async (header, token) => {
      const key = await remote(header, token).catch((cause: unknown) => {
        const isAnswer =
          cause instanceof OidcError ||
          cause instanceof errors.JWKSNoMatchingKey ||
          cause instanceof errors.JWKSMultipleMatchingKeys;
        if (isAnswer) throw cause;
        throw new OidcError('OIDC_ISSUER_UNAVAILABLE', "the issuer's keys cannot be read", {
          cause,
        });
      });
      if ((remote.jwks()?.keys.length ?? 0) > ISSUER_KEYS_COUNT_MAX) {
        throw new OidcError('OIDC_ISSUER_INVALID', 'the issuer has too many keys');
      }
      return key;
    };
  };
  return async () => {
    const nowMs = ports.clock.monotonicMs();
    if (found !== undefined && nowMs < found.untilMs) return found.keys;
    if (nowMs < failedUntilMs) {
      throw new OidcError(
        'OIDC_ISSUER_UNAVAILABLE',
        'the issuer could not be reached a moment ago',
      );
    }
    inFlight ??= discover()
      .then((keys) => {
        found = { keys, untilMs: ports.clock.monotonicMs() + ISSUER_CACHE_MS };
        return keys;
      })
      .catch((cause: unknown) => {
        failedUntilMs = ports.clock.monotonicMs() + ISSUER_COOLDOWN_MS;
        if (cause instanceof OidcError) throw cause;
        throw new OidcError('OIDC_ISSUER_UNAVAILABLE', 'the issuer cannot be reached', { cause });
      })
      .finally(() => {
        inFlight = undefined;
      });
    return await inFlight;
  };
}

/** Picks what the token's groups mean: the first granted group in the order of the terms. */
function findGrant(terms: OidcIssuerTerms, payload: JWTPayload): OidcGrant | undefined {
  const value = payload[terms.groupClaim];
  const groups = new Set<unknown>(Array.isArray(value) ? value : [value]);
  const name = Object.keys(terms.grants).find((group) => groups.has(group));
  return name === undefined ? undefined : terms.grants[name];
}

async function toAccount(
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
  const keySource = createKeySource(ports, terms);
  return {
    async verify(token) {
      if (token.length > TOKEN_LENGTH_MAX) throw toInvalidToken('malformed');
      const known = cache.find(token);
      if (known !== undefined) return known;
      const payload = await verifyJwt(token, await keySource(), {
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
