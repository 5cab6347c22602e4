// SPDX-License-Identifier: Apache-2.0
// Sessions in the cell's database, so that every replica knows them and signing out ends them everywhere.
// Bounded per account and per tenant; what has run out is removed when somebody signs in.
import { hash } from 'node:crypto';
import type { Residency, TenantId } from '@bailiwick/kernel';
import { type AccountClaims, parseAccountClaims } from '@bailiwick/oidc';
import type { Database } from '@bailiwick/postgres';
import type { PoolClient } from 'pg';
import {
  SESSION_IDLE_MS_MAX,
  SESSION_SEEN_EVERY_MS,
  SESSION_VALID_FOR_MS,
  SESSIONS_PER_ACCOUNT_COUNT_MAX,
  SESSIONS_PER_TENANT_COUNT_MAX,
} from './limits.ts';

export interface Session {
  readonly account: AccountClaims;
  readonly residency: Residency;
  readonly issuer: string;
  readonly expiresAtMs: number;
}

interface SessionRow {
  readonly claims: Readonly<Record<string, unknown>>;
  readonly residency: Residency;
  readonly issuer: string;
  readonly expires_at: Date;
  readonly seen_at: Date;
}

export interface SessionPlace {
  readonly tenantId: TenantId;
  readonly token: string;
  readonly nowMs: number;
}

const toHash = (token: string): Buffer =>
  hash('sha256', `bailiwick/session/v1\0${token}`, 'buffer');

/** Writes a session in the caller's transaction, which has the tenant set; the oldest make room for it. */
export async function insertSession(
  tx: PoolClient,
  { tenantId, token, nowMs }: SessionPlace,
  session: Omit<Session, 'expiresAtMs'>,
): Promise<Session> {
  const { account, residency, issuer } = session;
  const expiresAtMs = nowMs + SESSION_VALID_FOR_MS;
  const now = new Date(nowMs);
  const oldestSeen = new Date(nowMs - SESSION_IDLE_MS_MAX);
  await tx.query('DELETE FROM cell.sessions WHERE expires_at <= $1 OR seen_at <= $2', [
    now,
    oldestSeen,
  ]);
  await tx.query(
    `INSERT INTO cell.sessions (tenant_id, session_hash, account, claims, residency, issuer,
       created_at, seen_at, expires_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8)`,
    [
      tenantId,
      toHash(token),
      account.account,
      JSON.stringify(toClaims(account)),
      residency,
      issuer,
      now,
      new Date(expiresAtMs),
    ],
  );
  await tx.query(
    `DELETE FROM cell.sessions WHERE session_hash IN (
       SELECT session_hash FROM (
         SELECT session_hash, account = $1 AS is_own,
           row_number() OVER (PARTITION BY account ORDER BY created_at DESC) AS of_account,
           row_number() OVER (ORDER BY created_at DESC) AS of_tenant
         FROM cell.sessions) AS numbered
       WHERE (is_own AND of_account > $2) OR of_tenant > $3)`,
    [account.account, SESSIONS_PER_ACCOUNT_COUNT_MAX, SESSIONS_PER_TENANT_COUNT_MAX],
  );
  return { ...session, expiresAtMs };
}

/** As `parseAccountClaims` reads them back. */
function toClaims({ tenantId, account, defaultPurpose, ...rest }: AccountClaims): object {
  return {
    ...rest,
    tenant: tenantId,
    sub: account,
    ...(defaultPurpose === undefined ? {} : { default_purpose: defaultPurpose }),
  };
}

/** A session that has neither run out nor been left alone for too long; notes that it is used. */
export function findSession(
  database: Database,
  { tenantId, token, nowMs }: SessionPlace,
): Promise<Session | undefined> {
  return database.withTenant(tenantId, async (tx) => {
    const key = toHash(token);
    const { rows } = await tx.query<SessionRow>({
      name: 'sessions-find',
      text: `SELECT claims, residency, issuer, expires_at, seen_at FROM cell.sessions
              WHERE tenant_id = $1 AND session_hash = $2`,
      values: [tenantId, key],
    });
    const row = rows[0];
    if (row === undefined || row.expires_at.getTime() <= nowMs) return undefined;
    const idleMs = nowMs - row.seen_at.getTime();
    if (idleMs >= SESSION_IDLE_MS_MAX) return undefined;
    if (idleMs >= SESSION_SEEN_EVERY_MS) {
      await tx.query(
        'UPDATE cell.sessions SET seen_at = $3 WHERE tenant_id = $1 AND session_hash = $2',
        [tenantId, key, new Date(nowMs)],
      );
    }
    const { residency, issuer, claims } = row;
    const account = parseAccountClaims(claims);
    return { account, residency, issuer, expiresAtMs: row.expires_at.getTime() };
  });
}

/** Ends a session in the caller's transaction; false when there was none. */
export async function deleteSession(
  tx: PoolClient,
  { tenantId, token }: Omit<SessionPlace, 'nowMs'>,
): Promise<boolean> {
  const { rowCount } = await tx.query(
    'DELETE FROM cell.sessions WHERE tenant_id = $1 AND session_hash = $2',
    [tenantId, toHash(token)],
  );
  return rowCount === 1;
}

/** Ends all sessions of a tenant in the caller's transaction, which has the tenant set. */
export async function deleteSessions(tx: PoolClient): Promise<void> {
  await tx.query('DELETE FROM cell.sessions');
}
