// SPDX-License-Identifier: Apache-2.0
// Index values are in no backup; a restore makes them anew from what the tenant's own keys open. Until then
// the facts MAC of a record does not verify, so nothing is served that was not made whole. A record whose
// person was erased stays as it is: noise.
import {
  type CollectionSchema,
  type FieldValue,
  parseCollectionSchema,
} from '@bailiwick/contracts';
import { parseCollectionId, type TenantId } from '@bailiwick/kernel';
import { blindIndex } from '@bailiwick/keys';
import type { PoolClient } from 'pg';
import { type CompiledCollection, compileCollection } from '../collections/compiled-collection.ts';
import { toKeyReference } from '../records/expected-seal.ts';
import { findOpeningKeys, openFields, type SealedSet } from '../records/open.ts';
import { findIndexKeys } from '../records/prepare.ts';
import { parseStoredRow, RECORD_COLUMNS, type StoredRow } from '../records/record-store.ts';
import {
  parseContainer,
  type ReadRow,
  sealBytesOf,
  VALUE_HEADER_SIZE_BYTES,
  verifyRecord,
} from '../records/row.ts';
import type { CellServices } from '../services.ts';

type Services = Pick<CellServices, 'database' | 'keys' | 'log'>;

const BATCH_ROWS_COUNT = 1_000;
const INDEX_SIZE_BYTES = 16;

/** What became of a tenant's records. */
export interface Rebuilt {
  readonly rebuiltCount: number;
  /** Records that stay without: erased, or not what was written. */
  readonly leftCount: number;
}

/**
 * Rebuilds the index values of one tenant, batch by batch; safe to repeat after a crash.
 *
 * @throws {KeysError} when the tenant's keys cannot be had: its customer has disabled them, say
 */
export async function rebuildIndexes(services: Services, tenantId: TenantId): Promise<Rebuilt> {
  let rebuiltCount = 0;
  let leftCount = 0;
  for (const collection of await listCollections(services, tenantId)) {
    if (![...collection.fields.values()].some(({ index }) => index !== undefined)) continue;
    let after = '00000000-0000-0000-0000-000000000000';
    for (;;) {
      const rows = await readBatch(services, { tenantId, collection, after });
      const last = rows.at(-1);
      if (last === undefined) break;
      const done = await rebuildBatch(services, { tenantId, collection, rows });
      rebuiltCount += done;
      leftCount += rows.length - done;
      after = last.recordId;
    }
  }
  return { rebuiltCount, leftCount };
}

async function listCollections(
  { database }: Services,
  tenantId: TenantId,
): Promise<readonly CompiledCollection[]> {
  const { rows } = await database.withTenant(tenantId, (tx) =>
    tx.query<{ collection_id: string; version: number; schema: CollectionSchema }>(
      'SELECT collection_id, version, schema FROM cell.collections WHERE tenant_id = $1',
      [tenantId],
    ),
  );
  return rows.map((row) =>
    compileCollection(
      parseCollectionId(row.collection_id),
      row.version,
      parseCollectionSchema(row.schema),
    ),
  );
}

async function readBatch(
  { database }: Services,
  wanted: {
    readonly tenantId: TenantId;
    readonly collection: CompiledCollection;
    readonly after: string;
  },
): Promise<readonly ReadRow[]> {
  const { tenantId, collection, after } = wanted;
  const { rows } = await database.withTenant(tenantId, (tx) =>
    tx.query<StoredRow>(
      `SELECT ${RECORD_COLUMNS} FROM cell.records r
        WHERE r.tenant_id = $1 AND r.collection_id = $2 AND r.schema_version = $3
          AND r.record_id > $4 AND r.blind = '{}'
        ORDER BY r.record_id LIMIT ${BATCH_ROWS_COUNT}`,
      [tenantId, collection.id, collection.version, after],
    ),
  );
  return rows.map((row) => parseStoredRow(tenantId, row));
}

async function rebuildBatch(
  services: Services,
  batch: {
    readonly tenantId: TenantId;
    readonly collection: CompiledCollection;
    readonly rows: readonly ReadRow[];
  },
): Promise<number> {
  const { tenantId, collection, rows } = batch;
  const secrets = await services.keys.secrets(tenantId);
  const indexKeys = await findIndexKeys(collection, secrets);
  const parsed = rows.map((row) => ({ row, sealed: toSealedSets(row) }));
  const keys = await findOpeningKeys(
    services,
    tenantId,
    parsed.flatMap(({ sealed }) => sealed ?? []),
  );
  const made: { readonly row: ReadRow; readonly blind: readonly Buffer[] }[] = [];
  for (const { row, sealed } of parsed) {
    const fields = sealed && openAll(keys, row, sealed);
    if (fields === undefined) continue;
    const blind: Buffer[] = [];
    for (const [name, key] of indexKeys) {
      const form = collection.fields.get(name)?.index;
      const value = fields[name];
      if (form !== undefined && value !== undefined)
        blind.push(blindIndex(key, form, String(value)));
    }
    const isWhole = blind.length === 0 || isVerified(secrets.factsKey, { ...row, blind });
    if (isWhole) made.push({ row, blind });
  }
  await services.database.withTenant(tenantId, (tx) => writeBlind(tx, { ...batch, made }));
  return made.length;
}

function toSealedSets(row: ReadRow): readonly SealedSet[] | undefined {
  try {
    return parseContainer(row.sealed).map((value, at) => {
      const seal = sealBytesOf(value);
      const envelope = value.subarray(VALUE_HEADER_SIZE_BYTES + seal.length);
      return { at, key: toKeyReference(seal), seal, envelope };
    });
  } catch {
    // Not what was written: it is counted as left, and reading it is a deny.
    return undefined;
  }
}

function openAll(
  keys: Parameters<typeof openFields>[0],
  row: ReadRow,
  sealed: readonly SealedSet[],
): Readonly<Record<string, FieldValue>> | undefined {
  const fields: Record<string, FieldValue> = {};
  try {
    for (const value of sealed) {
      const opened = openFields(keys, value);
      if (opened === undefined) return undefined;
      Object.assign(fields, opened);
    }
  } catch {
    return undefined;
  }
  for (const [name, value] of Object.entries(row.plainFields)) {
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
      fields[name] = value;
    }
  }
  return fields;
}

function isVerified(
  factsKey: Parameters<typeof verifyRecord>[0],
  row: Parameters<typeof verifyRecord>[1],
): boolean {
  try {
    verifyRecord(factsKey, row);
    return true;
  } catch {
    return false;
  }
}

async function writeBlind(
  tx: PoolClient,
  batch: {
    readonly tenantId: TenantId;
    readonly collection: CompiledCollection;
    readonly made: readonly { readonly row: ReadRow; readonly blind: readonly Buffer[] }[];
  },
): Promise<void> {
  const { tenantId, collection, made } = batch;
  const indexed = made.filter(({ blind }) => blind.length > 0);
  if (indexed.length === 0) return;
  await tx.query(
    `UPDATE cell.records r SET blind = ARRAY(
       SELECT substring(u.blind FROM (g - 1) * ${INDEX_SIZE_BYTES} + 1 FOR ${INDEX_SIZE_BYTES})
         FROM generate_series(1, length(u.blind) / ${INDEX_SIZE_BYTES}) g ORDER BY g)
       FROM unnest($3::uuid[], $4::int[], $5::bytea[]) AS u (record_id, version, blind)
      WHERE r.tenant_id = $1 AND r.collection_id = $2 AND r.record_id = u.record_id
        AND r.version = u.version`,
    [
      tenantId,
      collection.id,
      indexed.map(({ row }) => row.recordId),
      indexed.map(({ row }) => row.version),
      indexed.map(({ blind }) => Buffer.concat(blind)),
    ],
  );
}
