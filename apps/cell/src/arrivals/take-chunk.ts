// SPDX-License-Identifier: Apache-2.0
// The receiving side of a copy, chunk by chunk: decided here as well, sealed under this cell's keys with a
// label that says whose copy it is, written with its entry in one transaction, and answered the same when
// it comes again. Ids become ids of this cell, so that nothing here can be mistaken for the original.
import {
  type ChunkReceipt,
  type ChunkRecord,
  checkTransferChunk,
  parseTransferManifest,
  type TransferChunk,
  type TransferManifest,
} from '@bailiwick/contracts';
import {
  type Flow,
  parseCollectionId,
  parseResidency,
  parseSubjectId,
  type RecordId,
  type Residency,
} from '@bailiwick/kernel';
import { deriveRecordId, deriveSubjectId } from '@bailiwick/keys';
import type { CompiledCollection } from '../collections/compiled-collection.ts';
import { toClassGroups } from '../collections/compiled-collection.ts';
import { CellError, DenialError } from '../errors.ts';
import { splitFields } from '../records/draft.ts';
import { toEntryWrites } from '../records/entry.ts';
import type { HomeLabel } from '../records/label.ts';
import { type LabelledDraft, type PreparedRow, prepareRows } from '../records/prepare.ts';
import { type insertRows, readRows, updateRow } from '../records/record-store.ts';
import { digestRow } from '../records/row.ts';
import { insertStaged } from '../records/staging.ts';
import type { CellRuntime } from '../runtime.ts';
import type { PreparedEntry, TenantSecrets } from '../services.ts';
import { hashChunk, nextDigest } from '../transfers/chunk-hash.ts';
import {
  type ArrivalRow,
  findArrival,
  findArrivalChunk,
  insertArrivalChunk,
  lockArrival,
} from './arrival-store.ts';
import { findCollection, toArrivalFacts } from './take-manifest.ts';
import { type ArrivalCall, parse, refuse, requireFreshLaw } from './verify-arrival.ts';

/** @throws {CellError} `DELIVERY_REFUSED`; {DenialError} */
export async function takeChunk(
  runtime: CellRuntime,
  call: ArrivalCall & { readonly number: number },
): Promise<ChunkReceipt> {
  const arrival = await findArrival(runtime.database, call);
  if (arrival === undefined || arrival.from !== call.from) return refuse('nothing was announced');
  const chunk = parse(() => checkTransferChunk(call.body));
  if (chunk.chunk !== call.number) return refuse('the chunk has another number');
  const known = await runtime.database.withTenant(call.tenantId, (tx) =>
    findArrivalChunk(tx, { ...call, chunk: chunk.chunk }),
  );
  if (known !== undefined) return known;
  if (arrival.state !== 'open') return refuse('the transfer has ended');
  if (chunk.chunk !== arrival.chunkCount + 1) return refuse('a chunk is missing before this one');
  requireFreshLaw(runtime);
  await runtime.orders.prepare(call.tenantId);
  const manifest = readManifest(arrival);
  const collection = await findCollection(runtime, call, manifest);
  if (collection === undefined) return refuse('the collection is not there any more');
  const decided = decideChunk(runtime, { manifest, collection, chunk });
  const written = await prepareChunk(runtime, { call, manifest, collection, chunk });
  return writeChunk(runtime, { call, manifest, chunk, decided, ...written });
}

/** This cell has verified it before it kept it. */
function readManifest({ manifest }: ArrivalRow): TransferManifest {
  const { payload } = JSON.parse(manifest) as { readonly payload: string };
  return parseTransferManifest(Buffer.from(payload, 'base64'));
}

type Decided = ReturnType<CellRuntime['enforcement']['toDraft']>;

/**
 * The same flow under this cell's own charter and terms. Who asked and what the person has said are the
 * other cell's word, signed; whether it may come here is ours.
 */
function decideChunk(
  runtime: CellRuntime,
  {
    manifest,
    collection,
    chunk,
  }: {
    readonly manifest: TransferManifest;
    readonly collection: CompiledCollection;
    readonly chunk: TransferChunk;
  },
): Omit<Decided, 'actor'> | undefined {
  const here = runtime.law.current().charter.cells.find(({ id }) => id === runtime.cellId);
  if (here === undefined) return refuse('the charter does not know this cell');
  const to = {
    kind: 'cell',
    id: here.id,
    location: here.location,
    operator: here.operator,
  } as const;
  let first: Omit<Decided, 'actor'> | undefined;
  const law = runtime.law.current();
  for (const label of toLabels(chunk.records)) {
    // SECURITY: a cell speaks for what has its home there, and for nothing else.
    const home = law.homeOf(manifest.tenantId, parseResidency(label.residency));
    if (home !== manifest.from) return refuse('the records have their home in a third cell');
    const names = new Set(label.fields);
    const sets = collection.fieldSets.filter((set) =>
      [...names].some((name) => collection.fields.get(name)?.fieldSet.at === set.at),
    );
    for (const group of toClassGroups(sets)) {
      const flow: Flow = {
        actor: manifest.actor,
        action: 'transfer',
        data: {
          ...group,
          regimes: label.regimes,
          origin: label.origin,
          residency: label.residency,
        },
        form: manifest.form,
        to,
        purpose: manifest.purpose,
        ...(manifest.mechanism === undefined ? {} : { mechanism: manifest.mechanism }),
        consent: label.consent ?? 'absent',
        conditions: manifest.conditions,
        atMs: runtime.clock.nowMs(),
      };
      const decision = runtime.enforcement.answer(manifest.tenantId, flow);
      if (decision.outcome === 'deny') throw new DenialError(decision);
      first ??= toDraft(runtime, manifest, { flow, decision });
    }
  }
  return first;
}

function toDraft(
  runtime: CellRuntime,
  manifest: TransferManifest,
  decided: Parameters<CellRuntime['enforcement']['toDraft']>[1],
): Omit<Decided, 'actor'> {
  const credential = {
    ...manifest.actor,
    tenantId: manifest.tenantId,
    account: manifest.transferId,
    purposes: [],
    residency: parseResidency(decided.flow.data.residency),
  };
  // The account is one of the other cell: its entry there names it.
  const { actor: _actor, ...draft } = runtime.enforcement.toDraft(credential, decided);
  return draft;
}

interface ChunkLabel extends Pick<ChunkRecord, 'origin' | 'regimes' | 'residency' | 'consent'> {
  readonly fields: ReadonlySet<string>;
}

/** Each label with each consent once, and the fields that come under it. */
function toLabels(records: readonly ChunkRecord[]): Iterable<ChunkLabel> {
  const labels = new Map<string, ChunkLabel & { readonly fields: Set<string> }>();
  for (const { origin, regimes, residency, consent, fields } of records) {
    const id = `${origin} ${regimes.join()} ${residency} ${consent ?? ''}`;
    let label = labels.get(id);
    if (label === undefined) {
      const said = consent === undefined ? {} : { consent };
      label = { origin, regimes, residency, ...said, fields: new Set() };
      labels.set(id, label);
    }
    for (const name of Object.keys(fields)) label.fields.add(name);
  }
  return labels.values();
}

/** Rows that are new here, and those of an earlier copy. */
interface WrittenChunk {
  readonly fresh: readonly PreparedRow[];
  readonly changed: readonly PreparedRow[];
  readonly refusedCount: number;
  readonly schemaVersion: number;
}

async function prepareChunk(
  runtime: CellRuntime,
  options: {
    readonly call: ArrivalCall;
    readonly manifest: TransferManifest;
    readonly collection: CompiledCollection;
    readonly chunk: TransferChunk;
  },
): Promise<WrittenChunk> {
  const { call, manifest, chunk } = options;
  const { tenantId } = call;
  // A pseudonym has no normal form of an address: what came as pseudonyms is not searched by value.
  const collection =
    manifest.form === 'plain' ? options.collection : withoutIndexes(options.collection);
  const secrets = await runtime.keys.secrets(tenantId);
  const drafts = toDrafts(secrets, { manifest, collection, records: chunk.records });
  const places = drafts.map(({ recordId }) => ({ collectionId: collection.id, recordId }));
  const existing = await readRows(runtime.database.pool, tenantId, places);
  const versions = new Map<RecordId, number>(
    existing.map(({ recordId, version }) => [recordId, version]),
  );
  const versioned = drafts.map((draft) => ({
    ...draft,
    version: (versions.get(draft.recordId) ?? 0) + 1,
  }));
  const prepared = await prepareRows(runtime, { tenantId, collection, secrets, drafts: versioned });
  const rows = prepared.flatMap(({ row }) => row ?? []);
  return {
    fresh: rows.filter(({ version }) => version === 1),
    changed: rows.filter(({ version }) => version > 1),
    refusedCount: chunk.records.length - rows.length,
    schemaVersion: collection.version,
  };
}

function withoutIndexes(collection: CompiledCollection): CompiledCollection {
  const fields = [...collection.fields].map(
    ([name, field]) => [name, { ...field, index: undefined }] as const,
  );
  return { ...collection, fields: new Map(fields) };
}

/** Drafts of this cell: what does not fit the schema is left out and counted as refused. */
function toDrafts(
  secrets: TenantSecrets,
  options: {
    readonly manifest: TransferManifest;
    readonly collection: CompiledCollection;
    readonly records: readonly ChunkRecord[];
  },
): readonly LabelledDraft[] {
  const { manifest, collection, records } = options;
  const { from, form, transferId } = manifest;
  const copyOf = { cell: from, form, transfer: transferId };
  const labels = new Map<string, HomeLabel>();
  const collectionId = parseCollectionId(collection.id);
  const drafts = new Map<string, LabelledDraft>();
  for (const record of records) {
    const split = splitFields({ ...collection, required: [] }, record.fields);
    if (!('values' in split)) continue;
    const label = toLabel(labels, record);
    const recordId = deriveRecordId(secrets.idKey, collectionId, `copy/${from}/${record.id}`);
    drafts.set(recordId, {
      recordId,
      subjectId: toCopySubject(secrets, { from, subject: record.subject }),
      label,
      values: split.values,
      version: 1,
      collectedAt: record.collectedAt,
      lawDate: record.lawDate,
      copyOf,
    });
  }
  return [...drafts.values()];
}

/** The id here of a person whose copy another cell has sent. */
export function toCopySubject(
  { idKey }: Pick<TenantSecrets, 'idKey'>,
  { from, subject }: { readonly from: string; readonly subject: string | undefined },
): LabelledDraft['subjectId'] {
  if (subject === undefined) return undefined;
  return deriveSubjectId(idKey, `copy/${from}/${parseSubjectId(subject)}`);
}

/** One object for each label: sealers are shared by it. */
function toLabel(labels: Map<string, HomeLabel>, record: ChunkRecord): HomeLabel {
  const { origin, regimes } = record;
  const residency: Residency = parseResidency(record.residency);
  const id = `${origin} ${regimes.join()} ${residency}`;
  const known = labels.get(id);
  if (known !== undefined) return known;
  const label = { origin, regimes, residency };
  labels.set(id, label);
  return label;
}

function writeChunk(
  runtime: CellRuntime,
  options: WrittenChunk & {
    readonly call: ArrivalCall;
    readonly manifest: TransferManifest;
    readonly chunk: TransferChunk;
    readonly decided: Omit<Decided, 'actor'> | undefined;
  },
): Promise<ChunkReceipt> {
  const { call, manifest, chunk, fresh, changed, refusedCount, schemaVersion } = options;
  const { tenantId, transferId } = call;
  const contentHash = hashChunk(chunk);
  const rows = [...fresh, ...changed];
  const entry = runtime.entries.prepare(tenantId, {
    kind: 'delivery',
    ...options.decided,
    writes: toEntryWrites(
      rows.map((row) => ({ recordId: row.recordId, version: row.version, digest: digestRow(row) })),
    ),
    facts: {
      ...toArrivalFacts(manifest),
      step: 'chunk',
      chunk: chunk.chunk,
      content: contentHash,
      refused: refusedCount,
    },
  });
  const { entryId, leafHash } = entry;
  return runtime.database.withTenant(tenantId, async (tx) => {
    const arrival = await lockArrival(tx, { transferId });
    const known = await findArrivalChunk(tx, { transferId, chunk: chunk.chunk });
    if (known !== undefined) return known;
    if (arrival?.state !== 'open' || arrival.chunkCount + 1 !== chunk.chunk) {
      return refuse('a chunk is missing before this one');
    }
    await writeRows(tx, { tenantId, schemaVersion, fresh, changed, entry });
    await runtime.entries.insertPrepared(tx, [entry]);
    const { through } = chunk;
    const receipt = {
      ...{ chunk: chunk.chunk, contentHash, through, refusedCount, entryId, leafHash },
      recordCount: rows.length,
    };
    const digest = nextDigest(arrival.digest, contentHash);
    await insertArrivalChunk(tx, { tenantId, transferId }, { ...receipt, digest });
    return receipt;
  });
}

/** Two copies of one record at once: the later one is sent again. */
const comesAgain = (): CellError =>
  new CellError('PEER_UNREACHABLE', 'another copy of one of these records came in between');

async function writeRows(
  tx: Parameters<typeof insertRows>[0],
  options: Pick<WrittenChunk, 'fresh' | 'changed' | 'schemaVersion'> & {
    readonly tenantId: ArrivalCall['tenantId'];
    readonly entry: PreparedEntry;
  },
): Promise<void> {
  const { tenantId, fresh, changed, schemaVersion, entry } = options;
  const { entryId } = entry;
  const [first] = fresh;
  if (first !== undefined) {
    const rows = fresh.map((row) => ({ ...row, entryId }));
    const { collectionId } = first;
    const count = await insertStaged(tx, { tenantId, collectionId, schemaVersion, rows });
    if (count !== rows.length) throw comesAgain();
  }
  for (const row of changed) {
    if (!(await updateRow(tx, { ...row, entryId }))) {
      throw comesAgain();
    }
  }
}
