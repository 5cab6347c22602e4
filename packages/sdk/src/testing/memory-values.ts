// SPDX-License-Identifier: Apache-2.0
// Sealing and opening in memory: labels come from the collection's schema, as in a cell.
import { randomUUID } from 'node:crypto';
import {
  type CollectionSchema,
  type FieldValue,
  type OpenResult,
  type Problem,
  type SealRequest,
  type SealResult,
  toProblemType,
} from '@bailiwick/contracts';
import { MemoryProblem, type MemoryState } from './memory-state.ts';

/** A collection's schema, or the problem that there is none. */
export function getSchema(state: MemoryState, collection: string): CollectionSchema {
  const schema = state.collections.get(collection);
  if (schema !== undefined) return schema;
  throw new MemoryProblem(404, 'COLLECTION_UNKNOWN', 'there is no such collection');
}

/** Checks fields against the schema: known, of their type, of this field set. */
export function checkFields(
  schema: CollectionSchema,
  fieldSet: string,
  fields: Readonly<Record<string, FieldValue | null>>,
): Record<string, FieldValue> {
  const checked: Record<string, FieldValue> = {};
  for (const [name, value] of Object.entries(fields)) {
    const field = schema.fields[name];
    if (field === undefined || field.fieldSet !== fieldSet) {
      throw new MemoryProblem(400, 'CELL_INPUT_INVALID', `no field \`${name}\` in \`${fieldSet}\``);
    }
    if (value === null) continue;
    const isText = field.type === 'text' || field.type === 'date' || field.type === 'instant';
    const expected = isText ? 'string' : field.type === 'boolean' ? 'boolean' : 'number';
    if (typeof value !== expected) {
      throw new MemoryProblem(400, 'CELL_INPUT_INVALID', `\`${name}\` is not a ${field.type}`);
    }
    checked[name] = value;
  }
  for (const [name, field] of Object.entries(schema.fields)) {
    if (field.fieldSet === fieldSet && field.required === true && checked[name] === undefined) {
      throw new MemoryProblem(400, 'CELL_INPUT_INVALID', `\`${name}\` is required`);
    }
  }
  return checked;
}

/** Seals one field set of a record. */
export function sealFieldSet(
  state: MemoryState,
  value: {
    readonly collection: string;
    readonly fieldSet: string;
    readonly recordId: string;
    readonly subjectId: string | undefined;
    readonly origin: string;
    readonly fields: Readonly<Record<string, FieldValue>>;
  },
): string {
  const set = getSchema(state, value.collection).fieldSets[value.fieldSet];
  if (set === undefined) {
    throw new MemoryProblem(400, 'CELL_INPUT_INVALID', 'the collection has no such field set');
  }
  const { subjectId } = value;
  const isPersonal = set.subject === 'record' && subjectId !== undefined;
  const owner = isPersonal ? `subject ${subjectId}` : `collection ${value.collection}`;
  const label = {
    residency: state.residency,
    tenant: state.tenant,
    collection: value.collection,
    fieldSet: value.fieldSet,
    class: set.class,
    category: set.category,
    purpose: set.purpose,
    origin: value.origin,
    regimes: state.regimesOf(value.origin),
    record: value.recordId,
  };
  return state.keys.seal(owner, label, value.fields);
}

function toProblem(error: unknown): Problem {
  const isOurs = error instanceof MemoryProblem;
  const code = isOurs ? error.code : 'CELL_SEAL_UNOPENED';
  const title = isOurs ? error.message : 'the value does not open under its seal';
  return {
    type: toProblemType(code),
    title,
    status: isOurs ? error.status : 403,
    detail: title,
    code,
  };
}

function sealOne(state: MemoryState, request: SealRequest): SealResult {
  const schema = getSchema(state, request.collection);
  const fields = checkFields(schema, request.fieldSet, request.fields);
  const recordId = state.keys.toId(`record ${request.collection}`, request.record);
  const subjectId =
    request.subject === undefined ? undefined : state.keys.toId('subject', request.subject);
  const indexes: Record<string, string> = {};
  for (const { field } of request.indexes ?? []) {
    if (schema.fields[field]?.index === undefined) {
      throw new MemoryProblem(400, 'CELL_INPUT_INVALID', `\`${field}\` has no index`);
    }
    const value = fields[field];
    if (value === undefined) continue;
    indexes[field] = state.keys.toIndex(`${request.collection}/${field}`, String(value));
  }
  const { collection, fieldSet, origin } = request;
  const sealed = sealFieldSet(state, { collection, fieldSet, recordId, subjectId, origin, fields });
  return { sealed, recordId, indexes, ...(subjectId === undefined ? {} : { subject: subjectId }) };
}

/** Seals each value; one that cannot be sealed does not sink the others. */
export function sealValues(
  state: MemoryState,
  { values }: { readonly values: readonly SealRequest[] },
): readonly SealResult[] {
  return values.map((request) => {
    try {
      return sealOne(state, request);
    } catch (error) {
      return { problem: toProblem(error) };
    }
  });
}

/** Opens each value, in order. */
export function openValues(
  state: MemoryState,
  { values }: { readonly values: readonly { readonly sealed: string }[] },
): readonly OpenResult[] {
  return values.map(({ sealed }) => {
    try {
      const opened = state.keys.open(sealed);
      if (opened !== undefined) return { fields: parseFields(opened.fields) };
      throw new MemoryProblem(410, 'CELL_SEAL_ERASED', 'the person whom it is about was erased');
    } catch (error) {
      return { problem: { ...toProblem(error), instance: randomUUID() } };
    }
  });
}

/** What was sealed here was checked before. */
export function parseFields(value: unknown): Record<string, FieldValue> {
  return value as Record<string, FieldValue>;
}
