// SPDX-License-Identifier: Apache-2.0
// private_key_jwt (RFC 7523, OpenID Connect Core §9): a service account proves that it has its key. Each
// assertion is good once and for minutes.
import type { KeyObject } from 'node:crypto';
import { assert, type Clock, createUuidV7 } from '@bailiwick/kernel';
import { decodeJwt, SignJWT } from 'jose';
import { OidcError, toInvalidToken } from './errors.ts';
import { pickKey, readHeader, type TokenKey, verifyJwt } from './jwt.ts';
import { ASSERTION_VALID_FOR_MS_MAX, TOKEN_LENGTH_MAX } from './limits.ts';
import type { ReplayGuard } from './replay-guard.ts';
import type { IssuerPorts } from './tokens.ts';

/** Value of `client_assertion_type` (RFC 7523 §2.2). */
export const CLIENT_ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
/** Type of an assertion, so that no other token passes for one. */
export const CLIENT_ASSERTION_TOKEN_TYPE = 'client-authentication+jwt';

const ALGORITHM = 'EdDSA';
const ID_LENGTH_MAX = 128;

/** Signs an assertion for the token endpoint of `audience` (the cell's server name). */
export async function signClientAssertion(
  ports: IssuerPorts,
  options: {
    readonly clientId: string;
    readonly audience: string;
    readonly keyId: string;
    readonly privateKey: KeyObject;
    readonly validForMs?: number;
  },
): Promise<string> {
  const { clientId, audience, keyId, privateKey, validForMs = 60_000 } = options;
  assert(validForMs <= ASSERTION_VALID_FOR_MS_MAX, 'an assertion is short-lived');
  const issuedAt = Math.floor(ports.clock.nowMs() / 1000);
  return await new SignJWT({})
    .setProtectedHeader({ alg: ALGORITHM, typ: CLIENT_ASSERTION_TOKEN_TYPE, kid: keyId })
    .setIssuer(clientId)
    .setSubject(clientId)
    .setAudience(audience)
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + Math.ceil(validForMs / 1000))
    .setJti(createUuidV7(ports))
    .sign(privateKey);
}

/** Reads which account an assertion is about, to look up its key. Nothing is verified yet. */
export function readClientId(assertion: string): string {
  if (assertion.length > TOKEN_LENGTH_MAX) throw toInvalidToken('malformed');
  readHeader(assertion);
  let clientId: unknown;
  try {
    clientId = decodeJwt(assertion).sub;
  } catch {
    throw toInvalidToken('malformed');
  }
  if (typeof clientId !== 'string' || clientId.length > ID_LENGTH_MAX) {
    throw toInvalidToken('claims');
  }
  return clientId;
}

/**
 * Verifies that the holder of one of `keys` sent this assertion, for the first time.
 *
 * @throws {OidcError} `OIDC_TOKEN_INVALID`, `OIDC_TOKEN_EXPIRED`, `OIDC_ASSERTION_REPLAYED`,
 *   `OIDC_REPLAY_GUARD_FULL`
 */
export async function verifyClientAssertion(
  ports: { readonly clock: Clock; readonly replays: ReplayGuard },
  options: {
    readonly assertion: string;
    readonly clientId: string;
    readonly audience: string;
    readonly keys: readonly TokenKey[];
  },
): Promise<void> {
  const { assertion, clientId, audience, keys } = options;
  const payload = await verifyJwt(assertion, pickKey(assertion, keys), {
    clock: ports.clock,
    type: CLIENT_ASSERTION_TOKEN_TYPE,
    algorithms: [ALGORITHM],
    issuer: clientId,
    audience,
    validForMsMax: ASSERTION_VALID_FOR_MS_MAX,
    requiredClaims: ['sub', 'jti'],
  });
  if (payload.sub !== clientId) throw toInvalidToken('claims');
  const { jti } = payload;
  if (typeof jti !== 'string' || jti === '' || jti.length > ID_LENGTH_MAX) {
    throw toInvalidToken('claims');
  }
  // SECURITY: claimed last, so that a forged assertion cannot use up somebody's id.
  if (!(await ports.replays.claim(`${clientId} ${jti}`, payload.exp * 1000))) {
    throw new OidcError('OIDC_ASSERTION_REPLAYED', 'the assertion was used before');
  }
}
