// SPDX-License-Identifier: Apache-2.0
// A collection's schema: which fields its records have, and what each of them is to the law. A field set
// has one class, one category, one purpose of collection and one subject; it is sealed as one value.
import { type DataClass, isName } from '@bailiwick/kernel';
import { type TSchema, Type } from 'typebox';
import {
  FIELD_TYPES,
  FieldNameSchema,
  type FieldType,
  NORMAL_FORMS,
  type NormalForm,
} from './field.ts';
import { type ImportMapping, ImportMappingSchema } from './import-mapping.ts';
import { ContractError, checkWith } from './parse-with.ts';

/** Most fields, and most field sets, of a collection. */
export const COLLECTION_FIELDS_COUNT_MAX = 128;
export const COLLECTION_FIELD_SETS_COUNT_MAX = 16;
/** Longest text in a field, in UTF-16 code units, where its schema states no other limit. */
export const FIELD_TEXT_LENGTH_MAX = 16_384;

export const PROTECTIONS = ['sealed', 'plain'] as const;
/** `sealed`: ciphertext in the database. `plain`: readable there, for ranges and sorting. */
export type Protection = (typeof PROTECTIONS)[number];

/** A set of fields with one label. */
export interface FieldSetSchema {
  readonly class: DataClass;
  readonly category: string;
  /** Purpose of collection. */
  readonly purpose: string;
  /** `record`: about the record's subject. `none`: about no person. */
  readonly subject: 'record' | 'none';
  readonly protection: Protection;
}

export interface FieldSchema {
  readonly fieldSet: string;
  readonly type: FieldType;
  readonly required?: boolean;
  /** Only on sealed fields: exact search by a blind index, which shows equality and frequency. */
  readonly index?: NormalForm;
  /** `text` only: the closed list of its values. */
  readonly values?: readonly string[];
  /** `text` only. */
  readonly lengthMax?: number;
}

/** What `PUT /v1/collections/{c}` takes. */
export interface CollectionSchema {
  readonly description?: string;
  readonly fieldSets: Readonly<Record<string, FieldSetSchema>>;
  readonly fields: Readonly<Record<string, FieldSchema>>;
  /** A plain `date` or `instant` field: the date the law counts from. Absent: the day of ingestion. */
  readonly lawDateField?: string;
  /** How lines of files become records, by name. */
  readonly imports?: Readonly<Record<string, ImportMapping>>;
}

/** What `GET /v1/collections/{c}` gives. */
export interface CollectionDescription extends CollectionSchema {
  readonly collectionId: string;
  /** From 1; grows with each change. */
  readonly version: number;
}

const strict = { additionalProperties: false };
const literals = (values: readonly string[]): TSchema =>
  Type.Union(values.map((value) => Type.Literal(value)));
const NameSchema: TSchema = Type.String({
  pattern: '^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$',
  maxLength: 63,
});
/** Schema of a `CollectionSchema`. */
export const CollectionSchemaSchema: TSchema = Type.Object(
  {
    description: Type.Optional(Type.String({ maxLength: 1024 })),
    fieldSets: Type.Record(
      NameSchema,
      Type.Object(
        {
          class: literals(['restricted', 'sensitive', 'operational', 'public']),
          category: NameSchema,
          purpose: NameSchema,
          subject: literals(['record', 'none']),
          protection: literals(PROTECTIONS),
        },
        strict,
      ),
      { minProperties: 1, maxProperties: COLLECTION_FIELD_SETS_COUNT_MAX, ...strict },
    ),
    fields: Type.Record(
      FieldNameSchema,
      Type.Object(
        {
          fieldSet: NameSchema,
          type: literals(FIELD_TYPES),
          required: Type.Optional(Type.Boolean()),
          index: Type.Optional(literals(NORMAL_FORMS)),
          values: Type.Optional(
            Type.Array(Type.String({ maxLength: 256 }), { minItems: 1, maxItems: 1024 }),
          ),
          lengthMax: Type.Optional(Type.Integer({ minimum: 1, maximum: FIELD_TEXT_LENGTH_MAX })),
        },
        strict,
      ),
      { minProperties: 1, maxProperties: COLLECTION_FIELDS_COUNT_MAX, ...strict },
    ),
    lawDateField: Type.Optional(FieldNameSchema),
    imports: Type.Optional(Type.Record(NameSchema, ImportMappingSchema, strict)),
  },
  strict,
);

function refuse(pointer: string, detail: string): never {
  throw new ContractError(
    'CONTRACT_VALUE_INVALID',
    `not a valid collection: at \`${pointer}\`: ${detail}`,
    { details: { pointer } },
  );
}

type FieldSets = CollectionSchema['fieldSets'];

function checkFieldSet(name: string, fieldSet: FieldSetSchema): void {
  const pointer = `/fieldSets/${name}`;
  if (!isName(name)) refuse(pointer, 'expected a kebab-case name');
  // SECURITY: without this line a restricted value could stand readable in the database and its WAL.
  if (
    fieldSet.protection === 'plain' &&
    (fieldSet.class === 'restricted' || fieldSet.class === 'sensitive')
  ) {
    refuse(`${pointer}/protection`, `a \`${fieldSet.class}\` field set must be \`sealed\``);
  }
}

function checkField(name: string, field: FieldSchema, fieldSets: FieldSets): void {
  const pointer = `/fields/${name}`;
  const fieldSet = fieldSets[field.fieldSet] ?? refuse(`${pointer}/fieldSet`, 'no such field set');
  const isText = field.type === 'text';
  if (!isText && field.values) refuse(`${pointer}/values`, 'only a text has a list of values');
  if (!isText && field.lengthMax) refuse(`${pointer}/lengthMax`, 'only a text has a length');
  if (field.index === undefined) return;
  const at = `${pointer}/index`;
  if (fieldSet.protection === 'plain') refuse(at, 'a plain field is searched as it is');
  // SECURITY: on a field with few values a blind index is a table of frequencies that gives them away.
  if (field.type === 'boolean' || field.values) refuse(at, 'the field has too few values to index');
  if (!isText && field.index !== 'exact') refuse(at, 'only a text has this normal form');
}

function checkLawDateField({ fields, fieldSets, lawDateField }: CollectionSchema): void {
  if (lawDateField === undefined) return;
  const field = fields[lawDateField];
  const isPlain = field && fieldSets[field.fieldSet]?.protection === 'plain';
  if (!isPlain || (field.type !== 'date' && field.type !== 'instant')) {
    refuse('/lawDateField', 'expected a plain field of type `date` or `instant`');
  }
}

function checkImports({ fields, imports }: CollectionSchema): void {
  for (const [name, mapping] of Object.entries(imports ?? {})) {
    for (const field of Object.keys(mapping.fields)) {
      if (!fields[field]) refuse(`/imports/${name}/fields/${field}`, 'there is no such field');
    }
  }
}

/**
 * Reads a collection's schema. Whether its categories and purposes are the charter's is for the cell.
 *
 * @throws {ContractError} `CONTRACT_VALUE_INVALID`: among others for a restricted or sensitive field set
 * that is not sealed, and for a blind index on a field with few values.
 */
export function parseCollectionSchema(value: unknown): CollectionSchema {
  const schema = checkWith(CollectionSchemaSchema, value, 'collection') as CollectionSchema;
  const used = new Set<string>();
  for (const [name, fieldSet] of Object.entries(schema.fieldSets)) checkFieldSet(name, fieldSet);
  for (const [name, field] of Object.entries(schema.fields)) {
    checkField(name, field, schema.fieldSets);
    used.add(field.fieldSet);
  }
  for (const name of Object.keys(schema.fieldSets)) {
    if (!used.has(name)) refuse(`/fieldSets/${name}`, 'no field is in this field set');
  }
  checkLawDateField(schema);
  checkImports(schema);
  return schema;
}
