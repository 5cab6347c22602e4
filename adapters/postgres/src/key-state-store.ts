// SPDX-License-Identifier: Apache-2.0
// Key states and wraps for the key service, through a pool that signs in as `bailiwick_keys`. One key
// service acts at a time: it holds a lock of the database's for as long as its connection lives.
import {
  type KeyId,
  parseEntryId,
  parseKeyId,
  parseSubjectId,
  parseTenantId,
  type TenantId,
} from '@bailiwick/kernel';
import {
  type CustomerKeyRow,
  ERASURE_STATES,
  type ErasureRow,
  type ErasureState,
  type KeyChangeRow,
  type KeyState,
  type KeyStateStore,
  KeysError,
  type Reservation,
  type SecretRow,
  type ServiceTerm,
  type ShredKeyRow,
  type SignedStatement,
  SUBJECTS_PER_SHRED_KEY_MAX,
  type TenantKeyRow,
} from '@bailiwick/keys';
import type { PoolClient } from 'pg';
import type { Database } from './database.ts';
import { parseSubjectRow, SUBJECT_COLUMNS } from './wrap-store.ts';

/** Advisory lock of the acting key service: "bwks". */
const SERVICE_LOCK = 0x6277_6b73;
/** How often the fence is looked at; a lost connection is told at once. */
const FENCE_POLL_MS = 1_000;

type Row = Readonly<Record<string, unknown>>;

export function text(row: Row, column: string): string {
  const value = row[column];
  if (typeof value === 'string') return value;
  throw new KeysError('KEYS_KEY_UNREADABLE', `column \`${column}\` of a key state is not a text`);
}

export const time = (value: unknown): number =>
  value instanceof Date ? value.getTime() : Number.NaN;

const optionalNumber = (value: unknown): number | undefined =>
  typeof value === 'number' ? value : undefined;

function bytes(value: unknown): Buffer {
  if (Buffer.isBuffer(value)) return value;
  throw new KeysError('KEYS_KEY_UNREADABLE', 'a wrap of a key state is not bytes');
}

function parseState(value: string): KeyState {
  // Unknown is disabled: fail closed.
  return value === 'enabled' ? 'enabled' : 'disabled';
}

function parseStatements(value: unknown): readonly SignedStatement[] {
  return Array.isArray(value) ? (value as SignedStatement[]) : [];
}

export const ids = (value: unknown): readonly KeyId[] =>
  Array.isArray(value) ? value.map((item) => parseKeyId(String(item))) : [];

function parseCustomerKey(row: Row): CustomerKeyRow {
  return {
    tenantId: parseTenantId(text(row, 'tenant_id')),
    keyId: parseKeyId(text(row, 'key_id')),
    version: Number(row['version']),
    provider: text(row, 'provider'),
    providerName: text(row, 'provider_name'),
    state: parseState(text(row, 'state')),
    isFinal: row['is_final'] !== false,
    stalenessMs: optionalNumber(row['staleness_ms']),
    termsStalenessMs: optionalNumber(row['terms_staleness_ms']),
    createdAtMs: time(row['created_at']),
    changedAtMs: time(row['changed_at']),
  };
}

function parseTenantKey(row: Row): TenantKeyRow {
  return {
    tenantId: parseTenantId(text(row, 'tenant_id')),
    keyId: parseKeyId(text(row, 'key_id')),
    version: Number(row['version']),
    customerKeyId: parseKeyId(text(row, 'customer_key_id')),
    wrap: bytes(row['wrap']),
    createdAtMs: time(row['created_at']),
  };
}

function parseSecretKind(kind: string): SecretRow['kind'] {
  if (kind === 'facts-key' || kind === 'id-key' || kind === 'index-key') return kind;
  throw new KeysError('KEYS_KEY_UNREADABLE', 'unknown kind of a secret');
}

function parseSecret(row: Row): SecretRow {
  return {
    tenantId: parseTenantId(text(row, 'tenant_id')),
    kind: parseSecretKind(text(row, 'kind')),
    name: text(row, 'name'),
    keyId: parseKeyId(text(row, 'key_id')),
    version: Number(row['version']),
    tenantKeyVersion: Number(row['tenant_key_version']),
    wrap: row['wrap'] === null ? undefined : bytes(row['wrap']),
  };
}

export function parseShredKey(row: Row): ShredKeyRow {
  return {
    tenantId: parseTenantId(text(row, 'tenant_id')),
    shredKeyId: parseKeyId(text(row, 'shred_key_id')),
    tenantKeyId: parseKeyId(text(row, 'tenant_key_id')),
    tenantKeyVersion: Number(row['tenant_key_version']),
  };
}

function parseChange(row: Row): KeyChangeRow {
  return {
    changeId: text(row, 'change_id'),
    tenantId: parseTenantId(text(row, 'tenant_id')),
    keyId: parseKeyId(text(row, 'key_id')),
    to: parseState(text(row, 'state')),
    entryId: row['entry_id'] === null ? undefined : parseEntryId(text(row, 'entry_id')),
    acceptedAtMs: time(row['accepted_at']),
    effectiveAtMs: row['effective_at'] === null ? undefined : time(row['effective_at']),
    statements: parseStatements(row['statements']),
  };
}

function parseErasureState(state: string): ErasureState {
  const found = ERASURE_STATES.find((one) => one === state);
  if (found !== undefined) return found;
  throw new KeysError('KEYS_KEY_UNREADABLE', 'unknown state of an erasure');
}

function parseErasure(row: Row): ErasureRow {
  return {
    erasureId: text(row, 'erasure_id'),
    tenantId: parseTenantId(text(row, 'tenant_id')),
    subjectId: parseSubjectId(text(row, 'subject_id')),
    entryId: row['entry_id'] === null ? undefined : parseEntryId(text(row, 'entry_id')),
    state: parseErasureState(text(row, 'state')),
    keyIds: ids(row['key_ids']),
    retired: ids(row['retired']),
    survivorsCount: Number(row['survivors_count']),
    acceptedAtMs: time(row['accepted_at']),
    doneAtMs: row['done_at'] === null ? undefined : time(row['done_at']),
    statements: parseStatements(row['statements']),
  };
}

async function begin(
  database: Database,
  service: { readonly publicKey: string },
): Promise<ServiceTerm> {
  const client = await database.pool.connect();
  let tellLost: () => void = () => undefined;
  const lost = new Promise<void>((resolve) => {
    tellLost = resolve;
  });
  client.on('error', () => tellLost());
  client.on('end', () => tellLost());
  let isOver = false;
  const end = (): void => {
    if (isOver) return;
    isOver = true;
    clearInterval(poll);
    client.release(true);
  };
  const poll = setInterval(() => {
    client.query('SELECT 1').catch(() => tellLost());
  }, FENCE_POLL_MS);
  poll.unref();
  try {
    const { rows } = await client.query<{ held: boolean }>(
      'SELECT pg_try_advisory_lock($1) AS held',
      [SERVICE_LOCK],
    );
    if (rows[0]?.held !== true) {
      throw new KeysError('KEYS_SERVICE_REFUSED', 'another key service of this cell is running');
    }
    const inserted = await client.query<{ generation: string }>(
      'INSERT INTO keys.services (public_key) VALUES ($1) RETURNING generation',
      [Buffer.from(service.publicKey, 'base64')],
    );
    const generation = Number(inserted.rows[0]?.generation);
    return { generation, lost, end: async () => end() };
  } catch (error) {
    end();
    throw error;
  }
}

async function insertTenant(
  tx: PoolClient,
  tenant: Parameters<KeyStateStore['insertTenant']>[0],
): Promise<boolean> {
  const { customerKey, tenantKey, secrets } = tenant;
  const { rowCount } = await tx.query(
    `INSERT INTO keys.customer_keys
       (tenant_id, key_id, provider, state, created_at, changed_at, version, provider_name,
        terms_staleness_ms)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (tenant_id) DO NOTHING`,
    [
      customerKey.tenantId,
      customerKey.keyId,
      customerKey.provider,
      customerKey.state,
      new Date(customerKey.createdAtMs),
      new Date(customerKey.changedAtMs),
      customerKey.version,
      customerKey.providerName,
      customerKey.termsStalenessMs ?? null,
    ],
  );
  if (rowCount !== 1) return false;
  await tx.query(
    `INSERT INTO keys.customer_key_versions
       (tenant_id, version, key_id, provider, provider_name, created_at)
     SELECT tenant_id, version, key_id, provider, provider_name, created_at
       FROM keys.customer_keys WHERE tenant_id = $1`,
    [customerKey.tenantId],
  );
  await tx.query(
    `INSERT INTO keys.tenant_keys (tenant_id, key_id, version, customer_key_id, wrap, created_at)
     VALUES ($1, $2, $3, $4, $5, $6)`,
    [
      tenantKey.tenantId,
      tenantKey.keyId,
      tenantKey.version,
      tenantKey.customerKeyId,
      tenantKey.wrap,
      new Date(tenantKey.createdAtMs),
    ],
  );
  for (const secret of secrets) await insertSecret(tx, secret);
  return true;
}

async function insertSecret(tx: Pick<PoolClient, 'query'>, secret: SecretRow): Promise<boolean> {
  const { rowCount } = await tx.query(
    `INSERT INTO keys.secrets (tenant_id, kind, name, version, key_id, tenant_key_version, wrap)
     VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`,
    [
      secret.tenantId,
      secret.kind,
      secret.name,
      secret.version,
      secret.keyId,
      secret.tenantKeyVersion,
      secret.wrap ?? null,
    ],
  );
  return rowCount === 1;
}

async function acceptChange(
  tx: PoolClient,
  change: KeyChangeRow,
): Promise<KeyChangeRow | undefined> {
  const accepted = new Date(change.acceptedAtMs);
  const { rowCount } = await tx.query(
    // What is disabled for good stays so.
    `UPDATE keys.customer_keys SET state = $3, changed_at = $4
      WHERE tenant_id = $1 AND key_id = $2 AND ($3 = 'disabled' OR NOT is_final)`,
    [change.tenantId, change.keyId, change.to, accepted],
  );
  if (rowCount !== 1) return undefined;
  const { rows } = await tx.query<Row>(
    `INSERT INTO keys.changes (change_id, tenant_id, key_id, state, entry_id, accepted_at)
     VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (change_id) DO UPDATE SET change_id = excluded.change_id RETURNING *`,
    [change.changeId, change.tenantId, change.keyId, change.to, change.entryId ?? null, accepted],
  );
  return rows[0] === undefined ? undefined : parseChange(rows[0]);
}

async function reserve(
  tx: PoolClient,
  tenantKey: Pick<TenantKeyRow, 'tenantId' | 'keyId' | 'version'>,
  count: number,
): Promise<readonly Reservation[]> {
  const { rows } = await tx.query<Row>(
    `SELECT * FROM keys.shred_keys
      WHERE tenant_id = $1 AND tenant_key_id = $2 AND tenant_key_version = $3 AND reserved < $4
      ORDER BY created_at, shred_key_id LIMIT 16 FOR UPDATE`,
    [tenantKey.tenantId, tenantKey.keyId, tenantKey.version, SUBJECTS_PER_SHRED_KEY_MAX],
  );
  const taken: Reservation[] = [];
  let left = count;
  for (const row of rows) {
    const places = Math.min(left, SUBJECTS_PER_SHRED_KEY_MAX - Number(row['reserved']));
    if (places < 1) break;
    const shredKey = parseShredKey(row);
    await tx.query(
      `UPDATE keys.shred_keys SET reserved = reserved + $3 WHERE tenant_id = $1 AND shred_key_id = $2`,
      [shredKey.tenantId, shredKey.shredKeyId, places],
    );
    taken.push({ ...shredKey, count: places });
    left -= places;
  }
  return taken;
}

async function acceptErasure(tx: PoolClient, erasure: ErasureRow): Promise<ErasureRow> {
  await tx.query(
    `INSERT INTO keys.erasures (erasure_id, tenant_id, subject_id, entry_id, state, accepted_at)
     VALUES ($1, $2, $3, $4, 'accepted', $5) ON CONFLICT (erasure_id) DO NOTHING`,
    [
      erasure.erasureId,
      erasure.tenantId,
      erasure.subjectId,
      erasure.entryId ?? null,
      new Date(erasure.acceptedAtMs),
    ],
  );
  const { rows } = await tx.query<Row>('SELECT * FROM keys.erasures WHERE erasure_id = $1', [
    erasure.erasureId,
  ]);
  if (rows[0] === undefined) throw new KeysError('KEYS_KEY_UNKNOWN', 'no such erasure');
  return parseErasure(rows[0]);
}

/** Wraps a bucket's survivors anew and forgets its shred key; gives how many survived. */
export async function rewrapBucket(
  tx: PoolClient,
  bucket: { readonly shredKey: ShredKeyRow; readonly erased: readonly KeyId[] },
  rewrap: Parameters<KeyStateStore['rewrap']>[1],
): Promise<number> {
  const { shredKey, erased } = bucket;
  const names = [shredKey.tenantId, shredKey.shredKeyId];
  await tx.query(
    `UPDATE keys.subject_keys SET is_erased = true, wrap = NULL, shred_key_id = NULL
      WHERE tenant_id = $1 AND shred_key_id = $2 AND key_id = ANY ($3::uuid[])`,
    [...names, erased],
  );
  const { rows } = await tx.query<Parameters<typeof parseSubjectRow>[0]>(
    `SELECT ${SUBJECT_COLUMNS} FROM keys.subject_keys WHERE tenant_id = $1 AND shred_key_id = $2`,
    names,
  );
  const survivors = rows.map(parseSubjectRow);
  const fresh = await rewrap({ shredKey, survivors });
  if (fresh !== undefined) {
    await tx.query(
      `INSERT INTO keys.shred_keys
         (tenant_id, shred_key_id, tenant_key_id, tenant_key_version, reserved)
       VALUES ($1, $2, $3, $4, $5)`,
      [
        fresh.shredKey.tenantId,
        fresh.shredKey.shredKeyId,
        fresh.shredKey.tenantKeyId,
        fresh.shredKey.tenantKeyVersion,
        survivors.length,
      ],
    );
    const { rowCount } = await tx.query(
      `UPDATE keys.subject_keys s SET shred_key_id = $3, wrap = u.wrap
         FROM unnest($4::uuid[], $5::bytea[]) AS u (key_id, wrap)
        WHERE s.tenant_id = $1 AND s.shred_key_id = $2 AND s.key_id = u.key_id`,
      [...names, fresh.shredKey.shredKeyId, [...fresh.wraps.keys()], [...fresh.wraps.values()]],
    );
    if (rowCount !== survivors.length) {
      throw new KeysError('KEYS_KEY_UNREADABLE', 'not every survivor of a bucket was wrapped anew');
    }
  }
  // The foreign key refuses this while any wrap is left behind.
  await tx.query('DELETE FROM keys.shred_keys WHERE tenant_id = $1 AND shred_key_id = $2', names);
  return survivors.length;
}

async function rewrapErasure(
  tx: PoolClient,
  erasure: ErasureRow,
  rewrap: Parameters<KeyStateStore['rewrap']>[1],
): Promise<ErasureRow> {
  const { tenantId, subjectId, erasureId } = erasure;
  // Locks the subject's rows, then their buckets: inserts of other wraps wait, and then find no bucket.
  const { rows: live } = await tx.query<{ key_id: string; shred_key_id: string }>(
    `SELECT key_id, shred_key_id FROM keys.subject_keys
      WHERE tenant_id = $1 AND subject_id = $2 AND NOT is_erased FOR UPDATE`,
    [tenantId, subjectId],
  );
  const keyIds = live.map((row) => parseKeyId(row.key_id));
  const { rows: buckets } = await tx.query<Row>(
    `SELECT * FROM keys.shred_keys WHERE tenant_id = $1 AND shred_key_id = ANY ($2::uuid[])
      ORDER BY shred_key_id FOR UPDATE`,
    [tenantId, live.map((row) => row.shred_key_id)],
  );
  let survivorsCount = 0;
  for (const bucket of buckets.map(parseShredKey)) {
    survivorsCount += await rewrapBucket(tx, { shredKey: bucket, erased: keyIds }, rewrap);
  }
  const { rows } = await tx.query<Row>(
    `UPDATE keys.erasures SET state = 'rewrapped', key_ids = $2, retired = $3, survivors_count = $4
      WHERE erasure_id = $1 AND state = 'accepted' RETURNING *`,
    [erasureId, keyIds, buckets.map((row) => row['shred_key_id']), survivorsCount],
  );
  if (rows[0] === undefined) {
    throw new KeysError('KEYS_KEY_UNREADABLE', 'the erasure is not in the state expected');
  }
  return parseErasure(rows[0]);
}

/** The key states of a cell. */
export function createPostgresKeyStateStore(database: Database): KeyStateStore {
  const { pool } = database;
  const list = async <T>(
    parse: (row: Row) => T,
    sql: string,
    values: readonly unknown[] = [],
  ): Promise<readonly T[]> => (await pool.query<Row>(sql, [...values])).rows.map(parse);
  const byTenant = 'WHERE tenant_id = $1';
  return {
    begin: (service) => begin(database, service),
    listCustomerKeys: () => list(parseCustomerKey, 'SELECT * FROM keys.customer_keys'),
    findCustomerKey: async (tenantId) =>
      (await list(parseCustomerKey, `SELECT * FROM keys.customer_keys ${byTenant}`, [tenantId]))[0],
    listTenantKeys: (tenantId) =>
      list(parseTenantKey, `SELECT * FROM keys.tenant_keys ${byTenant} ORDER BY version`, [
        tenantId,
      ]),
    listSecrets: (tenantId) =>
      list(parseSecret, `SELECT * FROM keys.secrets ${byTenant}`, [tenantId]),
    insertTenant: (tenant) => database.withTransaction((tx) => insertTenant(tx, tenant)),
    async setStaleness(tenantId, { stalenessMs, termsStalenessMs }) {
      await pool.query(
        `UPDATE keys.customer_keys
            SET staleness_ms = coalesce($2, staleness_ms),
                terms_staleness_ms = CASE WHEN $3 THEN $4 ELSE terms_staleness_ms END
          WHERE tenant_id = $1`,
        [tenantId, stalenessMs ?? null, termsStalenessMs !== undefined, termsStalenessMs ?? null],
      );
    },
    insertSecret: (secret) => database.withTransaction((tx) => insertSecret(tx, secret)),
    acceptChange: (change) => database.withTransaction((tx) => acceptChange(tx, change)),
    async completeChange(changeId, done) {
      await pool.query(
        `UPDATE keys.changes SET effective_at = $2, statements = $3
          WHERE change_id = $1 AND effective_at IS NULL`,
        [changeId, new Date(done.effectiveAtMs), JSON.stringify(done.statements)],
      );
    },
    findChange: async (changeId) =>
      (await list(parseChange, 'SELECT * FROM keys.changes WHERE change_id = $1', [changeId]))[0],
    listPendingChanges: () =>
      list(
        parseChange,
        'SELECT * FROM keys.changes WHERE effective_at IS NULL ORDER BY accepted_at',
      ),
    reserve: (tenantKey, count) => database.withTransaction((tx) => reserve(tx, tenantKey, count)),
    async insertShredKey(row, reservedCount) {
      await pool.query(
        `INSERT INTO keys.shred_keys
           (tenant_id, shred_key_id, tenant_key_id, tenant_key_version, reserved)
         VALUES ($1, $2, $3, $4, $5)`,
        [row.tenantId, row.shredKeyId, row.tenantKeyId, row.tenantKeyVersion, reservedCount],
      );
    },
    findShredKeys: (tenantId: TenantId, shredKeyIds: readonly KeyId[]) =>
      list(
        parseShredKey,
        `SELECT * FROM keys.shred_keys ${byTenant} AND shred_key_id = ANY ($2::uuid[])`,
        [tenantId, shredKeyIds],
      ),
    async countSubjects(tenantId) {
      const { rows } = await pool.query<{ count: string }>(
        `SELECT count(*) FROM keys.subject_keys ${byTenant} AND NOT is_erased`,
        [tenantId],
      );
      return Number(rows[0]?.count ?? 0);
    },
    findErasure: async (erasureId) =>
      (
        await list(parseErasure, 'SELECT * FROM keys.erasures WHERE erasure_id = $1', [erasureId])
      )[0],
    listPendingErasures: () =>
      list(parseErasure, `SELECT * FROM keys.erasures WHERE state <> 'done' ORDER BY accepted_at`),
    acceptErasure: (erasure) => database.withTransaction((tx) => acceptErasure(tx, erasure)),
    rewrap: (erasure, rewrap) =>
      database.withTransaction((tx) => rewrapErasure(tx, erasure, rewrap)),
    async advanceErasure(erasureId, to) {
      await pool.query(
        `UPDATE keys.erasures SET state = $2, done_at = $3, statements = $4 WHERE erasure_id = $1`,
        [
          erasureId,
          to.state,
          to.doneAtMs === undefined ? null : new Date(to.doneAtMs),
          JSON.stringify(to.statements),
        ],
      );
    },
  };
}
