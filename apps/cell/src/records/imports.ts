// SPDX-License-Identifier: Apache-2.0
// Bulk: lines gather into batches; each batch is one transaction with its entries, so that a crash leaves
// whole batches or nothing of them. While one batch is in the database the next is being sealed. Sending
// the same lines again, in whatever chunks, changes nothing: the caller's ids make the records' ids.
import type { ImportResult, RefusedLine } from '@bailiwick/contracts';
import { CALLER_ID_CHARACTERS_MAX, REFUSED_LINES_COUNT_MAX } from '@bailiwick/contracts';
import { isCoded, type RecordId, type SubjectId, type TenantId } from '@bailiwick/kernel';
import type { CollectionStore } from '../collections/collection-store.ts';
import type { CompiledCollection } from '../collections/compiled-collection.ts';
import type { CellServices, PreparedEntry, TenantSecrets } from '../services.ts';
import { checkDraft } from './draft.ts';
import { toEntryWrites } from './entry.ts';
import { findVerified, openContents } from './existing.ts';
import type { ImportedLine, LineReader } from './import-lines.ts';
import { type HomeLabel, labellerOf } from './label.ts';
import { IMPORT_BATCH_COUNT_MAX, IMPORT_BATCH_SIZE_BYTES_MAX } from './limits.ts';
import { type LabelledDraft, type PreparedRow, prepareRows, SubjectIds, toIds } from './prepare.ts';
import { readRows } from './record-store.ts';
import { digestRow, type RecordRow, toFlatJson } from './row.ts';
import {
  type Asker,
  findPerson,
  requireWrite,
  toWriteRequests,
  type WritePermit,
} from './sight.ts';
import { insertStaged } from './staging.ts';
import { isSameContent } from './writes.ts';

const ENTRIES_COUNT_MAX = 10_000;
/** Times that a batch is tried again because somebody else wrote some of it meanwhile. */
const ATTEMPTS_COUNT_MAX = 4;

export interface ImportContext {
  readonly asker: Asker;
  readonly collection: CompiledCollection;
  readonly requestId: string;
}

/** A line on its way. */
interface Item {
  readonly line: number;
  readonly draft: LabelledDraft;
  readonly permit: WritePermit;
}

interface ReadyItem extends Item {
  readonly row: PreparedRow;
  readonly digest: Buffer;
}

type Permitted =
  | { readonly permit: WritePermit; readonly refused?: undefined }
  | { readonly permit?: undefined; readonly refused: Omit<RefusedLine, 'line'> };

/** Takes in the lines of one request. */
export class Import {
  readonly #services: CellServices;
  readonly #collections: CollectionStore;
  readonly #context: ImportContext;
  readonly #tenantId: TenantId;
  /** By origin, for the batch at hand. */
  #permits = new Map<string, Permitted>();
  #subjectIds: SubjectIds | undefined;
  #batch: ImportedLine[] = [];
  #batchSizeBytes = 0;
  #committing: Promise<void> = Promise.resolve();
  #expectsExisting = false;
  #accepted = 0;
  #unchanged = 0;
  #refusedCount = 0;
  readonly #refused: RefusedLine[] = [];
  readonly #entries: string[] = [];

  constructor(services: CellServices, collections: CollectionStore, context: ImportContext) {
    this.#services = services;
    this.#collections = collections;
    this.#context = context;
    this.#tenantId = context.asker.credential.tenantId;
  }

  /** Reads the body to its end. What was committed before a failure stays and is not told. */
  async run(body: AsyncIterable<Uint8Array>, reader: LineReader): Promise<ImportResult> {
    try {
      for await (const chunk of body) await this.#take(reader.push(chunk));
      await this.#take(reader.end());
      await this.#flush();
    } finally {
      // A failure elsewhere must not leave a rejection that nobody looks at.
      await this.#committing.catch(() => undefined);
    }
    await this.#committing;
    return {
      accepted: this.#accepted,
      unchanged: this.#unchanged,
      refusedCount: this.#refusedCount,
      refused: this.#refused.sort((a, b) => a.line - b.line),
      entries: this.#entries,
    };
  }

  async #take(lines: readonly ImportedLine[]): Promise<void> {
    for (const line of lines) {
      if (!line.draft) {
        this.#refuse(line.line, line.problem);
        continue;
      }
      this.#batch.push(line);
      this.#batchSizeBytes += line.sizeBytes;
      const isFull =
        this.#batch.length >= IMPORT_BATCH_COUNT_MAX ||
        this.#batchSizeBytes >= IMPORT_BATCH_SIZE_BYTES_MAX;
      if (isFull) await this.#flush();
    }
  }

  #refuse(line: number, problem: Omit<RefusedLine, 'line'>): void {
    this.#refusedCount += 1;
    if (this.#refused.length >= REFUSED_LINES_COUNT_MAX) return;
    const { code, detail, pointer } = problem;
    this.#refused.push({ line, code, detail, ...(pointer === undefined ? {} : { pointer }) });
  }

  /** Seals the batch at hand while the one before is in the database. */
  async #flush(): Promise<void> {
    const lines = this.#batch;
    this.#batch = [];
    this.#batchSizeBytes = 0;
    this.#permits = new Map();
    if (lines.length === 0) return;
    const secrets = await this.#services.keys.secrets(this.#tenantId);
    const labelled = await this.#label(lines, secrets);
    const fresh = this.#expectsExisting ? await this.#withoutExisting(labelled) : labelled;
    const ready = await this.#seal(fresh, secrets);
    await this.#committing;
    this.#committing = this.#commit(ready);
    // Handled where it is awaited; until then it must not count as unhandled.
    this.#committing.catch(() => undefined);
  }

  /** Ids, homes and permits; lines that repeat one of the same batch are told apart here. */
  async #label(lines: readonly ImportedLine[], secrets: TenantSecrets): Promise<readonly Item[]> {
    const { collection } = this.#context;
    const { cellId, law } = this.#services;
    const labeller = labellerOf(cellId, law.current());
    this.#subjectIds ??= new SubjectIds(secrets.idKey);
    const subjectIds = this.#subjectIds;
    const items = new Map<RecordId, Item>();
    const present = await this.#prepareSubjects(lines, subjectIds);
    for (const { line, draft: wire } of lines) {
      const checked = wire && checkDraft(collection, wire);
      if (!checked) continue;
      if (!checked.draft) {
        this.#refuse(line, checked.refusal);
        continue;
      }
      if (checked.draft.callerId === undefined) {
        const detail = 'a line needs an id, so that sending it again changes nothing';
        this.#refuse(line, { code: 'RECORD_FIELD_INVALID', detail, pointer: '/id' });
        continue;
      }
      const found = labeller.label(checked.draft.originText);
      const label = found.label;
      const { callerSubject } = checked.draft;
      const subjectId = callerSubject === undefined ? undefined : present(callerSubject);
      const permitted = label ? await this.#permit(label, subjectId) : found;
      if (!label || !('permit' in permitted) || !permitted.permit) {
        this.#refuse(line, permitted.refused ?? { code: 'POLICY_FLOW_DENIED', detail: '' });
        continue;
      }
      const ids = toIds(this.#services, secrets, {
        collection,
        draft: checked.draft,
        subjectIds,
      });
      const draft = { ...ids, subjectId, label, values: checked.draft.values, version: 1 };
      const twin = items.get(draft.recordId);
      if (!twin) items.set(draft.recordId, { line, draft, permit: permitted.permit });
      else if (isSameDraft(twin.draft, draft)) this.#unchanged += 1;
      else this.#refuseConflict(line);
    }
    return [...items.values()];
  }

  #refuseConflict(line: number): void {
    const detail = 'a record of this id exists with other content: change it with PATCH';
    this.#refuse(line, { code: 'RECORD_CONFLICT', detail });
  }

  /** Has the standings of a batch's people ready; gives the subject that a caller's id means today. */
  async #prepareSubjects(
    lines: readonly ImportedLine[],
    subjectIds: SubjectIds,
  ): Promise<(callerSubject: string) => SubjectId> {
    const { standings, keys } = this.#services;
    const tenantId = this.#tenantId;
    const named = new Set<SubjectId>();
    for (const { draft } of lines) {
      if (typeof draft?.subject === 'string' && draft.subject !== '') {
        if (draft.subject.length <= CALLER_ID_CHARACTERS_MAX && draft.subject.isWellFormed()) {
          named.add(subjectIds.of(draft.subject));
        }
      }
    }
    await standings.prepare(tenantId, named);
    if (standings.isEmpty(tenantId)) return (callerSubject) => subjectIds.of(callerSubject);
    const { idKey } = await keys.secrets(tenantId);
    const present = new Map<SubjectId, SubjectId>();
    for (const id of named) present.set(id, standings.presentSubject(tenantId, id, idKey));
    await standings.prepare(tenantId, present.values());
    return (callerSubject) => {
      const id = subjectIds.of(callerSubject);
      return present.get(id) ?? id;
    };
  }

  /** Decides once per batch, country and standing; a refusal is entered once per batch. */
  async #permit(label: HomeLabel, subjectId: SubjectId | undefined): Promise<Permitted> {
    const { asker, collection } = this.#context;
    const preparing = this.#services.standings.prepare(this.#tenantId, [subjectId]);
    if (preparing) await preparing;
    const person = findPerson(this.#services, asker, { collection, subjectId });
    const id = `${label.origin} ${person.standing?.id ?? ''} ${person.subjectId ?? ''}`;
    const known = this.#permits.get(id);
    if (known) return known;
    const action = 'ingest';
    const requests = toWriteRequests(this.#services, { asker, action, collection, label, person });
    let permitted: Permitted;
    try {
      permitted = { permit: await requireWrite(this.#services, asker, requests) };
    } catch (error) {
      const isDenial =
        isCoded(error, 'POLICY_FLOW_DENIED') || isCoded(error, 'CELL_ROLE_FORBIDDEN');
      if (!isDenial) throw error;
      permitted = { refused: { code: error.code, detail: error.message } };
    }
    this.#permits.set(id, permitted);
    return permitted;
  }

  async #seal(items: readonly Item[], secrets: TenantSecrets): Promise<readonly ReadyItem[]> {
    if (items.length === 0) return [];
    const results = await prepareRows(this.#services, {
      tenantId: this.#tenantId,
      collection: this.#context.collection,
      secrets,
      drafts: items.map(({ draft }) => draft),
    });
    return results.flatMap(({ row, refusal }, index) => {
      const item = items[index];
      if (!item) return [];
      if (row) return [{ ...item, row, digest: digestRow(row) }];
      this.#refuse(item.line, refusal);
      return [];
    });
  }

  /** Takes out what is there already: the same is unchanged, other content is a conflict. */
  async #withoutExisting(items: readonly Item[]): Promise<readonly Item[]> {
    const { collection } = this.#context;
    const places = items.map(({ draft }) => ({
      collectionId: collection.id,
      recordId: draft.recordId,
    }));
    const rows = await readRows(this.#services.database.pool, this.#tenantId, places);
    this.#expectsExisting = rows.length > 0;
    if (rows.length === 0) return items;
    const { factsKey } = await this.#services.keys.secrets(this.#tenantId);
    const isNewer = rows.some((row) => row.schemaVersion > collection.version);
    if (isNewer) this.#collections.forget(this.#tenantId, collection.id);
    const known = isNewer ? await this.#collections.get(this.#tenantId, collection.id) : collection;
    const { cellId } = this.#services;
    const existing = rows.flatMap((row) =>
      findVerified(cellId, { row, collection: known, factsKey }),
    );
    const contents = await openContents(this.#services, existing);
    // A row that is not what was written is in the way of the line, and of no other.
    const byId = new Map<RecordId, (typeof contents)[number]>(
      rows.map((row) => [row.recordId, undefined]),
    );
    for (const [at, { verified }] of existing.entries()) {
      byId.set(verified.row.recordId, contents[at]);
    }
    const fresh: Item[] = [];
    let sameCount = 0;
    for (const item of items) {
      if (!byId.has(item.draft.recordId)) {
        fresh.push(item);
        continue;
      }
      const content = byId.get(item.draft.recordId);
      if (content && content !== 'erased' && isSameContent(content, item.draft)) {
        this.#unchanged += 1;
        sameCount += 1;
      } else if (content === 'erased') {
        const detail = 'the person whom the record is about was erased';
        this.#refuse(item.line, { code: 'RECORD_ERASED', detail });
      } else this.#refuseConflict(item.line);
    }
    await this.#enterComparison(items, { comparedCount: rows.length, sameCount });
    return fresh;
  }

  /** Telling whether content is the same is a use of it: it is on record before it is told. */
  async #enterComparison(
    items: readonly Item[],
    counts: { readonly comparedCount: number; readonly sameCount: number },
  ): Promise<void> {
    const [first] = items;
    if (!first) return;
    await this.#services.entries.record(this.#tenantId, {
      kind: 'read',
      ...first.permit,
      facts: {
        collection: this.#context.collection.id,
        compared: counts.comparedCount,
        same: counts.sameCount,
      },
      request: this.#context.requestId,
    });
  }

  /** Writes a batch; what turns out to be there already is taken out and the rest tried again. */
  async #commit(items: readonly ReadyItem[]): Promise<void> {
    let left = items;
    for (let attempt = 0; attempt < ATTEMPTS_COUNT_MAX && left.length > 0; attempt += 1) {
      if (await this.#insert(left)) return;
      this.#expectsExisting = true;
      const fresh = new Set(await this.#withoutExisting(left));
      left = left.filter((item) => fresh.has(item));
    }
    if (left.length > 0) throw new Error('assertion failed: a batch settles in a few attempts');
  }

  /** One transaction: rows and entries, or nothing. False: some rows are there already. */
  async #insert(items: readonly ReadyItem[]): Promise<boolean> {
    const { collection } = this.#context;
    const { rows, entries } = this.#toRows(items);
    const options = {
      tenantId: this.#tenantId,
      collectionId: collection.id,
      schemaVersion: collection.version,
      rows,
    };
    try {
      await this.#services.database.withTenant(this.#tenantId, async (tx) => {
        if ((await insertStaged(tx, options)) !== rows.length) throw new SomeExist();
        await this.#services.entries.insertPrepared(tx, entries);
      });
    } catch (error) {
      if (error instanceof SomeExist) return false;
      throw error;
    }
    this.#accepted += rows.length;
    for (const { entryId } of entries) {
      if (this.#entries.length < ENTRIES_COUNT_MAX) this.#entries.push(entryId);
    }
    return true;
  }

  /** One entry for each country of the batch: an entry tells of one flow. */
  #toRows(items: readonly ReadyItem[]): {
    readonly rows: readonly RecordRow[];
    readonly entries: readonly PreparedEntry[];
  } {
    const { collection, requestId } = this.#context;
    const byOrigin = Map.groupBy(items, ({ draft }) => draft.label.origin);
    const rows: RecordRow[] = [];
    const entries: PreparedEntry[] = [];
    for (const group of byOrigin.values()) {
      const [first] = group;
      if (!first) continue;
      const writes = group.map(({ row, digest }) => ({
        recordId: row.recordId,
        version: row.version,
        digest,
      }));
      const entry = this.#services.entries.prepare(this.#tenantId, {
        kind: 'write',
        ...first.permit,
        writes: toEntryWrites(writes),
        facts: { collection: collection.id },
        request: requestId,
      });
      entries.push(entry);
      for (const { row } of group) rows.push({ ...row, entryId: entry.entryId });
    }
    return { rows, entries };
  }
}

/** Rolls a batch back in which rows turned out to be there. */
class SomeExist extends Error {}

function isSameDraft(a: LabelledDraft, b: LabelledDraft): boolean {
  if (a.subjectId !== b.subjectId || a.label.origin !== b.label.origin) return false;
  return a.values.every((values, at) => {
    const other = b.values[at];
    return (values ? toFlatJson(values) : '') === (other ? toFlatJson(other) : '');
  });
}
