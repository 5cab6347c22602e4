// SPDX-License-Identifier: Apache-2.0
// Reads a collection for a transfer: one consistent picture, page by page, each row verified, only the
// fields that are asked for opened. Whether this may be read was decided before, label by label.
import type { FieldValue, Where } from '@bailiwick/contracts';
import type { RecordId, SubjectId, TenantId } from '@bailiwick/kernel';
import type { PoolClient } from 'pg';
import type { CompiledCollection } from '../collections/compiled-collection.ts';
import type { HomeLabel } from '../records/label.ts';
import { findOpeningKeys, openFields, type VerifiedRow, verifyRow } from '../records/open.ts';
import { toConditions } from '../records/query.ts';
import { parseStoredRow, RECORD_COLUMNS, type StoredRow } from '../records/record-store.ts';
import type { CellServices } from '../services.ts';
import type { AggregatedRecord } from './aggregate.ts';

const PAGE_SIZE = 1000;
const FIRST_ID = '00000000-0000-0000-0000-000000000000';

export interface RecordSelection {
  readonly tenantId: TenantId;
  readonly collection: CompiledCollection;
  readonly where: Where;
  /** Fields to open. */
  readonly fields: readonly string[];
  /** Asked before each page is opened; what it throws ends the reading. */
  readonly beforePage?: () => void;
}

/** A record as a transfer sees it. */
export interface ReadRecord extends AggregatedRecord {
  readonly recordId: RecordId;
  readonly subjectId: SubjectId | undefined;
  readonly regimes: readonly string[];
}

/** What was read. */
export interface ReadResult {
  readonly recordIds: readonly RecordId[];
  /** Rows that are not what this cell wrote: left out, and told in the entry. */
  readonly unverifiedCount: number;
}

type Services = Pick<CellServices, 'cellId' | 'database' | 'keys' | 'standings'>;

/** Gives each record of a selection to `take`. */
export async function readRecords(
  services: Services,
  selection: RecordSelection,
  take: (record: ReadRecord) => void,
): Promise<ReadResult> {
  const { tenantId } = selection;
  const { factsKey } = await services.keys.secrets(tenantId);
  const recordIds: RecordId[] = [];
  let unverifiedCount = 0;
  await services.database.withTenant(tenantId, async (tx) => {
    // One picture of all pages: what changes meanwhile is in the next transfer.
    await tx.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY');
    for await (const rows of readPages(tx, selection)) {
      selection.beforePage?.();
      const read = rows.map((row) =>
        verifyRow(
          { cellId: services.cellId, factsKey, collection: selection.collection },
          parseStoredRow(tenantId, row),
        ),
      );
      const known = read.filter((row) => row !== undefined);
      unverifiedCount += read.length - known.length;
      // A copy of another cell's record is counted where its home is.
      const verified = known.filter(({ facts }) => facts.copyOf === undefined);
      const opened = await openPage(services, selection, verified);
      const people = opened.map(({ subjectId }) => subjectId);
      const preparing = services.standings.prepare(tenantId, people);
      if (preparing) await preparing;
      for (const record of opened) {
        recordIds.push(record.recordId);
        take(record);
      }
    }
  });
  return { recordIds, unverifiedCount };
}

async function* readPages(
  tx: PoolClient,
  { tenantId, collection, where }: RecordSelection,
): AsyncGenerator<readonly StoredRow[]> {
  const conditions = toConditions(collection, where, { tenantId, indexKeys: new Map() });
  const place = conditions.values.length + 1;
  let after = FIRST_ID;
  for (;;) {
    const { rows } = await tx.query<StoredRow>(
      `SELECT ${RECORD_COLUMNS} FROM cell.records r
       WHERE ${conditions.text} AND r.record_id > $${place}::uuid
       ORDER BY r.record_id LIMIT ${PAGE_SIZE}`,
      [...conditions.values, after],
    );
    if (rows.length > 0) yield rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < PAGE_SIZE) return;
    after = last.record_id;
  }
}

async function openPage(
  services: Services,
  { tenantId, collection, fields }: RecordSelection,
  rows: readonly VerifiedRow[],
): Promise<readonly ReadRecord[]> {
  const wanted = new Set(fields);
  const sets = new Set(
    fields.flatMap((name) => {
      const fieldSet = collection.fields.get(name)?.fieldSet;
      return fieldSet?.protection === 'sealed' ? [fieldSet.at] : [];
    }),
  );
  const wantedOf = ({ sealed }: VerifiedRow) => sealed.filter(({ at }) => sets.has(at));
  const keys = await findOpeningKeys(services, tenantId, rows.flatMap(wantedOf));
  return rows.map((verified) => {
    const { row, facts } = verified;
    const values: Record<string, FieldValue> = {};
    for (const value of wantedOf(verified)) {
      // An erased person's values are gone: the record has none of these fields any more.
      Object.assign(values, openFields(keys, value));
    }
    for (const [name, value] of Object.entries(row.plainFields)) {
      if (wanted.has(name) && isFieldValue(value)) values[name] = value;
    }
    const { origin, regimes, residency, lawDate } = facts;
    const { recordId, subjectId } = row;
    return { recordId, subjectId, origin, regimes, residency, lawDate, fields: values };
  });
}

function isFieldValue(value: unknown): value is FieldValue {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

/** The labels that a collection's records say they have; the reading verifies them. */
export async function listLabels(
  services: Pick<CellServices, 'database'>,
  { tenantId, collection }: Pick<RecordSelection, 'tenantId' | 'collection'>,
): Promise<readonly Pick<HomeLabel, 'origin' | 'regimes'>[]> {
  const { rows } = await services.database.withTenant(tenantId, (tx) =>
    tx.query<{ label: { readonly origin: string; readonly regimes: readonly string[] } }>(
      `SELECT DISTINCT jsonb_build_object('origin', r.facts::jsonb -> 'origin',
         'regimes', r.facts::jsonb -> 'regimes') AS label
       FROM cell.records r WHERE r.tenant_id = $1 AND r.collection_id = $2
        AND NOT r.facts::jsonb ? 'copyOf'`,
      [tenantId, collection.id],
    ),
  );
  return rows.map(({ label }) => label);
}
