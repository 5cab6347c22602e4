// SPDX-License-Identifier: Apache-2.0
// Wraps that an erasure wrote anew. The old shred key is destroyed only after these lie outside the database:
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
  const { tenantId, erasedKeys, retired, shredKeys, subjectKeys } = rewrap;
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
