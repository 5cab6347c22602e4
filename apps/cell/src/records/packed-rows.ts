// SPDX-License-Identifier: Apache-2.0
// Rows as PostgreSQL's own binary records, all of an answer in one value: ten columns of text a row cost the
// driver more than opening the row. Format: `record_send` (count of columns as i32; each column's type
// as u32, its length as i32 or -1 for NULL, its bytes) over the types' binary forms.
import {
  parseCollectionId,
  parseEntryId,
  parseRecordId,
  parseSubjectId,
  type TenantId,
} from '@bailiwick/kernel';
import { type ReadRow, toSortedFlatJson } from './row.ts';

/** The columns in the order in which `parsePackedRows` reads them. */
export const PACKED_ROWS: string =
  'string_agg(record_send(ROW(r.collection_id, r.record_id, r.version, r.schema_version, r.subject_id, ' +
  `r.facts, r.plain, r.sealed, r.blind, r.facts_mac, r.entry_id)), ''::bytea)`;
const COLUMNS_COUNT = 11;

/** Reads one row after the other out of the server's answer. */
class Cursor {
  readonly #bytes: Buffer;
  at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.at >= this.#bytes.length;
  }

  int(): number {
    this.at += 4;
    return this.#bytes.readInt32BE(this.at - 4);
  }

  /** The next column's bytes, as a view; `undefined` for NULL. */
  maybeColumn(): Buffer | undefined {
    this.at += 4;
    const size = this.int();
    if (size < 0) return undefined;
    this.at += size;
    return this.#bytes.subarray(this.at - size, this.at);
  }

  column(): Buffer {
    const bytes = this.maybeColumn();
    if (bytes === undefined) throw new Error('assertion failed: a column is never NULL');
    return bytes;
  }

  text(): string {
    return this.column().toString('utf8');
  }

  number(): number {
    return this.column().readInt32BE();
  }
}

function toUuid(bytes: Buffer): string {
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** `jsonb` in binary: the version 1, then the text. */
function parseJson(bytes: Buffer): Readonly<Record<string, unknown>> {
  return JSON.parse(bytes.toString('utf8', 1)) as Readonly<Record<string, unknown>>;
}

/** `bytea[]` in binary: dimensions, flags, type; then count, lower bound, and the items. */
function parseByteaArray(bytes: Buffer): readonly Buffer[] {
  if (bytes.readInt32BE(0) === 0) return [];
  const items: Buffer[] = [];
  let at = 20;
  for (let left = bytes.readInt32BE(12); left > 0; left -= 1) {
    const end = at + 4 + bytes.readInt32BE(at);
    items.push(bytes.subarray(at + 4, end));
    at = end;
  }
  return items;
}

/** Reads the value of `PACKED_ROWS`; NULL is no row. The rows are views into it. */
export function parsePackedRows(tenantId: TenantId, packed: Buffer | null): readonly ReadRow[] {
  const rows: ReadRow[] = [];
  const cursor = new Cursor(packed ?? Buffer.alloc(0));
  while (!cursor.isAtEnd) {
    if (cursor.int() !== COLUMNS_COUNT) throw new Error('assertion failed: a row of other columns');
    rows.push(parseRow(tenantId, cursor));
  }
  return rows;
}

function parseRow(tenantId: TenantId, cursor: Cursor): ReadRow {
  const collectionId = parseCollectionId(cursor.text());
  const recordId = parseRecordId(toUuid(cursor.column()));
  const version = cursor.number();
  const schemaVersion = cursor.number();
  const subject = cursor.maybeColumn();
  const facts = cursor.text();
  const plainFields = parseJson(cursor.column());
  return {
    tenantId,
    collectionId,
    recordId,
    version,
    schemaVersion,
    subjectId: subject === undefined ? undefined : parseSubjectId(toUuid(subject)),
    facts,
    plain: toSortedFlatJson(plainFields),
    plainFields,
    sealed: cursor.column(),
    blind: parseByteaArray(cursor.column()),
    factsMac: cursor.column(),
    entryId: parseEntryId(toUuid(cursor.column())),
  };
}
