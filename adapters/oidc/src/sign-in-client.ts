// SPDX-License-Identifier: Apache-2.0
// Sign-in of people in a browser: OpenID Connect's authorization code flow with PKCE, as a public client.
// The code, the verifier and the id token stay on the server; what comes out is an account, nothing of the
// person's name. Deliberately absent: implicit and hybrid flows, refresh tokens, user info.
import { timingSafeEqual } from 'node:crypto';
import { createDiscovery, type Discovered } from './discovery.ts';
import { OidcError, toInvalidToken } from './errors.ts';
import { fetchBounded } from './fetch-bounded.ts';
import { verifyJwt } from './jwt.ts';
import { ISSUER_TIMEOUT_MS } from './limits.ts';
import { assertTerms, type OidcIssuerTerms, type OidcPorts, toAccount } from './oidc-issuer.ts';
import type { VerifiedAccess } from './tokens.ts';

/** A client at one provider of one tenant. `audience` of the terms is not used: an id token's is the client. */
export interface SignInClientTerms extends OidcIssuerTerms {
  readonly clientId: string;
  /** Where the provider sends the browser back to, exactly as registered there. */
  readonly redirectUri: string;
  /** Default `openid`; providers that give groups for a scope of their own need it here. */
  readonly scope?: string;
}

/** What ties an answer to the browser that asked: each 32 random bytes, base64url. */
export interface SignInRequestParts {
  readonly state: string;
  readonly nonce: string;
  /** SHA-256 of the verifier, base64url (RFC 7636, S256). */
  readonly codeChallenge: string;
}

export interface SignInClient {
  /** URL to send the browser to. @throws {OidcError} `OIDC_ISSUER_INVALID`, `OIDC_ISSUER_UNAVAILABLE` */
  start(parts: SignInRequestParts): Promise<string>;
  /**
   * Redeems the code and verifies the id token; all of it is attacker-controlled.
   *
   * @throws {OidcError} `OIDC_SIGN_IN_REFUSED`, `OIDC_TOKEN_INVALID`, `OIDC_TOKEN_EXPIRED`,
   *   `OIDC_ACCOUNT_UNMAPPED`, `OIDC_ISSUER_INVALID`, `OIDC_ISSUER_UNAVAILABLE`
   */
  finish(answer: {
    readonly code: string;
    readonly codeVerifier: string;
    readonly nonce: string;
    /** The `iss` parameter of the answer (RFC 9207), where there was one. */
    readonly issuer?: string;
  }): Promise<VerifiedAccess>;
}

const ID_TOKEN_VALID_FOR_MS_MAX = 86_400_000;
const TOLERANCE_MS = 5_000;
/** OpenID Connect leaves the type of an id token open; an access token's is `at+jwt` and never passes. */
const ID_TOKEN_TYPES = ['', 'JWT'] as const;
const REQUIRED_CLAIMS = ['sub', 'nonce'] as const;

/** Makes the client. */
export function createSignInClient(ports: OidcPorts, terms: SignInClientTerms): SignInClient {
  assertTerms(terms);
  const discover = createDiscovery(ports, terms.issuer);
  return {
    async start({ state, nonce, codeChallenge }) {
      const { authorizationEndpoint } = await discover();
      if (authorizationEndpoint === undefined) {
        throw new OidcError('OIDC_ISSUER_INVALID', 'the issuer signs nobody in with a browser');
      }
      const url = new URL(authorizationEndpoint);
      const parameters = {
        response_type: 'code',
        client_id: terms.clientId,
        redirect_uri: terms.redirectUri,
        scope: terms.scope ?? 'openid',
        state,
        nonce,
        code_challenge: codeChallenge,
        code_challenge_method: 'S256',
      };
      for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
      return url.href;
    },
    async finish({ code, codeVerifier, nonce, issuer }) {
      const discovered = await discover();
      assertIssuer(discovered, { expected: terms.issuer, found: issuer });
      const idToken = await redeem(ports, terms, { code, codeVerifier, discovered });
      const payload = await verifyJwt(idToken, discovered.keys, {
        clock: ports.clock,
        type: ID_TOKEN_TYPES,
        algorithms: terms.algorithms,
        issuer: terms.issuer,
        audience: terms.clientId,
        validForMsMax: terms.validForMsMax ?? ID_TOKEN_VALID_FOR_MS_MAX,
        toleranceMs: TOLERANCE_MS,
        requiredClaims: REQUIRED_CLAIMS,
      });
      if (!isSameText(payload['nonce'], nonce)) throw toInvalidToken('claims');
      const account = await toAccount(ports, terms, payload);
      return { account, expiresAtMs: payload.exp * 1000 };
    },
  };
}

/** SECURITY: RFC 9207: an answer that another issuer sent must not be redeemed at this one. */
function assertIssuer(
  { isIssuerNamed }: Discovered,
  { expected, found }: { readonly expected: string; readonly found: string | undefined },
): void {
  if (found === expected || (found === undefined && !isIssuerNamed)) return;
  throw new OidcError('OIDC_SIGN_IN_REFUSED', 'the answer is not of the issuer that was asked');
}

async function redeem(
  ports: OidcPorts,
  terms: SignInClientTerms,
  {
    code,
    codeVerifier,
    discovered: { tokenEndpoint },
  }: {
    readonly code: string;
    readonly codeVerifier: string;
    readonly discovered: Discovered;
  },
): Promise<string> {
  if (tokenEndpoint === undefined) {
    throw new OidcError('OIDC_ISSUER_INVALID', 'the issuer signs nobody in with a browser');
  }
  const form = new URLSearchParams({
    grant_type: 'authorization_code',
    code,
    redirect_uri: terms.redirectUri,
    client_id: terms.clientId,
    code_verifier: codeVerifier,
  });
  const response = await fetchBounded(ports.fetch, tokenEndpoint.href, {
    signal: AbortSignal.timeout(ISSUER_TIMEOUT_MS),
    form,
  });
  const answer: unknown = await response.json().catch(() => undefined);
  if (response.status >= 500) {
    throw new OidcError('OIDC_ISSUER_UNAVAILABLE', 'the issuer failed to redeem the code');
  }
  const isAnswer = response.ok && typeof answer === 'object' && answer !== null;
  const idToken: unknown = isAnswer && 'id_token' in answer ? answer.id_token : undefined;
  if (typeof idToken === 'string') return idToken;
  throw new OidcError('OIDC_SIGN_IN_REFUSED', 'the issuer did not redeem the code');
}

function isSameText(found: unknown, expected: string): boolean {
  if (typeof found !== 'string') return false;
  const [a, b] = [Buffer.from(found), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}
