// SPDX-License-Identifier: Apache-2.0
// Point reads. Those of one tenant that arrive together share one query; each has an entry of its own,
// durable before its answer leaves (invariant 3).
import type { StoredRecord } from '@bailiwick/contracts';
import { parseTenantId, type TenantId } from '@bailiwick/kernel';
import type { CollectionStore } from '../collections/collection-store.ts';
import type { CompiledCollection } from '../collections/compiled-collection.ts';
import type { CellServices, EntryReceipt } from '../services.ts';
import { type Batcher, createBatcher } from './batcher.ts';
import { toEntryRecords, toEntrySubject } from './entry.ts';
import { RecordError } from './errors.ts';
import { collectionFor } from './existing.ts';
import { READ_BATCH_COUNT_MAX } from './limits.ts';
import { type Opened, openRows } from './open.ts';
import { type RecordPlace, readRows } from './record-store.ts';
import type { ReadRow } from './row.ts';
import { type Asker, decideAgain, refuseSight } from './sight.ts';

interface PendingRead {
  readonly asker: Asker;
  readonly collection: CompiledCollection;
  readonly place: RecordPlace;
}

type ReadResult = Opened | { readonly kind: 'absent' };

const ABSENT: ReadResult = { kind: 'absent' };

/** What a read answers. */
export interface ReadAnswer {
  readonly record: StoredRecord;
  readonly receipt: EntryReceipt;
}

/** Point reads of this process. */
export class RecordReads {
  readonly #services: CellServices;
  readonly #collections: CollectionStore;
  readonly #reads: Batcher<PendingRead, ReadResult>;

  constructor(services: CellServices, collections: CollectionStore) {
    this.#services = services;
    this.#collections = collections;
    this.#reads = createBatcher<PendingRead, ReadResult>({
      batchCountMax: READ_BATCH_COUNT_MAX,
      run: (tenantId, items) => this.#readBatch(parseTenantId(tenantId), items),
    });
  }

  /**
   * Reads a record for this asker.
   *
   * @throws {RecordError} `RECORD_UNKNOWN`, `RECORD_FACTS_UNVERIFIED`; {DenialError} when nothing of it
   * may be seen.
   */
  async read(
    context: {
      readonly asker: Asker;
      readonly collection: CompiledCollection;
      readonly requestId: string;
    },
    place: RecordPlace,
  ): Promise<ReadAnswer> {
    const { asker, collection, requestId } = context;
    const { tenantId } = asker.credential;
    const result = await this.#reads.submit(tenantId, { asker, collection, place });
    if (result.kind === 'absent') throw new RecordError('RECORD_UNKNOWN', 'no such record');
    if (result.kind === 'hidden') return refuseSight(this.#services, asker, result.sight);
    if (result.kind === 'unverified') return this.#refuseUnverified(context, place);
    const { record, sight } = result;
    const decided = decideAgain(this.#services, asker, sight);
    if (!decided) return refuseSight(this.#services, asker, sight);
    const receipt = await this.#services.entries.record(tenantId, {
      kind: 'read',
      ...this.#services.enforcement.toDraft(asker.credential, decided),
      ...toEntrySubject(result.subjectId),
      records: toEntryRecords([place.recordId]),
      facts: sight.facts,
      request: requestId,
    });
    return { record, receipt };
  }

  async #refuseUnverified(
    context: {
      readonly asker: Asker;
      readonly collection: CompiledCollection;
      readonly requestId: string;
    },
    place: RecordPlace,
  ): Promise<never> {
    await this.#services.entries.record(context.asker.credential.tenantId, {
      kind: 'refusal',
      records: toEntryRecords([place.recordId]),
      facts: { collection: place.collectionId, cause: 'facts-unverified' },
      request: context.requestId,
    });
    throw new RecordError('RECORD_FACTS_UNVERIFIED', 'the record is not what was written');
  }

  async #readBatch(
    tenantId: TenantId,
    items: readonly PendingRead[],
  ): Promise<readonly ReadResult[]> {
    const rows = await readRows(
      this.#services.database.pool,
      tenantId,
      items.map(({ place }) => place),
    );
    const byPlace = new Map(rows.map((row) => [`${row.collectionId} ${row.recordId}`, row]));
    const requests: { row: ReadRow; collection: CompiledCollection; asker: Asker }[] = [];
    const places: number[] = [];
    for (const [index, { place, collection, asker }] of items.entries()) {
      const row = byPlace.get(`${place.collectionId} ${place.recordId}`);
      if (!row) continue;
      const isKnown = collection.version >= row.schemaVersion;
      const known = isKnown ? collection : await collectionFor(this.#collections, row);
      requests.push({ row, collection: known, asker });
      places.push(index);
    }
    const opened = await openRows(this.#services, { tenantId, action: 'read', requests });
    const results = new Array<ReadResult>(items.length).fill(ABSENT);
    for (const [at, result] of opened.entries()) results[places[at] ?? 0] = result;
    return results;
  }
}
