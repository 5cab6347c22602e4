// SPDX-License-Identifier: Apache-2.0
// What a field of a record can be.
import { type TSchema, Type } from 'typebox';

/** Types of a field. `number` is a double; instants and dates are RFC 3339 texts in UTC. */
export const FIELD_TYPES = ['text', 'integer', 'number', 'boolean', 'instant', 'date'] as const;
export type FieldType = (typeof FIELD_TYPES)[number];

/** How a value is made comparable before it is indexed blindly. */
export const NORMAL_FORMS = ['email', 'phone', 'text', 'exact'] as const;
export type NormalForm = (typeof NORMAL_FORMS)[number];

/** A field's value. */
export type FieldValue = string | number | boolean;

/** A field's name: camelCase. */
export const FieldNameSchema: TSchema = Type.String({ pattern: '^[a-z][A-Za-z0-9]{0,62}$' });
