// SPDX-License-Identifier: Apache-2.0
export { type AccountClaims, parseAccountClaims } from './account.ts';
export {
  CLIENT_ASSERTION_TOKEN_TYPE,
  CLIENT_ASSERTION_TYPE,
  readClientId,
  signClientAssertion,
  verifyClientAssertion,
} from './assertion.ts';
export { OidcError, type OidcErrorCode, type TokenProblem } from './errors.ts';
export type { TokenKey } from './jwt.ts';
export {
  ACCESS_TOKEN_VALID_FOR_MS_MAX,
  ASSERTION_VALID_FOR_MS_MAX,
  RESIDENCY_CLAIM_VALID_FOR_MS_MAX,
  TOKEN_LENGTH_MAX,
} from './limits.ts';
export {
  createOidcVerifier,
  OIDC_ALGORITHMS,
  type OidcAlgorithm,
  type OidcGrant,
  type OidcIssuerTerms,
  type OidcPorts,
  type OidcVerifier,
} from './oidc-issuer.ts';
export { createReplayGuard, type ReplayGuard } from './replay-guard.ts';
export {
  createSignInClient,
  type SignInClient,
  type SignInClientTerms,
  type SignInRequestParts,
} from './sign-in-client.ts';
export {
  ACCESS_TOKEN_TYPE,
  type AccessTokenVerifier,
  createAccessTokenVerifier,
  createResidencyClaimVerifier,
  createTokenIssuer,
  type IssuedToken,
  type IssuerPorts,
  RESIDENCY_CLAIM_AUDIENCE,
  RESIDENCY_CLAIM_TYPE,
  type ResidencyClaim,
  type ResidencyClaimVerifier,
  type TokenIssuer,
  type VerifiedAccess,
} from './tokens.ts';
export { createVerifiedCache, type VerifiedCache } from './verified-cache.ts';
