// SPDX-License-Identifier: Apache-2.0
// SPIFFE ids: the names of workloads. They never name a person: operators appear under account names.
import type { Brand } from '@bailiwick/kernel';
import { PkiError } from './errors.ts';

/** A workload's name: `spiffe://bailiwick.localhost/cell/eu-de/main`. */
export type SpiffeId = Brand<'SpiffeId'>;

// SPIFFE-ID §2.1 to §2.4: characters of trust domain and path segments, and their lengths.
const TRUST_DOMAIN = /^[a-z0-9._-]{1,255}$/;
const SEGMENT = /^[a-zA-Z0-9._-]+$/;
const ID_LENGTH_MAX = 2048;
const SCHEME = 'spiffe://';

function refuse(problem: string): never {
  throw new PkiError('PKI_SPIFFE_ID_INVALID', `not a valid spiffe id: ${problem}`);
}

/** Reads a trust domain: `bailiwick.localhost`. @throws {PkiError} `PKI_SPIFFE_ID_INVALID` */
export function parseTrustDomain(text: string): string {
  return TRUST_DOMAIN.test(text) ? text : refuse('expected a trust domain in lower case');
}

/** Reads the id of a workload; it has a path. @throws {PkiError} `PKI_SPIFFE_ID_INVALID` */
export function parseSpiffeId(text: string): SpiffeId {
  if (text.length > ID_LENGTH_MAX) refuse('longer than 2048 characters');
  if (!text.startsWith(SCHEME)) refuse('expected the scheme `spiffe`');
  const [trustDomain = '', ...segments] = text.slice(SCHEME.length).split('/');
  parseTrustDomain(trustDomain);
  if (segments.length === 0) refuse('expected a path');
  for (const segment of segments) {
    if (!SEGMENT.test(segment) || segment === '.' || segment === '..') {
      refuse('a path has plain segments and no empty one');
    }
  }
  return text as SpiffeId;
}

/** The trust domain of an id. */
export function toTrustDomain(id: SpiffeId): string {
  return id.slice(SCHEME.length).split('/')[0] ?? '';
}
