// SPDX-License-Identifier: Apache-2.0
// Creates a collection or a new version of its schema. A schema may grow; what is there keeps its meaning:
// another class, category or protection for stored data would be relabelling, which is a flow of its own.
import { hash } from 'node:crypto';
import {
  type CollectionSchema,
  type FieldSchema,
  type FieldSetSchema,
  parseCollectionSchema,
} from '@bailiwick/contracts';
import {
  type CollectionId,
  type Destination,
  isCoded,
  type Json,
  toCanonicalJson,
} from '@bailiwick/kernel';
import type { CellServices, Credential } from '../services.ts';
import type { CollectionStore } from './collection-store.ts';
import { type CompiledCollection, compileCollection } from './compiled-collection.ts';
import { CollectionError } from './errors.ts';

const ATTEMPTS_COUNT_MAX = 4;

interface Put {
  readonly credential: Credential;
  readonly purpose: string;
  readonly collectionId: CollectionId;
  readonly body: unknown;
  readonly requestId: string;
}

/**
 * Puts a collection's schema; the same schema again changes nothing.
 *
 * @throws {ContractError} `CONTRACT_VALUE_INVALID`; {CollectionError}; {DenialError} for who may not
 * take in such data.
 */
export async function putCollection(
  services: CellServices,
  store: CollectionStore,
  put: Put,
): Promise<{ readonly collection: CompiledCollection; readonly isNew: boolean }> {
  const schema = parseCollectionSchema(put.body);
  checkNames(services, schema);
  await requireRight(services, put, schema);
  for (let attempt = 0; attempt < ATTEMPTS_COUNT_MAX; attempt += 1) {
    const existing = await findNewest(store, put);
    if (existing && toText(existing.schema) === toText(schema)) {
      return { collection: existing, isNew: false };
    }
    if (existing) checkChange(existing.schema, schema);
    const version = (existing?.version ?? 0) + 1;
    if (await insert(services, store, { put, schema, version })) {
      store.forget(put.credential.tenantId, put.collectionId);
      return { collection: compileCollection(put.collectionId, version, schema), isNew: true };
    }
  }
  throw new CollectionError('COLLECTION_CHANGE_UNSUPPORTED', 'others change this schema just now');
}

async function findNewest(
  store: CollectionStore,
  { credential, collectionId }: Put,
): Promise<CompiledCollection | undefined> {
  store.forget(credential.tenantId, collectionId);
  try {
    return await store.get(credential.tenantId, collectionId);
  } catch (error) {
    if (isCoded(error, 'COLLECTION_UNKNOWN')) return undefined;
    throw error;
  }
}

async function insert(
  services: CellServices,
  store: CollectionStore,
  version: {
    readonly put: Put;
    readonly schema: CollectionSchema;
    readonly version: number;
  },
): Promise<boolean> {
  const { put, schema } = version;
  const { tenantId, account, kind, role, employer, assurance, place } = put.credential;
  const entry = services.entries.prepare(tenantId, {
    kind: 'write',
    actor: { account, kind, role, employer, assurance, place },
    facts: {
      collection: put.collectionId,
      schemaVersion: version.version,
      schemaHash: hash('sha256', toText(schema), 'hex'),
    },
    request: put.requestId,
  });
  return services.database.withTenant(tenantId, async (tx) => {
    const row = {
      tenantId,
      collectionId: put.collectionId,
      version: version.version,
      schema,
      entryId: entry.entryId,
    };
    if (!(await store.insert(tx, row))) return false;
    await services.entries.insertPrepared(tx, [entry]);
    return true;
  });
}

function checkNames(services: CellServices, schema: CollectionSchema): void {
  const { charter } = services.law.current();
  for (const [name, { category, purpose }] of Object.entries(schema.fieldSets)) {
    if (!charter.categories.includes(category)) {
      throw unknownName(`/fieldSets/${name}/category`, 'no category of the charter');
    }
    if (!charter.purposes.includes(purpose)) {
      throw unknownName(`/fieldSets/${name}/purpose`, 'no purpose of the charter');
    }
  }
}

function unknownName(pointer: string, detail: string): CollectionError {
  return new CollectionError('COLLECTION_NAME_UNKNOWN', `at \`${pointer}\`: ${detail}`, {
    details: { pointer },
  });
}

/** Who may take in data of each field set, from at least one country, may declare it. */
async function requireRight(
  services: CellServices,
  { credential, purpose }: Put,
  schema: CollectionSchema,
): Promise<void> {
  const { charter } = services.law.current();
  const cell = charter.cells.find(({ id }) => id === services.cellId);
  const to: Destination | undefined = cell && {
    kind: 'cell',
    id: cell.id,
    location: cell.location,
    operator: cell.operator,
  };
  const homes = [...charter.homes].flatMap(([origin, home]) =>
    home.ok && home.cellId === services.cellId ? [{ origin, home }] : [],
  );
  for (const fieldSet of Object.values(schema.fieldSets)) {
    const requests = homes.map(({ origin, home }) => ({
      action: 'ingest' as const,
      class: fieldSet.class,
      categories: [fieldSet.category],
      regimes: home.regimes,
      origin,
      residency: home.residency,
      purpose,
      ...(to ? { to } : {}),
    }));
    const isAllowed = requests.some(
      (request) => services.enforcement.decide(credential, request).decision.outcome === 'allow',
    );
    const [first] = requests;
    if (!isAllowed && first) await services.enforcement.require(credential, first);
    if (!first)
      throw new CollectionError('COLLECTION_NAME_UNKNOWN', 'no country has its home here');
  }
}

function refuseChange(pointer: string, detail: string): never {
  throw new CollectionError('COLLECTION_CHANGE_UNSUPPORTED', `at \`${pointer}\`: ${detail}`, {
    details: { pointer },
  });
}

function checkChange(before: CollectionSchema, after: CollectionSchema): void {
  for (const [name, fieldSet] of Object.entries(before.fieldSets)) {
    const now = after.fieldSets[name];
    if (!now) refuseChange(`/fieldSets/${name}`, 'a field set cannot be taken away');
    if (!isSameFieldSet(fieldSet, now)) {
      refuseChange(`/fieldSets/${name}`, 'its label cannot change: that would be relabelling');
    }
  }
  for (const [name, field] of Object.entries(before.fields)) {
    const now = after.fields[name];
    if (!now) refuseChange(`/fields/${name}`, 'a field cannot be taken away');
    if (!isSameField(field, now)) {
      refuseChange(`/fields/${name}`, 'type, field set and index must stay');
    }
  }
}

function isSameFieldSet(a: FieldSetSchema, b: FieldSetSchema): boolean {
  return (
    a.class === b.class &&
    a.category === b.category &&
    a.purpose === b.purpose &&
    a.subject === b.subject &&
    a.protection === b.protection
  );
}

function isSameField(a: FieldSchema, b: FieldSchema): boolean {
  return a.fieldSet === b.fieldSet && a.type === b.type && a.index === b.index;
}

/** Canonical text of a schema: plain data, which came out of a JSON parser. */
function toText(schema: CollectionSchema): string {
  const plain: Json = JSON.parse(JSON.stringify(schema));
  return toCanonicalJson(plain);
}
