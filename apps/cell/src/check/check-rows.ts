// SPDX-License-Identifier: Apache-2.0
// Every row is what the last write on record wrote, its seals are its own, and it opens.

import type { CollectionSchema } from '@bailiwick/contracts';
import {
  type CellId,
  CodedError,
  parseCollectionId,
  parseRecordId,
  parseTenantId,
  type TenantId,
} from '@bailiwick/kernel';
import { openValue, parseSealedValue } from '@bailiwick/keys';
import {
  DELETED_DIGEST,
  type EntryBody,
  isSameBytes,
  parseWriteItems,
  type RowProblem,
  WriteHistory,
} from '@bailiwick/ledger';
import type { PoolClient } from 'pg';
import { type CompiledCollection, compileCollection } from '../collections/compiled-collection.ts';
import { parseStoredRow, RECORD_COLUMNS, type StoredRow } from '../records/record-store.ts';
import {
  digestRow,
  parseContainer,
  parseFacts,
  type ReadRow,
  verifyRecord,
} from '../records/row.ts';
import { type CheckedTenant, toKeyName } from './check-keys.ts';
import type { CheckProblemKind, Findings } from './findings.ts';

const PAGE_COUNT = 500;

const ROW_PROBLEMS: Readonly<Record<RowProblem['problem'], CheckProblemKind>> = {
  older: 'row-older',
  changed: 'row-changed',
  unrecorded: 'row-unrecorded',
  returned: 'row-returned',
  missing: 'row-missing',
};

/** What entries say of rows, by tenant, and whether any write is on record twice. */
export class WritesByTenant {
  readonly #histories = new Map<TenantId, WriteHistory>();
  readonly #findings: Findings;

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  /** Takes an entry in the order of the log. */
  add(body: EntryBody): void {
    if (body.tenant === undefined || body.writes?.items === undefined) return;
    const history = this.of(body.tenant);
    for (const write of parseWriteItems(body.writes.items)) {
      this.#findings.count('writes on record');
      const latest = history.latestOf(write.recordId);
      // A record that was deleted may be made again, from version 1.
      const isAgain = latest !== undefined && isSameBytes(latest.digest, DELETED_DIGEST);
      if (latest !== undefined && !isAgain && write.version <= latest.version) {
        this.#findings.add(
          'written-twice',
          `record ${write.recordId} version ${write.version}, entries ${latest.entryId} and ${body.id}`,
        );
      }
    }
    history.add(body);
  }

  of(tenantId: TenantId): WriteHistory {
    const known = this.#histories.get(tenantId);
    if (known !== undefined) return known;
    const made = new WriteHistory();
    this.#histories.set(tenantId, made);
    return made;
  }

  tenants(): Iterable<TenantId> {
    return this.#histories.keys();
  }
}

export interface RowPlace {
  readonly cellId: CellId;
  readonly writes: WritesByTenant;
  readonly tenants: ReadonlyMap<TenantId, CheckedTenant>;
}

/** Checks every row of every tenant. */
export async function checkAllRows(
  tx: PoolClient,
  findings: Findings,
  place: RowPlace,
): Promise<void> {
  const { rows } = await tx.query<{ tenant_id: string }>(
    'SELECT DISTINCT tenant_id FROM cell.records',
  );
  const listed = new Set([
    ...rows.map(({ tenant_id }) => parseTenantId(tenant_id)),
    ...place.writes.tenants(),
  ]);
  for (const tenantId of listed) {
    const collections = await readCollections(tx, tenantId);
    const stored = async function* () {
      for await (const { row, hasEntry } of listAll(tx, tenantId)) {
        findings.count('rows');
        if (!hasEntry) findings.add('row-without-entry', `record ${row.recordId}`);
        checkSealed(findings, row, { ...place, collections });
        yield { recordId: row.recordId, version: row.version, digest: digestRow(row) };
      }
    };
    for await (const found of place.writes.of(tenantId).check(stored())) {
      const versions = `version ${found.version ?? 'none'}, on record ${found.latest?.version ?? 'none'}`;
      findings.add(ROW_PROBLEMS[found.problem], `record ${found.recordId}: ${versions}`);
    }
  }
}

async function* listAll(
  tx: PoolClient,
  tenantId: TenantId,
): AsyncGenerator<{ readonly row: ReadRow; readonly hasEntry: boolean }> {
  let after: readonly [string, string] = ['', '00000000-0000-0000-0000-000000000000'];
  for (;;) {
    const { rows } = await tx.query<StoredRow & { readonly has_entry: boolean }>(
      `SELECT ${RECORD_COLUMNS}, EXISTS (
                SELECT FROM ledger.entries e WHERE e.tenant_id = $1 AND e.entry_id = r.entry_id
              ) AS has_entry
         FROM cell.records r
        WHERE r.tenant_id = $1 AND (r.collection_id, r.record_id) > ($2, $3)
        ORDER BY r.collection_id, r.record_id LIMIT $4`,
      [tenantId, ...after, PAGE_COUNT],
    );
    for (const row of rows) {
      yield { row: parseStoredRow(tenantId, row), hasEntry: row.has_entry };
    }
    const last = rows.at(-1);
    if (last === undefined || rows.length < PAGE_COUNT) return;
    after = [last.collection_id, parseRecordId(last.record_id)];
  }
}

type Collections = ReadonlyMap<string, CompiledCollection>;

async function readCollections(tx: PoolClient, tenantId: TenantId): Promise<Collections> {
  const { rows } = await tx.query<{
    collection_id: string;
    version: number;
    schema: CollectionSchema;
  }>('SELECT collection_id, version, schema FROM cell.collections WHERE tenant_id = $1', [
    tenantId,
  ]);
  return new Map(
    rows.map(({ collection_id, version, schema }) => [
      `${collection_id}/${version}`,
      compileCollection(parseCollectionId(collection_id), version, schema),
    ]),
  );
}

interface SealPlace extends RowPlace {
  readonly collections: Collections;
}

/** Seals fit the row that they lie in; where the tenant's keys could be had, facts verify and values open. */
function checkSealed(findings: Findings, row: ReadRow, place: SealPlace): void {
  const about = `record ${row.recordId}`;
  const tenant = place.tenants.get(row.tenantId);
  let values: readonly Buffer[];
  try {
    values = parseContainer(row.sealed);
    if (tenant !== undefined) verifyRecord(tenant.factsKey, row);
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    findings.add('facts-unverified', `${about}: ${error.code}`);
    return;
  }
  for (const value of values) {
    findings.count('sealed values');
    try {
      checkValue(findings, value, { ...place, row, tenant });
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      findings.add('value-unopened', `${about}: ${error.code}`);
    }
  }
}

interface ValuePlace extends SealPlace {
  readonly row: ReadRow;
  readonly tenant: CheckedTenant | undefined;
}

function checkValue(findings: Findings, value: Buffer, place: ValuePlace): void {
  const { row, tenant, cellId, collections } = place;
  const about = `record ${row.recordId}`;
  const parsed = parseSealedValue(value);
  const { seal } = parsed;
  const facts = parseFacts(row.facts);
  const collection = collections.get(`${row.collectionId}/${row.schemaVersion}`);
  const fieldSet = collection?.fieldSets.find(({ name }) => name === seal.fieldSet);
  const isOwn =
    seal.tenantId === row.tenantId &&
    seal.cellId === cellId &&
    seal.collectionId === row.collectionId &&
    seal.recordId === row.recordId &&
    seal.residency === facts.residency &&
    seal.origin === facts.origin &&
    seal.regimes.join() === facts.regimes.join() &&
    fieldSet !== undefined &&
    fieldSet.class === seal.class &&
    fieldSet.category === seal.category &&
    fieldSet.purpose === seal.purpose;
  if (!isOwn) findings.add('seal-foreign', `${about} field set ${seal.fieldSet}`);
  if (tenant === undefined) return;
  const key = tenant.keys.get(toKeyName(seal.keyId, seal.keyVersion));
  if (key === undefined) findings.add('key-missing', `${about} key ${seal.keyId}`);
  else if (key === 'erased') findings.add('row-of-erased', `${about} key ${seal.keyId}`);
  else if (key === 'being erased') findings.count('rows being erased');
  else {
    openValue(key, parsed).fill(0);
    findings.count('values opened');
  }
}
