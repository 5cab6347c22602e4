// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import {
  createLineMapper,
  findMissingColumns,
  type ImportMapping,
  parseFieldText,
} from './import-mapping.ts';

const mapping: ImportMapping = {
  id: [{ column: 'Invoice' }, { line: true }],
  subject: { column: 'Customer', whenEmpty: 'none' },
  origin: { column: 'Country' },
  fields: { quantity: { column: 'Quantity', whenEmpty: 'refuse' }, note: { column: 'Note' } },
};
const schema = { fields: { quantity: { type: 'integer' }, note: { type: 'text' } } } as const;
const header = ['Invoice', 'Customer', 'Country', 'Quantity', 'Note'];
const map = createLineMapper({ mapping, schema, header });

describe('a line mapper', () => {
  it('makes a record, also of a negative quantity', () => {
    expect(map(['536365', '17850', 'EIRE', '-6', 'returned'], 12)).toEqual({
      draft: {
        id: '536365/12',
        subject: '17850',
        origin: 'EIRE',
        fields: { quantity: -6, note: 'returned' },
      },
    });
  });
  it('makes a record about nobody of an empty customer, and leaves out what is empty', () => {
    expect(map(['1', '', 'EIRE', '6', ''], 3)).toEqual({
      draft: { id: '1/3', origin: 'EIRE', fields: { quantity: 6 } },
    });
  });
  it.each([
    ['too few columns', ['1', '2'], 'IMPORT_COLUMN_COUNT', undefined],
    ['too many columns', ['1', '2', 'x', '1', '', ''], 'IMPORT_COLUMN_COUNT', undefined],
    ['no number', ['1', '2', 'x', 'six', ''], 'IMPORT_VALUE_INVALID', '/fields/quantity'],
    ['a fraction', ['1', '2', 'x', '1.5', ''], 'IMPORT_VALUE_INVALID', '/fields/quantity'],
    ['nothing', ['1', '2', 'x', '', ''], 'IMPORT_VALUE_MISSING', '/fields/quantity'],
    ['no country', ['1', '2', '', '1', ''], 'IMPORT_VALUE_MISSING', '/origin'],
  ])('refuses %s', (_, values, code, pointer) => {
    expect(map(values, 5).problem).toMatchObject({ code, ...(pointer ? { pointer } : {}) });
  });
  it('never quotes a value in a problem', () => {
    expect(JSON.stringify(map(['1', '2', 'x', 'secret', ''], 5))).not.toContain('secret');
  });
  it('refuses an empty customer where the mapping says so', () => {
    const strict = createLineMapper({
      mapping: { ...mapping, subject: { column: 'Customer', whenEmpty: 'refuse' } },
      schema,
      header,
    });
    expect(strict(['1', '', 'EIRE', '6', ''], 3).problem?.pointer).toBe('/subject');
  });
});

describe('columns and values', () => {
  it('names the columns that a header lacks', () => {
    expect(findMissingColumns(mapping, ['Invoice', 'Note'])).toEqual([
      'Customer',
      'Country',
      'Quantity',
    ]);
  });
  it.each([
    ['integer', '99999999999999999'],
    ['integer', '0x10'],
    ['integer', ' 1'],
    ['number', 'NaN'],
    ['number', '1,5'],
    ['number', '1e999'],
    ['boolean', 'yes'],
  ] as const)('finds no %s in `%s`', (type, text) => {
    expect(parseFieldText(type, text)).toBeUndefined();
  });
});
