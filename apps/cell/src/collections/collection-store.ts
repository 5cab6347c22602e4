// SPDX-License-Identifier: Apache-2.0
// Collections of a tenant: versioned schemas. A version never changes, so it is kept once read; which
// version is the newest is asked again after a moment, as another process may have written one.
import { type CollectionSchema, parseCollectionSchema } from '@bailiwick/contracts';
import {
  type Clock,
  type CollectionId,
  type EntryId,
  parseCollectionId,
  type TenantId,
} from '@bailiwick/kernel';
import type { Database } from '@bailiwick/postgres';
import type { PoolClient } from 'pg';
import { type CompiledCollection, compileCollection } from './compiled-collection.ts';
import { CollectionError } from './errors.ts';

/** How long the newest version is taken as the newest. */
const NEWEST_FOR_MS = 500;
const CACHE_COUNT_MAX = 4096;

export interface CollectionStore {
  /** @throws {CollectionError} `COLLECTION_UNKNOWN` */
  get(tenantId: TenantId, collectionId: CollectionId): Promise<CompiledCollection>;
  list(tenantId: TenantId): Promise<readonly CompiledCollection[]>;
  /** Writes a version in the caller's transaction; false when somebody else has just written it. */
  insert(
    tx: PoolClient,
    version: {
      readonly tenantId: TenantId;
      readonly collectionId: CollectionId;
      readonly version: number;
      readonly schema: CollectionSchema;
      readonly entryId: EntryId;
    },
  ): Promise<boolean>;
  /** Forgets what is cached of a collection. */
  forget(tenantId: TenantId, collectionId: CollectionId): void;
}

interface Row {
  readonly collection_id: string;
  readonly version: number;
  readonly schema: unknown;
}

interface Cached {
  readonly collection: CompiledCollection;
  readonly untilMs: number;
}

function toCollection(row: Row): CompiledCollection {
  return compileCollection(
    parseCollectionId(row.collection_id),
    row.version,
    parseCollectionSchema(row.schema),
  );
}

const stores = new WeakMap<Database, CollectionStore>();

/** The one store of this process over its database. */
export function collectionsOf(ports: {
  readonly database: Database;
  readonly clock: Clock;
}): CollectionStore {
  const existing = stores.get(ports.database);
  if (existing) return existing;
  const store = createCollectionStore(ports);
  stores.set(ports.database, store);
  return store;
}

function createCollectionStore(ports: {
  readonly database: Database;
  readonly clock: Clock;
}): CollectionStore {
  const { database, clock } = ports;
  const cache = new Map<string, Cached>();
  const keyOf = (tenantId: TenantId, collectionId: CollectionId): string =>
    `${tenantId}/${collectionId}`;

  const read = async (
    tenantId: TenantId,
    collectionId: CollectionId,
  ): Promise<CompiledCollection> => {
    const untilMs = clock.monotonicMs() + NEWEST_FOR_MS;
    const { rows } = await database.withTenant(tenantId, (tx) =>
      tx.query<Row>(
        `SELECT collection_id, version, schema FROM cell.collections
         WHERE tenant_id = $1 AND collection_id = $2 ORDER BY version DESC LIMIT 1`,
        [tenantId, collectionId],
      ),
    );
    const [row] = rows;
    if (!row) throw new CollectionError('COLLECTION_UNKNOWN', 'there is no such collection');
    const key = keyOf(tenantId, collectionId);
    const known = cache.get(key)?.collection;
    const collection = known?.version === row.version ? known : toCollection(row);
    if (cache.size >= CACHE_COUNT_MAX) cache.clear();
    cache.set(key, { collection, untilMs });
    return collection;
  };

  const reading = new Map<string, Promise<CompiledCollection>>();
  const load = (tenantId: TenantId, collectionId: CollectionId): Promise<CompiledCollection> => {
    const key = keyOf(tenantId, collectionId);
    const underWay = reading.get(key);
    if (underWay) return underWay;
    const started = read(tenantId, collectionId).finally(() => reading.delete(key));
    reading.set(key, started);
    return started;
  };

  return {
    async get(tenantId, collectionId) {
      const cached = cache.get(keyOf(tenantId, collectionId));
      if (cached && clock.monotonicMs() < cached.untilMs) return cached.collection;
      return load(tenantId, collectionId);
    },
    async list(tenantId) {
      const { rows } = await database.withTenant(tenantId, (tx) =>
        tx.query<Row>(
          `SELECT DISTINCT ON (collection_id) collection_id, version, schema FROM cell.collections
           WHERE tenant_id = $1 ORDER BY collection_id, version DESC`,
          [tenantId],
        ),
      );
      return rows.map(toCollection);
    },
    async insert(tx, { tenantId, collectionId, version, schema, entryId }) {
      const { rowCount } = await tx.query(
        `INSERT INTO cell.collections (tenant_id, collection_id, version, schema, entry_id)
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
        [tenantId, collectionId, version, JSON.stringify(schema), entryId],
      );
      return rowCount === 1;
    },
    forget(tenantId, collectionId) {
      cache.delete(keyOf(tenantId, collectionId));
    },
  };
}
