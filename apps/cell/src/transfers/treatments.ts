// SPDX-License-Identifier: Apache-2.0
// What becomes of each field on its way, by the form that was asked for and by what the charter obliges to.
// Pseudonymised: nobody's free text survives. A text that is no member of a listed set becomes a keyed
// pseudonym; what tells who or where somebody is, and is no text, stays behind.
import type { FieldTreatment, FieldValue } from '@bailiwick/contracts';
import { assertNever, type Form, type Obligation, type ObligationKind } from '@bailiwick/kernel';
import { PSEUDONYM_LENGTH, type Pseudonymiser } from '@bailiwick/keys';
import type { CompiledCollection, CompiledField } from '../collections/compiled-collection.ts';
import { CellError } from '../errors.ts';

/** Categories whose values tell who somebody is, or how to find them. */
const IDENTIFYING: readonly string[] = [
  'biometric',
  'contact',
  'content',
  'credential',
  'financial',
  'location',
  'technical',
];

export type Treatments = ReadonlyMap<string, FieldTreatment>;

/** @throws {CellError} `TRANSFER_UNSUPPORTED` for what the charter obliges to and no form here does */
export function toTreatments(
  collection: CompiledCollection,
  options: {
    readonly fields: readonly string[];
    readonly form: Form;
    readonly obligations: readonly Obligation[];
  },
): Treatments {
  const { fields, form, obligations } = options;
  for (const { kind } of obligations) {
    if (!isMet(kind, form)) {
      throw new CellError('TRANSFER_UNSUPPORTED', `records cannot be sent under \`${kind}\``);
    }
  }
  const hidden = obligations.filter(({ kind }) => kind === 'mask' || kind === 'redact');
  const treatments = new Map<string, FieldTreatment>();
  for (const name of [...fields].sort()) {
    const field = collection.fields.get(name);
    if (field === undefined) continue;
    const { category } = field.fieldSet;
    const isHidden = hidden.some(({ categories }) => categories?.includes(category) !== false);
    if (isHidden) treatments.set(name, 'left-out');
    else treatments.set(name, form === 'pseudonymised' ? toPseudonymised(field) : 'as-it-is');
  }
  return treatments;
}

function isMet(kind: ObligationKind, form: Form): boolean {
  switch (kind) {
    case 'log':
    case 'checkpoint':
    case 'mask':
    case 'redact':
      return true;
    case 'pseudonymise':
      return form === 'pseudonymised';
    case 'aggregate':
    case 'noise':
    case 'notify':
    case 'tokenise':
      return false;
    default:
      return assertNever(kind);
  }
}

function toPseudonymised(field: CompiledField): FieldTreatment {
  const { fieldSet, type, values, lengthMax } = field;
  if (fieldSet.subject === 'none') return 'as-it-is';
  const isIdentifying = IDENTIFYING.includes(fieldSet.category);
  if (type === 'text') {
    if (values !== undefined) return isIdentifying ? 'left-out' : 'as-it-is';
    return lengthMax >= PSEUDONYM_LENGTH ? 'pseudonym' : 'left-out';
  }
  return isIdentifying ? 'left-out' : 'as-it-is';
}

/** The fields of a record as they leave. */
export function treatFields(
  fields: Readonly<Record<string, FieldValue>>,
  treatments: Treatments,
  pseudonyms: Pseudonymiser | undefined,
): Readonly<Record<string, FieldValue>> {
  const treated: Record<string, FieldValue> = {};
  for (const [name, treatment] of treatments) {
    const value = fields[name];
    if (value === undefined || treatment === 'left-out') continue;
    if (treatment === 'as-it-is') treated[name] = value;
    else if (pseudonyms !== undefined) treated[name] = pseudonyms.value(name, String(value));
  }
  return treated;
}
