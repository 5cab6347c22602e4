// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { parseCollectionSchema } from './collection.ts';

const CONTACT = {
  class: 'restricted',
  category: 'contact',
  purpose: 'order-fulfilment',
  subject: 'record',
  protection: 'sealed',
};
const ORDER = {
  class: 'operational',
  category: 'transactional',
  purpose: 'order-fulfilment',
  subject: 'none',
  protection: 'plain',
};
const valid = {
  fieldSets: { contact: CONTACT, order: ORDER },
  fields: {
    email: { fieldSet: 'contact', type: 'text', index: 'email' },
    placedAt: { fieldSet: 'order', type: 'instant' },
    state: { fieldSet: 'order', type: 'text', values: ['open', 'paid'] },
  },
};

function pointerOf(value: unknown): string {
  try {
    parseCollectionSchema(value);
    return 'accepted';
  } catch (error) {
    const isOurs = error instanceof Error && 'code' in error && 'details' in error;
    if (!isOurs || error.code !== 'CONTRACT_VALUE_INVALID') return `uncoded ${String(error)}`;
    return String(Reflect.get(Object(error.details), 'pointer'));
  }
}

describe('a collection schema', () => {
  it('is read', () => {
    expect(parseCollectionSchema(valid)).toEqual(valid);
  });
  const withContact = (change: object) => ({
    ...valid,
    fieldSets: { contact: { ...CONTACT, ...change }, order: ORDER },
  });
  const withEmail = (change: object) => ({
    ...valid,
    fields: { ...valid.fields, email: { ...valid.fields.email, ...change } },
  });
  it.each([
    [
      'a restricted field set in plain',
      withContact({ protection: 'plain' }),
      '/fieldSets/contact/protection',
    ],
    [
      'a sensitive field set in plain',
      withContact({ class: 'sensitive', protection: 'plain' }),
      '/fieldSets/contact/protection',
    ],
    ['an unknown class', withContact({ class: 'secret' }), '/fieldSets/contact/class'],
    ['an unknown member', withContact({ colour: 'red' }), '/fieldSets/contact/colour'],
    ['an index on few values', withEmail({ values: ['a', 'b'] }), '/fields/email/index'],
    [
      'an index on a boolean',
      withEmail({ type: 'boolean', index: 'exact' }),
      '/fields/email/index',
    ],
    ['an e-mail index on a number', withEmail({ type: 'integer' }), '/fields/email/index'],
    ['an index on a plain field', withEmail({ fieldSet: 'order' }), '/fields/email/index'],
    ['a field in no field set', withEmail({ fieldSet: 'nowhere' }), '/fields/email/fieldSet'],
    [
      'a length on an integer',
      withEmail({ type: 'integer', index: 'exact', lengthMax: 3 }),
      '/fields/email/lengthMax',
    ],
    ['a sealed law date', { ...valid, lawDateField: 'email' }, '/lawDateField'],
    ['a text as law date', { ...valid, lawDateField: 'state' }, '/lawDateField'],
    ['an unknown law date', { ...valid, lawDateField: 'nothing' }, '/lawDateField'],
    ['no fields', { ...valid, fields: {} }, '/fields'],
    [
      'an unused field set',
      { ...valid, fields: { email: valid.fields.email } },
      '/fieldSets/order',
    ],
    [
      'a mapping onto an unknown field',
      {
        ...valid,
        imports: {
          csv: { id: [{ line: true }], origin: { value: 'de' }, fields: { no: { column: 'No' } } },
        },
      },
      '/imports/csv/fields/no',
    ],
  ])('refuses %s', (_, value, pointer) => {
    expect(pointerOf(value)).toBe(pointer);
  });
});
