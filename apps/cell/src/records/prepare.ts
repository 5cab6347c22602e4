// SPDX-License-Identifier: Apache-2.0
// From checked drafts to rows: ids, keys, seals, indexes, MAC. Keys are asked for once per batch; a sealer
// is shared by what has the same key and the same label, never by more.
import type { KeyObject } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { NormalForm } from '@bailiwick/contracts';
import {
  createUuidV7,
  isCoded,
  parseDate,
  parseRecordId,
  type RecordId,
  type SubjectId,
  type TenantId,
  toDate,
  toInstant,
} from '@bailiwick/kernel';
import {
  blindIndex,
  createSealer,
  deriveRecordId,
  deriveSubjectId,
  NORMAL_FORM_VERSION,
  type Sealer,
} from '@bailiwick/keys';
import type { CompiledCollection, CompiledFieldSet } from '../collections/compiled-collection.ts';
import type { CellServices, KeyHandle, KeyOwner, TenantSecrets } from '../services.ts';
import type { CheckedDraft, FieldSetValues } from './draft.ts';
import type { RecordRefusal } from './errors.ts';
import type { HomeLabel } from './label.ts';
import {
  type CopyOf,
  encodeContainer,
  macRecord,
  type RecordContent,
  toFactsJson,
  toFlatJson,
} from './row.ts';

type Services = Pick<CellServices, 'cellId' | 'keys' | 'clock' | 'random'>;

/** A record with its ids and label, not yet sealed. */
export interface LabelledDraft {
  readonly recordId: RecordId;
  readonly subjectId: SubjectId | undefined;
  readonly label: HomeLabel;
  readonly values: readonly (FieldSetValues | undefined)[];
  /** From 1. */
  readonly version: number;
  /** An update keeps when the record was taken in. */
  readonly collectedAt?: string;
  readonly lawDate?: string;
  readonly copyOf?: CopyOf;
}

/** A row's content with its MAC. */
export type PreparedRow = RecordContent & { readonly factsMac: Buffer };

export type PreparedResult =
  | { readonly row: PreparedRow; readonly refusal?: undefined }
  | { readonly row?: undefined; readonly refusal: RecordRefusal };

const DAY_MS = 86_400_000;
/** Rows sealed before others get a turn: a few milliseconds. */
const TURN_COUNT = 128;
/** Labels of one key that are remembered: a person's data has few. */
const SEALERS_COUNT_MAX = 16;
/** Values remembered within a batch or an import. */
const MEMO_COUNT_MAX = 8_192;
/** The sealers of a key: those used last by position of the field set, and all by their label. */
interface KeySealers {
  recent: {
    readonly collection: CompiledCollection;
    readonly label: HomeLabel;
    readonly lawDate: string;
    readonly byFieldSet: (Sealer | undefined)[];
  };
  readonly byLabel: Map<string, Sealer>;
}

/** A sealer lives as long as its key is held; the key ring hands keys out only under a lease. */
const sealers = new WeakMap<KeyHandle, KeySealers>();

/** Callers' names turned into keyed hashes, remembered for one import: the same person comes again. */
export class SubjectIds {
  readonly #idKey: KeyObject;
  readonly #known = new Map<string, SubjectId>();

  constructor(idKey: KeyObject) {
    this.#idKey = idKey;
  }

  of(callerSubject: string): SubjectId {
    const known = this.#known.get(callerSubject);
    if (known !== undefined) return known;
    const made = deriveSubjectId(this.#idKey, callerSubject);
    if (this.#known.size >= MEMO_COUNT_MAX) this.#known.clear();
    this.#known.set(callerSubject, made);
    return made;
  }
}

/** The ids of a draft; without a caller's id, `fallbackId` stands in, else a new one is made. */
export function toIds(
  services: Services,
  secrets: TenantSecrets,
  options: {
    readonly collection: CompiledCollection;
    readonly draft: CheckedDraft;
    readonly fallbackId?: string;
    readonly subjectIds?: SubjectIds;
  },
): { readonly recordId: RecordId; readonly subjectId: SubjectId | undefined } {
  const { collection, draft, fallbackId } = options;
  const callerId = draft.callerId ?? fallbackId;
  const { callerSubject } = draft;
  return {
    recordId:
      callerId === undefined
        ? parseRecordId(createUuidV7(services))
        : deriveRecordId(secrets.idKey, collection.id, callerId),
    subjectId:
      callerSubject === undefined
        ? undefined
        : (options.subjectIds ?? new SubjectIds(secrets.idKey)).of(callerSubject),
  };
}

/** The ids with the subject that the caller's id means today; its standing is prepared afterwards. */
export async function toPresentIds(
  services: Pick<CellServices, 'standings'>,
  secrets: TenantSecrets,
  named: { readonly tenantId: TenantId; readonly ids: ReturnType<typeof toIds> },
): Promise<ReturnType<typeof toIds>> {
  const { tenantId, ids } = named;
  const { standings } = services;
  const preparing = standings.prepare(tenantId, [ids.subjectId]);
  if (preparing) await preparing;
  if (ids.subjectId === undefined) return ids;
  const subjectId = standings.presentSubject(tenantId, ids.subjectId, secrets.idKey);
  if (subjectId === ids.subjectId) return ids;
  const again = standings.prepare(tenantId, [subjectId]);
  if (again) await again;
  return { ...ids, subjectId };
}

function toOwner(
  collection: CompiledCollection,
  fieldSet: CompiledFieldSet,
  subjectId: SubjectId | undefined,
): KeyOwner {
  return fieldSet.subject === 'record' && subjectId !== undefined
    ? { kind: 'subject', subjectId }
    : { kind: 'collection', collectionId: collection.id };
}

const ownerName = (owner: KeyOwner): string =>
  owner.kind === 'subject' ? owner.subjectId : owner.collectionId;

/** What a sealer of a key is for. */
interface SealerKind {
  readonly label: HomeLabel;
  readonly fieldSet: CompiledFieldSet;
  readonly lawDate: string;
}

/** Prepares the rows of one batch of one tenant and collection. */
class Preparation {
  readonly #services: Services;
  readonly #tenantId: TenantId;
  readonly #collection: CompiledCollection;
  readonly #secrets: TenantSecrets;
  readonly #handles: ReadonlyMap<string, KeyHandle>;
  readonly #indexKeys: ReadonlyMap<string, KeyObject>;
  readonly #facts = new Map<string, string>();
  readonly #indexes = new Map<string, Buffer>();
  readonly #collectedAt: string;
  readonly #today: string;

  constructor(
    services: Services,
    options: {
      readonly tenantId: TenantId;
      readonly collection: CompiledCollection;
      readonly secrets: TenantSecrets;
      readonly handles: ReadonlyMap<string, KeyHandle>;
      readonly indexKeys: ReadonlyMap<string, KeyObject>;
    },
  ) {
    this.#services = services;
    this.#tenantId = options.tenantId;
    this.#collection = options.collection;
    this.#secrets = options.secrets;
    this.#handles = options.handles;
    this.#indexKeys = options.indexKeys;
    const nowMs = services.clock.nowMs();
    this.#collectedAt = toInstant(nowMs);
    this.#today = toDate(nowMs);
  }

  prepare(draft: LabelledDraft): PreparedResult {
    const collection = this.#collection;
    const blind = this.#toIndexes(draft.values);
    if (!Array.isArray(blind)) return { refusal: blind };
    const lawDate = draft.lawDate ?? this.#findLawDate(draft.values);
    const sealed: Buffer[] = [];
    let plain: Record<string, string | number | boolean> | undefined;
    for (const fieldSet of collection.fieldSets) {
      const values = draft.values[fieldSet.at];
      if (!values) continue;
      if (fieldSet.protection === 'plain') plain = plain ? { ...plain, ...values } : { ...values };
      else sealed.push(this.#seal(draft, fieldSet, lawDate));
    }
    const content: RecordContent = {
      tenantId: this.#tenantId,
      collectionId: collection.id,
      recordId: draft.recordId,
      version: draft.version,
      schemaVersion: collection.version,
      subjectId: draft.subjectId,
      facts: this.#toFacts(draft, lawDate),
      plain: plain ? toPlainJson(plain, this.#plainSetCount(draft.values)) : '{}',
      sealed: encodeContainer(sealed),
      blind,
    };
    const factsMac = macRecord(this.#secrets.factsKey, content, sealed);
    return { row: { ...content, factsMac } };
  }

  #plainSetCount(values: LabelledDraft['values']): number {
    let count = 0;
    for (const { protection, at } of this.#collection.fieldSets) {
      if (protection === 'plain' && values[at]) count += 1;
    }
    return count;
  }

  #seal(draft: LabelledDraft, fieldSet: CompiledFieldSet, lawDate: string): Buffer {
    const owner = ownerName(toOwner(this.#collection, fieldSet, draft.subjectId));
    const handle = this.#handles.get(owner);
    if (!handle) throw new Error('assertion failed: each owner of a batch has a key');
    const sealer = this.#findSealer(handle, { label: draft.label, fieldSet, lawDate });
    return sealer.seal(draft.recordId, Buffer.from(toFlatJson(draft.values[fieldSet.at] ?? {})));
  }

  #findSealer(handle: KeyHandle, wanted: SealerKind): Sealer {
    const { label, fieldSet, lawDate } = wanted;
    const collection = this.#collection;
    const fresh = () => ({ collection, label, lawDate, byFieldSet: [] });
    let known = sealers.get(handle);
    if (!known) {
      known = { recent: fresh(), byLabel: new Map() };
      sealers.set(handle, known);
    }
    const { recent } = known;
    const isRecent =
      recent.label === label && recent.lawDate === lawDate && recent.collection === collection;
    if (!isRecent) known.recent = fresh();
    const ready = known.recent.byFieldSet[fieldSet.at];
    if (ready) return ready;
    const { origin, regimes, residency } = label;
    const id = `${this.#tenantId} ${collection.id} ${collection.version} ${fieldSet.at} ${origin} ${residency} ${lawDate} ${regimes.join()}`;
    const sealer = known.byLabel.get(id) ?? this.#createSealer(handle, wanted);
    if (known.byLabel.size >= SEALERS_COUNT_MAX) known.byLabel.clear();
    known.byLabel.set(id, sealer);
    known.recent.byFieldSet[fieldSet.at] = sealer;
    return sealer;
  }

  #createSealer(handle: KeyHandle, { label, fieldSet, lawDate }: SealerKind): Sealer {
    const { origin, regimes, residency } = label;
    return createSealer(handle, {
      tenantId: this.#tenantId,
      cellId: this.#services.cellId,
      residency,
      origin,
      regimes,
      class: fieldSet.class,
      category: fieldSet.category,
      purpose: fieldSet.purpose,
      collectionId: this.#collection.id,
      fieldSet: fieldSet.name,
      lawDate: parseDate(lawDate) / DAY_MS,
    });
  }

  #toIndexes(values: LabelledDraft['values']): Buffer[] | RecordRefusal {
    const indexes: Buffer[] = [];
    for (const [name, key] of this.#indexKeys) {
      const field = this.#collection.fields.get(name);
      const value = field && values[field.fieldSet.at]?.[name];
      if (!field?.index || value === undefined) continue;
      try {
        indexes.push(this.#toIndex(key, field.index, { name, value: String(value) }));
      } catch (error) {
        if (!isCoded(error, 'KEYS_VALUE_UNINDEXABLE')) throw error;
        return { code: 'RECORD_FIELD_INVALID', detail: error.message, pointer: `/fields/${name}` };
      }
    }
    return indexes;
  }

  /** The same value comes again within a batch: a customer's lines stand together. */
  #toIndex(
    key: KeyObject,
    form: NormalForm,
    { name, value }: { readonly name: string; readonly value: string },
  ): Buffer {
    const id = `${name} ${value}`;
    const known = this.#indexes.get(id);
    if (known) return known;
    const index = blindIndex(key, form, value);
    this.#indexes.set(id, index);
    return index;
  }

  #findLawDate(values: LabelledDraft['values']): string {
    const name = this.#collection.schema.lawDateField;
    const field = name === undefined ? undefined : this.#collection.fields.get(name);
    const value = field && values[field.fieldSet.at]?.[field.name];
    return typeof value === 'string' ? value.slice(0, 10) : this.#today;
  }

  #toFacts(draft: LabelledDraft, lawDate: string): string {
    const collectedAt = draft.collectedAt ?? this.#collectedAt;
    const { origin, regimes, residency } = draft.label;
    const { copyOf } = draft;
    // What a copy's label says is not derived from its origin here.
    const id = `${origin} ${lawDate} ${collectedAt}${copyOf ? ` ${residency} ${regimes.join()} ${copyOf.transfer}` : ''}`;
    let facts = this.#facts.get(id);
    if (facts === undefined) {
      const copied = copyOf === undefined ? {} : { copyOf };
      facts = toFactsJson({ collectedAt, ...copied, lawDate, origin, regimes, residency });
      this.#facts.set(id, facts);
    }
    return facts;
  }
}

/** Keys of one set are in order; those of several sets put together are not. */
function toPlainJson(
  plain: Record<string, string | number | boolean>,
  plainSetCount: number,
): string {
  if (plainSetCount === 1) return toFlatJson(plain);
  const sorted: Record<string, string | number | boolean> = {};
  for (const name of Object.keys(plain).sort()) {
    const value = plain[name];
    if (value !== undefined) sorted[name] = value;
  }
  return toFlatJson(sorted);
}

/** The blind index keys of a collection, by field, in the order of names. */
export async function findIndexKeys(
  collection: CompiledCollection,
  secrets: TenantSecrets,
): Promise<ReadonlyMap<string, KeyObject>> {
  const keys = new Map<string, KeyObject>();
  for (const [field, { index }] of collection.fields) {
    if (index === undefined) continue;
    const wanted = { collectionId: collection.id, field, version: NORMAL_FORM_VERSION };
    keys.set(field, await secrets.indexKey(wanted));
  }
  return keys;
}

/**
 * Seals a batch of one tenant and collection. A draft whose indexes cannot be made is refused by itself;
 * a key that cannot be had fails the batch.
 */
export async function prepareRows(
  services: Services,
  options: {
    readonly tenantId: TenantId;
    readonly collection: CompiledCollection;
    readonly secrets: TenantSecrets;
    readonly drafts: readonly LabelledDraft[];
  },
): Promise<readonly PreparedResult[]> {
  const { tenantId, collection, secrets, drafts } = options;
  const owners = new Map<string, KeyOwner>();
  for (const draft of drafts) {
    for (const fieldSet of collection.fieldSets) {
      if (fieldSet.protection !== 'sealed' || !draft.values[fieldSet.at]) continue;
      const owner = toOwner(collection, fieldSet, draft.subjectId);
      owners.set(ownerName(owner), owner);
    }
  }
  const names = [...owners.keys()];
  const found =
    names.length > 0 ? await services.keys.sealingKeys(tenantId, [...owners.values()]) : [];
  const handles = new Map<string, KeyHandle>();
  for (const [index, name] of names.entries()) {
    const handle = found[index];
    if (handle) handles.set(name, handle);
  }
  const indexKeys = await findIndexKeys(collection, secrets);
  const preparation = new Preparation(services, {
    tenantId,
    collection,
    secrets,
    handles,
    indexKeys,
  });
  const results: PreparedResult[] = [];
  for (const draft of drafts) {
    results.push(preparation.prepare(draft));
    // Others wait for this thread: a long batch lets them in.
    if (results.length % TURN_COUNT === 0) await nextTurn();
  }
  return results;
}
