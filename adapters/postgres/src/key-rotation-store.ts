// SPDX-License-Identifier: Apache-2.0
// Versions of customer keys and tenant keys and the way from one to the next, for the key service.
import { parseKeyId, parseTenantId, type TenantId } from '@bailiwick/kernel';
import type {
  CollectionKeyRow,
  CustomerKeyRow,
  CustomerKeyVersionRow,
  KeyRotationStore,
  RotationRow,
  SecretRow,
  TenantKeyRow,
  TenantKeyUse,
} from '@bailiwick/keys';
import type { PoolClient } from 'pg';
import type { Database } from './database.ts';
import { ids, parseShredKey, rewrapBucket, text, time } from './key-state-store.ts';
import { COLLECTION_COLUMNS, type CollectionRow, parseCollectionRow } from './wrap-store.ts';

type Row = Readonly<Record<string, unknown>>;

const optionalTime = (value: unknown): number | undefined =>
  value === null || value === undefined ? undefined : time(value);

function parseVersion(row: Row): CustomerKeyVersionRow {
  return {
    tenantId: parseTenantId(text(row, 'tenant_id')),
    version: Number(row['version']),
    keyId: parseKeyId(text(row, 'key_id')),
    provider: text(row, 'provider'),
    providerName: text(row, 'provider_name'),
    createdAtMs: time(row['created_at']),
    retiredAtMs: optionalTime(row['retired_at']),
    destroyedAtMs: optionalTime(row['destroyed_at']),
  };
}

function parseRotation(row: Row): RotationRow {
  return {
    rotationId: text(row, 'rotation_id'),
    tenantId: parseTenantId(text(row, 'tenant_id')),
    kind: row['kind'] === 'customer-key' ? 'customer-key' : 'tenant-key',
    state: row['state'] === 'done' ? 'done' : 'running',
    fromVersion: Number(row['from_version']),
    toVersion: Number(row['to_version']),
    wrappedCount: Number(row['wrapped_count']),
    retired: ids(row['retired']),
    startedAtMs: time(row['started_at']),
    doneAtMs: optionalTime(row['done_at']),
  };
}

function parseUse(row: Row): TenantKeyUse {
  return {
    keyId: parseKeyId(text(row, 'key_id')),
    version: Number(row['version']),
    customerKeyId: parseKeyId(text(row, 'customer_key_id')),
    createdAtMs: time(row['created_at']),
    subjectKeysCount: Number(row['subject_keys']),
    shredKeysCount: Number(row['shred_keys']),
    collectionKeysCount: Number(row['collection_keys']),
    secretsCount: Number(row['secrets']),
  };
}

/** What each version of a tenant's key still protects. */
const USES = `
  SELECT t.key_id, t.version, t.customer_key_id, t.created_at,
    (SELECT count(*) FROM keys.shred_keys s
      WHERE s.tenant_id = t.tenant_id AND s.tenant_key_version = t.version) AS shred_keys,
    (SELECT count(*) FROM keys.subject_keys k JOIN keys.shred_keys s
        ON s.tenant_id = k.tenant_id AND s.shred_key_id = k.shred_key_id
      WHERE k.tenant_id = t.tenant_id AND s.tenant_key_version = t.version) AS subject_keys,
    (SELECT count(*) FROM keys.collection_keys c
      WHERE c.tenant_id = t.tenant_id AND c.tenant_key_version = t.version) AS collection_keys,
    (SELECT count(*) FROM keys.secrets x
      WHERE x.tenant_id = t.tenant_id AND x.tenant_key_version = t.version) AS secrets
  FROM keys.tenant_keys t WHERE t.tenant_id = $1 ORDER BY t.version`;

async function insertRotation(tx: PoolClient, rotation: RotationRow): Promise<boolean> {
  const { rowCount } = await tx.query(
    `INSERT INTO keys.rotations
       (rotation_id, tenant_id, kind, state, from_version, to_version, started_at)
     VALUES ($1, $2, $3, 'running', $4, $5, $6) ON CONFLICT DO NOTHING`,
    [
      rotation.rotationId,
      rotation.tenantId,
      rotation.kind,
      rotation.fromVersion,
      rotation.toVersion,
      new Date(rotation.startedAtMs),
    ],
  );
  return rowCount === 1;
}

interface Replacement {
  readonly from: CustomerKeyRow['keyId'];
  readonly next: CustomerKeyRow;
  readonly wraps: ReadonlyMap<number, Buffer>;
}

/** Thrown inside a transaction that must leave nothing behind. */
class Overtaken extends Error {}

async function replaceCustomerKey(tx: PoolClient, change: Replacement): Promise<void> {
  const { from, next, wraps } = change;
  const { tenantId, keyId, version, provider, providerName } = next;
  const changedAt = new Date(next.changedAtMs);
  const replaced = await tx.query(
    `UPDATE keys.customer_keys
        SET key_id = $3, version = $4, provider = $5, provider_name = $6, changed_at = $7
      WHERE tenant_id = $1 AND key_id = $2`,
    [tenantId, from, keyId, version, provider, providerName, changedAt],
  );
  if (replaced.rowCount !== 1) throw new Overtaken();
  await tx.query(
    `UPDATE keys.customer_key_versions SET retired_at = $3 WHERE tenant_id = $1 AND key_id = $2`,
    [tenantId, from, changedAt],
  );
  await tx.query(
    `INSERT INTO keys.customer_key_versions
       (tenant_id, version, key_id, provider, provider_name, created_at)
     VALUES ($1, $2, $3, $4, $5, $6)`,
    [tenantId, version, keyId, provider, providerName, changedAt],
  );
  const wrapped = await tx.query(
    `UPDATE keys.tenant_keys t SET customer_key_id = $2, wrap = u.wrap
       FROM unnest($3::bigint[], $4::bytea[]) AS u (version, wrap)
      WHERE t.tenant_id = $1 AND t.version = u.version`,
    [tenantId, keyId, [...wraps.keys()], [...wraps.values()]],
  );
  const { rows } = await tx.query<{ count: string }>(
    'SELECT count(*) FROM keys.tenant_keys WHERE tenant_id = $1',
    [tenantId],
  );
  // INVARIANT: no tenant key stays behind under the key that was replaced.
  if (wrapped.rowCount !== Number(rows[0]?.count)) throw new Overtaken();
}

async function deleteTenantKey(
  tx: PoolClient,
  tenantId: TenantId,
  version: number,
): Promise<boolean> {
  // Nothing may come to lie under it meanwhile.
  await tx.query('SELECT 1 FROM keys.tenant_keys WHERE tenant_id = $1 FOR UPDATE', [tenantId]);
  const { rows } = await tx.query<Row>(USES, [tenantId]);
  const uses = rows.map(parseUse);
  const found = uses.find((use) => use.version === version);
  if (found === undefined || found === uses.at(-1)) return false;
  const { subjectKeysCount, shredKeysCount, collectionKeysCount, secretsCount } = found;
  if (subjectKeysCount + shredKeysCount + collectionKeysCount + secretsCount > 0) return false;
  await tx.query('DELETE FROM keys.tenant_keys WHERE tenant_id = $1 AND version = $2', [
    tenantId,
    version,
  ]);
  return true;
}

async function replaceSecret(tx: PoolClient, from: SecretRow, to: SecretRow): Promise<void> {
  await tx.query(
    `UPDATE keys.secrets SET key_id = $5, tenant_key_version = $6, wrap = $7
      WHERE tenant_id = $1 AND kind = $2 AND name = $3 AND version = $4`,
    [
      from.tenantId,
      from.kind,
      from.name,
      from.version,
      to.keyId,
      to.tenantKeyVersion,
      to.wrap ?? null,
    ],
  );
}

/** Rotations of a cell. */
export function createPostgresKeyRotationStore(database: Database): KeyRotationStore {
  const { pool } = database;
  const list = async <T>(
    parse: (row: Row) => T,
    sql: string,
    values: readonly unknown[] = [],
  ): Promise<readonly T[]> => (await pool.query<Row>(sql, [...values])).rows.map(parse);
  const run = async (sql: string, values: readonly unknown[]): Promise<void> => {
    await pool.query(sql, [...values]);
  };
  return {
    insertRotation: (rotation) => database.withTransaction((tx) => insertRotation(tx, rotation)),
    findRotation: async (rotationId) =>
      (
        await list(parseRotation, 'SELECT * FROM keys.rotations WHERE rotation_id = $1', [
          rotationId,
        ])
      )[0],
    listRunning: () =>
      list(
        parseRotation,
        `SELECT * FROM keys.rotations WHERE state = 'running' ORDER BY started_at`,
      ),
    deleteRotation: (rotationId) =>
      run('DELETE FROM keys.rotations WHERE rotation_id = $1', [rotationId]),
    finishRotation: (rotationId, { doneAtMs }) =>
      run(`UPDATE keys.rotations SET state = 'done', done_at = $2 WHERE rotation_id = $1`, [
        rotationId,
        new Date(doneAtMs),
      ]),
    countWrapped: (rotationId, count) =>
      run('UPDATE keys.rotations SET wrapped_count = wrapped_count + $2 WHERE rotation_id = $1', [
        rotationId,
        count,
      ]),
    forgetRetired: (rotationId, shredKeyIds) =>
      run(
        `UPDATE keys.rotations
            SET retired = ARRAY(SELECT unnest(retired) EXCEPT SELECT unnest($2::uuid[]))
          WHERE rotation_id = $1`,
        [rotationId, shredKeyIds],
      ),
    async replaceCustomerKey(change) {
      try {
        await database.withTransaction((tx) => replaceCustomerKey(tx, change));
        return true;
      } catch (error) {
        if (error instanceof Overtaken) return false;
        throw error;
      }
    },
    insertTenantKey: (row: TenantKeyRow) =>
      run(
        `INSERT INTO keys.tenant_keys (tenant_id, key_id, version, customer_key_id, wrap, created_at)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
        [
          row.tenantId,
          row.keyId,
          row.version,
          row.customerKeyId,
          row.wrap,
          new Date(row.createdAtMs),
        ],
      ),
    deleteTenantKey: (tenantId, version) =>
      database.withTransaction((tx) => deleteTenantKey(tx, tenantId, version)),
    listOldShredKeys: (tenantId, { version, count }) =>
      list(
        parseShredKey,
        `SELECT * FROM keys.shred_keys WHERE tenant_id = $1 AND tenant_key_version < $2
          ORDER BY created_at, shred_key_id LIMIT $3`,
        [tenantId, version, count],
      ),
    rewrapBucket: (rotationId, shredKey, rewrap) =>
      database.withTransaction(async (tx) => {
        const { rows } = await tx.query<Row>(
          'SELECT * FROM keys.shred_keys WHERE tenant_id = $1 AND shred_key_id = $2 FOR UPDATE',
          [shredKey.tenantId, shredKey.shredKeyId],
        );
        // An erasure was faster: there is nothing left of it.
        if (rows[0] === undefined) return 0;
        const count = await rewrapBucket(tx, { shredKey, erased: [] }, rewrap);
        await tx.query(
          `UPDATE keys.rotations
              SET retired = array_append(retired, $2), wrapped_count = wrapped_count + $3
            WHERE rotation_id = $1`,
          [rotationId, shredKey.shredKeyId, count],
        );
        return count;
      }),
    listOldCollectionKeys: async (tenantId, { version, count }) => {
      const { rows } = await pool.query<CollectionRow>(
        `SELECT ${COLLECTION_COLUMNS} FROM keys.collection_keys
          WHERE tenant_id = $1 AND tenant_key_version < $2 ORDER BY key_id, version LIMIT $3`,
        [tenantId, version, count],
      );
      return rows.map(parseCollectionRow);
    },
    rewrapCollectionKeys: (tenantId, rows: readonly CollectionKeyRow[]) =>
      database.withTransaction(async (tx) => {
        for (const row of rows) {
          await tx.query(
            `UPDATE keys.collection_keys
                SET wrap = $4, tenant_key_id = $5, tenant_key_version = $6
              WHERE tenant_id = $1 AND key_id = $2 AND version = $3`,
            [tenantId, row.keyId, row.version, row.wrap, row.tenantKeyId, row.tenantKeyVersion],
          );
        }
      }),
    replaceSecret: (from, to) => database.withTransaction((tx) => replaceSecret(tx, from, to)),
    listVersions: (tenantId) =>
      list(
        parseVersion,
        'SELECT * FROM keys.customer_key_versions WHERE tenant_id = $1 ORDER BY version',
        [tenantId],
      ),
    markDestroyed: (keyId, atMs) =>
      run('UPDATE keys.customer_key_versions SET destroyed_at = $2 WHERE key_id = $1', [
        keyId,
        new Date(atMs),
      ]),
    listUses: (tenantId) => list(parseUse, USES, [tenantId]),
    setFinal: (tenantId, atMs) =>
      run(
        `UPDATE keys.customer_keys SET state = 'disabled', is_final = true, changed_at = $2
          WHERE tenant_id = $1`,
        [tenantId, new Date(atMs)],
      ),
  };
}
