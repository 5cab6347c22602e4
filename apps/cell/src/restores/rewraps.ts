// SPDX-License-Identifier: Apache-2.0
// Wraps that an erasure or a rotation wrote anew. The old shred key is destroyed only after these lie outside the database:
// otherwise losing it would lose every survivor of the erased person's bucket. And a restore must apply them,
// or it would bring back wraps that nothing opens any more.
import { createHash } from 'node:crypto';
import { BackupsError } from '@bailiwick/backups';
import type { CellConfig } from '@bailiwick/contracts';
import { type Clock, isCoded, type KeyId, type TenantId } from '@bailiwick/kernel';
import type { ErasureRow } from '@bailiwick/keys';
import { openDirectoryStore } from '@bailiwick/object-store';
import type { ClientBase, Pool } from 'pg';
import { type BackupVault, openVault, readBackupKey } from '../backups/sealed-object.ts';

const PREFIX = 'rewraps/';
const MS_PER_DAY = 86_400_000;
const DIGITS = 15;

/** One erasure's new wraps. */
interface Rewrap {
  readonly v: 1;
  readonly erasureId: string;
  readonly tenantId: TenantId;
  readonly erasedKeys: readonly KeyId[];
  readonly retired: readonly KeyId[];
  readonly shredKeys: readonly ShredKey[];
  readonly subjectKeys: readonly SubjectKey[];
  /** What stands above them; absent in objects of before there were rotations. */
  readonly above?: KeysAbove;
}

/** Rows of the keys above subject keys as text: a rotation changes them all. */
interface KeysAbove {
  readonly customerKey: readonly object[];
  readonly customerKeyVersions: readonly object[];
  readonly tenantKeys: readonly object[];
  readonly secrets: readonly object[];
}

interface ShredKey {
  readonly shred_key_id: string;
  readonly tenant_key_id: string;
  readonly tenant_key_version: string;
  readonly reserved: number;
}

interface SubjectKey {
  readonly key_id: string;
  readonly version: string;
  readonly subject_id: string;
  readonly shred_key_id: string;
  /** Base64. */
  readonly wrap: string;
  readonly created_at: string;
}

/** Copies the survivors' wraps of an erasure; safe to repeat. */
export async function copyRewraps(
  ports: { readonly pool: Pool; readonly vault: BackupVault },
  erasure: ErasureRow,
  options: { readonly nowMs: number; readonly keepDays: number },
): Promise<void> {
  const { pool, vault } = ports;
  const { erasureId, tenantId, keyIds, retired, acceptedAtMs } = erasure;
  // Buckets that were made since the erasure was accepted; a few others among them do no harm.
  const since = new Date(acceptedAtMs - 60_000);
  const shredKeys = await pool.query<ShredKey>(
    `SELECT shred_key_id, tenant_key_id, tenant_key_version, reserved FROM keys.shred_keys
      WHERE tenant_id = $1 AND created_at >= $2`,
    [tenantId, since],
  );
  const subjectKeys = await pool.query<SubjectKey>(
    `SELECT key_id, version, subject_id, shred_key_id, encode(wrap, 'base64') AS wrap, created_at
       FROM keys.subject_keys WHERE tenant_id = $1 AND shred_key_id = ANY ($2::uuid[])`,
    [tenantId, shredKeys.rows.map(({ shred_key_id }) => shred_key_id)],
  );
  const rewrap: Rewrap = {
    v: 1,
    ...{ erasureId, tenantId, erasedKeys: keyIds, retired },
    shredKeys: shredKeys.rows,
    subjectKeys: subjectKeys.rows,
    above: await readAbove(pool, tenantId),
  };
  const instant = String(options.nowMs).padStart(DIGITS, '0');
  const content = Buffer.from(JSON.stringify(rewrap), 'utf8');
  const digest = createHash('sha256').update(content).digest('hex').slice(0, 16);
  const retainUntilMs = options.nowMs + options.keepDays * MS_PER_DAY;
  try {
    await vault.put(`${PREFIX}${instant}-${erasureId}-${digest}`, [content], { retainUntilMs });
  } catch (error) {
    if (!isCoded(error, 'BACKUPS_OBJECT_EXISTS')) throw error;
  }
}

async function readAbove(pool: Pool, tenantId: TenantId): Promise<KeysAbove> {
  const read = async (columns: string, table: string): Promise<readonly object[]> =>
    (
      await pool.query<object>(`SELECT ${columns} FROM keys.${table} WHERE tenant_id = $1`, [
        tenantId,
      ])
    ).rows;
  return {
    // Not its state: what was disabled since stays what the restore says of it.
    customerKey: await read('key_id, version, provider, provider_name', 'customer_keys'),
    customerKeyVersions: await read(
      'version, key_id, provider, provider_name, created_at, retired_at, destroyed_at',
      'customer_key_versions',
    ),
    tenantKeys: await read(
      `key_id, version, customer_key_id, encode(wrap, 'base64') AS wrap, created_at`,
      'tenant_keys',
    ),
    secrets: await read(
      `kind, name, version, key_id, tenant_key_version, encode(wrap, 'base64') AS wrap`,
      'secrets',
    ),
  };
}

/** The newest object wins: objects are applied in the order in which they were written. */
async function applyAbove(client: ClientBase, tenantId: TenantId, above: KeysAbove): Promise<void> {
  const run = async (sql: string, rows: readonly object[]): Promise<void> => {
    await client.query(sql, [tenantId, JSON.stringify(rows)]);
  };
  await run(
    `UPDATE keys.customer_keys c
        SET key_id = s.key_id, version = s.version, provider = s.provider, provider_name = s.provider_name
       FROM jsonb_to_recordset($2::jsonb)
         AS s (key_id uuid, version bigint, provider text, provider_name text)
      WHERE c.tenant_id = $1`,
    above.customerKey,
  );
  await run(
    `INSERT INTO keys.customer_key_versions
       (tenant_id, version, key_id, provider, provider_name, created_at, retired_at, destroyed_at)
     SELECT $1, s.* FROM jsonb_to_recordset($2::jsonb)
       AS s (version bigint, key_id uuid, provider text, provider_name text, created_at timestamptz,
             retired_at timestamptz, destroyed_at timestamptz)
     ON CONFLICT (tenant_id, version) DO UPDATE
        SET retired_at = excluded.retired_at, destroyed_at = excluded.destroyed_at`,
    above.customerKeyVersions,
  );
  await run(
    `INSERT INTO keys.tenant_keys (tenant_id, key_id, version, customer_key_id, wrap, created_at)
     SELECT $1, s.key_id, s.version, s.customer_key_id, decode(s.wrap, 'base64'), s.created_at
       FROM jsonb_to_recordset($2::jsonb)
         AS s (key_id uuid, version bigint, customer_key_id uuid, wrap text, created_at timestamptz)
     ON CONFLICT (tenant_id, version) DO UPDATE
        SET customer_key_id = excluded.customer_key_id, wrap = excluded.wrap`,
    above.tenantKeys,
  );
  await run(
    `INSERT INTO keys.secrets (tenant_id, kind, name, version, key_id, tenant_key_version, wrap)
     SELECT $1, s.kind, s.name, s.version, s.key_id, s.tenant_key_version, decode(s.wrap, 'base64')
       FROM jsonb_to_recordset($2::jsonb)
         AS s (kind text, name text, version bigint, key_id uuid, tenant_key_version bigint, wrap text)
     ON CONFLICT (tenant_id, kind, name, version) DO UPDATE
        SET key_id = excluded.key_id, tenant_key_version = excluded.tenant_key_version,
            wrap = excluded.wrap`,
    above.secrets,
  );
}

/** The copying of wraps that a key service needs; nothing where the configuration has no backups. */
export async function openRewrapCopy(
  { cell, backups }: Pick<CellConfig, 'cell' | 'backups'>,
  ports: { readonly pool: Pool; readonly clock: Clock },
): Promise<{ readonly copyRewraps?: (erasure: ErasureRow) => Promise<void> }> {
  if (backups === undefined) return {};
  const { keepDays, keyFile, store: place } = backups;
  const store = await openDirectoryStore({ directory: place.directory });
  const vault = openVault({ store, key: readBackupKey(keyFile), cellId: cell });
  return {
    copyRewraps: (erasure) =>
      copyRewraps({ pool: ports.pool, vault }, erasure, { nowMs: ports.clock.nowMs(), keepDays }),
  };
}

/** Applies what erasures wrote since an instant, in the order in which they did. */
export async function applyRewraps(
  ports: { readonly client: ClientBase; readonly vault: BackupVault },
  from: { readonly sinceMs: number },
): Promise<void> {
  for (const { name } of await ports.vault.store.list(PREFIX)) {
    const instantMs = Number(name.slice(PREFIX.length, PREFIX.length + DIGITS));
    if (!Number.isSafeInteger(instantMs) || instantMs < from.sinceMs) continue;
    await applyOne(ports.client, parseRewrap(await ports.vault.readAll(name), name));
  }
}

function parseRewrap(bytes: Buffer, name: string): Rewrap {
  try {
    const rewrap = JSON.parse(bytes.toString('utf8')) as Rewrap;
    if (rewrap.v === 1 && Array.isArray(rewrap.subjectKeys)) return rewrap;
  } catch {
    // Told below.
  }
  throw new BackupsError('BACKUPS_OBJECT_DAMAGED', 'wraps of an erasure are malformed', {
    details: { object: name },
  });
}

async function applyOne(client: ClientBase, rewrap: Rewrap): Promise<void> {
  const { tenantId, erasedKeys, retired, shredKeys, subjectKeys, above } = rewrap;
  if (above !== undefined) await applyAbove(client, tenantId, above);
  await client.query(
    `INSERT INTO keys.shred_keys
       (tenant_id, shred_key_id, tenant_key_id, tenant_key_version, reserved)
     SELECT $1, s.* FROM jsonb_to_recordset($2::jsonb)
       AS s (shred_key_id uuid, tenant_key_id uuid, tenant_key_version bigint, reserved int)
     ON CONFLICT DO NOTHING`,
    [tenantId, JSON.stringify(shredKeys)],
  );
  await client.query(
    `INSERT INTO keys.subject_keys AS known
       (tenant_id, key_id, version, subject_id, shred_key_id, wrap, created_at)
     SELECT $1, s.key_id, s.version, s.subject_id, s.shred_key_id, decode(s.wrap, 'base64'), s.created_at
       FROM jsonb_to_recordset($2::jsonb)
         AS s (key_id uuid, version bigint, subject_id uuid, shred_key_id uuid, wrap text,
               created_at timestamptz)
     ON CONFLICT (tenant_id, key_id, version)
     DO UPDATE SET shred_key_id = excluded.shred_key_id, wrap = excluded.wrap
      WHERE NOT known.is_erased`,
    [tenantId, JSON.stringify(subjectKeys)],
  );
  await client.query(
    `UPDATE keys.subject_keys SET is_erased = true, wrap = NULL, shred_key_id = NULL
      WHERE tenant_id = $1 AND key_id = ANY ($2::uuid[]) AND NOT is_erased`,
    [tenantId, erasedKeys],
  );
  // Who is still under a retired key has a newer wrap in a later object, or none at all: then it is noise.
  await client.query(
    `DELETE FROM keys.shred_keys s WHERE tenant_id = $1 AND shred_key_id = ANY ($2::uuid[])
        AND NOT EXISTS (SELECT FROM keys.subject_keys k
          WHERE k.tenant_id = s.tenant_id AND k.shred_key_id = s.shred_key_id)`,
    [tenantId, retired],
  );
}
