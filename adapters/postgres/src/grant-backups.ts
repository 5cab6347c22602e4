// SPDX-License-Identifier: Apache-2.0
// Lets the role of backups read every row of a cell's database. Granted from the catalogue and not table by
// table: a table that somebody adds and forgets here would be one that no restore brings back.
import type { Client } from 'pg';
import { BACKUP_ROLE } from './role.ts';

const SCHEMAS = ['cell', 'keys', 'ledger'] as const;

/** Grants reading of all tables and sequences; forgets of `removed_records` what no backup needs any more. */
export async function grantBackups(client: Client): Promise<void> {
  const schemas = SCHEMAS.join(', ');
  await client.query(`GRANT USAGE ON SCHEMA ${schemas}, bailiwick TO ${BACKUP_ROLE}`);
  await client.query(
    `GRANT SELECT ON ALL TABLES IN SCHEMA ${schemas}, bailiwick TO ${BACKUP_ROLE}`,
  );
  await client.query(`GRANT SELECT ON ALL SEQUENCES IN SCHEMA ${schemas} TO ${BACKUP_ROLE}`);
  const { rows } = await client.query<{ name: string }>(
    `SELECT format('%I.%I', n.nspname, c.relname) AS name
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = ANY ($1) AND c.relkind IN ('r', 'p') AND c.relrowsecurity
        AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'backup')`,
    [[...SCHEMAS]],
  );
  for (const { name } of rows) {
    await client.query(`CREATE POLICY backup ON ${name} FOR SELECT TO ${BACKUP_ROLE} USING (true)`);
  }
  await client.query(`GRANT DELETE ON cell.removed_records TO ${BACKUP_ROLE}`);
  await client.query('DROP POLICY IF EXISTS forget ON cell.removed_records');
  await client.query(
    `CREATE POLICY forget ON cell.removed_records FOR DELETE TO ${BACKUP_ROLE} USING (true)`,
  );
}
