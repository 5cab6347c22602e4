// SPDX-License-Identifier: Apache-2.0
// What an issuer says of itself: its keys and its endpoints. Asked for once and kept; asked for again at
// most every half minute, whatever callers send. Nothing it says is trusted further than its own tokens.
import type { Clock } from '@bailiwick/kernel';
import { createRemoteJWKSet, customFetch, errors, type JWTVerifyGetKey } from 'jose';
import { OidcError } from './errors.ts';
import { fetchBounded } from './fetch-bounded.ts';
import {
  ISSUER_CACHE_MS,
  ISSUER_COOLDOWN_MS,
  ISSUER_KEYS_COUNT_MAX,
  ISSUER_TIMEOUT_MS,
} from './limits.ts';

export interface DiscoveryPorts {
  readonly clock: Clock;
  readonly fetch: typeof fetch;
}

/** What discovery found. */
export interface Discovered {
  readonly keys: JWTVerifyGetKey;
  /** Absent where the provider has none or it is no safe URL: then nobody signs in there. */
  readonly authorizationEndpoint?: URL;
  readonly tokenEndpoint?: URL;
  /** RFC 9207: its answers name the issuer. */
  readonly isIssuerNamed: boolean;
}

/** SECURITY: tokens and keys come over TLS; plain HTTP is for a provider on this very machine. */
export function parseEndpoint(text: unknown, what: string): URL {
  const url = typeof text === 'string' ? URL.parse(text) : null;
  const isLoopback = url?.hostname === '127.0.0.1' || url?.hostname === 'localhost';
  const isSafe = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback);
  if (url === null || !isSafe || url.username !== '' || url.password !== '' || url.hash !== '') {
    throw new OidcError('OIDC_ISSUER_INVALID', `the issuer's ${what} is not an https url`);
  }
  return url;
}

type Document = Readonly<Record<string, unknown>>;

async function fetchDocument(ports: DiscoveryPorts, issuer: string): Promise<Document> {
  const base = issuer.endsWith('/') ? issuer.slice(0, -1) : issuer;
  const response = await fetchBounded(ports.fetch, `${base}/.well-known/openid-configuration`, {
    signal: AbortSignal.timeout(ISSUER_TIMEOUT_MS),
  });
  const document: unknown = response.ok ? await response.json() : undefined;
  if (typeof document !== 'object' || document === null) {
    throw new OidcError('OIDC_ISSUER_INVALID', 'the issuer has no discovery document');
  }
  return { ...document };
}

/** Gives one function that finds the issuer's keys and endpoints, single-flight and cached. */
export function createDiscovery(ports: DiscoveryPorts, issuer: string): () => Promise<Discovered> {
  let found: { readonly value: Discovered; readonly untilMs: number } | undefined;
  let inFlight: Promise<Discovered> | undefined;
  let failedUntilMs = Number.NEGATIVE_INFINITY;
  const discover = async (): Promise<Discovered> => {
    const document = await fetchDocument(ports, issuer);
    // SECURITY: OpenID Connect Discovery §4.3: a document that names another issuer is somebody else's.
    if (document['issuer'] !== issuer) {
      throw new OidcError('OIDC_ISSUER_INVALID', 'the discovery document names another issuer');
    }
    const authorizationEndpoint = findEndpoint(document['authorization_endpoint']);
    const tokenEndpoint = findEndpoint(document['token_endpoint']);
    return {
      keys: toKeySource(ports, document['jwks_uri']),
      ...(authorizationEndpoint === undefined ? {} : { authorizationEndpoint }),
      ...(tokenEndpoint === undefined ? {} : { tokenEndpoint }),
      isIssuerNamed: document['authorization_response_iss_parameter_supported'] === true,
    };
  };
  return async () => {
    const nowMs = ports.clock.monotonicMs();
    if (found !== undefined && nowMs < found.untilMs) return found.value;
    if (nowMs < failedUntilMs) {
      throw new OidcError(
        'OIDC_ISSUER_UNAVAILABLE',
        'the issuer could not be reached a moment ago',
      );
    }
    inFlight ??= discover()
      .then((value) => {
        found = { value, untilMs: ports.clock.monotonicMs() + ISSUER_CACHE_MS };
        return value;
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

function findEndpoint(text: unknown): URL | undefined {
  return text === undefined ? undefined : parseEndpoint(text, 'endpoint');
}

function toKeySource(ports: DiscoveryPorts, keysUrl: unknown): JWTVerifyGetKey {
  const remote = createRemoteJWKSet(parseEndpoint(keysUrl, 'key set'), {
    timeoutDuration: ISSUER_TIMEOUT_MS,
    cooldownDuration: ISSUER_COOLDOWN_MS,
    cacheMaxAge: ISSUER_CACHE_MS,
    [customFetch]: (url: string, init: { headers: Headers; signal: AbortSignal }) =>
      fetchBounded(ports.fetch, url, { signal: init.signal }),
  });
  return async (header, token) => {
    const key = await remote(header, token).catch((cause: unknown) => {
      const isAnswer =
        cause instanceof OidcError ||
        cause instanceof errors.JWKSNoMatchingKey ||
        cause instanceof errors.JWKSMultipleMatchingKeys;
      if (isAnswer) throw cause;
      throw new OidcError('OIDC_ISSUER_UNAVAILABLE', "the issuer's keys cannot be read", { cause });
    });
    if ((remote.jwks()?.keys.length ?? 0) > ISSUER_KEYS_COUNT_MAX) {
      throw new OidcError('OIDC_ISSUER_INVALID', 'the issuer has too many keys');
    }
    return key;
  };
}
