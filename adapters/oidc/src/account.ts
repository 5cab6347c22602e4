// SPDX-License-Identifier: Apache-2.0
// What a credential says about an account. Ids are opaque; purposes and roles are names of the charter.
import {
  ACTOR_KINDS,
  type ActorKind,
  ASSURANCES,
  type Assurance,
  isName,
  parseTenantId,
  type TenantId,
} from '@bailiwick/kernel';
import { toInvalidToken } from './errors.ts';

/** Who asks, as a verified token states it. */
export interface AccountClaims {
  readonly tenantId: TenantId;
  /** Opaque account id (UUID). */
  readonly account: string;
  readonly kind: ActorKind;
  readonly role: string;
  readonly employer: string;
  readonly assurance: Assurance;
  /** Jurisdiction where the actor is. */
  readonly place: string;
  readonly purposes: readonly string[];
  readonly defaultPurpose?: string;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const PURPOSES_COUNT_MAX = 32;

type Payload = Readonly<Record<string, unknown>>;

function readName(payload: Payload, claim: string): string {
  const value = payload[claim];
  if (typeof value !== 'string' || !isName(value)) throw toInvalidToken('claims');
  return value;
}

/** Reads the tenant of a token. */
export function readTenant(payload: Payload): TenantId {
  const { tenant } = payload;
  if (typeof tenant !== 'string') throw toInvalidToken('claims');
  try {
    return parseTenantId(tenant);
  } catch {
    throw toInvalidToken('claims');
  }
}

/** Reads an account out of a verified access token. @throws {OidcError} `OIDC_TOKEN_INVALID` */
export function parseAccountClaims(payload: Payload): AccountClaims {
  const { sub, kind, assurance, purposes, default_purpose: defaultPurpose } = payload;
  if (typeof sub !== 'string' || !UUID.test(sub)) throw toInvalidToken('claims');
  const actorKind = ACTOR_KINDS.find((known) => known === kind);
  const level = ASSURANCES.find((known) => known === assurance);
  if (actorKind === undefined || level === undefined) throw toInvalidToken('claims');
  if (!Array.isArray(purposes) || purposes.length > PURPOSES_COUNT_MAX) {
    throw toInvalidToken('claims');
  }
  const granted = purposes.filter((purpose) => typeof purpose === 'string' && isName(purpose));
  if (granted.length !== purposes.length) throw toInvalidToken('claims');
  if (defaultPurpose !== undefined && !granted.includes(defaultPurpose)) {
    throw toInvalidToken('claims');
  }
  return {
    tenantId: readTenant(payload),
    account: sub,
    kind: actorKind,
    role: readName(payload, 'role'),
    employer: readName(payload, 'employer'),
    assurance: level,
    place: readName(payload, 'place'),
    purposes: granted,
    ...(typeof defaultPurpose === 'string' ? { defaultPurpose } : {}),
  };
}

/** An account as claims of an access token. */
export function toAccountPayload(claims: AccountClaims): Record<string, unknown> {
  return {
    tenant: claims.tenantId,
    kind: claims.kind,
    role: claims.role,
    employer: claims.employer,
    assurance: claims.assurance,
    place: claims.place,
    purposes: [...claims.purposes],
    ...(claims.defaultPurpose === undefined ? {} : { default_purpose: claims.defaultPurpose }),
  };
}
