// SPDX-License-Identifier: Apache-2.0
import { CodedError } from '@bailiwick/kernel';

/** Codes of this room. `OIDC_TOKEN_INVALID` says in `details.reason` what was wrong, never a value. */
export type OidcErrorCode =
  | 'OIDC_TOKEN_INVALID'
  | 'OIDC_TOKEN_EXPIRED'
  | 'OIDC_ASSERTION_REPLAYED'
  | 'OIDC_REPLAY_GUARD_FULL'
  | 'OIDC_ACCOUNT_UNMAPPED'
  | 'OIDC_SIGN_IN_REFUSED'
  | 'OIDC_ISSUER_INVALID'
  | 'OIDC_ISSUER_UNAVAILABLE';

/** A failure to make or to verify a token. */
export class OidcError extends CodedError<OidcErrorCode> {}

/** What can be wrong with a token, for a log line or a metric. */
export type TokenProblem =
  | 'malformed'
  | 'algorithm'
  | 'type'
  | 'signature'
  | 'key'
  | 'issuer'
  | 'audience'
  | 'lifetime'
  | 'claims';

/** Makes the failure for a bad token. */
export function toInvalidToken(reason: TokenProblem, cause?: unknown): OidcError {
  const options = cause === undefined ? { details: { reason } } : { details: { reason }, cause };
  return new OidcError('OIDC_TOKEN_INVALID', `the token is not valid: ${reason}`, options);
}
