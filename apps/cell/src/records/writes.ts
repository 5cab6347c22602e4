// SPDX-License-Identifier: Apache-2.0
// Single writes. Creates of one tenant share a transaction (group commit); updates and deletes are
// transactions of their own, held against the version that was read. An entry is in the same transaction
// as its write (invariant 3).
import type { FieldValue, RecordDraft, RecordLabel, StoredRecord } from '@bailiwick/contracts';
import { parseTenantId, type TenantId } from '@bailiwick/kernel';
import { DELETED_DIGEST } from '@bailiwick/ledger';
import type { CollectionStore } from '../collections/collection-store.ts';
import { type CompiledCollection, toClassGroups } from '../collections/compiled-collection.ts';
import type { CellServices, EntryReceipt, PreparedEntry } from '../services.ts';
import { type Batcher, createBatcher } from './batcher.ts';
import { type CheckedDraft, checkDraft, type FieldSetValues, splitFields } from './draft.ts';
import { toEntrySubject, toEntryWrites } from './entry.ts';
import { RecordError, toRecordError } from './errors.ts';
import { findExisting, type OpenedContent, openContent, toClosed } from './existing.ts';
import { type HomeLabel, labellerOf, toHomeError } from './label.ts';
import { WRITE_BATCH_COUNT_MAX } from './limits.ts';
import {
  type LabelledDraft,
  type PreparedRow,
  prepareRows,
  toIds,
  toPresentIds,
} from './prepare.ts';
import { deleteRow, insertRows, type RecordPlace, updateRow } from './record-store.ts';
import { digestRow, parseFacts, toFlatJson } from './row.ts';
import {
  type Asker,
  findPerson,
  requireWrite,
  toWriteRequests,
  type WritePermit,
} from './sight.ts';

/** What a write answers. */
export interface WriteAnswer {
  readonly record: StoredRecord;
  /** False: it was there already with the same content. */
  readonly isNew: boolean;
  readonly receipt?: EntryReceipt;
}

/** What an update must still find. */
export interface ExpectedVersion extends RecordPlace {
  readonly version: number;
}

interface PendingCreate {
  readonly collection: CompiledCollection;
  readonly draft: LabelledDraft;
  readonly permit: WritePermit;
  readonly requestId: string;
}

interface ReadyRow {
  readonly row: PreparedRow;
  readonly entry: PreparedEntry;
}

type CreateResult =
  | { readonly kind: 'created'; readonly row: PreparedRow; readonly receipt: EntryReceipt }
  | { readonly kind: 'exists' };

export interface WriteContext {
  readonly asker: Asker;
  readonly collection: CompiledCollection;
  /** The request's UUID, for the entry. */
  readonly requestId: string;
}

/** Writes of this process. */
export class RecordWrites {
  readonly #services: CellServices;
  readonly #collections: CollectionStore;
  readonly #creates: Batcher<PendingCreate, CreateResult>;

  constructor(services: CellServices, collections: CollectionStore) {
    this.#services = services;
    this.#collections = collections;
    this.#creates = createBatcher<PendingCreate, CreateResult>({
      batchCountMax: WRITE_BATCH_COUNT_MAX,
      // One is sealed while the other waits for the disk.
      concurrency: 2,
      keyOf: ({ collection, draft }) => `${collection.id} ${draft.recordId}`,
      run: (tenantId, items) => this.#insertBatch(parseTenantId(tenantId), items),
    });
  }

  /**
   * Creates a record. The same id with the same content is answered as unchanged, with other content it
   * is a conflict. Without an id of the caller's, `fallbackId` (the idempotency key) stands in.
   */
  async create(
    context: WriteContext,
    wire: RecordDraft,
    fallbackId: string | undefined,
  ): Promise<WriteAnswer> {
    const { asker, collection, requestId } = context;
    const { tenantId } = asker.credential;
    const checked = checkDraft(collection, wire);
    if (!checked.draft) throw toRecordError(checked.refusal);
    const { label } = this.#toHome(checked.draft);
    const secrets = await this.#services.keys.secrets(tenantId);
    const named = toIds(this.#services, secrets, {
      collection,
      draft: checked.draft,
      ...(fallbackId === undefined ? {} : { fallbackId: `idempotency-key/${fallbackId}` }),
    });
    const ids = await toPresentIds(this.#services, secrets, { tenantId, ids: named });
    const { subjectId } = ids;
    const requests = toWriteRequests(this.#services, {
      asker,
      action: 'ingest',
      collection,
      label,
      person: findPerson(this.#services, asker, { collection, subjectId }),
    });
    const permit = await requireWrite(this.#services, asker, requests);
    const draft = { ...ids, label, values: checked.draft.values, version: 1 };
    const item = { collection, draft, permit, requestId };
    const result = await this.#creates.submit(tenantId, item);
    if (result.kind === 'created') {
      const record = this.#toAnswer(collection, {
        ...draft,
        lawDate: parseFacts(result.row.facts).lawDate,
      });
      return { record, isNew: true, receipt: result.receipt };
    }
    return this.#compare(context, draft, permit);
  }

  #toHome(draft: CheckedDraft): { readonly label: HomeLabel } {
    const { cellId, law } = this.#services;
    const found = labellerOf(cellId, law.current()).label(draft.originText);
    if (!found.label) throw toHomeError(found.refused);
    return { label: found.label };
  }

  async #insertBatch(
    tenantId: TenantId,
    items: readonly PendingCreate[],
  ): Promise<readonly (CreateResult | Error)[]> {
    const prepared = await this.#prepareBatch(tenantId, items);
    const ready = prepared.flatMap((one) => (one instanceof Error ? [] : [one]));
    const inserted =
      ready.length === 0
        ? new Set<string>()
        : await this.#services.database.withTenant(tenantId, async (tx) => {
            const done = await insertRows(
              tx,
              ready.map(({ row, entry }) => ({ ...row, entryId: entry.entryId })),
            );
            const entries = ready.filter(({ row }) => done.has(row.recordId));
            if (entries.length > 0) {
              await this.#services.entries.insertPrepared(
                tx,
                entries.map(({ entry }) => entry),
              );
            }
            return done;
          });
    return prepared.map((one): CreateResult | Error => {
      if (one instanceof Error) return one;
      const { row, entry } = one;
      if (!inserted.has(row.recordId)) return { kind: 'exists' };
      const receipt = { entryId: entry.entryId, leafHash: entry.leafHash };
      return { kind: 'created', row, receipt };
    });
  }

  /** Seals each collection's drafts together; in the items' order. */
  async #prepareBatch(
    tenantId: TenantId,
    items: readonly PendingCreate[],
  ): Promise<readonly (ReadyRow | Error)[]> {
    const secrets = await this.#services.keys.secrets(tenantId);
    const byCollection = new Map<CompiledCollection, number[]>();
    for (const [index, { collection }] of items.entries()) {
      const places = byCollection.get(collection);
      if (places) places.push(index);
      else byCollection.set(collection, [index]);
    }
    const results = new Array<ReadyRow | Error>(items.length);
    for (const [collection, places] of byCollection) {
      const chosen = places.flatMap((index) => items[index] ?? []);
      const drafts = chosen.map(({ draft }) => draft);
      const rows = await prepareRows(this.#services, { tenantId, collection, secrets, drafts });
      for (const [at, { row, refusal }] of rows.entries()) {
        const index = places[at] ?? 0;
        const item = chosen[at];
        if (refusal) results[index] = toRecordError(refusal);
        else if (item) results[index] = { row, entry: this.#prepareEntry(row, item) };
      }
    }
    return results;
  }

  /** The entry of one row's write. */
  #prepareEntry(
    row: PreparedRow,
    { permit, requestId }: { readonly permit: WritePermit; readonly requestId: string },
  ): PreparedEntry {
    const { tenantId, recordId, version, subjectId, collectionId } = row;
    const writes = toEntryWrites([{ recordId, version, digest: digestRow(row) }]);
    return this.#services.entries.prepare(tenantId, {
      kind: 'write',
      ...permit,
      ...toEntrySubject(subjectId),
      writes,
      facts: { collection: collectionId },
      request: requestId,
    });
  }

  /** Holds a draft against the record that is there: the same, or a conflict. */
  async #compare(
    { asker, collection, requestId }: WriteContext,
    draft: LabelledDraft,
    permit: WritePermit,
  ): Promise<WriteAnswer> {
    const { tenantId } = asker.credential;
    const place = { collectionId: collection.id, recordId: draft.recordId };
    const existing = await findExisting(this.#services, this.#collections, { tenantId, place });
    const content = existing && (await openContent(this.#services, existing));
    // Deleted since: who asked again will be able to create it.
    if (!content) throw new RecordError('RECORD_CONFLICT', 'the record has just been deleted');
    const isSame = isSameContent(content, draft);
    // INVARIANT: telling whether content is the same is a use of it, and on record before it is told.
    await this.#services.entries.record(tenantId, {
      kind: 'read',
      ...permit,
      ...toEntrySubject(draft.subjectId),
      facts: { collection: collection.id, compared: 1, same: isSame },
      request: requestId,
    });
    if (!isSame) throw new RecordError('RECORD_CONFLICT', 'the record exists with other content');
    const { version, lawDate } = content;
    return { record: this.#toAnswer(collection, { ...draft, version, lawDate }), isNew: false };
  }

  /**
   * Sets fields of a record (`null` removes one) if it still has the expected version. All of it is
   * sealed anew.
   */
  async update(
    context: WriteContext,
    expected: ExpectedVersion,
    fields: Readonly<Record<string, FieldValue | null>>,
  ): Promise<WriteAnswer> {
    const { asker, collection, requestId } = context;
    const { tenantId } = asker.credential;
    const content = await this.#requireContent(context, expected, { fields, action: 'update' });
    const values = mergeFields(collection, content.content, fields);
    const secrets = await this.#services.keys.secrets(tenantId);
    const draft: LabelledDraft = {
      recordId: expected.recordId,
      subjectId: content.content.subjectId,
      label: content.content.label,
      values,
      version: expected.version + 1,
      collectedAt: content.content.collectedAt,
      lawDate: content.content.lawDate,
      ...(content.content.copyOf === undefined ? {} : { copyOf: content.content.copyOf }),
    };
    const options = { tenantId, collection, secrets, drafts: [draft] };
    const [prepared] = await prepareRows(this.#services, options);
    if (!prepared?.row) throw toRecordError(prepared?.refusal ?? NOTHING_PREPARED);
    const { row } = prepared;
    const { permit } = content;
    const entry = this.#prepareEntry(row, { permit, requestId });
    await this.#services.database.withTenant(tenantId, async (tx) => {
      if (!(await updateRow(tx, { ...row, entryId: entry.entryId }))) throw staleVersion();
      await this.#services.entries.insertPrepared(tx, [entry]);
    });
    const answer = this.#toAnswer(collection, draft);
    // Only what the caller set comes back: an update is not a read.
    const set = Object.entries(answer.fields).filter(([name]) => name in fields);
    const receipt = { entryId: entry.entryId, leafHash: entry.leafHash };
    return { record: { ...answer, fields: Object.fromEntries(set) }, isNew: false, receipt };
  }

  /** Deletes a record if it still has the expected version. */
  async delete(context: WriteContext, expected: ExpectedVersion): Promise<EntryReceipt> {
    const { asker, requestId } = context;
    const { tenantId } = asker.credential;
    const { content, permit } = await this.#requireContent(context, expected, {
      fields: undefined,
      action: 'delete',
    });
    const { recordId, version } = expected;
    const writes = toEntryWrites([{ recordId, version: version + 1, digest: DELETED_DIGEST }]);
    const entry = this.#services.entries.prepare(tenantId, {
      kind: 'delete',
      ...permit,
      ...toEntrySubject(content.subjectId),
      writes,
      facts: { collection: expected.collectionId },
      request: requestId,
    });
    await this.#services.database.withTenant(tenantId, async (tx) => {
      if (!(await deleteRow(tx, { ...expected, tenantId }))) throw staleVersion();
      await this.#services.entries.insertPrepared(tx, [entry]);
    });
    return { entryId: entry.entryId, leafHash: entry.leafHash };
  }

  /** The record as it stands, at the expected version, once the change of these fields is allowed. */
  async #requireContent(
    { asker, collection }: WriteContext,
    expected: ExpectedVersion,
    change: {
      readonly fields: Readonly<Record<string, unknown>> | undefined;
      readonly action: 'update' | 'delete';
    },
  ): Promise<{ readonly content: OpenedContent; readonly permit: WritePermit }> {
    const { tenantId } = asker.credential;
    const place = { collectionId: collection.id, recordId: expected.recordId };
    const existing = await findExisting(this.#services, this.#collections, { tenantId, place });
    if (!existing) throw new RecordError('RECORD_UNKNOWN', 'there is no such record');
    const { label } = existing;
    const touched = change.fields ? toTouched(collection, change.fields) : collection;
    const { action } = change;
    const { subjectId } = existing.verified.row;
    const preparing = this.#services.standings.prepare(tenantId, [subjectId]);
    if (preparing) await preparing;
    const person = findPerson(this.#services, asker, { collection, subjectId });
    const requests = toWriteRequests(this.#services, {
      ...{ asker, action, collection: touched, label, person },
    });
    const permit = await requireWrite(this.#services, asker, requests);
    if (existing.verified.row.version !== expected.version) throw staleVersion();
    // A delete needs no plaintext, and must also be possible for what was erased.
    if (!change.fields) return { content: toClosed(existing), permit };
    return { content: await openContent(this.#services, existing), permit };
  }

  #toAnswer(collection: CompiledCollection, draft: LabelledDraft): StoredRecord {
    const fields: Record<string, FieldValue> = {};
    for (const values of draft.values) Object.assign(fields, values);
    return {
      recordId: draft.recordId,
      ...(draft.subjectId === undefined ? {} : { subjectId: draft.subjectId }),
      version: draft.version,
      label: this.#toWireLabel(collection, draft.label, draft.lawDate ?? ''),
      fields,
    };
  }

  #toWireLabel(collection: CompiledCollection, label: HomeLabel, lawDate: string): RecordLabel {
    const { origin, residency, regimes } = label;
    return {
      cell: this.#services.cellId,
      residency,
      origin,
      regimes,
      lawDate,
      classes: collection.classes,
      categories: collection.categories,
    };
  }
}

const NOTHING_PREPARED = {
  code: 'RECORD_FIELD_INVALID',
  detail: 'the record could not be prepared',
} as const;

function staleVersion(): RecordError {
  return new RecordError('RECORD_VERSION_STALE', 'the record has changed since it was read');
}

/** True when a draft would make the record that is there. */
export function isSameContent(content: OpenedContent, draft: LabelledDraft): boolean {
  if (content.subjectId !== draft.subjectId || content.label.origin !== draft.label.origin) {
    return false;
  }
  return content.values.every((values, at) => toText(values) === toText(draft.values[at]));
}

function toText(values: FieldSetValues | undefined): string {
  return values ? toFlatJson(values) : '';
}

/** The collection narrowed to the field sets in which these fields are. */
function toTouched(
  collection: CompiledCollection,
  fields: Readonly<Record<string, unknown>>,
): CompiledCollection {
  const touched = new Set(Object.keys(fields).map((name) => collection.fields.get(name)?.fieldSet));
  const fieldSets = collection.fieldSets.filter((fieldSet) => touched.has(fieldSet));
  if (fieldSets.length === 0) {
    throw toRecordError({
      code: 'RECORD_FIELD_INVALID',
      detail: 'no field is set',
      pointer: '/fields',
    });
  }
  return { ...collection, classGroups: toClassGroups(fieldSets) };
}

function mergeFields(
  collection: CompiledCollection,
  content: OpenedContent,
  change: Readonly<Record<string, FieldValue | null>>,
): readonly (FieldSetValues | undefined)[] {
  const fields: Record<string, FieldValue | null> = {};
  for (const values of content.values) Object.assign(fields, values);
  const split = splitFields(collection, { ...fields, ...change });
  if (!('values' in split)) throw toRecordError(split);
  return split.values;
}
