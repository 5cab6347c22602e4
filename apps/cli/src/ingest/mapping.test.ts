// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { assertColumns, parseMapping } from './mapping.ts';

const GOOD = `
collection: lines
import:
  id: [{ column: Id }]
  origin: { column: Country }
  fields: { total: { column: Total } }
schema:
  fieldSets:
    purchase: { class: restricted, category: transactional, purpose: order-fulfilment, subject: record, protection: sealed }
  fields:
    total: { fieldSet: purchase, type: number }
`;

const codeOf = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : 'no code';
  }
  return 'nothing thrown';
};

describe('a mapping', () => {
  it('is read with its defaults', () => {
    const mapping = parseMapping(GOOD, 'm.yaml');
    expect(mapping.collection).toBe('lines');
    expect(mapping.encoding).toBe('utf-8');
  });

  it.each([
    ['is no yaml', ': : :\n  - ]'],
    ['is a list', '- 1'],
    ['has an unknown key', `${GOOD}\nmore: 1`],
    ['names no collection', GOOD.replace('collection: lines', '')],
    ['names an impossible collection', GOOD.replace('lines', 'Lines Of')],
    ['has an unknown encoding', `${GOOD}\nencoding: ebcdic`],
    ['maps nothing', GOOD.replace(/import:[\s\S]*schema:/, 'schema:')],
    ['has an unknown key in it', GOOD.replace('column: Total', 'column: Total, code: x')],
    ['keeps restricted data plain', GOOD.replace('protection: sealed', 'protection: plain')],
    ['has a field of no set', GOOD.replace('fieldSet: purchase', 'fieldSet: sale')],
    ['has aliases that could grow', `a: &a [1]\nb: [*a, *a]\n${GOOD}`],
  ])('is refused when it %s', (_, text) => {
    expect(codeOf(() => parseMapping(text, 'm.yaml'))).toBe('CLI_MAPPING_INVALID');
  });

  it('names the columns that a file lacks', () => {
    const mapping = parseMapping(GOOD, 'm.yaml');
    expect(codeOf(() => assertColumns(mapping, ['Id', 'Country', 'Total', 'More']))).toBe(
      'nothing thrown',
    );
    expect(() => assertColumns(mapping, ['Id'])).toThrow(/`Country`, `Total`/);
  });
});
