// SPDX-License-Identifier: Apache-2.0
// A session as a credential: what the portal's own page asks is asked by the person who signed in. Requests
// with a bearer token go the way they always went and never look at a cookie.
import type { IncomingHttpHeaders } from 'node:http';
import {
  type CellId,
  type Clock,
  isCoded,
  parseTenantId,
  type Residency,
  type TenantId,
} from '@bailiwick/kernel';
import type { Database } from '@bailiwick/postgres';
import type { CredentialVerifier, TenantDirectory } from '../credentials/credential-verifier.ts';
import type { SignInDirectory } from '../credentials/sign-in-directory.ts';
import { CellError } from '../errors.ts';
import type { Credential } from '../services.ts';
import { findCookie, SESSION_COOKIE } from './cookies.ts';
import { findSession, type Session } from './session-store.ts';

export interface SessionPorts {
  readonly cellId: CellId;
  readonly clock: Clock;
  readonly database: Database;
  readonly tenants: TenantDirectory;
  readonly signIns: SignInDirectory;
  /** How browsers name this cell. */
  readonly origin: string;
}

/** What a session's cookie holds: the tenant, so that row security can be set, and the secret. */
export interface SessionToken {
  readonly tenantId: TenantId;
  readonly token: string;
}

const TOKEN = /^([0-9a-f-]{36})\.([A-Za-z0-9_-]{43})$/;
/** The page sends it; another site cannot without asking first, and nobody answers such a question. */
export const PAGE_HEADER = 'bailiwick-portal';

/** The session that a request's cookie names; nothing when there is none of the right shape. */
export function findSessionToken(headers: IncomingHttpHeaders): SessionToken | undefined {
  const [, tenant, token] = TOKEN.exec(findCookie(headers.cookie, SESSION_COOKIE) ?? '') ?? [];
  if (tenant === undefined || token === undefined) return undefined;
  try {
    return { tenantId: parseTenantId(tenant), token };
  } catch (error) {
    if (isCoded(error, 'KERNEL_ID_INVALID')) return undefined;
    throw error;
  }
}

/**
 * SECURITY: a browser sends cookies whoever asks. `SameSite=Strict` is the first fence; here are two more:
 * a header that no form and no image can send, and what the browser says of where the request comes from.
 *
 * @throws {CellError} `CELL_REQUEST_FOREIGN`
 */
export function assertOwnPage(headers: IncomingHttpHeaders, origin: string): void {
  const site = headers['sec-fetch-site'];
  const isOwn =
    headers[PAGE_HEADER] === '1' &&
    (site === undefined || site === 'same-origin') &&
    (headers.origin === undefined || headers.origin === origin);
  if (!isOwn) throw new CellError('CELL_REQUEST_FOREIGN', 'cookies are for the portal’s own page');
}

/** The residency of the tenant whose home this cell is. */
export function findResidency(
  { tenants, cellId }: Pick<SessionPorts, 'tenants' | 'cellId'>,
  tenantId: TenantId,
): Residency | undefined {
  const { residencies = [] } = tenants.findTenant(tenantId) ?? {};
  return residencies.find((residency) => tenants.homeOf(tenantId, residency)?.cell === cellId);
}

/** Lets requests of the portal's own page in by their session, all others as `bearers` does. */
export function withSessions(bearers: CredentialVerifier, ports: SessionPorts): CredentialVerifier {
  return {
    verifyAccess: (token, tenantId) => bearers.verifyAccess(token, tenantId),
    verify(headers) {
      if (headers.authorization !== undefined) return bearers.verify(headers);
      const session = findSessionToken(headers);
      return session === undefined
        ? bearers.verify(headers)
        : verifySession(ports, headers, session);
    },
  };
}

async function verifySession(
  ports: SessionPorts,
  headers: IncomingHttpHeaders,
  { tenantId, token }: SessionToken,
): Promise<Credential> {
  assertOwnPage(headers, ports.origin);
  const tenant = ports.tenants.findTenant(tenantId);
  if (tenant === undefined) refuse();
  if (tenant?.state === 'suspended') {
    throw new CellError('CELL_TENANT_SUSPENDED', 'the tenant is suspended in this cell', {
      details: { tenantId },
    });
  }
  const nowMs = ports.clock.nowMs();
  const session = await findSession(ports.database, { tenantId, token, nowMs });
  if (session === undefined || !isStillRight(ports, tenantId, session)) refuse();
  return { ...session.account, residency: session.residency };
}

/** The terms still name the provider that signed this person in, and the tenant's home is still here. */
function isStillRight(ports: SessionPorts, tenantId: TenantId, session: Session): boolean {
  return (
    ports.signIns.clientOf(tenantId)?.issuer === session.issuer &&
    findResidency(ports, tenantId) === session.residency &&
    session.account.tenantId === tenantId
  );
}

function refuse(): never {
  throw new CellError('CELL_SESSION_INVALID', 'the session has ended: sign in again');
}
