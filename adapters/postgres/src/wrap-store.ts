// SPDX-License-Identifier: Apache-2.0
// Wraps of sealing keys for a process of the cell: one tenant at a time under row security, in batches.
import {
  type CollectionId,
  type KeyId,
  parseCollectionId,
  parseKeyId,
  parseSubjectId,
  type SubjectId,
  type TenantId,
} from '@bailiwick/kernel';
import {
  type CollectionKeyRow,
  KeysError,
  type SubjectKeyRow,
  type WrapStore,
} from '@bailiwick/keys';
import type { Database } from './database.ts';

interface SubjectRow {
  readonly key_id: string;
  /** bigint comes as text. */
  readonly version: string;
  readonly subject_id: string;
  readonly shred_key_id: string | null;
  readonly wrap: Buffer | null;
}

export interface CollectionRow {
  readonly key_id: string;
  readonly version: string;
  readonly collection_id: string;
  readonly tenant_key_id: string;
  readonly tenant_key_version: string;
  readonly wrap: Buffer;
}

export const SUBJECT_COLUMNS = 'key_id, version, subject_id, shred_key_id, wrap';
export const COLLECTION_COLUMNS =
  'key_id, version, collection_id, tenant_key_id, tenant_key_version, wrap';
const FOREIGN_KEY_VIOLATION = '23503';

/** Reads a row of `keys.subject_keys`. */
export function parseSubjectRow(row: SubjectRow): SubjectKeyRow {
  return {
    keyId: parseKeyId(row.key_id),
    version: Number(row.version),
    subjectId: parseSubjectId(row.subject_id),
    sealed:
      row.shred_key_id === null || row.wrap === null
        ? undefined
        : { shredKeyId: parseKeyId(row.shred_key_id), wrap: row.wrap },
  };
}

/** Reads a row of `keys.collection_keys`. */
export function parseCollectionRow(row: CollectionRow): CollectionKeyRow {
  return {
    keyId: parseKeyId(row.key_id),
    version: Number(row.version),
    collectionId: parseCollectionId(row.collection_id),
    tenantKeyId: parseKeyId(row.tenant_key_id),
    tenantKeyVersion: Number(row.tenant_key_version),
    wrap: row.wrap,
  };
}

const isForeignKeyViolation = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === FOREIGN_KEY_VIOLATION;

/** In the order of ids: two who make keys of the same people wait for each other, never in a circle. */
async function insertSubjectKeys(
  database: Database,
  tenantId: TenantId,
  rows: readonly SubjectKeyRow[],
): Promise<readonly SubjectId[]> {
  try {
    return await database.withTenant(tenantId, async (tx) => {
      const { rows: written } = await tx.query<{ subject_id: string }>(
        `INSERT INTO keys.subject_keys
           (tenant_id, key_id, version, subject_id, shred_key_id, wrap)
         SELECT $1, u.key_id, u.version, u.subject_id, u.shred_key_id, u.wrap
           FROM unnest($2::uuid[], $3::bigint[], $4::uuid[], $5::uuid[], $6::bytea[])
                AS u (key_id, version, subject_id, shred_key_id, wrap)
          ORDER BY u.subject_id
         ON CONFLICT (tenant_id, subject_id) WHERE NOT is_erased DO NOTHING
         RETURNING subject_id`,
        [
          tenantId,
          rows.map(({ keyId }) => keyId),
          rows.map(({ version }) => version),
          rows.map(({ subjectId }) => subjectId),
          rows.map(({ sealed }) => sealed?.shredKeyId),
          rows.map(({ sealed }) => sealed?.wrap),
        ],
      );
      return written.map((row) => parseSubjectId(row.subject_id));
    });
  } catch (error) {
    if (!isForeignKeyViolation(error)) throw error;
    // Not as a cause: the server's message quotes the row.
    throw new KeysError('KEYS_SHRED_KEY_RETIRED', 'an erasure has retired a shred key');
  }
}

/** The wraps of a cell, through a pool that signs in as `bailiwick_cell`. */
export function createPostgresWrapStore(database: Database): WrapStore {
  return {
    findSubjectKeys: (tenantId, subjectIds) =>
      database.withTenant(tenantId, async (tx) => {
        const { rows } = await tx.query<SubjectRow>(
          `SELECT ${SUBJECT_COLUMNS} FROM keys.subject_keys
            WHERE tenant_id = $1 AND subject_id = ANY ($2::uuid[]) AND NOT is_erased`,
          [tenantId, subjectIds],
        );
        return rows.map(parseSubjectRow);
      }),
    insertSubjectKeys: (tenantId, rows) => insertSubjectKeys(database, tenantId, rows),
    findCollectionKeys: (tenantId, collectionIds: readonly CollectionId[]) =>
      database.withTenant(tenantId, async (tx) => {
        const { rows } = await tx.query<CollectionRow>(
          `SELECT ${COLLECTION_COLUMNS} FROM keys.collection_keys
            WHERE tenant_id = $1 AND collection_id = ANY ($2::text[]) AND is_current`,
          [tenantId, collectionIds],
        );
        return rows.map(parseCollectionRow);
      }),
    insertCollectionKeys: (tenantId, rows) =>
      database.withTenant(tenantId, async (tx) => {
        const { rows: written } = await tx.query<{ collection_id: string }>(
          `INSERT INTO keys.collection_keys
             (tenant_id, key_id, version, collection_id, tenant_key_id, tenant_key_version, wrap)
           SELECT $1, u.* FROM unnest($2::uuid[], $3::bigint[], $4::text[], $5::uuid[], $6::bigint[],
                                      $7::bytea[])
                AS u (key_id, version, collection_id, tenant_key_id, tenant_key_version, wrap)
            ORDER BY u.collection_id
           ON CONFLICT (tenant_id, collection_id) WHERE is_current DO NOTHING
           RETURNING collection_id`,
          [
            tenantId,
            rows.map(({ keyId }) => keyId),
            rows.map(({ version }) => version),
            rows.map(({ collectionId }) => collectionId),
            rows.map(({ tenantKeyId }) => tenantKeyId),
            rows.map(({ tenantKeyVersion }) => tenantKeyVersion),
            rows.map(({ wrap }) => wrap),
          ],
        );
        return written.map((row) => parseCollectionId(row.collection_id));
      }),
    findKeys: (tenantId, keyIds: readonly KeyId[]) =>
      database.withTenant(tenantId, async (tx) => {
        const subjects = await tx.query<SubjectRow>(
          `SELECT ${SUBJECT_COLUMNS} FROM keys.subject_keys
            WHERE tenant_id = $1 AND key_id = ANY ($2::uuid[])`,
          [tenantId, keyIds],
        );
        const isAll = new Set(subjects.rows.map((row) => row.key_id)).size === keyIds.length;
        if (isAll) return { subjects: subjects.rows.map(parseSubjectRow), collections: [] };
        const collections = await tx.query<CollectionRow>(
          `SELECT ${COLLECTION_COLUMNS} FROM keys.collection_keys
            WHERE tenant_id = $1 AND key_id = ANY ($2::uuid[])`,
          [tenantId, keyIds],
        );
        return {
          subjects: subjects.rows.map(parseSubjectRow),
          collections: collections.rows.map(parseCollectionRow),
        };
      }),
  };
}
