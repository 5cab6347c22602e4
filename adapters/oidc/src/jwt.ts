// SPDX-License-Identifier: Apache-2.0
// One strict way to verify a compact JWS with a known key: algorithm, type, issuer, audience and
// lifetime are fixed by the verifier and never by the token.
import type { KeyObject } from 'node:crypto';
import type { Clock } from '@bailiwick/kernel';
import {
  decodeProtectedHeader,
  errors,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose';
import { OidcError, type TokenProblem, toInvalidToken } from './errors.ts';
import { TOKEN_LENGTH_MAX } from './limits.ts';

/** A public key that the verifier pinned, by the `kid` that tokens name. */
export interface TokenKey {
  readonly keyId: string;
  readonly publicKey: KeyObject;
}

export interface TokenRules {
  readonly clock: Clock;
  /** `typ` that the header must have; several where a standard leaves it open, '' for none at all. */
  readonly type: string | readonly string[];
  readonly algorithms: readonly string[];
  readonly issuer: string;
  readonly audience: string;
  readonly validForMsMax: number;
  readonly toleranceMs?: number;
  readonly requiredClaims?: readonly string[];
}

/** A token may be issued a little in the future, because clocks differ; none lives on past its end. */
const CLOCK_SKEW_MS = 5000;

const PROBLEM_BY_CLAIM: Readonly<Record<string, TokenProblem>> = {
  iss: 'issuer',
  aud: 'audience',
  typ: 'type',
  exp: 'lifetime',
  iat: 'lifetime',
  nbf: 'lifetime',
};

function toTokenError(error: unknown): OidcError {
  if (error instanceof OidcError) return error;
  if (error instanceof errors.JWTExpired) {
    return new OidcError('OIDC_TOKEN_EXPIRED', 'the token has run out');
  }
  // SECURITY: the library's message may quote claims; only our own word for it travels on.
  if (error instanceof errors.JWTClaimValidationFailed) {
    return toInvalidToken(PROBLEM_BY_CLAIM[error.claim] ?? 'claims');
  }
  if (error instanceof errors.JOSEAlgNotAllowed) return toInvalidToken('algorithm');
  if (error instanceof errors.JWSSignatureVerificationFailed) return toInvalidToken('signature');
  if (error instanceof errors.JWKSNoMatchingKey) return toInvalidToken('key');
  if (error instanceof errors.JWKSMultipleMatchingKeys) return toInvalidToken('key');
  if (error instanceof errors.JOSEError || error instanceof TypeError) {
    return toInvalidToken('malformed');
  }
  throw error;
}

/** Reads the header without trust, to find out what to verify with. */
export function readHeader(token: string): { readonly typ?: string; readonly kid?: string } {
  if (token.length > TOKEN_LENGTH_MAX) throw toInvalidToken('malformed');
  try {
    const { typ, kid } = decodeProtectedHeader(token);
    return {
      ...(typeof typ === 'string' ? { typ } : {}),
      ...(typeof kid === 'string' ? { kid } : {}),
    };
  } catch {
    throw toInvalidToken('malformed');
  }
}

/** Picks the pinned key that the token names; none is a refusal. */
export function pickKey(token: string, keys: readonly TokenKey[]): KeyObject {
  const { kid } = readHeader(token);
  const key = keys.find(({ keyId }) => keyId === kid);
  if (kid === undefined || key === undefined) throw toInvalidToken('key');
  return key.publicKey;
}

/**
 * Verifies a token under these rules. All of `token` is attacker-controlled.
 *
 * @throws {OidcError} `OIDC_TOKEN_INVALID`, `OIDC_TOKEN_EXPIRED`
 */
export async function verifyJwt(
  token: string,
  key: KeyObject | JWTVerifyGetKey,
  rules: TokenRules,
): Promise<JWTPayload & { readonly exp: number; readonly iat: number }> {
  if (token.length > TOKEN_LENGTH_MAX) throw toInvalidToken('malformed');
  if (typeof rules.type !== 'string' && !rules.type.includes(readHeader(token).typ ?? '')) {
    throw toInvalidToken('type');
  }
  const nowMs = rules.clock.nowMs();
  const { toleranceMs = 0 } = rules;
  const options = {
    algorithms: [...rules.algorithms],
    ...(typeof rules.type === 'string' ? { typ: rules.type } : {}),
    issuer: rules.issuer,
    audience: rules.audience,
    currentDate: new Date(nowMs),
    clockTolerance: Math.ceil(toleranceMs / 1000),
    requiredClaims: ['iat', 'exp', ...(rules.requiredClaims ?? [])],
  };
  let payload: JWTPayload;
  try {
    const verified =
      typeof key === 'function'
        ? await jwtVerify(token, key, options)
        : await jwtVerify(token, key, options);
    payload = verified.payload;
  } catch (error) {
    throw toTokenError(error);
  }
  const { exp, iat } = payload;
  if (typeof exp !== 'number' || typeof iat !== 'number') throw toInvalidToken('lifetime');
  if (exp <= iat || (exp - iat) * 1000 > rules.validForMsMax) throw toInvalidToken('lifetime');
  if (iat * 1000 > nowMs + CLOCK_SKEW_MS) throw toInvalidToken('lifetime');
  // SECURITY: several audiences mean that somebody else may hold the token too.
  if (typeof payload.aud !== 'string') throw toInvalidToken('audience');
  return { ...payload, exp, iat };
}
