// SPDX-License-Identifier: Apache-2.0
// The roles that processes sign in with. None owns a table, none can step around row security, and the
// server never sees a password: it is sent as a SCRAM verifier.
import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import type { Client } from 'pg';
import { PostgresError } from './errors.ts';

/** Role of the cell's API: tenants' data under row security. */
export const CELL_ROLE = 'bailiwick_cell';
/** Role of the key service: wraps and key states. */
export const KEYS_ROLE = 'bailiwick_keys';
/** Role of backups: reads every row of a cell's database, sealed values as they are, and writes nothing. */
export const BACKUP_ROLE = 'bailiwick_backup';
/** Role of the control plane. */
export const CONTROL_ROLE = 'bailiwick_control';

const SCRAM_ITERATIONS = 4096;
const PASSWORD = /^[\x21-\x7e]{16,128}$/;

/** RFC 5803: `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`. */
function toScramVerifier(password: string): string {
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(password, salt, SCRAM_ITERATIONS, 32, 'sha256');
  const clientKey = createHmac('sha256', salted).update('Client Key').digest();
  const storedKey = createHash('sha256').update(clientKey).digest('base64');
  const serverKey = createHmac('sha256', salted).update('Server Key').digest('base64');
  return `SCRAM-SHA-256$${SCRAM_ITERATIONS}:${salt.toString('base64')}$${storedKey}:${serverKey}`;
}

/**
 * Makes the role where it does not exist, sets its password and checks that it is bound by row security.
 *
 * @throws {PostgresError} `POSTGRES_ROLE_UNSAFE`, `POSTGRES_PASSWORD_INVALID`
 */
export async function ensureRole(
  client: Client,
  options: { readonly role: string; readonly password: string },
): Promise<void> {
  const { role, password } = options;
  if (!PASSWORD.test(password)) {
    throw new PostgresError(
      'POSTGRES_PASSWORD_INVALID',
      `the password of \`${role}\` must have 16 to 128 printable ASCII characters`,
    );
  }
  const name = client.escapeIdentifier(role);
  await client.query(
    `DO $$ BEGIN CREATE ROLE ${name} LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$`,
  );
  const verifier = client.escapeLiteral(toScramVerifier(password));
  await client.query(`ALTER ROLE ${name} LOGIN PASSWORD ${verifier}`);
  const { rows } = await client.query<{ unsafe: boolean }>(
    `SELECT rolsuper OR rolbypassrls OR rolcreaterole
         OR EXISTS (SELECT FROM pg_auth_members m WHERE m.member = r.oid) AS unsafe
       FROM pg_roles r WHERE rolname = $1`,
    [role],
  );
  if (rows[0]?.unsafe !== false) {
    throw new PostgresError(
      'POSTGRES_ROLE_UNSAFE',
      `the role \`${role}\` could step around row security: it must have no rights of its own`,
    );
  }
}
