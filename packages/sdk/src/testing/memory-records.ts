// SPDX-License-Identifier: Apache-2.0
// Records in memory: sealed field sets, versions, exact search by index, ranges on plain fields.
import { randomUUID } from 'node:crypto';
import type {
  CollectionSchema,
  Condition,
  FieldValue,
  ImportLine,
  ImportResult,
  RecordDraft,
  RecordPage,
  RefusedLine,
  SearchQuery,
  StoredRecord,
  Where,
} from '@bailiwick/contracts';
import { MemoryProblem, type MemoryState, parseBody, type Route } from './memory-state.ts';
import { checkFields, getSchema, parseFields, sealFieldSet } from './memory-values.ts';

interface Row {
  readonly recordId: string;
  readonly subjectId: string | undefined;
  readonly origin: string;
  readonly version: number;
  /** Sealed text by field set. */
  readonly sealed: Readonly<Record<string, string>>;
}

const PAGE_SIZE_DEFAULT = 50;

/** The records of all collections of one cell in memory. */
export class MemoryRecords {
  readonly #state: MemoryState;
  readonly #rows = new Map<string, Map<string, Row>>();

  constructor(state: MemoryState) {
    this.#state = state;
  }

  routes(): readonly Route[] {
    const one = /^\/v1\/collections\/([^/]+)\/records\/([^/]+)$/;
    return [
      [
        'POST',
        /^\/v1\/collections\/([^/]+)\/records$/,
        ([id = ''], { body }) => this.#toRecord(id, this.#put(id, parseBody(body)).row),
      ],
      ['GET', one, ([id = '', recordId = '']) => this.#toRecord(id, this.#get(id, recordId))],
      [
        'PATCH',
        one,
        ([id = '', recordId = ''], { body, headers }) => {
          const row = this.#match(id, recordId, headers);
          const { fields } = parseBody<{ readonly fields: RecordDraft['fields'] }>(body);
          return this.#toRecord(id, this.#change(id, row, fields));
        },
      ],
      [
        'DELETE',
        one,
        ([id = '', recordId = ''], { headers }) => {
          this.#rowsOf(id).delete(this.#match(id, recordId, headers).recordId);
          return {};
        },
      ],
      [
        'POST',
        /^\/v1\/collections\/([^/]+)\/searches$/,
        ([id = ''], { body }) => this.#search(id, parseBody(body)),
      ],
      [
        'POST',
        /^\/v1\/collections\/([^/]+)\/counts$/,
        ([id = ''], { body }) => ({
          count: this.#find(id, parseBody<SearchQuery>(body).where).length,
        }),
      ],
      [
        'POST',
        /^\/v1\/collections\/([^/]+)\/imports$/,
        ([id = ''], { body }) => this.#import(id, String(body)),
      ],
    ];
  }

  #rowsOf(collection: string): Map<string, Row> {
    getSchema(this.#state, collection);
    const rows = this.#rows.get(collection) ?? new Map<string, Row>();
    this.#rows.set(collection, rows);
    return rows;
  }

  #get(collection: string, recordId: string): Row {
    const row = this.#rowsOf(collection).get(recordId);
    if (row !== undefined) return row;
    throw new MemoryProblem(404, 'RECORD_UNKNOWN', 'there is no such record');
  }

  #match(
    collection: string,
    recordId: string,
    headers: Readonly<Record<string, string>> | undefined,
  ): Row {
    const row = this.#get(collection, recordId);
    const version = headers?.['if-match'];
    if (version === undefined) {
      throw new MemoryProblem(428, 'RECORD_VERSION_MISSING', 'expected `If-Match`');
    }
    if (version === `"${row.version}"`) return row;
    throw new MemoryProblem(412, 'RECORD_VERSION_STALE', 'the record has changed meanwhile');
  }

  #seal(
    collection: string,
    row: Pick<Row, 'recordId' | 'subjectId' | 'origin'>,
    fields: Readonly<Record<string, FieldValue>>,
  ): Record<string, string> {
    const schema = getSchema(this.#state, collection);
    const unknown = Object.keys(fields).find((name) => schema.fields[name] === undefined);
    if (unknown !== undefined) {
      throw new MemoryProblem(400, 'CELL_INPUT_INVALID', `no field \`${unknown}\``);
    }
    const sealed: Record<string, string> = {};
    for (const fieldSet of Object.keys(schema.fieldSets)) {
      const own = Object.fromEntries(
        Object.entries(fields).filter(([name]) => schema.fields[name]?.fieldSet === fieldSet),
      );
      const values = checkFields(schema, fieldSet, own);
      sealed[fieldSet] = sealFieldSet(this.#state, {
        collection,
        fieldSet,
        ...row,
        fields: values,
      });
    }
    return sealed;
  }

  /** Adds a record; one that is there with the same content stays as it is. */
  #put(collection: string, draft: RecordDraft): { readonly row: Row; readonly isNew: boolean } {
    const rows = this.#rowsOf(collection);
    const { keys } = this.#state;
    const recordId = keys.toId(`record ${collection}`, draft.id ?? randomUUID());
    const subjectId = draft.subject === undefined ? undefined : keys.toId('subject', draft.subject);
    const known = rows.get(recordId);
    const fields = dropNulls(draft.fields);
    if (known !== undefined && isSame(this.#fieldsOf(known), fields)) {
      return { row: known, isNew: false };
    }
    const of = { recordId, subjectId, origin: draft.origin };
    const version = (known?.version ?? 0) + 1;
    const row = { ...of, version, sealed: this.#seal(collection, of, fields) };
    rows.set(recordId, row);
    return { row, isNew: true };
  }

  #change(collection: string, row: Row, change: RecordDraft['fields']): Row {
    const merged = dropNulls({ ...this.#fieldsOf(row), ...change });
    const next = { ...row, version: row.version + 1, sealed: this.#seal(collection, row, merged) };
    this.#rowsOf(collection).set(row.recordId, next);
    return next;
  }

  #fieldsOf(row: Row): Record<string, FieldValue> {
    const fields: Record<string, FieldValue> = {};
    for (const sealed of Object.values(row.sealed)) {
      Object.assign(fields, parseFields(this.#state.keys.open(sealed)?.fields ?? {}));
    }
    return fields;
  }

  #toRecord(collection: string, row: Row): StoredRecord {
    const { fieldSets } = getSchema(this.#state, collection);
    const erased = Object.entries(row.sealed)
      .filter(([, sealed]) => this.#state.keys.open(sealed) === undefined)
      .map(([fieldSet]) => fieldSet);
    const sets = Object.values(fieldSets);
    return {
      recordId: row.recordId,
      ...(row.subjectId === undefined ? {} : { subjectId: row.subjectId }),
      version: row.version,
      label: {
        cell: `${this.#state.residency}/main`,
        residency: this.#state.residency,
        origin: row.origin,
        regimes: this.#state.regimesOf(row.origin),
        lawDate: '1970-01-01',
        classes: [...new Set(sets.map((set) => set.class))],
        categories: [...new Set(sets.map((set) => set.category))],
      },
      fields: this.#fieldsOf(row),
      ...(erased.length === 0 ? {} : { erased }),
    };
  }

  #find(collection: string, where: Where | undefined): readonly StoredRecord[] {
    const schema = getSchema(this.#state, collection);
    for (const [name, condition] of Object.entries(where ?? {})) {
      assertSearchable(schema, name, condition);
    }
    return [...this.#rowsOf(collection).values()]
      .map((row) => this.#toRecord(collection, row))
      .filter(({ fields }) =>
        Object.entries(where ?? {}).every(([name, condition]) => matches(fields[name], condition)),
      )
      .sort((one, other) => (one.recordId < other.recordId ? -1 : 1));
  }

  #search(collection: string, query: SearchQuery): RecordPage {
    const found = [...this.#find(collection, query.where)];
    for (const { field, direction } of [...(query.sort ?? [])].reverse()) {
      const sign = direction === 'desc' ? -1 : 1;
      found.sort((one, other) => sign * compare(one.fields[field], other.fields[field]));
    }
    const from = Number(query.pageToken ?? 0);
    const pageSize = query.pageSize ?? PAGE_SIZE_DEFAULT;
    const items = found.slice(from, from + pageSize);
    const next = from + pageSize;
    return {
      items,
      ...(next < found.length ? { nextPageToken: String(next) } : {}),
      ...(query.count === true ? { count: found.length } : {}),
    };
  }

  #import(collection: string, text: string): ImportResult {
    const refused: RefusedLine[] = [];
    let accepted = 0;
    let unchanged = 0;
    for (const [index, line] of text.split('\n').entries()) {
      if (line === '') continue;
      try {
        const { isNew } = this.#put(collection, parseBody<ImportLine>(JSON.parse(line)));
        if (isNew) accepted += 1;
        else unchanged += 1;
      } catch (error) {
        const code = error instanceof MemoryProblem ? error.code : 'IMPORT_LINE_MALFORMED';
        const detail = error instanceof MemoryProblem ? error.message : 'not a record';
        refused.push({ line: index + 1, code, detail });
      }
    }
    return { accepted, unchanged, refusedCount: refused.length, refused, entries: [] };
  }
}

function dropNulls(fields: RecordDraft['fields']): Record<string, FieldValue> {
  const kept: Record<string, FieldValue> = {};
  for (const [name, value] of Object.entries(fields)) if (value !== null) kept[name] = value;
  return kept;
}

function isSame(one: Record<string, FieldValue>, other: Record<string, FieldValue>): boolean {
  const names = Object.keys(one);
  return (
    names.length === Object.keys(other).length && names.every((name) => one[name] === other[name])
  );
}

/** As in a cell: a sealed field is found by equality, where the schema gives it an index, and not else. */
function assertSearchable(schema: CollectionSchema, name: string, condition: Condition): void {
  const field = schema.fields[name];
  if (field === undefined) {
    throw new MemoryProblem(400, 'CELL_INPUT_INVALID', `no field \`${name}\``);
  }
  if (schema.fieldSets[field.fieldSet]?.protection === 'plain') return;
  const isExact = Object.keys(condition).every(
    (operator) => operator === 'eq' || operator === 'in',
  );
  if (field.index !== undefined && isExact) return;
  throw new MemoryProblem(400, 'CELL_INPUT_INVALID', `\`${name}\` cannot be searched like this`);
}

function compare(one: FieldValue | undefined, other: FieldValue | undefined): number {
  if (one === other) return 0;
  if (one === undefined) return 1;
  if (other === undefined) return -1;
  return one < other ? -1 : 1;
}

function matches(value: FieldValue | undefined, condition: Condition): boolean {
  if (value === undefined) return false;
  const { eq, lt, lte, gt, gte, in: list } = condition;
  if (eq !== undefined && value !== eq) return false;
  if (list !== undefined && !list.includes(value)) return false;
  if (lt !== undefined && !(value < lt)) return false;
  if (lte !== undefined && !(value <= lte)) return false;
  if (gt !== undefined && !(value > gt)) return false;
  return gte === undefined || value >= gte;
}
