// SPDX-License-Identifier: Apache-2.0
// The receiving side of a copy, first step: is it announced by who it says, could anything of it be allowed
// here, is there a collection to hold it. Entered once, and answered the same when it comes again.
import { createHash } from 'node:crypto';
import {
  type CollectionSchema,
  parseCollectionSchema,
  type TransferManifest,
} from '@bailiwick/contracts';
import { isCoded, parseCollectionId } from '@bailiwick/kernel';
import { collectionsOf } from '../collections/collection-store.ts';
import type { CompiledCollection } from '../collections/compiled-collection.ts';
import type { CellRuntime } from '../runtime.ts';
import type { EntryReceipt } from '../services.ts';
import { firstDigest } from '../transfers/chunk-hash.ts';
import { type ArrivalRow, findArrival, insertArrival } from './arrival-store.ts';
import {
  type ArrivalCall,
  parse,
  refuse,
  requireFreshLaw,
  verifyManifest,
} from './verify-arrival.ts';

type Receipt = { readonly entryId: string; readonly leafHash: string };

/** @throws {CellError} `DELIVERY_REFUSED`, `PEER_UNREACHABLE` while the law is out of date */
export async function takeManifest(runtime: CellRuntime, call: ArrivalCall): Promise<Receipt> {
  const { statement, payload } = verifyManifest(runtime, call);
  requireFreshLaw(runtime);
  const manifestHash = createHash('sha256').update(payload).digest('hex');
  const known = await findArrival(runtime.database, call);
  if (known !== undefined) return toKnown(known, manifestHash);
  await holdCollection(runtime, call, statement);
  const { tenantId, transferId, from } = call;
  const entry = runtime.entries.prepare(tenantId, {
    kind: 'delivery',
    facts: {
      ...toArrivalFacts(statement),
      step: 'announced',
      manifest: manifestHash,
      request: statement.requestHash,
      conditions: statement.conditions,
    },
  });
  const isNew = await runtime.database.withTenant(tenantId, async (tx) => {
    const row = {
      ...{ tenantId, transferId, from, manifestHash },
      manifest: JSON.stringify(call.body),
      digest: firstDigest(transferId),
      entryId: entry.entryId,
      leafHash: entry.leafHash,
    };
    if (!(await insertArrival(tx, row))) return false;
    await runtime.entries.insertPrepared(tx, [entry]);
    return true;
  });
  if (isNew) return { entryId: entry.entryId, leafHash: entry.leafHash };
  const other = await findArrival(runtime.database, call);
  return other === undefined ? refuse('the arrival is not there') : toKnown(other, manifestHash);
}

function toKnown(known: ArrivalRow, manifestHash: string): Receipt {
  if (known.manifestHash !== manifestHash) refuse('another transfer has this id');
  return { entryId: known.entryId, leafHash: known.leafHash };
}

/** What every entry about an arrival says of it. */
export function toArrivalFacts(
  manifest: TransferManifest,
): Record<string, string | readonly string[]> {
  const { transferId, from, form, collection, mechanism, instrument } = manifest;
  return {
    transfer: transferId,
    transferKind: manifest.kind,
    from,
    form,
    collection: collection.id,
    ...(mechanism === undefined ? {} : { mechanism }),
    ...(instrument === undefined
      ? {}
      : { instrument: instrument.reference, parties: instrument.parties }),
  };
}

/** The collection that holds what comes, made after the other cell's where there is none. */
async function holdCollection(
  runtime: CellRuntime,
  call: ArrivalCall,
  manifest: TransferManifest,
): Promise<void> {
  const { tenantId } = call;
  const collectionId = parseCollectionId(manifest.collection.id);
  const schema = parse(() => parseCollectionSchema(manifest.collection.schema));
  const store = collectionsOf(runtime);
  const existing = await findCollection(runtime, call, manifest);
  if (existing !== undefined) {
    assertHolds(existing, schema);
    return;
  }
  const entry: EntryReceipt = await runtime.database.withTenant(tenantId, async (tx) => {
    const prepared = runtime.entries.prepare(tenantId, {
      kind: 'write',
      facts: { collection: collectionId, schemaVersion: 1, transfer: call.transferId },
    });
    const row = { tenantId, collectionId, version: 1, schema, entryId: prepared.entryId };
    if (await store.insert(tx, row)) await runtime.entries.insertPrepared(tx, [prepared]);
    return prepared;
  });
  runtime.log.debug('collection made for a copy', { entryId: entry.entryId });
  store.forget(tenantId, collectionId);
}

/** The collection of a manifest here; `undefined` where there is none. */
export async function findCollection(
  runtime: CellRuntime,
  { tenantId }: Pick<ArrivalCall, 'tenantId'>,
  manifest: TransferManifest,
): Promise<CompiledCollection | undefined> {
  const collectionId = parseCollectionId(manifest.collection.id);
  try {
    return await collectionsOf(runtime).get(tenantId, collectionId);
  } catch (error) {
    if (isCoded(error, 'COLLECTION_UNKNOWN')) return undefined;
    throw error;
  }
}

/** What is restricted there must be restricted here: no field may land under a weaker label. */
function assertHolds(existing: CompiledCollection, schema: CollectionSchema): void {
  for (const [name, field] of Object.entries(schema.fields)) {
    const here = existing.fields.get(name);
    const set = schema.fieldSets[field.fieldSet];
    const isSame =
      here !== undefined &&
      set !== undefined &&
      here.type === field.type &&
      here.fieldSet.name === field.fieldSet &&
      here.fieldSet.class === set.class &&
      here.fieldSet.category === set.category &&
      here.fieldSet.purpose === set.purpose &&
      here.fieldSet.subject === set.subject &&
      here.fieldSet.protection === set.protection;
    if (!isSame) refuse('the collection of this name is another one here');
  }
}
