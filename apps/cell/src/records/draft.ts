// SPDX-License-Identifier: Apache-2.0
// A caller's record held against its collection's schema and taken apart into its field sets.
// SECURITY: all of a draft is attacker-controlled; refusals name the field and never the value.
import {
  CALLER_ID_CHARACTERS_MAX,
  type FieldValue,
  ORIGIN_CHARACTERS_MAX,
  type RecordDraft,
} from '@bailiwick/contracts';
import { KernelError, parseDate, parseInstant } from '@bailiwick/kernel';
import type { CompiledCollection, CompiledField } from '../collections/compiled-collection.ts';
import type { RecordRefusal } from './errors.ts';

/** Fields of one field set; none when the record has no value there. */
export type FieldSetValues = Readonly<Record<string, FieldValue>>;

/** A draft that is what its schema asks for. */
export interface CheckedDraft {
  readonly callerId: string | undefined;
  readonly callerSubject: string | undefined;
  readonly originText: string;
  /** By position of the field set in the collection; keys sorted. */
  readonly values: readonly (FieldSetValues | undefined)[];
}

export type CheckResult =
  | { readonly draft: CheckedDraft; readonly refusal?: undefined }
  | { readonly draft?: undefined; readonly refusal: RecordRefusal };

const invalid = (detail: string, pointer: string): RecordRefusal => ({
  code: 'RECORD_FIELD_INVALID',
  detail,
  pointer,
});

/** What is wrong with a value; `undefined` when it is of the field's type. */
function findFieldProblem(field: CompiledField, value: unknown): string | undefined {
  switch (field.type) {
    case 'text':
      return findTextProblem(field, value);
    case 'integer':
      return Number.isSafeInteger(value) ? undefined : 'expected a whole number';
    case 'number':
      return typeof value === 'number' && Number.isFinite(value) ? undefined : 'expected a number';
    case 'boolean':
      return typeof value === 'boolean' ? undefined : 'expected true or false';
    case 'instant':
      return isParsed(parseInstant, value) ? undefined : 'expected an RFC 3339 instant in UTC';
    case 'date':
      return isParsed(parseDate, value) ? undefined : 'expected a date such as `2026-11-20`';
  }
}

function findTextProblem(field: CompiledField, value: unknown): string | undefined {
  if (typeof value !== 'string') return 'expected a text';
  if (value.length > field.lengthMax) return `expected at most ${field.lengthMax} characters`;
  // jsonb holds no NUL, and a lone surrogate has no canonical JSON.
  if (value.includes('\0') || !value.isWellFormed()) return 'expected well-formed text without NUL';
  if (field.values && !field.values.has(value)) return 'expected one of the listed values';
  return undefined;
}

function isParsed(parse: (text: string) => number, value: unknown): boolean {
  if (typeof value !== 'string') return false;
  try {
    parse(value);
    return true;
  } catch (error) {
    if (error instanceof KernelError) return false;
    throw error;
  }
}

function isCallerId(value: unknown): boolean {
  return (
    typeof value === 'string' &&
    value.length >= 1 &&
    value.length <= CALLER_ID_CHARACTERS_MAX &&
    value.isWellFormed()
  );
}

/** Splits fields by field set; `null` is absence. */
export function splitFields(
  collection: CompiledCollection,
  fields: Readonly<Record<string, unknown>>,
): { readonly values: (Record<string, FieldValue> | undefined)[] } | RecordRefusal {
  const values = new Array<Record<string, FieldValue> | undefined>(
    collection.fieldSets.length,
  ).fill(undefined);
  const names = Object.keys(fields).sort();
  for (const name of names) {
    const value = fields[name];
    if (value === null || value === undefined) continue;
    const field = collection.fields.get(name);
    if (!field) return invalid('the collection has no such field', `/fields/${name}`);
    const problem = findFieldProblem(field, value);
    if (problem !== undefined) return invalid(problem, `/fields/${name}`);
    const { at } = field.fieldSet;
    let target = values[at];
    if (!target) {
      target = {};
      values[at] = target;
    }
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
      target[name] = Object.is(value, -0) ? 0 : value;
    }
  }
  for (const name of collection.required) {
    const at = collection.fields.get(name)?.fieldSet.at ?? 0;
    if (values[at]?.[name] === undefined) return invalid('expected a value', `/fields/${name}`);
  }
  return { values };
}

/** Holds a draft against the schema. A field's name in a pointer is the schema's or the caller's key. */
export function checkDraft(collection: CompiledCollection, draft: RecordDraft): CheckResult {
  const { id, subject, origin, fields } = draft;
  if (id !== undefined && !isCallerId(id)) {
    return { refusal: invalid('expected an id of 1 to 256 characters', '/id') };
  }
  if (subject !== undefined && !isCallerId(subject)) {
    return { refusal: invalid('expected an id of 1 to 256 characters', '/subject') };
  }
  if (typeof origin !== 'string' || origin === '' || origin.length > ORIGIN_CHARACTERS_MAX) {
    return { refusal: invalid('expected the name of a country', '/origin') };
  }
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) {
    return { refusal: invalid('expected an object', '/fields') };
  }
  const split = splitFields(collection, fields);
  if (!('values' in split)) return { refusal: split };
  return {
    draft: {
      callerId: id,
      callerSubject: subject,
      originText: origin,
      values: split.values,
    },
  };
}
