// SPDX-License-Identifier: Apache-2.0
// How lines of a file become records: a small declared document, no code. The same mapping is used by the
// client, which must know each line's country to find its home, and by a cell that takes CSV itself.
//
// Ids: what the file names twice is not an id. Where its own columns do not tell two lines apart, `line`
// (the number in the file) does: the same file sent again, in whatever chunks, gives the same ids.
import { type TSchema, Type } from 'typebox';
import type { FieldType, FieldValue } from './field.ts';
import type { RecordDraft } from './record.ts';

/** A part of a record's id: a column's text or the number of the line. */
export type IdPart = { readonly column: string } | { readonly line: true };

export interface ImportMapping {
  readonly delimiter?: ',' | ';' | '\t' | '|';
  /** Joined with `/`. */
  readonly id: readonly IdPart[];
  /** `whenEmpty`: `none` makes a record about no person, `refuse` refuses the line. */
  readonly subject?: { readonly column: string; readonly whenEmpty: 'none' | 'refuse' };
  readonly origin: { readonly column: string } | { readonly value: string };
  /** By field name. `whenEmpty`: `omit` (default) leaves the field out. */
  readonly fields: Readonly<
    Record<string, { readonly column: string; readonly whenEmpty?: 'omit' | 'refuse' }>
  >;
}

/** Why a line did not become a record. Never quotes the line. */
export interface LineProblem {
  readonly code:
    | 'IMPORT_LINE_MALFORMED'
    | 'IMPORT_LINE_TOO_LONG'
    | 'IMPORT_COLUMN_COUNT'
    | 'IMPORT_VALUE_INVALID'
    | 'IMPORT_VALUE_MISSING';
  readonly detail: string;
  /** JSON pointer into the record that the line would have been. */
  readonly pointer?: string;
}

export type MappedLine =
  | { readonly draft: RecordDraft; readonly problem?: undefined }
  | { readonly draft?: undefined; readonly problem: LineProblem };

/** Turns the values of one line into a record. */
export type LineMapper = (values: readonly string[], line: number) => MappedLine;

const strict = { additionalProperties: false };
const ColumnSchema: TSchema = Type.String({ minLength: 1, maxLength: 256 });

/** Schema of an `ImportMapping`. */
export const ImportMappingSchema: TSchema = Type.Object(
  {
    delimiter: Type.Optional(
      Type.Union([',', ';', '\t', '|'].map((delimiter) => Type.Literal(delimiter))),
    ),
    id: Type.Array(
      Type.Union([
        Type.Object({ column: ColumnSchema }, strict),
        Type.Object({ line: Type.Literal(true) }, strict),
      ]),
      { minItems: 1, maxItems: 8 },
    ),
    subject: Type.Optional(
      Type.Object(
        {
          column: ColumnSchema,
          whenEmpty: Type.Union([Type.Literal('none'), Type.Literal('refuse')]),
        },
        strict,
      ),
    ),
    origin: Type.Union([
      Type.Object({ column: ColumnSchema }, strict),
      Type.Object({ value: Type.String({ minLength: 1, maxLength: 128 }) }, strict),
    ]),
    fields: Type.Record(
      Type.String({ pattern: '^[a-z][A-Za-z0-9]{0,62}$' }),
      Type.Object(
        {
          column: ColumnSchema,
          whenEmpty: Type.Optional(Type.Union([Type.Literal('omit'), Type.Literal('refuse')])),
        },
        strict,
      ),
    ),
  },
  strict,
);

/** The columns that a mapping asks for and a header does not have. */
export function findMissingColumns(
  mapping: ImportMapping,
  header: readonly string[],
): readonly string[] {
  const wanted = [
    ...mapping.id.flatMap((part) => ('column' in part ? [part.column] : [])),
    ...(mapping.subject ? [mapping.subject.column] : []),
    ...('column' in mapping.origin ? [mapping.origin.column] : []),
    ...Object.values(mapping.fields).map(({ column }) => column),
  ];
  return [...new Set(wanted)].filter((column) => !header.includes(column));
}

const INTEGER = /^[+-]?\d{1,16}$/;
const NUMBER = /^[+-]?(?:\d{1,18}(?:\.\d{0,15})?|\.\d{1,15})(?:[eE][+-]?\d{1,3})?$/;

/** A field's value out of a file's text; `undefined` when the text is not of its type. */
export function parseFieldText(type: FieldType, text: string): FieldValue | undefined {
  if (type === 'text' || type === 'instant' || type === 'date') return text;
  if (type === 'boolean') {
    if (text === 'true' || text === '1') return true;
    return text === 'false' || text === '0' ? false : undefined;
  }
  if (!(type === 'integer' ? INTEGER : NUMBER).test(text)) return undefined;
  const value = Number(text);
  const isGood = type === 'integer' ? Number.isSafeInteger(value) : Number.isFinite(value);
  return isGood ? value : undefined;
}

interface FieldReader {
  readonly field: string;
  readonly at: number;
  readonly type: FieldType;
  readonly isNeeded: boolean;
}

const problem = (code: LineProblem['code'], detail: string, pointer?: string): MappedLine => ({
  problem: { code, detail, ...(pointer === undefined ? {} : { pointer }) },
});

function readFields(
  readers: readonly FieldReader[],
  values: readonly string[],
): { readonly fields: Record<string, FieldValue> } | MappedLine {
  const fields: Record<string, FieldValue> = {};
  for (const { field, at, type, isNeeded } of readers) {
    const text = values[at] ?? '';
    if (text === '') {
      if (isNeeded) return problem('IMPORT_VALUE_MISSING', 'expected a value', `/fields/${field}`);
      continue;
    }
    const value = parseFieldText(type, text);
    if (value === undefined) {
      return problem('IMPORT_VALUE_INVALID', `expected type \`${type}\``, `/fields/${field}`);
    }
    fields[field] = value;
  }
  return { fields };
}

/**
 * Makes the mapper of one file: its mapping, the collection's schema and the file's header. Ask
 * `findMissingColumns` first.
 */
export function createLineMapper(options: {
  readonly mapping: ImportMapping;
  readonly schema: { readonly fields: Readonly<Record<string, { readonly type: FieldType }>> };
  readonly header: readonly string[];
}): LineMapper {
  const { mapping, schema, header } = options;
  const at = (column: string): number => header.indexOf(column);
  const readers = Object.entries(mapping.fields).map(([field, { column, whenEmpty }]) => ({
    field,
    at: at(column),
    type: schema.fields[field]?.type ?? 'text',
    isNeeded: whenEmpty === 'refuse',
  }));
  const idColumns = mapping.id.map((part) => ('column' in part ? at(part.column) : -1));
  const subjectAt = mapping.subject ? at(mapping.subject.column) : -1;
  const originAt = 'column' in mapping.origin ? at(mapping.origin.column) : -1;
  const fixedOrigin = 'value' in mapping.origin ? mapping.origin.value : '';
  return (values, line) => {
    if (values.length !== header.length) {
      return problem(
        'IMPORT_COLUMN_COUNT',
        `expected ${header.length} columns, found ${values.length}`,
      );
    }
    const read = readFields(readers, values);
    if (!('fields' in read)) return read;
    const origin = originAt < 0 ? fixedOrigin : (values[originAt] ?? '');
    if (origin === '') return problem('IMPORT_VALUE_MISSING', 'expected a country', '/origin');
    const id = idColumns.map((column) => (column < 0 ? String(line) : (values[column] ?? '')));
    const draft = { id: id.join('/'), origin, fields: read.fields };
    const subject = subjectAt < 0 ? '' : (values[subjectAt] ?? '');
    if (subject !== '') return { draft: { ...draft, subject } };
    if (mapping.subject?.whenEmpty === 'refuse') {
      return problem('IMPORT_VALUE_MISSING', 'expected whom the record is about', '/subject');
    }
    return { draft };
  };
}
