// SPDX-License-Identifier: Apache-2.0
// A collection's schema made ready for the hot paths: names in order, fields by field set.
import type {
  CollectionSchema,
  FieldSchema,
  FieldSetSchema,
  FieldType,
  NormalForm,
} from '@bailiwick/contracts';
import { FIELD_TEXT_LENGTH_MAX } from '@bailiwick/contracts';
import { type CollectionId, DATA_CLASSES, type DataClass } from '@bailiwick/kernel';

export interface CompiledField {
  readonly name: string;
  readonly type: FieldType;
  readonly fieldSet: CompiledFieldSet;
  readonly isRequired: boolean;
  readonly index: NormalForm | undefined;
  readonly values: ReadonlySet<string> | undefined;
  readonly lengthMax: number;
}

export interface CompiledFieldSet extends FieldSetSchema {
  readonly name: string;
  /** Position among the collection's field sets, by name. */
  readonly at: number;
}

/** Field sets of one class: what one flow can speak of. */
export interface ClassGroup {
  readonly class: DataClass;
  /** Sorted. */
  readonly categories: readonly string[];
}

export interface CompiledCollection {
  readonly id: CollectionId;
  readonly version: number;
  readonly schema: CollectionSchema;
  /** Sorted by name, as they lie in a row. */
  readonly fieldSets: readonly CompiledFieldSet[];
  readonly fields: ReadonlyMap<string, CompiledField>;
  /** Names of required fields. */
  readonly required: readonly string[];
  /** Strictest first. */
  readonly classGroups: readonly ClassGroup[];
  /** Classes and categories of all field sets, as a record's label tells them. */
  readonly classes: readonly DataClass[];
  readonly categories: readonly string[];
}

const byName = (a: readonly [string, unknown], b: readonly [string, unknown]): number =>
  a[0] < b[0] ? -1 : 1;

/** Groups field sets by class, strictest first. */
export function toClassGroups(fieldSets: readonly FieldSetSchema[]): readonly ClassGroup[] {
  return DATA_CLASSES.flatMap((name) => {
    const categories = fieldSets.filter((one) => one.class === name).map((one) => one.category);
    return categories.length > 0
      ? [{ class: name, categories: [...new Set(categories)].sort() }]
      : [];
  });
}

function compileField(name: string, field: FieldSchema, fieldSet: CompiledFieldSet): CompiledField {
  return {
    name,
    type: field.type,
    fieldSet,
    isRequired: field.required === true,
    index: field.index,
    values: field.values && new Set(field.values),
    lengthMax: field.lengthMax ?? FIELD_TEXT_LENGTH_MAX,
  };
}

/** Compiles a schema that `parseCollectionSchema` has accepted. */
export function compileCollection(
  id: CollectionId,
  version: number,
  schema: CollectionSchema,
): CompiledCollection {
  const fieldSets = Object.entries(schema.fieldSets)
    .sort(byName)
    .map(([name, fieldSet], at) => ({ ...fieldSet, name, at }));
  const fields = new Map<string, CompiledField>();
  for (const [name, field] of Object.entries(schema.fields).sort(byName)) {
    const fieldSet = fieldSets.find((one) => one.name === field.fieldSet);
    if (fieldSet) fields.set(name, compileField(name, field, fieldSet));
  }
  const classGroups = toClassGroups(fieldSets);
  return {
    id,
    version,
    schema,
    fieldSets,
    fields,
    required: [...fields.values()].filter((one) => one.isRequired).map((one) => one.name),
    classGroups,
    classes: classGroups.map((group) => group.class),
    categories: [...new Set(fieldSets.map(({ category }) => category))].sort(),
  };
}
