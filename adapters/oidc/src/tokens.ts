// SPDX-License-Identifier: Apache-2.0
// Tokens that a cell issues: access tokens for its accounts, and residency claims, which say where a
// tenant's residency is and nothing about who asks. Both are EdDSA under the cell's own key.
import type { KeyObject } from 'node:crypto';
import {
  assert,
  type Clock,
  createUuidV7,
  parseResidency,
  type Random,
  type Residency,
  type TenantId,
} from '@bailiwick/kernel';
import { decodeJwt, SignJWT } from 'jose';
import { type AccountClaims, parseAccountClaims, readTenant, toAccountPayload } from './account.ts';
import { toInvalidToken } from './errors.ts';
import { pickKey, type TokenKey, verifyJwt } from './jwt.ts';
import {
  ACCESS_TOKEN_VALID_FOR_MS_MAX,
  RESIDENCY_CLAIM_VALID_FOR_MS_MAX,
  TOKEN_LENGTH_MAX,
} from './limits.ts';
import { createVerifiedCache, type VerifiedCache } from './verified-cache.ts';

/** Type of an access token (RFC 9068 §2.1). */
export const ACCESS_TOKEN_TYPE = 'at+jwt';
/** Type of a residency claim; another than any token that signs somebody in. */
export const RESIDENCY_CLAIM_TYPE = 'residency+jwt';
/** Audience of residency claims: every cell and the router. */
export const RESIDENCY_CLAIM_AUDIENCE = 'bailiwick';

const ALGORITHM = 'EdDSA';

/** A token and when it runs out, milliseconds since 1970. */
export interface IssuedToken {
  readonly token: string;
  readonly expiresAtMs: number;
}

/** A tenant's residency, verified. */
export interface ResidencyClaim {
  readonly issuer: string;
  readonly tenantId: TenantId;
  readonly residency: Residency;
  readonly expiresAtMs: number;
}

/** Verified account and when its token runs out. */
export interface VerifiedAccess {
  readonly account: AccountClaims;
  readonly expiresAtMs: number;
}

/** Signs the tokens of one cell. */
export interface TokenIssuer {
  issueAccessToken(
    account: AccountClaims,
    options: { readonly validForMs: number },
  ): Promise<IssuedToken>;
  issueResidencyClaim(
    home: { readonly tenantId: TenantId; readonly residency: Residency },
    options: { readonly validForMs: number },
  ): Promise<IssuedToken>;
}

export interface IssuerPorts {
  readonly clock: Clock;
  readonly random: Random;
}

/** Makes the issuer of a cell; `issuer` is the cell's server name. */
export function createTokenIssuer(
  ports: IssuerPorts,
  options: { readonly issuer: string; readonly keyId: string; readonly privateKey: KeyObject },
): TokenIssuer {
  const { issuer, keyId, privateKey } = options;
  assert(privateKey.asymmetricKeyType === 'ed25519', 'tokens are signed with ed25519');
  const sign = async (
    claims: Record<string, unknown>,
    header: { readonly type: string; readonly audience: string; readonly subject?: string },
    validForMs: number,
  ): Promise<IssuedToken> => {
    const issuedAt = Math.floor(ports.clock.nowMs() / 1000);
    const expiresAt = issuedAt + Math.floor(validForMs / 1000);
    const jwt = new SignJWT(claims)
      .setProtectedHeader({ alg: ALGORITHM, typ: header.type, kid: keyId })
      .setIssuer(issuer)
      .setAudience(header.audience)
      .setIssuedAt(issuedAt)
      .setExpirationTime(expiresAt)
      .setJti(createUuidV7(ports));
    if (header.subject !== undefined) jwt.setSubject(header.subject);
    return { token: await jwt.sign(privateKey), expiresAtMs: expiresAt * 1000 };
  };
  return {
    issueAccessToken(account, { validForMs }) {
      assert(validForMs >= 1000, 'a token lives at least a second');
      assert(validForMs <= ACCESS_TOKEN_VALID_FOR_MS_MAX, 'an access token is short-lived');
      const header = { type: ACCESS_TOKEN_TYPE, audience: issuer, subject: account.account };
      return sign(toAccountPayload(account), header, validForMs);
    },
    issueResidencyClaim({ tenantId, residency }, { validForMs }) {
      assert(validForMs >= 1000, 'a claim lives at least a second');
      assert(validForMs <= RESIDENCY_CLAIM_VALID_FOR_MS_MAX, 'a residency claim is short-lived');
      // SECURITY: no subject: the claim travels to the router, where nothing about people may be.
      const header = { type: RESIDENCY_CLAIM_TYPE, audience: RESIDENCY_CLAIM_AUDIENCE };
      return sign({ tenant: tenantId, residency }, header, validForMs);
    },
  };
}

/** Verifies access tokens of one issuer, remembering the good ones. */
export interface AccessTokenVerifier {
  /** @throws {OidcError} `OIDC_TOKEN_INVALID`, `OIDC_TOKEN_EXPIRED` */
  verify(token: string): Promise<VerifiedAccess>;
  readonly cache: VerifiedCache<VerifiedAccess>;
}

export function createAccessTokenVerifier(
  clock: Clock,
  options: {
    readonly issuer: string;
    readonly keys: () => readonly TokenKey[];
    readonly countMax?: number;
  },
): AccessTokenVerifier {
  const { issuer, keys, countMax } = options;
  const cache = createVerifiedCache<VerifiedAccess>(
    clock,
    countMax === undefined ? {} : { countMax },
  );
  return {
    cache,
    async verify(token) {
      if (token.length > TOKEN_LENGTH_MAX) throw toInvalidToken('malformed');
      const known = cache.find(token);
      if (known !== undefined) return known;
      const payload = await verifyJwt(token, pickKey(token, keys()), {
        clock,
        type: ACCESS_TOKEN_TYPE,
        algorithms: [ALGORITHM],
        issuer,
        audience: issuer,
        validForMsMax: ACCESS_TOKEN_VALID_FOR_MS_MAX,
        requiredClaims: ['sub', 'jti'],
      });
      const verified = { account: parseAccountClaims(payload), expiresAtMs: payload.exp * 1000 };
      cache.remember(token, verified, verified.expiresAtMs);
      return verified;
    },
  };
}

/** Verifies residency claims of any issuer whose keys are known. */
export interface ResidencyClaimVerifier {
  /** @throws {OidcError} `OIDC_TOKEN_INVALID`, `OIDC_TOKEN_EXPIRED` */
  verify(token: string): Promise<ResidencyClaim>;
  readonly cache: VerifiedCache<ResidencyClaim>;
}

export function createResidencyClaimVerifier(
  clock: Clock,
  options: {
    /** Keys of an issuer (a cell's server name); none when it is unknown. */
    readonly keysOf: (issuer: string) => readonly TokenKey[];
    readonly countMax?: number;
  },
): ResidencyClaimVerifier {
  const { keysOf, countMax } = options;
  const cache = createVerifiedCache<ResidencyClaim>(
    clock,
    countMax === undefined ? {} : { countMax },
  );
  return {
    cache,
    async verify(token) {
      if (token.length > TOKEN_LENGTH_MAX) throw toInvalidToken('malformed');
      const known = cache.find(token);
      if (known !== undefined) return known;
      const issuer = readIssuer(token);
      const payload = await verifyJwt(token, pickKey(token, keysOf(issuer)), {
        clock,
        type: RESIDENCY_CLAIM_TYPE,
        algorithms: [ALGORITHM],
        issuer,
        audience: RESIDENCY_CLAIM_AUDIENCE,
        validForMsMax: RESIDENCY_CLAIM_VALID_FOR_MS_MAX,
        requiredClaims: ['jti'],
      });
      // SECURITY: a claim with a subject is somebody's sign-in under another name.
      if (payload.sub !== undefined) throw toInvalidToken('claims');
      const claim = {
        issuer,
        tenantId: readTenant(payload),
        residency: readResidency(payload['residency']),
        expiresAtMs: payload.exp * 1000,
      };
      cache.remember(token, claim, claim.expiresAtMs);
      return claim;
    },
  };
}

/** Reads who a token says has issued it, only to find the keys that it must then verify with. */
function readIssuer(token: string): string {
  try {
    const { iss } = decodeJwt(token);
    if (typeof iss === 'string') return iss;
  } catch {
    throw toInvalidToken('malformed');
  }
  throw toInvalidToken('issuer');
}

function readResidency(value: unknown): Residency {
  if (typeof value !== 'string') throw toInvalidToken('claims');
  try {
    return parseResidency(value);
  } catch {
    throw toInvalidToken('claims');
  }
}
