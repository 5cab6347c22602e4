// SPDX-License-Identifier: Apache-2.0
// Reads some records of a collection, in the order of their ids, after a record that was taken: each row
// verified, only the fields that go along opened. A record whose person was erased, that does not verify,
// or that is itself a copy, is only counted.
import type { FieldValue, Where } from '@bailiwick/contracts';
import { isCoded, type RecordId, type SubjectId, type TenantId } from '@bailiwick/kernel';
import type { CompiledCollection } from '../collections/compiled-collection.ts';
import { findOpeningKeys, openFields, type VerifiedRow, verifyRow } from '../records/open.ts';
import { toConditions } from '../records/query.ts';
import { parseStoredRow, RECORD_COLUMNS, type StoredRow } from '../records/record-store.ts';
import type { CellServices } from '../services.ts';

const FIRST_ID = '00000000-0000-0000-0000-000000000000';

/** A record as it lies here, opened. */
export interface HomeRecord {
  readonly recordId: RecordId;
  readonly subjectId: SubjectId | undefined;
  readonly version: number;
  readonly origin: string;
  readonly regimes: readonly string[];
  readonly residency: string;
  readonly lawDate: string;
  readonly collectedAt: string;
  readonly fields: Readonly<Record<string, FieldValue>>;
}

export interface ReadChunk {
  readonly records: readonly HomeRecord[];
  readonly leftOutCount: number;
  /** The last row that was looked at; absent when there is none any more. */
  readonly through: string | undefined;
}

type Services = Pick<CellServices, 'cellId' | 'database' | 'keys'>;

export async function readChunk(
  services: Services,
  wanted: {
    readonly tenantId: TenantId;
    readonly collection: CompiledCollection;
    readonly where: Where;
    readonly fields: readonly string[];
    readonly after: string | undefined;
    readonly count: number;
  },
): Promise<ReadChunk> {
  const { tenantId, collection, where, after, count } = wanted;
  const conditions = toConditions(collection, where, { tenantId, indexKeys: new Map() });
  const place = conditions.values.length + 1;
  const { rows } = await services.database.withTenant(tenantId, (tx) =>
    tx.query<StoredRow>(
      `SELECT ${RECORD_COLUMNS} FROM cell.records r
       WHERE ${conditions.text} AND r.record_id > $${place}::uuid
       ORDER BY r.record_id LIMIT $${place + 1}`,
      [...conditions.values, after ?? FIRST_ID, count],
    ),
  );
  const through = rows.at(-1)?.record_id;
  const { factsKey } = await services.keys.secrets(tenantId);
  const verified = rows.flatMap((row) => {
    const parsed = parseStoredRow(tenantId, row);
    const one = verifyRow({ cellId: services.cellId, factsKey, collection }, parsed);
    return one === undefined || one.facts.copyOf !== undefined ? [] : [one];
  });
  const records = await openRecords(services, wanted, verified);
  return { records, leftOutCount: rows.length - records.length, through };
}

async function openRecords(
  services: Services,
  wanted: {
    readonly tenantId: TenantId;
    readonly collection: CompiledCollection;
    readonly fields: readonly string[];
  },
  rows: readonly VerifiedRow[],
): Promise<readonly HomeRecord[]> {
  const names = new Set(wanted.fields);
  const sets = new Set(
    wanted.fields.flatMap((name) => {
      const fieldSet = wanted.collection.fields.get(name)?.fieldSet;
      return fieldSet?.protection === 'sealed' ? [fieldSet.at] : [];
    }),
  );
  const sealedOf = ({ sealed }: VerifiedRow) => sealed.filter(({ at }) => sets.has(at));
  const keys = await findOpeningKeys(services, wanted.tenantId, rows.flatMap(sealedOf));
  return rows.flatMap((verified): readonly HomeRecord[] => {
    const { row, facts } = verified;
    const fields: Record<string, FieldValue> = {};
    const take = (values: Readonly<Record<string, unknown>>): void => {
      for (const [name, value] of Object.entries(values)) {
        if (names.has(name) && isFieldValue(value)) fields[name] = value;
      }
    };
    try {
      for (const value of sealedOf(verified)) {
        const opened = openFields(keys, value);
        // Erased: nothing of this record goes anywhere any more.
        if (opened === undefined) return [];
        take(opened);
      }
    } catch (error) {
      const isForeign =
        isCoded(error, 'RECORD_FACTS_UNVERIFIED') || isCoded(error, 'KEYS_ENVELOPE_UNOPENED');
      if (isForeign) return [];
      throw error;
    }
    take(row.plainFields);
    const { origin, regimes, residency, lawDate, collectedAt } = facts;
    const { recordId, subjectId, version } = row;
    return [
      { recordId, subjectId, version, origin, regimes, residency, lawDate, collectedAt, fields },
    ];
  });
}

function isFieldValue(value: unknown): value is FieldValue {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}
