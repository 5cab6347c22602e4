// SPDX-License-Identifier: Apache-2.0
// From a search on the wire to SQL. Field names are the schema's (letters and digits only) and may stand
// in the text; values are always parameters.
import type { KeyObject } from 'node:crypto';
import type { Condition, FieldValue, SearchQuery, Where } from '@bailiwick/contracts';
import { isCoded } from '@bailiwick/kernel';
import { blindIndex } from '@bailiwick/keys';
import type { CompiledCollection, CompiledField } from '../collections/compiled-collection.ts';
import { splitFields } from './draft.ts';
import { RecordError, toRecordError } from './errors.ts';
import type { Cursor } from './page-token.ts';

/** Operators on plain fields, as SQL. */
const COMPARISONS = { eq: '=', lt: '<', lte: '<=', gt: '>', gte: '>=' } as const;
type Operator = keyof typeof COMPARISONS;
const OPERATORS: readonly Operator[] = ['eq', 'lt', 'lte', 'gt', 'gte'];

/** A part of a statement with its parameters. */
export interface SqlPart {
  readonly text: string;
  readonly values: readonly unknown[];
}

export interface SortField {
  readonly field: string;
  readonly isDescending: boolean;
}

function unsearchable(name: string, detail: string, at = 'where'): RecordError {
  return new RecordError('RECORD_FIELD_UNSEARCHABLE', detail, {
    places: [{ pointer: `/${at}/${name}`, detail }],
  });
}

function findField(collection: CompiledCollection, name: string, at = 'where'): CompiledField {
  const field = collection.fields.get(name);
  if (!field) throw unsearchable(name, 'the collection has no such field', at);
  return field;
}

/** Positions of the field sets that a query asks by: who may not see them may not ask by them. */
export function findNeededSets(
  collection: CompiledCollection,
  query: Pick<SearchQuery, 'where' | 'sort'>,
): readonly number[] {
  const names = [
    ...Object.keys(query.where ?? {}),
    ...(query.sort ?? []).map(({ field }) => field),
  ];
  return [...new Set(names.map((name) => findField(collection, name).fieldSet.at))];
}

/** The order of a query; only plain fields have one. */
export function toSort(collection: CompiledCollection, query: SearchQuery): readonly SortField[] {
  return (query.sort ?? []).map(({ field, direction }) => {
    const { fieldSet } = findField(collection, field, 'sort');
    if (fieldSet.protection !== 'plain') {
      throw unsearchable(field, 'a sealed field has no order', 'sort');
    }
    return { field, isDescending: direction === 'desc' };
  });
}

/** A value as the field's own type, or a refusal with its place. */
function checkValue(collection: CompiledCollection, name: string, value: FieldValue): FieldValue {
  const split = splitFields({ ...collection, required: [] }, { [name]: value });
  if ('values' in split) return value;
  const { code, detail } = split;
  throw toRecordError({ code, detail, pointer: `/where/${name}` });
}

const column = (name: string): string => `coalesce(r.plain -> '${name}', 'null'::jsonb)`;

class Parameters {
  readonly values: unknown[] = [];

  /** The place of a new parameter. */
  add(value: unknown): string {
    this.values.push(value);
    return `$${this.values.length}`;
  }
}

function toPlainConditions(
  { name }: CompiledField,
  condition: Condition,
  parameters: Parameters,
): string[] {
  const parts: string[] = [];
  for (const operator of OPERATORS) {
    const value = condition[operator];
    if (value === undefined) continue;
    const place = parameters.add(JSON.stringify(value));
    parts.push(`r.plain -> '${name}' ${COMPARISONS[operator]} ${place}::jsonb`);
  }
  if (condition.in) {
    const place = parameters.add(condition.in.map((value) => JSON.stringify(value)));
    parts.push(`r.plain -> '${name}' = ANY (${place}::jsonb[])`);
  }
  return parts;
}

function toBlindCondition(
  field: CompiledField,
  condition: Condition,
  options: { readonly key: KeyObject | undefined; readonly parameters: Parameters },
): string {
  const { name, index } = field;
  const { key, parameters } = options;
  if (index === undefined || !key) {
    throw unsearchable(name, 'a sealed field without an index cannot be searched');
  }
  if (['lt', 'lte', 'gt', 'gte'].some((operator) => operator in condition)) {
    throw unsearchable(name, 'a sealed field can only be searched by `eq` and `in`');
  }
  const wanted = [...(condition.eq === undefined ? [] : [condition.eq]), ...(condition.in ?? [])];
  if (condition.eq !== undefined && condition.in) {
    throw unsearchable(name, 'give either `eq` or `in`');
  }
  const indexes = wanted.flatMap((value) => {
    try {
      return [blindIndex(key, index, String(value))];
    } catch (error) {
      // What has no normal form is in no record: it matches nothing.
      if (isCoded(error, 'KEYS_VALUE_UNINDEXABLE')) return [];
      throw error;
    }
  });
  return `(r.blind <> '{}' AND r.blind && ${parameters.add(indexes)}::bytea[])`;
}

/**
 * The conditions of a search after `r.tenant_id = $1 AND r.collection_id = $2`.
 *
 * @throws {RecordError} `RECORD_FIELD_UNSEARCHABLE`, `RECORD_FIELD_INVALID`
 */
export function toConditions(
  collection: CompiledCollection,
  where: Where,
  options: {
    readonly tenantId: string;
    readonly indexKeys: ReadonlyMap<string, KeyObject>;
  },
): SqlPart {
  const parameters = new Parameters();
  const parts = [
    `r.tenant_id = ${parameters.add(options.tenantId)}`,
    `r.collection_id = ${parameters.add(collection.id)}`,
  ];
  for (const [name, condition] of Object.entries(where)) {
    const field = findField(collection, name);
    for (const operator of OPERATORS) {
      const value = condition[operator];
      if (value !== undefined) checkValue(collection, name, value);
    }
    for (const value of condition.in ?? []) checkValue(collection, name, value);
    if (field.fieldSet.protection === 'plain') {
      parts.push(...toPlainConditions(field, condition, parameters));
    } else {
      const key = options.indexKeys.get(name);
      parts.push(toBlindCondition(field, condition, { key, parameters }));
    }
  }
  return { text: parts.join(' AND '), values: parameters.values };
}

/** `ORDER BY` of a query; the record id makes the order total. */
export function toOrder(sort: readonly SortField[]): string {
  const parts = sort.map(
    ({ field, isDescending }) => column(field) + (isDescending ? ' DESC' : ''),
  );
  return [...parts, 'r.record_id'].join(', ');
}

/** The sort fields' values as the columns of a page's last row. */
export function toCursorColumns(sort: readonly SortField[]): string {
  return sort.map(({ field }, at) => `, ${column(field)}::text AS sort_${at}`).join('');
}

/** What lies behind a cursor in the query's order. */
export function toBehind(sort: readonly SortField[], cursor: Cursor, before: SqlPart): SqlPart {
  const values = [...before.values];
  const place = (value: unknown): string => {
    values.push(value);
    return `$${values.length}`;
  };
  let text = `r.record_id > ${place(cursor.recordId)}::uuid`;
  for (const [at, { field, isDescending }] of [...sort.entries()].reverse()) {
    const value = `${place(cursor.after[at] ?? 'null')}::jsonb`;
    const compare = isDescending ? '<' : '>';
    text = `(${column(field)} ${compare} ${value} OR (${column(field)} = ${value} AND ${text}))`;
  }
  return { text: `${before.text} AND ${text}`, values };
}
