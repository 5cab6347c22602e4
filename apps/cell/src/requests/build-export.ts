// SPDX-License-Identifier: Apache-2.0
// Everything a cell has about a person, for that person: records with their labels and terms, what they
// said, what is done with such data, what left. Made anew each time it is read; nothing of it is stored.
// Rooms to come add what they know of people as a further source.
import type { AccessExport, AccessRecord } from '@bailiwick/contracts';
import { type SubjectId, toDate, toInstant } from '@bailiwick/kernel';
import { type CollectionStore, collectionsOf } from '../collections/collection-store.ts';
import type { CompiledCollection } from '../collections/compiled-collection.ts';
import { collectionFor, findVerified } from '../records/existing.ts';
import { type Opened, openRows } from '../records/open.ts';
import { parseStoredRow, RECORD_COLUMNS, type StoredRow } from '../records/record-store.ts';
import type { ReadRow } from '../records/row.ts';
import { type Asker, decideAgain, type Sight } from '../records/sight.ts';
import { toSetTerms } from '../retention/record-terms.ts';
import type { CellServices, Credential } from '../services.ts';
import { NO_FACTS, WHOLE_TENANT } from '../subjects/facts.ts';
import { toHoldAnswer } from '../subjects/hold.ts';
import type { CellStandings } from '../subjects/standings.ts';

/** Records of one person that an export can hold. */
const RECORDS_COUNT_MAX = 100_000;
const PAGE_COUNT = 500;
/** The purpose under which people get their own data. */
export const EXPORT_PURPOSE = 'legal-obligation';

export type ExportServices = CellServices & { readonly standings: CellStandings };

/** What a later room knows of a person, by a name of its own. */
export interface SubjectSource {
  readonly name: string;
  readonly collect: (
    services: ExportServices,
    about: { readonly credential: Credential; readonly subjectId: SubjectId },
  ) => Promise<unknown>;
}

const sources: SubjectSource[] = [];

/** Adds what a room knows of people to every export from here on. */
export function addSubjectSource(source: SubjectSource): void {
  if (sources.some(({ name }) => name === source.name)) return;
  sources.push(source);
}

interface Found {
  readonly records: readonly AccessRecord[];
  readonly withheldCount: number;
  readonly collections: ReadonlySet<string>;
  readonly sight: Sight | undefined;
}

/** Builds the export; decided as an `export` to whoever asks, and entered before it is given. */
export async function buildExport(
  services: ExportServices,
  about: { readonly credential: Credential; readonly subjectId: SubjectId },
): Promise<AccessExport> {
  const { credential, subjectId } = about;
  const { tenantId } = credential;
  const asker = { credential, purpose: EXPORT_PURPOSE };
  await services.orders.prepare(tenantId);
  await services.standings.prepare(tenantId, [subjectId]);
  const found = await readRecords(services, asker, subjectId);
  const decided = found.sight && decideAgain(services, asker, found.sight);
  await services.entries.record(tenantId, {
    kind: 'read',
    ...(decided === undefined ? {} : services.enforcement.toDraft(credential, decided)),
    subject: subjectId.replaceAll('-', ''),
    facts: { what: 'access-export', records: found.records.length },
  });
  const more: Record<string, unknown> = {};
  for (const { name, collect } of sources) more[name] = await collect(services, about);
  return {
    v: 1,
    generatedAt: toInstant(services.clock.nowMs()),
    cell: services.cellId,
    subjectId,
    records: found.records,
    withheldCount: found.withheldCount,
    standing: toStandingPart(services, about),
    purposes: listPurposes(services, found.records),
    transfers: await listTransfers(services, about, found.collections),
    more,
  };
}

async function readRecords(
  services: ExportServices,
  asker: Asker,
  subjectId: SubjectId,
): Promise<Found> {
  const { tenantId } = asker.credential;
  const store = collectionsOf(services);
  const records: AccessRecord[] = [];
  const collections = new Set<string>();
  let withheldCount = 0;
  let sight: Sight | undefined;
  let after: readonly [string, string] = ['', '00000000-0000-0000-0000-000000000000'];
  while (records.length + withheldCount < RECORDS_COUNT_MAX) {
    const page = await readPage(services, { tenantId, subjectId, after });
    const last = page.at(-1);
    if (last === undefined) break;
    after = [last.collectionId, last.recordId];
    const known = await findCollections(store, page);
    const requests = page.flatMap((row) => {
      const collection = known.get(`${row.collectionId} ${row.schemaVersion}`);
      return collection === undefined ? [] : [{ row, collection, asker }];
    });
    const opened = await openRows(services, { tenantId, action: 'export', requests });
    for (const [at, request] of requests.entries()) {
      const one = opened[at];
      collections.add(request.row.collectionId);
      const record = one && (await toAccessRecord(services, request, one));
      if (record === undefined) withheldCount += 1;
      else records.push(record);
      if (one?.kind === 'seen') sight ??= one.sight;
    }
  }
  return { records, withheldCount, collections, sight };
}

async function readPage(
  services: ExportServices,
  options: {
    readonly tenantId: Credential['tenantId'];
    readonly subjectId: SubjectId;
    readonly after: readonly [string, string];
  },
): Promise<readonly ReadRow[]> {
  const { tenantId, subjectId, after } = options;
  const { rows } = await services.database.withTenant(tenantId, (tx) =>
    tx.query<StoredRow>(
      `SELECT ${RECORD_COLUMNS} FROM cell.records r
        WHERE r.tenant_id = $1 AND r.subject_id = $2 AND (r.collection_id, r.record_id) > ($3, $4)
        ORDER BY r.collection_id, r.record_id LIMIT ${PAGE_COUNT}`,
      [tenantId, subjectId, ...after],
    ),
  );
  return rows.map((row) => parseStoredRow(tenantId, row));
}

async function findCollections(
  store: CollectionStore,
  rows: readonly ReadRow[],
): Promise<ReadonlyMap<string, CompiledCollection>> {
  const known = new Map<string, CompiledCollection>();
  for (const row of rows) {
    const id = `${row.collectionId} ${row.schemaVersion}`;
    if (!known.has(id)) known.set(id, await collectionFor(store, row));
  }
  return known;
}

async function toAccessRecord(
  services: ExportServices,
  { row, collection, asker }: { row: ReadRow; collection: CompiledCollection; asker: Asker },
  opened: Opened,
): Promise<AccessRecord | undefined> {
  if (opened.kind !== 'seen') return undefined;
  const { tenantId } = asker.credential;
  const { factsKey } = await services.keys.secrets(tenantId);
  const [existing] = findVerified(services.cellId, { row, collection, factsKey });
  if (existing === undefined) return undefined;
  const { charter, termsOf } = services.law.current();
  const nowMs = services.clock.nowMs();
  const facts =
    row.subjectId === undefined ? NO_FACTS : services.standings.factsOf(tenantId, row.subjectId);
  const context = { charter, terms: termsOf(tenantId), collection, nowMs, known: new Map() };
  const tenantHolds = services.standings.factsOf(tenantId, WHOLE_TENANT)?.holds ?? [];
  const terms = toSetTerms(context, existing.verified, { facts: facts ?? NO_FACTS, tenantHolds });
  const { label, fields, masked = [] } = opened.record;
  return {
    collection: collection.id,
    recordId: row.recordId,
    fields,
    masked,
    origin: label.origin,
    residency: label.residency,
    regimes: label.regimes,
    lawDate: label.lawDate,
    fieldSets: terms.map(({ fieldSet, term, expiresAtMs, hold }) => ({
      name: fieldSet.name,
      category: fieldSet.category,
      collectedFor: fieldSet.purpose,
      ...(expiresAtMs === undefined ? {} : { keptUntil: toDate(expiresAtMs) }),
      ...(term === undefined ? {} : { because: term.because, source: term.source }),
      isHeld: hold !== undefined,
    })),
  };
}

function toStandingPart(
  services: ExportServices,
  { credential, subjectId }: { readonly credential: Credential; readonly subjectId: SubjectId },
): Readonly<Record<string, unknown>> {
  const facts = services.standings.factsOf(credential.tenantId, subjectId) ?? NO_FACTS;
  const { consents, objections, restriction, events, holds } = facts;
  return {
    consents,
    objections,
    ...(restriction === undefined ? {} : { restriction }),
    events,
    // That something is held is told; the file it is held for may be nobody's to tell.
    holds: holds.map((hold) => ({ placedAt: toHoldAnswer(subjectId, hold).placedAt })),
  };
}

/** Purposes of the charter with which the person's data was collected, in its words. */
function listPurposes(
  services: ExportServices,
  records: readonly AccessRecord[],
): AccessExport['purposes'] {
  const used = new Set(
    records.flatMap((one) => one.fieldSets.map(({ collectedFor }) => collectedFor)),
  );
  const { document } = services.law.current().charter;
  return [...used].sort().map((purpose) => ({
    purpose,
    means: document.purposes[purpose]?.means ?? '',
  }));
}

async function listTransfers(
  services: ExportServices,
  { credential }: { readonly credential: Credential },
  collections: ReadonlySet<string>,
): Promise<AccessExport['transfers']> {
  if (collections.size === 0) return [];
  const { tenantId } = credential;
  const { rows } = await services.database.withTenant(tenantId, (tx) =>
    tx.query<{ draft: TransferDraft; updated_at: Date }>(
      `SELECT draft, updated_at FROM cell.transfers
        WHERE tenant_id = $1 AND state IN ('delivered', 'completed')
          AND draft -> 'selection' ->> 'collection' = ANY ($2)
        ORDER BY transfer_id DESC LIMIT 200`,
      [tenantId, [...collections]],
    ),
  );
  return rows.map(({ draft, updated_at }) => ({
    kind: draft.kind,
    form: draft.form,
    destination: draft.destination.id ?? draft.destination.kind,
    purpose: draft.purpose,
    on: updated_at.toISOString().slice(0, 10),
  }));
}

interface TransferDraft {
  readonly kind: string;
  readonly form: string;
  readonly destination: { readonly kind: string; readonly id?: string };
  readonly purpose: string;
}

/** The export as a person reads it: Markdown without markup in values. */
export function toReadable(document: AccessExport): string {
  const clean = (value: unknown): string =>
    String(value)
      .replaceAll(/[\r\n]+/g, ' ')
      .replaceAll(/([\\`*_{}[\]<>#|])/g, '\\$1');
  const lines = [
    `# What is kept about you in ${document.cell}`,
    '',
    `Made on ${document.generatedAt}. Your data is known here under the pseudonym ${document.subjectId}.`,
    '',
    '## Why',
    ...document.purposes.map(({ purpose, means }) => `- ${purpose}: ${clean(means)}`),
    '',
    '## What you have said',
    ...toSaid(document.standing),
    '',
    '## Records',
  ];
  for (const record of document.records) {
    lines.push('', `### ${record.collection}, collected in ${record.origin}, ${record.lawDate}`);
    for (const [name, value] of Object.entries(record.fields))
      lines.push(`- ${name}: ${clean(value)}`);
    if (record.masked.length > 0)
      lines.push(`- there, but not shown here: ${record.masked.join(', ')}`);
    for (const one of record.fieldSets) {
      const until = one.keptUntil === undefined ? 'no end is set' : `kept until ${one.keptUntil}`;
      const why = one.because === undefined ? '' : `: ${clean(one.because)} [${clean(one.source)}]`;
      lines.push(
        `- ${one.name} (${one.category}), ${until}${one.isHeld ? ', held by order' : ''}${why}`,
      );
    }
  }
  lines.push('', '## What left this place');
  if (document.transfers.length === 0) lines.push('- nothing');
  for (const one of document.transfers) {
    lines.push(`- ${one.on}: ${one.kind} as ${one.form} to ${one.destination} for ${one.purpose}`);
  }
  if (document.withheldCount > 0) {
    lines.push('', `${document.withheldCount} records could not be shown.`);
  }
  return `${lines.join('\n')}\n`;
}

function toSaid(standing: Readonly<Record<string, unknown>>): readonly string[] {
  const lines: string[] = [];
  const of = (name: string): readonly [string, { state?: string; at: string }][] =>
    Object.entries((standing[name] ?? {}) as Record<string, { state?: string; at: string }>);
  for (const [purpose, { state = '', at }] of of('consents')) {
    lines.push(`- consent to ${purpose}: ${state} on ${at}`);
  }
  for (const [purpose, { at }] of of('objections'))
    lines.push(`- objection to ${purpose} on ${at}`);
  if (standing['restriction'] !== undefined) lines.push('- processing is restricted');
  return lines.length === 0 ? ['- nothing is recorded'] : lines;
}
