// SPDX-License-Identifier: Apache-2.0
// The second door, inwards: seals field sets that an application keeps in its own database. The label
// comes from the collection's schema and the charter, never from the caller's word; the caller's ids
// become keyed hashes.
import type { FieldValue, SealRequest, SealResult } from '@bailiwick/contracts';
import {
  type CollectionId,
  isCoded,
  parseCollectionId,
  parseDate,
  type RecordId,
  type SubjectId,
  toDate,
} from '@bailiwick/kernel';
import {
  blindIndex,
  deriveRecordId,
  deriveSubjectId,
  NORMAL_FORM_VERSION,
  sealValue,
  toSealedText,
} from '@bailiwick/keys';
import { collectionsOf } from '../collections/collection-store.ts';
import type { CompiledCollection, CompiledFieldSet } from '../collections/compiled-collection.ts';
import { CellError } from '../errors.ts';
import { toProblem } from '../problem.ts';
import { splitFields } from '../records/draft.ts';
import { toEntryRecords } from '../records/entry.ts';
import { toRecordError } from '../records/errors.ts';
import { type HomeLabel, labellerOf, toHomeError } from '../records/label.ts';
import { toPresentIds } from '../records/prepare.ts';
import { toFlatJson } from '../records/row.ts';
import { findPerson, type Person } from '../records/sight.ts';
import type {
  CellServices,
  Credential,
  FlowRequest,
  KeyHandle,
  KeyOwner,
  TenantSecrets,
} from '../services.ts';

const DAY_MS = 86_400_000;

/** A value that is what its schema asks for, with its label and its ids. */
interface Checked {
  readonly at: number;
  readonly request: SealRequest;
  readonly collection: CompiledCollection;
  readonly fieldSet: CompiledFieldSet;
  readonly label: HomeLabel;
  readonly values: Readonly<Record<string, FieldValue>>;
  readonly recordId: RecordId;
  readonly subjectId: SubjectId | undefined;
  readonly person: Person;
}

type Outcome = Checked | SealResult;

const isChecked = (outcome: Outcome): outcome is Checked => 'collection' in outcome;

/** Who asks, and for what. */
export interface SealAsker {
  readonly credential: Credential;
  readonly purpose: string;
}

/**
 * Seals each value; one that cannot be sealed is answered with its problem and does not sink the others.
 * What is sealed is on record before the answer.
 */
export async function sealValues(
  services: CellServices,
  asker: SealAsker,
  requests: readonly SealRequest[],
): Promise<readonly SealResult[]> {
  const { tenantId } = asker.credential;
  const secrets = await services.keys.secrets(tenantId);
  const outcomes: Outcome[] = [];
  for (const [at, request] of requests.entries()) {
    outcomes.push(await attempt(() => check(services, { asker, secrets, request, at })));
  }
  const permitted = await permit(services, asker, outcomes.filter(isChecked));
  const sealed = await sealAll(services, { asker, secrets, checked: permitted.allowed });
  await enter(services, asker, permitted.allowed);
  return outcomes.map((outcome, at) => {
    if (!isChecked(outcome)) return outcome;
    return permitted.denied.get(at) ?? sealed.get(at) ?? toFault();
  });
}

const toFault = (): SealResult => ({ problem: toProblem(undefined) });

/** Codes that end the whole batch: nothing of it can be sealed now. */
function isFatal(error: unknown): boolean {
  return ['KEYS_LEASE_EXPIRED', 'KEYS_CUSTOMER_KEY_DISABLED', 'KEYS_TENANT_UNKNOWN'].some((code) =>
    isCoded(error, code),
  );
}

async function attempt<T>(
  work: () => Promise<T>,
): Promise<T | { readonly problem: ReturnType<typeof toProblem> }> {
  try {
    return await work();
  } catch (error) {
    const problem = toProblem(error);
    if (isFatal(error) || problem.status >= 500) throw error;
    return { problem };
  }
}

async function check(
  services: CellServices,
  options: {
    readonly asker: SealAsker;
    readonly secrets: TenantSecrets;
    readonly request: SealRequest;
    readonly at: number;
  },
): Promise<Checked> {
  const { asker, secrets, request, at } = options;
  const collectionId = parseCollectionId(request.collection);
  const collection = await collectionsOf(services).get(asker.credential.tenantId, collectionId);
  const fieldSet = collection.fieldSets.find(({ name }) => name === request.fieldSet);
  if (fieldSet === undefined) return refuse('/fieldSet', 'the collection has no such field set');
  const labelled = labellerOf(services.cellId, services.law.current()).label(request.origin);
  if (labelled.refused !== undefined) throw toHomeError(labelled.refused);
  if (fieldSet.subject === 'record' && request.subject === undefined) {
    return refuse('/subject', 'expected the person whom the field set is about');
  }
  const recordId = deriveRecordId(secrets.idKey, collectionId, request.record);
  const named =
    request.subject === undefined ? undefined : deriveSubjectId(secrets.idKey, request.subject);
  const { tenantId } = asker.credential;
  const ids = { recordId, subjectId: named };
  const { subjectId } = await toPresentIds(services, secrets, { tenantId, ids });
  return {
    at,
    request,
    collection,
    fieldSet,
    label: labelled.label,
    values: toValues(collection, fieldSet, request),
    recordId,
    subjectId,
    person: findPerson(services, asker, { collection, subjectId }),
  };
}

function refuse(pointer: string, detail: string): never {
  throw new CellError('CELL_INPUT_INVALID', 'see `errors`', { places: [{ pointer, detail }] });
}

function toValues(
  collection: CompiledCollection,
  fieldSet: CompiledFieldSet,
  { fields }: SealRequest,
): Readonly<Record<string, FieldValue>> {
  const required = collection.required.filter(
    (name) => collection.fields.get(name)?.fieldSet === fieldSet,
  );
  const split = splitFields({ ...collection, required }, fields);
  if (!('values' in split)) throw toRecordError(split);
  if (split.values.some((values, at) => values !== undefined && at !== fieldSet.at)) {
    return refuse('/fields', 'expected fields of this field set only');
  }
  return split.values[fieldSet.at] ?? refuse('/fields', 'expected a value');
}

function toRequest(services: CellServices, asker: SealAsker, one: Checked): FlowRequest {
  const { charter } = services.law.current();
  const here = charter.cells.find(({ id }) => id === services.cellId);
  return {
    ...one.person,
    action: 'seal',
    class: one.fieldSet.class,
    categories: [one.fieldSet.category],
    regimes: one.label.regimes,
    origin: one.label.origin,
    residency: one.label.residency,
    purpose: asker.purpose,
    to: {
      kind: 'cell',
      id: services.cellId,
      location: here?.location ?? 'unknown',
      operator: here?.operator ?? 'unknown',
    },
  };
}

const groupOf = ({ fieldSet, label, person }: Checked): string =>
  `${fieldSet.class} ${fieldSet.category} ${label.origin} ${person.standing?.id ?? ''} ${person.subjectId ?? ''}`;

/** Decides once for each label; a denial is told to every value of it and entered once. */
async function permit(
  services: CellServices,
  asker: SealAsker,
  checked: readonly Checked[],
): Promise<{
  readonly allowed: readonly Checked[];
  readonly denied: ReadonlyMap<number, SealResult>;
}> {
  const groups = Map.groupBy(checked, groupOf);
  const allowed: Checked[] = [];
  const denied = new Map<number, SealResult>();
  for (const group of groups.values()) {
    const [first] = group;
    if (first === undefined) continue;
    const answer = await attempt(() =>
      services.enforcement.require(asker.credential, toRequest(services, asker, first)),
    );
    if ('problem' in answer) for (const { at } of group) denied.set(at, answer);
    else allowed.push(...group);
  }
  return { allowed, denied };
}

function toOwner({ fieldSet, subjectId, collection }: Checked): KeyOwner {
  return fieldSet.subject === 'record' && subjectId !== undefined
    ? { kind: 'subject', subjectId }
    : { kind: 'collection', collectionId: collection.id };
}

const ownerName = (owner: KeyOwner): string =>
  owner.kind === 'subject' ? owner.subjectId : `collection ${owner.collectionId}`;

async function sealAll(
  services: CellServices,
  options: {
    readonly asker: SealAsker;
    readonly secrets: TenantSecrets;
    readonly checked: readonly Checked[];
  },
): Promise<ReadonlyMap<number, SealResult>> {
  const { asker, secrets, checked } = options;
  const { tenantId } = asker.credential;
  const owners = new Map(checked.map((one) => [ownerName(toOwner(one)), toOwner(one)]));
  const names = [...owners.keys()];
  const found =
    names.length === 0 ? [] : await services.keys.sealingKeys(tenantId, [...owners.values()]);
  const handles = new Map(names.map((name, at) => [name, found[at]]));
  const results = new Map<number, SealResult>();
  for (const one of checked) {
    const handle = handles.get(ownerName(toOwner(one)));
    if (handle === undefined) throw new CellError('CELL_INTERNAL_FAULT', 'an owner has no key');
    results.set(one.at, await attempt(() => sealOne(services, { asker, secrets, handle, one })));
  }
  return results;
}

async function sealOne(
  services: CellServices,
  options: {
    readonly asker: SealAsker;
    readonly secrets: TenantSecrets;
    readonly handle: KeyHandle;
    readonly one: Checked;
  },
): Promise<SealResult> {
  const { asker, secrets, handle, one } = options;
  const { collection, fieldSet, label, values, recordId, subjectId } = one;
  const indexes = await toIndexes(secrets, one);
  const sealed = sealValue(
    handle,
    {
      tenantId: asker.credential.tenantId,
      cellId: services.cellId,
      residency: label.residency,
      origin: label.origin,
      regimes: label.regimes,
      class: fieldSet.class,
      category: fieldSet.category,
      purpose: fieldSet.purpose,
      collectionId: collection.id,
      fieldSet: fieldSet.name,
      lawDate: toLawDate(collection, values, services.clock.nowMs()),
    },
    recordId,
    Buffer.from(toFlatJson(values)),
  );
  return {
    sealed: toSealedText(sealed),
    recordId,
    ...(subjectId === undefined ? {} : { subject: subjectId }),
    indexes,
  };
}

function toLawDate(
  collection: CompiledCollection,
  values: Readonly<Record<string, FieldValue>>,
  nowMs: number,
): number {
  const value = values[collection.schema.lawDateField ?? ''];
  const date = typeof value === 'string' ? value.slice(0, 10) : toDate(nowMs);
  return parseDate(date) / DAY_MS;
}

async function toIndexes(
  secrets: TenantSecrets,
  { collection, fieldSet, request, values }: Checked,
): Promise<Readonly<Record<string, string>>> {
  const indexes: Record<string, string> = {};
  for (const [at, { field, normalForm }] of (request.indexes ?? []).entries()) {
    const compiled = collection.fields.get(field);
    if (compiled?.index === undefined || compiled.fieldSet !== fieldSet) {
      return refuse(`/indexes/${at}/field`, 'expected a field that the schema gives an index');
    }
    if (normalForm !== undefined && normalForm !== compiled.index) {
      return refuse(`/indexes/${at}/normalForm`, 'expected the form of the schema');
    }
    const value = values[field];
    if (value === undefined) continue;
    const key = await indexKeyOf(secrets, collection.id, field);
    indexes[field] = blindIndex(key, compiled.index, String(value)).toString('base64url');
  }
  return indexes;
}

/** The key of a field's blind index. */
export function indexKeyOf(
  secrets: TenantSecrets,
  collectionId: CollectionId,
  field: string,
): ReturnType<TenantSecrets['indexKey']> {
  return secrets.indexKey({ collectionId, field, version: NORMAL_FORM_VERSION });
}

/** One entry for each label: how many, and a hash over the records' ids. */
async function enter(
  services: CellServices,
  asker: SealAsker,
  checked: readonly Checked[],
): Promise<void> {
  const groups = [...Map.groupBy(checked, groupOf).values()];
  await Promise.all(
    groups.map(async (group) => {
      const [first] = group;
      if (first === undefined) return;
      const decided = services.enforcement.decide(
        asker.credential,
        toRequest(services, asker, first),
      );
      const records = toEntryRecords(group.map(({ recordId }) => recordId));
      await services.entries.record(asker.credential.tenantId, {
        kind: 'seal',
        ...services.enforcement.toDraft(asker.credential, decided),
        ...(records === undefined ? {} : { records }),
      });
    }),
  );
}
